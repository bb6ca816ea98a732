"""A connection's row in hand: who may change it, its lock, its version, and saving it. Used by the actions of this package."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import connection as database
from django.db import transaction

from revops.access.rules import require
from revops.errors import Conflict, Missing, Rejected
from revops.identity.step_up import require_step_up
from revops.people.actors import System, actor_user
from sync.connections.handles import forget_handles
from sync.models import Connection

if TYPE_CHECKING:
    from revops.identity.models import StepUp
    from revops.people.models import User

REASON_LENGTH_MAX = 500


def require_manager(who: User | System) -> None:
    """Raises `Missing` for a person who does not look after connections. A part of the system is asked nothing."""
    if (person := actor_user(who)) is not None:
        require(person, "manage_connections")


def require_proof(who: User | System, step_up: StepUp | None) -> None:
    """Raises as `require_manager` does, and `NotAllowed` for a person who has not proved within five minutes who they are."""
    require_manager(who)
    if (person := actor_user(who)) is not None:
        require_step_up(person, step_up)


def locked(slug: str, row_version: int | None = None) -> Connection:
    """The row under lock. Raises `Missing`, `Conflict("connection_changed")` when it is not the version the person saw."""
    rows = Connection.objects.select_for_update(of=("self",)).select_related("system")
    row = rows.filter(pk=slug).first()
    if row is None:
        raise Missing("connection")
    if row_version is not None and row.row_version != row_version:
        raise Conflict(
            "connection_changed", f"{row.system.label} was changed in the meantime. Look at it as it is now, then decide again."
        )
    return row


def save(row: Connection) -> None:
    """Write the row as its next version; processes of the intake follow within five seconds."""
    row.row_version += 1
    row.save()
    forget_handles()
    transaction.on_commit(forget_handles)


def reason_given(reason: str) -> str:
    """The reason as it is kept. Raises `Rejected("reason_missing")`."""
    words = reason.strip()
    if not words or len(words) > REASON_LENGTH_MAX:
        raise Rejected(
            "reason_missing", f"Say why, in at most {REASON_LENGTH_MAX} characters: it stays in the log.", field="reason"
        )
    return words


def database_now() -> dt.datetime:
    """The database's time, by which deadlines of secrets and proposals are set."""
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    assert isinstance(now, dt.datetime), "the database tells the time"
    return now
