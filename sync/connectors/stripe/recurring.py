"""What a Stripe subscription costs a year, and what that rests on. Pure.

Price times quantity of the licensed items, without tax, less the discounts that last. Usage is not known ahead. A figure that
would need a guess is not given: `Yearly.basis` says why.

Sources: Stripe's pages on coupons and discounts (a coupon lasts for ever, for some months, or for one invoice; `amount_off` comes
off each invoice once; several discounts apply one after the other), and on tax behaviour (an inclusive price contains the tax;
with tax rates of one's own the rate says whether it is inclusive).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from revops.money import Money
from sync.connectors.stripe.minor_units import exponent
from sync.connectors.stripe.models import (
    COUPON_DURATION,
    IS_METERED,
    PERIODS_A_YEAR,
    Coupon,
    Discounted,
    Expanded,
    Price,
    Recurring,
    Reference,
    Subscription,
    SubscriptionItem,
    TaxRate,
)
from sync.vendor import fields as payload
from sync.vendor.fields import our_word
from sync.vendor.objects import needed

_PRICE = "Stripe subscription.items.price"


@dataclass(frozen=True, slots=True)
class Yearly:
    """`amount` is None where it is not known; `basis` says how it was reckoned or why it is not known. `unsaid`: the ids of the
    discounts that were named without being said."""

    amount: Money | None
    basis: tuple[str, ...]
    unsaid: tuple[str, ...] = ()


class _NotKnown(Exception):
    """`why`, in a few words; `unsaid` as in `Yearly`."""

    def __init__(self, why: str, unsaid: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.why = why
        self.unsaid = unsaid


def reference(found: Reference | None) -> str | None:
    """An id, whether Stripe sent it plain or expanded into the object."""
    return found.id if isinstance(found, Expanded) else found or None


def is_metered(item: SubscriptionItem) -> bool:
    recurring = item.price.recurring
    return recurring is not None and our_word(recurring.usage_type, IS_METERED, f"{_PRICE}.recurring.usage_type")


def yearly(found: Subscription, coupons: Mapping[str, Coupon]) -> Yearly:
    """`coupons`: by id, those that were read beside it. Raises `Misunderstood` for words, prices and amounts that cannot be."""
    items = found.items.data
    licensed = [item for item in items if not is_metered(item)]
    basis = ["price times quantity"]
    try:
        if not licensed:
            raise _NotKnown("all of it is usage" if items else "it has no items")
        amounts = [_of_item(item, found, coupons, basis) for item in licensed]
        amount = _less_discounts(amounts, licensed, found, coupons, basis, with_usage=len(licensed) < len(items))
    except _NotKnown as not_known:
        return Yearly(None, (f"not known: {not_known.why}",), not_known.unsaid)
    if len(licensed) < len(items):
        basis.append("without usage")
    currency = found.currency.upper()
    major = amount.scaleb(-exponent(currency))
    return Yearly(payload.rounded_money(major, currency, "Stripe subscription.items"), tuple(dict.fromkeys(basis)))


def _of_item(item: SubscriptionItem, found: Subscription, coupons: Mapping[str, Coupon], basis: list[str]) -> Decimal:
    """What one licensed item costs a year, in minor units, without tax and less its own discounts."""
    unit = _unit_amount(item.price)
    if item.quantity is None:
        raise _NotKnown("an item states no quantity")
    amount = unit * item.quantity * periods_a_year(item)
    for coupon in _lasting(item.discounts or [], coupons, basis):
        if _products(coupon):
            raise _NotKnown("a discount is for some products only")
        amount = _less(amount, coupon, periods_a_year(item), basis)
    contained = _contained(item, found)
    if contained:
        basis.append(f"without the {contained.normalize():f} % tax that the price contains")
    return amount / (1 + contained / 100)


def periods_a_year(item: SubscriptionItem) -> Decimal:
    recurring: Recurring = needed(item.price.recurring, f"{_PRICE}.recurring", "an object")
    return our_word(recurring.interval, PERIODS_A_YEAR, f"{_PRICE}.recurring.interval") / recurring.interval_count


def _unit_amount(price: Price) -> Decimal:
    if price.billing_scheme == "tiered":
        raise _NotKnown("a price has tiers")
    if price.transform_quantity is not None:
        raise _NotKnown("a price is for packages")
    stated = payload.decimal_text(price.unit_amount_decimal) if price.unit_amount_decimal else price.unit_amount
    if stated is None:
        raise _NotKnown("a price states no amount")
    return Decimal(stated)


def _contained(item: SubscriptionItem, found: Subscription) -> Decimal:
    """The tax that an item's price contains, in per cent: a rate that is inclusive is in it, and so is every rate of a price that
    says so."""
    rates: Sequence[TaxRate] = item.tax_rates or found.default_tax_rates or []
    inclusive = item.price.tax_behavior == "inclusive"
    if inclusive and not rates:
        raise _NotKnown("a price contains tax at a rate that is not stated")
    return sum((rate.percentage for rate in rates if rate.inclusive or inclusive), Decimal(0))


def _less_discounts(
    amounts: Sequence[Decimal],
    items: Sequence[SubscriptionItem],
    found: Subscription,
    coupons: Mapping[str, Coupon],
    basis: list[str],
    *,
    with_usage: bool,
) -> Decimal:
    """All items together less the discounts of the whole subscription, in their order."""
    left = list(amounts)
    for coupon in _lasting(found.discounts or [], coupons, basis):
        products = _products(coupon)
        if coupon.amount_off is None:
            reached = [not products or reference(item.price.product) in products for item in items]
            left = [_less(a, coupon, Decimal(1), basis) if it else a for a, it in zip(left, reached, strict=True)]
            continue
        periods = {periods_a_year(item) for item in items}
        if with_usage or products or len(periods) != 1:
            raise _NotKnown("an amount comes off an invoice of which not all is known")
        if any(_contained(item, found) for item in items):
            raise _NotKnown("an amount with tax comes off")
        left = [_less(sum(left, Decimal(0)), coupon, periods.pop(), basis)]
    return sum(left, Decimal(0))


def _less(amount: Decimal, coupon: Coupon, periods: Decimal, basis: list[str]) -> Decimal:
    """An amount of a year less a discount; no invoice falls below zero by one."""
    if coupon.percent_off is not None:
        basis.append(f"less {Decimal(coupon.percent_off).normalize():f} % for ever")
        return amount * (1 - Decimal(coupon.percent_off) / 100)
    if coupon.amount_off is None:
        raise _NotKnown("a discount states neither share nor amount")
    basis.append("less an amount of each invoice for ever")
    return max(Decimal(0), amount - coupon.amount_off * periods)


def _lasting(discounts: Sequence[Discounted], coupons: Mapping[str, Coupon], basis: list[str]) -> list[Coupon]:
    """The coupons that lower every invoice. One that applies once does not recur; one that ends leaves no yearly amount."""
    found = []
    for discount in discounts:
        if isinstance(discount, str):
            raise _NotKnown("a discount is named and not stated", (discount,))
        coupon = coupons.get(reference(discount.source.coupon) or "")
        if coupon is None:
            raise _NotKnown("the coupon of a discount could not be read")
        duration = our_word(coupon.duration, COUPON_DURATION, "Stripe coupon.duration")
        if duration == "repeating" or (duration == "forever" and discount.end is not None):
            raise _NotKnown("a discount ends")
        if duration == "once":
            basis.append("before a discount on one invoice")
        else:
            found.append(coupon)
    return found


def _products(coupon: Coupon) -> frozenset[str]:
    """The products to which alone a coupon applies; none for all."""
    products = (coupon.applies_to or {}).get("products")
    return frozenset(str(each) for each in products) if isinstance(products, list) else frozenset()
