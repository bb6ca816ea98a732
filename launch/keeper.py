"""Keeps programs running with supervisor (supervisord.org): writes its configuration, starts it, and speaks to it.

supervisor starts a program that ended again after a pause that grows, gives up on one that ends `STARTS` times in a row within
`SECONDS_UP` seconds of its start, writes the logs, and stops the groups in order, ending by force what does not listen. What
is ours: the programs end with us whatever kills us (`launch.tied`), what a dead program left in its group ends with it
(`launch.in_supervisor`), the person at the terminal is told, and once the product is ready a program that was given up on is
tried again while the others go on.
"""

from __future__ import annotations

import configparser
import contextlib
import http.client
import os
import secrets
import shlex
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from supervisor.xmlrpc import SupervisorTransport

from launch import tied
from launch.environment import PROJECT, EmbeddedError
from launch.programs import GROUPS, SERVERS, Program

STARTS = 5
SECONDS_UP = 12
AGAIN_SECONDS, AGAIN_SECONDS_MAX = 15.0, 300.0
"""A program that was given up on is tried again after this long; the pause doubles each time, until the program stays up."""
STOP_SECONDS = 20
START_TIMEOUT_SECONDS = 20.0


class KeepsDying(Exception):
    """A program was given up on. The message holds its last log lines."""


def configuration(programs: Iterable[Program], place: Path, logs: Path, password: str) -> configparser.RawConfigParser:
    """The configuration of supervisor for these programs. Nothing starts by itself."""
    written = configparser.RawConfigParser()
    written["supervisord"] = {
        "nodaemon": "true",
        "silent": "true",
        "loglevel": "info",
        "logfile": str(logs / "supervisord.log"),
        "logfile_maxbytes": "0",
        "pidfile": str(place / "supervisord.pid"),
        **({"user": "root"} if os.geteuid() == 0 else {}),
    }
    written["unix_http_server"] = {"file": str(place / "supervisor.sock"), "username": "up", "password": password}
    factory = "supervisor.rpcinterface_factory"
    written["rpcinterface:supervisor"] = {factory: "supervisor.rpcinterface:make_main_rpcinterface"}
    written["rpcinterface:ours"] = {factory: "launch.in_supervisor:load"}
    members: dict[str, list[str]] = {}
    for program in programs:
        members.setdefault(program.group, []).append(program.name)
        tie = [sys.executable, "-IS", tied.__file__, program.death_signal, program.account]
        written[f"program:{program.name}"] = {
            "command": shlex.join([*tie, *program.command]),
            "directory": str(PROJECT),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": str(SECONDS_UP),
            "startretries": str(STARTS - 1),
            "stopsignal": program.stop_signal,
            "stopwaitsecs": str(STOP_SECONDS),
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": str(logs / f"{program.name}.log"),
            "stdout_logfile_maxbytes": "10MB",
            "stdout_logfile_backups": "1",
        }
    for priority, group in enumerate(GROUPS):
        if group in members:
            written[f"group:{group}"] = {"programs": ",".join(members[group]), "priority": str(priority)}
    for section in written.sections():
        for name, value in written.items(section):
            written.set(section, name, value.replace("%", "%%"))  # supervisor expands %(names)s
    return written


class Keeper:
    """One supervisor and its programs. `tell` gets one line for each death and each program given up on.

    `place` is a private folder for its socket; each program's log is `logs/<name>.log`. Use it from the main thread.
    """

    def __init__(
        self,
        programs: list[Program],
        environment: Mapping[str, str],
        place: Path,
        logs: Path,
        tell: Callable[[str], None],
    ) -> None:
        self.programs = {program.name: program for program in programs}
        self.logs, self._tell = logs, tell
        self._log = logs / "supervisord.log"
        self._log.write_bytes(b"")
        self._read = 0
        self._pause: dict[str, float] = {}
        self._start_at: dict[str, float] = {}
        password = secrets.token_urlsafe(24)
        told = place / "supervisord.conf"
        told.touch(mode=0o600)
        with told.open("w") as file:
            configuration(programs, place, logs, password).write(file)
        with (logs / "supervisord.err").open("wb") as error:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "supervisor.supervisord", "-c", str(told)],
                cwd=PROJECT,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=error,
                stderr=error,
                start_new_session=True,  # Ctrl-C is ours to answer
                preexec_fn=tied.dies_with_parent(signal.SIGTERM),
            )
        self._socket, self._password = f"unix://{place / 'supervisor.sock'}", password
        self._wait_until_it_answers()

    def _call(self, method: str, *arguments: object) -> Any:
        """One call on a connection of its own: supervisor's transport cannot use one again that failed."""
        transport = SupervisorTransport("up", self._password, self._socket)
        with contextlib.closing(transport):
            return getattr(xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor, method)(*arguments)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while True:
            with contextlib.suppress(OSError, xmlrpc.client.Error):
                self._call("getState")
                return
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                said = (self.logs / "supervisord.err").read_text()[-2000:]
                raise EmbeddedError(f"supervisor did not start. Its last lines:\n{said}")
            time.sleep(0.02)

    def start(self, name: str) -> None:
        """Start a program; from then on it is kept. Returns at once."""
        try:
            self._call("startProcess", f"{self.programs[name].group}:{name}", False)
        except xmlrpc.client.Fault as fault:
            raise EmbeddedError(f"{name} cannot be started: {fault.faultString}") from None

    def pids(self) -> dict[str, int]:
        """The process of every program that runs."""
        return {str(found["name"]): int(found["pid"]) for found in self._call("getAllProcessInfo") if found["pid"]}

    def end(self, name: str) -> None:
        """End a program by force, also one that is stopped or deaf. It is started again."""
        with contextlib.suppress(xmlrpc.client.Fault):  # it ended by itself in the meantime
            self._call("signalProcess", f"{self.programs[name].group}:{name}", "KILL")

    def report(self, *, ready: bool = False) -> None:
        """Tell what happened since the last report. Raises `KeepsDying` for a program that was given up on; once the product is
        `ready` only for a server, without which nobody can work: any other is tried again after a pause."""
        with self._log.open("rb") as log:
            log.seek(self._read)
            new = log.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            what, _, rest = line.partition(" INFO " if " INFO " in line else " WARN ")[2].partition(": ")
            name = rest.split(" ", 1)[0]
            if what == "exited":
                how = rest.removeprefix(f"{name} (").split(";")[0].rstrip(")")
                self._tell(f"{name} ended ({how}); starting it again (log: {self.logs / f'{name}.log'})")
            elif what == "success":
                self._pause.pop(name, None)
            elif what == "gave up" and ready and self.programs[name].group != SERVERS:
                self._try_later(name)
            elif what == "gave up":
                raise KeepsDying(
                    f"{_died(name)} The end of its log, {self.logs / f'{name}.log'}:\n\n{tail(self.logs / f'{name}.log')}"
                )
        for name in [name for name, at in self._start_at.items() if at <= time.monotonic()]:
            del self._start_at[name]
            self.start(name)
        if self._process.poll() is not None:
            raise KeepsDying(f"supervisor ended with status {self._process.returncode}. Its log: {self._log}")

    def _try_later(self, name: str) -> None:
        pause = self._pause.get(name, AGAIN_SECONDS)
        self._pause[name], self._start_at[name] = min(2 * pause, AGAIN_SECONDS_MAX), time.monotonic() + pause
        self._tell(f"{_died(name)} It is tried again in {pause:.0f} s; the others go on (log: {self.logs / f'{name}.log'})")

    def stop(self) -> None:
        """Stop every program in order, then supervisor.

        By a call, noticed at once: a signal is noticed within a second, and lost on a program that is being started.
        """
        try:
            self._call("shutdown")
        except (OSError, http.client.HTTPException, xmlrpc.client.Error):
            self._process.terminate()
        self._process.wait()


def _died(name: str) -> str:
    return f"{name} died {STARTS} times, each time within {SECONDS_UP} s of its start."


def tail(path: Path, lines: int = 20) -> str:
    """The last lines of a log file, or a note that there is none."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - 64_000))
            return "\n".join(log.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"
