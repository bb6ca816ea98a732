"""`manage.py up` as a person meets it: the real program in its own folder on its own port, without the rehearsal."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from launch.embedded import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
pytestmark = [pytest.mark.timeout(1200)]
START_SECONDS = 420
"""A start takes 20 s on a machine of its own; this one may be shared."""


def until(true: Callable[[], object], what: str, timeout_seconds: float = 60.0, every_seconds: float = 0.05) -> None:
    """Wait until something is so, or fail saying what was not."""
    none_left(lambda: [] if true() else [what], timeout_seconds, every_seconds)


def none_left(left: Callable[[], Sequence[object]], timeout_seconds: float = 60.0, every_seconds: float = 0.05) -> None:
    """Wait until nothing of this is left, or fail saying what is."""
    deadline = time.monotonic() + timeout_seconds
    while found := left():
        assert time.monotonic() < deadline, f"after {timeout_seconds:.0f} s: not {found}"
        time.sleep(every_seconds)


class Up:
    """One `manage.py up` with `REVOPS_DEMO=0`, its output in a file."""

    def __init__(self, folder: Path, port: int, **variables: str) -> None:
        self.folder, self.port = folder, port
        self.output = folder.parent / f"{folder.name}-{time.monotonic_ns()}.out"
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("REVOPS_", "DJANGO_"))}
        for name in ("DATABASE_URL", "REDIS_URL"):
            environment.pop(name, None)
        environment |= {"REVOPS_DEMO": "0", "REVOPS_DATA_DIR": str(folder), "REVOPS_PORT": str(port), **variables}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "up"], cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
            )

    @property
    def said(self) -> str:
        return self.output.read_text()

    def ready(self) -> bool:
        assert self.process.poll() is None, self.said
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=2)
        with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        return False

    def readiness(self) -> dict[str, object]:
        """What /readyz says."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", "/readyz")
            found: dict[str, object] = json.loads(connection.getresponse().read())
        return found

    def children(self) -> list[psutil.Process]:
        return list(psutil.Process(self.process.pid).children(recursive=True))

    def child(self, *words: str) -> psutil.Process | None:
        for found in self.children():
            with contextlib.suppress(psutil.Error):
                if all(word in " ".join(found.cmdline()) for word in words):
                    return found
        return None

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Up]]:
    """What a test starts is gone afterwards, whatever happened."""
    running: list[Up] = []
    yield running
    for up in running:
        left = up.children() if up.process.poll() is None else []
        up.process.kill()
        up.process.wait()
        for child in left:
            with contextlib.suppress(psutil.Error):
                child.kill()


@pytest.fixture(scope="session")
def prepared() -> Iterator[Path]:
    """Where the data folders live. Not pytest's own folder: another session closes that to other accounts, such as the one
    that PostgreSQL runs as when these tests run as root."""
    folder = Path(tempfile.mkdtemp(prefix="revops-up-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def gone(processes: list[psutil.Process]) -> bool:
    return not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in processes)


CONNECTED = """
from revops.people.actors import System
from sync import connections
from tests.sync.connectors.talking import SETTINGS

someone = System("tests")
connections.connect(
    slug="salesforce", vendor="salesforce", base_url="https://nobody.invalid", values=SETTINGS["salesforce"], acting_user=someone,
)
connections.resume("salesforce", acting_user=someone)
"""


def run_beside(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`manage.py` in another terminal: it finds the running installation by its folder."""
    names = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}}
    environment = {**names, "REVOPS_DATA_DIR": str(folder), "REVOPS_DEMO": "0"}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def those_that_do_nothing_are_started_again(up: Up) -> None:
    """I48: the sweeper and the intake worker are stopped, not killed, and work comes in."""
    everybody = {
        words: up.child(*words) for words in (("sweep",), ("-Q", "intake"), ("-Q", "apply"), ("granian", "revops.serving"))
    }
    assert all(everybody.values())
    frozen = [everybody[("sweep",)], everybody[("-Q", "intake")]]
    for process in frozen:
        assert process
        process.suspend()
    # A connection whose system nobody can reach: there is something to read at once.
    connected = run_beside(up.folder, "shell", "--no-imports", "-c", CONNECTED)
    assert connected.returncode == 0, connected.stderr
    until(lambda: "sweeper lives and does nothing" in up.said, "the sweeper is missed", 300)
    until(lambda: "intake lives and does nothing" in up.said, "the intake worker is missed", 300)
    until(lambda: gone([process for process in frozen if process]), "the frozen ones are gone")
    until(lambda: up.readiness().get("silent") == [], "everybody is at work again", 120)
    for words, process in everybody.items():
        now = up.child(*words)
        assert now
        assert process
        assert (now.pid == process.pid) == (process not in frozen), words


@pytest.mark.slow
def test_it_starts_survives_killed_and_silent_children_and_stops_leaving_nothing(prepared: Path, started: list[Up]) -> None:
    # An initdb that was interrupted: the folder is there, the mark that it is complete is not.
    folder = prepared / "data"
    (folder / "postgres" / "base").mkdir(parents=True)
    folder.chmod(0o755)
    up = Up(folder, free_port())
    started.append(up)
    until(up.ready, "ready", START_SECONDS)
    until(lambda: "Ctrl-C" in up.said, "greeted", START_SECONDS)
    assert "half made" in up.said
    assert f"http://127.0.0.1:{up.port}" in up.said
    for words in (["-Q", "intake"], ["-Q", "apply"], ["-Q", "posting"], ["sweep"]):
        assert up.child(*words), words

    # Nobody else on this machine reads what is in it.
    assert folder.stat().st_mode & 0o066 == 0
    assert [kept for kept in folder.iterdir() if kept.stat().st_mode & 0o077] == []

    # A second one on the same folder says who holds it; one on another folder says that the port is taken.
    second = Up(folder, free_port())
    started.append(second)
    assert second.process.wait(20) == 3
    assert f"process {up.process.pid}" in second.said
    third = Up(prepared / "other", up.port)
    started.append(third)
    assert third.process.wait(20) == 4
    assert f"Port {up.port} is taken" in third.said
    assert up.ready()

    # Commands in another terminal find the running installation.
    found = run_beside(folder, "migrate", "--check")
    assert found.returncode == 0, found.stderr

    those_that_do_nothing_are_started_again(up)

    # Killed children come back: the web server, and the database under everything.
    victim = up.child("-Q", "apply")
    web = up.child("granian", "revops.serving")
    postgres = next(child for child in up.children() if child.name() == "postgres" and "-D" in child.cmdline())
    assert victim
    assert web
    for process in (victim, web, postgres):
        process.kill()
    until(lambda: "web ended (terminated by SIGKILL)" in up.said, "noticed")
    until(lambda: (found := up.child("-Q", "apply")) is not None and found.pid != victim.pid, "worker back")
    until(up.ready, "ready again")

    everything = up.children()
    assert len(everything) > 8
    assert up.end() == 0
    assert gone(everything)
    assert up.said.rstrip().endswith("Stopped.")

    # The second start finds its data; killed without warning, it leaves nothing running either.
    again = Up(folder, up.port)
    started.append(again)
    until(again.ready, "ready the second time", START_SECONDS)
    assert "first start" not in again.said
    everything = again.children()
    again.process.kill()
    until(lambda: gone(everything), "all gone after kill -9", 30)


def test_a_step_that_fails_ends_it_with_the_reason(prepared: Path, started: list[Up]) -> None:
    up = Up(prepared / "failing", free_port(), REVOPS_ENCRYPTION_KEY="c2hvcnQ=")
    started.append(up)
    assert up.process.wait(60) == 6
    assert "REVOPS_ENCRYPTION_KEY must be base64 of exactly 32 bytes" in up.said
    assert "Stopped." in up.said


@pytest.mark.parametrize(
    ("variables", "words"),
    [({"REVOPS_PORT": "eighty"}, "REVOPS_PORT must be"), ({"REVOPS_DEMO": "perhaps"}, "REVOPS_DEMO must be")],
)
def test_a_wrong_variable_is_named(prepared: Path, started: list[Up], variables: dict[str, str], words: str) -> None:
    up = Up(prepared / "wrong", free_port(), **variables)
    started.append(up)
    assert up.process.wait(20) == 2
    assert words in up.said
    assert not (prepared / "wrong").exists()


def test_a_data_folder_that_is_a_file_is_said_in_a_sentence(prepared: Path, started: list[Up]) -> None:
    (prepared / "a-file").touch()
    up = Up(prepared / "a-file", free_port())
    started.append(up)
    assert up.process.wait(20) == 9
    assert f"{prepared / 'a-file'}: it must be a folder that this account may write in" in up.said
    assert "name another one in REVOPS_DATA_DIR" in up.said
    assert "Traceback" not in up.said


def test_secrets_are_kept_for_their_owner_alone(prepared: Path) -> None:
    from launch.environment import kept_secrets

    folder = prepared / "secrets"
    folder.mkdir()
    made = kept_secrets(folder)
    assert kept_secrets(folder) == made
    assert (folder / "secrets.json").stat().st_mode & 0o077 == 0
    assert set(json.loads((folder / "secrets.json").read_text())) == set(made)


def test_lost_secrets_are_not_made_anew_beside_a_database(prepared: Path, started: list[Up]) -> None:
    folder = prepared / "lost"
    folder.mkdir()
    (folder / "postgres.made").touch()
    up = Up(folder, free_port())
    started.append(up)
    assert up.process.wait(20) != 0
    assert f"{folder / 'secrets.json'} is gone" in up.said
    assert "Put it back" in up.said
    assert "Traceback" not in up.said
    assert not (folder / "secrets.json").exists()
