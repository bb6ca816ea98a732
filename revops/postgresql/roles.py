"""The three accounts of the database, and who the connection at hand is.

`revops_owner` owns the tables and changes them; the few commands that must name it do their work inside `as_owner`.
`revops_application` is what the web server and the workers are: it owns nothing, and writes what `privileges` lets it.
`revops_auditor` reads. `roles.sql` makes them. An operator may give each of them members under other names.

Never: an owner's connection in a process that serves requests or does queued work.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import environ
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

OWNER, APPLICATION, AUDITOR = "revops_owner", "revops_application", "revops_auditor"
HOW = "revops/postgresql/roles.sql makes the accounts; .env.example says which variable names which."


@contextmanager
def as_owner() -> Iterator[None]:
    """Inside, Django's connection is the owner's, of `REVOPS_OWNER_DATABASE_URL`. Nothing changes where it is already.

    Raises `ImproperlyConfigured` when that variable is empty or names the application's own account, and `RuntimeError` inside a
    transaction of another account.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    if is_owner(connection):
        yield
        return
    if connection.in_atomic_block:
        raise RuntimeError("a transaction of the application cannot go on as the owner's")
    own = connection.settings_dict
    connection.close()
    connection.settings_dict = {**own, **_owner_address(own)}
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict = own


def is_owner(connection: BaseDatabaseWrapper) -> bool:
    """Whether the connection's account may do what the owner does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT bool_or(pg_has_role(oid, 'USAGE')) FROM pg_roles WHERE rolname = %s OR oid = ("
            "  SELECT datdba FROM pg_database WHERE datname = current_database())",
            [OWNER],
        )
        return bool(cursor.fetchone()[0])


def _owner_address(application: dict[str, Any]) -> dict[str, Any]:
    if not settings.REVOPS_OWNER_DATABASE_URL:
        raise ImproperlyConfigured(
            "REVOPS_OWNER_DATABASE_URL is empty. This command changes tables, which the application's account may not. " + HOW
        )
    named = environ.Env.db_url_config(settings.REVOPS_OWNER_DATABASE_URL)
    if named["USER"] == application["USER"]:
        raise ImproperlyConfigured(f"DATABASE_URL and REVOPS_OWNER_DATABASE_URL name the same account, {named['USER']}. " + HOW)
    address = {name: named[name] for name in ("USER", "PASSWORD", "HOST", "PORT")}
    return address | {"OPTIONS": {**application["OPTIONS"], **named.get("OPTIONS", {})}}


_EXCESS = """
    WITH mine AS (SELECT * FROM pg_roles WHERE pg_has_role(oid, 'MEMBER'))
    SELECT 'is a superuser' FROM mine WHERE rolsuper
    UNION ALL SELECT 'may make databases' FROM mine WHERE rolcreatedb
    UNION ALL SELECT 'may make accounts' FROM mine WHERE rolcreaterole
    UNION ALL SELECT 'may pass row security or replicate' FROM mine WHERE rolbypassrls OR rolreplication
    UNION ALL SELECT 'is a member of ' || rolname FROM mine WHERE rolname ~ '^pg_(write|execute|read_server|create|maintain)'
    UNION ALL (SELECT 'owns ' || c.oid::regclass FROM pg_class c JOIN mine ON mine.oid = c.relowner
                WHERE c.relnamespace = 'public'::regnamespace ORDER BY 1 LIMIT 1)
    UNION ALL (SELECT 'owns the function ' || p.proname FROM pg_proc p JOIN mine ON mine.oid = p.proowner
                WHERE p.pronamespace = 'public'::regnamespace ORDER BY 1 LIMIT 1)
    UNION ALL SELECT 'owns the database' FROM pg_database d JOIN mine ON mine.oid = d.datdba WHERE d.datname = current_database()
    UNION ALL SELECT 'may make tables' WHERE has_schema_privilege('public', 'CREATE')
    UNION ALL SELECT 'may make schemas' WHERE has_database_privilege(current_database(), 'CREATE')
    UNION ALL SELECT 'may make temporary tables' WHERE has_database_privilege(current_database(), 'TEMPORARY')
    UNION ALL SELECT 'may skip triggers' WHERE has_parameter_privilege('session_replication_role', 'SET')
"""
"""What the guards rest on. A temporary table stands in front of one of ours: a trigger that asks for roles would believe it."""


def excess(connection: BaseDatabaseWrapper) -> list[str]:
    """What the connection's account may do that the application's must not, in words that follow its name."""
    with connection.cursor() as cursor:
        cursor.execute(_EXCESS)
        return list(dict.fromkeys(row[0] for row in cursor.fetchall()))
