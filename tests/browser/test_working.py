"""Working in the pages: keys, undo, stale forms, double clicks, and all of it again without script."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import expect

from revops.approvals import actions as approvals
from revops.cases import actions
from revops.cases.models import CaseNote, ExceptionCase
from revops.postings.models import ChangePlan, PlanState
from revops.web.keyboard import keys_for
from tests.browser.company import company
from tests.factories import PASSWORD, a_case, some_cases
from tests.revops import world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1200)]


def at(page: Any) -> str:
    return str(page.get_attribute("tr.at", "id") or "")


def test_the_help_lists_exactly_the_keys_that_are_bound(desk: Any) -> None:
    a_case()
    mine = desk("farid", "finance_analyst")
    mine.open("/queue/")
    mine.page.keyboard.press("?")
    expect(mine.page.locator("#help")).to_be_visible()
    shown = mine.page.eval_on_selector_all("#help [data-press]", "lines => lines.map(line => line.dataset.press)")
    mine_to_open = mine.page.eval_on_selector_all("[data-section]", "links => links.map(link => link.dataset.section)")
    assert "approvals" not in mine_to_open
    assert shown == [key.press for key in keys_for("queue", mine_to_open)]
    mine.page.keyboard.press("Escape")
    expect(mine.page.locator("#help")).to_be_hidden()


def test_the_queue_can_be_worked_by_keys_alone(desk: Any) -> None:
    some_cases(5, team="finance")
    mine = desk("farid", "finance_analyst")
    page = mine.page
    mine.open("/queue/")
    page.keyboard.press("j")
    page.keyboard.press("j")
    second = at(page)
    page.keyboard.press("k")
    assert at(page) != second
    page.keyboard.press("j")
    page.keyboard.press("Space")
    expect(page.locator("#pane [data-preview]")).to_be_visible()
    assert "open=EX-" in page.url
    page.keyboard.press("i")
    expect(page.locator("[data-toast]")).to_contain_text("is yours")
    assert at(page) == second
    expect(page.locator(f"#{second} .c-owner .owner-name")).to_have_text("you")
    page.keyboard.press("z")
    expect(page.locator(f"#{second} .c-owner .sr")).to_have_text("nobody")
    page.keyboard.press("Escape")
    expect(page.locator("#pane [data-preview]")).to_have_count(0)
    page.keyboard.press("Enter")
    page.wait_for_url("**/cases/EX-*/")
    page.keyboard.press("u")
    page.wait_for_url("**/queue/")
    assert at(page) == second
    page.keyboard.press("x")
    page.keyboard.press("J")
    expect(page.locator("[data-selected-count]")).to_have_text(re.compile("selected"))
    page.keyboard.press("g")
    page.keyboard.press("c")
    page.wait_for_url("**/accounts/")


def test_keys_rest_in_fields_and_can_be_switched_off(desk: Any) -> None:
    some_cases(2)
    mine = desk("farid", "finance_analyst")
    mine.open("/queue/")
    mine.page.keyboard.press("/")
    expect(mine.page.locator("#q")).to_be_focused()
    mine.page.keyboard.type("jjx?")
    assert at_none(mine.page)
    assert mine.page.input_value("#q") == "jjx?"
    mine.page.locator("details.menu > summary").click()
    mine.page.click("text=Switch single-key shortcuts off")
    mine.page.keyboard.press("j")
    assert at_none(mine.page)
    mine.page.keyboard.press("Control+k")
    expect(mine.page.locator("#find")).to_be_focused()


def at_none(page: Any) -> bool:
    return bool(page.locator("tr.at").count() == 0)


def test_a_stale_form_answers_in_place_and_keeps_the_words(desk: Any) -> None:
    case = a_case(team="finance")
    mine = desk("farid", "finance_analyst")
    mine.open(f"/cases/{case.code}/")
    other = world.person("other")
    actions.assign_case(case, owner=other, row_version=1, acting_user=other)
    mine.page.keyboard.press("h")
    mine.page.locator("[name=reason]").fill("waits for the bank")
    mine.page.click("text=Snooze case")
    expect(mine.page.locator("[role=alert]").first).to_contain_text("other@example.com")
    expect(mine.page.locator("[name=reason]")).to_have_value("waits for the bank")
    assert ExceptionCase.objects.get(pk=case.pk).status == "open"


def test_a_double_click_writes_once(desk: Any) -> None:
    case = a_case(team="finance")
    mine = desk("farid", "finance_analyst")
    mine.open(f"/cases/{case.code}/")
    mine.page.fill("#note-text", "Checked with the bank.")
    mine.page.locator("text=Write note").dblclick()
    expect(mine.page.locator(".timeline .quote")).to_have_count(1)
    assert CaseNote.objects.count() == 1


def test_the_theme_follows_the_system_and_a_choice_beats_it(desk: Any) -> None:
    mine = desk("farid", "finance_analyst", dark=True)
    mine.open("/queue/")
    canvas = "getComputedStyle(document.documentElement).backgroundColor"
    assert mine.page.evaluate(canvas) == "rgb(14, 16, 19)"
    mine.page.locator("details.menu > summary").click()
    mine.page.locator("button[name=theme][value=light]").click()
    mine.page.wait_for_load_state()
    assert mine.page.evaluate(canvas) == "rgb(246, 247, 249)"


def test_from_the_proposal_to_the_signature_on_a_phone(desk: Any) -> None:
    all_of_it = company()
    phone = desk("anneke", "approver", "controller", width=390, height=844)
    phone.open(f"/approvals/{all_of_it.plan.code}/")
    for words in ("15,320.00", "Halden", "Why you", "Deadline", "Asked by", "Approve and sign", "Reject"):
        box = phone.page.get_by_text(words).first.bounding_box()
        assert box is not None, words
        assert box["y"] + box["height"] <= 844, words
    for button in phone.page.locator(".dock .btn:visible").all():
        size = button.bounding_box()
        assert size is not None
        assert size["height"] >= 48
    phone.page.locator("#approve-sheet > summary").click()
    phone.page.fill("#a-proof", PASSWORD)
    phone.page.click("text=Approve and sign CP-")
    expect(phone.page.locator(".messages")).to_contain_text("You approved")


def test_everything_works_without_script(desk: Any) -> None:
    world.systems()
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    mine = desk("farid", "finance_analyst", script=False)
    page = mine.page
    mine.open("/queue/?severity=high")
    page.click(f"text={case.code}")
    page.locator(".next-step button").click()
    assert f"{case.code} is yours" in mine.text()
    page.fill("#note-text", "Checked.")
    page.click("text=Write note")
    assert "Note written" in mine.text()
    page.locator(".verdicts summary[data-key=assign]").click()
    page.locator("select[name=owner]").select_option(label="Nobody")
    page.click("text=Assign case")
    assert "with nobody now" in mine.text()
    page.locator("text=Compose this change").click()
    page.fill("#f-reason", "Entered twice")
    page.click("text=Compose draft and show the calls")
    page.click("text=Submit for approval")
    plan = ChangePlan.objects.get()
    assert plan.state == PlanState.SUBMITTED
    signer = desk("anneke", "approver", script=False)
    signer.open(f"/approvals/{plan.code}/")
    signer.page.locator("#approve-sheet > summary").click()
    signer.page.fill("#a-proof", PASSWORD)
    signer.page.click("text=Approve and sign CP-")
    assert ChangePlan.objects.get().state == PlanState.RELEASED
    assert "You approved" in signer.text()


def test_new_rows_wait_behind_a_button(desk: Any) -> None:
    a_case(opened_at="2026-01-01T00:00:00Z")
    mine = desk("farid", "finance_analyst")
    mine.open("/queue/")
    rows = mine.page.locator("tr[data-row]").count()
    a_case(opened_at="2999-01-01T00:00:00Z")
    mine.page.evaluate("htmx.trigger('#pulse', 'every')")
    mine.page.evaluate(
        "htmx.ajax('GET', document.getElementById('pulse').getAttribute('hx-get'), {target: '#pulse', swap: 'outerHTML'})"
    )
    expect(mine.page.locator("#pulse")).to_contain_text("1 new: show")
    assert mine.page.locator("tr[data-row]").count() == rows
    mine.page.click("text=1 new: show")
    expect(mine.page.locator("tr[data-row]")).to_have_count(rows + 1)


def test_an_action_in_the_pane_moves_every_count_beside_it_at_once(desk: Any) -> None:
    case = a_case(team="finance", due_at="2026-01-01T00:00:00Z")
    some_cases(3, team="finance")
    mine = desk("farid", "finance_analyst")
    page = mine.page
    mine.open(f"/queue/?open={case.code}")
    view = "xpath=//a[contains(@href, 'owner=me') and ancestor::nav]//*[@class='n']"
    expect(page.locator(view)).to_have_text("0")
    page.locator("#pane [data-key=take]").click()
    expect(page.locator(view)).to_have_text("1")
    page.locator("#pane summary[data-key=snooze]").click()
    page.locator("#pane [name=reason]").fill("waits for the bank")
    page.locator("#pane button", has_text="Snooze case").click()
    expect(page.locator("#tabs a", has_text="Open").locator(".n")).to_have_text("3")
    expect(page.locator("#tabs a", has_text="Snoozed").locator(".n")).to_have_text("1")
    expect(page.locator(f"#case-{case.pk}")).to_contain_text("snoozed")


def test_everything_that_matches_is_selected_previewed_and_assigned(desk: Any) -> None:
    some_cases(55, team="finance", severity=1)
    some_cases(2, team="finance", severity=3)
    mine = desk("farid", "finance_analyst")
    page = mine.page
    mine.open("/queue/?severity=critical")
    expect(page.locator("[data-bulk]")).to_be_hidden()
    page.keyboard.press("j")
    page.keyboard.press("x")
    expect(page.locator("[data-bulk]")).to_contain_text("1 selected")
    page.locator(".bulk-all input").check()
    page.keyboard.press("a")
    page.locator("#bulk-remark").fill("rota")
    page.click("text=Assign cases")
    expect(page.locator("h1")).to_have_text("Give 55 cases to Farid?")
    assert not ExceptionCase.objects.filter(owner__isnull=False).exists()
    page.get_by_role("button", name="Give 55 cases to Farid").click()
    expect(page.locator(".messages")).to_contain_text("55 cases given to Farid")
    assert ExceptionCase.objects.filter(owner__isnull=False).count() == 55


def test_the_pages_of_a_plan_and_its_case_follow_by_themselves(desk: Any) -> None:
    all_of_it = company()
    plan, case = all_of_it.plan, all_of_it.case
    maker = desk("farid", "finance_analyst")
    maker.page.clock.install()
    maker.open(f"/plans/{plan.code}/")
    expect(maker.page.locator(".story [aria-current]")).to_contain_text("Approval")
    for role, name in (("approver", "anneke"), ("controller", "kenji")):
        signer = world.person(name, role)
        approvals.approve(plan, digest=plan.digest, meaning="yes", step_up=world.proof(signer), acting_user=signer)
    maker.page.clock.run_for(31_000)
    expect(maker.page.locator(".story [aria-current]")).to_contain_text("Sending")
    expect(maker.page.locator(".next-step")).to_contain_text("On its way")
    maker.open(f"/cases/{case.code}/")
    expect(maker.page.locator(".next-step")).to_contain_text("is being sent")


def test_the_way_back_leads_to_the_list_that_one_came_from(desk: Any) -> None:
    case = a_case(team="finance", severity=1)
    mine = desk("farid", "finance_analyst")
    mine.open("/queue/?severity=critical&sort=-opened")
    mine.page.click(f"text={case.code}")
    mine.page.wait_for_url("**/cases/**")
    mine.page.keyboard.press("u")
    mine.page.wait_for_url("**/queue/?severity=critical&sort=-opened")


def test_customer_success_starts_with_its_own_team(desk: Any) -> None:
    mine_to_work, theirs = a_case(team="customer_success"), a_case(team="finance")
    carla = desk("carla", "cs_analyst")
    carla.open("/queue/")
    assert carla.page.url.endswith("?team=customer_success")
    assert mine_to_work.code in carla.text()
    assert theirs.code not in carla.text()
    carla.page.click("text=All open")
    expect(carla.page.locator(f"#case-{theirs.pk} .lock")).to_have_attribute("aria-label", "Finance works this case")
    assert carla.page.locator(f"#case-{theirs.pk} input").count() == 0
    carla.open(f"/cases/{theirs.code}/")
    expect(carla.page.locator(".withheld")).to_contain_text("finance analysts and controllers")
