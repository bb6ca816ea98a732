"""What the application and the auditor may do with each table, taken from what its model declares.

- A table that `append_only()` guards is only inserted into; one that `never_removed()` guards is not deleted from; columns of
  `WrittenOnce` are not updated. The trigger and the missing privilege come from the one declaration (`revops.history`).
- A table whose model is `written_by_the_database` is read alone: a function of the owner's writes it.
- Any other model's table is read, inserted into, updated and deleted from. A table without a model is read alone.
- Nobody but the owner empties, alters or drops a table, makes one, or makes a trigger.
- The auditor reads our tables, but for the columns that a model names as `secret_columns`.

`manage.py migrate` grants this anew every time. What is missing in a model is therefore missing nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pgtrigger
from django.apps import apps
from django.db import DEFAULT_DB_ALIAS, connections, models, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

from revops.history import WrittenOnce
from revops.postgresql.roles import APPLICATION, AUDITOR, HOW, OWNER

OURS = ("revops", "sync")
"""Packages whose tables the auditor reads: the others' hold sessions."""


@dataclass(frozen=True, slots=True)
class Rights:
    """What the application may do with one table. `update`: the columns; all when `columns` is the same set."""

    table: str
    columns: frozenset[str]
    insert: bool
    update: frozenset[str]
    delete: bool
    secret: frozenset[str] | None
    """Columns that the auditor does not read; None: none of them."""


def rights() -> dict[str, Rights]:
    """Table -> what its model lets the application do."""
    return {each.table: each for each in map(_rights, apps.get_models(include_auto_created=True)) if each.table}


def _rights(model: type[models.Model]) -> Rights:
    meta = model._meta
    columns = frozenset(str(field.column) for field in meta.concrete_fields if field.column)
    refused, frozen = set(), set()
    for trigger in getattr(meta, "triggers", ()):
        if isinstance(trigger, WrittenOnce):
            frozen |= {str(meta.get_field(name).column) for name in trigger.names}  # type: ignore[union-attr]
        elif isinstance(trigger, pgtrigger.Protect) and trigger.condition is None and trigger.level == pgtrigger.Row:
            refused |= {str(each) for each in (pgtrigger.Insert, pgtrigger.Update, pgtrigger.Delete) if each in _of(trigger)}
    ours = model.__module__.split(".")[0] in OURS
    return Rights(
        table="" if meta.proxy or not meta.managed else str(meta.db_table),
        columns=columns,
        insert="INSERT" not in refused and not getattr(model, "written_by_the_database", False),
        update=frozenset() if "UPDATE" in refused else columns - frozen,
        delete="DELETE" not in refused,
        secret=frozenset(getattr(model, "secret_columns", ())) if ours else None,
    )


def _of(trigger: pgtrigger.Trigger) -> list[pgtrigger.Operation]:
    operation = trigger.operation
    if operation is None:
        return []
    return list(operation) if isinstance(operation, pgtrigger.Operations) else [operation]


def grant_privileges(using: str = DEFAULT_DB_ALIAS) -> None:
    """Give both accounts what they may have, and nothing else. As owner, in one transaction: nobody sees the time between.

    Raises `RuntimeError` with the next move when the accounts are not there.
    """
    connection = connections[using]
    with transaction.atomic(using), connection.cursor() as cursor:
        cursor.execute("SELECT rolname FROM pg_roles WHERE rolname = ANY(%s)", [[OWNER, APPLICATION, AUDITOR]])
        missing = {OWNER, APPLICATION, AUDITOR} - {row[0] for row in cursor.fetchall()}
        if missing:
            raise RuntimeError(f"The database has no account {', '.join(sorted(missing))}. {HOW}")
        for statement in _statements(connection, _tables(connection)):
            cursor.execute(statement)


def _tables(connection: BaseDatabaseWrapper) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') ORDER BY 1"
        )
        return [str(row[0]) for row in cursor.fetchall()]


def _statements(connection: BaseDatabaseWrapper, tables: list[str]) -> Iterator[sql.Composed]:
    """The whole of it. A month of a split table is read alone: what is written goes through the table itself."""
    both = sql.SQL(", ").join(map(sql.Identifier, (APPLICATION, AUDITOR)))
    names = {"both": both, "app": sql.Identifier(APPLICATION), "auditor": sql.Identifier(AUDITOR), "owner": sql.Identifier(OWNER)}

    def say(text: str, **more: sql.Composable) -> sql.Composed:
        return sql.SQL(text).format(**names, **more)

    database = sql.Identifier(str(connection.settings_dict["NAME"]))
    yield say("REVOKE ALL ON DATABASE {database} FROM PUBLIC", database=database)
    yield say("GRANT CONNECT ON DATABASE {database} TO {both}", database=database)
    yield say("GRANT USAGE ON SCHEMA public TO {both}")
    yield say("REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, {both}")
    yield say("REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM PUBLIC, {both}")
    yield say("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {app}")
    yield say("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {app}")
    yield say("ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA public GRANT SELECT ON TABLES TO {app}")
    declared = rights()
    for name in tables:
        may = declared.get(name)
        if may is None:
            continue
        table = sql.Identifier(name)
        verbs = [verb for verb, granted in (("INSERT", may.insert), ("DELETE", may.delete)) if granted]
        if may.update == may.columns:
            verbs.append("UPDATE")
        elif may.update:
            columns = sql.SQL(", ").join(map(sql.Identifier, sorted(may.update)))
            yield say("GRANT UPDATE ({columns}) ON {table} TO {app}", columns=columns, table=table)
        if verbs:
            yield say("GRANT {verbs} ON {table} TO {app}", verbs=sql.SQL(", ".join(verbs)), table=table)
        if may.secret is not None:
            shown = sql.SQL(", ").join(map(sql.Identifier, sorted(may.columns - may.secret)))
            yield say("GRANT SELECT ({shown}) ON {table} TO {auditor}", shown=shown, table=table)


def excess(connection: BaseDatabaseWrapper) -> list[str]:
    """What the connection's account may do with tables beyond `rights`, in words that follow its name."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT c.relname, has_table_privilege(c.oid, 'INSERT'), has_table_privilege(c.oid, 'DELETE'),
                   has_table_privilege(c.oid, 'TRUNCATE') OR has_table_privilege(c.oid, 'TRIGGER'),
                   ARRAY(SELECT a.attname::text FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
                            AND NOT a.attisdropped AND has_column_privilege(c.oid, a.attnum, 'UPDATE'))
              FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') ORDER BY 1
            """
        )
        rows = cursor.fetchall()
    declared = rights()
    none = Rights("", frozenset(), insert=False, update=frozenset(), delete=False, secret=None)
    found = []
    for name, inserts, deletes, more, updates in rows:
        may = declared.get(name, none)
        verbs = {"insert into": inserts and not may.insert, "delete from": deletes and not may.delete, "empty": more}
        found += [f"may {verb} {name}" for verb, beyond in verbs.items() if beyond]
        found += [f"may change {name}.{column}" for column in sorted(set(updates) - may.update)]
    return found
