"""From deliveries in hand to the ledger: understand each row by itself, record what they say together.

Understanding is pure and happens outside any transaction, so a bad row costs its neighbours nothing. Recording is one
transaction a connection and batch; when that fails, each row gets its own, and the one that cannot be recorded is found.
A row becomes applied in the transaction that writes its entries: there is no state in between. One that says something else
under a stamp that we already had is recorded and waits on: its object is read again (`sync.applying.reread`), and that read
resolves the conflict.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from django.db import InterfaceError, OperationalError, connection, transaction

from revops.errors import Conflict, Rejected, RevOpsError
from revops.ledger.facts import Fact
from revops.ledger.record import DeliveredFact, record
from revops.ledger.unread import NOT_IN_EVENT
from revops.work_queues.leases import LeaseLost
from sync import connections
from sync.applying.anew import placed_anew
from sync.applying.claims import DELIVERIES, REREAD, DeliveryClaim, Verdict, failed, finish, quarantined
from sync.applying.dating import DATED_AHEAD, dated
from sync.ground import doorbell
from sync.ground.crash import crash_point
from sync.ground.heartbeat import alive
from sync.intake.inbox import Ending
from sync.models import Connection, DeliveryKind, DeliveryState
from sync.vendor.contract import Config, Connector, ConnectorAnswer, Ignored, Incoming, Reread

REREAD_SECONDS = 3
"""Stamps are whole seconds: until theirs is over, at the vendor's clock and ours, a read cannot tell the last word."""
_log = logging.getLogger("sync.applying.apply")


@dataclass(slots=True)
class Understood:
    """What one delivery says: facts to record and objects to read again. `disputed`: the facts are recorded, and something else
    was said under their stamp."""

    row: DeliveryClaim
    facts: list[Fact] = field(default_factory=list)
    rereads: list[Reread] = field(default_factory=list)
    disputed: bool = False


def process(rows: Sequence[DeliveryClaim], now: dt.datetime) -> Counter[str]:
    """Understand and record rows in hand. Returns how many ended in each state (`pending`: will be tried again)."""
    if rows:
        crash_point("delivery_claimed")
    by_slug: dict[str, list[DeliveryClaim]] = defaultdict(list)
    for row in rows:
        by_slug[row.slug].append(row)
    done: Counter[str] = Counter()
    found = Connection.objects.in_bulk(list(by_slug)) if by_slug else {}
    for slug, batch in by_slug.items():
        understood, verdicts = understand(batch, found[slug])
        waiting = [_to_reread(item.row) for item in understood if item.rereads]
        finish([*verdicts, *waiting])
        done.update(str(verdict.state) for verdict in [*verdicts, *waiting])
        done += record_all(slug, [item for item in understood if not item.rereads], now)
        if waiting:
            doorbell.ring("reread")
    return done


def _to_reread(row: DeliveryClaim) -> Verdict:
    """Reading at the vendor is the intake workers' task: a slow vendor must not hold up what is already here."""
    return Verdict(row, DeliveryState.PENDING, REREAD, "Waits to be read again.", after_seconds=0, given_back=True)


# --- understanding ----------------------------------------------------------------------------------------------------


def understand(rows: Sequence[DeliveryClaim], source: Connection) -> tuple[list[Understood], list[Verdict]]:
    """Translate each row by itself. Gives what was understood, and the verdicts on the rest."""
    try:
        handle = connections.handle_of(source)
    except Conflict as conflict:
        return [], [failed(row, conflict.code, conflict.message) for row in rows]
    understood: list[Understood] = []
    verdicts: list[Verdict] = []
    for row in rows:
        found = _understand_one(row, handle.connector, handle.config)
        if isinstance(found, Verdict):
            verdicts.append(found)
        else:
            understood.append(found)
    return understood, verdicts


def _understand_one(row: DeliveryClaim, connector: Connector, config: Config) -> Understood | Verdict:
    if DELIVERIES.was_dropped(row):
        reason = f"Its worker ended {row.attempts - 1} times before finishing it. {row.reason}"
        return quarantined(row, "gave_up", reason.strip())
    try:
        incoming = incoming_of(row)
    except Rejected as rejected:
        return quarantined(row, rejected.code, rejected.message)
    found = translate(incoming, connector, config)
    if isinstance(found, NotUnderstood):
        return Verdict(row, found.state, found.code, found.reason)
    facts = [fact.resolved_at(row.received_at) for fact in found.facts] if row.kind == DeliveryKind.RESOLUTION else found.facts
    return Understood(row, facts, found.rereads)


@dataclass(frozen=True, slots=True)
class Translation:
    """What a delivery says, before it is anybody's row."""

    facts: list[Fact]
    rereads: list[Reread]


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """A delivery that says nothing to the ledger: it ends as this."""

    state: DeliveryState
    code: str
    reason: str


def translate(incoming: Incoming, connector: Connector, config: Config) -> Translation | NotUnderstood:
    """Let the connector read one delivery. Pure, and raises nothing."""
    try:
        found = list(connector.translate(incoming, config))
    except Ignored as answer:
        return NotUnderstood(DeliveryState.IGNORED, answer.code, answer.reason)
    except ConnectorAnswer as answer:
        return NotUnderstood(DeliveryState.QUARANTINED, answer.code, answer.reason)
    except Rejected as rejected:
        return NotUnderstood(DeliveryState.QUARANTINED, rejected.code, rejected.message)
    except (Exception, RecursionError) as error:
        # Translation is pure: what fails once fails always. The payload stays out of the log and the reason.
        _log.exception("a connector failed on a delivery", extra={"connection": config.slug})
        reason = f"The {connector.label} connector failed on it ({type(error).__name__})."
        return NotUnderstood(DeliveryState.QUARANTINED, "connector_defect", reason)
    if not found:
        return NotUnderstood(DeliveryState.IGNORED, "says_nothing", "It says nothing about any object that we keep.")
    facts = [dated(one, connector, incoming.received_at) for one in found if isinstance(one, Fact)]
    return Translation(facts, [one for one in found if isinstance(one, Reread)])


def incoming_of(row: DeliveryClaim) -> Incoming:
    """The delivery as its connector knows it."""
    kind = DeliveryKind.READ if row.kind == DeliveryKind.RESOLUTION else row.kind
    if kind not in _KINDS:
        raise Rejected("delivery_kind", f"A delivery is no {kind!r}.")
    return Incoming(
        kind=kind,  # type: ignore[arg-type]  # checked above
        body=row.body,
        headers=row.headers,
        received_at=row.received_at,
        object_type=row.object_type,
    )


_KINDS = frozenset(DeliveryKind.values)


# --- recording --------------------------------------------------------------------------------------------------------


def record_all(slug: str, items: Sequence[Understood], now: dt.datetime) -> Counter[str]:
    """Record what was understood: all in one transaction, or each in its own when that fails."""
    if not items:
        return Counter()
    try:
        return _record(slug, items, now)
    except Exception as error:  # noqa: BLE001, RUF100 - judged below and again row by row
        _raise_if_database_is_gone(error)
        if len(items) == 1:
            return _record_failed(items[0], error)
        _log.info("a batch is recorded row by row", extra={"connection": slug, "rows": len(items), "error": _name(error)})
    done: Counter[str] = Counter()
    for item in items:
        alive()
        done += record_all(slug, [item], now)
    return done


def _record(slug: str, items: Sequence[Understood], now: dt.datetime) -> Counter[str]:
    place_anew(slug, items, now)
    delivered = [DeliveredFact(fact, item.row.key, item.row.trace_id) for item in items for fact in item.facts]
    with transaction.atomic():
        arrivals = iter(record(slug, delivered, now=now))
        verdicts = [_verdict(item, recorded(item.row.kind, item.facts, [next(arrivals) for _ in item.facts])) for item in items]
        if finish(verdicts) != len(verdicts):
            raise LeaseLost
        crash_point("delivery_recorded")
    return Counter(str(verdict.state) for verdict in verdicts)


def place_anew(slug: str, items: Sequence[Understood], now: dt.datetime) -> None:
    """Let what was put back to the start and is translated otherwise take the place of what it said before."""
    again = [item for item in items if item.row.replayed]
    placed = iter(placed_anew(slug, [(item.row.key, fact) for item in again for fact in item.facts], now))
    for item in again:
        item.facts = [next(placed) for _ in item.facts]


def _verdict(item: Understood, ending: Ending) -> Verdict:
    if ending.state != DeliveryState.PENDING:
        return Verdict(item.row, ending.state, ending.code, ending.reason)
    return Verdict(item.row, ending.state, ending.code, ending.reason, after_seconds=ending.after_seconds, given_back=True)


_APPLIED = Ending(DeliveryState.APPLIED)
_SAME = Ending(DeliveryState.APPLIED, "same", "It says what we already knew.")
_LATE = Ending(DeliveryState.SUPERSEDED, "late", "We already had a newer version. Kept as evidence.")
_DISPUTED = Ending(
    DeliveryState.PENDING,
    REREAD,
    "It says something else under a stamp that we already had. Both are kept; the object is read again.",
    REREAD_SECONDS,
)
_AHEAD_TOLD = Ending(
    DeliveryState.PENDING,
    REREAD,
    "It is dated later than it came. It counts as of its arrival; the object is read again.",
    REREAD_SECONDS,
)
_AHEAD_READ = Ending(DeliveryState.APPLIED, DATED_AHEAD, "It is dated later than it was read. It counts as of then.")


_IN_PART = Ending(
    DeliveryState.PENDING,
    REREAD,
    "It names something without saying it. The rest of it counts; the object is read again.",
    REREAD_SECONDS,
)


def recorded(kind: str, facts: Collection[Fact], arrivals: Collection[str]) -> Ending:
    """What becomes of a delivery of this kind, by how its facts arrived in the ledger. What the vendor told us about another
    moment than it says may not be its last word: that is asked for. What we read ourselves is."""
    if "conflict" in arrivals:
        return _DISPUTED
    if any(fact.dated_ahead for fact in facts):
        return _AHEAD_TOLD if kind == DeliveryKind.EVENT else _AHEAD_READ
    if kind == DeliveryKind.EVENT and set(arrivals) != {"late"} and any(told_in_part(fact) for fact in facts):
        return _IN_PART
    if "first" in arrivals or "newer" in arrivals:
        return _APPLIED
    return _LATE if all(arrival == "late" for arrival in arrivals) else _SAME


def told_in_part(fact: Fact) -> bool:
    """Whether it names something without saying it, so that only a read of the object tells."""
    return any(found.code == NOT_IN_EVENT for found in fact.unread.values())


def _record_failed(item: Understood, error: Exception) -> Counter[str]:
    if isinstance(error, LeaseLost):
        return Counter({"lost": 1})
    if isinstance(error, Rejected):
        verdict = quarantined(item.row, error.code, error.message)
    elif isinstance(error, RevOpsError):
        verdict = failed(item.row, error.code, error.message)
    else:
        _log.warning("a delivery cannot be recorded", exc_info=error, extra={"delivery": item.row.key})
        verdict = failed(item.row, "not_recorded", f"The ledger could not record it ({_name(error)}).")
    finish([verdict])
    return Counter([str(verdict.state)])


def _raise_if_database_is_gone(error: Exception) -> None:
    """Without a database nothing can be judged: the leases run out, and the rows are taken again."""
    if isinstance(error, OperationalError | InterfaceError) and not connection.in_atomic_block and not connection.is_usable():
        connection.close()
        raise error


def _name(error: Exception) -> str:
    cause = error.__cause__
    return type(cause).__name__ if cause is not None else type(error).__name__
