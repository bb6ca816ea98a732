"""Verifying the log against its chain, and the chain against its signed heads. Computes every digest itself: who could change the
log could change the function that seals as well."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

from revops.audit.chain import BEGINNING, COLUMNS, as_text
from revops.audit.heads import SignedHead, public_keys, read_heads
from revops.audit.models import ActionRecord
from revops.partitions import PER_MONTH

AT_ONCE = 5_000
SEALED_WITHIN = dt.timedelta(minutes=10)
MONTH = "month:audit_actionrecord_"


@dataclass(slots=True)
class Verified:
    """What was found. `faults` in sentences, none when the log is whole; `told` is what a reader should know besides."""

    lines: int = 0
    archived: int = 0
    waiting: int = 0
    heads: int = 0
    faults: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    digests_at: dict[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Line:
    """One seal and, when it is there, the record that it seals: (name, tag, text) of each column."""

    sequence: int
    record_id: int
    content: bytes
    digest: bytes
    record: tuple[tuple[str, str, str | None], ...] | None


def lines() -> Iterator[Line]:
    """Every seal in order of its number, with its record."""
    shown = ", ".join(as_text(name, "a") for name in COLUMNS)
    after = 0
    while True:
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT s.sequence, s.record_id, s.content, s.digest, {shown} FROM audit_seal s "  # noqa: S608 - our own columns
                "LEFT JOIN audit_actionrecord a ON a.id = s.record_id WHERE s.sequence > %s ORDER BY s.sequence LIMIT %s",
                [after, AT_ONCE],
            )
            rows = cursor.fetchall()
        yield from map(_line, rows)
        if len(rows) < AT_ONCE:
            return
        after = rows[-1][0]


def _line(row: tuple[Any, ...]) -> Line:
    sequence, record_id, content, digest, *values = row
    record = tuple((name, tag, value) for (name, tag), value in zip(COLUMNS.items(), values, strict=True))
    return Line(sequence, record_id, bytes(content), bytes(digest), None if values[0] is None else record)


def content_of(record: tuple[tuple[str, str, str | None], ...]) -> bytes:
    """The digest of a record, as `chain` says it is made."""
    found = hashlib.sha256()
    for name, tag, value in record:
        for each, text in (("t", name), (tag, value)):
            octets = b"" if text is None else text.encode()
            found.update((b"n" if text is None else each.encode()) + len(octets).to_bytes(8, "big") + octets)
    return found.digest()


def verify(now: dt.datetime, progress: Callable[[int], None] = lambda _: None) -> Verified:
    """Look at everything. `progress` is told how many lines have been looked at since it was told last."""
    found, before, missing = Verified(), BEGINNING, []
    heads = _heads(found)
    wanted = {head.sequence for head in heads} | {0}
    found.digests_at[0] = BEGINNING.hex()
    for line in lines():
        expected = found.lines + 1
        if line.sequence != expected:
            found.faults.append(f"Number {expected} is missing; the next is {line.sequence}.")
        content = line.content
        if line.record is None:
            missing.append(line)
        else:
            content = content_of(line.record)
            if content != line.content:
                found.faults.append(f"Number {line.sequence} (record {line.record_id}) is not what was sealed.")
        before = hashlib.sha256(before + line.sequence.to_bytes(8, "big") + content).digest()
        if before != line.digest:
            found.faults.append(f"Number {line.sequence} does not follow from the one before.")
            before = line.digest
        if line.sequence in wanted:
            found.digests_at[line.sequence] = before.hex()
        found.lines = line.sequence
        if line.sequence % 1000 == 0:
            progress(1000)
    _judge_missing(found, missing)
    _judge_waiting(found, now)
    _judge_heads(found, heads, now)
    return found


def _judge_missing(found: Verified, missing: list[Line]) -> None:
    """A record whose month went to the archive left its seal; any other that is gone was removed."""
    subjects = ActionRecord.objects.filter(verb="retention.take_out", subject__startswith=MONTH).values_list("subject", flat=True)
    months = {int(subject.removeprefix(MONTH)) for subject in subjects}
    for line in missing:
        if line.record_id // PER_MONTH in months:
            found.archived += 1
        else:
            found.faults.append(f"Number {line.sequence} (record {line.record_id}) is gone, and its month is not in the archive.")


def _judge_waiting(found: Verified, now: dt.datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*), min(a.at) FROM audit_actionrecord a WHERE NOT EXISTS "
            "(SELECT FROM audit_seal s WHERE s.record_id = a.id)"
        )
        found.waiting, oldest = cursor.fetchone()
    if oldest is not None and now - oldest > SEALED_WITHIN:
        found.faults.append(f"{found.waiting} lines are not sealed, the oldest of {oldest:%Y-%m-%d %H:%M} UTC.")


def _heads(found: Verified) -> list[SignedHead]:
    """The heads that count: what lies behind a restore that a person has signed is told, and no more compared."""
    try:
        heads = read_heads()
    except (OSError, ValueError) as error:
        found.faults.append(f"The signed heads cannot be read: {error}.")
        return []
    keys, standing = public_keys(), list[SignedHead]()
    if heads and not keys:
        found.faults.append("REVOPS_AUDIT_SIGNING_KEY is empty: the signatures of the heads cannot be verified.")
    for number, head in enumerate(heads, 1):
        if keys and not head.verifies(keys):
            found.faults.append(f"Head {number} ({head.at}) is not signed by a known key.")
            continue
        if head.restored:
            reached = max((each.sequence for each in standing), default=0)
            found.told.append(f"{head.at}: the database was put back to number {head.sequence}; it had come to {reached}.")
            standing = [each for each in standing if each.sequence <= head.sequence]
        standing.append(head)
    found.heads = len(standing)
    return standing


def _judge_heads(found: Verified, heads: list[SignedHead], now: dt.datetime) -> None:
    if not heads:
        found.faults.append("There is no signed head to compare with.")
        return
    for head in heads:
        digest = found.digests_at.get(head.sequence)
        if digest is None:
            found.faults.append(
                f"The head of {head.at} has number {head.sequence}, which the log does not reach: its end is cut off."
            )
        elif digest != head.digest:
            found.faults.append(f"The head of {head.at} at number {head.sequence} is not on the chain: it was made anew.")
    age = now - heads[-1].moment
    if age > SEALED_WITHIN:
        found.told.append(f"The newest head is {int(age.total_seconds() // 60)} minutes old: is the sweeper running?")
