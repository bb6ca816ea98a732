"""What `make up` runs: its long-running programs and its steps. Starts nothing itself.

The workers use Celery's solo pool, one process a queue, to save memory. That pool does not enforce task time limits; each task
ends by its own deadline (`sync.workers.tasks`), and a worker that hangs where no deadline reaches is silent and ended
(`launch.liveness`). `docker-compose.yml` uses prefork, where Celery's limits do that.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from launch.environment import PROJECT
from launch.installation import Installation

VENDORS = ("salesforce", "gainsight", "stripe", "netsuite")
QUEUES = ("intake", "apply", "posting")
SERVERS, SIMULATORS, PRODUCT = "servers", "simulators", "product"
GROUPS = (SERVERS, SIMULATORS, PRODUCT)
"""Stopped one after the other, the last one first; the programs of a group stop together."""
SIMULATORS_ABOVE = 101
"""The simulators listen from this far above the web server: two installations at once do not reach for the same ports."""
MANAGE = [sys.executable, str(PROJECT / "manage.py")]


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """One long-running program. `stop_signal` asks it to end; the kernel sends it `death_signal` when its keeper was killed.

    Granian hands TERM on to its worker and PostgreSQL ends its sessions on INT, so they are asked; the others hold nothing that a
    sudden end could harm. `worker` is the kind of worker whose signs of life `/readyz` tells; `account` runs it in root's place.
    """

    name: str
    group: str
    command: list[str]
    death_signal: str = "KILL"
    stop_signal: str = "TERM"
    worker: str = ""
    account: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A command that runs to its end before the programs start. `key` names what it depends on: an equal key runs once.
    `as_owner`: it is told the address of the account that owns the tables."""

    name: str
    label: str
    command: list[str]
    key: str
    shows_progress: bool = False
    as_owner: bool = False


def simulators(installation: Installation, ports: Mapping[str, int]) -> list[Program]:
    """The four vendors' simulators, each told where its webhooks go. What signs them is in the environment: everybody on a
    machine can read a command line."""
    found = []
    for vendor in VENDORS:
        command = [sys.executable, "-m", "demo.simulators", vendor, "--port", str(ports[vendor])]
        command += ["--data", str(installation.folder / "simulators")]
        command += ["--webhook-url", f"{installation.url}/intake/{vendor}/"]
        found.append(Program(f"simulator-{vendor}", SIMULATORS, command))
    return found


def product(installation: Installation) -> list[Program]:
    """The product itself: web, one worker a queue, the sweeper, and in the demo the company at play."""
    python = sys.executable
    granian = web_server_command(installation.host, installation.port)
    found = [Program("web", PRODUCT, granian, death_signal="TERM", worker="web")]
    for queue in QUEUES:
        celery = [python, "-m", "celery", "-A", "revops", "worker", "-Q", queue, "--pool", "solo", "-n", f"{queue}@%h"]
        celery += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
        found.append(Program(queue, PRODUCT, celery, worker=queue))
    found.append(Program("sweeper", PRODUCT, [*MANAGE, "sweep"], worker="sweep"))
    if installation.demo:
        found.append(Program("rehearsal", PRODUCT, [*MANAGE, "demo", "--play"]))
    return found


def web_server_command(host: str, port: int) -> list[str]:
    """The web server. A header comes within ten seconds and has at most 32 KiB; a connection on which nothing is asked ends after
    as long. 4,096 connections are open at most, which `revops.serving` knows how to bear."""
    granian = [sys.executable, "-m", "granian", "--interface", "rsgi", "--host", host, "--port", str(port), "--workers", "1"]
    granian += ["--loop", "uvloop", "--http", "1", "--no-ws", "--backlog", "4096", "--http1-buffer-size", "32768"]
    granian += ["--http1-header-read-timeout", "10000", "--log-level", "warning"]
    return [*granian, "revops.serving.application:application"]


def first_steps(installation: Installation) -> list[Step]:
    """What any installation needs before its first request. `migrate` also refuses a rehearsal's database without the rehearsal
    and a company's with it, so it runs again when that changes."""
    kind = " demo" if installation.demo else ""
    clean = ["collectstatic", "--noinput", "-v", "0", "--clear"]
    return [
        Step("migrate", "Tables", [*MANAGE, "migrate", "--noinput", "-v", "0"], migrations_key() + kind, as_owner=True),
        Step("collectstatic", "Static files", [*MANAGE, *clean], static_key(installation.folder)),
    ]


def demo_steps(installation: Installation, ports: Mapping[str, int]) -> list[Step]:
    """What the rehearsal needs, with its simulators running."""
    seed = ["--seed", str(installation.seed), "--accounts", str(installation.accounts)]
    ports_key = " ".join(f"{vendor}={ports[vendor]}" for vendor in VENDORS)
    return [
        Step("demo_people", "People, one a role", [*MANAGE, "demo_people"], "1"),
        Step("demo", f"A company of {installation.accounts} accounts", [*MANAGE, "demo", *seed], " ".join(seed), True),
        Step("connect_demo", "Connections to the four systems", [*MANAGE, "connect_demo"], ports_key),
    ]


def migrations_key() -> str:
    """Changes with any migration of ours and with any package version."""
    files = sorted([*PROJECT.glob("revops/**/migrations/*.py"), *PROJECT.glob("sync/**/migrations/*.py")])
    return _digest([*files, PROJECT / "requirements" / "base.txt"])


def static_key(folder: Path) -> str:
    """Changes with any static file of ours, with any package version and with the place they are collected to."""
    files = sorted(path for path in (PROJECT / "static").rglob("*") if path.is_file())
    return _digest([*files, PROJECT / "requirements" / "base.txt"]) + f" {os.stat(folder).st_ino}"


def _digest(files: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.relative_to(PROJECT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()
