"""The page of rules: a system on trial opens no case until somebody has looked, and a rule that sees nothing says so."""

from __future__ import annotations

import html
from collections.abc import Callable

import pytest

from revops.cases import trial
from revops.cases.models import LIVE_STATUSES, ExceptionCase, Expectation, RuleSwitch
from revops.detection.run import mark_expected
from revops.ledger.due import mark_due
from revops.ledger.models import SourceSystem
from revops.policies.in_force import policies_in_force
from tests.revops import world
from tests.revops.web.conftest import Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]


@pytest.fixture(autouse=True)
def systems() -> None:
    world.systems()


def rules() -> list[str]:
    return sorted(ExceptionCase.objects.filter(status__in=LIVE_STATUSES).values_list("rule", flat=True))


def found_on_trial() -> None:
    """An invoice that the ERP carries 120.00 too high, while the ERP is on trial."""
    SourceSystem.objects.filter(pk="netsuite").update(on_trial=True)
    world.customers()
    world.say("stripe", world.billed(world.usd("1000.00")))
    world.say("netsuite", world.entered(world.usd("1120.00")))
    world.detect()


def text(client: Seat, path: str) -> str:
    return html.unescape(client.get(path).content.decode())


def test_what_is_found_on_trial_is_shown_and_opens_no_case_until_somebody_has_looked(sign_in: SignIn) -> None:
    found_on_trial()
    assert rules() == []
    assert mark_expected(now=world.now()) == 0, "it is not looked at again and again"
    client = sign_in("con", "controller")
    page = text(client, "/rules/invoice_amount_mismatch/")
    assert "120.00" in page
    assert "on trial" in page
    refused = client.post("/rules/invoice_amount_mismatch/switch/", {"system": "netsuite", "live": "yes", "reason": " "})
    assert refused.status_code == 422
    sent = {"system": "netsuite", "live": "yes", "reason": "Looked at all of them"}
    assert client.post("/rules/invoice_amount_mismatch/switch/", sent).status_code == 302
    world.detect()
    assert rules() == ["invoice_amount_mismatch"]
    assert not Expectation.objects.exclude(held="").exists()
    assert RuleSwitch.objects.get().decided_by.username


def test_every_rule_is_let_at_once_and_taken_back_again(sign_in: SignIn) -> None:
    found_on_trial()
    client = sign_in("con", "controller")
    client.post("/rules/all/switch/", {"system": "netsuite", "live": "yes", "reason": "Looked at the list"})
    world.detect()
    assert rules() == ["invoice_amount_mismatch"]
    client.post("/rules/invoice_amount_mismatch/switch/", {"system": "netsuite", "live": "no", "reason": "Too many"})
    world.say("netsuite", world.entered(world.usd("1070.00"), key="701", of="in_701"))
    world.say("stripe", world.fact("invoice", "in_701", {"customer": "stripe:cus_1"}, status="open", total=world.usd("1000.00")))
    world.detect()
    assert rules() == ["invoice_amount_mismatch"], "the one that was open stays, the new one waits"
    assert Expectation.objects.exclude(held="").count() == 1


def test_who_may_not_switch_reads_and_is_told_who_may(sign_in: SignIn) -> None:
    found_on_trial()
    client = sign_in("farid", "finance_analyst")
    assert "is for" in text(client, "/rules/")
    sent = {"system": "netsuite", "live": "yes", "reason": "I want to"}
    assert client.post("/rules/invoice_amount_mismatch/switch/", sent).status_code in (403, 404)
    assert client.get("/rules/no_such_rule/").status_code == 404


def test_a_rule_without_what_it_compares_is_blind_and_not_zero(sign_in: SignIn) -> None:
    found_on_trial()
    client = sign_in("farid", "finance_analyst")
    page = text(client, "/rules/invoice_before_contract/")
    assert "no invoices that state: contract" in page
    world.say(
        "salesforce", world.fact("contract", "800A", {"customer": "salesforce:" + world.CRM_ID}, number="100", status="activated")
    )
    world.say("netsuite", world.fact("invoice", "702", {"customer": "netsuite:50", "contract": "salesforce:800A"}, status="open"))
    assert "no invoices that state: contract" not in text(client, "/rules/invoice_before_contract/")


def test_a_rule_that_finds_too_much_at_once_waits_for_a_person(sign_in: SignIn) -> None:
    account, most = world.customers(), policies_in_force().detection.cases_an_hour
    to = {"customer": f"netsuite:{world.CUSTOMER}"}
    ids = [f"in_{number}" for number in range(most + 3)]
    ten, twenty = world.usd("10.00"), world.usd("20.00")
    world.say("stripe", *(world.fact("invoice", id, {"customer": "stripe:cus_1"}, status="open", total=ten) for id in ids))
    entered = [world.fact("invoice", f"9{id[3:]}", to | {"copy_of": f"stripe:{id}"}, status="open", total=twenty) for id in ids]
    world.say("netsuite", *entered)
    world.detect()
    assert len(rules()) == most
    assert [(line.rule, line.why, line.count) for line in trial.held_back()] == [("invoice_amount_mismatch", "flood", 3)]
    mark_due([account.pk], now=world.now())
    world.detect()
    assert len(rules()) == most, "those that are open are not counted twice, and the rest waits"
    sent = {"system": "netsuite", "live": "yes", "reason": "They are real"}
    sign_in("con", "controller").post("/rules/invoice_amount_mismatch/switch/", sent)
    world.detect()
    assert len(rules()) == most + 3
