"""What `make up` runs: the installation read from the environment, its programs and its one-time steps. Starts nothing itself.

Django-free, so that the supervisor stays small. The workers use Celery's solo pool, one process a queue, to save memory. That
pool does not enforce task time limits; each task ends by its own deadline (`sync.workers.tasks`), and a worker that hangs where
no deadline reaches is silent and ended by the supervisor (`launch.silence`). `docker-compose.yml` uses prefork, where Celery's
limits do that.
"""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path

from launch.environment import PROJECT, EmbeddedError, data_folder

VENDORS = ("salesforce", "gainsight", "stripe", "netsuite")
QUEUES = ("intake", "apply", "posting")
SIMULATORS_ABOVE = 101
"""The simulators listen from this far above the web server: two installations at once do not reach for the same ports."""
PORT_MAX = 65535
WEB_THREADS = 8
MANAGE = [sys.executable, str(PROJECT / "manage.py")]


@dataclasses.dataclass(frozen=True, slots=True)
class Program:
    """One long-running child. Lower `stop_order` stops first; `death_signal` is what the kernel sends it when we die.

    Granian hands SIGTERM on to its worker, so it is asked; the others hold nothing that a sudden end could harm. `worker` is
    the kind of worker whose signs of life `/readyz` tells.
    """

    name: str
    command: list[str]
    stop_order: int
    death_signal: signal.Signals = signal.SIGKILL
    worker: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """A command that runs to its end before the programs start. `key` names what it depends on: an equal key runs once."""

    name: str
    label: str
    command: list[str]
    key: str
    shows_progress: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Installation:
    """Where everything is and what is wanted. Ports are TCP on `host`."""

    folder: Path
    host: str
    port: int
    demo: bool
    seed: int
    accounts: int
    database_url: str
    redis_url: str

    @property
    def url(self) -> str:
        """The address a person opens."""
        return f"http://{self.asked_at}:{self.port}"

    @property
    def asked_at(self) -> str:
        """The host under which this machine reaches itself."""
        return "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 (compared, not bound)

    @property
    def log_folder(self) -> Path:
        """One log file a child."""
        return self.folder / "logs"


def read_installation(environ: Mapping[str, str]) -> Installation:
    """Read the variables of `make up`. Raises `EmbeddedError` naming the variable that cannot be read."""

    def number(name: str, default: int, low: int, high: int) -> int:
        text = environ.get(name, str(default))
        if not text.isdigit() or not low <= int(text) <= high:
            raise EmbeddedError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
        return int(text)

    demo = environ.get("REVOPS_DEMO", "1").lower()
    if demo not in {"0", "1", "true", "false", "on", "off"}:
        raise EmbeddedError(f"REVOPS_DEMO must be 1 or 0, not {demo!r}.")
    return Installation(
        folder=data_folder(environ),
        host=environ.get("REVOPS_HOST", "127.0.0.1"),
        port=number("REVOPS_PORT", 8000, 1, 65535),
        demo=demo in {"1", "true", "on"},
        seed=number("REVOPS_SEED", 1, 0, 2**31),
        accounts=number("REVOPS_ACCOUNTS", 400, 20, 100_000),
        database_url=environ.get("DATABASE_URL", ""),
        redis_url=environ.get("REDIS_URL", ""),
    )


def simulators(installation: Installation, ports: Mapping[str, int]) -> list[Program]:
    """The four vendors' simulators, each told where its webhooks go. What signs them is in the environment: everybody on a
    machine can read a command line."""
    found = []
    for vendor in VENDORS:
        command = [sys.executable, "-m", "demo.simulators", vendor, "--port", str(ports[vendor])]
        command += ["--data", str(installation.folder / "simulators")]
        command += ["--webhook-url", f"{installation.url}/intake/{vendor}/"]
        found.append(Program(f"simulator-{vendor}", command, stop_order=2))
    return found


def programs(installation: Installation) -> list[Program]:
    """The product itself: web, one worker a queue, the sweeper, and in the demo the company at play."""
    granian = [
        sys.executable,
        "-m",
        "granian",
        "--interface",
        "wsgi",
        "--host",
        installation.host,
        "--port",
        str(installation.port),
    ]
    granian += ["--workers", "1", "--blocking-threads", str(WEB_THREADS), "--no-ws", "--log-level", "warning"]
    found = [Program("web", [*granian, "revops.wsgi:application"], 1, signal.SIGTERM, "web")]
    for queue in QUEUES:
        command = [sys.executable, "-m", "celery", "-A", "revops", "worker", "-Q", queue, "--pool", "solo", "-n", f"{queue}@%h"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat", "-l", "WARNING"]
        found.append(Program(queue, command, 1, worker=queue))
    found.append(Program("sweeper", [*MANAGE, "sweep"], 0, worker="sweep"))
    if installation.demo:
        found.append(Program("rehearsal", [*MANAGE, "demo", "--play"], 0))
    return found


def first_steps(folder: Path) -> list[Step]:
    """What any installation needs before its first request."""
    return [
        Step("migrate", "Tables", [*MANAGE, "migrate", "--noinput", "-v", "0"], migrations_key()),
        Step("collectstatic", "Static files", [*MANAGE, "collectstatic", "--noinput", "-v", "0", "--clear"], static_key(folder)),
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
