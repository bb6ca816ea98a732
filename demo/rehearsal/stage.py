"""What the story needs to act: the wires, the company as it was imagined, Stripe's own API, and NetSuite's books."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from demo.rehearsal import catalogue, erp, key
from demo.rehearsal.changes import DAY
from demo.rehearsal.company import imagine
from demo.rehearsal.erp_reference import RECEIVABLES, UNDEPOSITED, Periods, income_account
from demo.rehearsal.native import PLACES, moment
from demo.rehearsal.story import Company, Customer
from demo.rehearsal.wire import Refused, Wire
from demo.simulators.store import loads

Json = dict[str, Any]


def now() -> dt.datetime:
    """This moment, aware UTC, whole seconds."""
    return dt.datetime.now(dt.UTC).replace(microsecond=0)


@dataclass
class Stage:
    """Everything an act may use."""

    wires: Mapping[str, Wire]
    company: Company
    periods: Periods = field(init=False)
    by_stripe: dict[str, Customer] = field(init=False)

    def __post_init__(self) -> None:
        self.periods = Periods(self.company.anchor)
        self.by_stripe = {customer.stripe: customer for customer in self.company.customers}

    @classmethod
    def of(cls, wires: Mapping[str, Wire], seed: int, accounts: int, anchor: str) -> Stage:
        """The stage of a loaded company: imagining it again gives every id back."""
        return cls(wires, imagine(seed, accounts, dt.datetime.fromisoformat(anchor)))

    @property
    def hero(self) -> Customer:
        return self.company.customers[0]

    # -- Stripe ---------------------------------------------------------------------------------------------------

    def bill(self, path: str, key: str, **values: object) -> Json:
        """POST to Stripe's API under an idempotency key; nested values become brackets. Raises Refused."""
        headers = {
            "Authorization": f"Bearer {os.environ.get('STRIPE_SIM_KEY', 'sk_test_rehearsal')}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Idempotency-Key": key,
        }
        body = urlencode(list(_flat(values))).encode()
        status, _, answer = self.wires["stripe"].call("POST", f"/v1/{path}", body, headers)
        found: Json = loads(answer)
        if status >= 400:
            raise Refused(status, f"Stripe refused {path}: {found.get('error', {}).get('message')}")
        return found

    def finalize(self, draft: Json, name: str) -> Json:
        """Finalise a draft that the ERP will receive soon. The answer key says first what it becomes when nobody posts it."""
        customer, currency = self.by_stripe[draft["customer"]], str(draft["currency"]).upper()
        entry = key.entry(
            "invoice_not_posted", customer.crm, [("stripe", "invoice", draft["id"])],
            amount=Decimal(draft["total"]).scaleb(-PLACES[currency]), currency=currency,
            why="Finalised while the story went on; the ERP has 24 hours.", planted_at=now(), ripens_at=now() + DAY,
            settled_when={"netsuite.transaction": f"an invoice with external id {draft['id']}"},
        )  # fmt: skip
        self.wires["stripe"].store_key([entry])
        return self.bill(f"invoices/{draft['id']}/finalize", name)

    # -- NetSuite -------------------------------------------------------------------------------------------------

    def entered(self, kind: str, external: str) -> Json | None:
        """The NetSuite transaction with this external id."""
        found = (row for row in self.wires["netsuite"].objects("transaction") if row.get("externalid") == external)
        return next((row for row in found if row["type"] == kind), None)

    def book(self, booked: erp.Booked) -> int:
        """Enter a transaction: a free id from NetSuite, then its rows all at once, then the hint. Returns the id; an external
        id that is there already is left alone."""
        netsuite = self.wires["netsuite"]
        there = self.entered(booked.type, booked.external)
        if there is not None and any(True for _ in self._lines(int(there["id"]))):
            return int(there["id"])
        if there is None:
            bare = {
                "type": booked.type, "externalid": booked.external, "entity": booked.customer.erp,
                "currency": booked.customer.entity.currency_id, "trandate": booked.on.date().isoformat(),
            }  # fmt: skip
            there = netsuite.create("transaction", bare, event=None)
        booked.id = int(there["id"])
        sum(netsuite.load(erp.rows(booked, self.periods)))
        netsuite.change("transaction", booked.id, {"lastmodifieddate": erp.stamp(now())}, event="create")
        return booked.id

    def _lines(self, transaction: int) -> Iterator[Json]:
        found = self.wires["netsuite"].object("transactionline", f"{transaction}-0")
        return iter([found] if found else [])

    def post_invoice(self, invoice: Json) -> int:
        """Copy a finalised Stripe invoice to NetSuite as it is."""
        customer = self.by_stripe[invoice["customer"]]
        places, at = customer.entity.places, now()
        items = {price.id: price.netsuite_item for price in catalogue.PRICES.values()}
        entries = []
        for line in invoice["lines"]["data"]:
            price = ((line.get("pricing") or {}).get("price_details") or {}).get("price")
            item = items.get(str(price), catalogue.SERVICE_ITEM)
            text = str(line.get("description") or "")
            entries.append(erp.Entry(income_account(item), -line["amount"], item, line.get("quantity") or 1, text))
        tax = invoice["total"] - invoice["subtotal"]
        if tax:
            entries.append(erp.Entry(catalogue.TAX_ITEM, -tax, None, None, "Tax", tax=True))
        details = (invoice.get("parent") or {}).get("subscription_details") or {}
        state = {"foreignamountpaid": erp.text(0, places), "foreignamountunpaid": erp.text(invoice["total"], places)}
        header = {
            "otherrefnum": (details.get("metadata") or {}).get("contract_number"), "terms": 1, "approvalstatus": 2,
            "duedate": moment(invoice["due_date"]).date().isoformat() if invoice.get("due_date") else None, **state,
        }  # fmt: skip
        final = moment(invoice["status_transitions"]["finalized_at"])
        return self.book(
            erp.Booked(
                0, "CustInvc", customer, final, at, at, "A", invoice["id"],
                [erp.Entry(RECEIVABLES, invoice["total"]), *entries], header, state,
            )
        )  # fmt: skip

    def apply(self, invoice: Json, external: str, kind: str, amount: int) -> None:
        """Enter a payment (CustPymt) or credit memo (CustCred) over minor units and apply it to the ERP's invoice row."""
        customer = next(one for one in self.company.customers if one.erp == invoice["entity"])
        places, at = customer.entity.places, now()
        if kind == "CustPymt":
            entries = [erp.Entry(UNDEPOSITED, amount), erp.Entry(RECEIVABLES, -amount)]
        else:
            item = catalogue.SERVICE_ITEM
            entries = [
                erp.Entry(RECEIVABLES, -amount, created_from=int(invoice["id"])),
                erp.Entry(income_account(item), amount, item, 1, "Service credit"),
            ]
        state = {"foreignpaymentamountused": erp.text(0, places), "foreignpaymentamountunused": erp.text(amount, places)}
        status = "C" if kind == "CustPymt" else "A"
        payer = self.book(erp.Booked(0, kind, customer, at, at, at, status, external, entries, dict(state), state))
        current = self.wires["netsuite"].object("transaction", invoice["id"]) or invoice
        used = min(Decimal(erp.text(amount, places)), Decimal(str(current.get("foreignamountunpaid") or 0)))
        if used > 0:
            link = {
                "previousdoc": invoice["id"], "previousline": 0, "previoustype": "CustInvc", "nextdoc": payer, "nextline": 0,
                "nexttype": kind, "linktype": "Payment", "foreignamount": f"{used:f}",
            }  # fmt: skip
            self.wires["netsuite"].create("nexttransactionlinelink", link)

    def touch(self, id: int, at: dt.datetime, **values: object) -> None:
        """Change a transaction in NetSuite with this stamp (the account keeps a stamp only when it differs from the last)."""
        row = self.wires["netsuite"].object("transaction", id) or {}
        if row.get("lastmodifieddate") == erp.stamp(at):
            at += dt.timedelta(seconds=1)
        self.wires["netsuite"].change("transaction", id, {**values, "lastmodifieddate": erp.stamp(at)})

    def set_order(self, order: Json, annual: Decimal, at: dt.datetime) -> None:
        """Give an order in NetSuite another amount a year: both its lines at once, then the header with the hint."""
        netsuite, id = self.wires["netsuite"], order["id"]
        rows = []
        for number, sign in ((0, 1), (1, -1)):
            line = netsuite.object("transactionline", f"{id}-{number}")
            if line is None:
                continue
            side = {"debitforeignamount": f"{annual:f}"} if sign > 0 else {"creditforeignamount": f"{annual:f}"}
            value = f"{sign * annual:f}"
            rows.append(("transactionline", line | side | {"foreignamount": value, "netamount": value}))
        rows.append(("transaction", order | {"foreigntotal": f"{annual:f}"}))
        sum(netsuite.load(rows))
        self.touch(id, at)


def minor(amount: object, currency: str) -> int:
    """Major units as whole minor units."""
    return int(Decimal(str(amount)).scaleb(PLACES[currency]))


def _flat(values: Mapping[str, object] | list[object], prefix: str = "") -> Iterator[tuple[str, str]]:
    pairs = values.items() if isinstance(values, Mapping) else ((str(i), v) for i, v in enumerate(values))
    for name, value in pairs:
        path = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, (dict, list)):
            yield from _flat(value, path)
        elif value is not None:
            yield path, str(value).lower() if isinstance(value, bool) else str(value)
