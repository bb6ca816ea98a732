"""How a connection stands: what it is given, how far it is read, its limits, and what it can do. Reads only; of a secret it tells
whether it is set."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from revops.errors import RevOpsError
from sync.connections.handles import config_of, connector_of, quota_for
from sync.models import Circuit, CircuitState, Connection, PostingProposal, PostingState, Watermark
from sync.vendor.contract import Connector, Guarantee, Setting
from sync.vendor.quota import Used

GUARANTEES: dict[Guarantee, str] = {
    "native_key": "The vendor takes each key once: a repetition is answered with the first effect.",
    "unique_external_id": "The vendor refuses a second record under our key.",
    "search_first": "We look for our key before every sending.",
    "none": "A repetition could double it, so it is never sent.",
}


@dataclass(frozen=True, slots=True)
class Given:
    """One declared setting and what it is: the value of a plain one, whether a sensitive one is set, and until when the secret
    before is good as well."""

    setting: Setting
    value: str
    is_set: bool
    former_until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A change that is written there, by its code, and how a repetition is kept harmless: its code, and in words."""

    change: str
    guarantee: Guarantee
    in_words: str


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far one stream is read. `reading`: at this moment."""

    name: str
    every_seconds: int
    read_at: dt.datetime | None
    next_at: dt.datetime
    watermark: str
    reading: bool
    failures: int
    problem: str


def given(row: Connection, connector: Connector, now: dt.datetime) -> list[Given]:
    """Every declared setting, in the order of its connector."""
    opened = _names_set(row)
    found = []
    for setting in connector.settings:
        until = row.former_until.get(setting.name)
        ends = dt.datetime.fromisoformat(until) if until else None
        value = "" if setting.sensitive else str(row.settings.get(setting.name, setting.default))
        is_set = setting.name in opened if setting.sensitive else bool(value)
        found.append(Given(setting, value, is_set, ends if ends is not None and now < ends else None))
    return found


def _names_set(row: Connection) -> frozenset[str]:
    try:
        return frozenset(name for name, value in config_of(row).settings.items() if value)
    except RevOpsError:
        return frozenset()


def streams(row: Connection, connector: Connector) -> list[StreamState]:
    """Its streams, in the order of its connector."""
    marks = {mark.stream: mark for mark in Watermark.objects.filter(connection=row)}
    return [
        StreamState(
            stream.name,
            stream.every_seconds,
            mark.read_at,
            mark.next_attempt_at,
            mark.value,
            mark.lease_until is not None,
            mark.failures,
            mark.last_error,
        )
        for stream in connector.streams
        if (mark := marks.get(stream.name)) is not None
    ]


def used(row: Connection, connector: Connector) -> list[Used] | None:
    """How much of the vendor's limits is used up; empty where it has none, None when Redis does not tell."""
    try:
        quota = quota_for(connector, config_of(row))
    except RevOpsError:
        return None
    return quota.used() if quota is not None else []


def circuit_of(row: Connection) -> Circuit | None:
    """Its circuit, unless calls go."""
    circuit = Circuit.objects.filter(pk=row.pk).first()
    return circuit if circuit is not None and circuit.state != CircuitState.CLOSED else None


def waiting_proposal(row: Connection, now: dt.datetime) -> PostingProposal | None:
    """What waits for a second person."""
    rows = PostingProposal.objects.select_related("proposed_by")
    return rows.filter(connection=row, state=PostingState.WAITING, expires_at__gt=now).first()


def operations(connector: Connector) -> list[Written]:
    """What is written there."""
    return [Written(each.change.code, each.guarantee, GUARANTEES[each.guarantee]) for each in connector.operations]


def abilities(connector: Connector) -> str:
    """What it can do, in a few words."""
    can = [
        "is read" if connector.reads else "",
        "sends what changes" if connector.pushes else "",
        "is written to" if connector.operations else "",
    ]
    return ", ".join(words for words in can if words).capitalize()


def connector_or_none(row: Connection) -> Connector | None:
    """Its connector; None when this version has none."""
    try:
        return connector_of(row)
    except RevOpsError:
        return None
