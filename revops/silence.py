"""Workers that live and do nothing are ended, so that they are started again. Asks the web server, which knows.

`python -m revops.silence WORKER [PORT]` asks for one worker, as a health check: status 1 when it is silent.

A worker can hang where no deadline reaches: in a pattern that never comes to a match, in a broker's client that waits for a
connection that is gone. Its process lives, so nobody would start it again. What it held has a lease and is taken over.

Django-free, like everything that the supervisor imports.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import sys
import time
from collections.abc import Callable

from revops.children import Children

ASK_EVERY_SECONDS = 5.0
ANSWER_SECONDS = 5.0
"""Longer than the web server needs to find that the database does not answer."""
GRACE_SECONDS = 60.0
"""A process that was just started, or was asleep with the whole machine, gets this long to do something."""
CONFIRMED_SECONDS = 8.0
"""Silence must be seen for this long, by our own clock: the database's may have jumped."""
UNANSWERED_SECONDS = 120.0
"""After this long without any answer the web server itself is ended. It answers within seconds whatever is away."""
WEB, SWEEPER = "web", "sweep"


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What /readyz said. `able`: database and Redis are well, so whoever is silent is so for reasons of its own."""

    status: int
    able: bool = False
    silent: frozenset[str] = frozenset()


def ask(host: str, port: int) -> Answer | None:
    """Ask /readyz; None without an answer in time."""
    with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
        with contextlib.closing(http.client.HTTPConnection(host, port, timeout=ANSWER_SECONDS)) as connection:
            connection.request("GET", "/readyz")
            response = connection.getresponse()
            said = json.loads(response.read(20_000))
        able = said.get("database") == "ok" and said.get("redis") == "ok"
        return Answer(response.status, able, frozenset(map(str, said.get("silent", ()))))
    return None


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


def main(arguments: list[str]) -> int:
    """The health check of one worker on this machine. Without an answer nothing can be held against the worker."""
    worker, port = arguments[0], int(arguments[1]) if len(arguments) > 1 else 8000
    answer = ask("127.0.0.1", port)
    silent = answer is not None and worker in answer.silent
    print(f"{worker}: {'does nothing while work waits' if silent else 'nothing against it'}")  # noqa: T201
    return int(silent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
