"""Connecting a system, changing a connection, and noting what went wrong with it. The only code that writes connections.

Never: a secret in the audit log or in the history.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import transaction

from revops.audit import log as audit
from revops.errors import Missing, Rejected
from revops.ledger.models import SourceSystem
from revops.people.actors import System
from revops.sentences import Word, template
from sync.connections.envelope import seal, sealed_with_newest_key, unseal
from sync.connections.handles import connector_of, forget_handles
from sync.connectors import CONNECTORS
from sync.models import Connection, Watermark
from sync.vendor.contract import Connector, Refused

CONNECTED = template("connection.connected", "Connected {vendor} as {system}")
CHANGED = template("connection.changed", "Changed the connection {system}: {names}")
SEALED_AGAIN = template("connection.sealed_again", "Changed the connection {system}: sealed again")

if TYPE_CHECKING:
    from revops.people.models import User

SLUG = re.compile(r"[a-z][a-z0-9-]{1,58}")


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
            summary=CONNECTED(vendor=connector.label, system=slug),
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
        elif not sealed_with_newest_key(connection):
            connection.secrets = seal(unseal(connection.secrets, slug), slug)
        if secret_names:
            after["secrets"] = secret_names
        connection.save()
        audit.record(
            "connection.change",
            connection,
            acting_user=acting_user,
            summary=CHANGED(system=slug, names=tuple(Word(name) for name in sorted(after)))
            if after
            else SEALED_AGAIN(system=slug),
            reason=reason,
            before=before,
            after=after,
        )
        _forget_on_commit()
    return connection


def reseal_connection(slug: str, *, acting_user: User | System) -> bool:
    """Seal its secrets with the newest key; False when they are. Raises `Missing`, `Conflict("secrets_unreadable")`."""
    with transaction.atomic():
        connection = Connection.objects.select_for_update().filter(pk=slug).first()
        if connection is None:
            raise Missing("connection")
        if sealed_with_newest_key(connection):
            return False
        connection.secrets = seal(unseal(connection.secrets, slug), slug)
        connection.save()
        audit.record("connection.reseal", connection, acting_user=acting_user, summary=SEALED_AGAIN(system=slug))
        _forget_on_commit()
    return True


def slugs() -> list[str]:
    """The names of all connections, in order."""
    return [str(slug) for slug in Connection.objects.order_by("pk").values_list("pk", flat=True)]


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
        raise Rejected("unknown_vendor", f"Unknown vendor {vendor!r}: no connector is for it.", field="vendor")
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
    forget_handles()
    transaction.on_commit(forget_handles)
