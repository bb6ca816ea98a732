"""A database of its own for each situation, beside the one that is configured: made, migrated once, copied, dropped.

The installation's own data is never touched. Making a database takes an account of PostgreSQL that may: the first of those that
are configured, otherwise the superuser of a server on this machine whose socket lets us be it, otherwise the one that is named.
"""

from __future__ import annotations

import datetime as dt
import os
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import environ
import psycopg
from django.conf import settings
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection, connections
from psycopg import sql

from demo.playback.situation import NotPlayable
from revops.postgresql.roles import APPLICATION, AUDITOR, HOW, OWNER
from sync import connections as vendor_connections
from sync.ground import intake_db

Address = Mapping[str, Any]
_KEYS = {"user": "USER", "password": "PASSWORD", "host": "HOST", "port": "PORT"}
"""libpq's word -> Django's."""
_SSL = ("sslmode", "sslrootcert", "sslcert", "sslkey")
_ADDRESS = (*_KEYS, "dbname", *_SSL)
_MAY = """
    SELECT rolsuper OR (rolcreatedb AND EXISTS (
           SELECT FROM pg_roles o WHERE o.rolname = %s AND pg_has_role(r.oid, o.oid, 'MEMBER')))
      FROM pg_roles r WHERE rolname = current_user
"""
NOBODY_MAY = (
    "A playback makes a database of its own and drops it afterwards, and none of these accounts may: {tried}. Name one that may "
    "with --server postgresql://ACCOUNT:PASSWORD@HOST/postgres: a superuser, or a member of revops_owner that may create "
    "databases (ALTER ROLE ... CREATEDB). On a server that keeps a company's data, better name another server."
)


@dataclass(slots=True)
class Playground:
    """A migrated database that is copied for each situation. While one copy is in use, the next is made and the last dropped.

    `administrator`: the account that does it. `named`: it was named, and plays itself, on its own server; otherwise the
    configured application plays.
    """

    administrator: Address
    template: str
    named: bool = False
    _beside: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="playground"))
    _next: Future[str] | None = None
    _dropped: list[Future[None]] = field(default_factory=list)

    @contextmanager
    def fresh(self) -> Iterator[Copy]:
        """A copy with nothing in it. Inside, every connection of this process goes to it; afterwards it is dropped."""
        name = (self._next or self._make()).result()
        self._next = self._make()
        try:
            with self.gone_to(name), _signed_in(self.administrator, name) as administrator:
                yield Copy(administrator)
        finally:
            self._dropped.append(self._beside.submit(_drop, self.administrator, name))

    def _make(self) -> Future[str]:
        return self._beside.submit(_make, self.administrator, self.template)

    def close(self) -> None:
        """Drop what is left, and wait for it. Raises what a drop has raised."""
        if self._next is not None and self._next.exception() is None:
            self._dropped.append(self._beside.submit(_drop, self.administrator, self._next.result()))
        self._next = None
        self._beside.shutdown(wait=True)
        for drop in self._dropped:
            drop.result()

    @contextmanager
    def gone_to(self, name: str) -> Iterator[None]:
        """Inside, every connection of this process goes to the database of that name, those of its other threads too."""
        own = connections.settings[DEFAULT_DB_ALIAS]
        before = {**own}
        _leave()
        own["NAME"] = name
        if self.named:
            own |= {key: self.administrator.get(word, "") for word, key in _KEYS.items()}
            own["OPTIONS"] = {**own["OPTIONS"], **{word: self.administrator[word] for word in _SSL if word in self.administrator}}
        try:
            yield
        finally:
            _leave()
            own |= before


@dataclass(frozen=True, slots=True)
class Copy:
    """The database of one situation, in the hands of its administrator."""

    administrator: psycopg.Connection[Any]

    def read_again_at_once(self, connection: str) -> None:
        """What waits to be read again at that connection waits no longer: the second of its stamp is over, for it is of another
        day."""
        statement = (
            "UPDATE sync_delivery SET next_attempt_at = clock_timestamp() "
            "WHERE connection_id = %s AND state = 'pending' AND reason_code = 'reread'"
        )
        self.administrator.execute(statement, [connection])

    def receive_at(self, moment: dt.datetime) -> None:
        """What is stored from now on came in at that moment, an aware instant: the database dates what comes in."""
        statement = "ALTER TABLE sync_delivery ALTER COLUMN received_at SET DEFAULT {}"
        self.administrator.execute(sql.SQL(statement).format(sql.Literal(moment)))


@contextmanager
def playground(server: str = "", template: str = "") -> Iterator[Playground]:
    """Make and migrate the database that is copied; drop it at the end.

    `server`: the address of an account that may make databases; empty: one is looked for. `template`: the name of a database of
    that server that is migrated already, and is left as it is. Raises `NotPlayable` when no account may make databases, and
    `CommandError` as `migrate` does.
    """
    administrator = _administrator(server)
    name = template or _make(administrator, "template1")
    made = Playground(administrator, name, named=bool(server))
    try:
        if not template:
            with made.gone_to(name):
                call_command("migrate", verbosity=0)
        yield made
    finally:
        made.close()
        if not template:
            _drop(administrator, name)


# --- who makes databases ----------------------------------------------------------------------------------------------


def _administrator(server: str) -> Address:
    tried = []
    for address in [_named(server)] if server else _candidates():
        try:
            with psycopg.connect(**address, connect_timeout=5) as asked:
                may = asked.execute(_MAY, [OWNER]).fetchone()
        except psycopg.OperationalError as error:
            tried.append(f"{address['user']} ({str(error).strip().splitlines()[-1]})")
            continue
        if may and may[0]:
            return address
        tried.append(str(address["user"]))
    raise NotPlayable(NOBODY_MAY.format(tried=", ".join(tried)))


def _candidates() -> Iterator[Address]:
    """The configured accounts, and on a socket without a password the server's own superuser."""
    params = connection.get_connection_params()
    own = {name: params[name] for name in _ADDRESS if params.get(name)}
    yield own
    if settings.REVOPS_OWNER_DATABASE_URL:
        yield _named(settings.REVOPS_OWNER_DATABASE_URL)
    if str(own.get("host", "")).startswith("/") and "password" not in own:
        yield {**own, "user": "postgres"}


def _named(url: str) -> Address:
    """The address that a URL names, as libpq takes it. Raises `NotPlayable`."""
    found = environ.Env.db_url_config(url) if url.startswith(("postgresql://", "postgres://")) else {}
    if not found.get("NAME") or not found.get("USER"):
        raise NotPlayable("--server is the address of a database, such as postgresql://ACCOUNT:PASSWORD@HOST/postgres.")
    address = {word: found[key] for word, key in {**_KEYS, "dbname": "NAME"}.items() if found.get(key)}
    return address | {word: value for word, value in found.get("OPTIONS", {}).items() if word in ("host", *_SSL)}


# --- making and dropping ------------------------------------------------------------------------------------


@contextmanager
def _signed_in(address: Address, name: str = "") -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(
        **{**address, **({"dbname": name} if name else {})}, connect_timeout=5, autocommit=True
    ) as administrator:
        yield administrator


def _make(address: Address, template: str) -> str:
    """A copy of a database; returns its name. What a copy does not bring along is given anew: whose it is, and who may come in.
    Raises `NotPlayable` when the server refuses it."""
    name = f"revops_playback_{os.getpid()}_{secrets.token_hex(4)}"
    try:
        _run(
            address,
            "CREATE DATABASE {name} TEMPLATE {template} OWNER {owner}",
            "REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            "GRANT CONNECT ON DATABASE {name} TO {application}, {auditor}",
            name=name,
            template=template,
        )
    except psycopg.Error as error:
        _drop(address, name)
        raise NotPlayable(f"No database can be made for the playback: {str(error).strip()}. {HOW}") from None
    return name


def _drop(address: Address, name: str) -> None:
    _run(address, "DROP DATABASE IF EXISTS {name} WITH (FORCE)", name=name)


def _run(address: Address, *statements: str, **names: str) -> None:
    known = {"owner": OWNER, "application": APPLICATION, "auditor": AUDITOR, **names}
    words = {word: sql.Identifier(name) for word, name in known.items()}
    with _signed_in(address) as administrator:
        for statement in statements:
            administrator.execute(sql.SQL(statement).format(**words))


def _leave() -> None:
    connection.close()
    intake_db.close_all()
    vendor_connections.forget_handles()
