"""What the company sells, where, and in which currency. Amounts are whole minor units of the currency. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from demo.rehearsal.ids import seeded, stripe_id


@dataclass(frozen=True, slots=True)
class Entity:
    """A legal entity: a NetSuite subsidiary that sells in its own currency. `places`: decimals of the currency."""

    code: str
    subsidiary: int
    name: str
    currency: str
    currency_id: int
    places: int
    country: str
    taxes: tuple[Decimal, ...]
    """Rates that its customers may have, as fractions."""
    share: int
    """How many of ten customers are its own."""


_US_TAXES = (Decimal(0), Decimal(0), Decimal("0.0625"), Decimal("0.08875"))
US = Entity("US", 1, "Meridian Inc", "USD", 1, 2, "US", _US_TAXES, share=5)
DE = Entity("DE", 2, "Meridian GmbH", "EUR", 2, 2, "DE", (Decimal("0.19"),), share=3)
JP = Entity("JP", 3, "Meridian KK", "JPY", 3, 0, "JP", (Decimal("0.10"),), share=2)
ENTITIES = (US, DE, JP)


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often a subscription is billed. `interval` and `count` in Stripe's words."""

    name: str
    months: int
    interval: str
    count: int


YEARLY = Rhythm("annual", 12, "year", 1)
QUARTERLY = Rhythm("quarterly", 3, "month", 3)
MONTHLY = Rhythm("monthly", 1, "month", 1)
RHYTHMS = (YEARLY, QUARTERLY, MONTHLY)


@dataclass(frozen=True, slots=True)
class Plan:
    """A licensed plan; `monthly` is the list price of one seat a month, by currency, in minor units."""

    code: str
    label: str
    monthly: dict[str, int]
    item: int
    """NetSuite item id."""


PLANS = (
    Plan("core", "Meridian Core", {"USD": 4500, "EUR": 4200, "JPY": 6800}, 101),
    Plan("growth", "Meridian Growth", {"USD": 8900, "EUR": 8400, "JPY": 13500}, 102),
    Plan("scale", "Meridian Scale", {"USD": 14900, "EUR": 13900, "JPY": 22800}, 103),
)
USAGE_ITEM = 110
SERVICE_ITEM = 120
ADJUSTMENT_ITEM = 9001
TAX_ITEM = 190
USAGE_UNIT = {"USD": Decimal("0.4"), "EUR": Decimal("0.38"), "JPY": Decimal("0.6")}
"""Price of one metered call in minor units."""
METER_EVENT = "platform_calls"


@dataclass(frozen=True, slots=True)
class Price:
    """A Stripe price of the catalogue. `unit` in minor units (a decimal for usage)."""

    id: str
    product: str
    currency: str
    rhythm: Rhythm
    unit: Decimal
    metered: bool
    nickname: str
    netsuite_item: int


def _fixed(prefix: str, name: str) -> str:
    """Catalogue ids are the same in every rehearsal company."""
    return stripe_id(seeded("catalogue", name), prefix)


METER_ID = _fixed("mtr", METER_EVENT)
PRODUCTS = {plan.code: _fixed("prod", plan.code) for plan in PLANS} | {"usage": _fixed("prod", "usage")}
PRODUCT_NAMES = {plan.code: plan.label for plan in PLANS} | {"usage": "Meridian platform calls"}


def unit_price(plan: Plan, rhythm: Rhythm, currency: str) -> int:
    """One seat for one billing period: yearly terms are a tenth cheaper, quarterly ones a twentieth; whole minor units."""
    rate = {12: Decimal("0.9"), 3: Decimal("0.95")}.get(rhythm.months, Decimal(1))
    return int((plan.monthly[currency] * rhythm.months * rate).to_integral_value())


def _prices() -> dict[tuple[str, str, str], Price]:
    found: dict[tuple[str, str, str], Price] = {}
    for entity in ENTITIES:
        currency = entity.currency
        for rhythm in RHYTHMS:
            for plan in PLANS:
                name = f"{plan.label}, {rhythm.name}"
                key = (plan.code, rhythm.name, currency)
                unit = Decimal(unit_price(plan, rhythm, currency))
                found[key] = Price(
                    _fixed("price", "/".join(key)), PRODUCTS[plan.code], currency, rhythm, unit, False, name, plan.item
                )
            key = ("usage", rhythm.name, currency)
            found[key] = Price(
                _fixed("price", "/".join(key)), PRODUCTS["usage"], currency, rhythm, USAGE_UNIT[currency], True,
                f"Platform calls, {rhythm.name}", USAGE_ITEM,
            )  # fmt: skip
    return found


PRICES = _prices()
"""(plan code or `usage`, rhythm name, currency) to price."""
