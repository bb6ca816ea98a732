"""`make up`: starts everything on one data folder, keeps it running, and stops it in order.

supervisor keeps the programs (`launch.keeper`); this is the way up: a lock on the data folder, the servers, the steps that are
done once with their progress, the programs one after the other, and the address when the product is ready.

Exit codes: 0 stopped on request, 2 a variable is wrong, 3 the data folder is in use, 4 a port is taken, 5 a program keeps dying,
6 a step failed, 7 a server cannot start, 8 not ready in time, 9 the data folder cannot be used.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
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

from launch import embedded, tied
from launch.environment import PROJECT, EmbeddedError, kept_secrets, read_env_file
from launch.installation import Installation, read_installation
from launch.keeper import Keeper, KeepsDying, tail
from launch.liveness import Liveness
from launch.programs import (
    SERVERS,
    SIMULATORS_ABOVE,
    VENDORS,
    Program,
    Step,
    demo_steps,
    first_steps,
    product,
    simulators,
)
from revops.worker_check import ask

READY_TIMEOUT_SECONDS = 120.0
TAKEN_UP_SECONDS = 20.0
CHECK_EVERY_SECONDS = 0.2
PORT_MAX = 65535
KEPT_STATE = "state.json"
OWNER_ADDRESS = "REVOPS_OWNER_DATABASE_URL"


class Failed(Exception):
    """Ends `make up` with a message for the person and an exit code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class Stopped(BaseException):
    """Somebody asked us to stop (Ctrl-C or SIGTERM)."""


@dataclasses.dataclass(slots=True)
class State:
    """What was done on a data folder, kept for the next start: keys of finished steps, the simulators' ports and secrets."""

    steps: dict[str, str] = dataclasses.field(default_factory=dict)
    ports: dict[str, int] = dataclasses.field(default_factory=dict)
    webhook_secrets: dict[str, str] = dataclasses.field(default_factory=dict)


def say(text: str) -> None:
    """One line to the person at the terminal."""
    print(text, flush=True)


def main() -> int:
    """Run until stopped; returns the exit code."""
    code, installation = 0, None
    os.umask(0o077)  # logs, secrets and files of the programs are for this account alone
    with contextlib.ExitStack() as held:
        try:
            _on_request(_stop)
            for name, value in read_env_file(PROJECT / ".env").items():
                os.environ.setdefault(name, value)
            installation = read_installation(os.environ)
            held.enter_context(_lock(installation))
            start = Start(installation)
            held.callback(start.stop)
            start.everything()
            liveness = Liveness(start.keeper, installation.asked_at, installation.port, say)
            while True:
                start.keeper.report(ready=True)
                liveness.check()
                time.sleep(CHECK_EVERY_SECONDS)
        except Stopped:
            say("\nStopping ...")
        except Failed as failed:
            say(f"\n{failed}")
            code = failed.code
        except KeepsDying as dying:
            say(f"\n{dying}")
            code = 5
        except EmbeddedError as error:  # a variable or a kept file cannot be used
            say(f"\n{error}")
            code = 2
        except OSError as error:  # a folder that is a file or another's, a full disk, a machine out of processes or memory
            say(f"\n{_sentence(error, installation)}")
            code = 9
        finally:
            _on_request(signal.SIG_IGN)
    return code


_ABOUT_THE_FOLDER = (
    errno.EACCES,
    errno.EPERM,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EEXIST,
    errno.EISDIR,
)


def _sentence(error: OSError, installation: Installation | None) -> str:
    """What the machine refused, and what to do about it."""
    said = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}."
    if error.errno in _ABOUT_THE_FOLDER and installation is not None:
        return (
            f"{said} Everything is kept in {installation.folder}: it must be a folder that this account may write in, with space "
            "left. Make it so, or name another one in REVOPS_DATA_DIR."
        )
    return f"{said} This machine refused what the product needs to start. Put that right, then start again."


def _on_request(answer: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, answer)  # type: ignore[arg-type]


def _stop(_number: int, _frame: object) -> None:
    raise Stopped


@contextlib.contextmanager
def _lock(installation: Installation) -> Iterator[None]:
    """One `make up` a data folder. The kernel lets go of the lock when we die, however we die."""
    installation.folder.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(PermissionError):  # of a folder that somebody else made for us
        installation.folder.chmod(installation.folder.stat().st_mode & 0o711)  # PostgreSQL's account may have to pass through
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

    keeper: Keeper

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.folder = installation.folder
        self.logs = installation.log_folder
        self.environment = {**os.environ, "PYTHONUNBUFFERED": "1", "MALLOC_ARENA_MAX": "2"}
        self.began = time.monotonic()
        self.first_reading = False

    def everything(self) -> None:
        """From nothing to a printed address."""
        self.logs.mkdir(exist_ok=True)
        self.logs.chmod(0o700)
        refuse_taken_port(self.installation.host, self.installation.port, "REVOPS_PORT")
        say(f"Starting in {self.folder} (logs: {self.logs})")
        self.state = _read_state(self.folder)
        self.secrets = kept_secrets(self.folder)  # before there is a database: they are never made anew beside one
        servers = self.prepare_servers()
        self.settings()
        ports = self.simulator_ports() if self.installation.demo else {}
        programs = [*servers, *(simulators(self.installation, ports) if ports else []), *product(self.installation)]
        self.keeper = Keeper(programs, self.environment, self.place, self.logs, say)
        self.start_servers(servers)
        self.leave_environment()
        for step in first_steps(self.installation):
            self.run(step)
        if ports:
            self.rehearsal(ports)
        for program in product(self.installation):
            self.keeper.start(program.name)
        with _telling("Web, workers and sweeper"):
            self.wait_until_ready()
        self.greet()

    def prepare_servers(self) -> list[Program]:
        """PostgreSQL and Redis, unless the environment names others. Raises `Failed` 7 when this machine cannot run them."""
        self.servers: list[embedded.Prepared] = []
        try:
            if not self.installation.database_url:
                if not (self.folder / "postgres.made").exists():
                    self.state = State()
                    with _telling("PostgreSQL's data folder (first start)"):
                        self.servers.append(embedded.prepare_postgres(self.folder, self.logs / "postgres.log"))
                else:
                    self.servers.append(embedded.prepare_postgres(self.folder, self.logs / "postgres.log"))
            if not self.installation.redis_url:
                self.servers.append(embedded.prepare_redis(self.folder))
            self.place = embedded.private_folder(self.folder, "supervisor")
        except EmbeddedError as error:
            raise Failed(7, str(error)) from None
        return [
            Program(
                each.name,
                SERVERS,
                each.command,
                each.death_signal,
                each.stop_signal.name.removeprefix("SIG"),
                account=each.account,
            )
            for each in self.servers
        ]

    def start_servers(self, programs: list[Program]) -> None:
        """Start them, and wait until they answer. Raises `Failed` 7."""
        label = " and ".join({"postgres": "PostgreSQL", "redis": "Redis"}[program.name] for program in programs)
        with _telling(label) if programs else contextlib.nullcontext():
            for program in programs:
                self.keeper.start(program.name)
            try:
                for server in self.servers:
                    wait = embedded.wait_for_postgres if server.name == "postgres" else embedded.wait_for_redis
                    wait(server.url, self.keeper.report)
                    if server.name == "postgres":
                        embedded.ensure_database(server.url, "revops")
            except (EmbeddedError, KeepsDying) as error:
                raise Failed(7, str(error)) from None

    def settings(self) -> None:
        """The variables Django asks for. The owner's address is for the steps that change tables, never for what runs on."""
        given = self.environment.pop(OWNER_ADDRESS, "")
        self.owner = {OWNER_ADDRESS: given} if given else {}
        for server in self.servers:
            if server.name == "postgres":
                application, self.owner = embedded.addresses(server.url, "revops")
                self.environment |= application
            else:
                self.environment["REDIS_URL"] = server.url
        fixed = {"REVOPS_DEMO": str(int(self.installation.demo)), "REVOPS_DATA_DIR": str(self.folder)}
        fixed["DJANGO_SETTINGS_MODULE"] = "revops.settings"
        self.environment |= fixed
        unless_given = self.secrets | {"REVOPS_HTTPS": "0", "REVOPS_PUBLIC_URL": self.installation.url}
        unless_given["REVOPS_STATIC_ROOT"] = str(self.folder / "static")
        for name, value in unless_given.items():
            self.environment[name] = self.environment.get(name) or value
        self.told = ["DATABASE_URL", "REDIS_URL", *fixed, *unless_given]

    def leave_environment(self) -> None:
        """Leave what Django is told in the data folder, for its owner alone: `manage.py` finds it from another terminal."""
        _write_private(self.folder / "environment.json", {name: self.environment[name] for name in self.told} | self.owner)

    def simulator_ports(self) -> dict[str, int]:
        """The simulators' ports and webhook secrets: those of the last time where they are still free, so that the connections
        stay right."""
        ports: dict[str, int] = {}
        for number, vendor in enumerate(VENDORS):
            wanted = self.state.ports.get(vendor, self.installation.port + SIMULATORS_ABOVE + number)
            wanted = wanted if wanted <= PORT_MAX else embedded.free_port()
            ports[vendor] = wanted if wanted != self.installation.port and embedded.can_listen(wanted) else embedded.free_port()
            made = self.state.webhook_secrets.setdefault(vendor, "whsec_" + secrets.token_hex(24))
            told = {f"REVOPS_SIM_{vendor.upper()}_URL": f"http://127.0.0.1:{ports[vendor]}"}
            told[f"REVOPS_SIM_{vendor.upper()}_SECRET"] = made
            self.environment |= told
            self.told += told
        self.state.ports = ports
        self.save_state()
        return ports

    def rehearsal(self, ports: Mapping[str, int]) -> None:
        """The four simulators, and once the company, its people and its connections."""
        with _telling("Simulators of the four systems"):
            for vendor in ports:
                self.keeper.start(f"simulator-{vendor}")
            for vendor, port in ports.items():
                self.wait_for(f"the {vendor} simulator", port, "/_sim/health")
        self.first_reading = "connect_demo" not in self.state.steps
        for step in demo_steps(self.installation, ports):
            self.run(step)

    def run(self, step: Step) -> None:
        """Run a step to its end, unless it was done for the same key. With an outside database nothing is taken for granted."""
        done = self.state.steps
        if done.get(step.name) == step.key and not (self.installation.database_url and step.name == "migrate"):
            return
        log = self.logs / f"{step.name}.log"
        with _telling(step.label, ends_line=step.shows_progress), log.open("wb") as output:
            where = None if step.shows_progress else output
            process = subprocess.Popen(
                step.command,
                cwd=PROJECT,
                env={**self.environment, **(self.owner if step.as_owner else {}), "REVOPS_STATEMENT_TIMEOUT_SECONDS": "600"},
                stdin=subprocess.DEVNULL,
                start_new_session=True,
                preexec_fn=tied.dies_with_parent(),
                stdout=where,
                stderr=where,
            )
            try:
                while process.poll() is None:
                    self.keeper.report()
                    time.sleep(0.05)
            finally:
                process.kill()
                process.wait()
        if process.returncode != 0:
            why = f"The step '{step.label}' failed (status {process.returncode}). The end of its log, {log}:\n\n{tail(log)}"
            raise Failed(6, why)
        done[step.name] = step.key
        self.save_state()

    def wait_until_ready(self) -> None:
        """Until the web server says that it can work, and for a while until the workers have taken up what waited for them."""
        host, port = self.installation.asked_at, self.installation.port
        self.wait_for("the web server", port, "/readyz", host)
        deadline = time.monotonic() + TAKEN_UP_SECONDS
        while (answer := ask(host, port)) is not None and answer.silent and time.monotonic() < deadline:
            self.keeper.report()
            time.sleep(CHECK_EVERY_SECONDS)

    def wait_for(self, what: str, port: int, path: str, host: str = "127.0.0.1") -> None:
        """Poll until `path` answers 200, while looking after the programs. Raises `Failed` 8 with the last answer."""
        deadline = time.monotonic() + READY_TIMEOUT_SECONDS
        answer = "no answer"
        while time.monotonic() < deadline:
            self.keeper.report()
            connection = http.client.HTTPConnection(host, port, timeout=5)
            with contextlib.suppress(OSError, http.client.HTTPException), contextlib.closing(connection):
                connection.request("GET", path)
                response = connection.getresponse()
                answer = f"{response.status} {response.read(2000).decode(errors='replace')}"
                if response.status == 200:
                    return
            time.sleep(0.1)
        raise Failed(8, f"{what} was not ready within {READY_TIMEOUT_SECONDS:.0f} s ({answer}). Its log is in {self.logs}.")

    def greet(self) -> None:
        """Where it listens, who may sign in, and how to stop it."""
        say(f"\nReady in {time.monotonic() - self.began:.0f} s: {self.installation.url}")
        people = self.logs / "demo_people.log"
        if self.installation.demo and people.exists():
            say(tail(people, 12))
        if self.first_reading:
            say("The four systems are being read for the first time: the exceptions are complete within a few minutes.")
        say("Ctrl-C stops everything.\n")

    def stop(self) -> None:
        """Stop every program in order, when any was started."""
        if hasattr(self, "keeper"):
            self.keeper.stop()
            say("Stopped.")

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
