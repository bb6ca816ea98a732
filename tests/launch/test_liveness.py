"""Who lives and does nothing is ended and started again: real processes, and a web server that says what each test wants."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from launch import liveness
from launch.keeper import Keeper
from launch.liveness import Liveness
from launch.programs import PRODUCT, Program
from revops.worker_check import Answer, ask
from tests.launch.test_up import until


class Web:
    """Answers /readyz with `says`; None: hangs up."""

    def __init__(self) -> None:
        self.says: dict[str, Any] | None = {"ready": True, "database": "ok", "redis": "ok", "silent": []}
        self.asked = 0
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                web.asked += 1
                if web.says is None:
                    return
                body = json.dumps(web.says).encode()
                self.send_response(200 if web.says["ready"] else 503)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server.server_address[1])

    def tell(self, **said: Any) -> None:
        self.says = {"ready": True, "database": "ok", "redis": "ok", "silent": [], **said}


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.server.shutdown()
    made.server.server_close()


class House:
    """A sweeper, an apply worker and a web server that only sleep, and what looks after them."""

    def __init__(self, folder: Path, port: int) -> None:
        self.told: list[str] = []
        command = [sys.executable, "-c", "import time; time.sleep(120)"]
        programs = [Program(worker, PRODUCT, command, worker=worker) for worker in ("web", "sweep", "apply")]
        self.keeper = Keeper(programs, os.environ, folder, folder, self.told.append)
        for program in programs:
            self.keeper.start(program.name)
        self.liveness = Liveness(self.keeper, "127.0.0.1", port, self.told.append)
        self.first = self.keeper.pids()

    def watch(self, seconds: float) -> None:
        """Look after everything for a while."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self.keeper.report()
            self.liveness.check()
            time.sleep(0.01)

    def new(self) -> set[str]:
        """Whose process is another one than at first."""
        return {worker for worker, pid in self.keeper.pids().items() if pid != self.first[worker]}

    def watch_until_new(self, worker: str) -> None:
        def again() -> bool:
            self.watch(0.05)
            return worker in self.new()

        until(again, f"a new {worker}", 20)


@pytest.fixture
def house(web: Web, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(liveness, "ASK_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(liveness, "CONFIRMED_SECONDS", 0.3)
    monkeypatch.setattr(liveness, "GRACE_SECONDS", 0.5)
    monkeypatch.setattr(liveness, "UNANSWERED_SECONDS", 1.0)
    with tempfile.TemporaryDirectory(prefix="liveness-") as folder:
        made = House(Path(folder), web.port)
        yield made
        made.keeper.stop()


def test_a_silent_worker_is_ended_even_when_stopped_and_the_others_stay(house: House, web: Web) -> None:
    old = house.first["apply"]
    os.kill(old, signal.SIGSTOP)
    web.tell(silent=["apply"])
    house.watch_until_new("apply")
    assert house.new() == {"apply"}
    assert not psutil.pid_exists(old) or psutil.Process(old).status() == psutil.STATUS_ZOMBIE
    assert any("apply lives and does nothing while work waits" in line for line in house.told)
    web.tell()
    house.watch(1.5)
    assert len([line for line in house.told if "lives and" in line]) == 1


def test_a_new_process_has_its_grace(house: House, web: Web) -> None:
    web.tell(silent=["apply"])
    house.watch(0.6)  # silent all the time, but younger than the grace and the confirmation together
    assert house.new() == set()
    house.watch_until_new("apply")


def test_a_moment_of_silence_ends_nobody(house: House, web: Web) -> None:
    house.watch(1.0)
    for _ in range(6):
        web.tell(silent=["apply"])
        house.watch(0.12)
        web.tell()
        house.watch(0.12)
    assert house.new() == set()


@pytest.mark.parametrize(
    "away", [{"redis": "Redis does not answer"}, {"ready": False, "database": "the database does not answer"}]
)
def test_nobody_is_ended_for_what_is_away_elsewhere(house: House, web: Web, away: dict[str, Any]) -> None:
    web.tell(silent=["sweep", "apply"], **away)
    house.watch(2.0)
    assert web.asked > 10
    assert house.new() == set()


def test_the_sweeper_first_for_without_it_the_others_may_not_have_heard(house: House, web: Web) -> None:
    web.tell(silent=["sweep", "apply"])
    house.watch_until_new("sweep")
    assert house.new() == {"sweep"}
    web.tell(silent=["apply"])
    house.watch_until_new("apply")
    assert "web" not in house.new()


def test_a_web_server_that_answers_nothing_is_ended_late(house: House, web: Web) -> None:
    web.says = None
    house.watch(0.9)
    assert house.new() == set()
    house.watch_until_new("web")
    assert house.new() == {"web"}


def test_what_is_said_is_understood_or_is_no_answer(web: Web) -> None:
    web.tell(silent=["apply", "posting"])
    assert ask("127.0.0.1", web.port) == Answer(200, True, frozenset({"apply", "posting"}))
    web.tell(ready=False, database="away")
    assert ask("127.0.0.1", web.port) == Answer(503, False, frozenset())
    web.says = None
    assert ask("127.0.0.1", web.port) is None
    web.server.shutdown()
    web.server.server_close()
    assert ask("127.0.0.1", web.port) is None
