"""Tallybook's invoices as facts. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from revops.ledger.facts import Fact, Value
from revops.reference import Ref
from sync.vendor import fields
from sync.vendor.contract import Config, Incoming, Reread
from sync.vendor.objects import understood
from tests.sync.connectors.tallybook.models import STATUS, Change, Invoice


def translate(incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
    body = fields.message(incoming.body)
    said = understood(Invoice, body, "invoice") if incoming.kind == "read" else understood(Change, body, "change").invoice
    total, paid = (fields.money(number, said.currency, "invoice") for number in (said.total, said.settled))
    status = fields.our_word(said.status, STATUS, "invoice.status")
    values: dict[str, Value] = {
        "status": status, "total": total, "amount_due": total, "amount_paid": paid, "amount_remaining": total - paid,
    }  # fmt: skip
    customer = Ref(config.slug, "customer", said.customer)
    changed_at = fields.instant(said.changed_at, "invoice.changed_at")
    return [Fact("invoice", said.id, f"{said.revision:09d}", changed_at, values, {"customer": (customer,)})]
