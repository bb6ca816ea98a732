"""The doorbell: tells the workers that there is something to do. Losing a ring costs seconds, never work.

A ring is handed to one background thread a process, which tells Celery at once and then at most every `INTERVAL_SECONDS`, so
many rows make one ring and a broker that is down, full or frozen holds nobody up. The sweeper rings again for what is still
due. Nothing is ever put into a ring: the table is the queue.
"""

from __future__ import annotations

import logging
import os
import threading
import time

from celery import current_app

INTERVAL_SECONDS = 0.25
_log = logging.getLogger("sync.ground.doorbell")


class Doorbell:
    """One thread, started at the first ring and again after a fork."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._wanted: set[str] = set()
        self._woken = threading.Event()
        self._idle = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = 0

    def ring(self, task: str) -> None:
        """Ask for a run of `sync.workers.tasks.<task>` soon. Returns at once and never raises."""
        with self._lock:
            self._wanted.add(task)
            self._idle.clear()
            if self._thread is None or self._pid != os.getpid() or not self._thread.is_alive():
                self._pid = os.getpid()
                self._thread = threading.Thread(target=self._run, name="doorbell", daemon=True)
                self._thread.start()
        self._woken.set()

    def wait_until_rung(self, timeout_seconds: float = 2.0) -> bool:
        """For commands that end soon: wait until what was asked for has been told, or the time is over."""
        with self._lock:
            if not self._wanted and self._thread is None:
                return True
        return self._idle.wait(timeout_seconds)

    def _run(self) -> None:
        while True:
            self._woken.wait()
            self._woken.clear()
            with self._lock:
                wanted, self._wanted = self._wanted, set()
            for task in sorted(wanted):
                _tell(task)
            with self._lock:
                if not self._wanted:
                    self._idle.set()
            time.sleep(INTERVAL_SECONDS)


def _tell(task: str) -> None:
    try:
        current_app.send_task(f"sync.workers.tasks.{task}", ignore_result=True)
    except Exception as error:  # noqa: BLE001, RUF100 - whatever the broker does, the work is safe in the table
        _log.warning("the doorbell is out of order", extra={"task": task, "error": type(error).__name__})


_bell = Doorbell()
ring = _bell.ring
wait_until_rung = _bell.wait_until_rung
