"""Our own programs as real processes against the test database: the web server, a worker, the sweeper."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from django.db import connections

from launch.embedded import free_port
from launch.programs import web_server_command
from launch.tied import dies_with_parent

ROOT = Path(__file__).resolve().parents[2]


def until(question: Callable[[], object], seconds: float = 60.0) -> None:
    """Ask until the answer is true. Fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.05)


def environment(**over: str) -> dict[str, str]:
    """The environment of a child that uses this test run's database and Redis."""
    settings = connections["default"].settings_dict
    place = quote(str(settings["HOST"] or settings["OPTIONS"].get("host", "")), safe="")
    url = f"postgresql://{settings['USER']}@/{settings['NAME']}?host={place}"
    return {**os.environ, "DATABASE_URL": url, "PYTHONPATH": str(ROOT), "REVOPS_LOG_LEVEL": "WARNING", **over}


@contextmanager
def running(command: list[str], **over: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child in a group of its own; ended when the block ends."""
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=environment(**over),
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=dies_with_parent(signal.SIGTERM),
        )
        try:
            yield child
        except BaseException:
            log.seek(0)
            print(log.read().decode(errors="replace")[-4000:])
            raise
        finally:
            end(child)


def end(child: subprocess.Popen[bytes], number: signal.Signals = signal.SIGTERM) -> None:
    if child.poll() is None:
        os.killpg(child.pid, number)
        try:
            child.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
    except OSError:
        return False
    return True


@contextmanager
def serving(port: int, **over: str) -> Iterator[subprocess.Popen[bytes]]:
    """The product's web server on that port as `make up` runs it: the process, which a test may kill."""
    with running(web_server_command("127.0.0.1", port)[1:], **over) as child:
        until(lambda: child.poll() is not None or answers(port))
        assert child.poll() is None, "the web server ended"
        yield child


@contextmanager
def web_server(**over: str) -> Iterator[str]:
    """The product's web server. Gives `http://127.0.0.1:<port>`."""
    port = free_port()
    with serving(port, **over):
        yield f"http://127.0.0.1:{port}"


def worker(*queues: str) -> list[str]:
    """The command of a worker as `make up` runs it."""
    return [
        "-m", "celery", "-A", "revops", "worker", "-Q", ",".join(queues), "--pool", "solo", "-n", f"{'-'.join(queues)}@test",
        "--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING",
    ]  # fmt: skip
