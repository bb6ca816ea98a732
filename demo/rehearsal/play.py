"""The story plays on while the product runs: first the hero's chapters, then ordinary traffic. Its place is kept in the
answer key of the Stripe simulator, so that a restart goes on where it was."""

from __future__ import annotations

import random
import signal
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from demo.rehearsal import key, traffic
from demo.rehearsal.chapters import CHAPTERS
from demo.rehearsal.stage import Stage
from demo.rehearsal.wire import Refused, Unreachable, Wire

Json = dict[str, Any]
STEP_SECONDS = 15.0
RETRY_SECONDS = 5.0
QUIET_SHARE = 0.35
"""How many steps of the traffic begin nothing new."""


class Play:
    """One run. `speed`: how many times faster than calm; `say` gets one line for each thing that happens."""

    def __init__(self, wires: Mapping[str, Wire], *, speed: float = 1.0, say: Callable[[str], None]) -> None:
        self.wires, self.speed, self.say = wires, speed, say
        self.stage: Stage | None = None
        self.state: Json = {}
        self._stop = threading.Event()

    def run(self) -> None:
        """Play until SIGTERM or SIGINT. A simulator that does not answer is tried again."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        while not self._stop.is_set():
            try:
                wait = self.step()
            except (Unreachable, Refused) as trouble:
                self.say(f"not now: {trouble}")
                wait = RETRY_SECONDS
            self._stop.wait(wait)

    def step(self) -> float:
        """Do the next thing that is due; returns how many seconds to wait until the next step."""
        if self.stage is None and not self._open():
            return RETRY_SECONDS
        assert self.stage is not None
        elapsed = (time.time() - float(self.state["started"])) * self.speed
        for name, at, tell in CHAPTERS:
            if name in self.state["told"]:
                continue
            if elapsed < at:
                return float(min(STEP_SECONDS, (at - elapsed) / self.speed))
            self.say(tell(self.stage))
            self._keep(told=[*self.state["told"], name])
            return 0.0
        return self._traffic()

    def _open(self) -> bool:
        """Find the company and the place where the story stands."""
        documents = self.wires["stripe"].key()
        company = key.find(documents, key.COMPANY)
        if company is None or company["state"] != "loaded":
            self.say("no company is loaded yet: run manage.py demo first")
            return False
        self.stage = Stage.of(self.wires, company["seed"], company["accounts"], company["anchor"])
        self.state = key.find(documents, key.PLAY) or {}
        if not self.state:
            self._keep(started=time.time(), told=[], steps=0)
        for vendor in ("stripe", "netsuite", "gainsight"):
            self.wires[vendor].control("PUT", "deliveries", b'{"duplicate": 0.03, "shuffle": true}')
        return True

    def _keep(self, **values: object) -> None:
        self.state = {"id": key.PLAY, **self.state, **values}
        self.wires["stripe"].store_key([{**self.state, "started": round(float(self.state["started"]), 3)}])

    def _traffic(self) -> float:
        assert self.stage is not None
        number = int(self.state["steps"])
        rng = random.Random(f"{self.stage.company.seed}/traffic/{number}")
        began = time.monotonic()
        scene = traffic.look(self.stage, self.speed)
        looked = time.monotonic() - began
        said = traffic.do_duty(scene)
        if said is None and rng.random() > QUIET_SHARE:
            said = traffic.begin_something(scene, rng, f"play:{int(self.stage.company.anchor.timestamp())}:{number}")
        if said is not None:
            self.say(said)
        self._keep(steps=number + 1)
        return max(STEP_SECONDS / self.speed, 15 * looked)  # a large company is looked at less often
