"""Asking a vendor who we are there, with what is given and before it is kept as well. Changes nothing, here or there."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.db import transaction

from revops.audit import log as audit
from revops.errors import Missing
from revops.installation.kind import is_rehearsal
from revops.people.actors import System
from revops.sentences import template
from sync.connections.change import Change
from sync.connections.handles import config_for, config_of, connector_of, quota_for, secret_values
from sync.connections.rows import database_now, require_manager
from sync.connections.values import known_vendor, origin_of, sorted_values
from sync.models import Connection, names_this_machine
from sync.vendor.contract import ConnectorAnswer

if TYPE_CHECKING:
    from revops.people.models import User
    from sync.vendor.contract import Config, Connector, Probed
    from sync.vendor.http import HttpClient

TRIED = template("connection.tried", "Asked {vendor} at {address} who we are there: {answer}")
SECONDS_MAX = 20
"""For all that the vendor is asked."""
_log = logging.getLogger("sync.connections.trial")


@dataclass(frozen=True, slots=True)
class Trial:
    """What the vendor said, in one sentence: who we are there, or what is wrong. `parts`: each stream and each change on its own,
    where the connector can try them; `good`: all of it works."""

    good: bool
    said: str
    parts: tuple[Probed, ...] = ()


def try_settings(vendor: str, base_url: str, values: Mapping[str, str], *, acting_user: User | System) -> Trial:
    """Ask with settings that are not kept yet. Raises `Missing` for whoever may not, and `Rejected` as `connect` does."""
    require_manager(acting_user)
    connector, origin = known_vendor(vendor), origin_of(base_url)
    given = sorted_values(connector, values)
    config = config_for(connector, vendor, origin, given.plain | given.sensitive)
    return _tried(connector, config, f"connector:{vendor}", acting_user, saved=False)


def try_connection(
    slug: str, *, acting_user: User | System, base_url: str | None = None, values: Mapping[str, str] | None = None
) -> Trial:
    """Ask with what a connection is given, or with what it would be given. Raises `Missing`, and as `change_connection` does."""
    require_manager(acting_user)
    row = Connection.objects.select_related("system").filter(pk=slug).first()
    if row is None:
        raise Missing("connection")
    change = Change(row, connector_of(row), database_now())
    if base_url is not None:
        change.move(origin_of(base_url), values or {})
    if values:
        change.give(values, dt.timedelta(0))
    return _tried(change.connector, config_of(row), row, acting_user, saved=True)


def _tried(connector: Connector, config: Config, subject: Connection | str, acting_user: User | System, *, saved: bool) -> Trial:
    found = _ask(connector, config, saved)
    with transaction.atomic():
        said = TRIED(vendor=connector.label, address=config.base_url, answer=found.said)
        after = {"good": found.good, "refused": [part.name for part in found.parts if not part.works]}
        audit.record("connection.try", subject, acting_user=acting_user, summary=said, after=after)
    return found


def _ask_for_all(connector: Connector, config: Config, client: HttpClient) -> Trial:
    """Who we are there, then what works; where the vendor stops answering, what was found until then."""
    parts: list[Probed] = []
    try:
        said = client.redact(connector.check(client, config))
        for part in connector.probe(client, config) if connector.probe else ():
            parts.append(replace(part, said=client.redact(part.said)))
    except ConnectorAnswer as answer:
        return Trial(False, client.redact(answer.reason), tuple(parts))
    if refused := sum(not part.works for part in parts):
        return Trial(False, f"{said} Refused: {refused} of {len(parts)} parts.", tuple(parts))
    return Trial(True, said, tuple(parts))


def _ask(connector: Connector, config: Config, saved: bool) -> Trial:
    """Around the circuit: whoever tries wants to know now."""
    from sync.vendor.http import HttpClient

    try:
        with HttpClient(
            config,
            allow_loopback=names_this_machine(config.base_url) and is_rehearsal(),
            secrets=secret_values(connector, config),
            within_seconds=SECONDS_MAX,
            quota=quota_for(connector, config) if saved else None,
        ) as client:
            return _ask_for_all(connector, config, client)
    except ConnectorAnswer as answer:  # the address itself
        return Trial(False, answer.reason)
    except Exception as error:
        _log.exception("a connector failed while it was tried", extra={"connection": config.slug})
        return Trial(False, f"The {connector.label} connector failed ({type(error).__name__}).")
