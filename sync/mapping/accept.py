"""A proposal that somebody accepts: the settings that it means, written by the connection's own action, and what came in before
translated anew."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from revops.errors import Rejected
from revops.people.actors import System
from sync import connections
from sync.applying.replay import begin_replay, replay_many
from sync.connectors import ID_FORMS
from sync.mapping.declared import CRM_FORM, MAPPED
from sync.mapping.propose import Proposal
from sync.models import Connection, Delivery, DeliveryKind, DeliveryState, Replay
from sync.vendor.references import PLAIN

if TYPE_CHECKING:
    from revops.identity.models import StepUp
    from revops.people.models import User
    from sync.vendor.contract import Connector


@dataclass(frozen=True, slots=True)
class Accepted:
    """The connection as it is now, the settings that were written, and the replay of what came in before; None where nothing
    did."""

    row: Connection
    values: Mapping[str, str]
    replay: Replay | None


def values_of(proposal: Proposal, connector: Connector, vendor_of: Mapping[str, str]) -> dict[str, str]:
    """The settings that a proposal means: its own, the form beside it, and the connection whose ids these are. `vendor_of`:
    connection -> slug of its connector."""
    declared = {setting.name for setting in connector.settings}
    mapping = next(each for each in MAPPED[connector.slug] if each.setting == proposal.setting)
    meant = {proposal.setting: proposal.value, mapping.form: proposal.form, mapping.connection: proposal.system}
    if mapping.role == "crm" and not mapping.by:
        vendor = vendor_of.get(proposal.system, "")
        meant[CRM_FORM] = vendor if vendor in ID_FORMS else PLAIN
    return {name: value for name, value in meant.items() if name in declared}


def changes_of(row: Connection, accepted: Iterable[Proposal]) -> dict[str, str]:
    """What would be written for these proposals: the settings whose value is another one now. Raises `Rejected("ties_differ")`
    where two of them mean different values for one setting."""
    connector = connections.connector_of(row)
    vendors = dict(Connection.objects.values_list("pk", "vendor"))
    meant: dict[str, str] = {}
    for proposal in accepted:
        for name, value in values_of(proposal, connector, vendors).items():
            if meant.setdefault(name, value) != value:
                raise Rejected("ties_differ", f"The proposals mean two values of {name}: {meant[name]} and {value}.", field=name)
    now = {setting.name: str(row.settings.get(setting.name, setting.default)) for setting in connector.settings}
    return {name: value for name, value in meant.items() if now.get(name) != value}


def good_ones(found: Iterable[Proposal]) -> list[Proposal]:
    """The best proposal of each setting, where it may be accepted without a closer look."""
    first: dict[str, Proposal] = {}
    for proposal in found:
        if proposal.good():
            first.setdefault(proposal.setting, proposal)
    return list(first.values())


def accept(
    row: Connection,
    accepted: Iterable[Proposal],
    *,
    reason: str,
    acting_user: User | System,
    step_up: StepUp | None = None,
    row_version: int | None = None,
    deliveries_max: int | None = None,
) -> Accepted:
    """Write what these proposals mean, and put back to the start what came in before, unless that is more than `deliveries_max`.

    Raises as `change_connection` does, `Rejected("nothing_to_accept")` when all of it is in force, and as `changes_of` does.
    """
    values = changes_of(row, accepted)
    if not values:
        raise Rejected("nothing_to_accept", "It is in force already.")
    changed = connections.change_connection(
        str(row.pk), values=values, reason=reason, acting_user=acting_user, step_up=step_up, row_version=row_version
    )
    if deliveries_max is not None and _before(row)[: deliveries_max + 1].count() > deliveries_max:
        return Accepted(changed, values, None)
    return Accepted(changed, values, translate_anew(changed, reason=reason, acting_user=acting_user))


def translate_anew(row: Connection, *, reason: str, acting_user: User | System) -> Replay | None:
    """Put everything that came in back to the start, so that it is translated with the settings as they are now. None where
    nothing came in."""
    if not _before(row).exists():
        return None
    run = begin_replay(reason=reason, acting_user=acting_user)
    replay_many(_before(row), reason=reason, acting_user=acting_user, run=run)
    run.refresh_from_db()
    return run


def _before(row: Connection) -> QuerySet[Delivery]:
    """What came in and is not waiting. A hint says nothing by itself."""
    return Delivery.objects.filter(connection=row).exclude(state=DeliveryState.PENDING).exclude(kind=DeliveryKind.HINT)
