"""Starting, pausing, reading at once, and the stop switch. Each is one person's to do, at once.

A paused connection is neither read nor posted to. What its system sends is verified, kept and answered with 202 all the same, and
applied when it is resumed: vendors give up on an address that refuses them, and some send a thing only once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models.functions import Now

from revops.audit import log as audit
from revops.errors import Conflict
from revops.people.actors import System
from revops.sentences import Template, template
from sync.connections.rows import locked, reason_given, require_manager, save
from sync.ground import doorbell
from sync.models import Connection, Watermark

if TYPE_CHECKING:
    from revops.people.models import User

RESUMED = template("connection.resumed", "Started {system}: it is read, and what it sends is applied")
PAUSED = template("connection.paused", "Paused {system}: it is neither read nor posted to, and what it sends is kept")
STOPPED = template("connection.posting_stopped", "Stopped posting to {system}")
READ_NOW = template("connection.read_now", "Asked that {system} is read at once")


@transaction.atomic
def resume(slug: str, *, acting_user: User | System, row_version: int | None = None) -> Connection:
    """Read it from now on, for the first time or again, and apply what it sent meanwhile. Raises `Missing`, `Conflict`
    (`not_paused`, `connection_changed`)."""
    require_manager(acting_user)
    row = locked(slug, row_version)
    if row.active:
        raise Conflict("not_paused", f"{row.system.label} is read already.")
    _switched("connection.resume", row, RESUMED, acting_user, column="active")
    _due_now(row)
    return row


@transaction.atomic
def pause(slug: str, *, reason: str, acting_user: User | System, row_version: int | None = None) -> Connection:
    """Neither read nor post from now on; a page or a call under way ends. Raises `Missing`, `Rejected("reason_missing")`,
    `Conflict` (`paused`, `connection_changed`)."""
    require_manager(acting_user)
    words, row = reason_given(reason), locked(slug, row_version)
    if not row.active:
        raise Conflict("paused", f"{row.system.label} is not read at the moment.")
    _switched("connection.pause", row, PAUSED, acting_user, column="active", reason=words)
    return row


@transaction.atomic
def stop_posting(slug: str, *, reason: str, acting_user: User | System) -> Connection:
    """The stop switch: from the commit on no new call begins; what is under way is still looked up. Raises `Missing`,
    `Rejected("reason_missing")`, `Conflict("posting_off")`."""
    require_manager(acting_user)
    words, row = reason_given(reason), locked(slug)
    if not row.posting_enabled:
        raise Conflict("posting_off", f"Posting to {row.system.label} is off already.")
    _switched("connection.stop_posting", row, STOPPED, acting_user, column="posting_enabled", reason=words)
    return row


@transaction.atomic
def read_now(slug: str, *, acting_user: User | System) -> int:
    """Make its streams due at once; returns how many. One that is being read ends first. Raises `Missing`,
    `Conflict("paused")`."""
    require_manager(acting_user)
    row = locked(slug)
    if not row.active:
        raise Conflict("paused", f"{row.system.label} is not read at the moment. Start it first.")
    count = _due_now(row)
    audit.record("connection.read_now", row, acting_user=acting_user, summary=READ_NOW(system=slug))
    return count


def _due_now(row: Connection) -> int:
    count = Watermark.objects.filter(connection=row).update(next_attempt_at=Now())
    transaction.on_commit(_ring)
    return count


def _ring() -> None:
    for task in ("pull_streams", "apply_deliveries", "reread"):
        doorbell.ring(task)


def _switched(verb: str, row: Connection, said: Template, acting_user: User | System, *, column: str, reason: str = "") -> None:
    """Turn the switch of that column over, and write it down."""
    on = not getattr(row, column)
    setattr(row, column, on)
    save(row)
    summary = said(system=str(row.pk))
    before, after = {column: not on}, {column: on}
    audit.record(verb, row, acting_user=acting_user, summary=summary, reason=reason, before=before, after=after)
