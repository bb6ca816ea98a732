"""Every form that is refused: the words stand at the field they are about, and what was typed is still there."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from revops.approvals import actions as approvals
from revops.cases.models import ExceptionCase, SavedView
from revops.ledger.models import SourceRecord
from revops.postings.models import PlanState
from tests.factories import a_case
from tests.revops import world
from tests.revops.web.conftest import Seat

pytestmark = pytest.mark.django_db(transaction=True)
SignIn = Callable[..., Seat]
LONG = "told by phone " * 200


def wrong_at(page: str, name: str) -> str:
    """The words at the field of that name; its input must say that it is wrong and point to them."""
    tag = re.search(rf'<(?:input|textarea|select)[^>]* name="{name}"[^>]* aria-invalid="true"[^>]*>', page)
    assert tag is not None, f"{name} is not marked as wrong"
    described = re.search(r'aria-describedby="([^"]+)"', tag[0])
    assert described is not None
    told = re.search(rf'id="{described[1].split()[-1]}"[^>]*>([^<]+)<', page)
    assert told is not None, f"nothing is said at {name}"
    return told[1]


@pytest.fixture
def case() -> ExceptionCase:
    """A real mismatch."""
    world.systems()
    return world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]


def test_a_view_without_a_name_or_with_a_long_one(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    a_case(severity=1)
    for name, words in (("  ", "Give the view a name"), ("y" * 61, "at most 60 characters")):
        answer = client.post("/queue/views/", {"name": name, "query": "severity=critical", "shared": "1"})
        page = answer.content.decode()
        assert answer.status_code == 422
        assert words in wrong_at(page, "name")
        assert re.search(r'name="shared"[^>]* checked', page)
        assert 'value="severity=critical"' in page
    assert f'value="{"y" * 61}"' in page
    assert not SavedView.objects.exists()


def test_many_rows_without_what_is_waited_for(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    case = a_case()
    sent = {"action": "snooze", "case": f"{case.pk}:{case.row_version}", "hours": "72", "reason": " ", "remark": "half typed"}
    answer = client.post("/queue/bulk/", sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert wrong_at(page, "reason") == "Say what you are waiting for."
    assert re.search(r'name="hours" value="72"[^>]* checked', page)
    assert re.search(r'name="case"[^>]* checked', page)
    assert 'value="half typed"' in page  # of the other form that shares the sending


def test_the_first_of_the_people_is_offered_until_nobody_is_chosen(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    me, nobody = f'<option value="{client.user.pk}" selected>', '<option value="" selected>'
    for path in ("/queue/", f"/cases/{case.code}/"):
        page = client.get(path).content.decode()
        assert me in page, path
        assert nobody not in page, path
    answer = client.post("/queue/bulk/", {"action": "assign", "case": [], "owner": ""})
    assert nobody in answer.content.decode()


def test_a_plan_is_not_withdrawn_without_a_reason_or_with_one_that_would_be_cut(case: ExceptionCase, sign_in: SignIn) -> None:
    maker = sign_in("farid", "finance_analyst")
    plan = approvals.submit_plan(world.credit_plan(maker.user, case), acting_user=maker.user)
    path = f"/plans/{plan.code}/withdraw/"
    empty = maker.post(path, {"reason": " "})
    assert empty.status_code == 422
    assert "Say why" in wrong_at(empty.content.decode(), "reason")
    long = maker.post(path, {"reason": LONG})
    assert long.status_code == 422
    assert wrong_at(long.content.decode(), "reason") == "A reason has at most 2,000 characters."
    assert f'value="{LONG}"' in long.content.decode()
    assert world.fresh(plan).state == PlanState.SUBMITTED


def test_a_customer_is_not_tied_to_a_name_that_nobody_has(case: ExceptionCase, sign_in: SignIn) -> None:
    world.say("stripe", world.fact("customer", "cus_lost", name="Halden Robotik"))
    record = SourceRecord.objects.get(external_id="cus_lost")
    client = sign_in("farid", "finance_analyst")
    answer = client.post("/unlinked/link/", {"record": record.pk, "account": "Nobody Inc", "reason": "told by phone"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert wrong_at(page, "account") == "Account not found."
    assert 'value="Nobody Inc"' in page
    assert 'value="told by phone"' in page
    nowhere = {"record": "x", "account": "Halden", "reason": "y"}
    assert client.post("/unlinked/link/", nowhere).status_code == 404


def test_a_customer_is_not_taken_off_without_a_reason(case: ExceptionCase, sign_in: SignIn) -> None:
    assert case.account is not None
    client = sign_in("farid", "finance_analyst")
    tie = case.account.links.get(system="netsuite")
    answer = client.post(f"/accounts/{case.account.code}/unlink/", {"link": tie.pk, "reason": ""})
    assert answer.status_code == 422
    assert wrong_at(answer.content.decode(), "reason") == "Say why this is not the same customer."


def test_posting_is_not_stopped_without_a_reason(sign_in: SignIn) -> None:
    world.systems()
    client = sign_in("ada", "admin")
    for reason in ("", LONG):
        answer = client.post("/connections/netsuite/posting/stop/", {"reason": reason})
        assert answer.status_code == 422
        assert wrong_at(answer.content.decode(), "reason")
        assert world.erp().posting_enabled


def test_a_moment_that_cannot_be_read_is_said_at_its_clock(case: ExceptionCase, sign_in: SignIn) -> None:
    assert case.account is not None
    page = sign_in("farid", "finance_analyst").get(f"/accounts/{case.account.code}/", {"known_at": "yesterday"}).content.decode()
    assert wrong_at(page, "known_at") == "Write the moment as 2026-11-20T14:05."
    assert 'value="yesterday"' in page


def test_every_wrong_input_of_a_change_is_shown_at_once(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    sent = {"invoice_id": world.INVOICE, "amount": " ", "on": "30.11.2026", "memo": "x" * 201, "reason": "Line 2"}
    answer = client.post(f"/plans/new/?case={case.code}&kind=credit_memo", sent)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert wrong_at(page, "amount") == "Fill in amount."
    assert wrong_at(page, "on").startswith("Write the day as YYYY-MM-DD")
    assert wrong_at(page, "memo") == "Memo has at most 200 characters."
