"""Bad input in a real browser: stored markup, the back button, impatient fingers, two tabs."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import expect

from revops.audit.models import ActionRecord
from revops.cases.models import CaseNote, ExceptionCase
from revops.postings.models import ChangePlan
from tests.factories import a_case
from tests.revops import world

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1200)]
EVIL = '"><img src=x onerror="document.title=1"><b hx-on:click="alert(1)" hx-get="/sign-out/" hx-trigger="load">x</b>'


def test_h5_stored_markup_does_nothing_in_a_browser(desk: Any) -> None:
    world.systems()
    account, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    world.say("salesforce", world.fact("customer", world.CRM_ID, name=EVIL, status="customer"))
    world.say("stripe", world.fact("customer", "cus_lost", name=EVIL))
    mine = desk("farid", "finance_analyst")
    asked: list[str] = []
    mine.page.on("request", lambda request: asked.append(request.url))
    mine.open(f"/cases/{case.code}/")
    mine.page.fill("#note-text", EVIL)
    mine.page.click("text=Write note")
    expect(mine.page.locator(".timeline .quote")).to_have_text(EVIL)
    for path in ("/queue/", f"/queue/?open={case.code}", f"/cases/{case.code}/", f"/accounts/{account.code}/", "/unlinked/"):
        mine.open(path)
        mine.page.wait_for_load_state("networkidle")
        assert mine.page.title() != "1", path
        assert mine.page.locator("main img").count() == 0
    assert not [url for url in asked if url.endswith(("/x", "/sign-out/"))]


def test_h6_the_back_button_after_signing_out_shows_nothing(desk: Any) -> None:
    case = a_case(team="finance")
    mine = desk("farid", "finance_analyst")
    mine.open("/queue/")
    mine.page.click(f"text={case.code}")
    mine.page.wait_for_url("**/cases/**")
    mine.page.locator("details.menu > summary").click()
    mine.page.click("text=Sign out")
    mine.page.wait_for_url("**/sign-in/")
    for _ in range(3):
        mine.page.go_back()
        mine.page.wait_for_load_state()
        assert case.code not in mine.text()
        assert case.about_name not in mine.text()


def test_h7_five_times_enter_and_a_double_click_act_once(desk: Any) -> None:
    world.systems()
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    mine = desk("farid", "finance_analyst")
    mine.open(f"/cases/{case.code}/")
    mine.page.locator(".next-step button").dblclick()
    expect(mine.page.locator("[data-toast]")).to_contain_text("is yours")
    mine.open(f"/plans/new/?case={case.code}&kind=credit_memo")
    mine.page.fill("#f-reason", "Entered twice")
    mine.page.focus("#f-amount")
    for _ in range(5):
        mine.page.keyboard.press("Enter")
    mine.page.wait_for_url("**/plans/CP-*/")
    mine.page.locator("[data-key=submit]").dblclick()
    mine.page.wait_for_load_state()
    expect(mine.page.locator(".next-step")).to_contain_text("Waiting for")
    assert ChangePlan.objects.count() == 1
    assert ActionRecord.objects.filter(verb="plan.submit").count() == 1
    assert ActionRecord.objects.filter(verb="case.assign").count() == 1


def test_h8_two_tabs_of_one_case_end_in_a_conflict_that_is_shown(desk: Any) -> None:
    case = a_case(team="finance")
    mine = desk("farid", "finance_analyst")
    mine.open(f"/cases/{case.code}/")
    other = mine.context.new_page()
    other.goto(f"{mine.base}/cases/{case.code}/")
    other.locator(".next-step button").click()
    expect(other.locator("[data-toast]")).to_contain_text("is yours")
    mine.page.locator("summary[data-key=snooze]").click()
    mine.page.locator("[name=reason]").fill("waits for the bank")
    mine.page.click("text=Snooze case")
    expect(mine.page.locator("[role=alert]").first).to_contain_text("changed in the meantime")
    expect(mine.page.locator("[name=reason]")).to_have_value("waits for the bank")
    assert ExceptionCase.objects.get(pk=case.pk).status == "open"


def test_h10_a_very_long_text_is_refused_in_place(desk: Any) -> None:
    case = a_case(team="finance")
    mine = desk("farid", "finance_analyst")
    mine.open(f"/cases/{case.code}/")
    mine.page.evaluate("document.querySelector('#note-text').removeAttribute('maxlength')")
    mine.page.fill("#note-text", "x" * 200_000)
    mine.page.click("text=Write note")
    expect(mine.page.locator("[role=alert]").first).to_contain_text("at most 10,000 characters")
    assert len(mine.page.input_value("#note-text")) == 200_000
    assert not CaseNote.objects.exists()
