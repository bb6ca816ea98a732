"""One running product for many runs: started as a person starts it, with its simulators, on a disk of its own where this machine
allows one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

from demo.rehearsal.wire import VENDORS, Wire
from launch.embedded import free_port
from tests.faults.draw import LAG_SECONDS
from tests.journeys.product import Product
from tests.launch.test_up import START_SECONDS, Up, until

Json = dict[str, Any]
ACCOUNTS = 40
DISK_MEGABYTES = 700
PEOPLE = ("finance", "cs", "approver", "controller", "admin", "auditor")
PREPARE = """
import json
from django.utils import timezone
from revops.identity.tokens import SCOPES, issue_token
from revops.people.actors import System
from revops.people.models import User
from sync.connections import change_connection
lag = {"read_lag_seconds": "%d"}
change_connection("netsuite", values=lag, acting_user=System("faults"))
change_connection("gainsight", values=lag | {"calls_per_minute": "6000"}, acting_user=System("faults"))
tokens = {}
for name in %r:
    person = User.objects.get(username=name + "@rehearsal.example")
    tokens[name] = issue_token(person, name="faults", days=1, scopes=sorted(set(SCOPES) - {"read"}), now=timezone.now(),
                               acting_user=System("faults"))
print(json.dumps(tokens))
"""
"""Said to `manage.py shell` once: how much the vendors' reads lag here, and a token for each person."""


class Installation(Product):
    """A running product with its rehearsal company at rest: what moves from then on was drawn."""

    def __init__(self, folder: Path, port: int, disk_megabytes: int) -> None:
        Up.__init__(
            self, folder, port, REVOPS_DEMO="1", REVOPS_SEED="1", REVOPS_ACCOUNTS=str(ACCOUNTS),
            REVOPS_POSTINGS_PER_HOUR_MAX="100000", REVOPS_POSTING_AMOUNT_PER_HOUR_MAX="1000000000.00",
        )  # fmt: skip
        self.disk_megabytes = disk_megabytes
        self._kept: dict[str, str] = {}
        self.tokens: dict[str, str] = {}
        self.wires: dict[str, Wire] = {}

    @property
    def environment(self) -> dict[str, str]:
        """As it was told at the start: the file goes when the product ends, and whoever judges still asks the simulators."""
        return self._kept or super().environment

    def prepare(self) -> None:
        """Wait until it is ready, stop the rehearsal's own play, and make what the runs need."""
        until(self.ready, "the product is ready", START_SECONDS)
        until(lambda: "Ctrl-C" in self.said, "the product says that it is ready", START_SECONDS)
        self._kept = self.environment
        self._signal_play(signal.SIGSTOP)
        said = self.manage("shell", "-v", "0", "-c", PREPARE % (LAG_SECONDS, PEOPLE))
        assert said.returncode == 0, said.stderr
        self.tokens = json.loads(said.stdout.strip().splitlines()[-1])
        self.wires = {vendor: Wire(vendor, self.environment[f"REVOPS_SIM_{vendor.upper()}_URL"]) for vendor in VENDORS}
        limits = {"collection": "settings", "object": {"id": "settings", "minute_limit": 10**6, "day_limit": 10**8}}
        self.simulator("gainsight", "change", limits)
        until(self._read, "every system has been read once", START_SECONDS, every_seconds=0.5)

    def _read(self) -> bool:
        with psycopg.connect(self.auditor_url) as database:
            unread = "SELECT stream FROM sync_watermark WHERE moved_at IS NULL AND stream <> 'deletions'"
            return not database.execute(unread).fetchall() and not self.readiness()["silent"]

    def _signal_play(self, number: signal.Signals) -> None:
        play = self.child("demo", "--play")
        if play is not None:
            play.send_signal(number)

    @property
    def secrets(self) -> Mapping[str, str]:
        """What signs each vendor's pushes."""
        return {vendor: self.environment[f"REVOPS_SIM_{vendor.upper()}_SECRET"] for vendor in VENDORS}

    @property
    def auditor_url(self) -> str:
        """The database, for the account that reads only."""
        return re.sub(r"//[^@/]*@", "//revops_auditor@", self.environment["DATABASE_URL"])

    def token_of(self, person: str) -> str:
        """A token for somebody who has just joined."""
        said = self.manage("token", person, "--scope", "propose")
        assert said.returncode == 0, said.stderr
        return said.stdout.strip()

    def close(self) -> None:
        """Stop it, whatever state it is in."""
        with contextlib.suppress(Exception):
            self._signal_play(signal.SIGCONT)
        for wire in self.wires.values():
            wire.close()
        children = self.children() if self.process.poll() is None else []
        with contextlib.suppress(Exception):
            self.end()
        for each in [self.process, *children]:
            with contextlib.suppress(Exception):
                each.kill()


@contextmanager
def small_disk(folder: Path) -> Iterator[int]:
    """A disk of its own for the data folder, in megabytes; 0 where this account may not mount one."""
    folder.mkdir(parents=True)
    size = f"size={DISK_MEGABYTES}m,mode=0755"
    mounted = (
        os.geteuid() == 0
        and subprocess.run(
            ["mount", "-t", "tmpfs", "-o", size, "revops-faults", str(folder)], capture_output=True, check=False
        ).returncode == 0
    )  # fmt: skip
    try:
        yield DISK_MEGABYTES if mounted else 0
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(folder)], capture_output=True, check=False)


@contextmanager
def installed() -> Iterator[Installation]:
    """A product that runs until the block ends."""
    place = Path(tempfile.mkdtemp(prefix="revops-faults-", dir="/tmp"))
    try:
        with small_disk(place / "data") as megabytes:
            installation = Installation(place / "data", free_port(), megabytes)
            try:
                installation.prepare()
                yield installation
            finally:
                installation.close()
    finally:
        shutil.rmtree(place, ignore_errors=True)
