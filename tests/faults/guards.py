"""Take a guard away and see a run turn red: `python -m tests.faults.guards [WORD ...]`.

The tree is copied into a temporary folder and one product is started from it. For each guard its text is replaced there, the
programs that have read it are started anew, and the seeds from 1 to 50 are run until a promise is broken; seeds that draw nothing
that the guard is about are passed over. Prints a line a guard; ends with 1 when one can be taken away unnoticed. Words choose the
guards whose name holds one of them.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from scripts.guards.__main__ import GUARDS, LEFT_OUT, ROOT
from scripts.guards.guard import Guard
from tests.faults.draw import Run, draw
from tests.faults.installation import Installation, installed
from tests.faults.runs import Runs
from tests.faults.strikes import process
from tests.launch.test_up import until

SEEDS = range(1, 51)
ANEW_SECONDS = 240
HERE = "--here"
"""Said by ourselves to ourselves, in the copy."""
PROGRAMS = ("web", "intake", "apply", "posting", "sweeper")


@dataclass(frozen=True, slots=True)
class Taken:
    """A guard of the list that `python -m scripts.guards` takes from the tests as well, and which runs it matters to."""

    name: str
    about: Callable[[Run], bool]

    @property
    def guard(self) -> Guard:
        return next(guard for guard in GUARDS if guard.name == self.name)


def _row(*words: str) -> Callable[[Run], bool]:
    """A vendor fault whose row holds one of the words."""
    return lambda run: any(word in fault.row for fault in run.vendor_faults for word in words)


TAKEN = (
    Taken(
        "outbox: what left is unknown whatever was answered", _row("28 after", "31 after", "32 after", "28: effect", "read-back")
    ),
    Taken("outbox: an error is unknown and not refused", _row("effect, reset", "24 after", "29 after", "silence")),
    Taken("outbox: look-up before resend", _row("effect, reset", "24 after", "29 after", "silence")),
    Taken("outbox: absent is seen twice", _row("26")),
    Taken("outbox: a refusal counts when nothing is found", _row("for good")),
    Taken("evidence: watched in every state", lambda run: any(each.stray for each in run.credits)),
    Taken("alarms: what waits for a person is an exception", lambda run: any(each.stray for each in run.credits)),
    Taken(
        "outbox: rights are read when the first byte may leave",
        lambda run: any(each.ending == "leave" for each in run.credits),
    ),
    Taken("cases: what is left of a partial fix stays said", lambda run: any(each.part < 100 for each in run.credits)),
)


def main(words: list[str]) -> int:
    """In a copy of the tree."""
    if words[:1] == [HERE]:
        return _here(words[1:])
    with tempfile.TemporaryDirectory(prefix="revops-faults-guards-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        (copy / ".venv").symlink_to((ROOT / ".venv").resolve())
        Path(folder).chmod(0o755)
        return subprocess.run([sys.executable, "-m", "tests.faults.guards", HERE, *words], cwd=copy, check=False).returncode


def _here(words: list[str]) -> int:
    chosen = [each for each in TAKEN if not words or any(word in each.name for word in words)]
    survived = 0
    with installed() as installation:
        runs = Runs(installation, Path(tempfile.gettempdir()) / "revops-faults-guards")
        for each in chosen:
            red = _red(each, runs)
            survived += red is None
            print(f"{'seed ' + str(red[0]) if red else 'SURVIVED':<9} {each.name:<58} {red[1] if red else ''}", flush=True)
    print(f"{len(chosen) - survived} of {len(chosen)} noticed")
    return 1 if survived else 0


def _red(taken: Taken, runs: Runs) -> tuple[int, str] | None:
    """The first seed that turns red without the guard, and what it found."""
    path, guard = ROOT / taken.guard.path, taken.guard
    kept = path.read_text()
    assert kept.count(guard.old) == 1, guard
    path.write_text(kept.replace(guard.old, guard.new))
    try:
        _start_anew(runs.installation)
        for seed in SEEDS:
            if taken.about(draw(seed, disk=False)):
                verdict = runs.one(seed)
                if verdict.findings:
                    return seed, "; ".join(map(str, verdict.findings))[:300]
                print(f"  seed {seed} is in order", flush=True)
        return None
    finally:
        path.write_text(kept)  # the next guard has the programs read it again


def _start_anew(installation: Installation) -> None:
    """The programs read their code again."""
    before = {name: found for name in PROGRAMS if (found := process(installation, name)) is not None}
    for found in before.values():
        with contextlib.suppress(psutil.Error):
            found.send_signal(signal.SIGKILL)

    def again() -> bool:
        now = {name: process(installation, name) for name in PROGRAMS}
        return all(found is not None and found.pid != before[name].pid for name, found in now.items() if name in before)

    until(again, "the programs are back", ANEW_SECONDS)
    until(installation.ready, "the product is ready", ANEW_SECONDS)
    until(lambda: not installation.readiness()["silent"], "every worker gives a sign", ANEW_SECONDS, every_seconds=0.5)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
