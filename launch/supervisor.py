"""`make up`: starts everything on one data folder, keeps it running, and stops it in order.

A child that dies is started again; one that keeps dying ends everything with its last log lines. Every child dies with
this process, whatever kills it. Django-free, to stay small.

Exit codes: 0 stopped on request, 2 a variable is wrong, 3 the data folder is in use, 4 a port is taken, 5 a child keeps dying,
6 a step failed, 7 a server cannot start, 8 not ready in time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import functools
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

from launch import embedded
from launch.children import Child, Children, KeepsDying, starter
from launch.environment import PROJECT, EmbeddedError, kept_secrets, read_env_file
from launch.programs import (
    PORT_MAX,
    SIMULATORS_ABOVE,
    VENDORS,
    Installation,
    Program,
    Step,
    demo_steps,
    first_steps,
    programs,
    read_installation,
    simulators,
)
from launch.silence import Silence
from revops.worker_check import ask

READY_TIMEOUT_SECONDS = 120.0
TAKEN_UP_SECONDS = 20.0
LOOK_EVERY_SECONDS = 0.2
KEPT_STATE = "state.json"


class Failed(Exception):
    """Ends `make up` with a message for the person and an exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclasses.dataclass(slots=True)
class State:
    """What was done on a data folder, kept for the next start: keys of finished steps, the simulators' ports and secrets."""

    steps: dict[str, str] = dataclasses.field(default_factory=dict)
    ports: dict[str, int] = dataclasses.field(default_factory=dict)
    webhook_secrets: dict[str, str] = dataclasses.field(default_factory=dict)


class Stopped(BaseException):
    """Somebody asked us to stop (Ctrl-C or SIGTERM)."""


def say(text: str) -> None:
    """One line to the person at the terminal."""
    print(text, flush=True)


def main() -> int:
    """Run until stopped; returns the exit code."""
    children = Children(say)
    try:
        _stop_on_request()
        for name, value in read_env_file(PROJECT / ".env").items():
            os.environ.setdefault(name, value)
        installation = read_installation(os.environ)
        with _lock(installation):
            Start(installation, children).everything()
            silence = Silence(children, installation.asked_at, installation.port, say)
            while True:
                children.look()
                silence.look()
                time.sleep(LOOK_EVERY_SECONDS)
    except Stopped:
        say("\nStopping ...")
        return _stopped(children, 0)
    except Failed as failed:
        say(f"\n{failed}")
        return _stopped(children, failed.code)
    except KeepsDying as dying:
        say(f"\n{dying}")
        return _stopped(children, 5)
    except EmbeddedError as error:
        say(f"\n{error}")
        return _stopped(children, 7 if len(children) or "PostgreSQL" in str(error) else 2)


def _stopped(children: Children, code: int) -> int:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    if len(children):
        children.stop()
        say("Stopped.")
    return code


def _stop_on_request() -> None:
    def stop(_number: int, _frame: object) -> None:
        raise Stopped

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, stop)


@contextlib.contextmanager
def _lock(installation: Installation) -> Iterator[None]:
    """One `make up` a data folder. The kernel lets go of the lock when we die, however we die."""
    installation.folder.mkdir(parents=True, exist_ok=True)
    with (installation.folder / "lock").open("a+") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            held.seek(0)
            raise Failed(
                3,
                f"Another `make up` is already using {installation.folder} ({held.read().strip() or 'just starting'}).\n"
                "Stop it, or give this one its own REVOPS_DATA_DIR and REVOPS_PORT.",
            ) from None
        held.truncate(0)
        held.write(f"process {os.getpid()}, {installation.url}")
        held.flush()
        try:
            yield
        finally:  # a command in another terminal must not look for servers that are gone
            (installation.folder / "environment.json").unlink(missing_ok=True)


def refuse_taken_port(host: str, port: int, variable: str) -> None:
    """Raises `Failed` 4 when something already listens there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                reason = f"Port {port} is taken by another program. Free it, or choose another: {variable}={port + 80} make up"
            else:
                reason = f"Cannot listen on {host}:{port} ({error.strerror}). Choose another: {variable}=8080 make up"
            raise Failed(4, reason) from None


class Start:
    """The way up: each method is one part of it, in the order of `everything`."""

    def __init__(self, installation: Installation, children: Children) -> None:
        self.installation = installation
        self.children = children
        self.folder = installation.folder
        self.logs = installation.log_folder
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}
        self.began = time.monotonic()
        self.first_reading = False

    def everything(self) -> None:
        """From nothing to a printed address."""
        self.logs.mkdir(exist_ok=True)
        refuse_taken_port(self.installation.host, self.installation.port, "REVOPS_PORT")
        say(f"Starting in {self.folder} (logs: {self.logs})")
        self.state = _read_state(self.folder)
        self.servers()
        self.settings()
        for step in first_steps(self.folder):
            self.run(step)
        if self.installation.demo:
            self.rehearsal()
        for program in programs(self.installation):
            self.keep(program)
        with _telling("Web, workers and sweeper"):
            self.wait_until_ready()
        self.greet()

    def servers(self) -> None:
        """PostgreSQL and Redis, unless the environment names others."""
        if not self.installation.database_url:
            made = (self.folder / "postgres.made").exists()
            if not made:
                self.state = State()
            with _telling("PostgreSQL" if made else "PostgreSQL (first start: making its data folder)"):
                log = self.logs / "postgres.log"
                server = self.adopt(functools.partial(embedded.start_postgres, self.folder, log), log, 4, signal.SIGINT)
                self.environment["DATABASE_URL"] = embedded.ensure_database(server.url, "revops")
        if not self.installation.redis_url:
            port, password, log = embedded.free_port(), secrets.token_urlsafe(24), self.logs / "redis.log"
            with _telling("Redis"):
                start = functools.partial(embedded.start_redis, self.folder, log, port, password)
                self.environment["REDIS_URL"] = self.adopt(start, log, 3, signal.SIGTERM).url

    def adopt(
        self, start: functools.partial[embedded.Server], log: Path, stop_order: int, stop_signal: signal.Signals
    ) -> embedded.Server:
        """Start an embedded server and look after it like any child."""
        started: list[embedded.Server] = []

        def again() -> subprocess.Popen[bytes]:
            started.append(start())
            return started[-1].process

        self.children.keep(Child(log.stem, log, again, stop_order, stop_signal))
        return started[0]

    def settings(self) -> None:
        """The variables Django asks for; also left in the data folder, so that `manage.py` finds them from another terminal."""
        fixed = {"REVOPS_DEMO": str(int(self.installation.demo)), "REVOPS_DATA_DIR": str(self.folder)}
        fixed["DJANGO_SETTINGS_MODULE"] = "revops.settings"
        self.environment |= fixed
        unless_given = kept_secrets(self.folder)
        unless_given |= {"REVOPS_HTTPS": "0", "REVOPS_PUBLIC_URL": self.installation.url}
        unless_given["REVOPS_STATIC_ROOT"] = str(self.folder / "static")
        for name, value in unless_given.items():
            self.environment[name] = self.environment.get(name) or value
        self.told = ["DATABASE_URL", "REDIS_URL", *fixed, *unless_given]
        self.leave_environment()

    def leave_environment(self) -> None:
        """Leave what Django was told in the data folder, for its owner alone."""
        _write_private(self.folder / "environment.json", {name: self.environment[name] for name in self.told})

    def rehearsal(self) -> None:
        """The four simulators, and once the company, its people and its connections."""
        ports = self.simulator_ports()
        made = self.state.webhook_secrets
        for vendor in VENDORS:
            made.setdefault(vendor, "whsec_" + secrets.token_hex(24))
            told = {f"REVOPS_SIM_{vendor.upper()}_URL": f"http://127.0.0.1:{ports[vendor]}"}
            told[f"REVOPS_SIM_{vendor.upper()}_SECRET"] = made[vendor]
            self.environment |= told
            self.told += told
        self.save_state()
        with _telling("Simulators of the four systems"):
            for program in simulators(self.installation, ports):
                self.keep(program)
            for vendor, port in ports.items():
                self.wait_for(f"the {vendor} simulator", port, "/_sim/health")
        self.leave_environment()
        self.first_reading = "connect_demo" not in self.state.steps
        for step in demo_steps(self.installation, ports):
            self.run(step)

    def simulator_ports(self) -> dict[str, int]:
        """The ports of the last time where they are still free, so that the connections stay right."""
        ports: dict[str, int] = {}
        for number, vendor in enumerate(VENDORS):
            wanted = self.state.ports.get(vendor, self.installation.port + SIMULATORS_ABOVE + number)
            wanted = wanted if wanted <= PORT_MAX else embedded.free_port()
            ports[vendor] = wanted if wanted != self.installation.port and embedded.can_listen(wanted) else embedded.free_port()
        self.state.ports = ports
        self.save_state()
        return ports

    def keep(self, program: Program) -> None:
        """Start a program, and again whenever it dies."""
        log = self.logs / f"{program.name}.log"
        start = starter(program.command, self.environment, log, program.death_signal)
        self.children.keep(Child(program.name, log, start, program.stop_order, worker=program.worker))

    def run(self, step: Step) -> None:
        """Run a step to its end, unless it was done for the same key. With an outside database nothing is taken for granted."""
        done = self.state.steps
        if done.get(step.name) == step.key and not (self.installation.database_url and step.name == "migrate"):
            return
        log = self.logs / f"{step.name}.log"
        with _telling(step.label, ends_line=step.shows_progress), embedded.open_log(log) as output:
            status = self._run_to_end(step, output)
        if status != 0:
            raise Failed(
                6, f"The step '{step.label}' failed (status {status}). The end of its log, {log}:\n\n{embedded.tail(log)}"
            )
        done[step.name] = step.key
        self.save_state()

    def _run_to_end(self, step: Step, output: IO[bytes]) -> int:
        where = None if step.shows_progress else output
        process = subprocess.Popen(
            step.command,
            cwd=PROJECT,
            env={**self.environment, "REVOPS_STATEMENT_TIMEOUT_SECONDS": "600"},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=embedded.dies_with_parent(),
            stdout=where,
            stderr=where,
        )
        try:
            while process.poll() is None:
                self.children.look()
                time.sleep(0.05)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        return process.returncode

    def wait_until_ready(self) -> None:
        """Until the web server says that it can work, and for a while until the workers have taken up what waited for them."""
        host, port = self.installation.asked_at, self.installation.port
        self.wait_for("the web server", port, "/readyz", host)
        deadline = time.monotonic() + TAKEN_UP_SECONDS
        while (answer := ask(host, port)) is not None and answer.silent and time.monotonic() < deadline:
            self.children.look()
            time.sleep(LOOK_EVERY_SECONDS)

    def wait_for(self, what: str, port: int, path: str, host: str = "127.0.0.1") -> None:
        """Poll until `path` answers 200, while looking after the children. Raises `Failed` 8 with the last answer."""
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        answer = "no answer"
        while time.monotonic() < deadline:
            self.children.look()
            try:
                with contextlib.closing(http.client.HTTPConnection(host, port, timeout=5)) as connection:
                    connection.request("GET", path)
                    response = connection.getresponse()
                    answer = f"{response.status} {response.read(2000).decode(errors='replace')}"
                    if response.status == 200:
                        return
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.1)
        raise Failed(8, f"{what} was not ready within {READY_TIMEOUT_SECONDS:.0f} s ({answer}). Its log is in {self.logs}.")

    def greet(self) -> None:
        """Where it listens, who may sign in, and how to stop it."""
        say(f"\nReady in {time.monotonic() - self.began:.0f} s: {self.installation.url}")
        people = self.logs / "demo_people.log"
        if self.installation.demo and people.exists():
            say(embedded.tail(people, 12))
        if self.first_reading:
            say("The four systems are being read for the first time: the exceptions are complete within a few minutes.")
        say("Ctrl-C stops everything.\n")

    def save_state(self) -> None:
        """What was done on this data folder, for the next start."""
        _write_private(self.folder / KEPT_STATE, dataclasses.asdict(self.state))


@contextlib.contextmanager
def _telling(label: str, ends_line: bool = False) -> Iterator[None]:
    """Print what is being done, and how long it took."""
    began = time.monotonic()
    print(f"  {label} ...", end="\n" if ends_line else " ", flush=True)
    try:
        yield
    except BaseException:
        say("not done")
        raise
    took = f"{time.monotonic() - began:.1f} s"
    say(f"  {label}: {took}" if ends_line else took)


def _read_state(folder: Path) -> State:
    try:
        return State(**json.loads((folder / KEPT_STATE).read_text()))
    except (OSError, ValueError, TypeError):
        return State()


def _write_private(path: Path, values: Mapping[str, object]) -> None:
    """Write JSON whole or not at all, for its owner alone."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_text(json.dumps(values, indent=1, sort_keys=True))
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
