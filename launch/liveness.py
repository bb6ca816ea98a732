"""Workers that live and do nothing are ended, so that they are started again. Asks the web server, which knows.

A worker can hang where no deadline reaches: in a pattern that never comes to a match, in a broker's client that waits for a
connection that is gone. Its process lives, so supervisor would leave it. What it held has a lease and is taken over.

By hand because supervisor has no health checks, and the plug-ins that add one ask about one program and end that program: here
one answer is about five of them, and a silent worker is spared while the database, Redis or the sweeper is what is wrong.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from launch.keeper import Keeper
from revops.worker_check import Answer, ask

ASK_EVERY_SECONDS = 5.0
GRACE_SECONDS = 60.0
"""A process that was just started, or was asleep with the whole machine, gets this long to do something."""
CONFIRMED_SECONDS = 8.0
"""Silence must be seen for this long, by our own clock: the database's may have jumped."""
UNANSWERED_SECONDS = 120.0
"""After this long without any answer the web server itself is ended. It answers within seconds whatever is away."""
WEB, SWEEPER = "web", "sweep"


class Liveness:
    """Looks after the programs that name a `worker`."""

    def __init__(self, keeper: Keeper, host: str, port: int, tell: Callable[[str], None]) -> None:
        self._keeper, self._host, self._port, self._tell = keeper, host, port, tell
        self._ask_at = 0.0
        self._silent_since: dict[str, float] = {}
        self._running_since: dict[tuple[str, int], float] = {}

    def check(self) -> None:
        """Ask when it is time, and end what has been silent for too long. Call it often."""
        if time.monotonic() < self._ask_at:
            return
        answer = ask(self._host, self._port)
        now = time.monotonic()
        self._ask_at = now + ASK_EVERY_SECONDS
        workers = {name: program.worker for name, program in self._keeper.programs.items() if program.worker}
        processes = {(name, pid) for name, pid in self._keeper.pids().items() if name in workers}
        self._running_since = {process: self._running_since.get(process, now) for process in processes}
        silent = self._silent(answer)
        self._silent_since = {worker: self._silent_since.get(worker, now) for worker in silent}
        for (name, _), running_since in self._running_since.items():
            worker = workers[name]
            enough = UNANSWERED_SECONDS if worker == WEB else CONFIRMED_SECONDS
            if worker in silent and now - max(self._silent_since[worker], running_since + GRACE_SECONDS) >= enough:
                what = "answers nothing" if worker == WEB else "does nothing while work waits"
                self._tell(f"{name} lives and {what}; ending it")
                self._keeper.end(name)

    @staticmethod
    def _silent(answer: Answer | None) -> frozenset[str]:
        if answer is None:
            return frozenset({WEB})
        if not answer.able:
            return frozenset()
        # Without the sweeper the others may merely not have heard that there is work.
        return frozenset({SWEEPER}) if SWEEPER in answer.silent else answer.silent
