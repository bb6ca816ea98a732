"""The keeper of processes, with small real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from launch import children as keeping
from launch.children import Child, Children, KeepsDying, starter
from tests.launch.test_up import gone, until


def child(folder: Path, code: str, name: str = "child", stop_order: int = 0) -> Child:
    log = folder / f"{name}.log"
    return Child(name, log, starter([sys.executable, "-c", code], os.environ, log, signal.SIGKILL), stop_order)


def test_one_that_keeps_dying_is_given_up_on_with_its_last_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "FIRST_PAUSE_SECONDS", 0.01)
    told: list[str] = []
    children = Children(told.append)
    children.keep(child(tmp_path, "print('no such table'); raise SystemExit(3)"))

    def look_forever() -> None:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            children.look()

    with pytest.raises(KeepsDying, match=r"child died 5 times in a minute, the last time it ended with status 3") as raised:
        look_forever()
    assert "no such table" in str(raised.value)
    assert len(told) == 4
    children.stop()


def test_what_a_dead_child_left_in_its_group_ends_with_it(tmp_path: Path) -> None:
    sleeper = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    code = f"import subprocess, sys, time; print(subprocess.Popen({sleeper}).pid, flush=True); time.sleep(60)"
    children = Children(lambda _: None)
    parent = child(tmp_path, code)
    children.keep(parent)
    until(lambda: (tmp_path / "child.log").read_text().strip().isdigit(), "started")
    left = psutil.Process(int((tmp_path / "child.log").read_text()))
    assert parent.process
    parent.process.kill()
    until(lambda: _looked(children) and gone([left]), "left one gone")
    children.stop()


def _looked(children: Children) -> bool:
    children.look()
    return True


def test_stop_goes_in_order_and_forces_whoever_does_not_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "STOP_TIMEOUT_SECONDS", 1.0)
    note = tmp_path / "order"
    polite = (
        "import signal, sys, time\n"
        f"def end(*_):\n    open({str(note)!r}, 'a').write(sys.argv[1]); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('up', flush=True); time.sleep(60)"
    )
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
    children = Children(lambda _: None)
    kept = []
    for name, code, order in (("b", polite, 2), ("a", polite, 1), ("deaf", deaf, 0)):
        log = tmp_path / f"{name}.log"
        start = starter([sys.executable, "-c", code, name], os.environ, log, signal.SIGKILL)
        kept.append(Child(name, log, start, order))
        children.keep(kept[-1])
    until(lambda: all("up" in one.log.read_text() for one in kept), "up")
    pids = [psutil.Process(one.process.pid) for one in kept if one.process]
    children.stop()
    assert note.read_text() == "ab"
    assert gone(pids)


def test_children_die_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    code = (
        "import os, signal, sys, time; from pathlib import Path; from launch.children import *;"
        f"log = Path({str(tmp_path / 'grandchild.log')!r});"
        "command = [sys.executable, '-c', 'import time; time.sleep(60)'];"
        "children = Children(print); start = starter(command, os.environ, log, signal.SIGKILL);"
        "one = Child('one', log, start, 0); children.keep(one); print(one.process.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        grandchild = psutil.Process(int(parent.stdout.readline()))
        assert not gone([grandchild])
        parent.kill()
        until(lambda: gone([grandchild]), "grandchild gone", 10)
