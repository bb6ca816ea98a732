"""Accounts, records, unlinked customers, audit, people: what is shown, and what links change."""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from revops.accounts.models import Account, AccountLink
from revops.ledger.models import SourceRecord
from revops.policies.in_force import policies_in_force
from tests.factories import an_account
from tests.revops import world
from tests.revops.web.conftest import Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]


@pytest.fixture
def account() -> Account:
    world.systems()
    return world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[0]


def test_the_account_shows_every_system_and_the_running_balance(account: Account, sign_in: SignIn) -> None:
    page = sign_in("farid", "finance_analyst").get(f"/accounts/{account.code}/").content.decode()
    for words in ("1,120.00&nbsp;", "1,000.00&nbsp;", "Closing balance", "by the id that the system itself carries", "≠ EX-"):
        assert words in page


def test_the_past_is_shown_on_both_clocks(account: Account, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    world.say("netsuite", world.entered(world.usd("1000.00")))
    before = (timezone.now() - dt.timedelta(days=30)).strftime("%Y-%m-%dT%H:%M")
    for name in ("as_of", "known_at"):
        page = client.get(f"/accounts/{account.code}/", {name: before}).content.decode()
        assert "You are looking at the past" in page
        assert "No invoice, credit memo or payment was known at that time" in page
    wrong = client.get(f"/accounts/{account.code}/", {"as_of": "yesterday"}).content.decode()
    assert "Write the moment as" in wrong
    assert "1,000.00&nbsp;" in wrong
    for odd in ("9999-12-31", "0001-01-01", "2026-11-20T25:00", "2026-02-30"):
        assert client.get(f"/accounts/{account.code}/", {"as_of": odd}).status_code == 200


def test_the_list_pages_by_name_and_finds_by_id(account: Account, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    [an_account() for _ in range(60)]
    first = client.get("/accounts/").content.decode()
    assert first.count("data-row ") == 50
    after = first.split("after=")[1].split('"')[0].replace("&amp;", "&")
    second = client.get(f"/accounts/?after={after}").content.decode()
    assert second.count("data-row ") == 11
    for text in ("hald", world.BILLED, world.CRM_ID):
        assert "Halden" in client.get("/accounts/", {"q": text}).content.decode()
    assert "No account fits" in client.get("/accounts/", {"q": "nobody"}).content.decode()


def test_the_list_has_a_constant_number_of_queries(account: Account, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    client.get("/accounts/")
    with CaptureQueriesContext(connection) as few:
        client.get("/accounts/")
    [an_account() for _ in range(40)]
    with CaptureQueriesContext(connection) as many:
        client.get("/accounts/")
    assert len(few) == len(many)


def test_a_record_shows_where_each_value_comes_from_and_every_version(account: Account, sign_in: SignIn) -> None:
    world.say("netsuite", world.entered(world.usd("1130.00")))
    record = SourceRecord.objects.get(system="netsuite", object_type="invoice")
    page = sign_in("farid", "finance_analyst").get(f"/records/{record.pk}/").content.decode()
    assert "Every version" in page
    assert "− " in page
    assert "1,120.00" in page
    assert "1,130.00" in page
    assert "owned by" in page


def test_unlinking_and_linking_go_through_reasons(account: Account, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    tie = AccountLink.objects.get(system="netsuite")
    refused = client.post(f"/accounts/{account.code}/unlink/", {"link": tie.pk, "reason": " "})
    assert refused.status_code == 422
    client.post(f"/accounts/{account.code}/unlink/", {"link": tie.pk, "reason": "another company of the same name"})
    record = SourceRecord.objects.get(system="netsuite", object_type="customer")
    assert record.account is None
    page = client.get("/unlinked/").content.decode()
    assert world.CUSTOMER in page
    for name, words in (("Nobody Inc", "Account not found"), ("AC-99999", "Account not found")):
        wrong = client.post("/unlinked/link/", {"record": record.pk, "account": name, "reason": "told by phone"})
        assert wrong.status_code == 422
        assert words in wrong.content.decode()
        assert "told by phone" in wrong.content.decode()
    client.post("/unlinked/link/", {"record": record.pk, "account": account.code, "reason": "told by phone"})
    assert SourceRecord.objects.get(pk=record.pk).account == account
    assert AccountLink.objects.get(system="netsuite").basis == "confirmed"


def test_every_unlinked_customer_is_on_one_page_of_the_list(account: Account, sign_in: SignIn) -> None:
    for number in range(120):
        world.say(("stripe", "netsuite")[number % 2], world.fact("customer", f"lost-{number:03d}", name=f"Lost {number}"))
    client, address, seen = sign_in("farid", "finance_analyst"), "/unlinked/", []
    while address:
        page = client.get(address).content.decode()
        seen += re.findall(r'<div class="id muted long">(lost-[0-9]+)</div>', page)
        following = re.search(r'href="([^"]+)" rel="next"', page)
        address = f"/unlinked/{html.unescape(following[1])}" if following else ""
    assert len(seen) == 120
    assert len(set(seen)) == 120


def test_two_accounts_of_one_name_need_the_code(account: Account, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    an_account(name="Halden")
    world.say("stripe", world.fact("customer", "cus_9", name="Halden"))
    record = SourceRecord.objects.get(external_id="cus_9")
    answer = client.post("/unlinked/link/", {"record": record.pk, "account": "Halden", "reason": "x"})
    assert answer.status_code == 422
    assert "use the code" in answer.content.decode()


def test_the_audit_filters_and_shows_before_and_after(account: Account, sign_in: SignIn) -> None:
    farid, auditor = sign_in("farid", "finance_analyst"), sign_in("aurelio", "auditor")
    case = account.cases.get()
    farid.post(f"/cases/{case.code}/take/", {"version": case.row_version})
    page = auditor.get("/audit/", {"subject": case.code, "verb": "case.assign"}).content.decode()
    assert "assigned" in page
    assert "<del>− nothing</del>" in page
    assert "case.open" not in page.split("<tbody>")[1]
    for query in (
        {"who": "farid"}, {"account": account.code}, {"since": "2020-01-01", "until": "2999-01-01"}, {"history": "1"},
        {"history": "1", "subject": case.code},
    ):  # fmt: skip
        assert "assigned" in auditor.get("/audit/", query).content.decode(), query
    for query in ({"who": "nobody"}, {"account": "AC-x"}, {"until": "2020-01-01"}, {"trace": "f" * 32}):
        assert "No action fits" in auditor.get("/audit/", query).content.decode(), query
    history = auditor.get("/audit/", {"history": "1", "subject": case.code}).content.decode()
    assert "record changed" in history


def test_the_audit_changes_nothing_and_has_a_bounded_number_of_queries(account: Account, sign_in: SignIn) -> None:
    auditor = sign_in("aurelio", "auditor")
    auditor.get("/audit/")
    with CaptureQueriesContext(connection) as queries:
        auditor.get("/audit/")
    assert len(queries) <= 9
    assert auditor.post("/audit/").status_code == 405


def test_people_are_listed_with_roles(sign_in: SignIn) -> None:
    page = sign_in("ada", "admin").get("/people/").content.decode()
    assert "Administrator" in page
    assert "ada@example.com" in page


@pytest.mark.parametrize(("status", "owner"), [("pending", "CRM"), ("active", "Billing")])
def test_the_page_of_a_record_names_the_owner_at_its_stage(sign_in: SignIn, status: str, owner: str) -> None:
    world.systems()
    world.customers()
    refs = {"customer": "stripe:cus_1"}
    world.say("stripe", world.fact("subscription", "sub_1", refs, status=status, annual_amount=world.usd("1200.00")))
    record = SourceRecord.objects.get(object_type="subscription")
    page = sign_in("farid", "finance_analyst").get(f"/records/{record.pk}/").content.decode()
    line = next(
        line for line in policies_in_force().ownership.lines if line.object_type == "subscription" and line.owner == owner.lower()
    )
    assert line.why in html.unescape(page)
