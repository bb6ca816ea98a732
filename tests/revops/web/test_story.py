"""The steps of a case, names in place of ids, the ledger side by side, and what is not offered to whom."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pytest

from revops.approvals import actions as approvals
from revops.cases import actions
from revops.cases.models import ExceptionCase
from revops.ledger.freshness import freshness_of, read_through
from revops.ledger.reading import account_ledger
from revops.ledger.statement import statement_lines
from revops.people.models import User
from revops.policies.in_force import policies_in_force
from revops.postings.models import ChangePlan, Posting
from revops.reference import Ref
from revops.sentences import Sentence
from revops.web.case_context import order_of
from revops.web.freshness_strip import fresh_strip
from revops.web.naming import keys_in, names_of
from revops.web.side_by_side import closings, pairs
from revops.web.story import PlanProgress, Step, story_of
from tests import guards
from tests.revops import world
from tests.revops.web.conftest import HTMX, Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]


@pytest.fixture
def case() -> ExceptionCase:
    world.systems()
    return world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]


OPENED = dt.datetime(2026, 11, 20, 9, 0, tzinfo=dt.UTC)
FARID, ANNEKE = User(pk=1, username="farid@example.com", display_name="Farid"), "Anneke"


def a_story(plan_state: str = "", case_state: str = "open", *postings: Posting, taken: bool = True, **known: Any) -> list[Step]:
    """The steps of a case with a plan in that state; nothing of it is stored."""
    closed = OPENED if case_state == "closed" else None
    row = ExceptionCase(pk=7, status=case_state, opened_at=OPENED, closed_at=closed, owner=FARID if taken else None)
    if not plan_state:
        return story_of(row, None, fixable=known.get("fixable", True))
    plan = ChangePlan(pk=9, state=plan_state, maker=FARID, amount_minor=100)
    return story_of(row, PlanProgress(plan, postings, **known), fixable=True)


def states(steps: list[Step]) -> str:
    return " ".join(step.state for step in steps)


def test_the_steps_follow_a_fix_from_the_finding_to_the_closed_case() -> None:
    signed: dict[str, Any] = {"signed_by": [ANNEKE]}
    posted = Posting(state="posted", posted_at=OPENED)
    told = [
        (a_story(taken=False), "done now todo todo todo todo"),
        (a_story(), "done done now todo todo todo"),
        (a_story("draft"), "done done now todo todo todo"),
        (a_story("submitted", waiting_for=["approver", "controller"]), "done done done now todo todo"),
        (a_story("submitted", taken=False, waiting_for=["approver"]), "done done done now todo todo"),
        (a_story("released", "open", Posting(state="sending"), **signed), "done done done done now todo"),
        (a_story("posted", "awaiting_evidence", posted, **signed), "done done done done done now"),
        (a_story("confirmed", "closed", posted, **signed), "done done done done done done"),
    ]  # fmt: skip
    for steps, expected in told:
        assert states(steps) == expected
    assert told[3][0][3].detail == "waits for approver, then controller"
    assert told[5][0][3].detail == "by Anneke"
    assert told[5][0][4].detail == "0 of 1 calls answered"
    assert a_story("confirmed", "closed", posted, needs_nobody=True)[3].detail == "not needed: moves no money"


@pytest.mark.parametrize(
    ("state", "step", "label"),
    [("rejected", 3, "Rejected"), ("withdrawn", 3, "Withdrawn"), ("void", 3, "Void"), ("failed", 4, "Not sent")],
)
def test_a_plan_that_ended_otherwise_stops_the_story_where_it_stopped(state: str, step: int, label: str) -> None:
    found = a_story(state)[step]
    assert (found.state, found.label) == ("stopped", label)
    assert states(a_story(state, "closed")) == "done done done done"


def test_an_unknown_outcome_is_said_and_who_settles_it() -> None:
    asked = a_story("released", "open", Posting(state="unknown"))[4]
    assert (asked.state, asked.detail) == ("now", "outcome unknown: being looked up")
    stuck = a_story("released", "open", Posting(state="unknown", needs_person=True))[4]
    assert (stuck.state, stuck.detail) == ("stopped", "outcome unknown: a controller checks")


def test_what_no_change_of_ours_can_mend_has_its_own_four_steps() -> None:
    assert states(a_story(fixable=False)) == "done done now todo"
    assert states(a_story("", "closed", taken=False, fixable=False)) == "done done done done"


# --- names ------------------------------------------------------------------------------------------------------------------


def test_a_sentence_of_a_connector_names_what_it_knows_by_id_only(case: ExceptionCase, sign_in: SignIn) -> None:
    plan = world.credit_plan(world.person("maker", "finance_analyst"), case)
    page = sign_in("farid", "finance_analyst").get(f"/plans/{plan.code}/").content.decode()
    what = page.split('class="calls"')[1].split("The exact call")[0]
    assert ">Halden</a>" in what
    assert ">INV-700</a>" in what
    assert f'<span class="id long muted">{world.CUSTOMER}</span>' in what
    assert "Posting period" in what
    assert "PERIOD" not in what.upper().split("POSTING PERIOD")[1].split("</TR>")[0] or "20" in what
    approval = approvals.submit_plan(plan, acting_user=plan.maker)
    phone = sign_in("anneke", "approver").get(f"/approvals/{approval.code}/").content.decode()
    assert ">Halden</a>" in phone.split("amount-card")[1].split("</section>")[0]


def test_ids_without_a_name_stay_ids() -> None:
    world.systems()
    names = names_of(keys_in("netsuite", {"invoice_id": "999", "customer_id": "", "memo": "invoice 999"}))
    assert str(names.html("netsuite", "invoice", "999")) == '<span class="id long">999</span>'
    unknown = Sentence("test.unknown", {"invoice": Ref("netsuite", "invoice", "999"), "memo": "invoice 700 <b>"})
    assert str(names.in_words(unknown)) == "test.unknown 999, invoice 700 &lt;b&gt;"
    assert names_of([]).known == {}


# --- side by side -------------------------------------------------------------------------------------------------------------


def test_the_ledger_side_by_side_joins_by_reference_and_says_how_far_apart(case: ExceptionCase, sign_in: SignIn) -> None:
    world.say("stripe", world.fact("invoice", "in_2", status="open", total=world.usd("50.00"), number="A-2"))
    lines = statement_lines(account_ledger(world.account_on(case)))
    assert [(p.verdict, p.apart) for p in pairs(lines, ["stripe", "netsuite"], policies_in_force())] == [
        ("apart", world.usd("120.00"))
    ]
    assert [(c.currency, c.apart) for c in closings(lines, ["stripe", "netsuite"])] == [("USD", world.usd("120.00"))]
    client, account = sign_in("farid", "finance_analyst"), world.account_on(case)
    page = client.get(f"/accounts/{account.code}/").content.decode()
    assert "120.00&nbsp;" in page.split("Closing balance, USD")[1]
    assert "Side by side" in page
    one = client.get(f"/accounts/{account.code}/?books=netsuite").content.decode()
    assert "Closing balance, " in one
    assert 'data-label="Balance"' in one
    assert client.get(f"/accounts/{account.code}/?books=nonsense").status_code == 200


def test_a_difference_that_a_credit_memo_takes_away_is_settled_by_it(case: ExceptionCase) -> None:
    memo = {"invoice": f"netsuite:{world.INVOICE}", "customer": f"netsuite:{world.CUSTOMER}", "change": "revops:rvo-1"}
    systems = ["stripe", "netsuite"]
    world.say("netsuite", world.fact("credit_memo", "9", memo, number="CM-9", status="applied", total=world.usd("119.00")))
    lines = statement_lines(account_ledger(world.account_on(case)))
    assert {pair.verdict for pair in pairs(lines, systems, policies_in_force())} == {"apart", "alone"}
    world.say("netsuite", world.fact("credit_memo", "9", memo, number="CM-9", status="applied", total=world.usd("120.00")))
    lines = statement_lines(account_ledger(world.account_on(case)))
    assert {(pair.verdict, pair.by) for pair in pairs(lines, systems, policies_in_force())} == {
        ("settled", ("CM-9",)),
        ("settled", ("INV-700",)),
    }


# --- who may, and what is missing -----------------------------------------------------------------------------------------------


def test_each_reader_is_told_what_is_not_offered_why_and_who_can(case: ExceptionCase, sign_in: SignIn) -> None:
    farid = sign_in("farid", "finance_analyst")
    sign_in("kenji", "controller")
    path = f"/cases/{case.code}/"

    def withheld(client: Seat) -> str:
        page = client.get(path).content.decode()
        return page.split("<h2>Not offered to you")[1].split("</aside>")[0] if "<h2>Not offered" in page else ""

    assert withheld(farid) == ""
    carla = withheld(sign_in("carla", "cs_analyst"))
    assert "This case is the finance team" in carla
    assert "finance analysts and controllers: Farid, Kenji" in carla
    assert "Compose: Credit memo in the ERP" in carla
    auditor = withheld(sign_in("aurelio", "auditor"))
    assert "As auditor you read cases" in auditor
    plan = approvals.submit_plan(world.credit_plan(farid.user, case), acting_user=farid.user)
    assert f"Approve {plan.code}" in withheld(farid)
    assert "You composed it" in withheld(farid)


def test_a_fix_that_does_not_fit_is_not_offered_and_the_case_says_why(sign_in: SignIn) -> None:
    world.systems()
    _, case = world.mismatch(world.usd("880.00"), world.usd("1000.00"))
    client = sign_in("farid", "finance_analyst")
    actions.assign_case(case, owner=client.user, row_version=None, acting_user=client.user)
    page = client.get(f"/cases/{case.code}/").content.decode()
    assert "does not fit here" in page
    assert "below billing" in page
    assert 'data-key="propose"' not in page


def test_the_order_that_was_broken_comes_from_the_declared_process() -> None:
    named = {"process": "renewal_to_revenue", "stage": "renewal", "needs": "amendment"}
    found = order_of({"order": named})
    assert found["why"] == policies_in_force().process("renewal_to_revenue").prerequisite("renewal", "amendment").why
    assert found["first"] == "Amendment finalised in billing"
    assert found["second_in"] == "Customer success"
    assert order_of({"order": {**named, "process": "gone"}}) == order_of({"order": None}) == order_of({}) == {}


# --- news -----------------------------------------------------------------------------------------------------------------------


def test_a_page_that_asks_for_news_gets_none_until_something_changed(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    plan = approvals.submit_plan(world.credit_plan(client.user, case), acting_user=client.user)
    for path in (f"/cases/{case.code}/", f"/plans/{plan.code}/"):
        stamp = client.get(path).content.decode().split("?since=")[1].split("&")[0].split('"')[0]
        assert client.get(path, {"since": stamp}, headers=HTMX).status_code == 204
        assert client.get(path, {"since": "other"}, headers=HTMX).status_code == 200
        assert client.get(path, {"since": stamp}).status_code == 200
        if path.startswith("/plans"):
            signer = sign_in("anneke", "approver").user
            approvals.approve(plan, digest=plan.digest, meaning="yes", step_up=world.proof(signer), acting_user=signer)
        else:
            actions.assign_case(case, owner=client.user, row_version=None, acting_user=client.user)
        assert client.get(path, {"since": stamp}, headers=HTMX).status_code == 200


def test_what_is_read_rarely_on_purpose_is_not_stale(case: ExceptionCase) -> None:
    account = world.account_on(case)
    now = world.now()
    read_through("netsuite", ["exchange_rate"], now - dt.timedelta(hours=1), stale_after={"exchange_rate": 7200})
    read_through("netsuite", ["payment"], now - dt.timedelta(minutes=2))
    lines = {line.object_type: line for line in freshness_of(["netsuite"], now=now) if line.read_through_at}
    assert not lines["exchange_rate"].stale
    assert account.pk
    strip = fresh_strip([lines["exchange_rate"], lines["payment"]], now)
    assert [(item.ago, item.stale) for item in strip] == [("1 h ago", False)]
    read_through("netsuite", ["payment"], now - dt.timedelta(minutes=2), stale_after={"payment": 60})
    assert any(line.stale for line in freshness_of(["netsuite"], now=now) if line.object_type == "payment")


def test_changes_are_listed_by_what_became_of_them(case: ExceptionCase, sign_in: SignIn) -> None:
    farid, fiona = sign_in("farid", "finance_analyst"), sign_in("fiona", "finance_analyst")
    assert "Nobody has composed a change yet" in farid.get("/plans/").content.decode()
    plan = world.credit_plan(farid.user, case)
    assert plan.code in farid.get("/plans/?show=draft").content.decode()
    assert plan.code not in fiona.get("/plans/?show=draft&maker=me").content.decode()
    assert "Nothing is under way" in fiona.get("/plans/").content.decode()
    approvals.submit_plan(plan, acting_user=farid.user)
    assert plan.code in fiona.get("/plans/").content.decode()
    assert "No change is proven yet" in farid.get("/plans/?show=done").content.decode()
    assert farid.get("/plans/?show=nonsense&before=x").status_code == 200
    with guards.down():
        plan.postings.update(state="unknown", needs_person=True)
    assert plan.code in farid.get("/plans/?show=person").content.decode()
    assert sign_in("ada", "admin").get("/plans/").status_code == 404
