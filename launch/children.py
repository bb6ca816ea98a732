"""Child processes kept alive: started again after a pause that grows, given up on when they keep dying, stopped in order.

Django-free. One thread only: the kernel ties a child's life to the thread that started it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from launch.embedded import dies_with_parent, open_log, tail
from launch.environment import PROJECT, EmbeddedError

DEATHS_MAX = 5
DEATHS_WINDOW_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 0.5
STOP_TIMEOUT_SECONDS = 20.0


class KeepsDying(Exception):
    """A child died `DEATHS_MAX` times within `DEATHS_WINDOW_SECONDS`. The message holds its last log lines."""


@dataclasses.dataclass(slots=True)
class Child:
    """One process being kept alive. `start` makes a new one; `worker` is the kind of worker whose signs of life are its, or
    empty; `deaths` holds monotonic seconds of the recent deaths, `started_at` of the last start."""

    name: str
    log: Path
    start: Callable[[], subprocess.Popen[bytes]]
    stop_order: int
    stop_signal: signal.Signals = signal.SIGTERM
    worker: str = ""
    process: subprocess.Popen[bytes] | None = None
    deaths: list[float] = dataclasses.field(default_factory=list)
    start_again_at: float = 0.0
    started_at: float = 0.0

    def begin(self) -> None:
        """Start a new process."""
        self.process = self.start()
        self.started_at = time.monotonic()

    def signal_group(self, number: signal.Signals) -> None:
        """Send a signal to the process and to whatever it left in its group."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, number)


def starter(
    command: list[str], environment: Mapping[str, str], log: Path, death_signal: signal.Signals
) -> Callable[[], subprocess.Popen[bytes]]:
    """What starts `command` in a group of its own, its output going to `log`."""

    def start() -> subprocess.Popen[bytes]:
        with open_log(log) as output:
            return subprocess.Popen(
                command,
                cwd=PROJECT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=dies_with_parent(death_signal),
            )

    return start


class Children:
    """All of them. `tell` gets one line for each death and each new start."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._children: list[Child] = []

    def __len__(self) -> int:
        return len(self._children)

    def keep(self, child: Child) -> None:
        """Start it now, and again whenever it dies. What its `start` raises on this first time is the caller's."""
        self._children.append(child)
        child.begin()

    def of_workers(self) -> list[Child]:
        """Those whose processes run and give signs of life elsewhere."""
        return [child for child in self._children if child.worker and child.process is not None]

    def end(self, child: Child) -> None:
        """End a process by force, also one that is stopped or deaf. The next look starts it again."""
        child.signal_group(signal.SIGKILL)

    def look(self) -> None:
        """Notice deaths and start again what is due. Raises `KeepsDying`."""
        now = time.monotonic()
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._died(child, f"ended with {_described(child.process.returncode)}", now)
            elif child.process is None and now >= child.start_again_at:
                try:
                    child.begin()
                except (EmbeddedError, OSError) as error:
                    self._died(child, str(error), time.monotonic())

    def _died(self, child: Child, how: str, now: float) -> None:
        child.signal_group(signal.SIGKILL)
        child.process = None
        child.deaths = [death for death in child.deaths if now - death < DEATHS_WINDOW_SECONDS] + [now]
        if len(child.deaths) >= DEATHS_MAX:
            raise KeepsDying(
                f"{child.name} died {DEATHS_MAX} times in a minute, the last time it {how}. "
                f"The end of its log, {child.log}:\n\n{tail(child.log)}"
            )
        pause_seconds = FIRST_PAUSE_SECONDS * 2 ** (len(child.deaths) - 1)
        child.start_again_at = now + pause_seconds
        self._tell(f"{child.name} {how}; starting it again in {pause_seconds:g} s (log: {child.log})")

    def stop(self) -> None:
        """Stop all, lowest `stop_order` first; those of one order together. Whoever does not end in time is ended by force."""
        for order in sorted({child.stop_order for child in self._children}):
            batch = [child for child in self._children if child.stop_order == order and child.process is not None]
            for child in batch:
                if child.process is not None and child.process.poll() is None:
                    child.process.send_signal(child.stop_signal)
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            for child in batch:
                if child.process is not None:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        child.process.wait(max(0.1, deadline - time.monotonic()))
                    child.signal_group(signal.SIGKILL)
                    child.process.wait()
                    child.process = None


def _described(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    with contextlib.suppress(ValueError):
        return f"signal {signal.Signals(-status).name}"
    return f"signal {-status}"
