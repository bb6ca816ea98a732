"""A connected system as an exception: dead letters that pile up, reads that fail. One case each, closed by what is found."""

from __future__ import annotations

import datetime as dt

import httpx2
import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from revops.accounts.models import Account
from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase
from revops.ledger.models import SourceRecord
from revops.people.actors import System
from revops.people.models import Role
from revops.policies.in_force import policies_in_force
from revops.sentences import Sentence
from sync.applying.drain import process_all
from sync.connections import pause
from sync.models import Connection, Delivery, DeliveryState, Watermark
from sync.workers.sweep import sweep_once
from tests.factories import an_account
from tests.revops import world
from tests.revops.api.caller import Caller, body
from tests.sync.stripe_sender import event, headers, rendered


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture
def dead_letters(web: str, stripe: Connection) -> int:
    """As many unusable deliveries from Stripe as make an exception."""
    del stripe
    with httpx2.Client(base_url=web, timeout=20, trust_env=False) as client:
        for number in range(policies_in_force().connections.dead_letters):
            bad = rendered(event(number, "Aurora")).replace(b'"object": "customer"', b'"object": "quote"')
            assert client.post("/intake/stripe/", content=bad, headers=headers(bad)).status_code == 202
    process_all(now())
    return Delivery.objects.filter(state=DeliveryState.QUARANTINED).count()


def fail(stripe: Connection, times: int) -> None:
    """Reading one stream has failed so often in a row; 0: the last read came to its end."""
    Watermark.objects.filter(connection=stripe, stream="events").update(
        attempts=times, last_error="503 from the vendor" if times else ""
    )


def the_case() -> ExceptionCase:
    return ExceptionCase.objects.get()


def test_dead_letters_that_pile_up_are_one_case_on_the_connection(dead_letters: int) -> None:
    assert dead_letters == policies_in_force().connections.dead_letters == 10
    sweep_once(now())
    sweep_once(now())
    case = the_case()
    assert (case.rule, case.account, case.system_id, case.status) == ("dead_letters_pile_up", None, "stripe", "open")
    assert (case.team, case.severity, case.amount_minor, case.currency) == ("finance", 2, 0, "USD")
    assert case.policy_version == policies_in_force().version
    assert "10 or more dead letters" in str(case.sentence)
    assert list(ActionRecord.objects.filter(case_id=case.pk).values_list("verb", flat=True)) == ["case.open"]


def test_it_closes_when_they_are_dealt_with_and_comes_back(dead_letters: int) -> None:
    sweep_once(now())
    first = Delivery.objects.filter(state=DeliveryState.QUARANTINED).order_by("pk")[:1]
    Delivery.objects.filter(pk__in=first.values("pk")).update(state=DeliveryState.IGNORED)
    sweep_once(now())
    assert (the_case().status, the_case().close_evidence) == ("closed", {"dead_letters": 9, "failures": {}})
    Delivery.objects.filter(state=DeliveryState.IGNORED).update(state=DeliveryState.QUARANTINED)
    sweep_once(now())
    assert (the_case().status, the_case().reopened_count) == ("open", 1)


def test_a_connection_that_cannot_be_read_is_a_case_until_it_can(stripe: Connection) -> None:
    fail(stripe, 4)
    sweep_once(now())
    assert not ExceptionCase.objects.exists()
    fail(stripe, 5)
    sweep_once(now())
    case = the_case()
    assert case.rule == "connection_unreadable"
    assert {"name": "connections.last_problem", "value": "503 from the vendor"} in case.evidence["inputs"]
    fail(stripe, 0)
    sweep_once(now())
    assert the_case().status == "closed"


def test_a_connection_that_is_paused_is_no_exception(stripe: Connection) -> None:
    fail(stripe, 9)
    sweep_once(now())
    pause(str(stripe.pk), reason="tests", acting_user=System("tests"))
    sweep_once(now())
    assert the_case().status == "closed"


def test_values_that_could_not_be_read_are_one_case_a_field_until_they_are(web: str, stripe: Connection) -> None:
    del stripe

    def send(number: int, customer: int, currency: bytes) -> None:
        body = rendered(event(number, customer=f"cus_{customer:08d}")).replace(b'"usd"', currency)
        with httpx2.Client(base_url=web, timeout=20, trust_env=False) as client:
            assert client.post("/intake/stripe/", content=body, headers=headers(body)).status_code == 202
        process_all(now())
        sweep_once(now())

    send(1, 1, b'"zzz"')
    case = the_case()
    assert (case.rule, case.system_id, case.status) == ("values_unread", "stripe", "open")
    assert "Balance of Customer of" in str(case.sentence)
    assert "in 1 or more records" in str(case.sentence)
    assert {"name": "connections.written", "value": "0 ZZZ"} in case.evidence["inputs"]
    send(2, 2, b'"zzz"')
    assert "in 2 or more records" in str(the_case().sentence)
    farid = world.person("farid", Role.FINANCE_ANALYST)
    client = Client()
    client.force_login(farid)
    record = SourceRecord.objects.get(external_id="cus_00000001")
    shown = client.get(f"/records/{record.pk}/").content.decode()
    assert "Not read:" in shown
    assert "0 ZZZ" in shown
    assert "Its currency is not one that we know." in shown
    client.force_login(world.person("ada", Role.ADMIN))
    page = client.get("/connections/stripe/").content.decode()
    assert "Values that could not be read" in page
    assert "Balance of 2 customer records" in page
    for number in (1, 2):
        send(number + 2, number, b'"eur"')
    assert the_case().status == "closed"
    assert "Values that could not be read" not in client.get("/connections/stripe/").content.decode()


def test_people_see_and_work_it_and_nobody_is_offered_a_plan(dead_letters: int) -> None:
    sweep_once(now())
    case = the_case()
    farid = world.person("farid", Role.FINANCE_ANALYST)
    client = Client()
    client.force_login(farid)
    page = client.get(f"/cases/{case.code}/").content.decode()
    assert "Dead letters pile up" in page
    assert "connected system" in page
    for path in ("/queue/", f"/queue/?open={case.code}", f"/queue/?q={case.about_name}", "/queue/?rule=dead_letters_pile_up"):
        assert case.code in client.get(path).content.decode(), path
    assert client.get(f"/plans/new/?case={case.code}&kind=credit_memo").status_code == 404
    shown = body(Caller(farid).get(f"cases/{case.pk}/"))
    assert (shown["account"], shown["account_name"], shown["system"]) == (None, None, "stripe")
    assert shown["policies"] == policies_in_force().version
    assert [row["id"] for row in body(Caller(farid).get("cases/?rule=dead_letters_pile_up"))["results"]] == [case.pk]
    inputs = {"kind": "credit_memo", "case": case.pk, "inputs": {}, "reason": "why"}
    answer = Caller(farid).post("change-plans/", inputs)
    assert (answer.status_code, body(answer)["code"]) == (422, "case_about_a_system")


@pytest.mark.django_db
@pytest.mark.parametrize("both", [True, False])
def test_the_database_holds_that_a_case_is_about_one_thing(both: bool) -> None:
    world.systems()
    account: Account = an_account()
    about = {"account": account, "system_id": "stripe"} if both else {}
    with pytest.raises(IntegrityError, match="account_or_system"), transaction.atomic():
        ExceptionCase.objects.create(
            rule="x", fingerprint="x", title="x", sentence=Sentence("x"), severity=1, team="finance", currency="USD",
            facts_digest="x",
            policy_version="x", due_at=now(), opened_at=now(), refreshed_at=now(), **about,
        )  # fmt: skip
