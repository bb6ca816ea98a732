"""The database itself: without its guards, made to fail at one step, or looked at as a whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from tests.accounts import as_owner, as_superuser


@contextmanager
def down() -> Iterator[None]:
    """Inside, the connection is the superuser's and no trigger fires on it: no history is demanded, no role refused, nothing
    frozen. To plant what is impossible, and see the next guard hold."""
    with as_superuser():
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
        yield
        with connection.cursor() as cursor:
            cursor.execute("RESET session_replication_role")


@contextmanager
def failing(table: str, when: str, condition: str = "true", at_commit: bool = False) -> Iterator[None]:
    """Inside, a statement on that table fails (`when`: INSERT, UPDATE or DELETE, for rows of the condition), or the commit
    that would make it stay does."""
    constraint, timing = ("CONSTRAINT", "AFTER") if at_commit else ("", "BEFORE")
    later = "DEFERRABLE INITIALLY DEFERRED" if at_commit else ""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            f"CREATE FUNCTION step_fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF {condition} THEN "
            f"RAISE EXCEPTION 'this step fails' USING ERRCODE = '53100'; END IF; RETURN COALESCE(NEW, OLD); END $$; "
            f"CREATE {constraint} TRIGGER step_fails {timing} {when} ON {table} {later} "
            "FOR EACH ROW EXECUTE FUNCTION step_fails()"
        )
    yield
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION step_fails() CASCADE")


def everything(*but: str) -> dict[str, str]:
    """A digest of every table except those, so that nothing can change unseen. A table's months are part of the table."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') "
            "AND NOT relispartition ORDER BY 1"
        )
        found = {}
        for name in [row[0] for row in cursor.fetchall() if row[0] not in but]:
            cursor.execute(f"SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text), '')) FROM {name} t")
            found[name] = str(cursor.fetchone()[0])
    return found
