"""Subscriptions and their items: periods live on the items, history lives in the events, changes are prorated."""

from __future__ import annotations

import calendar
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from demo.simulators.stripe.account import CURSOR, PAGING, new_id
from demo.simulators.stripe.invoiceitems import subscription_parent
from demo.simulators.stripe.invoices import COLLECTION_METHODS, Invoices, lines_of, subscription_line
from demo.simulators.stripe.parameters import Invalid, Params, Refused
from demo.simulators.vendor import Halt, Json, Request, Response, route

PRORATIONS = ("create_prorations", "always_invoice", "none")
STATUSES = ("active", "all", "canceled", "ended", "incomplete", "incomplete_expired", "past_due", "paused", "trialing",
            "unpaid")  # fmt: skip


@dataclass
class ItemChange:
    """One item before and after an update; None on either side: added or removed."""

    before: Json | None
    after: Json | None


class Subscriptions(Invoices):
    """`/v1/subscriptions`, `/v1/subscription_items`, `/v1/invoices/create_preview`."""

    @route("GET", "/v1/subscriptions")
    def list_subscriptions(self, request: Request) -> Response:
        """Without `status` the cancelled ones are left out; `status=all` has everything."""
        params = self.params(request).only(*PAGING, "status", "customer", "collection_method")
        status = params.one_of("status", STATUSES, "") if "status" in params else ""
        where = {
            "": "status NOT IN ('canceled', 'incomplete_expired')",
            "all": "1",
            "ended": "status IN ('canceled', 'incomplete_expired')",
        }.get(status, f"status = '{status}'")
        return self.filtered("subscriptions", params, "customer", "collection_method", where=where)

    @route("POST", "/v1/subscriptions")
    def create_subscription(self, request: Request) -> Response:
        """The first invoice comes at once: a draft for send_invoice, open for charge_automatically."""
        names = ("customer", "items", "collection_method", "days_until_due", "metadata", "payment_behavior")
        params = self.params(request).only(*names, "description", "cancel_at_period_end", "proration_behavior")
        customer = self.find("customers", params.required("customer"), "customer")
        method = params.one_of("collection_method", COLLECTION_METHODS, "charge_automatically")
        if method == "send_invoice" and params.integer("days_until_due") is None:
            raise Invalid("send_invoice needs days_until_due.", "days_until_due", "parameter_missing")
        if not params.rows("items"):
            raise Invalid("Missing required param: items.", "items", "parameter_missing")
        now = self.now()
        subscription = self.new(
            "sub", "subscription", customer=customer["id"], billing_cycle_anchor=now, start_date=now,
            billing_mode={"type": "flexible", "flexible": {}}, billing_schedules=[], cancel_at=None,
            cancel_at_period_end=params.flag("cancel_at_period_end"), canceled_at=None, ended_at=None,
            cancellation_details={"comment": None, "feedback": None, "reason": None}, collection_method=method,
            days_until_due=params.integer("days_until_due"), default_tax_rates=[], discounts=[],
            description=params.text("description"), latest_invoice=None, metadata=params.metadata(),
            pause_collection=None, pending_update=None, schedule=None, status_details=None, test_clock=None,
            trial_end=None, trial_start=None,
            status="active" if method == "send_invoice" else "incomplete",
        )  # fmt: skip
        items = [self._item(subscription["id"], row, now) for row in params.rows("items")]
        subscription |= {"items": {"object": "list", "data": items}, "currency": items[0]["price"]["currency"]}
        subscription = self.change("subscriptions", None, subscription)
        invoice = self.draft(customer, subscription["currency"], "subscription_create", subscription=subscription)
        invoice = self.with_items(invoice, [], self._period_lines(subscription, invoice["id"]))
        if method == "charge_automatically":
            invoice = self.finalize(invoice)
            subscription = self.find("subscriptions", subscription["id"])
        subscription |= {"latest_invoice": invoice["id"]}
        return self.show(self.store.put("subscriptions", subscription), params)

    @route("POST", "/v1/subscriptions/{id}")
    def update_subscription(self, request: Request, id: str) -> Response:
        """Change items (with `items[n][id]`, else a second item appears), flags, metadata."""
        params = self.params(request).only(*_UPDATES)
        after = self._update(self.find("subscriptions", id), params, params.integer("proration_date"))
        return self.show(after, params)

    @route("DELETE", "/v1/subscriptions/{id}")
    def cancel_subscription(self, request: Request, id: str) -> Response:
        """At once, without credit; pending prorations go, open invoices of the customer stop collecting."""
        params = self.params(request).only("cancellation_details")
        before = self.find("subscriptions", id)
        if before["status"] == "canceled":
            raise Invalid(f"No such subscription: '{id}'", "id", "resource_missing", 404)
        for item in self.pending_items(before["customer"], id):
            if item["proration"]:
                self.change("invoiceitems", item, None)
        for invoice in self.store.select("invoices", "customer = ? AND status = 'open'", [before["customer"]]):
            if invoice.get("auto_advance"):
                self.change("invoices", invoice, invoice | {"auto_advance": False})
        ended = {"status": "canceled", "canceled_at": self.now(), "ended_at": self.now()}
        return self.show(self.change("subscriptions", before, before | ended), params)

    @route("GET", "/v1/subscription_items")
    def list_subscription_items(self, request: Request) -> Response:
        """`subscription` is required."""
        params = self.params(request).only(*CURSOR, "subscription")
        subscription = self.find("subscriptions", params.required("subscription"), "subscription")
        return self.inner_listing(items_of(subscription), params, "/v1/subscription_items")

    @route("POST", "/v1/invoices/create_preview")
    def preview_invoice(self, request: Request) -> Response:
        """The next invoice of a subscription, with `subscription_details[items]` as if updated. Nothing stays."""
        params = self.params(request).only("subscription", "subscription_details", "customer", "preview_mode")
        subscription = self.find("subscriptions", params.required("subscription"), "subscription")
        details = params.inner("subscription_details")
        behaviour = PRORATIONS[0]
        if details is not None:
            details.only("items", "proration_behavior", "proration_date", "cancel_at_period_end")
            behaviour = details.one_of("proration_behavior", PRORATIONS, PRORATIONS[0])
            held = Params({**details.values, "proration_behavior": "create_prorations"})
            subscription = self._update(subscription, held, details.integer("proration_date"))
        customer = self.find("customers", subscription["customer"], "customer")
        draft = self.draft(customer, subscription["currency"], "upcoming", subscription=subscription)
        draft["id"] = draft["id"].replace("in_", "upcoming_in_", 1)
        next_lines = [] if behaviour == "always_invoice" else self._period_lines(subscription, draft["id"], ahead=True)
        pending = [] if behaviour == "none" else self.pending_items(customer["id"], subscription["id"])
        raise Halt(self.show(self.with_items(draft, pending, next_lines), params))

    # -- updating -------------------------------------------------------------------------------------------------

    def _update(self, before: Json, params: Params, at: int | None) -> Json:
        if before["status"] == "canceled":
            raise Refused("A canceled subscription can only update its cancellation_details and metadata.")
        anchor = params.values.get("billing_cycle_anchor")
        if isinstance(anchor, str):
            raise Invalid("Invalid object: use billing_cycle_anchor[type].", "billing_cycle_anchor")
        after = before | {"metadata": params.metadata(before.get("metadata"))}
        if "cancel_at_period_end" in params:
            wanted = params.flag("cancel_at_period_end")
            after |= {"cancel_at_period_end": wanted, "canceled_at": self.now() if wanted else None}
        for name in ("cancel_at", "days_until_due"):
            if name in params:
                after[name] = params.integer(name)
        if "collection_method" in params:
            after["collection_method"] = params.one_of("collection_method", COLLECTION_METHODS, "send_invoice")
        if "pause_collection" in params:
            pause = params.inner("pause_collection")
            after["pause_collection"] = pause.values if pause else None
        at = at or self.now()
        items, changes, rebill = self._changed_items(before, params.rows("items"), at)
        after["items"] = {"object": "list", "data": items}
        behaviour = params.one_of("proration_behavior", PRORATIONS, PRORATIONS[0])
        after = self.change("subscriptions", before, after)
        if behaviour != "none":
            for change in changes:
                self._prorate(before, change, at)
        if changes and (behaviour == "always_invoice" or rebill):
            invoice = self._bill(after, "subscription_update", rebill)
            after = self.store.put("subscriptions", after | {"latest_invoice": invoice["id"]})
        return after

    def _changed_items(self, before: Json, rows: list[Params], at: int) -> tuple[list[Json], list[ItemChange], bool]:
        """New items, what changed, and whether an interval changed (which restarts the period and bills at once)."""
        items, changes, rebill = list(items_of(before)), [], False
        for row in rows:
            row.only("id", "price", "quantity", "deleted", "metadata", "clear_usage")
            id = row.text("id")
            if id is None:
                fresh = self._item(before["id"], row, at, end=max(item["current_period_end"] for item in items))
                items.append(fresh)
                changes.append(ItemChange(None, fresh))
                continue
            old = next((item for item in items if item["id"] == id), None)
            if old is None:
                raise Invalid(f"No such subscription item: '{id}'", "items[0][id]", "resource_missing")
            if row.flag("deleted"):
                items.remove(old)
                changes.append(ItemChange(old, None))
                continue
            new = self._altered(old, row, at)
            rebill = rebill or new["current_period_start"] != old["current_period_start"]
            items[items.index(old)] = new
            if (new["price"]["id"], new.get("quantity")) != (old["price"]["id"], old.get("quantity")):
                changes.append(ItemChange(old, new))
        return items, changes, rebill

    def _altered(self, old: Json, row: Params, at: int) -> Json:
        new = old | {"metadata": row.metadata(old.get("metadata"))}
        if price := row.text("price"):
            new["price"] = self.find("prices", price, "items[0][price]")
        if (quantity := row.integer("quantity")) is not None:
            new["quantity"] = quantity
        rhythm = ("interval", "interval_count")
        if any(new["price"]["recurring"][name] != old["price"]["recurring"][name] for name in rhythm):
            new |= {"current_period_start": at, "current_period_end": period_end(at, new["price"])}
        return new

    def _item(self, subscription: str, row: Params, start: int, end: int | None = None) -> Json:
        row.only("price", "quantity", "metadata")
        price = self.find("prices", row.required("price"), "items[0][price]")
        if not price.get("recurring"):
            raise Invalid("The price must be recurring.", "items[0][price]")
        metered = price["recurring"]["usage_type"] == "metered"
        quantity = row.integer("quantity")
        values: dict[str, Any] = {} if metered else {"quantity": 1 if quantity is None else quantity}
        return self.new(
            "si", "subscription_item", subscription=subscription, price=price, metadata=row.metadata(),
            current_period_start=start, current_period_end=end or period_end(start, price), billed_until=None,
            discounts=[], tax_rates=[], **values,
        )  # fmt: skip

    def _prorate(self, subscription: Json, change: ItemChange, at: int) -> None:
        """A negative item for unused time at the old price, a positive one for the remaining time at the new price."""
        old, new = change.before, change.after
        if old is not None:
            start, end = old["current_period_start"], old["current_period_end"]
            self._proration(subscription, old, -1, (at, end), (start, end))
        if new is not None and (old is None or new["current_period_start"] == old["current_period_start"]):
            period = new if old is None else old
            start, end = period["current_period_start"], period["current_period_end"]
            if old is None:
                start = end - (period_end(end, new["price"]) - end)
            self._proration(subscription, new, 1, (at, end), (start, end))

    def _proration(self, subscription: Json, item: Json, sign: int, rest: tuple[int, int], whole: tuple[int, int]) -> None:
        price, quantity = item["price"], item.get("quantity")
        if quantity is None or rest[1] <= rest[0]:
            return
        amount = sign * share(price["unit_amount"] * quantity, rest[1] - rest[0], whole[1] - whole[0])
        day = datetime.fromtimestamp(rest[0], UTC).strftime("%d %b %Y")
        words = f"{'Remaining' if sign > 0 else 'Unused'} time on {quantity} x"
        fresh = self.item(
            subscription["customer"], amount, price["currency"],
            f"{words} {price.get('nickname') or price['product']} after {day}", rest,
            discountable=False, proration=True, quantity=quantity,
            metadata=dict(subscription.get("metadata") or {}),
            parent=subscription_parent(subscription["id"], item["id"]),
            proration_details={"credited_items": self._credited(subscription, item) if sign < 0 else None},
            pricing={
                "type": "price_details", "unit_amount_decimal": price.get("unit_amount_decimal"),
                "price_details": {"price": price["id"], "product": price["product"]},
            },
        )  # fmt: skip
        self.change("invoiceitems", None, fresh)

    def _credited(self, subscription: Json, item: Json) -> Json | None:
        """The invoice lines that charged what is now credited."""
        for invoice in self.store.select("invoices", "subscription = ?", [subscription["id"]], "created DESC, seq DESC"):
            found = []
            for line in lines_of(invoice):
                details = (line.get("parent") or {}).get("subscription_item_details") or {}
                if details.get("subscription_item") == item["id"]:
                    found.append(line["id"])
            if found:
                details = {"invoice": invoice["id"], "invoice_line_items": found}
                return {"type": "invoice_line_items", "invoice_item": None, "invoice_line_item_details": details}
        return None

    def _bill(self, subscription: Json, reason: str, periods: bool = False) -> Json:
        """Invoice what is pending now (and a new period when it restarted): draft, then finalised."""
        customer = self.find("customers", subscription["customer"], "customer")
        draft = self.draft(customer, subscription["currency"], reason, subscription=subscription)
        lines = self._period_lines(subscription, draft["id"]) if periods else []
        return self.finalize(self.with_items(draft, self.pending_items(customer["id"], subscription["id"]), lines))

    def _period_lines(self, subscription: Json, invoice: str, ahead: bool = False) -> list[Json]:
        lines = []
        for item in items_of(subscription):
            if item["price"]["recurring"]["usage_type"] == "metered":
                continue
            start, end = item["current_period_start"], item["current_period_end"]
            if ahead:
                start, end = end, period_end(end, item["price"])
            lines.append(subscription_line(subscription, item, invoice, start, end))
        return lines


_UPDATES = (
    "items", "metadata", "proration_behavior", "proration_date", "cancel_at_period_end", "cancel_at",
    "collection_method", "days_until_due", "pause_collection", "billing_cycle_anchor", "payment_behavior",
    "cancellation_details",
)  # fmt: skip


def items_of(subscription: Json) -> list[Json]:
    """The items of a stored subscription, whether loaded as a list or as a list object."""
    items = subscription.get("items") or []
    found: list[Json] = items["data"] if isinstance(items, dict) else items
    return found


def share(amount: int, part: int, whole: int) -> int:
    """`amount * part / whole` in minor units, half away from zero, in whole numbers only."""
    numerator = abs(amount) * part
    result = (2 * numerator + whole) // (2 * whole)
    return -result if amount < 0 else result


def period_end(start: int, price: Json) -> int:
    """The end of a period that starts at `start` (Unix seconds, UTC): calendar months, the day clipped to the month."""
    recurring = price["recurring"]
    count = recurring.get("interval_count") or 1
    if recurring["interval"] in ("day", "week"):
        return start + count * (86_400 if recurring["interval"] == "day" else 7 * 86_400)
    moment = datetime.fromtimestamp(start, UTC)
    months = moment.month - 1 + count * (12 if recurring["interval"] == "year" else 1)
    year, month = moment.year + months // 12, months % 12 + 1
    day = min(moment.day, calendar.monthrange(year, month)[1])
    return int(moment.replace(year=year, month=month, day=day).timestamp())


__all__ = ["Subscriptions", "new_id", "period_end", "share"]
