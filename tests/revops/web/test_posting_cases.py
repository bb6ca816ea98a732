"""A posting that waits for a person is a case like any other: in the queue, on its page, in the API, with a way to the plan."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from revops.approvals.actions import approve, submit_plan
from revops.cases.models import ExceptionCase
from revops.ledger.models import SourceRecord
from revops.postings import transitions
from revops.postings.models import ChangePlan
from tests.revops import world
from tests.revops.postings.attempts import sent
from tests.revops.web.conftest import Seat

pytestmark = pytest.mark.django_db


def test_it_is_in_the_queue_and_leads_to_the_plan(sign_in: Callable[..., Seat]) -> None:
    world.systems()
    case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]
    plan = world.credit_plan(world.person("ana", "finance_analyst"), case)
    to = {"customer": f"netsuite:{world.CUSTOMER}", "change": f"revops:{plan.postings.get().key}"}
    world.say("netsuite", world.fact("credit_memo", "90", to, status="applied", total=world.usd("120.00")))
    world.detect()
    found = ExceptionCase.objects.get(rule="posting_waits_for_person")
    client = sign_in("farid", "finance_analyst")
    listed = client.get("/queue/?rule=posting_waits_for_person").content.decode()
    assert found.code in listed
    assert "Posting waits for person" in listed
    page = client.get(f"/cases/{found.code}/")
    assert page.status_code == 200
    text = page.content.decode()
    assert f'href="/plans/{plan.code}/"' in text
    assert "A posting waits for a person" in text
    assert "Our reference" in text
    assert "Look for our reference in the system" in text
    for untrue in ("not part of this version", "no longer in the ledger", "stands still"):
        assert untrue not in text
    assert client.get("/plans/?show=person").content.decode().count(plan.code) >= 1


def refused_with_effect() -> ChangePlan:
    """A plan that failed because the ERP said no, and whose credit memo the ERP has all the same."""
    world.systems()
    case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]
    ana = world.person("ana", "finance_analyst")
    plan = submit_plan(world.credit_plan(ana, case), acting_user=ana)
    pat = world.person("pat", "approver")
    approve(plan, digest=plan.digest, meaning="Checked", step_up=world.proof(pat), acting_user=pat)
    transitions.note_refused(sent(), "The role may not do this.", alarm=False)
    memo(plan.postings.get().key)
    return world.fresh(plan)


def memo(key: str) -> None:
    to = {"customer": f"netsuite:{world.CUSTOMER}", "change": f"revops:{key}"}
    world.say("netsuite", world.fact("credit_memo", "90", to, number="CM-90", status="applied", total=world.usd("120.00")))
    world.detect()


@pytest.mark.parametrize(("verdict", "ends"), [("adopt", "confirmed"), ("stray", "failed")])
def test_the_plans_page_offers_what_may_be_done(sign_in: Callable[..., Seat], verdict: str, ends: str) -> None:
    plan = refused_with_effect()
    posting = plan.postings.get()
    page = f"/plans/{plan.code}/"
    for reader in ("finance_analyst", "approver"):
        text = sign_in(reader, reader).get(page).content.decode()
        assert 'name="verdict"' not in text
        assert "A controller who neither composed nor approved it decides" in text
    client = sign_in("cora", "controller")
    text = client.get(page).content.decode()
    assert "CM-90" in text
    assert ['value="adopt"' in text, 'value="stray"' in text, 'value="absent"' in text] == [True, True, False]
    empty = client.post(f"{page}calls/{posting.pk}/", {"verdict": verdict, "reason": ""})
    assert (empty.status_code, "Say where you looked" in empty.content.decode()) == (422, True)
    done = client.post(f"{page}calls/{posting.pk}/", {"verdict": verdict, "reason": "It is CM-90"})
    assert (done.status_code, world.fresh(plan).state) == (302, ends)


def test_a_record_that_nobody_explains_is_judged_on_its_page(sign_in: Callable[..., Seat]) -> None:
    world.systems()
    world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    memo("rvo-forgotten")
    record = SourceRecord.objects.get(external_id="90")
    page = f"/records/{record.pk}/"
    text = sign_in("farid", "finance_analyst").get(page).content.decode()
    assert ["rvo-forgotten" in text, "It is decided by controllers" in text, 'name="verdict"' in text] == [True, True, False]
    assert sign_in("ana", "finance_analyst").post(f"{page}verdict/", {}).status_code == 404
    client = sign_in("cora", "controller")
    said = {"key": "rvo-forgotten", "verdict": "ours", "reason": ""}
    assert client.post(f"{page}verdict/", said).status_code == 422
    assert client.post(f"{page}verdict/", {**said, "reason": "On paper"}).status_code == 302
    world.detect()
    assert ExceptionCase.objects.get(rule="unexplained_posting").status == "closed"
    text = client.get(page).content.decode()
    assert "It is the effect of an approved change" in text
    assert "On paper" in text
