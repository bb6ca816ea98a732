"""A passkey, made and used in a real browser with an authenticator that Chromium plays; and a code of an app."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from revops.audit.models import ActionRecord
from revops.identity.models import Passkey, StepUp
from revops.postings.models import ChangePlan, PlanState
from tests.browser.company import company
from tests.factories import PASSWORD
from tests.revops.web.newcomers import code_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1200)]
AUTHENTICATOR = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True, "isUserVerified": True,
    "automaticPresenceSimulation": True,
}  # fmt: skip


def prove(desk: Any, proof: str = PASSWORD) -> None:
    desk.open("/confirm/?next=/me/")
    desk.page.fill("#c-proof", proof)
    desk.page.click("button.wide")
    desk.page.wait_for_url("**/me/")


def sign_out_and_in_again(desk: Any) -> None:
    desk.context.clear_cookies()
    desk.open("/sign-in/")
    desk.page.fill("#username", "anneke@example.com")
    desk.page.fill("#password", PASSWORD)
    desk.page.click("button.wide")
    desk.page.wait_for_url("**/sign-in/second/")


def test_a_passkey_is_made_signs_in_and_signs_a_plan(desk: Any) -> None:
    plan = company().plan
    mine = desk("anneke", "approver", "controller")
    devices = mine.context.new_cdp_session(mine.page)
    devices.send("WebAuthn.enable")
    devices.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    prove(mine)
    mine.page.fill("input[name=name] >> nth=0", "My laptop")
    mine.page.click("[data-passkey=make]")
    expect(mine.page.locator("text=Your recovery codes")).to_be_visible()
    assert Passkey.objects.get().name == "My laptop"
    sign_out_and_in_again(mine)
    mine.page.click("[data-passkey=prove]")
    mine.page.wait_for_url(lambda url: "/sign-in" not in url)
    assert StepUp.objects.order_by("-id")[0].method == "passkey"
    with_password = ActionRecord.objects.filter(verb="sign_in").order_by("-id")[0].after["methods"]
    assert with_password == ["password", "passkey"]
    mine.open(f"/approvals/{plan.code}/")
    mine.page.click("#approve-sheet summary")
    expect(mine.page.locator("#approve-sheet")).to_contain_text("within the last five minutes")
    mine.page.click("#approve-sheet button.main")
    mine.page.wait_for_load_state()
    assert ChangePlan.objects.get(pk=plan.pk).decisions.get().step_up.method == "passkey"
    assert ChangePlan.objects.get(pk=plan.pk).state == PlanState.SUBMITTED


def test_a_code_of_an_app_signs_in_and_a_link_keeps_its_secret_to_itself(desk: Any) -> None:
    mine = desk("anneke", "approver")
    prove(mine)
    mine.page.click("text=Set up an authenticator app")
    expect(mine.page.locator("img[alt^=QR]")).to_be_visible()
    assert mine.page.locator("img[alt^=QR]").evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    address = mine.page.text_content("details .id") or ""
    secret = parse_qs(urlsplit(address.strip()).query)["secret"][0]
    step = int(timezone.now().timestamp()) // 30
    mine.page.fill("#id_code", code_of(secret, step))
    mine.page.click("text=Confirm the app")
    expect(mine.page.locator("text=Your recovery codes")).to_be_visible()
    sign_out_and_in_again(mine)
    mine.page.fill("#c-proof", code_of(secret, step + 1))
    mine.page.click("button.wide")
    mine.page.wait_for_url("**/approvals/")
    mine.context.clear_cookies()
    sent: list[str] = []
    mine.page.on("request", lambda request: sent.append(request.url + str(request.headers)))
    mine.open("/link/#the-secret-of-the-link")
    assert mine.page.input_value("input[name=secret]") == "the-secret-of-the-link"
    assert re.search(r"/link/$", mine.page.url)
    assert "the-secret" not in "".join(url.partition("#")[0] + url.partition("{")[2] for url in sent)
