"""Keeping the leases of a live worker: one thread a process renews what the process holds.

Leases are short, so that the work of a killed worker is taken over within seconds. Who is alive and slow renews its lease every
`RENEW_SECONDS`; a process that is killed, frozen, or busy without ever letting go of the interpreter renews nothing. A worker
that hangs is not kept for ever: after `held_seconds_max` without a sign of progress its leases run out like a dead one's.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from django.db import connection

RENEW_SECONDS = 1.5
WAKE_SECONDS = 0.5
"""How often the thread looks, while anything is held, whether it is time to renew. Most work ends before that."""
SURE_MARGIN_SECONDS = 0.5
"""How long before the end of its lease a holder stops being sure of it."""
_log = logging.getLogger("revops.work_queues.leases")


@dataclass(frozen=True, slots=True)
class Claim:
    """A row in hand: its key, the fence of this claim, and how often it was tried, this time included."""

    key: int
    fence: int
    attempts: int


C = TypeVar("C", bound=Claim)


class Renews(Protocol):
    """What the keeper needs of a queue."""

    @property
    def lease_seconds(self) -> float: ...

    @property
    def held_seconds_max(self) -> float: ...

    def renew(self, claims: Sequence[Claim], /) -> set[int]: ...


class LeaseLost(Exception):
    """The lease ran out, or the row is in other hands by now: nothing more may be done under this claim."""


@dataclass(slots=True)
class Held(Generic[C]):
    """Rows under lease. `asked_at`: the monotonic time just before they were claimed."""

    queue: Renews
    rows: list[C]
    asked_at: float
    keep_until: float = 0.0
    renew_at: float = 0.0
    _sure_until: dict[int, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._sure_until = {row.key: self._sure_from(self.asked_at) for row in self.rows}
        self.renew_at = self.asked_at + RENEW_SECONDS
        self.progressed()

    def progressed(self) -> None:
        """The work has moved on: its leases may be kept for another `held_seconds_max`."""
        self.keep_until = time.monotonic() + self.queue.held_seconds_max

    def make_sure(self, claim: Claim) -> None:
        """Raise `LeaseLost` unless nobody else can hold the row at this moment. Asks no database."""
        if time.monotonic() >= self._sure_until.get(claim.key, 0.0):
            raise LeaseLost

    def renew(self) -> None:
        """Renew what is still ours, as long as the work has not stood still for too long."""
        asked_at = time.monotonic()
        self.renew_at = asked_at + RENEW_SECONDS
        if asked_at < self.keep_until:
            for key in self.queue.renew(self.rows):
                self._sure_until[key] = self._sure_from(asked_at)

    def _sure_from(self, asked_at: float) -> float:
        return asked_at + self.queue.lease_seconds - SURE_MARGIN_SECONDS


class _Keeper:
    """One thread, started when something is first held and again after a fork. Its connection is open only while it renews."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: list[Held[Claim]] = []
        self._thread: threading.Thread | None = None
        self._pid = 0

    @contextmanager
    def keeping(self, held: Held[C]) -> Iterator[None]:
        """Renew these leases until the block ends."""
        with self._changed:
            if self._pid != os.getpid():
                self._pid, self._held, self._thread = os.getpid(), [], None
            self._held.append(held)  # type: ignore[arg-type]  # only its rows are read
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._held = [other for other in self._held if other is not held]

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._held)
            time.sleep(WAKE_SECONDS)
            with self._changed:
                held = [each for each in self._held if time.monotonic() >= each.renew_at]
            if held:
                self._renew(held)

    @staticmethod
    def _renew(held: Sequence[Held[Claim]]) -> None:
        try:
            for each in held:
                each.renew()
        except Exception as error:  # noqa: BLE001, RUF100 - whatever it was, the thread must live; the leases run out
            _log.warning("leases could not be renewed", extra={"error": type(error).__name__})
        finally:
            connection.close()


_keeper = _Keeper()
keeping = _keeper.keeping
