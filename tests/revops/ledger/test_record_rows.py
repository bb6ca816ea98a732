"""What recording writes, column by column: records, entries, references, due accounts, freshness."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import pytest
from django.db import transaction

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.ledger.models import DueAccount, Freshness, LedgerEntry, Link, SourceRecord, SourceSystem
from revops.ledger.record import DeliveredFact, record
from revops.reference import Ref, refs
from tests.pointing import pointing
from tests.revops.world import account_of, usd

pytestmark = pytest.mark.django_db

T0 = dt.datetime(2026, 11, 1, 9, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=3)


@pytest.fixture(autouse=True)
def _systems() -> None:
    for slug, role in (("crm", "crm"), ("billing", "billing"), ("erp", "erp")):
        SourceSystem.objects.create(slug=slug, label=slug, role=role, vendor="test")


def fact(kind: str, key: str, version: int, to: Mapping[str, Any], *, deleted: bool = False, **fields: Value) -> Fact:
    """Version `n` is true since `n` hours after T0; `to` in short (`tests.pointing`) or as references."""
    targets = pointing(kind, to) if all(isinstance(each, str) for each in to.values()) else refs(**to)
    return Fact(kind, key, f"{version:03d}", T0 + dt.timedelta(hours=version), fields, targets, deleted)


def say(system: str, *facts: Fact, now: dt.datetime = NOW) -> list[str]:
    """The first fact is brought by delivery 1 and trace `1...`, the second by 2, and so on."""
    stated = [DeliveredFact(each, number, str(number) * 32) for number, each in enumerate(facts, 1)]
    with transaction.atomic():
        return record(system, stated, now=now)


def row(key: str, system: str = "billing") -> SourceRecord:
    return SourceRecord.objects.get(system=system, external_id=key)


def links(key: str) -> set[tuple[str, str, str, str, str]]:
    """Role, system, type, id, and the field that the reference goes by."""
    found = Link.objects.filter(record=row(key))
    return {(link.role, link.target_system, link.target_type, link.target_id, link.by) for link in found}


def company(key: str = "crm-1", version: int = 1) -> Fact:
    return fact("customer", key, version, {}, name=f"Halden {key}", currency="USD")


def customer(key: str = "cus_1", version: int = 1, of: str = "crm-1") -> Fact:
    return fact("customer", key, version, {"same_as": f"crm:{of}"}, name="Halden")


def invoice(key: str = "in_1", version: int = 1, of: str = "cus_1", **fields: Value) -> Fact:
    more: dict[str, Any] = {"number": f"A-{version}", "status": "open", "total": usd("100.00"), **fields}
    return fact("invoice", key, version, {"customer": f"billing:{of}"}, **more)


def known() -> None:
    """Two companies, each with a customer in billing, and nothing due."""
    say("crm", company(), company("crm-2"))
    say("billing", customer(), customer("cus_2", of="crm-2"))
    DueAccount.objects.all().delete()


# --- records and entries ------------------------------------------------------------------------------------------------


def test_a_new_record_has_all_that_was_said_and_its_entry_too() -> None:
    known()
    said = fact("invoice", "in_1", 5, {"customer": "billing:cus_1"}, number="A-1", total=usd("100.00"))
    gone = fact("invoice", "in_2", 6, {"customer": "billing:cus_2"}, deleted=True)
    assert say("billing", said, gone) == ["first", "first"]
    found, entry = row("in_1"), LedgerEntry.objects.get(record=row("in_1"))
    refs_json = {"customer": [{"system": "billing", "object_type": "customer", "id": "cus_1"}]}
    whole = {"number": "A-1", "total": {"amount": "100.00", "currency": "USD"}}
    assert (found.system_id, found.object_type, found.external_id) == ("billing", "invoice", "in_1")
    assert (found.account_id, found.customer_ref, found.current_id) == (account_of("cus_1", "billing").pk, "cus_1", entry.pk)
    assert (found.version, found.digest, found.deleted) == ("005", said.digest(), False)
    assert (found.fields, found.refs) == (whole, refs_json)
    assert (found.effective_at, found.changed_at, found.seen_at) == (T0 + dt.timedelta(hours=5), NOW, NOW)
    assert (entry.version, entry.digest, entry.deleted, entry.arrival) == ("005", said.digest(), False, "first")
    assert (entry.fields, entry.refs) == (whole, refs_json)
    assert (entry.effective_at, entry.recorded_at) == (T0 + dt.timedelta(hours=5), NOW)
    assert (entry.delivery_id, entry.trace_id) == (1, "1" * 32)
    other, entry = row("in_2"), LedgerEntry.objects.get(record=row("in_2"))
    assert (other.deleted, other.fields, other.current_id) == (True, {}, entry.pk)
    assert (entry.deleted, entry.delivery_id, entry.trace_id, entry.digest) == (True, 2, "2" * 32, gone.digest())


def test_a_newer_version_replaces_all_of_it() -> None:
    known()
    say("billing", invoice(version=1), invoice("in_2"))
    newer = fact("invoice", "in_1", 4, {"customer": "billing:cus_2"}, deleted=True, number="A-9")
    assert say("billing", newer, now=LATER) == ["newer"]
    found, entry = row("in_1"), LedgerEntry.objects.get(record=row("in_1"), version="004")
    assert (found.current_id, found.version, found.digest, found.deleted) == (entry.pk, "004", newer.digest(), True)
    assert (found.fields, found.customer_ref) == ({"number": "A-9"}, "cus_2")
    assert found.refs == {"customer": [{"system": "billing", "object_type": "customer", "id": "cus_2"}]}
    assert found.account_id == account_of("cus_2", "billing").pk
    assert (found.effective_at, found.changed_at, found.seen_at) == (T0 + dt.timedelta(hours=4), LATER, LATER)
    assert (entry.fields, entry.arrival) == ({"number": "A-9"}, "newer")
    untouched = row("in_2")
    assert (untouched.version, untouched.fields["number"], untouched.seen_at) == ("001", "A-1", NOW)


def test_the_winner_of_a_batch_is_current_whatever_comes_after_it() -> None:
    known()
    assert say("billing", invoice(version=2), invoice(version=7), invoice(version=3)) == ["first", "newer", "late"]
    found = row("in_1")
    assert (found.version, found.fields["number"]) == ("007", "A-7")
    assert found.current is not None
    assert found.current.version == "007"
    traced = LedgerEntry.objects.order_by("version").filter(record=found).values_list("version", "delivery_id")
    assert list(traced) == [("002", 1), ("003", 3), ("007", 2)]


def test_new_and_known_objects_of_one_batch_each_get_their_own() -> None:
    known()
    say("billing", invoice("in_2"))
    assert say("billing", invoice("in_3", 4), invoice("in_2", 5), invoice("in_1", 6), now=LATER) == ["first", "newer", "first"]
    for key, version in (("in_1", "006"), ("in_2", "005"), ("in_3", "004")):
        found = row(key)
        assert (found.version, found.fields["number"]) == (version, f"A-{int(version)}")
        assert found.current is not None
        assert found.current.record_id == found.pk


def test_what_changes_nothing_was_seen_just_now() -> None:
    known()
    say("billing", invoice(version=3), invoice("in_2", 3), invoice("in_3", 3))
    assert say("billing", invoice(version=3), invoice("in_2", 1), now=LATER) == ["same", "late"]
    for key in ("in_1", "in_2"):
        assert (row(key).changed_at, row(key).seen_at, row(key).version) == (NOW, LATER, "003")
    assert row("in_3").seen_at == NOW
    assert say("billing", invoice(version=3), invoice("in_2", 4), now=LATER) == ["same", "newer"]
    assert (row("in_1").seen_at, row("in_2").changed_at) == (LATER, LATER)


def test_the_same_words_under_a_newer_stamp_are_restated() -> None:
    known()
    say("billing", invoice(version=3, number="A"))
    assert say("billing", invoice(version=4, number="A"), now=LATER) == ["restated"]
    assert (row("in_1").version, row("in_1").changed_at) == ("004", LATER)
    assert say("billing", invoice(version=3, number="B"), now=LATER) == ["late"], "only a settled stamp is a conflict below"


def test_a_record_keeps_its_customer_when_a_version_names_none() -> None:
    known()
    say("billing", invoice())
    assert say("billing", fact("invoice", "in_1", 2, {}, number="A-2")) == ["newer"]
    assert (row("in_1").customer_ref, row("cus_1").customer_ref) == ("cus_1", "cus_1")
    assert links("in_1") == set()


# --- references ---------------------------------------------------------------------------------------------------------


def test_references_are_rows_of_the_version_that_counts() -> None:
    known()
    contract = Ref.numbered("crm", "contract", "C-7")
    twice = refs(customer=[Ref("billing", "customer", "cus_1")], contract=[contract, contract],
                 copy_of=[Ref("erp", "invoice", "7"), Ref("erp", "invoice", "8")])  # fmt: skip
    say("billing", fact("invoice", "in_1", 1, twice), fact("invoice", "in_2", 1, {"copy_of": "erp:9"}))
    by_customer = ("customer", "billing", "customer", "cus_1", "")
    assert links("in_1") == {
        by_customer, ("contract", "crm", "contract", "C-7", "number"), ("copy_of", "erp", "invoice", "7", ""),
        ("copy_of", "erp", "invoice", "8", ""),
    }  # fmt: skip
    say("billing", fact("invoice", "in_1", 2, {"customer": "billing:cus_1", "copy_of": "erp:8 erp:10"}),
        fact("invoice", "in_3", 1, {"copy_of": "erp:11"}))  # fmt: skip
    assert links("in_1") == {by_customer, ("copy_of", "erp", "invoice", "8", ""), ("copy_of", "erp", "invoice", "10", "")}
    assert links("in_2") == {("copy_of", "erp", "invoice", "9", "")}
    assert links("in_3") == {("copy_of", "erp", "invoice", "11", "")}
    say("billing", fact("invoice", "in_1", 1, {"copy_of": "erp:12"}, number="late"))
    assert len(links("in_1")) == 3, "late evidence points nowhere"


@pytest.mark.parametrize(
    "to",
    [{"customer": "erp:9"}, {"customer": "billing:cus_1 billing:cus_2"},
     {"customer": (Ref("billing", "customer", "Halden", by="name"),)}],
    ids=["of another system", "two", "by name"],
)  # fmt: skip
def test_a_record_names_one_customer_of_its_own_system_by_its_id(to: dict[str, Any]) -> None:
    known()
    count = LedgerEntry.objects.count()
    with pytest.raises(Rejected) as refused:
        say("billing", customer("cus_3"), invoice("in_1"), fact("invoice", "in_2", 1, to))
    assert refused.value.code == "reference_invalid"
    assert str(refused.value) == "invoice in_2 must name one customer of billing by its id."
    assert LedgerEntry.objects.count() == count, "nothing of the batch is kept"


def test_a_customer_may_be_that_of_another_system() -> None:
    say("crm", company())
    assert say("billing", customer("cus_9")) == ["first"]
    assert links("cus_9") == {("same_as", "crm", "customer", "crm-1", "")}


def test_nothing_said_is_nothing_done() -> None:
    assert say("billing") == []
    assert not Freshness.objects.exists()


# --- who is due, and what moved -------------------------------------------------------------------------------------------


def due() -> dict[int, tuple[list[str], str, dt.datetime]]:
    """Account -> the types that moved (none: any may have), the trace that says why, and since when."""
    return {each.account_id: (each.moved, each.trace_id, each.next_attempt_at) for each in DueAccount.objects.all()}


def test_an_account_is_due_for_the_types_that_moved_on_it() -> None:
    known()
    one, two = account_of("cus_1", "billing").pk, account_of("cus_2", "billing").pk
    payment = fact("payment", "p_1", 1, {"invoice": "billing:in_1"}, amount=usd("1.00"))
    say("billing", invoice(), payment, invoice("in_2", of="cus_2"))
    assert due() == {one: (["invoice", "payment"], "2" * 32, NOW), two: (["invoice"], "3" * 32, NOW)}
    DueAccount.objects.all().delete()
    say("billing", invoice(version=2), invoice(version=1), invoice("in_2", of="cus_2"), now=LATER)
    assert due() == {one: (["invoice"], "1" * 32, LATER)}, "what was known, or is late, makes nobody due"


def test_the_trace_is_that_of_a_statement_which_moved_something() -> None:
    known()
    say("billing", invoice(version=5), invoice("in_2", 5))
    DueAccount.objects.all().delete()
    say("billing", invoice(version=6), invoice("in_2", 1), now=LATER)
    assert due() == {account_of("cus_1", "billing").pk: (["invoice"], "1" * 32, LATER)}


def test_the_account_that_a_record_leaves_is_due_as_well() -> None:
    known()
    one, two = account_of("cus_1", "billing").pk, account_of("cus_2", "billing").pk
    say("billing", invoice())
    DueAccount.objects.all().delete()
    say("billing", invoice(version=2, of="cus_2"), now=LATER)
    assert due() == {one: (["invoice"], "", LATER), two: (["invoice"], "1" * 32, LATER)}
    DueAccount.objects.all().delete()
    say("billing", invoice(version=3, of="cus_9"), now=LATER)
    assert due() == {two: (["invoice"], "", LATER)}
    assert row("in_1").account_id is None


def test_after_a_link_everything_is_looked_at() -> None:
    say("crm", company())
    DueAccount.objects.all().delete()
    say("billing", invoice(), customer(), now=LATER)
    assert due() == {account_of("cus_1", "billing").pk: ([], "2" * 32, LATER)}


def test_what_concerns_no_single_account_makes_all_of_the_system_due() -> None:
    known()
    say("crm", company("crm-3"))
    say("erp", fact("customer", "9", 1, {"same_as": "crm:crm-1"}, name="H"), fact("customer", "10", 1, {"same_as": "crm:crm-2"}))
    DueAccount.objects.all().delete()
    period = fact("accounting_period", "202611", 1, {}, name="Nov 2026", ar_locked=True)
    say("erp", period, now=LATER)
    one, two = account_of("cus_1", "billing").pk, account_of("cus_2", "billing").pk
    assert due() == {each: (["accounting_period"], "", LATER) for each in (one, two)}
    DueAccount.objects.all().delete()
    say("erp", period, now=LATER)
    assert due() == {}


def test_what_moved_is_fresh() -> None:
    known()
    Freshness.objects.all().delete()
    say("billing", invoice(version=3), fact("payment", "p_1", 3, {"invoice": "billing:in_1"}))
    assert fresh_at() == {("billing", "invoice"): NOW, ("billing", "payment"): NOW}
    say("billing", invoice(version=4), fact("payment", "p_1", 2, {"invoice": "billing:in_1"}), now=LATER)
    assert fresh_at() == {("billing", "invoice"): LATER, ("billing", "payment"): NOW}, "late evidence changes nothing"


def fresh_at() -> dict[tuple[str, str], dt.datetime | None]:
    return {(each.system_id, each.object_type): each.last_change_at for each in Freshness.objects.all()}


@pytest.mark.django_db(transaction=True)
def test_recording_is_part_of_the_delivery_s_transaction() -> None:
    with pytest.raises(RuntimeError, match=r"^ledger\.record runs inside the transaction of the delivery that it applies$"):
        record("billing", [DeliveredFact(invoice())], now=NOW)
    assert not LedgerEntry.objects.exists()
