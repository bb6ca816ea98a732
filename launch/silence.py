"""Workers that live and do nothing are ended, so that they are started again. Asks the web server, which knows.

A worker can hang where no deadline reaches: in a pattern that never comes to a match, in a broker's client that waits for a
connection that is gone. Its process lives, so nobody would start it again. What it held has a lease and is taken over.

Django-free, like everything that the supervisor imports.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from launch.children import Children
from revops.worker_check import Answer, ask

ASK_EVERY_SECONDS = 5.0
GRACE_SECONDS = 60.0
"""A process that was just started, or was asleep with the whole machine, gets this long to do something."""
CONFIRMED_SECONDS = 8.0
"""Silence must be seen for this long, by our own clock: the database's may have jumped."""
UNANSWERED_SECONDS = 120.0
"""After this long without any answer the web server itself is ended. It answers within seconds whatever is away."""
WEB, SWEEPER = "web", "sweep"


class Silence:
    """Looks after the workers among `children`: those that name a `worker`."""

    def __init__(self, children: Children, host: str, port: int, tell: Callable[[str], None]) -> None:
        self._children, self._host, self._port, self._tell = children, host, port, tell
        self._ask_at = 0.0
        self._since: dict[str, float] = {}

    def look(self) -> None:
        """Ask when it is time, and end who has been silent for too long. Call it often."""
        if time.monotonic() < self._ask_at:
            return
        answer = ask(self._host, self._port)
        now = time.monotonic()
        self._ask_at = now + ASK_EVERY_SECONDS
        silent = self._silent(answer)
        self._since = {worker: self._since.get(worker, now) for worker in silent}
        for child in self._children.of_workers():
            enough = UNANSWERED_SECONDS if child.worker == WEB else CONFIRMED_SECONDS
            if child.worker in silent and now - max(self._since[child.worker], child.started_at + GRACE_SECONDS) >= enough:
                what = "answers nothing" if child.worker == WEB else "does nothing while work waits"
                self._tell(f"{child.name} lives and {what}; ending it")
                self._children.end(child)

    @staticmethod
    def _silent(answer: Answer | None) -> frozenset[str]:
        if answer is None:
            return frozenset({WEB})
        if not answer.able:
            return frozenset()
        # Without the sweeper the others may merely not have heard that there is work.
        return frozenset({SWEEPER}) if SWEEPER in answer.silent else answer.silent
