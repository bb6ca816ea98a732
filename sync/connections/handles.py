"""What a connector is handed: its configuration with the secrets opened, the HTTP client, and both together as a handle.

Never: a secret in an error text or in a cache outside this process.
"""

from __future__ import annotations

import functools
import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from django.conf import settings
from django.db import DatabaseError
from django.db import connection as current

from revops.errors import Conflict
from revops.installation.kind import is_rehearsal
from sync.connections.envelope import secrets_of
from sync.connectors import CONNECTORS, ID_FORMS, ID_TYPES
from sync.ground import intake_db
from sync.ground.heartbeat import alive
from sync.models import Connection
from sync.vendor.contract import Config, Connector, Former

if TYPE_CHECKING:
    import redis

    from sync.vendor.http import HttpClient
    from sync.vendor.quota import SharedQuota

CACHE_SECONDS = 5.0


def connector_of(connection: Connection) -> Connector:
    """The connector of its vendor. Raises `Conflict("no_connector")` when this version has none."""
    connector = CONNECTORS.get(connection.vendor)
    if connector is None:
        raise Conflict("no_connector", f"This version has no connector for {connection.vendor}.")
    return connector


def config_of(connection: Connection) -> Config:
    """The connection as a connector sees it, secrets decrypted, defaults filled in."""
    secrets, former = secrets_of(connection)
    plain = {str(name): str(value) for name, value in connection.settings.items()}
    return config_for(connector_of(connection), str(connection.pk), connection.base_url, plain | secrets, former)


def config_for(
    connector: Connector, slug: str, base_url: str, values: Mapping[str, str], former: Mapping[str, Former] | None = None
) -> Config:
    """What a connector is handed for these values, defaults filled in."""
    defaults = {setting.name: setting.default for setting in connector.settings if setting.default}
    return Config(
        slug=slug,
        base_url=base_url,
        settings=defaults | dict(values),
        id_forms=ID_FORMS,
        former=former or {},
        id_types=ID_TYPES,
    )


def client_for(
    connection: Connection, *, within_seconds: float = math.inf, before_write: Callable[[], None] = lambda: None
) -> HttpClient:
    """The HTTP client of this connection: bounded, address-checked, without redirects. Use it in a `with` block.

    `within_seconds` bounds everything that it is used for, from now on. `before_write` is called right before bytes leave, and
    stops them by raising.
    """
    from sync.connections.breaker import StoredBreaker
    from sync.vendor.http import HttpClient  # the HTTP library costs memory that the intake does not need

    connector, config = connector_of(connection), config_of(connection)
    return HttpClient(
        config,
        allow_loopback=connection.is_simulator and is_rehearsal(),
        secrets=secret_values(connector, config),
        within_seconds=within_seconds,
        on_attempt=alive,
        before_write=before_write,
        quota=quota_for(connector, config),
        breaker=StoredBreaker(config.slug),
    )


def secret_values(connector: Connector, config: Config) -> list[str]:
    """What must show in no text that a client gives."""
    now = [config.get(setting.name) for setting in connector.settings if setting.sensitive]
    return now + [former.value for former in config.former.values()]


def quota_for(connector: Connector, config: Config) -> SharedQuota | None:
    """The shared limits of calls to a connection; None where its vendor has none."""
    from sync.vendor.quota import SharedQuota

    return SharedQuota(config, connector.rates, _redis) if connector.rates else None


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
    """Every connection, paused ones too, read at most every `CACHE_SECONDS`; an unknown slug is looked for once a second."""

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
        for connection in _all():
            connector = CONNECTORS.get(connection.vendor)
            if connector is not None and connector.pushes:
                slug = str(connection.pk)
                try:
                    known[slug] = ConnectionHandle(slug, connector, config_of(connection))
                except Conflict as conflict:
                    known[slug] = conflict
        self.known, self.read_at = known, time.monotonic()


_ALL = b"""
    SELECT coalesce(json_agg(json_build_object('system_id', system_id, 'vendor', vendor, 'base_url', base_url,
                                               'settings', settings, 'secrets', encode(secrets, 'hex'),
                                               'former_until', former_until)), '[]')::text
      FROM sync_connection
"""


def _all() -> list[Connection]:
    """The connections as the intake needs them, read in time or not at all; inside a transaction, as it sees them."""
    if current.in_atomic_block:
        return list(Connection.objects.all())
    row = intake_db.fetch_one(_ALL, ())
    assert row is not None, "an aggregate has a row"
    rows: list[dict[str, Any]] = json.loads(row[0])
    return [Connection(**{**each, "secrets": bytes.fromhex(each["secrets"])}) for each in rows]


_handles = _Handles()


def handle_of(connection: Connection) -> ConnectionHandle:
    """The handle of a connection in hand. Raises `Conflict` (`no_connector`, `secrets_unreadable`)."""
    return ConnectionHandle(str(connection.pk), connector_of(connection), config_of(connection))


def handle(slug: str) -> ConnectionHandle | None:
    """The intake of a connection whose vendor pushes, paused or not; None when there is none. Changes show within five seconds.
    Raises `Conflict` (`secrets_unreadable`) when this one cannot be used as it is."""
    return _handles.find(slug)


def forget_handles() -> None:
    """Read the connections again at the next delivery (this process; others follow within `CACHE_SECONDS`)."""
    _handles.read_at = -1e9
