"""Binds the ports of `postings` and `telemetry` to the vendors' side, and knows who says what. One of the few files that name
both packages."""

from __future__ import annotations

import importlib
from collections.abc import Collection

from revops.detection import absence
from revops.errors import Rejected
from revops.postings import port
from revops.postings.changes import Change
from revops.postings.port import ComposedCall
from revops.telemetry import figures, work_state

SAID_ELSEWHERE = (
    "revops.access.delegations",
    "revops.access.joiners",
    "revops.access.leavers",
    "revops.access.proposals",
    "revops.access.recovery",
    "revops.detection.run",
    "revops.identity.links",
    "revops.identity.passwords",
    "revops.management.commands.backup",
    "revops.management.commands.export_audit",
    "revops.management.commands.retention",
    "revops.postings.confirm",
    "sync.posting.verify_facts",
)
"""Modules that declare templates and that nothing imports which shows them."""


def load_texts() -> None:
    """Called by a process that shows sentences: it needs the texts of all of them, whoever has said them."""
    for name in SAID_ELSEWHERE:
        importlib.import_module(name)


def bind_ports() -> None:
    """Called once at start-up, in every process. Imports nothing of the vendors' side before it is used."""
    port.bind(compose=_compose, ring=_ring)
    work_state.bind(read=_read_work)
    figures.bind(inflow=_inflow_figures)
    absence.bind(search=_search_dead_letters)


def _compose(system: str, key: str, change: Change) -> ComposedCall:
    """Let the connection's connector make the exact call. Raises `Rejected` with the connector's reason."""
    from sync import connections
    from sync.models import Connection
    from sync.vendor.contract import Refused

    connection = Connection.objects.filter(pk=system, active=True).first()
    if connection is None:
        raise Rejected("no_connection", f"{system} is not connected at the moment, so no call to it can be made.")
    connector = connections.connector_of(connection)
    offered = next((offer for offer in connector.operations if offer.change is type(change)), None)
    if offered is None or offered.guarantee == "none":
        raise Rejected("not_offered", f"{connector.label} cannot do this in a way that is safe to repeat. Do it there by hand.")
    try:
        call = connector.writing().compose(connections.config_of(connection), key, change)
    except Refused as refused:
        raise Rejected(refused.code, f"{connector.label}: {refused.reason}") from None
    if call.change != change:
        raise RuntimeError(f"{connector.label} composed another change than {change.code} as it was asked")
    return ComposedCall(
        method=call.method,
        path=call.path,
        headers=call.headers,
        body=call.body,
        key=call.key,
        summary=call.summary,
        before=call.before,
        after=call.after,
        reverse=call.reverse,
    )


def _ring() -> None:
    from sync.ground import doorbell

    doorbell.ring("send_postings")


def _search_dead_letters(systems: Collection[str], texts: Collection[str]) -> int:
    from sync.applying.letters import dead_letters_holding

    return dead_letters_holding(systems, texts)


def _read_work() -> work_state.WorkState:
    from sync.workers.telemetry import read_work_state

    return read_work_state()


def _inflow_figures() -> list[figures.Figure]:
    from sync.workers.telemetry import inflow_figures

    return inflow_figures()
