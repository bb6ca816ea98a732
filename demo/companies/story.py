"""What came to be in the four systems, change by change, and what of it had come in at a moment: the steps of a situation. Pure.

What was there when the systems were connected comes as reads of a first listing. After that Stripe sends an event for each
change; the other systems are read some minutes after it.
"""

from __future__ import annotations

import copy
import datetime as dt
import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.companies.draw import Draw

Json = dict[str, Any]
API_VERSION = "2026-10-28.endive"
PAUSE_MAX = 30 * 24 * 3600
_VENDORS = ("salesforce", "gainsight", "stripe", "netsuite")
_FIRST_LISTED = ("legal_entity", "accounting_period", "customer", "contract", "opportunity", "subscription", "invoice")


def utc(text: str) -> dt.datetime:
    """An instant from `2026-11-03T14:00`, which is UTC."""
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


def unix(moment: dt.datetime) -> int:
    return (moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)) // dt.timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Change:
    """What an object is from a moment on. `body`: as its vendor renders it then. `event`: the type of Stripe's event, empty for
    what no event tells. `arrives`: how long after `at` it comes in."""

    at: dt.datetime
    connection: str
    object_type: str
    id: str
    body: Json
    event: str = ""
    previous: Json | None = None
    arrives: dt.timedelta = dt.timedelta(seconds=2)


@dataclass(slots=True)
class Noise:
    """How often, in percent of the stories: an event comes twice, two events of one object come in the other order."""

    twice: int = 25
    swapped: int = 25


@dataclass(slots=True)
class Story:
    """All changes, in any order. `connected`: when the systems were connected; `live`: Stripe's mode."""

    draw: Draw
    connected: dt.datetime
    live: bool = True
    noise: Noise = field(default_factory=Noise)
    changes: list[Change] = field(default_factory=list)

    _last: dict[tuple[str, str], dt.datetime] = field(default_factory=dict)

    def tell(self, change: Change) -> None:
        """What an object is from now on. Each object's changes are told in their order, for each holds all that is true of it."""
        before = self._last.get((change.connection, change.id))
        assert before is None or before <= change.at, f"{change.id} at {change.at} is told after {before}"
        self._last[change.connection, change.id] = change.at
        self.changes.append(copy.deepcopy(change))

    def steps(self, now: dt.datetime) -> list[Json]:
        """The steps of `input.json` that have come in by `now`, in the order in which they came."""
        before = [each for each in self.changes if each.at <= self.connected]
        latest: dict[tuple[str, str, str], Change] = {}
        for each in sorted(before, key=lambda each: each.at):
            latest[each.connection, each.object_type, each.id] = each
        first = [each for each in latest.values() if each.object_type != "deletion"]
        came = [(self.connected, _read(each, self.connected)) for each in sorted(first, key=_listed)]
        came += [each for each in self._after() if each[0] < now]
        return _with_pauses(came, now)

    def _after(self) -> list[tuple[dt.datetime, Json]]:
        """What came in after the connection. The same for every `now`: the noise is drawn once for a story."""
        noise = Draw("noise", *(each.id for each in self.changes))
        after = sorted((each for each in self.changes if each.at > self.connected), key=lambda each: each.at)
        came: list[tuple[dt.datetime, Json]] = []
        read: dict[tuple[str, str], dt.datetime] = {}
        for each in after:
            at = each.at + each.arrives
            if not each.event:  # who reads an object later is not shown an earlier state of it
                at = max(at, read.get((each.connection, each.id), at) + dt.timedelta(seconds=1))
                read[each.connection, each.id] = at
            came.append((at, self._step(each, noise)))
        events = [place for place, (_at, step) in enumerate(came) if step["kind"] == "event"]
        pairs = [
            (one, other)
            for one, other in itertools.pairwise(events)
            if _about(came[one][1]) == _about(came[other][1]) and _soon(came[one], came[other])
        ]
        if pairs and noise.happens(self.noise.swapped):
            one, other = noise.one_of(pairs)
            late = came[other][0] + dt.timedelta(seconds=1)
            came[one] = (late, came[one][1] | {"note": f"{came[one][1]['note']}, after the one that follows it"})
        if events and noise.happens(self.noise.twice):
            at, step = came[noise.one_of(events)]
            came.append((at + noise.seconds(20, 600), step | {"note": f"{step['note']}, delivered again"}))
        return sorted(came, key=lambda each: each[0])

    def _step(self, change: Change, draw: Draw) -> Json:
        if not change.event:
            return _read(change, change.at + change.arrives)
        data: Json = {"object": change.body}
        if change.previous is not None:
            data["previous_attributes"] = change.previous
        body = {
            "id": draw.stripe("evt"), "object": "event", "api_version": API_VERSION, "created": unix(change.at),
            "livemode": self.live, "pending_webhooks": 1, "request": {"id": None, "idempotency_key": None},
            "type": change.event, "data": data,
        }  # fmt: skip
        return {"connection": change.connection, "kind": "event", "body": body, "note": change.event}


def _read(change: Change, at: dt.datetime) -> Json:
    body: Json = change.body
    if change.connection.startswith("stripe"):
        body = {"read_at": unix(at), "object": change.body}
    note = f"{change.connection} {change.object_type} {change.id}"
    return {"connection": change.connection, "kind": "read", "object_type": change.object_type, "body": body, "note": note}


def _listed(change: Change) -> tuple[int, int, dt.datetime, str]:
    """The place of an object in the first listing: those that others point to come first."""
    vendor = next((place for place, name in enumerate(_VENDORS) if change.connection.startswith(name)), len(_VENDORS))
    kind = _FIRST_LISTED.index(change.object_type) if change.object_type in _FIRST_LISTED else len(_FIRST_LISTED)
    return vendor, kind, change.at, change.id


def _about(step: Mapping[str, Any]) -> str:
    return str(step["body"]["data"]["object"]["id"])


def _soon(one: tuple[dt.datetime, Json], other: tuple[dt.datetime, Json]) -> bool:
    """Whether two events are seconds or minutes apart, and not of one second: what comes within one says nothing about order."""
    return one[1]["body"]["created"] < other[1]["body"]["created"] and other[0] - one[0] <= dt.timedelta(minutes=10)


def _with_pauses(came: Iterable[tuple[dt.datetime, Json]], now: dt.datetime) -> list[Json]:
    """Each step with the seconds that pass before the next: a second passes anyway."""
    listed = list(came)
    steps = []
    for place, (at, step) in enumerate(listed):
        following = listed[place + 1][0] if place + 1 < len(listed) else now
        pause = min(max(unix(following) - unix(at) - 1, 0), PAUSE_MAX)
        steps.append({**step, "pause": pause} if pause else dict(step))
    return steps
