"""What the systems say becomes the ledger: versions, late evidence, conflicts, whose record it is, both time axes."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import DatabaseError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revops.accounts.models import Account, AccountLink
from revops.errors import Conflict, Rejected
from revops.ledger.facts import Fact, Value
from revops.ledger.models import DueAccount, LedgerEntry, SourceRecord, SourceSystem
from revops.ledger.reading import account_ledger, state_digest
from revops.ledger.record import DeliveredFact, record
from revops.ledger.relink import link_customer, unlink_customer
from revops.ledger.statement import closing_balances, statement_lines
from revops.money import Money
from revops.people.models import User
from tests.accounts import as_owner
from tests.pointing import pointing
from tests.revops.attacker import refusal_of

pytestmark = pytest.mark.django_db

T0 = dt.datetime(2026, 11, 1, 9, tzinfo=dt.UTC)
CRM_ID = "0015e00000AbCd1AAF"


@pytest.fixture(autouse=True)
def systems() -> None:
    for slug, role in (("crm", "crm"), ("billing", "billing"), ("erp", "erp")):
        SourceSystem.objects.create(slug=slug, label=slug.title(), role=role, vendor="test")


def at(hours: float) -> dt.datetime:
    return T0 + dt.timedelta(hours=hours)


def fact(kind: str, key: str, hours: float, refs: dict[str, str] | None = None, deleted: bool = False, **fields: Value) -> Fact:
    return Fact(kind, key, f"{at(hours):%Y%m%d%H%M%S}", at(hours), fields, pointing(kind, refs), deleted)


def say(system: str, *facts: Fact, known: dt.datetime | None = None) -> list[str]:
    with transaction.atomic():
        return record(system, [DeliveredFact(f, delivery_id=7, trace_id="t" * 32) for f in facts], now=known or at(100))


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def crm_account(hours: float = 0, name: str = "Halden Robotics") -> Fact:
    return fact("customer", CRM_ID, hours, name=name, currency="USD", legal_entity="US")


def billing_customer(hours: float = 0) -> Fact:
    return fact("customer", "cus_1", hours, {"same_as": f"crm:{CRM_ID}"}, name="Halden")


def invoice(hours: float, total: str, issued_on: dt.date | None = None) -> Fact:
    return fact(
        "invoice",
        "in_1",
        hours,
        {"customer": "billing:cus_1"},
        number="A-1",
        status="open",
        total=usd(total),
        issued_on=issued_on,
    )


def test_the_first_and_each_newer_version_become_the_content() -> None:
    assert say("billing", invoice(1, "100.00")) == ["first"]
    assert say("billing", invoice(2, "90.00")) == ["newer"]
    row = SourceRecord.objects.get(external_id="in_1")
    assert row.fields["total"] == {"amount": "90.00", "currency": "USD"}
    assert row.current is not None
    assert row.current.version == row.version


def test_i10_the_same_version_is_applied_once() -> None:
    assert say("billing", invoice(1, "100.00"), invoice(1, "100.00")) == ["first", "same"]
    assert say("billing", invoice(1, "100.00")) == ["same"]
    assert LedgerEntry.objects.count() == 1


def test_i12_a_late_version_is_kept_as_evidence_and_changes_nothing() -> None:
    say("billing", invoice(5, "90.00"))
    assert say("billing", invoice(1, "100.00")) == ["late"]
    row = SourceRecord.objects.get(external_id="in_1")
    assert row.fields["total"] == {"amount": "90.00", "currency": "USD"}
    assert list(row.entries.order_by("version").values_list("arrival", flat=True)) == ["late", "first"]


def test_i12_a_restated_content_still_outdates_what_comes_late() -> None:
    say("billing", invoice(1, "100.00"))
    assert say("billing", invoice(5, "100.00")) == ["restated"]
    assert say("billing", invoice(3, "40.00")) == ["late"]
    account_view = SourceRecord.objects.get(external_id="in_1")
    assert account_view.fields["total"] == {"amount": "100.00", "currency": "USD"}


def test_i6_i11_other_content_under_a_known_version_is_a_conflict_with_one_winner() -> None:
    outcomes = {tuple(order): None for order in (("100.00", "70.00"), ("70.00", "100.00"))}
    digests = set()
    for first, second in outcomes:
        with transaction.atomic():
            say("billing", invoice(1, first))
            assert say("billing", invoice(1, second)) == ["conflict"]
            digests.add(state_digest())
            transaction.set_rollback(True)
    assert len(digests) == 1


def test_i12_a_read_resolves_what_one_stamp_left_open() -> None:
    say("billing", invoice(1, "100.00"), invoice(1, "90.00"))
    for number, settled in enumerate(("100.00", "90.00", "100.00"), 2):
        assert say("billing", invoice(1, settled).resolved_at(at(number))) in (["newer"], ["restated"])
        assert SourceRecord.objects.get(external_id="in_1").fields["total"] == {"amount": settled, "currency": "USD"}
    assert say("billing", invoice(1, "80.00")) == ["conflict"], "a read must tell again"
    assert say("billing", invoice(1, "100.00").resolved_at(at(1.5))) == ["late"]
    assert SourceRecord.objects.get(external_id="in_1").fields["total"] == {"amount": "100.00", "currency": "USD"}
    assert say("billing", invoice(1.01, "70.00")) == ["newer"], "the vendor's next stamp"


def test_records_wait_for_their_customer_and_the_customer_for_its_account() -> None:
    payment = fact("payment", "inpay_1", 3, {"invoice": "billing:in_1"}, amount=usd("10.00"), status="paid")
    say("billing", payment)
    say("billing", invoice(2, "100.00"))
    assert SourceRecord.objects.filter(account__isnull=True).count() == 2
    say("billing", billing_customer())
    assert Account.objects.count() == 0
    say("crm", crm_account())
    account = Account.objects.get()
    assert set(SourceRecord.objects.values_list("account", flat=True)) == {account.pk}
    assert DueAccount.objects.filter(account=account).exists()


def test_a_customer_without_reference_is_never_guessed() -> None:
    say("crm", crm_account())
    say("erp", fact("customer", "9", 1, name="Halden Robotics"))
    assert SourceRecord.objects.get(system="erp").account_id is None


def test_a_person_links_unlinks_and_is_not_overruled_by_the_next_delivery() -> None:
    analyst = User.objects.create_user("cs@rehearsal.example")
    say("crm", crm_account())
    say("billing", billing_customer(), invoice(2, "100.00"))
    account = Account.objects.get()
    unlink_customer(system="billing", customer_id="cus_1", reason="another company", acting_user=analyst, now=at(3))
    assert set(SourceRecord.objects.filter(system="billing").values_list("account", flat=True)) == {None}
    say("billing", billing_customer(9), invoice(10, "110.00"))
    assert set(SourceRecord.objects.filter(system="billing").values_list("account", flat=True)) == {None}
    with pytest.raises(Rejected):
        link_customer(system="billing", customer_id="cus_1", account=account, reason=" ", acting_user=analyst, now=at(11))
    link_customer(system="billing", customer_id="cus_1", account=account, reason="same VAT id", acting_user=analyst, now=at(11))
    assert set(SourceRecord.objects.filter(system="billing").values_list("account", flat=True)) == {account.pk}
    link = AccountLink.objects.get(system="billing")
    assert (link.basis, link.confirmed_by) == ("confirmed", analyst)
    assert [row.basis for row in link.history.order_by("history_id")] == ["reference", "refused", "confirmed"]
    other = Account.objects.create(name="Other")
    with pytest.raises(Conflict):
        link_customer(system="billing", customer_id="cus_1", account=other, reason="no", acting_user=analyst, now=at(12))


def test_both_time_axes() -> None:
    say("crm", crm_account(), known=at(0))
    say("billing", billing_customer(), known=at(0))
    say("billing", invoice(1, "100.00"), known=at(1))
    say("billing", invoice(10, "80.00"), known=at(20))
    account = Account.objects.get()

    def total(**when: dt.datetime) -> object:
        found = account_ledger(account, **when).of("invoice")
        return found[0].fields["total"] if found else None

    assert total() == usd("80.00")
    assert total(as_of=at(0.5)) is None
    assert total(as_of=at(5)) == usd("100.00")
    assert total(as_of=at(12)) == usd("80.00")
    assert total(as_of=at(12), known_at=at(12)) == usd("100.00")
    assert total(known_at=at(20)) == usd("80.00")


def test_a_tombstone_takes_the_document_off_the_ledger_and_keeps_its_history() -> None:
    say("crm", crm_account())
    say("billing", billing_customer(), invoice(1, "100.00"))
    say("billing", fact("invoice", "in_1", 3, {"customer": "billing:cus_1"}, deleted=True, number="A-1"))
    ledger = account_ledger(Account.objects.get())
    assert ledger.of("invoice") == []
    assert len(ledger.of("invoice", deleted=True)) == 1
    assert len(account_ledger(Account.objects.get(), as_of=at(2)).of("invoice")) == 1


def test_the_statement_runs_a_balance_per_system_and_currency() -> None:
    say("crm", crm_account())
    say("billing", billing_customer(), invoice(1, "100.00", issued_on=dt.date(2026, 11, 1)))
    say(
        "billing",
        fact("payment", "p1", 2, {"invoice": "billing:in_1"}, amount=usd("30.00"), status="paid", paid_on=dt.date(2026, 11, 3)),
    )
    say("billing", fact("invoice", "in_2", 2, {"customer": "billing:cus_1"}, status="draft", total=usd("5.00")))
    lines = statement_lines(account_ledger(Account.objects.get()))
    assert [(line.kind, str(line.balance)) for line in lines] == [
        ("invoice", "100.00 USD"),
        ("payment", "70.00 USD"),
        ("invoice", "None"),
    ]
    assert closing_balances(lines) == {("billing", "USD"): usd("70.00")}


def test_a_changed_period_makes_every_account_of_that_system_due() -> None:
    say("crm", crm_account())
    say("erp", fact("customer", "9", 1, {"same_as": f"crm:{CRM_ID}"}, name="Halden"))
    DueAccount.objects.all().delete()
    say("erp", fact("accounting_period", "10", 1, name="Oct 2026", ar_locked=True))
    assert DueAccount.objects.count() == 1


@pytest.mark.parametrize("statement", ["UPDATE ledger_ledgerentry SET version = 'x'", "DELETE FROM ledger_ledgerentry"])
def test_i18_the_database_refuses_to_change_or_remove_entries(statement: str) -> None:
    say("billing", invoice(1, "100.00"))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("TRUNCATE ledger_ledgerentry CASCADE")
    with as_owner():
        assert refusal_of(statement), "not even by the owner of the table"
    assert LedgerEntry.objects.count() == 1


STORY = [
    ("crm", crm_account(0)),
    ("crm", crm_account(4, "Halden Robotics GmbH")),
    ("billing", billing_customer(0)),
    ("billing", invoice(1, "100.00")),
    ("billing", invoice(2, "100.00")),
    ("billing", invoice(3, "80.00")),
    ("billing", invoice(3, "85.00")),
    ("billing", invoice(3, "82.00").resolved_at(at(4))),
    ("billing", invoice(3, "79.00")),
    ("billing", fact("payment", "p1", 2, {"invoice": "billing:in_1"}, amount=usd("30.00"), status="paid")),
    ("erp", fact("customer", "9", 1, {"same_as": f"crm:{CRM_ID}"}, name="Halden")),
    ("erp", fact("invoice", "501", 2, {"customer": "erp:9", "copy_of": "billing:in_1"}, total=usd("100.00"), status="open")),
]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.lists(st.sampled_from(range(len(STORY))), max_size=12).flatmap(
        lambda extra: st.permutations([*range(len(STORY)), *extra])
    )
)
def test_i11_any_order_and_duplication_ends_in_the_same_ledger(order: list[int]) -> None:
    def digest(sequence: list[int]) -> str:
        with transaction.atomic():
            for index in sequence:
                say(*STORY[index])
            result = state_digest()
            transaction.set_rollback(True)
        return result

    assert digest(order) == digest(list(range(len(STORY))))


def test_a_batch_costs_a_constant_number_of_statements(django_assert_max_num_queries: object) -> None:
    say("crm", crm_account())
    say("billing", billing_customer())
    batch = [
        fact("invoice", f"in_{n}", 1, {"customer": "billing:cus_1"}, number=f"A-{n}", status="open", total=usd("1.00"))
        for n in range(200)
    ]
    with django_assert_max_num_queries(25):  # type: ignore[operator]
        say("billing", *batch)
