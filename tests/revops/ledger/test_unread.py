"""What could not be read of a fact: stored with record and entry, part of what is said, counted by field."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pytest
from django.db import IntegrityError, connection, transaction

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.ledger.models import LedgerEntry, SourceRecord, SourceSystem
from revops.ledger.record import DeliveredFact, record
from revops.ledger.unread import REASONS, STATED, Unread, repaired
from revops.ledger.unread_values import unread_fields
from revops.reference import Ref
from tests.revops.world import usd

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
ZZZ = Unread("100 ZZZ", "currency_unknown")
NO_FIELDS: Mapping[str, Value] = {}


@pytest.fixture
def billing(db: None) -> None:
    SourceSystem.objects.create(slug="billing", label="billing", role="billing", vendor="test")


def invoice(key: str, version: int, unread: Mapping[str, Unread], fields: Mapping[str, Value] = NO_FIELDS) -> Fact:
    return Fact("invoice", key, f"{version:03d}", NOW, {"status": "open", **fields}, unread=unread)


def say(*facts: Fact) -> list[str]:
    with transaction.atomic():
        return record("billing", [DeliveredFact(fact) for fact in facts], now=NOW)


def test_it_stands_with_the_record_and_its_entry(billing: None) -> None:
    say(invoice("in_1", 1, {"total": ZZZ}), invoice("in_2", 1, {}))
    kept = SourceRecord.objects.get(external_id="in_1")
    assert kept.unread == {"total": {"code": "currency_unknown", "raw": "100 ZZZ"}}
    assert LedgerEntry.objects.get(record=kept).unread == kept.unread
    assert SourceRecord.objects.get(external_id="in_2").unread is None


def test_a_change_of_a_known_record_changes_it_too(billing: None) -> None:
    say(invoice("in_1", 1, {}), invoice("in_2", 1, {"total": ZZZ}))
    say(invoice("in_1", 2, {"total": ZZZ}), invoice("in_2", 2, {}, {"total": usd("1.00")}))
    assert SourceRecord.objects.get(external_id="in_1").unread == {"total": ZZZ.as_json()}
    assert SourceRecord.objects.get(external_id="in_2").unread is None


def test_what_is_written_there_is_part_of_what_is_said(billing: None) -> None:
    assert invoice("in_1", 1, {}).digest() != invoice("in_1", 1, {"total": ZZZ}).digest()
    assert invoice("in_1", 1, {"total": ZZZ}).digest() != invoice("in_1", 1, {"total": Unread("101 ZZZ", ZZZ.code)}).digest()
    assert say(invoice("in_1", 1, {"total": ZZZ}), invoice("in_1", 2, {"total": ZZZ})) == ["first", "restated"]


def test_a_record_says_what_its_entry_could_not_read(billing: None) -> None:
    say(invoice("in_1", 1, {"total": ZZZ}))
    with pytest.raises(IntegrityError, match="says what its current entry says"), transaction.atomic():
        SourceRecord.objects.update(unread=None)


@pytest.mark.parametrize(
    ("unread", "fields"),
    [
        ({"colour": ZZZ}, {}),
        ({"total": ZZZ}, {"total": usd("1.00")}),
        ({"total": Unread("1.001", "amount_rounded")}, {}),
    ],
)
def test_a_field_is_either_read_or_not(unread: Mapping[str, Unread], fields: Mapping[str, Value]) -> None:
    with pytest.raises(Rejected) as refused:
        invoice("in_1", 1, unread, fields)
    assert refused.value.code == "fact_shape"


def test_a_role_may_be_unread_and_a_rounded_amount_is_stated() -> None:
    found = invoice("in_1", 1, {"contract": Unread("x", "reference_invalid"), "total": Unread("1.001", "amount_rounded")}, {
        "total": usd("1.00")
    })  # fmt: skip
    assert found.content().unread == {
        "contract": {"code": "reference_invalid", "raw": "x"},
        "total": {"code": "amount_rounded", "raw": "1.001"},
    }


def test_an_id_holds_no_half_of_a_surrogate_pair() -> None:
    for key, refs in (("in_\ud800", {}), ("in_1", {"customer": (Ref("billing", "customer", "cus_\ud800"),)})):
        with pytest.raises(Rejected):
            Fact("invoice", key, "001", NOW, {}, refs)


def test_they_are_counted_by_system_type_and_field(billing: None) -> None:
    rounded = Unread("1.001", "amount_rounded")
    say(
        invoice("in_1", 1, {"total": ZZZ}),
        Fact(
            "invoice",
            "in_2",
            "001",
            NOW,
            {},
            unread={"total": Unread("7 YYY", ZZZ.code), "status": Unread("limbo", "value_unknown")},
        ),
        invoice("in_3", 1, {"net": rounded}, {"net": usd("1.00")}),
        Fact("invoice", "in_4", "001", NOW, {}, deleted=True, unread={"total": ZZZ}),
    )
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM ledger_sourcerecord WHERE unread IS NOT NULL")
        assert cursor.fetchone() == (4,)
    found = {(each.object_type, each.field): (each.count, each.example.raw, each.label) for each in unread_fields("billing")}
    assert found == {("invoice", "status"): (1, "limbo", "Status"), ("invoice", "total"): (2, "7 YYY", "Total")}
    assert unread_fields() == unread_fields("billing")
    assert unread_fields("erp") == []


def test_each_reason_is_a_sentence() -> None:
    assert all(reason.endswith(".") for reason in REASONS.values())
    assert REASONS.keys() >= STATED
    assert Unread("x", "nobody_knows").why == "It could not be understood."


@pytest.mark.parametrize(("text", "kept"), [("a\x00b", "a\ufffdb"), ("a\udc00", "a\ufffd"), ("Ünïted 🚀", "Ünïted 🚀")])
def test_a_text_is_repaired_where_it_must_be(text: str, kept: str) -> None:
    assert repaired(text) == kept
