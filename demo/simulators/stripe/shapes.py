"""How an object looks from outside, and which event a change of it makes. Pure."""

from __future__ import annotations

from demo.simulators.vendor import Json

EMBEDDED_LINES = 10
"""How many lines, items or credit note lines an object carries inside itself; the rest is on its own list."""

EVENT_NAMES = {
    "customers": "customer", "subscriptions": "customer.subscription", "invoices": "invoice",
    "invoiceitems": "invoiceitem", "invoice_payments": "invoice_payment", "payment_intents": "payment_intent",
    "credit_notes": "credit_note", "prices": "price", "products": "product", "meters": "billing.meter",
}  # fmt: skip
_STATUS_EVENTS = {
    ("invoices", "open"): "invoice.finalized",
    ("invoices", "paid"): "invoice.paid",
    ("invoices", "void"): "invoice.voided",
    ("invoices", "uncollectible"): "invoice.marked_uncollectible",
    ("subscriptions", "canceled"): "customer.subscription.deleted",
    ("credit_notes", "void"): "credit_note.voided",
    ("invoice_payments", "paid"): "invoice_payment.paid",
    ("payment_intents", "succeeded"): "payment_intent.succeeded",
    ("payment_intents", "canceled"): "payment_intent.canceled",
}


def event_type(collection: str, before: Json | None, after: Json | None) -> str | None:
    """The event Stripe makes for this change; None for changes that have none (an invoice item update)."""
    noun = EVENT_NAMES.get(collection)
    if noun is None:
        return None
    if after is None:
        return f"{noun}.deleted"
    if collection == "invoice_payments":
        paid = after.get("status") == "paid" and (before or {}).get("status") != "paid"
        return "invoice_payment.paid" if paid else None
    if before is None:
        return f"{noun}.created"
    if after.get("deleted"):
        return f"{noun}.deleted"
    if before.get("status") != after.get("status") and (collection, after.get("status")) in _STATUS_EVENTS:
        return _STATUS_EVENTS[collection, after["status"]]
    return None if collection in ("invoiceitems", "payment_intents") else f"{noun}.updated"


def present(value: Json) -> Json:
    """The object as an answer shows it: embedded lists are list objects, cut after a handful."""
    shown = dict(value)
    for name, path in (("lines", "lines"), ("items", "subscription_items")):
        inner = shown.get(name)
        if inner is None or shown.get("object") not in ("invoice", "credit_note", "subscription"):
            continue
        data = inner["data"] if isinstance(inner, dict) else inner
        url = f"/v1/{path}?subscription={shown['id']}"
        if name == "lines":
            url = f"/v1/{shown['object']}s/{shown['id']}/lines"
        shown[name] = {
            "object": "list",
            "url": url,
            "has_more": len(data) > EMBEDDED_LINES,
            "total_count": len(data),
            "data": data[:EMBEDDED_LINES],
        }
    return shown


def previous_attributes(before: Json, after: Json) -> Json:
    """Old values of what changed: nested objects hold only their changed keys, a changed array is given whole."""
    old: Json = {}
    for name in before.keys() | after.keys():
        was, now = before.get(name), after.get(name)
        if was == now:
            continue
        if isinstance(was, dict) and isinstance(now, dict):
            old[name] = previous_attributes(was, now)
        else:
            old[name] = was
    return old
