"""The whole product as an outsider meets it: started by `manage.py up`, spoken to over HTTP, judged by the simulators."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

import psutil

from tests.launch.test_up import ROOT, Up, until

HERO = "Halden Robotics GmbH"
SCOPES = ("--scope", "propose", "--scope", "decide", "--scope", "operate")


class Product(Up):
    """A running product with its rehearsal company."""

    def __init__(self, folder: Path, port: int, seed: int, accounts: int) -> None:
        super().__init__(folder, port, REVOPS_DEMO="1", REVOPS_SEED=str(seed), REVOPS_ACCOUNTS=str(accounts))
        self.tokens: dict[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        """What `manage.py` of this installation needs."""
        told = json.loads((self.folder / "environment.json").read_text())
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("REVOPS_", "DJANGO_"))}
        return {**kept, **told}

    def manage(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=150,
        )

    # -- the API, as one of the people --------------------------------------------------------------------------------------
    def call(self, who: str, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        """One request as `<who>@rehearsal.example`: (status, JSON)."""
        if who not in self.tokens:
            said = self.manage(
                "token", f"{who}@rehearsal.example", "--scope", "propose", "--scope", "decide", "--scope", "operate"
            )
            assert said.returncode == 0, said.stderr
            self.tokens[who] = said.stdout.strip()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/api/v1/{path}", method=method)
        request.add_header("Authorization", f"Bearer {self.tokens[who]}")
        if method == "POST":
            headers.setdefault("Idempotency_Key", uuid.uuid4().hex)
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        data = None
        if body is not None:
            request.add_header("Content-Type", "application/json")
            data = json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data=data, timeout=30) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as refused:
            return refused.code, json.loads(refused.read() or b"{}")

    def get(self, who: str, path: str) -> Any:
        status, found = self.call(who, "GET", path)
        assert status == 200, (path, status, found)
        return found

    def cases(self, rule: str, *, account: str = "", status: str = "open") -> list[dict[str, Any]]:
        """The cases of a rule; `status=""` for those that have ended as well."""
        wanted = f"&status={status}" if status else ""
        found = self.get("finance", f"cases/?rule={rule}&page_size=200{wanted}")["results"]
        return [case for case in found if account in case["account_name"]]

    def plan(self, number: int) -> dict[str, Any]:
        found: dict[str, Any] = self.get("finance", f"change-plans/{number}/")
        return found

    # -- the simulators -----------------------------------------------------------------------------------------------------
    def simulator(self, vendor: str, path: str, body: object = None, method: str = "") -> Any:
        """The control side of a simulator: its own ledger, its faults, its deliveries."""
        address = self.environment[f"REVOPS_SIM_{vendor.upper()}_URL"] + "/_sim/" + path
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(address, data=data, method=method or ("POST" if data else "GET"))
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def effects(self, key: str) -> list[dict[str, Any]]:
        """What NetSuite itself says was created under this key."""
        found = self.simulator("netsuite", "effects")
        rows = found["effects"] if isinstance(found, dict) else found
        return [row for row in rows if row["key"] == key and row["collection"] == "transaction" and row["kind"] == "created"]

    def kill(self, *words: str) -> None:
        """`kill -9` of one child, named by words of its command line."""
        child = self.child(*words)
        assert child is not None, f"no child {words}"
        child.send_signal(signal.SIGKILL)
        until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, "the child is dead")
