"""What a connector is handed: its configuration with the secrets opened, the HTTP client, and both together as a handle.

Never: a secret in an error text or in a cache outside this process.
"""

from __future__ import annotations

import functools
import json
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from django.conf import settings
from django.db import DatabaseError
from django.db import connection as current

from revops.errors import Conflict
from sync.connections.envelope import unseal
from sync.connectors import CONNECTORS, ID_FORMS
from sync.ground import intake_db
from sync.ground.heartbeat import alive
from sync.models import Connection
from sync.vendor.contract import Config, Connector

if TYPE_CHECKING:
    import redis

    from sync.vendor.http import HttpClient

CACHE_SECONDS = 5.0


def connector_of(connection: Connection) -> Connector:
    """The connector of its vendor. Raises `Conflict("no_connector")` when this version has none."""
    connector = CONNECTORS.get(connection.vendor)
    if connector is None:
        raise Conflict("no_connector", f"This version has no connector for {connection.vendor}.")
    return connector


def config_of(connection: Connection) -> Config:
    """The connection as a connector sees it, secrets decrypted, defaults filled in."""
    declared = connector_of(connection).settings
    values = {setting.name: setting.default for setting in declared if setting.default}
    values |= {str(name): str(value) for name, value in connection.settings.items()}
    values |= unseal(connection.secrets, str(connection.pk))
    return Config(slug=str(connection.pk), base_url=connection.base_url, settings=values, id_forms=ID_FORMS)


def client_for(
    connection: Connection, *, within_seconds: float = math.inf, before_write: Callable[[], None] = lambda: None
) -> HttpClient:
    """The HTTP client of this connection: bounded, address-checked, without redirects. Use it in a `with` block.

    `within_seconds` bounds everything that it is used for, from now on. `before_write` is called right before bytes leave, and
    stops them by raising.
    """
    from sync.connections.breaker import StoredBreaker
    from sync.vendor.http import HttpClient  # the HTTP library costs memory that the intake does not need
    from sync.vendor.quota import SharedQuota

    connector, config = connector_of(connection), config_of(connection)
    return HttpClient(
        config,
        allow_loopback=connection.loopback_allowed,
        secrets=[config.get(setting.name) for setting in connector.settings if setting.sensitive],
        within_seconds=within_seconds,
        on_attempt=alive,
        before_write=before_write,
        quota=SharedQuota(config, connector.rates, _redis) if connector.rates else None,
        breaker=StoredBreaker(config.slug),
    )


@functools.cache
def _redis() -> redis.Redis:
    """One pool of connections a process."""
    from sync.vendor import quota

    return quota.server(settings.REDIS_URL)


@dataclass(frozen=True, slots=True)
class ConnectionHandle:
    """One connection with all that a delivery needs, so that the intake need not ask the database."""

    slug: str
    connector: Connector
    config: Config


@dataclass(slots=True)
class _Handles:
    """Every active connection, read at most every `CACHE_SECONDS`; a slug we do not know is looked for once a second."""

    known: dict[str, ConnectionHandle | Conflict] = field(default_factory=dict)
    read_at: float = -1e9
    lock: threading.Lock = field(default_factory=threading.Lock)
    failed_at: float = -1e9
    failure: Exception | None = None

    def find(self, slug: str) -> ConnectionHandle | None:
        age = time.monotonic() - self.read_at
        if age > CACHE_SECONDS or (slug not in self.known and age > 1.0):
            with self.lock:
                if time.monotonic() - self.read_at > (CACHE_SECONDS if slug in self.known else 1.0):
                    self._read_or_fail_fast()
        found = self.known.get(slug)
        if isinstance(found, Conflict):
            raise found
        return found

    def _read_or_fail_fast(self) -> None:
        """Whoever waited while another one failed is told the same: waits must not add up."""
        if self.failure is not None and time.monotonic() - self.failed_at < 1.0:
            raise self.failure
        try:
            self._read()
        except (psycopg.Error, DatabaseError) as error:
            self.failure, self.failed_at = error, time.monotonic()
            raise
        self.failure = None

    def _read(self) -> None:
        """One connection that cannot be used leaves the others usable."""
        known: dict[str, ConnectionHandle | Conflict] = {}
        for connection in _active():
            connector = CONNECTORS.get(connection.vendor)
            if connector is not None and connector.pushes:
                slug = str(connection.pk)
                try:
                    known[slug] = ConnectionHandle(slug, connector, config_of(connection))
                except Conflict as conflict:
                    known[slug] = conflict
        self.known, self.read_at = known, time.monotonic()


_ACTIVE = b"""
    SELECT coalesce(json_agg(json_build_object('system_id', system_id, 'vendor', vendor, 'base_url', base_url,
                                               'settings', settings, 'secrets', encode(secrets, 'hex'))), '[]')::text
      FROM sync_connection WHERE active
"""


def _active() -> list[Connection]:
    """The active connections as the intake needs them, read in time or not at all; inside a transaction, as it sees them."""
    if current.in_atomic_block:
        return list(Connection.objects.filter(active=True))
    row = intake_db.fetch_one(_ACTIVE, ())
    assert row is not None, "an aggregate has a row"
    rows: list[dict[str, Any]] = json.loads(row[0])
    return [Connection(**{**each, "secrets": bytes.fromhex(each["secrets"])}) for each in rows]


_handles = _Handles()


def handle_of(connection: Connection) -> ConnectionHandle:
    """The handle of a connection in hand. Raises `Conflict` (`no_connector`, `secrets_unreadable`)."""
    return ConnectionHandle(str(connection.pk), connector_of(connection), config_of(connection))


def handle(slug: str) -> ConnectionHandle | None:
    """The intake of an active connection whose vendor pushes; None when there is none. Changes show within five seconds.
    Raises `Conflict` (`secrets_unreadable`) when this one cannot be used as it is."""
    return _handles.find(slug)


def forget_handles() -> None:
    """Read the connections again at the next delivery (this process; others follow within `CACHE_SECONDS`)."""
    _handles.read_at = -1e9
