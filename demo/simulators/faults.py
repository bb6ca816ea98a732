"""Programmable faults: what goes wrong, with which request, how often.

A fault acts on single requests and is real on the wire: a delay is a delay, a reset is a TCP RST.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Fault:
    """One fault. `times` 0 means always. The path pattern is searched in the request's path with its query string.

    Without `after_effect`, `delay_seconds` passes and `status` answers before the vendor does anything. With it the
    effect is committed first; then comes the delay, and `status`/`body` replace the vendor's answer.
    `reset` "before" or "after" the effect closes the connection with a RST and no answer, "during" after the effect
    and half of the answer's body.
    `read_lag_seconds` hides what this request wrote from reads for that long.
    `stored` tells a vendor with an idempotency layer to remember the forced answer under the request's key.
    """

    id: str
    method: str | None = None
    path: str | None = None
    times: int = 1
    skip: int = 0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None
    delay_seconds: float = 0.0
    reset: str | None = None
    after_effect: bool = False
    read_lag_seconds: float = 0.0
    stored: bool = False
    seen: int = 0
    hits: int = 0

    def meets(self, method: str, target: str) -> bool:
        """True when the pattern fits, whether or not the fault is still armed."""
        if self.method and self.method.upper() != method:
            return False
        return self.path is None or re.search(self.path, target) is not None


class Faults:
    """The faults of one simulator, in the order they were programmed. The first armed one that fits acts."""

    _FIELDS = frozenset(Fault.__dataclass_fields__) - {"id", "method", "path", "seen", "hits"}

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._made = 0

    def add(self, wish: Mapping[str, Any]) -> str:
        """Program one fault from the control API's JSON. Raises ValueError on an unknown field or value."""
        unknown = set(wish) - self._FIELDS - {"match"}
        if unknown:
            raise ValueError(f"unknown fault field: {', '.join(sorted(unknown))}")
        if wish.get("reset") not in (None, "before", "during", "after"):
            raise ValueError("reset is before, during, after or null")
        match = wish.get("match") or {}
        if match.get("path"):
            re.compile(match["path"])
        values = {name: value for name, value in wish.items() if name != "match" and value is not None}
        for name in ("delay_seconds", "read_lag_seconds"):
            values[name] = float(values.get(name, 0))
        with self._lock:
            self._made += 1
            fault = Fault(f"fault_{self._made}", match.get("method"), match.get("path"), **values)
            self._faults.append(fault)
        return fault.id

    def take(self, method: str, target: str) -> Fault | None:
        """The fault that acts on this request, with its counters moved."""
        with self._lock:
            for fault in self._faults:
                if not fault.meets(method, target) or (fault.times and fault.hits >= fault.times):
                    continue
                fault.seen += 1
                if fault.seen > fault.skip:
                    fault.hits += 1
                    return fault
        return None

    def clear(self) -> int:
        """Forget all faults. Returns how many there were."""
        with self._lock:
            count = len(self._faults)
            self._faults.clear()
        return count

    def listing(self) -> list[dict[str, Any]]:
        """Every fault with how often it was seen and how often it acted."""
        with self._lock:
            return [asdict(fault) for fault in self._faults]
