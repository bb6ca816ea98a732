"""Facts: what one system says about one object, in our words. Pure.

A connector translates a vendor's payload into `Fact`s; the ledger stores them. `SHAPES` is the canonical vocabulary: for each
object type, the fields it may carry with their kind, and the roles under which it may point to other objects. A fact that
does not fit its shape raises `Rejected`, which the inbox turns into a dead letter: nothing half-understood enters the ledger.

Kinds: `money` (Money), `date` (datetime.date, a plain calendar day), `instant` (aware datetime, UTC), `text`, `flag` (bool),
`count` (int), `texts` (tuple of str), `decimal` (Decimal; rates and quantities). Every field may be None: the system says
"empty". A field that is absent was not spoken of.

Roles in `refs` hold external ids: `customer`, `subscription`, `invoice` are ids in the same connection; `crm_account` is a
Salesforce account id (18 characters), `contract_number` a Salesforce contract number, `opportunity` a Salesforce opportunity
id, `billing_invoice` / `billing_subscription` / `billing_payment` / `billing_credit_memo` a billing system's id, `change` the
key of a posting of ours.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from revops.errors import Rejected
from revops.money import Money

Value = Money | dt.date | dt.datetime | str | bool | int | Decimal | tuple[str, ...] | None
Kind = Literal["money", "date", "instant", "text", "flag", "count", "texts", "decimal"]


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields and roles one object type may carry."""

    label: str
    fields: Mapping[str, Kind]
    roles: frozenset[str] = frozenset()


def _shape(label: str, roles: str = "", **fields: Kind) -> Shape:
    return Shape(label, MappingProxyType(fields), frozenset(roles.split()))


SHAPES: Mapping[str, Shape] = MappingProxyType(
    {
        "customer": _shape(
            "Customer",
            "crm_account",
            name="text",
            currency="text",
            legal_entity="text",
            status="text",
            arr="money",
            renewal_on="date",
            stage="text",
            balance="money",
            delinquent="flag",
            owner_name="text",
        ),
        "contract": _shape(
            "Contract",
            "customer",
            number="text",
            status="text",
            start_on="date",
            end_on="date",
            term_months="count",
            activated_at="instant",
            currency="text",
        ),
        "opportunity": _shape(
            "Opportunity",
            "customer contract",
            name="text",
            kind="text",
            stage="text",
            is_closed="flag",
            is_won="flag",
            amount="money",
            close_on="date",
        ),
        "renewal": _shape(
            "Renewal",
            "customer opportunity change",
            name="text",
            stage="text",
            is_closed="flag",
            held="flag",
            hold_reason="text",
            started_on="date",
            close_on="date",
            target_amount="money",
            forecast_amount="money",
        ),
        "subscription": _shape(
            "Subscription",
            "customer contract_number billing_subscription",
            status="text",
            started_on="date",
            period_start_at="instant",
            period_end_at="instant",
            cancel_at_period_end="flag",
            annual_amount="money",
            quantity="decimal",
            usage_based="flag",
            items="texts",
            changed_at="instant",
        ),
        "proration": _shape(
            "Pending proration",
            "customer subscription invoice",
            amount="money",
            description="text",
            period_start_at="instant",
            period_end_at="instant",
            is_proration="flag",
        ),
        "invoice": _shape(
            "Invoice",
            "customer subscription contract_number billing_invoice",
            number="text",
            status="text",
            total="money",
            amount_due="money",
            amount_paid="money",
            amount_remaining="money",
            credited="money",
            issued_on="date",
            due_on="date",
            finalized_at="instant",
            billing_reason="text",
            posting_period="text",
            proration_items="texts",
            memo="text",
        ),
        "credit_memo": _shape(
            "Credit memo",
            "customer invoice billing_credit_memo change",
            number="text",
            status="text",
            total="money",
            applied="money",
            unapplied="money",
            issued_on="date",
            reason="text",
            posting_period="text",
            memo="text",
        ),
        "payment": _shape(
            "Payment",
            "customer invoice billing_payment",
            number="text",
            status="text",
            amount="money",
            paid_on="date",
        ),
        "call_to_action": _shape(
            "Call to action",
            "customer",
            name="text",
            status="text",
            is_closed="flag",
            priority="text",
            kind="text",
            due_on="date",
        ),
        "accounting_period": _shape(
            "Accounting period",
            "",
            name="text",
            start_on="date",
            end_on="date",
            ar_locked="flag",
            all_locked="flag",
            closed="flag",
        ),
        "legal_entity": _shape("Legal entity", "", name="text", currency="text", code="text"),
        "exchange_rate": _shape(
            "Exchange rate",
            "",
            currency="text",
            base_currency="text",
            rate="decimal",
            on="date",
            kind="text",
        ),
    }
)
"""Statuses are ours, not the vendor's: invoice `draft open paid void uncollectible pending_approval rejected`; credit memo
`open applied void`; subscription `trialing active past_due paused unpaid incomplete canceled ended pending`; contract `draft
in_approval activated`; payment `pending paid failed canceled`; renewal stage `not_started in_progress on_hold won lost`."""


def _storable(text: str) -> bool:
    """What a text column can keep: no NUL, no half of a surrogate pair."""
    if "\x00" in text:
        return False
    return text.isascii() or not any(0xD800 <= ord(character) <= 0xDFFF for character in text)


_FITS: Mapping[Kind, Callable[[Value], bool]] = MappingProxyType(
    {
        "money": lambda value: isinstance(value, Money),
        "date": lambda value: isinstance(value, dt.date) and not isinstance(value, dt.datetime),
        "instant": lambda value: isinstance(value, dt.datetime) and value.tzinfo is not None,
        "text": lambda value: isinstance(value, str) and len(value) <= 4000 and _storable(value),
        "flag": lambda value: isinstance(value, bool),
        "count": lambda value: isinstance(value, int) and not isinstance(value, bool),
        "texts": lambda value: isinstance(value, tuple) and all(isinstance(item, str) and _storable(item) for item in value),
        "decimal": lambda value: isinstance(value, Decimal) and value.is_finite(),
    }
)


SETTLED = "~"
"""Ends the vendor's part of a version. Sorts behind every character that vendors' stamps are written with."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What one connection says about one object at one version.

    `version` orders the versions of one object by plain string comparison: connectors make it from the vendor's own stamp,
    never from our clock alone. `effective_at` (aware UTC) is since when it has been true. `deleted` is a tombstone: the
    object no longer exists there, or was voided out of existence. Raises `Rejected("fact_shape")` on anything off its shape.
    """

    object_type: str
    external_id: str
    version: str
    effective_at: dt.datetime
    fields: Mapping[str, Value]
    refs: Mapping[str, str] = field(default_factory=dict)
    deleted: bool = False

    def __post_init__(self) -> None:
        shape = SHAPES.get(self.object_type)
        if shape is None:
            raise Rejected("fact_shape", f"There is no object type {self.object_type!r}.")
        if not self.external_id or len(self.external_id) > 200 or "\x00" in self.external_id:
            raise Rejected("fact_shape", f"A {self.object_type} needs an id of 1 to 200 characters.")
        if not self.version or len(self.version) > 100:
            raise Rejected("fact_shape", f"{self.object_type} {self.external_id} has no version.")
        if self.effective_at.tzinfo is None or not 1990 <= self.effective_at.year <= 2200:
            raise Rejected("fact_shape", f"{self.object_type} {self.external_id} has no believable time.")
        for name, value in self.fields.items():
            _check(self.object_type, name, shape.fields.get(name), value)
        unknown = set(self.refs) - shape.roles
        if unknown:
            raise Rejected("fact_shape", f"{self.object_type} has no role {', '.join(sorted(unknown))}.")
        for role, target in self.refs.items():
            if not target or len(target) > 200 or "\x00" in target:
                raise Rejected("fact_shape", f"{self.object_type}.{role} points to an unreadable id.")

    def settled(self, read_at: dt.datetime) -> Fact:
        """This fact with a version above every statement under the vendor's stamp, and below the vendor's next stamp.

        For an object that was read again because two statements under one stamp differ; of two such reads, the later one wins.
        """
        return replace(self, version=f"{self.version}{SETTLED}{int(read_at.timestamp() * 1000):014d}")

    def content(self) -> dict[str, object]:
        """The JSON form of what is said, without version and time: equal content means nothing changed."""
        return {
            "fields": {name: encode(value) for name, value in sorted(self.fields.items())},
            "refs": dict(sorted(self.refs.items())),
            "deleted": self.deleted,
        }

    def digest(self) -> str:
        """SHA-256 (hex) over the canonical JSON of `content()`."""
        return content_digest(self.content())


def content_digest(content: Mapping[str, object]) -> str:
    """SHA-256 (hex) of canonical JSON: sorted keys, no spaces, UTF-8."""
    return hashlib.sha256(_CANONICAL.encode(content).encode()).hexdigest()


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _check(object_type: str, name: str, kind: Kind | None, value: Value) -> None:
    if kind is None:
        raise Rejected("fact_shape", f"{object_type} has no field {name}.")
    if value is not None and not _FITS[kind](value):
        raise Rejected("fact_shape", f"{object_type}.{name} is not a valid {kind}.")


def encode(value: Value) -> object:
    """A field value as JSON. Money keeps its string amount; instants are ISO 8601 with Z; decimals are text."""
    if isinstance(value, Money):
        return value.as_json()
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    if isinstance(value, tuple):
        return list(value)
    return value


def decode(object_type: str, name: str, stored: object) -> Value:
    """Back from JSON by the shape's kind. Raises `Rejected("fact_shape")` for a field that the shape does not know."""
    kind = SHAPES[object_type].fields.get(name)
    if kind is None:
        raise Rejected("fact_shape", f"{object_type} has no field {name}.")
    if stored is None:
        return None
    if kind == "money":
        return Money.from_json(stored)
    if kind == "instant":
        return dt.datetime.fromisoformat(str(stored))
    if kind == "date":
        return dt.date.fromisoformat(str(stored))
    if kind == "decimal":
        return Decimal(str(stored))
    if kind == "texts":
        assert isinstance(stored, list)
        return tuple(str(item) for item in stored)
    assert isinstance(stored, (str, bool, int))
    return stored
