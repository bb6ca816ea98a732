"""Connections: one configured vendor instance each, its secrets at rest, and what connectors are handed.

Secrets are kept in one AES-256-GCM envelope a row: `1 | key id (8) | nonce (12) | ciphertext and tag`. The key id says which
of the configured keys made it, so that a new key can be put in front and old rows still open; the row's slug is the additional
data, so that an envelope copied to another row does not open. Nothing here returns a secret except inside a `Config`.

Never: a secret in the audit log, the history, an error text or a cache outside this process.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
import secrets as randomness
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db import connection as current

from revops.audit import log as audit
from revops.errors import Conflict, Missing, Rejected
from revops.ledger.models import SourceSystem
from revops.people.actors import System
from sync.connectors import CONNECTORS
from sync.ground import intake_db as kept
from sync.ground.heartbeat import alive
from sync.models import Connection, Watermark
from sync.vendor.contract import Config, Connector, Refused

if TYPE_CHECKING:
    import redis

    from revops.people.models import User
    from sync.vendor.http import HttpClient

SLUG = re.compile(r"[a-z][a-z0-9-]{1,58}")
CACHE_SECONDS = 5.0
_VERSION = b"\x01"
_KEY_ID_BYTES = 8
_NONCE_BYTES = 12


# --- the envelope -----------------------------------------------------------------------------------------------------


def seal(values: Mapping[str, str], slug: str) -> bytes:
    """Encrypt settings for the row `slug` with the newest key. Nothing to keep gives empty bytes."""
    if not values:
        return b""
    key = settings.REVOPS_ENCRYPTION_KEYS[0]
    nonce = randomness.token_bytes(_NONCE_BYTES)
    plain = json.dumps(dict(values), sort_keys=True).encode()
    return _VERSION + _key_id(key) + nonce + AESGCM(key).encrypt(nonce, plain, _bound_to(slug))


def unseal(envelope: bytes | memoryview, slug: str) -> dict[str, str]:
    """The settings back. Raises `Conflict("secrets_unreadable")`: unknown key, altered bytes, or another row's envelope."""
    envelope = bytes(envelope)
    if not envelope:
        return {}
    head = len(_VERSION) + _KEY_ID_BYTES
    version, key_id = envelope[:1], envelope[1:head]
    nonce, sealed = envelope[head : head + _NONCE_BYTES], envelope[head + _NONCE_BYTES :]
    for key in settings.REVOPS_ENCRYPTION_KEYS:
        if version == _VERSION and key_id == _key_id(key):
            try:
                plain = AESGCM(key).decrypt(nonce, sealed, _bound_to(slug))
            except (InvalidTag, ValueError):  # altered, another row's, or cut short
                break
            return {str(name): str(value) for name, value in json.loads(plain).items()}
    raise Conflict(
        "secrets_unreadable",
        f"The credentials of {slug} cannot be decrypted with the configured keys. Enter them again, or restore the key.",
    )


def sealed_with_newest_key(connection: Connection) -> bool:
    """Whether the row needs no re-sealing."""
    head = len(_VERSION) + _KEY_ID_BYTES
    envelope = bytes(connection.secrets)
    return not envelope or envelope[1:head] == _key_id(settings.REVOPS_ENCRYPTION_KEYS[0])


def _key_id(key: bytes) -> bytes:
    return hashlib.sha256(b"revops key id" + key).digest()[:_KEY_ID_BYTES]


def _bound_to(slug: str) -> bytes:
    return b"sync.connection:" + slug.encode()


# --- what connectors are handed ---------------------------------------------------------------------------------------


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
    return Config(slug=str(connection.pk), base_url=connection.base_url, settings=values)


def client_for(connection: Connection, *, within_seconds: float = math.inf) -> HttpClient:
    """The HTTP client of this connection: bounded, address-checked, without redirects. Use it in a `with` block.

    `within_seconds` bounds everything that it is used for, from now on.
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
        quota=SharedQuota(config, connector.rates, _redis) if connector.rates else None,
        breaker=StoredBreaker(config.slug),
    )


@functools.cache
def _redis() -> redis.Redis:
    """One pool of connections a process, with little patience: without an answer the quota is kept locally."""
    import redis

    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5)


@dataclass(frozen=True, slots=True)
class Door:
    """One connection with all that a delivery needs, so that the intake need not ask the database."""

    slug: str
    connector: Connector
    config: Config


@dataclass(slots=True)
class _Doors:
    """Every active connection, read at most every `CACHE_SECONDS`; a slug we do not know is looked for once a second."""

    known: dict[str, Door | Conflict] = field(default_factory=dict)
    read_at: float = -1e9
    lock: threading.Lock = field(default_factory=threading.Lock)
    failed_at: float = -1e9
    failure: Exception | None = None

    def find(self, slug: str) -> Door | None:
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
        """One connection that cannot be used does not close the door to the others."""
        known: dict[str, Door | Conflict] = {}
        for connection in _active():
            connector = CONNECTORS.get(connection.vendor)
            if connector is not None and connector.pushes:
                slug = str(connection.pk)
                try:
                    known[slug] = Door(slug, connector, config_of(connection))
                except Conflict as conflict:
                    known[slug] = conflict
        self.known, self.read_at = known, time.monotonic()


_ACTIVE = b"""
    SELECT coalesce(json_agg(json_build_object('system_id', system_id, 'vendor', vendor, 'base_url', base_url,
                                               'settings', settings, 'secrets', encode(secrets, 'hex'))), '[]')::text
      FROM sync_connection WHERE active
"""


def _active() -> list[Connection]:
    """The active connections as the door needs them, read in time or not at all; inside a transaction, as it sees them."""
    if current.in_atomic_block:
        return list(Connection.objects.filter(active=True))
    row = kept.fetch_one(_ACTIVE, ())
    assert row is not None, "an aggregate has a row"
    rows: list[dict[str, Any]] = json.loads(row[0])
    return [Connection(**{**each, "secrets": bytes.fromhex(each["secrets"])}) for each in rows]


_doors = _Doors()


def door_of(connection: Connection) -> Door:
    """The door of a connection in hand. Raises `Conflict` (`no_connector`, `secrets_unreadable`)."""
    return Door(str(connection.pk), connector_of(connection), config_of(connection))


def door(slug: str) -> Door | None:
    """The intake of an active connection whose vendor pushes; None when there is none. Changes show within five seconds.
    Raises `Conflict` (`secrets_unreadable`) when this one cannot be used as it is."""
    return _doors.find(slug)


def forget_doors() -> None:
    """Read the connections again at the next delivery (this process; others follow within `CACHE_SECONDS`)."""
    _doors.read_at = -1e9


# --- actions ----------------------------------------------------------------------------------------------------------


def connect(
    *,
    slug: str,
    vendor: str,
    base_url: str,
    values: Mapping[str, str],
    acting_user: User | System,
    label: str = "",
    loopback_allowed: bool = False,
) -> Connection:
    """Create a source system with its connection and the watermarks of its streams.

    `values` holds every declared setting, sensitive ones too. Raises `Rejected` (`slug`, `unknown_vendor`, `base_url`,
    `setting_missing`, `setting_unknown`, `slug_taken`).
    """
    connector = _known_vendor(vendor)
    if not SLUG.fullmatch(slug):
        raise Rejected("slug", "A connection's name is 2 to 59 lower-case letters, digits and hyphens.", field="slug")
    origin = _check_base_url(base_url, loopback_allowed=loopback_allowed)
    plain, sensitive = _sorted_settings(connector, values)
    with transaction.atomic():
        system, created = SourceSystem.objects.get_or_create(
            slug=slug, defaults={"label": label or connector.label, "role": connector.role, "vendor": vendor}
        )
        if not created and (system.vendor != vendor or Connection.objects.filter(system=system).exists()):
            raise Rejected("slug_taken", f"There is already a connection named {slug}.", field="slug")
        connection = Connection.objects.create(
            system=system,
            vendor=vendor,
            base_url=origin,
            settings=plain,
            secrets=seal(sensitive, slug),
            loopback_allowed=loopback_allowed,
        )
        Watermark.objects.bulk_create([Watermark(connection=connection, stream=stream.name) for stream in connector.streams])
        audit.record(
            "connection.create",
            connection,
            acting_user=acting_user,
            summary=f"Connected {connector.label} as {slug}",
            after={"base_url": connection.base_url, "settings": plain, "secrets": sorted(sensitive)},
        )
        _forget_on_commit()
    return connection


def change_connection(
    slug: str,
    *,
    acting_user: User | System,
    base_url: str | None = None,
    values: Mapping[str, str] | None = None,
    active: bool | None = None,
    posting_enabled: bool | None = None,
    reason: str = "",
) -> Connection:
    """Change what is given, keep the rest; a sensitive value replaces the old one, and every change seals with the newest key.

    `posting_enabled=False` is the stop switch. Raises `Missing`, or `Rejected` as `connect` does.
    """
    with transaction.atomic():
        connection = Connection.objects.select_for_update().filter(pk=slug).first()
        if connection is None:
            raise Missing("connection")
        before, after = _changes(connection, base_url, active, posting_enabled)
        secret_names: list[str] = []
        if values is not None:
            connector = connector_of(connection)
            sealed = unseal(connection.secrets, slug)
            plain, sensitive = _sorted_settings(connector, {**connection.settings, **sealed, **values})
            if plain != connection.settings:
                before["settings"], after["settings"] = connection.settings, plain
            secret_names = sorted(name for name in sensitive if sensitive[name] != sealed.get(name))
            connection.settings, connection.secrets = plain, seal(sensitive, slug)
        if secret_names:
            after["secrets"] = secret_names
        connection.save()
        audit.record(
            "connection.change",
            connection,
            acting_user=acting_user,
            summary=f"Changed the connection {slug}: {', '.join(sorted(after)) or 'sealed again'}",
            reason=reason,
            before=before,
            after=after,
        )
        _forget_on_commit()
    return connection


def note_problem(slug: str, problem: str) -> None:
    """Show what went wrong last with this connection ("" = all is well again). Bookkeeping, no action: not audited."""
    from django.db.models.functions import Now

    found = Connection.objects.filter(pk=slug).exclude(last_problem=problem)
    if problem:
        found = Connection.objects.filter(pk=slug)
    found.update(last_problem=problem[:1000], last_problem_at=Now() if problem else None)


def _changes(
    connection: Connection, base_url: str | None, active: bool | None, posting_enabled: bool | None
) -> tuple[dict[str, object], dict[str, object]]:
    if base_url is not None:
        base_url = _check_base_url(base_url, loopback_allowed=connection.loopback_allowed)
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    for name, value in (("base_url", base_url), ("active", active), ("posting_enabled", posting_enabled)):
        if value is not None and getattr(connection, name) != value:
            before[name], after[name] = getattr(connection, name), value
            setattr(connection, name, value)
    return before, after


def _known_vendor(vendor: str) -> Connector:
    connector = CONNECTORS.get(vendor)
    if connector is None:
        raise Rejected("unknown_vendor", f"There is no connector for {vendor!r}.", field="vendor")
    return connector


def _sorted_settings(connector: Connector, values: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    declared = {setting.name: setting for setting in connector.settings}
    for name in values:
        if name not in declared:
            raise Rejected("setting_unknown", f"{connector.label} has no setting {name!r}.", field=name)
    for name, setting in declared.items():
        if setting.required and not (values.get(name) or setting.default):
            raise Rejected("setting_missing", f"{connector.label} needs {setting.label}.", field=name)
    plain = {name: str(value) for name, value in values.items() if not declared[name].sensitive}
    sensitive = {name: str(value) for name, value in values.items() if declared[name].sensitive and value}
    return plain, sensitive


def _check_base_url(base_url: str, *, loopback_allowed: bool) -> str:
    """The origin. The addresses behind it are judged by the client at every call."""
    from sync.vendor.http import check_base_url

    try:
        return check_base_url(base_url, allow_loopback=loopback_allowed)
    except Refused as refused:
        raise Rejected("base_url", refused.reason, field="base_url") from None


def _forget_on_commit() -> None:
    forget_doors()
    transaction.on_commit(forget_doors)
