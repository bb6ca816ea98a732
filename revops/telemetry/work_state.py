"""Does work move? What each kind of worker last did, what waits for it, and what has waited too long, in plain sentences.

The vendors' side answers through `bind`. All ages are whole seconds by the database's clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

FOR_PERSON = "posting_for_person"
"""The trouble that is no stand-still: it has a case in the queue."""

SILENT_SECONDS = 60
"""A kind of worker is silent when work has waited this long for it and it has finished nothing for as long."""

WAIT_SECONDS_MAX: Mapping[str, int] = {"delivery": 900, "account": 900, "posting": 3600}
"""How long something may wait before somebody is told, whatever the reason: a delivery to be applied, an account to be
checked, an approved change to reach its system."""

_STANDS_STILL = {
    "sweep": "Waiting work is not picked up again",
    "intake": "The systems are not being read",
    "apply": "What came in is not being worked through",
    "posting": "Approved changes are not being sent",
}
_WAITS = {
    "delivery": "A delivery has waited to be applied",
    "account": "An account has waited to be looked at",
    "posting": "An approved change has waited to reach its system",
}


@dataclass(frozen=True, slots=True)
class Worker:
    """One kind of worker. `beat_seconds`: since it last finished something (None: never); `waiting_seconds`: how long the
    longest waiting work of its kind has been due (None: nothing is). The sweeper always has something to do."""

    kind: str
    beat_seconds: int | None
    waiting_seconds: int | None

    @property
    def silent_seconds(self) -> int | None:
        """For how long it has been silent, or None when it is not."""
        if self.waiting_seconds is None:
            return None
        seconds = self.waiting_seconds if self.beat_seconds is None else min(self.waiting_seconds, self.beat_seconds)
        return seconds if seconds >= SILENT_SECONDS else None


@dataclass(frozen=True, slots=True)
class WorkState:
    """The state of all work at one instant. `oldest_seconds`: the keys of `WAIT_SECONDS_MAX`, None when nothing waits.
    `for_persons`: how many postings wait for a person; `restored`: how many connections post nothing since the database was put
    back."""

    workers: tuple[Worker, ...] = ()
    oldest_seconds: Mapping[str, int | None] = field(default_factory=dict)
    for_persons: int = 0
    restored: int = 0


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that a person must know. `worker` is the kind of worker that is silent, or empty."""

    code: str
    sentence: str
    worker: str = ""


@dataclass(slots=True)
class _Bound:
    read: Callable[[], WorkState] | None = None


_bound = _Bound()


def bind(read: Callable[[], WorkState]) -> None:
    """Bind the port to the vendors' side."""
    _bound.read = read


def read_work_state() -> WorkState:
    """One cheap statement. `RuntimeError` when nothing is bound, which is a defect of the wiring."""
    if _bound.read is None:
        raise RuntimeError("telemetry.work_state is not bound: revops.wiring.bind_ports() must run at start-up")
    return _bound.read()


def troubles_in(work: WorkState) -> list[Trouble]:
    """What a person must know, the silent workers first. A waiting time that a silent worker explains is not told again."""
    found = [
        Trouble(f"silent_{worker.kind}", f"{_STANDS_STILL[worker.kind]} for {_duration(seconds)}.", worker.kind)
        for worker in work.workers
        if (seconds := worker.silent_seconds) is not None
    ]
    silent = {trouble.worker for trouble in found}
    explained = {"delivery": {"apply", "intake"}, "account": {"apply"}, "posting": {"posting"}}
    for what, limit in WAIT_SECONDS_MAX.items():
        seconds = work.oldest_seconds.get(what)
        if seconds is not None and seconds > limit and not silent & explained[what]:
            found.append(Trouble(f"overdue_{what}", f"{_WAITS[what]} for {_duration(seconds)}."))
    if work.for_persons:
        what = "An approved change waits" if work.for_persons == 1 else f"{work.for_persons} approved changes wait"
        found.append(Trouble(FOR_PERSON, f"{what} for a person: nobody knows whether it was made. See the exceptions."))
    if work.restored:
        what = "one system" if work.restored == 1 else f"{work.restored} systems"
        found.append(Trouble("restored", f"The database was put back: nothing is posted to {what} until that is settled."))
    return found


def _duration(seconds: int) -> str:
    for size, word in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size or (size == 60 and seconds >= 60):
            return f"{seconds // size} {word}"
    return f"{seconds} s"
