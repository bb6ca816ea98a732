"""One value that cannot be read: what is marked, with what, and what the account's days and a subscription's terms are."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import pytest

from revops import strict_json
from revops.ledger.unread import RAW_MAX, Unread
from revops.money import Money
from sync.connectors.stripe import read as stripe_read
from sync.connectors.stripe.models import Coupon, Subscription
from sync.connectors.stripe.recurring import yearly
from sync.connectors.stripe.subscriptions import terms_changed
from sync.vendor.contract import Incoming, Misunderstood, Response
from sync.vendor.http import Reply
from sync.vendor.objects import understood
from sync.vendor.values import raw_of
from tests.sync.connectors.test_refusals import INV, SUB, S, put, recording, said

MEMO = f"{S}.description"


@pytest.mark.parametrize(
    ("written", "kept"), [("Consulting\x00 November", "Consulting\ufffd November"), ("\ud83d half", "\ufffd half")]
)
def test_w21_a_character_that_no_column_can_keep_costs_the_invoice_nothing(written: str, kept: str) -> None:
    fact = said("stripe", INV, put(MEMO, written))
    assert fact.fields["memo"] == kept
    assert fact.unread == {"memo": Unread(kept, "text_repaired")}
    assert fact.fields["total"] == said("stripe", INV).fields["total"]


def test_an_id_that_no_column_can_keep_is_no_id() -> None:
    connector, config, incoming, body = recording("stripe", INV)
    put(f"{S}.customer", "cus_\x00")(body)
    with pytest.raises(Misunderstood) as refused:
        connector.translate(Incoming("event", strict_json.dump(body), {}, incoming.received_at), config)
    assert refused.value.code == "reference_invalid"


def test_the_decimals_of_an_unknown_currency_are_not_guessed() -> None:
    fact = said("stripe", INV, put(f"{S}.currency", "zzz"))
    assert fact.unread["total"] == Unread("148500 ZZZ", "currency_unknown")


@pytest.mark.parametrize(
    ("found", "raw"),
    [
        ("x" * 500, "x" * RAW_MAX),
        ("key sk_live_0123456789abcdef", "key (a key)"),
        (Decimal("4623.400000000001"), "4623.400000000001"),
        (True, "true"),
        (None, ""),
        ({"secret": "hunter2"}, "an object"),
        (["hunter2"], "a list"),
        ("a\x00b", "a\ufffdb"),
    ],
)
def test_what_is_kept_of_a_value_that_could_not_be_read(found: object, raw: str) -> None:
    assert raw_of(found) == raw


def test_a_fault_of_our_own_settings_is_no_fault_of_the_value() -> None:
    for vendor, name in (("stripe", INV), ("gainsight", "company")):
        with pytest.raises(Misunderstood) as refused:
            said(vendor, name, time_zone="Mars/Olympus")
        assert refused.value.code == "setting_invalid"


def test_the_days_of_an_invoice_are_those_of_the_account() -> None:
    def on_the_last_evening(body: Any) -> None:
        put(f"{S}.effective_at", 1793503800)(body)  # 2026-11-01 03:30 in UTC
        put(f"{S}.due_date", 1796095800)(body)

    there = said("stripe", INV, on_the_last_evening, time_zone="America/Los_Angeles").fields
    assert (there["issued_on"], there["due_on"]) == (dt.date(2026, 10, 31), dt.date(2026, 11, 30))
    assert said("stripe", INV, on_the_last_evening).fields["issued_on"] == dt.date(2026, 11, 1)


# -- what a subscription costs a year ---------------------------------------------------------------------------------------


def coupon(**over: Any) -> Coupon:
    stated = {"id": "co_1", "duration": "forever", "percent_off": None, "amount_off": None}
    return understood(Coupon, {**stated, **over}, "coupon")


def discount(end: int | None = None) -> dict[str, Any]:
    return {"id": "di_1", "end": end, "source": {"type": "coupon", "coupon": "co_1"}}


def costs(*changes: Any, of: Coupon | None = None) -> tuple[str | None, tuple[str, ...]]:
    """25 seats at 49.50 EUR a month, 14850.00 a year, and usage beside them; changed."""
    _, _, _, body = recording("stripe", SUB)
    body = copy.deepcopy(body)
    for change in changes:
        change(body)
    found = understood(Subscription, body["data"]["object"], "Stripe subscription")
    cost = yearly(found, {of.id: of} if of is not None else {})
    return None if cost.amount is None else str(cost.amount), cost.basis


ITEMS, ITEM = f"{S}.items.data", f"{S}.items.data.0"
DISCOUNTED = put(f"{S}.discounts", [discount()])


def without_usage(body: Any) -> None:
    del body["data"]["object"]["items"]["data"][1]


@pytest.mark.parametrize(
    ("of", "changes", "amount"),
    [
        (coupon(percent_off=Decimal("20.0")), [DISCOUNTED], "11880.00 EUR"),
        (coupon(percent_off=Decimal("20")), [put(f"{ITEM}.discounts", [discount()])], "11880.00 EUR"),
        (coupon(percent_off=Decimal("50")), [put(f"{S}.discounts", [discount(), discount()])], "3712.50 EUR"),
        (coupon(amount_off=10_000), [without_usage, DISCOUNTED], "13650.00 EUR"),
        (coupon(amount_off=10_000), [put(f"{ITEM}.discounts", [discount()])], "13650.00 EUR"),
        (coupon(amount_off=10**9), [without_usage, DISCOUNTED], "0.00 EUR"),
        (coupon(amount_off=10_000), [DISCOUNTED], None),  # an amount off an invoice that has usage too
        (coupon(percent_off=Decimal("20"), duration="once"), [DISCOUNTED], "14850.00 EUR"),
        (coupon(percent_off=Decimal("20"), duration="repeating"), [DISCOUNTED], None),
        (coupon(percent_off=Decimal("20")), [put(f"{S}.discounts", [discount(end=1_900_000_000)])], None),
        (coupon(), [DISCOUNTED], None),
        (coupon(percent_off=Decimal("20"), applies_to={"products": ["prod_Platform"]}), [DISCOUNTED], "11880.00 EUR"),
        (coupon(percent_off=Decimal("20"), applies_to={"products": ["prod_Other"]}), [DISCOUNTED], "14850.00 EUR"),
        (None, [DISCOUNTED], None),
        (None, [put(f"{S}.discounts", ["di_1"])], None),
        (None, [put(f"{ITEM}.price.billing_scheme", "tiered")], None),
        (None, [put(f"{ITEM}.price.transform_quantity", {"divide_by": 10})], None),
        (None, [put(f"{ITEM}.quantity", None)], None),
        (None, [put(f"{ITEM}.price.tax_behavior", "inclusive")], None),
        (
            None,
            [
                put(f"{ITEM}.price.tax_behavior", "inclusive"),
                put(f"{ITEM}.tax_rates", [{"id": "txr", "inclusive": True, "percentage": Decimal("25.0")}]),
            ],
            "11880.00 EUR",
        ),
        (
            None,
            [put(f"{S}.default_tax_rates", [{"id": "txr", "inclusive": False, "percentage": Decimal(19)}])],
            "14850.00 EUR",
        ),
        (None, [put(ITEMS, [])], None),
    ],
)
def test_the_yearly_amount_says_its_basis_or_is_not_known(of: Coupon | None, changes: Sequence[Any], amount: str | None) -> None:
    found, basis = costs(*changes, of=of)
    assert found == amount
    assert basis
    assert (amount is None) == basis[0].startswith("not known: ")


def test_usage_is_not_nothing() -> None:
    def only_usage(body: Any) -> None:
        del body["data"]["object"]["items"]["data"][0]

    fact = said("stripe", SUB, only_usage)
    assert "annual_amount" not in fact.fields
    assert (fact.fields["quantity"], fact.fields["usage_based"]) == (None, True)


# -- when its terms changed -------------------------------------------------------------------------------------------------

SEATS = {"id": "si_1", "price": {"id": "price_1"}, "quantity": 5, "discounts": [], "current_period_start": 200}
NOW = {"items": {"data": [SEATS]}, "quantity": 5, "discounts": []}


def before(**item: Any) -> dict[str, Any]:
    return {"items": {"data": [{**SEATS, **item}]}}


@pytest.mark.parametrize(
    ("previous", "changed"),
    [
        (before(current_period_start=100), False),  # a period rolled over
        ({"items": {"data": [{"id": "si_1", "current_period_start": 100}]}}, False),
        ({"latest_invoice": "in_1", "metadata": {}}, False),
        (before(id="si_0", current_period_start=100), False),  # replaced by one of the same price and number
        (before(quantity=4), True),
        (before(price={"id": "price_0"}), True),
        (before(id="si_0", price={"id": "price_0"}), True),  # the next phase of a schedule
        (before(discounts=["di_1"]), True),
        ({"items": {"data": []}}, True),
        ({"items": {"data": [SEATS, {**SEATS, "id": "si_2"}]}}, True),
        ({"quantity": 4}, True),
        ({"discounts": ["di_1"]}, True),
        ({"discount": None}, False),
    ],
)
def test_only_a_change_of_terms_is_an_amendment(previous: Mapping[str, Any], changed: bool) -> None:
    assert terms_changed(NOW, previous) is changed


def test_a_pending_update_that_is_applied_is_an_amendment() -> None:
    fact = said("stripe", SUB, put("type", "customer.subscription.pending_update_applied"))
    assert fact.fields["changed_at"] == fact.effective_at


# -- the coupon behind a discount -------------------------------------------------------------------------------------------


class Answers:
    """The vendor, by path: what it answers, and what it was asked."""

    def __init__(self, answers: Mapping[str, object]) -> None:
        self.answers, self.asked = answers, list[tuple[str, list[tuple[str, str]]]]()

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        content: bytes | None = None,
        safe: bool | None = None,
    ) -> Response:
        assert (method, content) == ("GET", None)
        assert not isinstance(params, Mapping)
        self.asked.append((path, list(params or ())))
        body = self.answers.get(path)
        if body is None:
            return Reply(403, {}, b'{"error": {"type": "invalid_request_error", "message": "rak_coupon_read is missing"}}', True)
        return Reply(200, {"date": "Sun, 29 Nov 2026 12:00:00 GMT"}, strict_json.dump(body), True)

    def remembered(self, _name: str) -> str | None:
        return None

    def remember(self, _name: str, _value: str, _seconds: int) -> None: ...

    def forget(self, _name: str) -> None: ...


@pytest.mark.parametrize("allowed", [True, False])
def test_a_discounted_subscription_is_read_with_its_coupon(allowed: bool) -> None:
    connector, config, incoming, body = recording("stripe", SUB)
    found = copy.deepcopy(body["data"]["object"])
    found["discounts"] = [discount()]
    off = {"id": "co_1", "duration": "forever", "percent_off": Decimal("20.0"), "amount_off": None, "applies_to": None}
    vendor = Answers({f"/v1/subscriptions/{found['id']}": found, **({"/v1/coupons/co_1": off} if allowed else {})})
    item = stripe_read.read(vendor, config, "subscription", found["id"])
    assert item is not None
    assert vendor.asked[1:] == [
        (f"/v1/subscriptions/{found['id']}", [("expand[]", "discounts"), ("expand[]", "items.data.discounts")]),
        ("/v1/coupons/co_1", [("expand[]", "applies_to")]),
    ]
    (fact,) = connector.translate(Incoming("read", item.body, {}, incoming.received_at, "subscription"), config)
    amount = getattr(fact, "fields", {}).get("annual_amount")
    assert amount == (Money(Decimal("11880.00"), "EUR") if allowed else None)
