"""Whether a run kept every promise: the journal and the simulators' own ledgers against the database.

The database is read by SQL of its own, as the auditor; nothing of the product is imported, and what the product says of its own
state counts only where somebody must be told something. Five kinds of wrong:

- lost: something was acknowledged and is not there, or an authentic message was neither applied nor set aside with a reason;
- double: a vendor did one intention twice, or one message became two;
- duty: something left, or was let through, without the people whom it needs, or a vendor has it and nobody is told;
- chain: the log does not follow from itself, or lacks what was acknowledged;
- stuck: work is neither done nor before a person, or a process is away.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import psycopg

from tests.faults.client import Act, Journal, Pushed
from tests.faults.installation import Installation
from tests.faults.scenes import VENDORS, Intention, Play, Played
from tests.faults.strikes import WORDS, process

Json = dict[str, Any]
KINDS = ("lost", "double", "duty", "chain", "stuck")
CONTROLLER_FROM = Decimal(10_000)
"""US dollars from which the controller signs too, alone or together with what left for the same customer before."""
SEALED_WITHIN_SECONDS = 15
BEGINNING = hashlib.sha256(b"revops audit chain 1").digest()
VERBS = {"submit": "plan.submit", "approve": "plan.approve", "reject": "plan.reject", "withdraw": "plan.withdraw"}
STATES = {"reject": "rejected", "withdraw": "withdrawn"}
WORKERS = tuple(name for name in WORDS if name != "backend")


@dataclass(frozen=True, slots=True)
class Finding:
    """One broken promise."""

    kind: str
    text: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.text}"


@dataclass(slots=True)
class Log:
    """How far the chain of the log has been followed: from run to run on one installation."""

    sequence: int = 0
    digest: bytes = BEGINNING


class Judge:
    """Judges one run; to be asked again until it finds nothing, or until its time is up."""

    def __init__(self, installation: Installation, play: Play, played: Played, journal: Journal, log: Log) -> None:
        self.installation, self.play, self.played, self.journal, self.log = installation, play, played, journal, log
        self.effects = {vendor: play.effects(vendor) for vendor in VENDORS}

    def findings(self) -> list[Finding]:
        """What is wrong at this moment."""
        try:
            self.database = psycopg.connect(self.installation.auditor_url, autocommit=True, connect_timeout=5)
        except psycopg.Error as error:
            return [Finding("stuck", f"the database does not answer: {error}")]
        with self.database:
            self.effects = {vendor: self.play.effects(vendor) for vendor in VENDORS}
            found = [Finding("stuck", text) for text in self.played.wrong]
            for part in (self._messages, self._actions, self._intentions, self._strangers, self._chain, self._processes):
                found += part()
        return list(dict.fromkeys(found))

    def state(self) -> str:
        """What the product is busy with at this moment, for whoever looks for the cause of a finding."""
        parts = {
            "deliveries": "SELECT connection_id, reason_code, max(reason), count(*) FROM sync_delivery WHERE state = 'pending' "
            "GROUP BY 1, 2",
            "streams": "SELECT connection_id, stream, last_error FROM sync_watermark WHERE last_error <> ''",
            "accounts": "SELECT account_id, attempts, last_error FROM ledger_dueaccount",
            "postings": "SELECT key, state, needs_person, last_error FROM postings_posting ORDER BY id DESC LIMIT 3",
        }
        with psycopg.connect(self.installation.auditor_url, autocommit=True, connect_timeout=5) as self.database:
            told = {name: self._rows(query) for name, query in parts.items()}
        return "; ".join(f"{name} {rows}" for name, rows in told.items() if rows)

    def _rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return self.database.execute(query, values).fetchall()

    # -- what came in ------------------------------------------------------------------------------------------------------

    def _messages(self) -> Iterator[Finding]:
        told: dict[tuple[str, str], list[Pushed]] = {}
        for each in self.journal.pushed:
            told.setdefault((each.message.vendor, each.message.key), []).append(each)
        for (vendor, key), pushed in told.items():
            rows = self._rows(
                "SELECT body, state, reason_code FROM sync_delivery WHERE connection_id = %s AND dedup_key = %s", vendor, key
            )
            yield from _message(vendor, key, pushed, [(bytes(body), str(state), str(code)) for body, state, code in rows])
        for customer, name in self.played.newest.items():
            found = self._rows(
                "SELECT e.fields->>'name' FROM ledger_sourcerecord r JOIN ledger_ledgerentry e ON e.id = r.current_id "
                "WHERE r.system_id = 'stripe' AND r.object_type = 'customer' AND r.external_id = %s", customer
            )  # fmt: skip
            if found != [(name,)]:
                yield Finding("lost", f"{customer} should be named {name!r}, the ledger says {found}")
        doubled = self._rows(
            "SELECT r.external_id, e.version, count(*) FROM ledger_sourcerecord r "
            "JOIN ledger_ledgerentry e ON e.record_id = r.id "
            "WHERE r.system_id = 'stripe' AND r.external_id = ANY(%s) GROUP BY 1, 2 HAVING count(*) > 1",
            [*self.played.newest, *(each.mismatch.billed_id for each in self.played.intentions if each.mismatch)],
        )
        yield from (Finding("double", f"{id}: {count} entries of version {version}") for id, version, count in doubled)

    # -- what people did -----------------------------------------------------------------------------------------------------

    def _actions(self) -> Iterator[Finding]:
        for act in self.journal.acts:
            if act.wrong and 0 < act.status < 400:
                yield Finding("duty", f"{act.wrong}: {act.who} was let through at {act.path}")
            if act.status == 0:
                yield Finding("stuck", f"{act.path} of {act.who} was never answered")
            elif act.path == "change-plans/" and act.status == 201:
                yield from self._composed(act)
            elif act.path.startswith("change-plans/") and act.status == 200 and not act.wrong:
                yield from self._decided(act)

    def _composed(self, act: Act) -> Iterator[Finding]:
        plan = act.answer
        rows = self._rows("SELECT digest FROM postings_changeplan WHERE id = %s", plan["id"])
        if rows != [(plan["digest"],)]:
            yield Finding("lost", f"plan {plan['id']} was composed with digest {plan['digest'][:12]}, the database has {rows}")
        yield from self._logged("plan.compose", plan["id"], act)

    def _decided(self, act: Act) -> Iterator[Finding]:
        _, number, verb, _ = act.path.split("/")
        if verb == "approve" and act.answer.get("state") == "void":
            return  # the facts had moved: it was not signed, and the answer says so
        yield from self._logged(VERBS[verb], int(number), act)
        if verb in STATES and self._rows("SELECT state FROM postings_changeplan WHERE id = %s", int(number)) != [(STATES[verb],)]:
            yield Finding("lost", f"plan {number}: {verb} of {act.who} was acknowledged and is not so")
        if verb in ("approve", "reject"):
            verdicts = self._rows(
                "SELECT d.verdict FROM approvals_decision d JOIN people_user u ON u.id = d.decided_by_id "
                "WHERE d.plan_id = %s AND u.username = %s", int(number), f"{act.who}@rehearsal.example"
            )  # fmt: skip
            if len(verdicts) != 1:
                yield Finding("lost", f"plan {number}: the {verb} of {act.who} was acknowledged, there are {verdicts}")

    def _logged(self, verb: str, plan: int, act: Act) -> Iterator[Finding]:
        rows = self._rows(
            "SELECT count(*) FROM audit_actionrecord a JOIN people_user u ON u.id = a.actor_id "
            "WHERE a.verb = %s AND a.subject = %s AND u.username = %s", verb, f"changeplan:{plan}", f"{act.who}@rehearsal.example"
        )  # fmt: skip
        if rows != [(1,)]:
            yield Finding("chain", f"{verb} of plan {plan} by {act.who} stands {rows[0][0]} times in the log")

    # -- what became of it at the vendors --------------------------------------------------------------------------------------

    def _intentions(self) -> Iterator[Finding]:
        for meant in self.played.intentions:
            vendor = "netsuite" if meant.mismatch else "gainsight"
            done = {key: [row for row in self.effects[vendor] if row["key"] == key and _counts(row)] for key in meant.keys}
            yield from self._done(meant, done)
            for plan, key in zip(meant.plans, meant.keys, strict=True):
                yield from self._posting(meant, plan, key, done[key])
            yield from self._case(meant, done)

    def _done(self, meant: Intention, done: dict[str, list[Json]]) -> Iterator[Finding]:
        """As the vendor's ledger has it: once at most, no more than was approved, with the signatures that it needs."""
        for key, rows in done.items():
            if len(rows) > 1:
                yield Finding("double", f"{key}: {len(rows)} effects")
        if meant.mismatch is None:
            return
        credited = sum((_amount(row) for rows in done.values() for row in rows), Decimal(0))
        above = Decimal(meant.mismatch.above).scaleb(-meant.mismatch.customer.entity.places)
        if credited > above:
            yield Finding("double", f"invoice {meant.mismatch.erp_id} was {above} too high and was credited {credited}")
        for plan in meant.plans:
            for row in done[plan["postings"][0]["key"]]:
                yield from self._signatures(meant, plan, row)

    def _signatures(self, meant: Intention, plan: Json, row: Json) -> Iterator[Finding]:
        """By the journal: who has signed this plan before it left, and who has taken it back."""
        assert meant.mismatch is not None
        acts = [act for act in self.journal.acts if act.path.startswith(f"change-plans/{plan['id']}/") and not act.wrong]
        signing = [act for act in acts if act.path.endswith("/approve/") and act.status in (0, 200)]
        signers = {act.who for act in signing if act.asked_at <= row["at"]}
        wanted = {"approver"}
        if meant.mismatch.customer.entity.currency == "USD" and self._left_so_far(meant, row) >= CONTROLLER_FROM:
            wanted.add("controller")
        if missing := wanted - signers:
            yield Finding("duty", f"plan {plan['id']} left over {_amount(row)} without {', '.join(sorted(missing))}")
        if plan["maker"].split("@")[0] in signers:
            yield Finding("duty", f"plan {plan['id']} was signed by its maker")
        if _amount(row) != Decimal(plan["moves"]["amount"]):
            yield Finding("duty", f"plan {plan['id']} was signed over {plan['moves']['amount']}, the vendor did {_amount(row)}")
        for act in acts:
            if act.status == 200 and act.path.endswith(("/withdraw/", "/reject/")):
                yield Finding("duty", f"plan {plan['id']} was ended by {act.who} and is done at the vendor")
        gone = [act for act in self.journal.acts if act.path.endswith("/deactivate/") and act.status == 200]
        if meant.left and any(act.answered_at < row["at"] for act in gone):
            yield Finding("duty", f"plan {plan['id']} left after its maker {meant.left} had been let in no more")

    def _left_so_far(self, meant: Intention, row: Json) -> Decimal:
        """What has left for this customer in this run, that memo included."""
        assert meant.mismatch is not None
        entity = meant.mismatch.customer.erp
        return sum(
            (
                _amount(each) for each in self.effects["netsuite"]
                if _counts(each) and each["seq"] <= row["seq"] and int(each["object"]["entity"]) == entity
            ),
            Decimal(0),
        )  # fmt: skip

    def _posting(self, meant: Intention, plan: Json, key: str, done: Sequence[Json]) -> Iterator[Finding]:
        """What the product says of it must fit what the vendor has; where it cannot, a person is told."""
        rows = self._rows("SELECT state, needs_person FROM postings_posting WHERE key = %s", key)
        if len(rows) != 1:
            yield Finding("lost", f"{key}: {len(rows)} postings")
            return
        state, needs_person = rows[0]
        told = self._told(key)
        if needs_person and not told:
            yield Finding("stuck", f"{key} waits for a person, and no exception says so")
        if state in ("released", "sending", "unknown") and not needs_person:
            yield Finding("stuck", f"{key} is {state}")
        if done and state not in ("posted", "confirmed"):
            kind = "stuck" if told or state in ("released", "sending", "unknown") else "duty"
            yield Finding(kind, f"{key} is done at the vendor as approved, and {state} here")
        if done and not meant.stray and self._asked(key):
            yield Finding("stuck", f"a person was asked about {key}, which is done at the vendor as approved")
        if not done and state in ("posted", "confirmed") and not meant.stray:
            yield Finding("lost", f"{key} is {state} here, and the vendor has nothing")
        if meant.stray and not told:
            yield Finding("duty", f"{key} is {state} here, a record under it stands at the vendor, and nobody is told")

    def _asked(self, key: str) -> bool:
        """Whether somebody was ever asked to look what became of it."""
        return bool(
            self._rows(
                "SELECT 1 FROM audit_actionrecord a JOIN postings_posting p ON a.subject = 'posting:' || p.id "
                "WHERE a.verb IN ('posting.needs_person', 'posting.alarm') AND p.key = %s", key
            )
        )  # fmt: skip

    def _told(self, key: str) -> bool:
        """Whether an open exception names this reference."""
        return bool(
            self._rows(
                "SELECT 1 FROM cases_exceptioncase WHERE status <> 'closed' AND evidence::text LIKE %s "
                "AND rule IN ('posting_waits_for_person', 'unexplained_posting')", f"%{key}%"
            )
        )  # fmt: skip

    def _case(self, meant: Intention, done: dict[str, list[Json]]) -> Iterator[Finding]:
        """Where the vendors' documents still contradict each other an exception is open; where they do not, none."""
        if not meant.case:
            return
        rows = self._rows("SELECT status FROM cases_exceptioncase WHERE id = %s", meant.case)
        if len(rows) != 1:
            yield Finding("lost", f"exception {meant.case} is gone")
            return
        if meant.mismatch is not None:
            places = meant.mismatch.customer.entity.places
            credited = sum((_amount(row) for memos in done.values() for row in memos), Decimal(0))
            if meant.stray:  # it is nobody's here, and credits the invoice all the same
                credited += Decimal(meant.asked_minor).scaleb(-places)
            right = credited == Decimal(meant.mismatch.above).scaleb(-places)
        else:
            right = any(done.values())
        live = rows[0][0] != "closed"
        if right and live:
            yield Finding("stuck", f"exception {meant.case} is {rows[0][0]}, and the vendors agree")
        if not right and not live:
            yield Finding("stuck", f"exception {meant.case} is closed, and the vendors still contradict each other")

    def _strangers(self) -> Iterator[Finding]:
        """Nothing at a vendor under a reference of ours that nobody has composed in this run."""
        known = {key for meant in self.played.intentions for key in meant.keys}
        for vendor, rows in self.effects.items():
            for key, count in Counter(row["key"] for row in rows if _counts(row)).items():
                if key not in known and not self._told(key):
                    yield Finding("duty", f"{vendor} did {key} {count} times, which nobody composed in this run")

    # -- the log, the processes ------------------------------------------------------------------------------------------------

    def _chain(self) -> Iterator[Finding]:
        rows = self._rows(
            "SELECT sequence, content, digest FROM audit_seal WHERE sequence > %s ORDER BY sequence", self.log.sequence
        )
        sequence, digest = self.log.sequence, self.log.digest
        for number, content, sealed in rows:
            sequence += 1
            digest = hashlib.sha256(digest + sequence.to_bytes(8, "big") + bytes(content)).digest()
            if number != sequence or bytes(sealed) != digest:
                yield Finding("chain", f"number {number} of the log does not follow from the one before")
                return
        self.log.sequence, self.log.digest = sequence, digest
        late = self._rows(
            "SELECT count(*) FROM audit_actionrecord a WHERE a.at < clock_timestamp() - make_interval(secs => %s) "
            "AND NOT EXISTS (SELECT FROM audit_seal s WHERE s.record_id = a.id)", SEALED_WITHIN_SECONDS
        )  # fmt: skip
        if late != [(0,)]:
            yield Finding("chain", f"{late[0][0]} lines of the log are not sealed after {SEALED_WITHIN_SECONDS} s")

    def _processes(self) -> Iterator[Finding]:
        away = [name for name in WORKERS if process(self.installation, name) is None]
        if away:
            yield Finding("stuck", f"away: {', '.join(away)}")
        try:
            told = self.installation.readiness()
        except (OSError, ValueError) as error:
            yield Finding("stuck", f"/readyz does not answer: {error}")
            return
        if not told["ready"] or told["silent"]:
            yield Finding("stuck", f"/readyz says {json.dumps(told)[:300]}")


def _message(vendor: str, key: str, pushed: Sequence[Pushed], rows: Sequence[tuple[bytes, str, str]]) -> Iterator[Finding]:
    """One message of a vendor, with its copies: as pushed, and as kept."""
    if all(each.forged for each in pushed):
        if rows or any(each.status != 401 for each in pushed):
            yield Finding("duty", f"{vendor} {key} was forged: answered {[each.status for each in pushed]}, {len(rows)} rows")
        return
    if any(not 200 <= each.status < 300 for each in pushed):
        yield Finding("stuck", f"{vendor} {key} was never taken: {[each.status for each in pushed]}")
    elif not rows:
        yield Finding("lost", f"{vendor} {key} was taken and is not there")
    if len(rows) > 1:
        yield Finding("double", f"{vendor} {key} is there {len(rows)} times")
    for body, state, code in rows:
        if body != pushed[0].message.body:
            yield Finding("lost", f"{vendor} {key} is kept with other bytes")
        if state == "pending":
            yield Finding("stuck", f"{vendor} {key} is not worked on")
        elif state != "applied" and not code:
            yield Finding("lost", f"{vendor} {key} is {state} without a reason")


def _counts(row: Json) -> bool:
    """Whether an effect in a simulator's ledger is what a posting of ours makes: a memo created, a renewal changed."""
    return (row["collection"], row["kind"]) in (("transaction", "created"), ("gs_opportunity", "changed"))


def _amount(row: Json) -> Decimal:
    return abs(Decimal(str(row["object"]["foreigntotal"])))
