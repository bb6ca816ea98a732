"""The case page and what a person does on it, with script and without."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from revops.cases import actions
from revops.cases.models import CaseNote, CaseStatus, ExceptionCase
from tests.factories import some_cases
from tests.revops import world
from tests.revops.web.conftest import HTMX, Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]


@pytest.fixture
def case() -> ExceptionCase:
    """An invoice that the ERP carries at 120.00 USD too much."""
    world.systems()
    return world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]


def test_the_page_shows_who_says_what_and_who_owns_it(case: ExceptionCase, sign_in: SignIn) -> None:
    page = sign_in("farid", "finance_analyst").get(f"/cases/{case.code}/").content.decode()
    assert "120.00&nbsp;" in page
    assert page.count("cell-differs") >= 1
    assert "owns this field" in page
    assert "Why is this here" in page
    assert "net in billing" in page.lower()
    assert "/plans/new/?case=" in page
    assert "Take it" in page
    everything = sign_in("carla", "cs_analyst").get(f"/cases/{case.code}/?fields=all").content.decode()
    assert everything.count('scope="row"') > page.count('scope="row"')
    assert "Not offered to you" in everything


def test_taking_it_without_script_redirects_with_a_message(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    answer = client.post(f"/cases/{case.code}/take/", {"version": case.row_version}, follow=True)
    assert answer.redirect_chain == [(f"/cases/{case.code}/", 302)]
    assert f"{case.code} is yours" in answer.content.decode()
    case.refresh_from_db()
    assert case.owner == client.user


def test_with_script_the_fragment_comes_with_a_toast_that_undoes(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    answer = client.post(f"/cases/{case.code}/take/", {"version": case.row_version}, headers=HTMX)
    text = answer.content.decode()
    assert "<html" not in text
    assert 'hx-swap-oob="beforeend:#toasts"' in text
    assert "Undo" in text
    case.refresh_from_db()
    client.post(f"/cases/{case.code}/assign/", {"owner": "", "version": case.row_version, "remark": "undone"}, headers=HTMX)
    case.refresh_from_db()
    assert case.owner is None


def test_in_the_pane_the_row_of_the_list_changes_too(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    answer = client.post(f"/cases/{case.code}/take/", {"version": case.row_version, "view": "preview"}, headers=HTMX)
    assert f'<tr id="case-{case.pk}"' in answer.content.decode()
    assert 'hx-swap-oob="true"' in answer.content.decode()


def test_a_stale_form_says_who_was_faster_and_keeps_what_was_typed(case: ExceptionCase, sign_in: SignIn) -> None:
    slow, fast = sign_in("farid", "finance_analyst"), sign_in("kenji", "controller")
    fast.post(f"/cases/{case.code}/take/", {"version": case.row_version})
    form = {"version": case.row_version, "hours": "24", "reason": "waits for the bank"}
    for headers in ({}, HTMX):
        answer = slow.post(f"/cases/{case.code}/snooze/", form, headers=headers)
        text = answer.content.decode()
        assert answer.status_code == 409
        assert ("<html" in text) is not bool(headers)
        assert "kenji@example.com" in text
    assert ExceptionCase.objects.get(pk=case.pk).status == CaseStatus.OPEN


def test_an_invalid_form_answers_422_with_the_text_still_there(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    answer = client.post(
        f"/cases/{case.code}/snooze/", {"version": case.row_version, "hours": "999", "reason": "waits for the bank"}, headers=HTMX
    )
    assert answer.status_code == 422
    assert "waits for the bank" in answer.content.decode()
    empty = client.post(f"/cases/{case.code}/notes/", {"text": "  "}, headers=HTMX)
    assert empty.status_code == 422
    assert not CaseNote.objects.exists()


def test_snooze_and_wake(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    client.post(f"/cases/{case.code}/snooze/", {"version": case.row_version, "hours": "24", "reason": "bank holiday"})
    case.refresh_from_db()
    assert case.status == CaseStatus.SNOOZED
    assert "bank holiday" in client.get(f"/cases/{case.code}/").content.decode()
    client.post(f"/cases/{case.code}/wake/", {"version": case.row_version})
    case.refresh_from_db()
    assert case.status == CaseStatus.OPEN


def test_the_timeline_filters_and_escapes(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    client.post(f"/cases/{case.code}/notes/", {"text": "<script>alert(1)</script>"})
    page = client.get(f"/cases/{case.code}/").content.decode()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script>alert(1)" not in page
    notes = client.get(f"/cases/{case.code}/?show=notes").content.decode().split('class="timeline"')[1]
    facts = client.get(f"/cases/{case.code}/?show=facts").content.decode().split('class="timeline"')[1]
    assert "alert(1)" in notes
    assert "Opened:" not in notes
    assert "invoice INV-700" in facts
    assert "alert(1)" not in facts


def test_a_person_of_the_wrong_team_is_no_owner(case: ExceptionCase, sign_in: SignIn) -> None:
    client, carla = sign_in("farid", "finance_analyst"), sign_in("carla", "cs_analyst").user
    answer = client.post(f"/cases/{case.code}/assign/", {"version": case.row_version, "owner": str(carla.pk)}, headers=HTMX)
    assert answer.status_code == 422
    assert "does not work such cases" in answer.content.decode()


def test_the_next_step_follows_the_case(case: ExceptionCase, sign_in: SignIn) -> None:
    farid, auditor = sign_in("farid", "finance_analyst"), sign_in("aurelio", "auditor")

    def step(client: Seat) -> str:
        return client.get(f"/cases/{case.code}/").content.decode().split('aria-label="Next step"')[1].split("</section>")[0]

    assert "Nobody looks after this case yet" in step(farid)
    assert "You can read this case" in step(auditor)
    actions.assign_case(case, owner=farid.user, row_version=None, acting_user=farid.user)
    assert "Check, then propose the fix" in step(farid)
    plan = world.credit_plan(farid.user, case)
    assert f"Submit your draft {plan.code}" in step(farid)


def test_neighbours_walk_the_open_list_by_due_time(sign_in: SignIn) -> None:
    cases = sorted(some_cases(3), key=lambda c: (c.due_at, c.pk))
    page = sign_in("farid", "finance_analyst").get(f"/cases/{cases[1].code}/").content.decode()
    assert f'href="/cases/{cases[0].code}/" data-key="previous"' in page
    assert f'href="/cases/{cases[2].code}/" data-key="next"' in page
