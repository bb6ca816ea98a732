"""The vendors and the people of a run, from outside. Everything that is asked and answered is in a journal, written to the disk
before the request leaves and after its answer came: what the product has promised is what stands there."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import json
import os
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults.company import Message, signed

Json = dict[str, Any]
PASSWORD = "made-up-company-2026"
ANSWER_SECONDS = 12
TRIED_SECONDS = 60
PROVED_SECONDS = 240
"""A proof of who is there holds for five minutes."""


@dataclass(slots=True)
class Act:
    """One action of a person over the API, repeated under one key until it was answered. `status` 0: no answer came in time.
    `wrong`: how it tries to get round the division of duties; it must be refused."""

    who: str
    path: str
    body: Json
    wrong: str
    asked_at: float
    answered_at: float = 0.0
    status: int = 0
    answer: Json = field(default_factory=dict)


@dataclass(slots=True)
class Pushed:
    """One message that a vendor has pushed until it was taken. `forged`: under a wrong secret."""

    message: Message
    forged: bool
    status: int = 0


class Journal:
    """What was asked and answered: in memory, and line by line in a file that outlives us."""

    def __init__(self, path: Path) -> None:
        self.acts: list[Act] = []
        self.pushed: list[Pushed] = []
        self._file = path.open("ab")
        self._lock = threading.Lock()

    def note(self, **told: object) -> None:
        """One line, on the disk when this returns."""
        line = json.dumps({"at": time.time(), **told}, default=str).encode() + b"\n"
        with self._lock:
            self._file.write(line)
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class Client:
    """Speaks to one running product, as often as it takes."""

    def __init__(self, port: int, tokens: Json, secrets: Json, journal: Journal) -> None:
        self.port, self.tokens, self.secrets, self.journal = port, tokens, secrets, journal
        self._proved: dict[str, float] = {}

    # -- people ------------------------------------------------------------------------------------------------------------

    def get(self, who: str, path: str) -> Any:
        """What the API shows; asked again until it shows it. Raises `TimeoutError`."""
        deadline = time.monotonic() + TRIED_SECONDS
        while time.monotonic() < deadline:
            status, answer = self._once("GET", f"/api/v1/{path}", self._bearer(who))
            if status == 200:
                return answer
            time.sleep(0.3)
        raise TimeoutError(f"GET {path} as {who}: not answered with 200 in {TRIED_SECONDS} s")

    def act(self, who: str, path: str, body: Json | None = None, *, wrong: str = "") -> Act:
        """One action, with one Idempotency-Key until there is an answer that is about it."""
        act = Act(who, path, body or {}, wrong, time.time())
        self.journal.acts.append(act)
        headers = self._bearer(who) | {"Idempotency-Key": uuid.uuid4().hex, "Content-Type": "application/json"}
        self.journal.note(asked=path, who=who, body=act.body, wrong=wrong, key=headers["Idempotency-Key"])
        deadline = time.monotonic() + TRIED_SECONDS
        while time.monotonic() < deadline:
            status, answer = self._once("POST", f"/api/v1/{path}", headers, json.dumps(act.body).encode())
            if status and status < 500 and status != 429 and answer.get("code") != "idempotency_in_flight":
                act.status, act.answer, act.answered_at = status, answer, time.time()
                break
            time.sleep(0.2)
        self.journal.note(answered=path, who=who, status=act.status, id=act.answer.get("id"), code=act.answer.get("code"))
        return act

    def prove(self, who: str) -> None:
        """Say once more, with the password, who is there."""
        if time.monotonic() - self._proved.get(who, -PROVED_SECONDS) >= PROVED_SECONDS:
            self.act(who, "step-up/", {"proof": PASSWORD})
            self._proved[who] = time.monotonic()

    def _bearer(self, who: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[who]}"}

    # -- vendors -----------------------------------------------------------------------------------------------------------

    def push(self, message: Message, *, forged: bool = False) -> Pushed:
        """Push a message until it is taken, as its vendor does. A forgery is pushed until it is refused."""
        pushed = Pushed(message, forged)
        self.journal.pushed.append(pushed)
        told = {"vendor": message.vendor, "key": message.key, "forged": forged}
        body = base64.b64encode(message.body).decode()
        self.journal.note(pushed=told, sha256=hashlib.sha256(message.body).hexdigest(), body=body)
        secret = "whsec_of_somebody_else" if forged else str(self.secrets[message.vendor])
        deadline = time.monotonic() + TRIED_SECONDS
        while time.monotonic() < deadline:
            headers = signed(message, secret)
            pushed.status, _ = self._once("POST", f"/intake/{message.vendor}/", headers, message.body)
            if 200 <= pushed.status < 300 or (forged and 400 <= pushed.status < 500):
                break
            time.sleep(0.2)
        self.journal.note(taken=told, status=pushed.status)
        return pushed

    def _once(self, method: str, path: str, headers: dict[str, str], body: bytes | None = None) -> tuple[int, Json]:
        """One exchange: status and JSON; 0 when no answer came."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError), contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers)
            answer = connection.getresponse()
            found = json.loads(answer.read() or b"{}")
            return answer.status, found if isinstance(found, dict) else {}
        return 0, {}
