"""The simulator's outbox: signed webhooks or hints, retried until the receiver answers 2xx.

A vendor queues a delivery inside the transaction that changed the object, so neither can be lost without the other.
One thread sends them, oldest first. A failed attempt waits 0.5 s, then twice as long each time, at most 30 s.
Without a URL nothing is sent: the rows stay `unaddressed` and can be sent later by `redeliver`.
"""

from __future__ import annotations

import http.client
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from demo.simulators.store import Store, dumps

Sign = Callable[[bytes, str, int], Mapping[str, str]]
"""(raw body, secret, unix seconds) -> headers that carry the vendor's signature."""


@dataclass
class Target:
    """Where deliveries go, and how badly. `duplicate` is a probability from 0 to 1."""

    url: str = ""
    secret: str = ""
    duplicate: float = 0.0
    shuffle: bool = False
    paused: bool = False


class Deliveries:
    """Queue, sender thread and bookkeeping."""

    FIRST_WAIT_SECONDS = 0.5
    LONGEST_WAIT_SECONDS = 30.0
    TIMEOUT_SECONDS = 10.0
    BATCH = 50

    def __init__(self, store: Store, sign: Sign, target: Target, after: Callable[[str, int], None]) -> None:
        self.store = store
        self.target = target
        self._sign = sign
        self._after = after
        self._bell = threading.Event()
        self._stop = threading.Event()
        self._connection: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._loop, name="deliveries", daemon=True)

    def start(self) -> None:
        """Begin sending."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the delivery in hand."""
        self._stop.set()
        self._bell.set()
        self._thread.join(timeout=self.TIMEOUT_SECONDS)
        if self._connection:
            self._connection.close()

    def queue(self, type: str, body: bytes, id: str | None = None) -> str:
        """Store one delivery, inside the caller's transaction. Returns its id."""
        now = self.store.clock()
        id = id or f"dlv_{self.store.next_number('delivery')}"
        status = "waiting" if self.target.url else "unaddressed"
        self.store.run(
            "INSERT INTO deliveries (id, type, body, status, next_at, created_at) VALUES (?, ?, ?, ?, ?, ?)",
            [id, type, body, status, now, now],
        )
        self.store.after_commit(self._bell.set)
        return id

    def configure(self, values: Mapping[str, Any]) -> None:
        """Change the target; rows already waiting go to the new one."""
        for name in ("url", "secret", "duplicate", "shuffle", "paused"):
            if name in values:
                setattr(self.target, name, values[name])
        self._bell.set()

    def redeliver(self, ids: Sequence[str]) -> int:
        """Send these again, delivered or not. Returns how many were found."""
        found = 0
        for id in ids:
            found += self.store.run(
                "UPDATE deliveries SET status = 'waiting', next_at = ? WHERE id = ?", [self.store.clock(), id]
            )
        self._bell.set()
        return found

    def undelivered(self) -> int:
        """Rows that still wait for a 2xx."""
        return int(self.store.rows("SELECT count(*) AS n FROM deliveries WHERE status = 'waiting'")[0]["n"])

    # -- the sender -----------------------------------------------------------------------------------------------

    def _loop(self) -> None:
        while not self._stop.is_set():
            self._bell.clear()
            if not (self.target.url and not self.target.paused and self._send_due()):
                self._bell.wait(timeout=0.2)

    def _send_due(self) -> int:
        rows = self.store.rows(
            "SELECT id, type, body, attempts FROM deliveries WHERE status = 'waiting' AND next_at <= ?"
            " ORDER BY next_at, seq LIMIT ?",
            [self.store.clock(), self.BATCH],
        )
        if self.target.shuffle:
            random.shuffle(rows)
        for row in rows:
            if self._stop.is_set() or self.target.paused:
                break
            self._send_one(str(row["id"]), bytes(row["body"]), int(row["attempts"]))
        return len(rows)

    def _send_one(self, id: str, body: bytes, attempts: int) -> None:
        times = 2 if random.random() < self.target.duplicate else 1
        answer, headers = 0, {}
        for _ in range(times):
            headers = {"Content-Type": "application/json"}
            headers.update(self._sign(body, self.target.secret, int(self.store.clock())))
            answer = self._post(body, headers)
            attempts += 1
        now = self.store.clock()
        if 200 <= answer < 300:
            status, delivered_at, next_at = "delivered", now, now
        else:
            wait = min(self.LONGEST_WAIT_SECONDS, self.FIRST_WAIT_SECONDS * 2 ** min(attempts - 1, 10))
            status, delivered_at, next_at = "waiting", None, now + wait
        with self.store.transaction():
            self.store.run(
                "UPDATE deliveries SET status = ?, attempts = ?, delivered_at = ?, next_at = ?, answer = ?,"
                " headers = ? WHERE id = ?",
                [status, attempts, delivered_at, next_at, answer or None, dumps(headers), id],
            )
            self._after(id, answer)

    def _post(self, body: bytes, headers: Mapping[str, str]) -> int:
        """The status that came back; 0 when none did. Redirects are not followed: they count as failure."""
        where = urlsplit(self.target.url)
        path = (where.path or "/") + (f"?{where.query}" if where.query else "")
        for fresh in (False, True):
            connection = self._connection
            if connection is None or fresh or (connection.host, connection.port) != (where.hostname, where.port or 80):
                connection = http.client.HTTPConnection(
                    where.hostname or "127.0.0.1", where.port or 80, timeout=self.TIMEOUT_SECONDS
                )
            reused, self._connection = connection.sock is not None, connection
            try:
                connection.request("POST", path, body=body, headers=dict(headers))
                response = connection.getresponse()
                response.read()
                return response.status
            except (OSError, http.client.HTTPException):
                connection.close()
                self._connection = None
                if not reused:
                    return 0
        return 0
