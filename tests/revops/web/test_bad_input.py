"""What a browser, a script or somebody with bad intent may send to the pages: refused or shown harmlessly, without any effect.

The tests are named after the list of bad input in forms, h1 to h11.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver

from revops.approvals import actions as approvals
from revops.audit.models import ActionRecord
from revops.cases.actions import NOTE_LENGTH_MAX
from revops.cases.models import CaseNote, ExceptionCase, SavedView
from revops.ledger.facts import Fact
from revops.ledger.models import SourceRecord
from revops.people.models import Role
from revops.postings.models import ChangePlan, PlanState
from tests.factories import PASSWORD, dead_letter, person
from tests.revops import world
from tests.revops.web.conftest import HTMX, Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]

EVIL = (
    '"><img src=x onerror=alert(1)>',
    "<script>alert(2)</script>",
    '<b hx-on:click="alert(3)" hx-get="javascript:alert(4)">x</b>',
    "javascript:alert(5)",
    "{{ 'evil'|upper }}{% load show %}",
)
RIGHT_TO_LEFT, ZERO_WIDTH, CYRILLIC_A = "\u202e", "\u200b", "\u0430"


@pytest.fixture
def case() -> ExceptionCase:
    world.systems()
    return world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]


def addresses(case: ExceptionCase, plan: ChangePlan) -> list[tuple[str, str]]:
    """(name, path) of every page, with the arguments of things that exist."""
    record = SourceRecord.objects.filter(account=case.account_id).values_list("pk", flat=True)[0]
    found = []
    for resolver in get_resolver().url_patterns:
        if getattr(getattr(resolver, "urlconf_name", None), "__name__", "") not in ("revops.web.urls", "sync.surface.pages"):
            continue
        assert isinstance(resolver, URLResolver)
        for pattern in resolver.url_patterns:
            assert isinstance(pattern, URLPattern)
            path = "/" + str(pattern.pattern)
            code = {"cases": case.code, "accounts": world.account_on(case).code}.get(path.split("/")[1], plan.code)
            path = re.sub(r"<str:\w+>", code, path)
            path = re.sub(r"<slug:\w+>", "netsuite", path)
            found.append((str(pattern.name), re.sub(r"<int:\w+>", str(record), path)))
    assert len(found) > 40
    return found


def state() -> list[object]:
    """Everything that a person can change, as it is."""
    tables = (ExceptionCase, ChangePlan, CaseNote, SavedView, ActionRecord)
    return [list(table.objects.order_by("pk").values()) for table in tables]


def invoice_named(name: str) -> Fact:
    """The ERP's invoice under a number of somebody's making."""
    total = world.usd("1120.00")
    return world.fact(
        "invoice", world.INVOICE, {"copy_of": f"stripe:{world.BILLED}", "customer": f"netsuite:{world.CUSTOMER}"},
        number=name, memo=name, status="open", total=total, amount_remaining=total, credited=world.usd("0.00"),
        issued_on=world.today(),
    )  # fmt: skip


def evil_free(text: str) -> None:
    """None of the evil texts stands in the page as markup."""
    for mark in ("<img src=x", "<script>alert", "<b hx-on", 'href="javascript:', "hx-get=javascript", "EVIL"):
        assert mark not in text, mark


# --- h1 to h4: requests that are not ours ---------------------------------------------------------------------------------


def test_h1_a_post_without_our_token_or_from_elsewhere_changes_nothing(case: ExceptionCase) -> None:
    client = Client(enforce_csrf_checks=True)
    user = person("farid", "finance_analyst")
    client.force_login(user)
    page = client.get(f"/cases/{case.code}/").content.decode()
    token = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', page)[0]
    take, form = f"/cases/{case.code}/take/", {"version": str(case.row_version)}
    before = state()
    foreign = Client(enforce_csrf_checks=True)
    foreign.get("/sign-in/")
    stolen = re.findall(r'value="(\w{64})"', foreign.get("/sign-in/").content.decode())[0]
    tries: list[dict[str, Any]] = [
        {"data": form},
        {"data": {**form, "csrfmiddlewaretoken": stolen}},
        {"data": {**form, "csrfmiddlewaretoken": "x" * 64}},
        {"data": {**form, "csrfmiddlewaretoken": token}, "headers": {"Origin": "null"}},
        {"data": {**form, "csrfmiddlewaretoken": token}, "headers": {"Origin": "https://evil.example"}},
        {"data": form, "headers": {"X-CSRFToken": stolen, "HX-Request": "true"}},
    ]
    for one in tries:
        answer = client.post(take, **one)
        assert answer.status_code == 403, one
        assert "Nothing was changed" in answer.content.decode()
    assert state() == before
    good = client.post(take, {**form, "csrfmiddlewaretoken": token}, headers={"Origin": "http://testserver"})
    assert good.status_code == 302


@pytest.mark.parametrize("role", [Role.FINANCE_ANALYST, Role.CONTROLLER, Role.ADMIN, Role.AUDITOR])
def test_h2_no_get_changes_anything(case: ExceptionCase, sign_in: SignIn, role: Role) -> None:
    plan = world.credit_plan(world.person("maker", "finance_analyst"), case)
    client = sign_in(role.value, role.value)
    before = state()
    for name, path in addresses(case, plan):
        query = {"owner": "1", "version": "1", "hours": "24", "reason": "x", "text": "x", "on": "1", "posting": "off", "q": "x"}
        for data in ({}, query):
            answer = client.get(path, data)
            assert answer.status_code in (200, 204, 302, 404, 405), (name, answer.status_code)
    assert state() == before
    assert client.get(f"/cases/{case.code}/take/").status_code == 405


@pytest.mark.parametrize("role", list(Role))
def test_h3_a_forged_fragment_request_sees_no_more_than_the_page(case: ExceptionCase, sign_in: SignIn, role: Role) -> None:
    plan = world.credit_plan(world.person("maker", "finance_analyst"), case)
    client, nobody = sign_in(role.value, role.value), Client()
    for name, path in addresses(case, plan):
        page, fragment = client.get(path), client.get(path, headers=HTMX)
        allowed = {200, 204} if page.status_code in (200, 302) else {page.status_code}
        assert fragment.status_code in allowed | ({302} if page.status_code == 302 else set()), name
        if name not in ("sign-in", "preferences", "link"):  # who has an invitation is nobody yet
            outside = nobody.get(path, headers=HTMX)
            assert outside.status_code in (204, 302, 405), name
            assert b"Halden" not in outside.content


def test_h4_htmx_headers_are_not_reflected(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    for evil in (*EVIL, "http://evil.example/queue/?q=" + EVIL[0], "/queue/?severity=" + EVIL[0], "\\\\evil", "x" * 8000):
        headers = {
            "HX-Request": "true", "HX-Target": evil, "HX-Trigger": evil, "HX-Trigger-Name": evil, "HX-Prompt": evil,
            "HX-Current-URL": evil,
        }  # fmt: skip
        form = {"version": str(ExceptionCase.objects.get(pk=case.pk).row_version), "view": "preview", "owner": ""}
        answers = [
            client.get("/queue/", headers=headers), client.get(f"/cases/{case.code}/", headers=headers),
            client.post(f"/cases/{case.code}/assign/", form, headers=headers),
        ]  # fmt: skip
        for answer in answers:
            assert answer.status_code == 200
            evil_free(answer.content.decode())
            assert evil not in answer.content.decode()
            assert not [name for name in answer.headers if name.startswith("HX-")]


# --- h5: what vendors and people wrote --------------------------------------------------------------------------------------


@pytest.mark.parametrize("evil", EVIL)
def test_h5_stored_markup_is_shown_as_text_everywhere(sign_in: SignIn, evil: str) -> None:
    world.systems()
    account, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    world.say("salesforce", world.fact("customer", world.CRM_ID, name=evil, status="customer"))
    world.say("stripe", world.fact("customer", "cus_lost", name=evil))
    world.say("netsuite", invoice_named(evil))
    maker = sign_in("farid", "finance_analyst")
    plan = world.credit_plan(maker.user, case, memo=evil[:200])
    dead = dead_letter("netsuite", "k1", b'{"x": "<img src=x onerror=alert(1)>"}')
    type(dead).objects.filter(pk=dead.pk).update(reason=evil)
    maker.post(f"/cases/{case.code}/notes/", {"text": evil})
    maker.post("/queue/views/", {"name": evil[:60], "query": "q=" + evil})
    invoice = SourceRecord.objects.get(system="netsuite", object_type="invoice")
    pages = [
        "/queue/", "/queue/?q=" + evil, f"/queue/?open={case.code}", f"/cases/{case.code}/?fields=all", "/accounts/",
        f"/accounts/{account.code}/", f"/records/{invoice.pk}/", "/unlinked/", f"/plans/{plan.code}/", "/plans/",
        "/deliveries/", "/deliveries/dead/", f"/deliveries/{dead.pk}/", "/find/?q=" + evil, f"/approvals/{plan.code}/",
        f"/plans/new/?case={case.code}&kind=credit_memo",
    ]  # fmt: skip
    reader = sign_in("kenji", "controller")
    for path in pages:
        client = reader if path.startswith("/approvals") else maker
        answer = client.get(path)
        assert answer.status_code == 200, path
        evil_free(answer.content.decode())
    evil_free(sign_in("aurelio", "auditor").get("/audit/?history=1").content.decode())


def test_h6_no_page_of_a_signed_in_person_stays_in_a_cache(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    for path in (
        "/queue/",
        f"/cases/{case.code}/",
        f"/accounts/{world.account_on(case).code}/",
        "/deliveries/",
        "/plans/",
        "/nothing/",
    ):
        page = client.get(path)
        assert page["Cache-Control"] == "no-store", path
        assert 'hx-history="false"' in page.content.decode()
        assert '"historyCacheSize":0' in page.content.decode()
    client.post("/sign-out/")
    answer = client.get(f"/cases/{case.code}/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/sign-in/")


# --- h7 and h8: the same again, and the old form ------------------------------------------------------------------------------


def test_h7_the_same_form_five_times_acts_once(case: ExceptionCase, sign_in: SignIn) -> None:
    maker, approver = sign_in("farid", "finance_analyst"), sign_in("anneke", "approver")
    version = str(case.row_version)
    form = {
        "invoice_id": world.INVOICE, "amount": "120.00", "on": world.today().isoformat(), "memo": "Line 2 was entered twice",
        "reason": "Line 2 was entered twice", "once": "token",
    }  # fmt: skip
    for _ in range(5):
        maker.post(f"/cases/{case.code}/take/", {"version": version})
        maker.post(f"/cases/{case.code}/notes/", {"text": "Looked at both documents."})
        maker.post(f"/plans/new/?case={case.code}&kind=credit_memo", form)
    plan = ChangePlan.objects.get()
    for _ in range(5):
        maker.post(f"/plans/{plan.code}/submit/")
    sign = {"digest": plan.digest, "meaning": "I reviewed it.", "proof": PASSWORD}
    for _ in range(5):
        approver.post(f"/approvals/{plan.code}/approve/", sign)
    counts = {
        verb: ActionRecord.objects.filter(verb=verb).count()
        for verb in ("case.assign", "case.comment", "plan.compose", "plan.submit", "plan.approve", "plan.release")
    }
    assert set(counts.values()) == {1}, counts
    assert CaseNote.objects.count() == 1
    assert plan.decisions.count() == 1


def test_h8_an_old_form_of_a_second_tab_is_a_conflict_that_says_who_and_keeps_the_words(
    case: ExceptionCase, sign_in: SignIn
) -> None:
    first, second = sign_in("farid", "finance_analyst"), sign_in("kenji", "controller")
    old = {"version": str(case.row_version), "hours": "24", "reason": "waits for the bank"}
    second.post(f"/cases/{case.code}/take/", {"version": str(case.row_version)})
    answer = first.post(f"/cases/{case.code}/snooze/", old, headers=HTMX)
    text = answer.content.decode()
    assert answer.status_code == 409
    assert "kenji@example.com" in text
    assert "waits for the bank" in text
    assert ExceptionCase.objects.get(pk=case.pk).status == "open"
    plan = approvals.submit_plan(world.credit_plan(first.user, case), acting_user=first.user)
    page = second.get(f"/approvals/{plan.code}/").content.decode()
    assert plan.digest in page
    approvals.withdraw(plan, reason="wrong month", acting_user=first.user)
    late = second.post(
        f"/approvals/{plan.code}/approve/", {"digest": plan.digest, "meaning": "yes", "proof": PASSWORD}
    )  # fmt: skip
    assert late.status_code == 409
    assert world.fresh(plan).state == PlanState.WITHDRAWN


# --- h9 and h10: addresses and texts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example", "\\evil.example", "/\\evil.example", "\\\\evil.example", "https://evil.example", "https:evil.example",
        "javascript:alert(1)", "data:text/html,x", "/\t/evil.example", "//evil.example/queue/", "http:///evil.example",
        "%2f%2fevil",
        "/sign-out/", "x" * 5000,
    ],
)  # fmt: skip
def test_h9_no_next_leads_to_another_site(target: str) -> None:
    person("farid", "finance_analyst")
    client = Client()
    page = client.get("/sign-in/", {"next": target}).content.decode()
    assert "evil.example" not in page
    answer = client.post("/sign-in/", {"username": "farid@example.com", "password": PASSWORD, "next": target})
    assert answer.status_code == 302
    assert answer["Location"] == "/"
    assert client.post("/preferences/", {"theme": "dark", "next": target})["Location"] == "/"


def test_h10_texts_too_long_or_not_to_be_sent_are_refused_with_the_words_kept(case: ExceptionCase, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    long = "x" * 200_000
    note = client.post(f"/cases/{case.code}/notes/", {"text": long}, headers=HTMX)
    assert note.status_code == 422
    assert f"{NOTE_LENGTH_MAX:,}" in note.content.decode()
    assert not CaseNote.objects.exists()
    assert client.post("/queue/views/", {"name": long, "query": "q=x"}).status_code == 422
    assert client.post("/queue/views/", {"name": "view", "query": "q=" + long}).status_code in (302, 422)
    form = {"invoice_id": world.INVOICE, "amount": "120.00", "on": world.today().isoformat(), "reason": "because", "memo": "kept"}
    for field, value in (
        ("memo", long), ("memo", f"Discount{RIGHT_TO_LEFT}detaerc"), ("memo", f"Dis{ZERO_WIDTH}count"), ("memo", "a\x00b"),
        ("amount", "1e400"), ("amount", "NaN"), ("amount", "\u0661\u0662"), ("amount", "1" * 2000), ("on", "0000-00-00"),
        ("invoice_id", "\x00"), ("invoice_id", long), ("reason", ""),
    ):  # fmt: skip
        answer = client.post(f"/plans/new/?case={case.code}&kind=credit_memo", {**form, field: value})
        assert answer.status_code == 422, (field, value[:20])
    assert not ChangePlan.objects.exists()
    for path in ("/queue/?q=", "/accounts/?q=", "/find/?q=", "/audit/?who=", "/deliveries/?trace="):
        for odd in (long[:7000], "\x00", RIGHT_TO_LEFT, "%", "_" * 300, "'; --"):
            assert client.get(path + odd.replace("%", "%25")).status_code in (200, 302, 404), (path, odd[:5])


def test_h10_a_name_that_turns_the_reading_direction_turns_nothing_beside_it(sign_in: SignIn) -> None:
    world.systems()
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    name = f"Halden {RIGHT_TO_LEFT}DSU 00.1"
    world.say("netsuite", invoice_named(name))
    world.detect()
    client = sign_in("farid", "finance_analyst")
    page = client.get(f"/cases/{case.code}/?fields=all").content.decode()
    assert RIGHT_TO_LEFT not in page
    assert "Halden DSU 00.1" in page
    world.say("stripe", world.fact("customer", "cus_spoof", name=f"H{CYRILLIC_A}lden Robotics GmbH"))
    unlinked = client.get("/unlinked/").content.decode()
    assert "cus_spoof" in unlinked  # a look-alike name links nothing: the id stands beside it and a person decides


@pytest.mark.parametrize("odd", ["a\x00b", "a\x07b", f"a{RIGHT_TO_LEFT}b", "a\u2067b"])
def test_h10_a_form_with_what_nobody_can_see_in_any_field_is_refused_as_a_whole(
    case: ExceptionCase, sign_in: SignIn, odd: str
) -> None:
    maker, approver, admin = sign_in("farid", "finance_analyst"), sign_in("anneke", "approver"), sign_in("ada", "admin")
    plan = approvals.submit_plan(world.credit_plan(maker.user, case), acting_user=maker.user)
    before = state()
    version = str(case.row_version)
    tries: list[tuple[Seat, str, dict[str, str]]] = [
        (maker, f"/cases/{case.code}/snooze/", {"version": version, "hours": "24", "reason": odd}),
        (maker, f"/cases/{case.code}/assign/", {"version": version, "owner": "", "remark": odd}),
        (maker, f"/cases/{case.code}/notes/", {"text": odd}),
        (maker, "/queue/views/", {"name": odd, "query": "q=x"}),
        (maker, "/queue/bulk/", {"action": "assign", "case": f"{case.pk}:{version}", "owner": "", "remark": odd}),
        (maker, f"/plans/{plan.code}/withdraw/", {"reason": odd}),
        (approver, f"/approvals/{plan.code}/reject/", {"reason": odd}),
        (approver, f"/approvals/{plan.code}/approve/", {"digest": plan.digest, "meaning": odd, "proof": PASSWORD}),
        (admin, "/connections/netsuite/posting/stop/", {"stop-reason": odd}),
        (maker, "/unlinked/link/", {"record": "1", "account": odd, "reason": odd}),
        (maker, "/deliveries/replay/", {"delivery": "1", "reason": odd}),
    ]
    for client, path, form in tries:
        refused = {404, 422} if "unlinked" in path else {422}  # there the record that it names may be missing first
        assert client.post(path, form).status_code in refused, path
    assert state() == before
    assert Client().post("/sign-in/", {"username": odd, "password": odd}).status_code == 422
