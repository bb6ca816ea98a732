"""Building a plan: its calls, lines and touches, the facts that it shows, the digests that bind them, and what moved since."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops.ledger.facts import Value
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.money import Money
from revops.postings.build import (
    Built,
    FactMove,
    body_text,
    build,
    fact_rows,
    facts_digest,
    lines_of,
    moves,
)
from revops.postings.changes import Change, CreateCreditMemo, HoldRenewal, Line
from revops.postings.kind import FollowUp, FormField, Option, Situation, Suggestion
from revops.postings.port import ComposedCall
from revops.reference import Ref, refs
from revops.sentences import Sentence, Word
from tests.revops.world import eur, usd

DAY = dt.date(2026, 11, 20)
AT = dt.datetime(2026, 11, 18, 9, tzinfo=dt.UTC)


@dataclass(frozen=True)
class Asked:
    """A kind that makes the changes it is given."""

    asked: tuple[Change, ...]
    shown: tuple[LedgerRecord, ...] = ()
    code: str = "asked"
    label: str = "Asked"
    explains: str = ""
    role: str = "erp"
    rules: tuple[str, ...] = ()
    maker_roles: frozenset[str] = frozenset({"finance_analyst"})
    fields: tuple[FormField, ...] = ()
    undone_by: str = ""

    def options(self, situation: Situation) -> Mapping[str, list[Option]]:
        return {}

    def suggest(self, situation: Situation) -> Suggestion:
        return Suggestion()

    def clean(self, raw: Mapping[str, object], situation: Situation) -> dict[str, object]:
        return dict(raw)

    def changes(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[Change]:
        return list(self.asked)

    def facts(self, inputs: Mapping[str, object], ledger: AccountLedger) -> list[LedgerRecord]:
        return list(self.shown)

    def reversal(self, inputs: Mapping[str, object], done: Sequence[Change]) -> FollowUp | None:
        return None

    def remainder(self, inputs: Mapping[str, object], missing: Sequence[Change]) -> FollowUp | None:
        return None


def composed(system: str, key: str, change: Change) -> ComposedCall:
    """A connector that writes the stored form."""
    body = f"{system}{key}{change.as_json()}".encode()
    return ComposedCall("POST", "/", {}, body, key, Sentence("test.do"))


def built(*changes: Change, key: Callable[[], str] = lambda: "rvo-1") -> Built:
    situation = Situation(AccountLedger(1, "USD", "US", ()), frozenset(), DAY)
    return build(Asked(changes), {}, situation, reason="x", compose=composed, new_key=key)


def memo(amount: Money, invoice: str = "7", system: str = "erp") -> CreateCreditMemo:
    return CreateCreditMemo(Ref(system, "invoice", invoice), Ref(system, "customer", "50"), amount, DAY)


monies = st.builds(Money.from_minor, st.integers(min_value=1, max_value=10**9), st.sampled_from(["USD", "EUR", "JPY", "KWD"]))
changes = st.builds(memo, monies, st.sampled_from(["7", "8"]), st.sampled_from(["erp", "erp2"])) | st.builds(
    lambda key: HoldRenewal(Ref("cs", "renewal", key), "x", "in_progress"), st.sampled_from(["1", "2"])
)


@given(st.lists(changes, max_size=6))
def test_the_lines_of_any_built_plan_sum_to_zero_in_each_currency(asked: list[Change]) -> None:
    plan = built(*asked)
    for currency in {line.amount.currency for line in plan.lines}:
        mine = [line for line in plan.lines if line.amount.currency == currency]
        assert sum(line.amount.minor if line.side == "debit" else -line.amount.minor for line in mine) == 0
    wanted = [change.amount for change in asked if isinstance(change, CreateCreditMemo)]
    if wanted:
        assert plan.amount.currency == wanted[0].currency
        assert plan.amount.minor == sum(amount.minor for amount in wanted if amount.currency == plan.amount.currency)
    else:
        assert (plan.lines, plan.amount) == ((), Money.zero("USD"))


@given(st.lists(changes, max_size=6))
def test_a_plan_touches_what_its_steps_touch(asked: list[Change]) -> None:
    plan = built(*asked)
    assert [call.sequence for call in plan.calls] == list(range(1, len(asked) + 1))
    for ref, steps in plan.touches.items():
        assert list(steps) == [number for number, change in enumerate(asked, start=1) if ref in change.touches]
    assert set(plan.touches) == {ref for change in asked for ref in change.touches}


@dataclass(frozen=True, slots=True)
class OneSided(CreateCreditMemo):
    """A change whose author forgot the other side."""

    code: ClassVar[str] = "one_sided"

    @property
    def lines(self) -> tuple[Line, ...]:
        return (Line("receivable", "credit", self.amount),)


def test_a_change_that_does_not_balance_is_a_defect() -> None:
    wrong = OneSided(Ref("erp", "invoice", "7"), Ref("erp", "customer", "50"), usd("1.00"), DAY)
    with pytest.raises(RuntimeError, match=r"^debits and credits in EUR, USD differ$"):
        lines_of([wrong, replace(wrong, amount=eur("1.00"))])
    with pytest.raises(RuntimeError, match="USD differ"):
        built(memo(eur("1.00")), wrong)


def test_the_digest_binds_each_change_its_lines_and_what_it_touches() -> None:
    plans = [
        built(memo(usd("1.00"))), built(memo(usd("2.00"))), built(memo(usd("1.00"), "8")),
        built(memo(usd("1.00"), system="erp2")),
        built(memo(eur("1.00"))), built(memo(usd("1.00")), memo(usd("1.00"))), built(memo(usd("1.00")), key=lambda: "rvo-2"),
    ]  # fmt: skip
    assert len({plan.digest for plan in plans}) == len(plans)
    assert built(memo(usd("1.00"))).digest == plans[0].digest


def test_a_connector_that_takes_another_key_is_a_defect() -> None:
    def careless(system: str, key: str, change: Change) -> ComposedCall:
        return composed(system, "rvo-other", change)

    situation = Situation(AccountLedger(1, "USD", "US", ()), frozenset(), DAY)
    with pytest.raises(RuntimeError, match=r"^erp composed create_credit_memo under another key than asked$"):
        build(Asked((memo(usd("1.00")),)), {}, situation, reason="x", compose=careless, new_key=lambda: "rvo-1")


# --- what the digest binds -------------------------------------------------------------------------------------------------


def canonical(said: object) -> str:
    """SHA-256 of the canonical form, written here with another library than the product's."""
    return hashlib.sha256(json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()


def invoice(id: str = "7", version: str = "v1", *, deleted: bool = False, **fields: Value) -> LedgerRecord:
    said: dict[str, Value] = {"number": f"INV-{id}", "total": usd("5.00"), **fields}
    pointing = refs(customer=Ref("erp", "customer", "50"))
    return LedgerRecord("erp", "erp", "invoice", id, said, pointing, AT, AT, version, deleted)


CONTENT = {
    "fields": {"number": "INV-7", "total": {"amount": "5.00", "currency": "USD"}},
    "refs": {"customer": [{"system": "erp", "object_type": "customer", "id": "50"}]},
    "deleted": False,
}


def test_a_fact_is_shown_with_who_says_it_its_version_and_its_content() -> None:
    assert fact_rows([invoice()]) == [
        {
            "system": "erp", "object_type": "invoice", "external_id": "7", "label": "INV-7", "version": "v1",
            "effective_at": "2026-11-18T09:00:00.000Z", "digest": canonical(CONTENT), **CONTENT,
        }
    ]  # fmt: skip


def test_facts_stand_in_one_order_and_none_twice() -> None:
    rows = fact_rows([invoice("8"), invoice("7"), invoice("8")])
    assert [row["external_id"] for row in rows] == ["7", "8"]


def test_the_digest_of_facts_binds_which_records_they_are_and_what_they_say() -> None:
    first, second = fact_rows([invoice("7"), invoice("8")])
    lines = ["\x1f".join(("erp", "invoice", str(row["external_id"]), str(row["digest"]))) for row in (first, second)]
    assert facts_digest([second, first]) == canonical({"facts": lines})
    later = fact_rows([invoice("7", "v2"), invoice("8")])
    assert facts_digest(later) == facts_digest([first, second]), "another version that says the same"


def test_the_digest_of_a_plan_binds_all_that_is_shown() -> None:
    """It is what people sign: written out here in full, so that nothing drops out of it or changes its name unnoticed."""
    change, hold = memo(usd("1.00")), HoldRenewal(Ref("cs", "renewal", "1"), "x", "in_progress")
    keys = iter(["rvo-1", "rvo-2"])

    def compose(system: str, key: str, change: Change) -> ComposedCall:
        return replace(composed(system, key, change), path=f"/{system}", headers={"Accept": "json"})

    plan = build(
        Asked((change, hold, )), {"on": "2026-11-20"}, Situation(AccountLedger(41, "EUR", "US", ()), frozenset(), DAY),
        reason="because", compose=compose, new_key=lambda: next(keys),
    )  # fmt: skip
    bodies = [call.call.body for call in plan.calls]
    assert [hashlib.sha256(body).hexdigest() for body in bodies] == [call.body_digest for call in plan.calls]
    assert [(call.sequence, call.change, call.call.key) for call in plan.calls] == [(1, change, "rvo-1"), (2, hold, "rvo-2")]
    one = {"amount": "1.00", "currency": "USD"}
    assert plan.digest == canonical({
        "kind": "asked",
        "account": 41,
        "inputs": {"on": "2026-11-20"},
        "amount": one,
        "reason": "because",
        "lines": [
            {"account": "contra_revenue", "side": "debit", "amount": one},
            {"account": "receivable", "side": "credit", "amount": one},
        ],
        "touches": [
            {"system": "cs", "object_type": "renewal", "id": "1", "steps": [2]},
            {"system": "erp", "object_type": "invoice", "id": "7", "steps": [1]},
        ],
        "postings": [
            {
                "sequence": sequence, "system": system, "change": wanted.as_json(), "method": "POST", "path": f"/{system}",
                "headers": {"Accept": "json"}, "body": hashlib.sha256(body).hexdigest(), "key": f"rvo-{sequence}",
            }
            for sequence, system, wanted, body in ((1, "erp", change, bodies[0]), (2, "cs", hold, bodies[1]))
        ],
        "facts": [],
    })  # fmt: skip


def test_a_plan_keeps_its_inputs_and_its_facts() -> None:
    situation = Situation(AccountLedger(1, "", "US", (invoice(),)), frozenset(), DAY)
    plan = build(Asked((), (invoice(),)), {"on": "x"}, situation, reason="x", compose=composed, new_key=lambda: "rvo-1")
    assert plan.inputs == {"on": "x"}
    assert plan.facts == fact_rows([invoice()])
    assert plan.facts_digest == facts_digest(plan.facts)
    assert plan.amount == Money.zero("USD"), "an account without a currency: that of the reports"
    euros = replace(situation, ledger=replace(situation.ledger, currency="EUR"))
    other = build(Asked(()), {"on": "x"}, euros, reason="x", compose=composed, new_key=lambda: "rvo-1")
    assert (other.amount, other.facts, other.calls) == (Money.zero("EUR"), [], ())


# --- what moved since ------------------------------------------------------------------------------------------------------


def moved(before: Sequence[LedgerRecord], after: Sequence[LedgerRecord]) -> list[FactMove]:
    return moves(fact_rows(before), fact_rows(after))


def test_what_says_the_same_has_not_moved() -> None:
    assert moved([], []) == []
    assert moved([invoice(), invoice("8")], [invoice("8"), invoice(version="v2")]) == []


def test_each_field_that_changed_came_or_went_is_a_move_of_its_own() -> None:
    before = invoice(status="open", memo="a", quantity=None)
    after = invoice(status="paid", issued_on=DAY, number="INV-9")
    assert moved([before], [after]) == [
        FactMove("erp", "invoice", "7", "INV-9", "issued_on", None, "2026-11-20"),
        FactMove("erp", "invoice", "7", "INV-9", "memo", "a", None),
        FactMove("erp", "invoice", "7", "INV-9", "number", "INV-7", "INV-9"),
        FactMove("erp", "invoice", "7", "INV-9", "quantity", None, None),
        FactMove("erp", "invoice", "7", "INV-9", "status", "open", "paid"),
    ]


def test_references_and_deletion_move_too() -> None:
    other = replace(invoice(deleted=True), refs=refs(customer=Ref("erp", "customer", "51")))
    old, new = ([{"system": "erp", "object_type": "customer", "id": id}] for id in ("50", "51"))
    assert moved([invoice()], [other]) == [
        FactMove("erp", "invoice", "7", "INV-7", "customer", old, new),
        FactMove("erp", "invoice", "7", "INV-7", "deleted", False, True),
    ]


def test_a_record_that_came_or_went_is_one_move_and_hides_no_other() -> None:
    found = moved([invoice("6"), invoice("8", status="open")], [invoice("7"), invoice("8", status="paid")])
    assert found == [
        FactMove("erp", "invoice", "6", "INV-6", "", "shown", None),
        FactMove("erp", "invoice", "7", "INV-7", "", None, "there"),
        FactMove("erp", "invoice", "8", "INV-8", "status", "open", "paid"),
    ]
    assert [str(move.sentence()) for move in found] == [
        "invoice INV-6 in erp is gone", "invoice INV-7 in erp is new", "status of invoice INV-8 in erp: open is now paid",
    ]  # fmt: skip


def test_moves_are_empty_exactly_when_the_digests_are_equal() -> None:
    records = [invoice(), invoice(status="open"), invoice(status=None), invoice(deleted=True), invoice("8")]
    for one in records:
        for other in records:
            same = facts_digest(fact_rows([one])) == facts_digest(fact_rows([other]))
            assert same == (moved([one], [other]) == []) == (one is other)


def move(field: str, before: object, after: object = None, label: str = "INV-7") -> FactMove:
    return FactMove("erp", "invoice", "7", label, field, before, after)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("total", {"amount": "5.00", "currency": "USD"}, "5.00 USD"),
        ("total", None, "empty"),
        ("number", "", "empty"),
        ("customer", [], "empty"),
        ("deleted", True, "yes"),
        ("deleted", False, "no"),
        ("customer", [{"system": "erp", "object_type": "customer", "id": "51"}], "51"),
        ("proration_items", ["ii_1", "ii_2"], "ii_1, ii_2"),
        ("status", "pending_approval", "pending approval"),
        ("number", "a_b", "a_b"),
        ("quantity", 3, "3"),
        ("memo", {"amount": "5.00"}, "{'amount': '5.00'}"),
    ],
)
def test_what_a_field_said_is_told_by_its_kind(field: str, value: object, told: str) -> None:
    assert (
        str(move(field, value, "x").sentence("the ERP"))
        == f"{field.replace('_', ' ')} of invoice INV-7 in the ERP: {told} is now x"
    )
    assert str(move(field, "x", value).sentence()) == f"{field.replace('_', ' ')} of invoice INV-7 in erp: x is now {told}"


def test_a_move_names_its_record_and_its_type_for_links_and_programs() -> None:
    said = move("status", "open", "paid")
    assert said.as_json() == {
        "system": "erp", "object_type": "invoice", "external_id": "7", "label": "INV-7", "field": "status", "before": "open",
        "after": "paid",
    }  # fmt: skip
    for each in (said, move("", None, "there")):
        params = each.sentence().params
        assert params["type"] == Word("invoice")
        assert getattr(params["record"], "ref", None) == Ref("erp", "invoice", "7")
    assert (said.sentence().params["before"], said.sentence().params["after"]) == (Word("open"), Word("paid"))
    assert said.sentence().params["field"] == Word("status")


def test_a_body_is_shown_as_text_or_as_base64() -> None:
    assert body_text("Zürich".encode()) == "Zürich"
    assert body_text(b"\xff\xfe") == "//4="
