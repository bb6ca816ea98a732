"""Change plans over the API: compose, submit, sign, refuse, take back. A8 to A10 (money), A15 and A16 (who signs what)."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from django.test import Client

from revops.access.grants import grant_role, revoke_role
from revops.approvals.models import Decision
from revops.people.actors import System
from revops.people.models import Role
from revops.postings.kinds import register, unregister
from revops.postings.kinds.credit_memo import CreditMemo
from revops.postings.models import ChangePlan, PlanState, PostingState
from tests.revops import world
from tests.revops.api.caller import Caller, Company, body, code, errors

CS, FIN, APP, CON = Role.CS_ANALYST, Role.FINANCE_ANALYST, Role.APPROVER, Role.CONTROLLER


def proposal(company: Company, **inputs: object) -> dict[str, Any]:
    wanted = {**world.credit_inputs("20.00"), **inputs}
    return {"kind": "credit_memo", "case": company.case.pk, "reason": "A discount was missed", "inputs": wanted}


def sign(caller: Caller, plan: ChangePlan, digest: str | None = None) -> Any:
    said = {"digest": digest or plan.digest, "meaning": "I checked it"}
    return caller.post(f"change-plans/{plan.pk}/approve/", said)


def state(plan: ChangePlan) -> str:
    return str(world.fresh(plan).state)


# --- composing -------------------------------------------------------------------------------------------------------


def test_from_proposal_to_release(company: Company) -> None:
    ana, pat = company[FIN], company[APP]
    ana.post(f"change-plans/{company.plan.pk}/withdraw/", {"reason": "Another amount"})
    answer = ana.post("change-plans/", proposal(company))
    drafted = body(answer)
    assert (answer.status_code, drafted["state"], drafted["maker"]) == (201, "draft", "finance_analyst@example.com")
    assert drafted["moves"] == {"amount": "20.00", "currency": "USD"}
    assert [p["state"] for p in drafted["postings"]] == ["planned"]
    path = f"change-plans/{drafted['id']}/"
    submitted = ana.post(f"{path}submit/", {})
    assert (submitted.status_code, body(submitted)["state"]) == (200, "submitted")
    assert [c["role"] for c in body(submitted)["checkpoints"]] == ["approver"]
    signed = pat.post(f"{path}approve/", {"digest": drafted["digest"], "meaning": "I checked it"})
    assert (signed.status_code, body(signed)["state"]) == (200, "released")
    assert [(d["decided_by"], d["verdict"]) for d in body(signed)["decisions"]] == [("approver@example.com", "approved")]
    assert [p["state"] for p in body(signed)["postings"]] == ["released"]
    assert signed["ETag"] == f'"v{body(signed)["row_version"]}"' != submitted["ETag"]


def test_a_submission_needs_no_body_and_takes_no_content(company: Company) -> None:
    ana = company[FIN]
    ana.post(f"change-plans/{company.plan.pk}/withdraw/", {"reason": "Another amount"})
    path = f"change-plans/{body(ana.post('change-plans/', proposal(company)))['id']}/submit/"
    assert code(ana.post(path, {"state": "released"})) == (400, "invalid")
    assert code(ana.post(path, [])) == (400, "invalid")
    assert ana.post(path).status_code == 200


@pytest.mark.parametrize(
    "over",
    [
        {"kind": "wire_transfer"}, {"kind": None}, {"kind": ["credit_memo"]}, {"case": None}, {"case": 0}, {"case": "x"},
        {"case": True}, {"case": 1.5}, {"reason": ""}, {"reason": "  "}, {"reason": 5}, {"reason": "x" * 2001},
        {"inputs": []}, {"inputs": None}, {"inputs": "x"}, {"inputs": {"vendor_secret": "x"}},
    ],
)  # fmt: skip
def test_a_proposal_that_says_the_wrong_thing(company: Company, over: dict[str, object]) -> None:
    answer = company[FIN].post("change-plans/", proposal(company) | over)
    assert code(answer) == (400, "invalid")
    assert {name.partition(".")[0] for name in errors(answer)} == set(over)
    assert ChangePlan.objects.count() == 1


def test_a_kind_that_is_added_later_may_be_proposed(company: Company) -> None:
    """Page and API ask the registry when they are asked, and the kind's own reader for what an input holds."""
    company[FIN].post(f"change-plans/{company.plan.pk}/withdraw/", {"reason": "Another kind"})
    added = {"kind": "goodwill_credit"}
    assert code(company[FIN].post("change-plans/", proposal(company) | added)) == (400, "invalid")
    register(CreditMemo(code="goodwill_credit", label="Goodwill credit"))
    try:
        unknown = company[FIN].post("change-plans/", proposal(company, vendor_secret="x") | added)
        wrong = company[FIN].post("change-plans/", proposal(company, memo="x" * 201) | added)
        answer = company[FIN].post("change-plans/", proposal(company) | added)
    finally:
        unregister("goodwill_credit")
    assert code(unknown) == (400, "invalid")
    assert set(errors(unknown)) == {"inputs.vendor_secret"}
    assert code(wrong) == (422, "input_too_long")
    assert errors(wrong)["memo"] == "Memo has at most 200 characters."
    assert (answer.status_code, body(answer)["kind"]) == (201, "goodwill_credit")


@pytest.mark.parametrize(
    "wrong",
    [
        {"memo": "x" * 201}, {"memo": "Dis\u200bcount"}, {"on": "30.11.2026"}, {"on": "0000-00-00"}, {"on": "2999-01-01"},
        {"amount": "1e400"}, {"amount": "-5.00"}, {"amount": "120.01"}, {"invoice_id": "nobodys"}, {"invoice_id": ""},
    ],
    ids=str,
)  # fmt: skip
def test_the_page_and_the_api_refuse_an_input_in_the_same_words(company: Company, wrong: dict[str, str]) -> None:
    company[FIN].post(f"change-plans/{company.plan.pk}/withdraw/", {"reason": "Another amount"})
    said = proposal(company, **wrong)
    refused = company[FIN].post("change-plans/", said)
    told = errors(refused)
    assert (refused.status_code, set(told)) == (422, set(wrong))
    client = Client()
    client.force_login(company.people[FIN])
    form = {**said["inputs"], "reason": said["reason"]}
    page = client.post(f"/plans/new/?case={company.case.code}&kind=credit_memo", form)
    assert page.status_code == 422
    (name,) = wrong
    at_field = re.search(rf'id="f-{name}_error"[^>]*>([^<]*)<', page.content.decode())
    assert at_field is not None
    ungrouped = re.sub(r"(?<=\d),(?=\d{3})", "", unescape(at_field[1])).replace("\u00a0", " ")
    assert ungrouped == told[name], "amounts on a page are grouped, and nothing else differs"


def test_customer_success_proposes_no_money(company: Company) -> None:
    assert code(company[CS].post("change-plans/", proposal(company))) == (404, "not_found")


def test_a_hold_asks_for_a_renewal_of_the_account(company: Company) -> None:
    said = {
        "kind": "hold_renewal", "case": company.case.pk, "reason": "An amendment is pending",
        "inputs": {"renewal_id": "1P02NONE", "hold_reason": "Please wait"},
    }  # fmt: skip
    answer = company[CS].post("change-plans/", said)
    assert code(answer) == (422, "choice_unknown")
    assert set(errors(answer)) == {"renewal_id"}


# --- A8, A9, A10: money ----------------------------------------------------------------------------------------------

NO_AMOUNTS: list[object] = [
    "1e10000000", "NaN", "sNaN", "-sNaN", "Infinity", "-0.00", "0", "0.00", "-5.00", "1_000", "1,000.00", "٢٠.00", "２０",
    "12345678901234567890", "20.001", "20.", ".5", "+", "", " ", "20 USD", "$20", "0x14", "20.00\n5", "20.00\u00a0x", "1" * 400,
    20, 20.5, 0.1, True, None, [], ["20.00"], {}, {"amount": "20.00"}, {"currency": "USD"},
    {"amount": 20, "currency": "USD"}, {"amount": 0.1, "currency": "USD"}, {"amount": "20.00", "currency": "USD", "x": 1},
    {"amount": None, "currency": "USD"}, {"amount": ["20.00"], "currency": "USD"},
]  # fmt: skip
NO_CURRENCIES: list[object] = ["usd", "XXX", "US", "EUR", "JPY", "USD ", "", "USDX", "\u0055\u0053\u200bD", 840, None, ["USD"]]


def test_a8_a9_amounts_that_are_none(company: Company) -> None:
    ana = company[FIN]
    for amount in NO_AMOUNTS:
        answer = ana.post("change-plans/", proposal(company, amount=amount))
        assert answer.status_code == 422, (amount, answer.content)
        assert set(errors(answer)) == {"amount"}, amount
    assert ChangePlan.objects.count() == 1


def test_a10_currencies_that_are_none_or_not_the_invoices(company: Company) -> None:
    ana = company[FIN]
    for currency in NO_CURRENCIES:
        answer = ana.post("change-plans/", proposal(company, amount={"amount": "20.00", "currency": currency}))
        assert answer.status_code == 422, (currency, answer.content)
        assert set(errors(answer)) == {"amount"}, currency
    assert ChangePlan.objects.count() == 1


@pytest.mark.parametrize("amount", ["20", "20.0", "20.00", "120.00", "0.01", {"amount": "20.00", "currency": "USD"}])
def test_amounts_that_are_some(company: Company, amount: object) -> None:
    answer = company[FIN].post("change-plans/", proposal(company, amount=amount))
    text = amount if isinstance(amount, str) else "20.00"
    whole, _, cents = text.partition(".")
    assert (answer.status_code, body(answer)["moves"]) == (201, {"amount": f"{whole}.{cents:0<2}", "currency": "USD"})


def test_never_more_than_the_difference(company: Company) -> None:
    answer = company[FIN].post("change-plans/", proposal(company, amount="120.01"))
    assert code(answer) == (422, "above_difference")


def test_a8_yen_have_no_decimals(db: None) -> None:
    from decimal import Decimal

    from revops.money import Money

    ana = world.person("ana", FIN)
    world.systems()
    _, case = world.mismatch(Money(Decimal(150_000), "JPY"), Money(Decimal(120_000), "JPY"))
    said = {"kind": "credit_memo", "case": case.pk, "reason": "x", "inputs": world.credit_inputs("1000.5")}
    caller = Caller(ana)
    for amount in ("1000.5", "1000.00"):
        said["inputs"] = world.credit_inputs(amount)
        answer = caller.post("change-plans/", said)
        assert (answer.status_code, amount) == ((422, "1000.5") if amount == "1000.5" else (201, "1000.00"))
    assert body(answer)["moves"] == {"amount": "1000", "currency": "JPY"}


# --- A15: who signs --------------------------------------------------------------------------------------------------


def test_a15_nobody_signs_their_own(company: Company) -> None:
    """The maker becomes an approver afterwards, with every token there is."""
    ana = company.people[FIN]
    old = Caller(ana)
    revoke_role(ana, FIN, acting_user=System("tests"))
    grant_role(ana, APP, acting_user=System("tests"))
    for caller in (old, Caller(ana)):
        assert code(sign(caller, company.plan)) == (403, "maker_is_checker")
        answer = caller.post(f"change-plans/{company.plan.pk}/reject/", {"reason": "x"})
        assert code(answer) == (403, "maker_is_checker")
    assert not Decision.objects.exists()
    assert state(company.plan) == PlanState.SUBMITTED


def test_a15_only_the_maker_submits_and_withdraws(company: Company) -> None:
    other = Caller(world.person("other", FIN))
    assert code(other.post(f"change-plans/{company.plan.pk}/withdraw/", {"reason": "x"}))[0] == 403
    company[FIN].post(f"change-plans/{company.plan.pk}/withdraw/", {"reason": "x"})
    draft = body(company[FIN].post("change-plans/", proposal(company)))
    assert code(other.post(f"change-plans/{draft['id']}/submit/", {})) == (403, "not_the_maker")


def test_a_large_amount_takes_two_people_in_their_order(db: None) -> None:
    from tests.revops.api import caller

    company = caller.company(erp=world.usd("41000.00"))
    company[FIN].post(f"change-plans/{company.plan.pk}/withdraw/", {"reason": "Another amount"})
    drafted = body(company[FIN].post("change-plans/", proposal(company, amount="10000.00")))
    path, said = f"change-plans/{drafted['id']}/", {"digest": drafted["digest"], "meaning": "I checked it"}
    submitted = body(company[FIN].post(f"{path}submit/", {}))
    assert [c["role"] for c in submitted["checkpoints"]] == ["approver", "controller"]
    assert code(company[CON].post(f"{path}approve/", said)) == (409, "not_your_turn")
    assert body(company[APP].post(f"{path}approve/", said))["state"] == "submitted"
    assert code(company[APP].post(f"{path}approve/", said)) == (409, "already_decided")
    assert body(company[CON].post(f"{path}approve/", said))["state"] == "released"


# --- A16: what is signed ---------------------------------------------------------------------------------------------


def test_a16_a_digest_that_is_not_the_plans(company: Company) -> None:
    assert code(sign(company[APP], company.plan, "0" * 64)) == (409, "digest_stale")
    for wrong in (
        "",
        "x",
        "0" * 63,
        "0" * 65,
        company.plan.digest.upper(),
        f"{company.plan.digest}x",
        5,
        None,
        [company.plan.digest],
    ):
        answer = company[APP].post(f"change-plans/{company.plan.pk}/approve/", {"digest": wrong, "meaning": "x"})
        assert code(answer) == (400, "invalid"), wrong
    for wrong in ("", " ", "x" * 201, None, 5):
        answer = company[APP].post(f"change-plans/{company.plan.pk}/approve/", {"digest": company.plan.digest, "meaning": wrong})
        assert code(answer) == (400, "invalid"), wrong
    assert state(company.plan) == PlanState.SUBMITTED


def test_a16_once_it_is_released_nobody_decides_again(company: Company) -> None:
    assert sign(company[APP], company.plan).status_code == 200
    assert code(sign(company[APP], company.plan)) == (409, "not_submitted")
    assert code(sign(company[CON], company.plan)) == (409, "not_submitted")
    assert code(company[APP].post(f"change-plans/{company.plan.pk}/reject/", {"reason": "x"})) == (409, "not_submitted")
    assert company[FIN].post(f"change-plans/{company.plan.pk}/withdraw/", {"reason": "x"}).status_code == 409
    assert Decision.objects.count() == 1
    assert state(company.plan) == PlanState.RELEASED


def test_a16_after_it_was_withdrawn(company: Company) -> None:
    answer = company[FIN].post(f"change-plans/{company.plan.pk}/withdraw/", {"reason": "Wrong invoice"})
    assert (answer.status_code, body(answer)["state"]) == (200, "withdrawn")
    assert code(sign(company[APP], company.plan)) == (409, "not_submitted")
    assert code(company[FIN].post(f"change-plans/{company.plan.pk}/submit/", {})) == (409, "not_a_draft")
    assert world.fresh(company.plan).postings.get().state == PostingState.VOID


def test_a16_after_the_facts_moved_the_plan_is_void(company: Company) -> None:
    world.say("netsuite", world.entered(world.usd("990.00")))
    answer = sign(company[APP], company.plan)
    assert (answer.status_code, body(answer)["state"]) == (200, "void")
    assert body(answer)["outcome"]
    assert not Decision.objects.exists()


def test_a16_a_rejection_tells_its_reason(company: Company) -> None:
    path = f"change-plans/{company.plan.pk}/reject/"
    for wrong in ({}, {"reason": ""}, {"reason": "x" * 2001}, {"reason": None}):
        assert code(company[APP].post(path, wrong)) == (400, "invalid")
    answer = company[APP].post(path, {"reason": "Not our mistake"})
    assert (answer.status_code, body(answer)["state"]) == (200, "rejected")
    assert body(answer)["decisions"][0]["reason"] == "Not our mistake"
