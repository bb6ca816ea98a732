"""Who the tests are to the database: the application, as every process of the product is.

The servers' superuser makes each test process a database of its own and empties tables between tests. Django's connection of a
test process is the superuser's too, under `SET SESSION AUTHORIZATION revops_application` from its first statement on: so the code
under test has the application's rights and no more, and a test can become the owner in the middle of its transaction
(`as_owner`) where it plants what only the owner may. Processes that tests start, and the intake's own connection, sign in as the
application for real.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import psycopg
from django.core.management import call_command
from django.db import connection
from psycopg import sql

from revops.postgresql.roles import APPLICATION, OWNER

SUPERUSER = "postgres"
PAGES_MAX = 64
"""Up to this size (8 kB pages) a table is emptied faster row by row than by giving it a new file."""


@contextmanager
def as_owner() -> Iterator[None]:
    """Inside, the test's connection is the owner's of the tables, in the transaction that is open."""
    with _acting_as(OWNER):
        yield


@contextmanager
def as_superuser() -> Iterator[None]:
    with _acting_as(SUPERUSER):
        yield


@contextmanager
def _acting_as(account: str) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        before = cursor.fetchone()[0]
        cursor.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(account)))
    yield
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(before)))


def signed_in(account: str = APPLICATION) -> psycopg.Connection[Any]:
    """A connection to the test's database that really is this account's, from sign-in on. In autocommit."""
    settings = connection.settings_dict
    return psycopg.connect(user=account, dbname=settings["NAME"], host=_host(), autocommit=True)


def _host() -> str:
    settings = connection.settings_dict
    return str(settings["HOST"] or settings["OPTIONS"]["host"])


def work_as_the_application() -> None:
    """Called once a process, before the first connection."""
    from django.db.backends.postgresql.operations import DatabaseOperations

    from revops.postgresql.base import DatabaseWrapper

    connect = DatabaseWrapper.get_new_connection

    def get_new_connection(self: DatabaseWrapper, params: dict[str, Any]) -> psycopg.Connection[Any]:
        opened: psycopg.Connection[Any] = connect(self, params | {"user": SUPERUSER})
        if params["user"] != SUPERUSER:
            opened.execute(sql.SQL("SET SESSION AUTHORIZATION {}").format(sql.Identifier(params["user"])))
            opened.commit()
        return opened

    DatabaseWrapper.get_new_connection = get_new_connection  # type: ignore[method-assign, assignment]
    DatabaseOperations.execute_sql_flush = _empty  # type: ignore[method-assign, assignment]
    DatabaseOperations.sql_flush = lambda _self, _style, tables, **_: tables  # type: ignore[method-assign]


def template_of(folder: Path) -> str:
    """The migrated database that the processes of these servers copy. Others may use the same, from a folder of their own."""
    return f"migrated_{crc32(str(folder).encode()):08x}"


@contextmanager
def own_database(folder: Path) -> Iterator[None]:
    """This process's copy of the migrated database; it is dropped at the end."""
    template, name = template_of(folder), f"test_{os.getpid()}"
    with (folder / "template.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "template.made").exists():
            make(template, "template1")
            connection.settings_dict["NAME"] = template
            call_command("migrate", verbosity=0)
            connection.close()  # a database is copied only while nobody is in it
            (folder / "template.made").touch()
        make(name, template)
    connection.settings_dict["NAME"] = name
    yield
    connection.close()
    administer("DROP DATABASE {database} WITH (FORCE)", name)


def make(name: str, template: str) -> None:
    """A copy of a database, and what that does not bring along: whose it is, and who may come in. Who is in the one that is
    copied is sent out: the server copies none with somebody in it."""
    with psycopg.connect(user=SUPERUSER, dbname="postgres", host=_host(), autocommit=True) as administrator:
        administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [template])
    administer("CREATE DATABASE {database} TEMPLATE {template} OWNER {owner}", name, template)
    administer("REVOKE ALL ON DATABASE {database} FROM PUBLIC", name)
    administer("GRANT CONNECT ON DATABASE {database} TO {application}, revops_auditor", name)


def administer(statement: str, database: str, template: str = "") -> None:
    names = {"database": database, "template": template, "owner": OWNER, "application": APPLICATION}
    with psycopg.connect(user=SUPERUSER, dbname="postgres", host=_host(), autocommit=True) as administrator:
        administrator.execute(sql.SQL(statement).format(**{word: sql.Identifier(name) for word, name in names.items() if name}))


def _empty(_operations: object, tables: list[str]) -> None:
    """Empty tables between tests. The runner's own way gives every table and index a new file, a fifth of a second for each test;
    most tables were not written at all. Append-only tables refuse to be emptied, and the application may not: the superuser does
    it, on a connection of its own, with triggers off."""
    with signed_in(SUPERUSER) as administrator:
        sizes = administrator.execute(
            "SELECT t.name, pg_relation_size(t.name::regclass) / 8192 + coalesce(("
            "  SELECT sum(pg_relation_size(p.relid)) / 8192 FROM pg_partition_tree(t.name::regclass) p), 0) "
            "FROM unnest(%s::text[]) AS t(name)",
            [list(tables)],
        ).fetchall()
        large = [f'"{name}"' for name, pages in sizes if pages > PAGES_MAX]
        statements = [f'DELETE FROM "{name}"' for name, pages in sizes if 0 < pages <= PAGES_MAX]
        if large:
            statements.append(f"TRUNCATE {', '.join(large)} CASCADE")
        # Twice: a process of the test that ends at this moment may commit between two of the statements.
        together = "; ".join(["SET session_replication_role = replica", *statements, *statements])
        administrator.execute(together.encode())
