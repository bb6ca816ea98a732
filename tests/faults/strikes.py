"""What happens to our own processes: killed, frozen, emptied, held up by slow clients, out of disk. Only processes under the
product's own supervisor are touched, each by its id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import redis

from tests.faults.draw import Strike

if TYPE_CHECKING:
    from tests.faults.installation import Installation

WORDS = {
    "web": ("granian", ".application:application"),
    "intake": ("celery", "-Q intake"),
    "apply": ("celery", "-Q apply"),
    "posting": ("celery", "-Q posting"),
    "sweeper": ("manage.py", "sweep"),
    "redis": ("valkey-server",),
    "postmaster": ("bin/postgres", "-D"),
    "backend": ("postgres: ", "revops_application"),
}
"""The processes by words of their command lines."""
SLOW_CLIENTS = 200
TOLD_SECONDS = 15
"""How long a disk may be full before it is said."""


def process(installation: Installation, name: str) -> psutil.Process | None:
    """The running process of that name; None while it is away."""
    if name == "web worker":
        web = process(installation, "web")
        with contextlib.suppress(psutil.Error):
            return next(iter(web.children()), None) if web else None
        return None
    return installation.child(*WORDS[name])


def strike(installation: Installation, wanted: Strike) -> bool:
    """Do it, to its end; whether it could be done. Raises `TimeoutError` when what should be said of it is not."""
    done: Callable[[Installation, Strike], bool] = {
        "kill": _kill, "stop": _stop, "flush": _flush, "slow": _slow, "disk": _disk,
    }[wanted.kind]  # fmt: skip
    with contextlib.suppress(psutil.Error):
        return done(installation, wanted)
    return False


def _kill(installation: Installation, wanted: Strike) -> bool:
    found = process(installation, wanted.target)
    if found is None:
        return False
    found.send_signal(signal.SIGKILL)
    return True


def _stop(installation: Installation, wanted: Strike) -> bool:
    found = process(installation, wanted.target)
    if found is None:
        return False
    found.send_signal(signal.SIGSTOP)
    try:
        time.sleep(wanted.seconds)
    finally:
        with contextlib.suppress(psutil.Error):
            found.send_signal(signal.SIGCONT)
    return True


def _flush(installation: Installation, wanted: Strike) -> bool:
    """Emptied again and again for so long."""
    ends = time.monotonic() + wanted.seconds
    emptied = False
    with redis.Redis.from_url(installation.environment["REDIS_URL"], socket_timeout=1) as client:
        while time.monotonic() < ends:
            with contextlib.suppress(redis.RedisError):
                client.flushall()
                emptied = True
            time.sleep(0.05)
    return emptied


def _slow(installation: Installation, wanted: Strike) -> bool:
    """Clients that send a header and then a byte now and then."""
    head = b"POST /intake/stripe/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 400\r\n\r\n"
    opened: list[socket.socket] = []
    ends = time.monotonic() + wanted.seconds
    try:
        for _ in range(SLOW_CLIENTS):
            with contextlib.suppress(OSError):
                opened.append(socket.create_connection(("127.0.0.1", installation.port), timeout=1))
                opened[-1].sendall(head)
        while time.monotonic() < ends:
            for each in opened:
                with contextlib.suppress(OSError):
                    each.sendall(b" ")
            time.sleep(0.5)
    finally:
        for each in opened:
            each.close()
    return bool(opened)


def _disk(installation: Installation, wanted: Strike) -> bool:
    """Fill what is left of the product's own small disk, until `/readyz` has said so. Raises `TimeoutError` when it does not."""
    filler = Path(installation.folder) / "filler"
    try:
        with filler.open("wb", buffering=0) as file:
            block = bytes(1 << 20)
            for _ in range(installation.disk_megabytes + 1):
                file.write(block)
    except OSError:
        _wait_until_told(installation, wanted.seconds)
        return True
    finally:
        with contextlib.suppress(OSError):
            os.unlink(filler)
    return False


def _wait_until_told(installation: Installation, seconds: float) -> None:
    """At least for so long."""
    began, told = time.monotonic(), False
    while not told or time.monotonic() < began + seconds:
        with contextlib.suppress(OSError, ValueError):
            told = told or "disk" in str(installation.readiness().get("database"))
        if not told and time.monotonic() > began + TOLD_SECONDS:
            raise TimeoutError(f"the disk was full for {TOLD_SECONDS} s, and /readyz did not say so")
        time.sleep(0.1)
