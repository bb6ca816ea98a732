"""Which rules look at a due account: those that read what moved, and all of them when time has passed or nobody can say."""

from __future__ import annotations

import datetime as dt

import pytest

from revops.accounts.models import Account
from revops.cases.models import CaseStatus, ExceptionCase, Expectation
from revops.detection.run import detect_due, mark_expected
from revops.ledger.due import finish, mark_due, take_due
from revops.ledger.models import DueAccount, SourceRecord
from tests import guards
from tests.factories import an_account
from tests.revops import world

pytestmark = pytest.mark.django_db


def marked(account: Account) -> set[str]:
    return set(DueAccount.objects.get(account=account).moved)


@pytest.fixture
def account() -> Account:
    """An account with an invoice that differs, and a renewal that is worked too early: two cases."""
    world.systems()
    account, _ = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    refs = {"customer": "stripe:cus_1"}
    world.say("stripe", world.fact("proration", "ii_1", refs, amount=world.usd("30.00"), is_proration=True))
    renewal()
    world.detect()
    assert set(live()) == {"invoice_amount_mismatch", "renewal_before_amendment"}
    assert not DueAccount.objects.exists()
    return account


def renewal(name: str = "Renewal") -> None:
    refs = {"customer": "gainsight:1P02"}
    world.say("gainsight", world.fact("renewal", "1R01", refs, name=name, stage="in_progress", held=False, is_closed=False))


def live() -> list[str]:
    return list(ExceptionCase.objects.exclude(status=CaseStatus.CLOSED).order_by("rule").values_list("rule", flat=True))


def mend_unseen() -> None:
    """The ERP's invoice agrees with billing, and nobody marks the account: only a rule that looks can see it."""
    with guards.down():
        found = SourceRecord.objects.filter(system="netsuite", object_type="invoice").update(
            fields={"status": "open", "total": {"amount": "1000.00", "currency": "USD"}}
        )
    assert found


def test_an_account_is_marked_with_the_types_that_moved(account: Account) -> None:
    renewal("Renewal 2027")
    assert marked(account) == {"renewal"}
    world.say("netsuite", world.entered(world.usd("1121.00")))
    assert marked(account) == {"invoice", "renewal"}
    renewal("Renewal 2028")
    assert marked(account) == {"invoice", "renewal"}


def test_what_concerns_every_account_marks_them_with_its_type(account: Account) -> None:
    world.say("netsuite", world.period(ar_locked=True))
    assert marked(account) == {"accounting_period"}


def test_a_mark_without_types_means_that_anything_may_have_moved() -> None:
    one, now = an_account(), world.now()
    mark_due([one.pk], now=now, moved={one.pk: ["invoice"]})
    mark_due([one.pk], now=now)
    assert marked(one) == set()
    mark_due([one.pk], now=now, moved={one.pk: ["invoice"]})
    assert marked(one) == set(), "once anything may have moved, naming a type does not narrow it again"


def test_a_mark_made_during_a_look_keeps_its_types_for_the_next_look() -> None:
    one, now = an_account(), world.now()
    mark_due([one.pk], now=now, moved={one.pk: ["invoice"]})
    with take_due(limit=5, tried=False) as held:
        assert [set(claim.moved) for claim in held.rows] == [{"invoice"}]
        mark_due([one.pk], now=now, moved={one.pk: ["renewal"]})
        finish(held.rows)
    assert "renewal" in marked(one)


def test_a_new_customer_link_is_looked_at_by_every_rule(account: Account) -> None:
    world.say("stripe", world.fact("customer", "cus_2", world.same_as(world.CRM_ID), name="Halden"))
    assert marked(account) == set()


def test_cases_of_rules_that_did_not_run_stay_as_they_are(account: Account) -> None:
    mend_unseen()
    renewal("Renewal 2027")
    world.detect()
    assert live() == ["invoice_amount_mismatch", "renewal_before_amendment"]
    world.say(
        "netsuite",
        world.fact("credit_memo", "9", {"customer": f"netsuite:{world.CUSTOMER}"}, status="open", total=world.usd("1.00")),
    )
    world.detect()
    assert live() == ["renewal_before_amendment"], "the rule that reads credit memos has looked and closed its case"


def test_a_rule_that_did_not_run_opens_nothing(account: Account) -> None:
    ExceptionCase.objects.filter(rule="invoice_amount_mismatch").update(status=CaseStatus.CLOSED, closed_at=world.now())
    renewal("Renewal 2027")
    world.detect()
    assert live() == ["renewal_before_amendment"]
    mark_due([account.pk], now=world.now())
    world.detect()
    assert live() == ["invoice_amount_mismatch", "renewal_before_amendment"]


def test_expectations_of_rules_that_did_not_run_stay_and_time_makes_every_rule_look(account: Account) -> None:
    finalized = world.now() - dt.timedelta(hours=3)
    billed = world.fact(
        "invoice",
        "in_2",
        {"customer": "stripe:cus_1"},
        number="A-2",
        status="open",
        total=world.usd("50.00"),
        finalized_at=finalized,
    )
    world.say("stripe", billed)
    world.detect()
    assert Expectation.objects.get().rule == "invoice_not_posted"
    mend_unseen()
    renewal("Renewal 2027")
    world.detect()
    assert Expectation.objects.get().rule == "invoice_not_posted"
    Expectation.objects.update(due_at=world.now())
    assert mark_expected(now=world.now()) == 1
    assert marked(account) == set()
    while detect_due(limit=10, now=world.now()):
        pass
    assert "invoice_amount_mismatch" not in live(), "looked at again though no invoice moved"
