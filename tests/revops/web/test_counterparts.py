"""The page of counterparts: what is tied and why, and a person's word that joins and splits."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest

from revops.accounts.models import Account, CounterpartVerdict
from revops.cases.models import LIVE_STATUSES, ExceptionCase
from revops.ledger.models import SourceRecord
from tests.revops import world
from tests.revops.web.conftest import Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]


@pytest.fixture
def account() -> Account:
    world.systems()
    return world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[0]


def record(system: str) -> SourceRecord:
    return SourceRecord.objects.get(system=system, object_type="invoice")


def rules() -> list[str]:
    return sorted(ExceptionCase.objects.filter(status__in=LIVE_STATUSES).values_list("rule", flat=True))


def say(client: Seat, account: Account, same: str, reason: str = "Asked the controller") -> int:
    sent = {"record": record("stripe").pk, "other": record("netsuite").pk, "same": same, "kind": "invoice", "reason": reason}
    status: int = client.post(f"/accounts/{account.code}/counterparts/say/", sent).status_code
    return status


def text(client: Seat, account: Account) -> str:
    return html.unescape(client.get(f"/accounts/{account.code}/counterparts/").content.decode())


def test_a_pair_is_taken_apart_and_put_together_again(account: Account, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    assert "One carries the other's id" in text(client, account)
    assert rules() == ["invoice_amount_mismatch"]

    assert say(client, account, "no") == 302
    world.detect()
    assert rules() == ["invoice_not_posted"], "nothing in the ERP is it any more"
    page = text(client, account)
    assert "In one system only" in page
    assert "Asked the controller" in page

    assert say(client, account, "yes", "It is the same after all") == 302
    world.detect()
    assert rules() == ["invoice_amount_mismatch"]
    assert "Somebody said so" in text(client, account)
    verdict = CounterpartVerdict.objects.get()
    assert [row.same for row in verdict.history.order_by("history_date")] == [False, True]


def test_a_word_needs_a_reason_two_systems_and_the_right(account: Account, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    assert say(client, account, "no", " ") == 422
    twice = {"record": record("stripe").pk, "other": record("stripe").pk, "same": "yes", "reason": "why not"}
    assert client.post(f"/accounts/{account.code}/counterparts/say/", twice).status_code == 422
    assert say(sign_in("ola", "auditor"), account, "no") in (403, 404)
    assert not CounterpartVerdict.objects.exists()


def test_who_may_not_say_so_sees_the_groups_without_forms(account: Account, sign_in: SignIn) -> None:
    page = text(sign_in("ola", "auditor"), account)
    assert "Saying so is for" in page
    assert not re.search(r"<form[^>]+counterparts/say", page)
