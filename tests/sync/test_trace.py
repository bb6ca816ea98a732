"""One trace runs from the delivery that brought a contradiction to the vendor's own record that ends it, on one timeline."""

from __future__ import annotations

from typing import Any

import pytest

from revops.audit.models import ActionRecord
from revops.ledger.models import LedgerEntry
from revops.people.actors import System
from revops.postings.models import Posting
from sync.applying.replay import replay
from sync.models import Delivery
from sync.posting.outbox import send_due
from tests.demo.simulators.control import Control
from tests.revops import world
from tests.revops.api.caller import Caller, body
from tests.sync.postable import Book, book, evidence_arrives

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def erp(netsuite: Control, transactional_db: None) -> Book:
    return book(netsuite, "1120.00")


def timeline(trace: str) -> list[dict[str, Any]]:
    """What an auditor sees of this trace, oldest first."""
    auditor = Caller(world.person("auditor", "auditor"))
    found: list[dict[str, Any]] = body(auditor.get(f"audit/?trace_id={trace}&page_size=200"))["results"]
    return found[::-1]


def test_i49_one_trace_from_the_delivery_to_the_confirmed_posting(erp: Book) -> None:
    trace = erp.case.trace_id
    delivery = Delivery.objects.get(trace_id=trace)
    entry = LedgerEntry.objects.get(trace_id=trace)
    assert (delivery.connection_id, entry.delivery_id, entry.record.account_id) == ("netsuite", delivery.pk, erp.account.pk)
    ana, pat = Caller(erp.maker), Caller(erp.checker).proven()
    said = {"kind": "credit_memo", "case": erp.case.pk, "reason": "A discount was missed", "inputs": world.credit_inputs()}
    answer = ana.post("change-plans/", said)
    drafted = body(answer)
    plan = f"change-plans/{drafted['id']}/"
    assert ana.post(f"{plan}submit/").status_code == 200
    signed = pat.post(f"{plan}approve/", {"digest": drafted["digest"], "meaning": "I checked it"})
    assert body(signed)["state"] == "released"
    assert send_due() == 1
    evidence_arrives()
    assert Posting.objects.get().state == "confirmed"
    lines = timeline(trace)
    verbs = [line["verb"] for line in lines]
    assert verbs == [
        "case.open", "plan.compose", "plan.submit", "plan.approve", "plan.release", "posting.post", "plan.posted",
        "case.await_evidence", "case.close", "posting.confirm", "plan.confirmed",
    ]  # fmt: skip
    actors = {line["verb"]: line["actor_label"] for line in lines}
    assert (actors["plan.compose"], actors["plan.approve"]) == (erp.maker.username, erp.checker.username)
    assert {actors["case.open"], actors["case.close"], actors["posting.post"]} == {"system:detection", "system:posting"}
    assert next(line for line in lines if line["verb"] == "plan.compose")["request_id"] == answer["X-Request-Id"]


def test_a_replayed_delivery_keeps_its_trace(erp: Book) -> None:
    delivery = Delivery.objects.get(trace_id=erp.case.trace_id)
    replay(delivery.pk, reason="Again", acting_user=System("tests"))
    assert ActionRecord.objects.get(verb="delivery.replay").trace_id == delivery.trace_id
