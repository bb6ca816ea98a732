"""Playing a run: the vendors push, people compose, sign, refuse and try what they may not, and the faults strike."""

from __future__ import annotations

import datetime as dt
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.faults import company
from tests.faults.client import Act, Client
from tests.faults.company import Company, Message, Mismatch, OpenRenewal
from tests.faults.draw import LARGE_MINOR, Burst, Credit, Hold, Run, Strike
from tests.faults.installation import Installation
from tests.faults.strikes import strike

Json = dict[str, Any]
VENDORS = ("netsuite", "gainsight")
"""Those that are written to."""
MEANING = "I checked both documents and approve the credit."
TRIGGER_SECONDS = 15
"""How long a strike waits for its moment before it strikes anyway."""
CASE_SECONDS = 60
OUTCOME_SECONDS = 60
ENDED = frozenset({"confirmed", "failed", "void", "partly_posted", "rejected", "withdrawn", "expired"})
UNREACHABLE = {"match": {"method": "GET", "path": "creditMemo/eid"}, "times": 0, "status": 503}
"""NetSuite does not let itself be asked: what is released is held."""


@dataclass(slots=True)
class Intention:
    """What one scene wants of a vendor, and the plans by which it tried: the second after it was told to compose again."""

    kind: str
    wanted: Credit | Hold
    mismatch: Mismatch | None = None
    renewal: OpenRenewal | None = None
    case: int = 0
    plans: list[Json] = field(default_factory=list)
    asked_minor: int = 0
    stray: bool = False
    left: str = ""
    """Who composed it and was let in no more while it was held."""

    @property
    def keys(self) -> list[str]:
        """Our references at the vendor."""
        return [plan["postings"][0]["key"] for plan in self.plans]


@dataclass(slots=True)
class Played:
    """What came of a run, for the judge."""

    intentions: list[Intention] = field(default_factory=list)
    newest: dict[str, str] = field(default_factory=dict)
    """Stripe customer to the newest name that its vendor has pushed."""
    fired: int = 0
    wrong: list[str] = field(default_factory=list)
    """What could not be played: it is the judge's business too."""


class Play:
    """One run on a running installation."""

    def __init__(self, installation: Installation, world: Company, client: Client, run: Run) -> None:
        self.installation, self.company, self.client, self.run = installation, world, client, run
        self.played = Played()
        self.released, self.over = threading.Event(), threading.Event()
        self.since = {vendor: self._last_effect(vendor) for vendor in VENDORS}

    def _last_effect(self, vendor: str) -> int:
        found = self.installation.simulator(vendor, "effects?since=" + str(time.time() - 900))
        return max((int(row["seq"]) for row in found), default=0)

    def effects(self, vendor: str) -> list[Json]:
        """What that vendor has done under our references since the run began."""
        found = self.installation.simulator(vendor, f"effects?after={self.since[vendor]}")
        return [row for row in found if str(row["key"] or "").startswith("rvo-")]

    def play(self) -> Played:
        """All scenes at once, with the faults among them. Returns when every scene has come to its end."""
        rng = random.Random(f"faults/{self.run.seed}/order")
        for fault in self.run.vendor_faults:
            for wish in fault.wishes:
                self.installation.simulator(fault.vendor, "faults", wish)
        self._pause_hints(self.run.hints_paused)
        scenes: list[Callable[[], None]] = [partial(self._burst, self.run.burst)]
        scenes += [partial(self._credit, number, wanted) for number, wanted in enumerate(self.run.credits)]
        scenes += [partial(self._hold, number, wanted) for number, wanted in enumerate(self.run.holds)]
        rng.shuffle(scenes)
        with ThreadPoolExecutor(len(scenes) + len(self.run.strikes)) as threads:
            struck = [threads.submit(self._strike, each) for each in self.run.strikes]
            acted = [threads.submit(scene) for scene in scenes]
            for each in acted:
                self._wait(each)
            self.over.set()
            self.played.fired += sum(bool(self._wait(each)) for each in struck)
        return self.played

    def _wait(self, part: Future[Any]) -> object:
        """What came of a part; what it waited for in vain is told to the judge."""
        try:
            return part.result()
        except TimeoutError as late:
            self.played.wrong.append(str(late))
            return True

    def lift(self, *vendors: str) -> None:
        """No fault any more at these vendors, but what they have decided for good."""
        for vendor in vendors:
            self.played.fired += sum(bool(each["hits"]) for each in self.installation.simulator(vendor, "faults"))
            self.installation.simulator(vendor, "faults", method="DELETE")
        for fault in self.run.vendor_faults:
            if fault.vendor in vendors and fault.row.endswith("for good"):
                for wish in fault.wishes:
                    self.installation.simulator(fault.vendor, "faults", wish)

    def clean(self) -> None:
        """Nothing of this run is left to trouble the next."""
        for vendor in VENDORS:
            self.installation.simulator(vendor, "faults", method="DELETE")
        self._pause_hints(False)

    def _pause_hints(self, paused: bool) -> None:
        for vendor in VENDORS:
            self.installation.simulator(vendor, "deliveries", {"paused": paused}, method="PUT")

    # -- faults ------------------------------------------------------------------------------------------------------------

    def _strike(self, wanted: Strike) -> bool:
        deadline = time.monotonic() + TRIGGER_SECONDS
        while time.monotonic() < deadline and not self.over.is_set() and not self._moment(wanted):
            time.sleep(0.03)
        time.sleep(wanted.after_seconds)
        return strike(self.installation, wanted)

    def _moment(self, wanted: Strike) -> bool:
        if wanted.when == "start":
            return True
        if wanted.when == "release":
            return self.released.is_set()
        return self.released.is_set() and any(self.effects(vendor) for vendor in VENDORS)

    # -- deliveries --------------------------------------------------------------------------------------------------------

    def _burst(self, wanted: Burst) -> None:
        rng = random.Random(f"faults/{self.run.seed}/burst")
        customer = company.fresh_id("cus")
        account = rng.choice(self.company.customers).crm
        began = dt.datetime.now(dt.UTC).replace(microsecond=0) - dt.timedelta(hours=2)
        names = [f"Version {number} of run {self.run.seed}" for number in range(max(wanted.versions) + 1)]
        said = [
            company.renamed(customer, account, name, began + dt.timedelta(minutes=number)) for number, name in enumerate(names)
        ]
        self.played.newest[customer] = names[-1]
        pushed = [(said[number], False) for number in wanted.versions]
        forged = company.fresh_id("cus")
        pushed += [(company.renamed(forged, account, "Forged", began), True) for _ in range(wanted.forged)]
        rng.shuffle(pushed)
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(lambda each: self.client.push(each[0], forged=each[1]), pushed))

    def _push(self, rng: random.Random, messages: tuple[Message, ...]) -> None:
        """In any order, some of them twice."""
        told = [*messages, *rng.choices(messages, k=rng.randrange(2))]
        rng.shuffle(told)
        for message in told:
            self.client.push(message)

    # -- changes -----------------------------------------------------------------------------------------------------------

    def _credit(self, number: int, wanted: Credit) -> None:
        rng = random.Random(f"faults/{self.run.seed}/credit/{number}")
        customer = self.company.customer(wanted.customer, in_dollars=wanted.above >= LARGE_MINOR)
        mismatch = self.company.mismatch(customer, wanted.billed, wanted.above)
        meant = Intention("credit_memo", wanted, mismatch=mismatch)
        self.played.intentions.append(meant)
        maker = "finance"
        if wanted.ending == "leave":
            maker = self._joiner(f"leaver-{self.run.seed}-{time.time_ns()}")
            self.installation.simulator("netsuite", "faults", UNREACHABLE)
        self._push(rng, mismatch.messages)
        meant.case = self._case("finance", "invoice_amount_mismatch", "netsuite", str(mismatch.erp_id))
        meant.asked_minor = max(1, mismatch.above * wanted.part // 100)
        plan = self._compose_credit(meant, maker)
        if plan is None:
            return
        self._submit(maker, plan)
        self._try_to_cheat(wanted, plan, maker)
        if wanted.ending == "withdraw":
            self.client.act(maker, f"change-plans/{plan['id']}/withdraw/", {"reason": "The customer objects."})
        elif wanted.ending == "reject":
            self.client.prove("approver")
            self.client.act("approver", f"change-plans/{plan['id']}/reject/", {"reason": "The second document is missing."})
        else:
            self._sign(plan)
            if "twice" in wanted.attempts:
                self._approve("approver", plan, plan["digest"], wrong="twice")
        if wanted.stray:
            meant.stray = True
            self.client.push(self.company.stray(mismatch, plan["postings"][0]["key"], meant.asked_minor))
        elif wanted.ending == "leave":
            self._leave(meant, maker)
        elif wanted.ending == "sign":
            self._compose_again(meant)

    def _compose_credit(self, meant: Intention, maker: str) -> Json | None:
        assert meant.mismatch is not None
        inputs = {
            "invoice_id": str(meant.mismatch.erp_id), "amount": meant.mismatch.money(meant.asked_minor),
            "on": dt.datetime.now(dt.UTC).date().isoformat(), "memo": f"Run {self.run.seed}",
        }  # fmt: skip
        return self._compose(meant, maker, inputs)

    def _compose(self, meant: Intention, maker: str, inputs: Json) -> Json | None:
        """A draft; None when it is refused, as it is when the facts have changed in the meantime."""
        body = {"kind": meant.kind, "case": meant.case, "reason": "The systems disagree.", "inputs": inputs}
        act = self.client.act(maker, "change-plans/", body)
        if act.status != 201:
            if not meant.plans:
                self.played.wrong.append(f"compose: {act.status} {act.answer.get('code')} {act.answer.get('message', '')}")
            return None
        meant.plans.append(act.answer)
        return act.answer

    def _submit(self, maker: str, plan: Json) -> Json:
        return self.client.act(maker, f"change-plans/{plan['id']}/submit/").answer

    def _sign(self, plan: Json) -> None:
        """Everybody whose signature the plan asks for, in turn, also when it asks for one more at the end."""
        for _ in range(4):
            shown = self.client.get("finance", f"change-plans/{plan['id']}/")
            signed = {each["checkpoint"] for each in shown["decisions"]}
            waiting = [each for each in shown["checkpoints"] if each["code"] not in signed]
            if shown["state"] != "submitted" or not waiting:
                break
            who = min(waiting, key=lambda each: int(each["sequence"]))["role"]
            self.client.prove(who)
            self._approve(who, plan, plan["digest"])
        self.released.set()

    def _approve(self, who: str, plan: Json, digest: str, wrong: str = "") -> Act:
        body = {"digest": digest, "meaning": MEANING}
        return self.client.act(who, f"change-plans/{plan['id']}/approve/", body, wrong=wrong)

    def _try_to_cheat(self, wanted: Credit, plan: Json, maker: str) -> None:
        """Signatures that must not count."""
        for attempt in wanted.attempts:
            who = {"maker": maker, "other role": "cs", "auditor": "auditor", "administrator": "admin"}.get(attempt)
            if who is not None:
                self._approve(who, plan, plan["digest"], wrong=attempt)
            elif attempt == "other digest":
                self.client.prove("approver")
                self._approve("approver", plan, plan["digest"][::-1], wrong=attempt)

    def _compose_again(self, meant: Intention) -> None:
        """What a person does who is told that nothing was sent: compose it again, once."""
        state = self._outcome(meant.plans[-1])
        if state in ("void", "failed"):
            plan = self._compose_credit(meant, "finance")
            if plan is not None:
                self._submit("finance", plan)
                self._sign(plan)
                self._outcome(plan)

    def _outcome(self, plan: Json) -> str:
        """How the plan stands once it has ended, or a person must look, or time is up."""
        deadline = time.monotonic() + OUTCOME_SECONDS
        while True:
            shown = self.client.get("finance", f"change-plans/{plan['id']}/")
            if shown["state"] in ENDED or shown["postings"][0]["needs_person"] or time.monotonic() > deadline:
                return str(shown["state"])
            time.sleep(0.3)

    def _hold(self, number: int, wanted: Hold) -> None:
        rng = random.Random(f"faults/{self.run.seed}/hold/{number}")
        renewal = self.company.open_renewal(rng, self.company.customer(wanted.customer, in_dollars=False))
        meant = Intention("hold_renewal", wanted, renewal=renewal)
        self.played.intentions.append(meant)
        self._push(rng, renewal.messages)
        meant.case = self._case("cs", "renewal_before_amendment", "gainsight", renewal.gsid)
        inputs = {"renewal_id": renewal.gsid, "hold_reason": f"Wait for the amendment, run {self.run.seed}."}
        plan = self._compose(meant, "cs", inputs)
        if plan is not None:
            self._submit("cs", plan)
            self.released.set()
            self._outcome(plan)

    def _case(self, who: str, rule: str, system: str, external_id: str) -> int:
        """The open exception about that record, once it is there. Raises `TimeoutError`."""
        deadline = time.monotonic() + CASE_SECONDS
        while time.monotonic() < deadline:
            for case in self.client.get(who, f"cases/?rule={rule}&status=open&page_size=50")["results"]:
                records = case["evidence"].get("records", [])
                if any((each["system"], each["external_id"]) == (system, external_id) for each in records):
                    return int(case["id"])
            time.sleep(0.25)
        raise TimeoutError(f"no exception {rule} about {external_id} of {system}")

    # -- somebody leaves -----------------------------------------------------------------------------------------------------

    def _joiner(self, name: str) -> str:
        """Somebody new in finance."""
        address = f"{name}@rehearsal.example"
        joined = self.client.act("admin", "people/", {"email": address, "name": "Lena Voss"})
        self.client.act("admin", f"people/{joined.answer['id']}/roles/give/", {"role": "finance_analyst"})
        self.client.tokens[name] = self.installation.token_of(address)
        return name

    def _leave(self, meant: Intention, maker: str) -> None:
        """The plan is signed, and held because the vendor cannot be asked. Its maker leaves; then the vendor answers again."""
        people = self.client.get("admin", "people/?page_size=200")["results"]
        person = next(each for each in people if each["username"] == f"{maker}@rehearsal.example")
        self.client.act("admin", f"people/{person['id']}/deactivate/", {"reason": "Left the company."})
        meant.left = maker
        self.lift("netsuite")
        self._outcome(meant.plans[-1])
