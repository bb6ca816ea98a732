"""Invoice items: pending until an invoice takes them. A mid-term change leaves its prorations here."""

from __future__ import annotations

from typing import Any

from demo.simulators.stripe.account import PAGING, new_id
from demo.simulators.stripe.parameters import Invalid, Params, Refused
from demo.simulators.stripe.payments import Payments
from demo.simulators.vendor import Json, Request, Response, route


class InvoiceItems(Payments):
    """`/v1/invoiceitems`."""

    @route("GET", "/v1/invoiceitems")
    def list_invoiceitems(self, request: Request) -> Response:
        """Filters: pending, invoice, customer, created."""
        params = self.params(request).only(*PAGING, "pending", "invoice", "customer")
        where = "1"
        if "pending" in params:
            where = "invoice IS NULL" if params.flag("pending") else "invoice IS NOT NULL"
        return self.filtered("invoiceitems", params, "invoice", "customer", where=where)

    @route("POST", "/v1/invoiceitems")
    def create_invoiceitem(self, request: Request) -> Response:
        """`amount` (minor units, may be negative) or `pricing[price]` with `quantity`; `invoice` must be a draft."""
        names = ("customer", "amount", "currency", "description", "invoice", "subscription", "metadata", "quantity")
        params = self.params(request).only(*names, "pricing", "period")
        customer = self.find("customers", params.required("customer"), "customer")
        amount, currency, pricing = self._amount(params)
        period = params.inner("period")
        start = (period.integer("start") if period else None) or self.now()
        item = self.item(
            customer["id"], amount, currency, params.text("description"), (start, _end(period, start)),
            pricing=pricing, quantity=params.integer("quantity") or 1, metadata=params.metadata(),
            parent=subscription_parent(params.text("subscription")),
        )  # fmt: skip
        if invoice_id := params.text("invoice"):
            invoice = self.find("invoices", invoice_id, "invoice")
            if invoice["status"] != "draft":
                raise Refused("Invoice items can only be added to draft invoices.", "invoice_not_editable", "invoice")
            item["invoice"] = invoice_id
            self.change("invoices", invoice, _joined(invoice, item))
        return self.show(self.change("invoiceitems", None, item), params)

    # -- for invoices and subscriptions ---------------------------------------------------------------------------

    def item(self, customer: str, amount: int, currency: str, text: str | None, period: tuple[int, int], **values: Any) -> Json:
        """A new pending item, not stored yet."""
        base = self.new(
            "ii", "invoiceitem", customer=customer, amount=amount, net_amount=amount, currency=currency,
            description=text, date=self.now(), discountable=True, invoice=None,
            period={"start": period[0], "end": period[1]}, proration=False, proration_details=None, quantity=1,
            parent=None, pricing=None, metadata={}, tax_rates=[], test_clock=None,
        )  # fmt: skip
        return base | values

    def pending_items(self, customer: str, subscription: str | None) -> list[Json]:
        """What waits for the next invoice: of this subscription, or of the customer without one."""
        where, values = "customer = ? AND invoice IS NULL AND subscription IS NULL", [customer]
        if subscription:
            where, values = "invoice IS NULL AND subscription = ?", [subscription]
        return self.store.select("invoiceitems", where, values)

    def _amount(self, params: Params) -> tuple[int, str, Json | None]:
        if (pricing := params.inner("pricing")) is not None:
            price = self.find("prices", pricing.only("price").required("price"), "pricing[price]")
            details = {"price": price["id"], "product": price["product"]}
            decimal = price.get("unit_amount_decimal")
            shown = {"type": "price_details", "price_details": details, "unit_amount_decimal": decimal}
            return price["unit_amount"] * (params.integer("quantity") or 1), price["currency"], shown
        amount = params.integer("amount")
        if amount is None:
            raise Invalid("Missing required param: amount.", "amount", "parameter_missing")
        return amount, (params.text("currency") or "usd").lower(), None


def subscription_parent(subscription: str | None, item: str | None = None) -> Json | None:
    """The parent of an item that belongs to a subscription."""
    if subscription is None:
        return None
    details = {"subscription": subscription, "subscription_item": item}
    return {"type": "subscription_details", "subscription_details": details}


def item_line(item: Json, invoice: str) -> Json:
    """The invoice line that an item becomes."""
    details = ((item.get("parent") or {}).get("subscription_details")) or {}
    credited = ((item.get("proration_details") or {}).get("credited_items") or {}).get("invoice_line_item_details")
    return {
        "id": new_id("il"), "object": "line_item", "amount": item["amount"], "currency": item["currency"],
        "description": item["description"], "discountable": item["discountable"], "discount_amounts": [],
        "invoice": invoice, "livemode": False, "metadata": item["metadata"], "period": item["period"],
        "quantity": item["quantity"], "pretax_credit_amounts": [], "taxes": [], "subtotal": item["amount"],
        "parent": {
            "type": "invoice_item_details",
            "invoice_item_details": {
                "invoice_item": item["id"], "proration": item["proration"],
                "proration_details": {"credited_items": credited}, "subscription": details.get("subscription"),
            },
            "subscription_item_details": None,
        },
        "pricing": item["pricing"],
    }  # fmt: skip


def _joined(invoice: Json, item: Json) -> Json:
    lines = invoice.get("lines") or []
    data = [*(lines["data"] if isinstance(lines, dict) else lines), item_line(item, invoice["id"])]
    total = sum(line["amount"] for line in data)
    sums = dict.fromkeys(("subtotal", "subtotal_excluding_tax", "total", "total_excluding_tax"), total)
    due = {"amount_due": max(total, 0), "amount_remaining": max(total, 0)}
    return invoice | sums | due | {"lines": {"object": "list", "data": data}}


def _end(period: Params | None, start: int) -> int:
    end = period.integer("end") if period else None
    return start if end is None else end
