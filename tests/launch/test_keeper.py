"""The keeper of programs, with small real programs under a real supervisor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from launch import keeper as keeping
from launch.keeper import Keeper, KeepsDying
from launch.programs import PRODUCT, SERVERS, SIMULATORS, Program
from tests.launch.test_up import ROOT, gone, until

SLEEP = "import time; time.sleep(60)"


def python(name: str, code: str, *arguments: str, group: str = PRODUCT) -> Program:
    return Program(name, group, [sys.executable, "-c", code, *arguments])


class House:
    """A keeper in a folder of its own, and what it told."""

    def __init__(self, folder: Path, *programs: Program) -> None:
        self.folder, self.told = folder, list[str]()
        self.keeper = Keeper(list(programs), os.environ, folder, folder, self.told.append)
        for program in programs:
            self.keeper.start(program.name)

    def said(self, name: str) -> str:
        log = self.folder / f"{name}.log"
        return log.read_text() if log.exists() else ""

    def reported(self, *, ready: bool = False) -> bool:
        self.keeper.report(ready=ready)
        return True


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="keeper-") as folder:
        yield Path(folder)


@pytest.fixture
def house(place: Path) -> Iterator[Callable[..., House]]:
    made: list[House] = []

    def make(*programs: Program) -> House:
        made.append(House(place, *programs))
        return made[-1]

    yield make
    for each in made:
        each.keeper.stop()


def test_a_log_has_an_end_while_its_program_runs(house: Callable[..., House]) -> None:
    kept = house(python("child", "import time\nfor _ in range(120): print('x' * 99_999, flush=True)\ntime.sleep(60)"))
    former = kept.folder / "child.log.1"
    until(former.exists, "the log begins anew")
    until(lambda: former.stat().st_size + (kept.folder / "child.log").stat().st_size >= 12_000_000, "all is said")
    assert max(former.stat().st_size, (kept.folder / "child.log").stat().st_size) < 11_000_000
    assert kept.keeper.pids().keys() == {"child"}


def test_a_log_that_takes_nothing_more_costs_lines_and_no_program(house: Callable[..., House]) -> None:
    """As on a full disk: neither a log nor supervisor's own error output takes another byte."""
    kept = house(python("child", "import time\nwhile True: print('words', flush=True); time.sleep(0.01)"))
    until(lambda: "child" in kept.keeper.pids() and kept.said("child"), "it runs and speaks")
    first = kept.keeper.pids()["child"]
    [supervisor] = [each for each in psutil.Process().children() if "supervisor.supervisord" in each.cmdline()]
    supervisor.rlimit(psutil.RLIMIT_FSIZE, (0, 0))
    kept.keeper.end("child")
    until(lambda: kept.keeper.pids().get("child", first) != first, "it was started again, and supervisor lives")


def test_one_that_keeps_dying_is_given_up_on_with_its_last_lines(
    house: Callable[..., House], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "STARTS", 2)  # the pause grows by a second with each
    kept = house(python("child", "print('no such table'); raise SystemExit(3)"))
    with pytest.raises(KeepsDying, match=r"child died 2 times") as raised:
        until(lambda: kept.reported() and False, "given up on", 20)
    assert "no such table" in str(raised.value)
    assert len([line for line in kept.told if "child ended (exit status 3); starting it again" in line]) == 2


def test_once_all_is_ready_one_that_keeps_dying_takes_nobody_else_down(
    house: Callable[..., House], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried again, and stays up as soon as what killed it is gone."""
    monkeypatch.setattr(keeping, "STARTS", 2)
    monkeypatch.setattr(keeping, "AGAIN_SECONDS", 0.2)
    dies_until = "import os, sys, time; os.path.exists(sys.argv[1]) or sys.exit(3); time.sleep(60)"
    kept = house(python("other", SLEEP), python("child", dies_until, str(place / "cured")))
    others = kept.keeper.pids()["other"]

    def told_twice() -> bool:
        kept.reported(ready=True)
        return sum("child died 2 times" in line for line in kept.told) == 2

    until(told_twice, "given up on, tried again, given up on again", 20)
    assert any("the others go on" in line for line in kept.told)
    (place / "cured").touch()
    until(lambda: kept.reported(ready=True) and "child" in kept.keeper.pids(), "up again", 20)
    assert kept.keeper.pids()["other"] == others


def test_a_server_that_keeps_dying_ends_everything(house: Callable[..., House], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "STARTS", 1)
    kept = house(python("database", "raise SystemExit(3)", group=SERVERS))
    with pytest.raises(KeepsDying, match="database died"):
        until(lambda: kept.reported(ready=True) and False, "given up on", 20)


def test_one_that_is_killed_is_started_again_and_said(house: Callable[..., House]) -> None:
    kept = house(python("child", SLEEP))
    first = kept.keeper.pids()["child"]
    os.kill(first, signal.SIGKILL)
    until(lambda: kept.reported() and kept.keeper.pids().get("child", first) != first, "another one", 20)
    assert any(line.startswith("child ended (terminated by SIGKILL); starting it again") for line in kept.told)


def test_what_a_dead_program_left_in_its_group_ends_with_it(house: Callable[..., House]) -> None:
    code = f"import subprocess, sys, time; print(subprocess.Popen([sys.executable, '-c', {SLEEP!r}]).pid, flush=True); {SLEEP}"
    kept = house(python("child", code))
    until(lambda: kept.said("child").strip().isdigit(), "started", 20)
    left = psutil.Process(int(kept.said("child")))
    os.kill(kept.keeper.pids()["child"], signal.SIGKILL)
    until(lambda: gone([left]), "left one gone", 20)


def test_stop_goes_in_order_and_forces_what_does_not_listen(
    house: Callable[..., House], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "STOP_SECONDS", 1)
    note = place / "order"
    polite = (
        f"import signal, sys, time; end = lambda *_: (open({str(note)!r}, 'a').write(sys.argv[1]), sys.exit(0));"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    kept = house(
        python("last", polite, "b", group=SERVERS),
        python("first", polite, "a", group=SIMULATORS),
        python("deaf", deaf, group=PRODUCT),
    )
    until(lambda: all("up" in kept.said(name) for name in ("last", "first", "deaf")), "up", 20)
    processes = [psutil.Process(pid) for pid in kept.keeper.pids().values()]
    kept.keeper.stop()
    assert note.read_text() == "ab"
    assert gone(processes)


@pytest.mark.parametrize("killed", ["parent", "supervisor"])
def test_programs_die_with_a_parent_that_is_killed(place: Path, killed: str) -> None:
    code = (
        "import os, sys, time; from pathlib import Path; from launch.keeper import Keeper; from launch.programs import Program;"
        f"place = Path({str(place)!r}); one = Program('one', 'product', [sys.executable, '-c', {SLEEP!r}]);"
        "keeper = Keeper([one], os.environ, place, place, print); keeper.start('one');"
        "print(keeper.pids()['one'], keeper._process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        grandchild, supervisor = (psutil.Process(int(pid)) for pid in parent.stdout.readline().split())
        until(lambda: SLEEP in " ".join(grandchild.cmdline()[-1:]), "tied and running")
        (parent if killed == "parent" else supervisor).kill()
        until(lambda: gone([grandchild, supervisor]), "grandchild gone", 20)
        parent.kill()
