"""Stripe's subscriptions as facts, and which updates of them change their terms. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from revops.ledger.facts import Fact
from revops.ledger.unread import NOT_IN_EVENT, Unread
from sync.connectors.stripe.envelope import Envelope, contract_number, fact_of, maybe_moment, moment
from sync.connectors.stripe.models import PAUSED_COLLECTION, SUBSCRIPTION_STATUS, Subscription, SubscriptionItem
from sync.connectors.stripe.recurring import Yearly, is_metered, reference, yearly
from sync.vendor.contract import Config, Reread
from sync.vendor.fields import our_word
from sync.vendor.objects import understood
from sync.vendor.references import own
from sync.vendor.values import Stated
from sync.vendor.values import or_none as readable


def subscription(body: Mapping[str, object], envelope: Envelope, config: Config) -> Fact | Reread:
    found = understood(Subscription, body, "Stripe subscription")
    if readable(lambda: found.items.has_more):
        return Reread("subscription", found.id)
    said = Stated()
    vendors = readable(lambda: our_word(found.status, SUBSCRIPTION_STATUS, "Stripe subscription.status"))
    said.read({
        "status": lambda: _status(found),
        "started_on": lambda: envelope.day(found.start_date),
        "period_start_at": lambda: moment(min(starts)) if (starts := _ends_of(found, "current_period_start")) else None,
        "period_end_at": lambda: _period_end(found),
        "cancel_at_period_end": lambda: found.cancel_at_period_end,
        "set_to_end": lambda: found.cancel_at_period_end or found.cancel_at is not None,
        "ends_at": lambda: _ends_at(found),
        "quantity": lambda: _licensed_quantity(found.items.data),
        "usage_based": lambda: any(is_metered(item) for item in found.items.data),
        "items": lambda: tuple(sorted(_item_label(item) for item in found.items.data)),
    })  # fmt: skip
    if (paused := readable(lambda: found.pause_collection)) is not None:
        said.read({
            "collection": lambda: our_word(paused.behavior, PAUSED_COLLECTION, "Stripe subscription.pause_collection.behavior"),
            "resumes_at": lambda: maybe_moment(paused.resumes_at),
        })  # fmt: skip
    cost = said.value("annual_amount", lambda: yearly(found, envelope.coupons))
    if cost is not None:
        _say_yearly(said, cost, envelope)
    changed_at = said.value("changed_at", lambda: _changed_at(found, envelope))
    if changed_at is not None:
        said.fields["changed_at"] = changed_at
    said.point({
        "customer": lambda: own(config, "customer", reference(found.customer)),
        "contract": lambda: contract_number(found.metadata, config, "Stripe subscription"),
    })  # fmt: skip
    # A cancelled subscription is ended, not erased: it still stands in the ledger. Its rank is that of the vendor's own word.
    kept = replace(envelope, deleted=False)
    return fact_of(found.id, kept, said, kind="subscription", status=vendors or "")


COLLECTED = frozenset({"active", "trialing", "past_due"})
"""The statuses in which invoices are collected, unless the collection is paused: that leaves the status as it is."""


def _status(found: Subscription) -> str:
    status = our_word(found.status, SUBSCRIPTION_STATUS, "Stripe subscription.status")
    return "paused" if status in COLLECTED and found.pause_collection is not None else status


def _ends_of(found: Subscription, name: str) -> list[int]:
    """One end of the periods of all items."""
    return [seconds for item in found.items.data if (seconds := getattr(item, name))]


def _period_end(found: Subscription) -> dt.datetime | None:
    ends = _ends_of(found, "current_period_end")
    return moment(max(ends)) if ends else None


def _ends_at(found: Subscription) -> dt.datetime | None:
    """When it ended, or will: a cancellation in the customer portal sets `cancel_at` alone where the billing mode is flexible."""
    seconds = found.ended_at or found.cancel_at
    return moment(seconds) if seconds else _period_end(found) if found.cancel_at_period_end else None


def _say_yearly(said: Stated, cost: Yearly, envelope: Envelope) -> None:
    """A discount that an event only names is read with the object."""
    said.fields["annual_basis"] = cost.basis
    if cost.amount is not None:
        said.fields["annual_amount"] = cost.amount
    elif cost.unsaid and not envelope.is_read:
        said.unread["annual_amount"] = Unread(", ".join(cost.unsaid)[:200], NOT_IN_EVENT)


def _changed_at(found: Subscription, envelope: Envelope) -> dt.datetime | None:
    """When the terms last changed. Only an event that changed them tells; a read knows the items' own age."""
    if envelope.is_creation or envelope.changed:
        return envelope.at
    if not envelope.is_read:
        return None
    return moment(max([found.created, *(item.created for item in found.items.data if item.created)]))


def terms_changed(now: Mapping[str, object], before: Mapping[str, object]) -> bool:
    """Whether an update changed what a subscription costs: price, quantity, discounts, items added or removed. `before` are the
    values that the event says it replaced, lists as a whole. A period that rolls over is listed under the items too, with
    nothing changed but its two ends."""
    if any(name in before and before[name] != now.get(name) for name in ("quantity", "plan")):
        return True
    if any(name in before and _discounts(before[name]) != _discounts(now.get(name)) for name in ("discounts", "discount")):
        return True
    return "items" in before and _terms(before["items"], now.get("items")) != _terms(now.get("items"), None)


def _terms(items: object, beside: object) -> list[tuple[str, str, tuple[str, ...]]]:
    """Price, quantity and discounts of each item, whatever its id. What an item leaves out stands in its namesake in `beside`."""
    known = {str(row.get("id")): row for row in _rows(beside)}
    whole_rows = [{**known.get(str(row.get("id")), {}), **row} for row in _rows(items)]
    return sorted((_id_of(row.get("price")), str(row.get("quantity")), _discounts(row.get("discounts"))) for row in whole_rows)


def _rows(items: object) -> list[Mapping[str, object]]:
    data = items.get("data") if isinstance(items, Mapping) else None
    return [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []


def _id_of(found: object) -> str:
    return str(found.get("id") if isinstance(found, Mapping) else found)


def _discounts(found: object) -> tuple[str, ...]:
    """The ids of discounts, which come as one, as a list, or not at all."""
    listed = found if isinstance(found, list) else [found] if found else []
    return tuple(_id_of(each) for each in listed)


def _licensed_quantity(items: Sequence[SubscriptionItem]) -> Decimal | None:
    """How many are licensed; None where all of it is usage."""
    licensed = [item for item in items if not is_metered(item)]
    return Decimal(sum(_quantity(item) for item in licensed)) if licensed else None


def _quantity(item: SubscriptionItem) -> int:
    return item.quantity or 0


def _item_label(item: SubscriptionItem) -> str:
    return f"{item.price.id} by usage" if is_metered(item) else f"{item.price.id} x {_quantity(item)}"
