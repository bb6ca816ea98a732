"""Asks `/readyz` which workers do nothing while work waits for them. Django-free, so that a health check costs little.

`python -m revops.worker_check WORKER [PORT]` is the health check of one worker's container: status 1 when it is silent.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import sys

ANSWER_SECONDS = 5.0
"""Longer than the web server needs to find that the database does not answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Answer:
    """What /readyz said. `able`: database and Redis are well, so a silent worker is silent for reasons of its own."""

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


def main(arguments: list[str]) -> int:
    """The health check of one worker on this machine. Without an answer nothing can be held against the worker."""
    worker, port = arguments[0], int(arguments[1]) if len(arguments) > 1 else 8000
    answer = ask("127.0.0.1", port)
    silent = answer is not None and worker in answer.silent
    print(f"{worker}: {'does nothing while work waits' if silent else 'nothing against it'}")  # noqa: T201
    return int(silent)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
