"""What the simulator tests share: the control API as an outsider calls it, a webhook receiver, a deadline."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import requests

from demo.simulators.__main__ import VENDORS, main
from launch.embedded import answers, free_port

ROOT = Path(__file__).resolve().parents[3]
Json = dict[str, Any]


class Control:
    """The control API of one simulator."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get(self, path: str) -> Any:
        answer = requests.get(f"{self.url}/_sim/{path}", timeout=5)
        answer.raise_for_status()
        return answer.json()

    def load(self, collection: str, *objects: Json, emit: bool = False) -> None:
        lines = "\n".join(json.dumps({"collection": collection, "object": each}) for each in objects)
        answer = requests.post(f"{self.url}/_sim/load", params={"emit": "1"} if emit else {}, data=lines, timeout=10)
        assert answer.status_code == 200, answer.text

    def change(self, **wish: Any) -> Json:
        answer = requests.post(f"{self.url}/_sim/change", json=wish, timeout=5)
        assert answer.status_code == 200, answer.text
        changed: Json = answer.json()
        return changed

    def fault(self, method: str, path: str, **wish: Any) -> None:
        body = {"match": {"method": method, "path": path}, **wish}
        requests.post(f"{self.url}/_sim/faults", json=body, timeout=5).raise_for_status()

    def clear_faults(self) -> None:
        requests.delete(f"{self.url}/_sim/faults", timeout=5).raise_for_status()

    def deliveries(self, **wish: Any) -> None:
        requests.put(f"{self.url}/_sim/deliveries", json=wish, timeout=5).raise_for_status()


class Receiver:
    """Takes webhooks; answers the statuses in `answers` first (0 hangs up), then 202."""

    def __init__(self) -> None:
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.received.append((dict(self.headers), body))
                status = receiver.answers.pop(0) if receiver.answers else 202
                self.close_connection = True
                if status:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.send_header("Connection", "close")
                    self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/intake/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def eventually(check: Callable[[], Any], seconds: float = 10) -> Any:
    """The first true value of `check`, or the test fails at the deadline."""
    end = time.monotonic() + seconds
    while not (value := check()):
        assert time.monotonic() < end, "nothing happened before the deadline"
        time.sleep(0.02)
    return value


@contextmanager
def process(vendor: str, port: int, data: Path) -> Iterator[subprocess.Popen[str]]:
    """The simulator started from its command line, ready; killed at the end."""
    command = [sys.executable, "-m", "demo.simulators", vendor, "--port", str(port), "--data", str(data)]
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
        assert running.stdout
        try:
            assert running.stdout.readline() == f"{vendor} simulator ready on http://127.0.0.1:{port}\n"
            yield running
        finally:
            running.kill()
            running.communicate()


_forks = multiprocessing.get_context("forkserver")
_forks.set_forkserver_preload(["demo.simulators.__main__", *(f"demo.simulators.{vendor}" for vendor in VENDORS)])


@contextmanager
def simulator(vendor: str, data: Path) -> Iterator[Control]:
    """The simulator as a process of its own on a free port, ready; killed at the end. It is forked from a process that has
    imported the simulators: a new Python would take longer for its imports than most tests for everything else."""
    port = free_port()
    running = _forks.Process(target=_serve, args=(vendor, port, data), daemon=True)
    running.start()
    try:
        eventually(lambda: running.exitcode is not None or answers(port), 30)
        assert running.exitcode is None, f"the {vendor} simulator ended with {running.exitcode}"
        yield Control(f"http://127.0.0.1:{port}")
    finally:
        running.kill()
        running.join()


def _serve(vendor: str, port: int, data: Path) -> None:
    threading.Thread(target=_end_with_the_tests, daemon=True).start()
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        sys.exit(main([vendor, "--port", str(port), "--data", str(data)]))


def _end_with_the_tests() -> None:
    tests = multiprocessing.parent_process()
    assert tests
    tests.join()
    os._exit(1)
