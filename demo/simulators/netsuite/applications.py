"""Applying payments and credit memos to invoices: who owes what after it, and what is refused."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from demo.simulators.netsuite import tables
from demo.simulators.netsuite.documents import PAYMENT, Reader, amount
from demo.simulators.netsuite.errors import refuse_content
from demo.simulators.store import Store
from demo.simulators.vendor import Json


class Applications:
    """Writes applications inside the caller's transaction and keeps both documents, their lines and links in step."""

    def __init__(self, store: Store, reader: Reader) -> None:
        self.store = store
        self.reader = reader

    def set_amount(self, payer: Json, invoice_id: int, wanted: Decimal | None, stamp: str, path: str = "apply") -> None:
        """Let `payer` (payment or credit memo) cover exactly `wanted` of the invoice; None: as much as both allow.

        Zero takes an application back. Raises Halt (400) for a foreign invoice, another currency or subsidiary, a negative
        amount, more than the invoice asks for or more than the payer has left.
        """
        invoice = self.store.get("transaction", str(invoice_id))
        if invoice is None or invoice.get("type") != "CustInvc":
            raise refuse_content(f"Invalid doc reference key {invoice_id}.", f"{path}.doc")
        if invoice.get("entity") != payer.get("entity") or invoice.get("currency") != payer.get("currency"):
            raise refuse_content("The transaction belongs to another customer or is in another currency.", f"{path}.doc")
        books = {self.reader.main_line(one["id"]).get("subsidiary") for one in (invoice, payer)} - {None}
        if len(books) > 1:
            raise refuse_content("The transaction belongs to another subsidiary.", f"{path}.doc")
        before = self.reader.applications("nextdoc", payer["id"]).get(invoice_id, Decimal(0))
        due = self.reader.remaining(invoice) + before
        free = self.reader.total(payer) - self.reader.applied(payer) + before
        after = max(Decimal(0), min(due, free)) if wanted is None else wanted
        if after < 0:
            raise refuse_content("The amount applied must not be negative.", f"{path}.amount", "USER_ERROR")
        if after > due:
            detail = f"The amount applied ({after}) exceeds the amount due ({due}) of the transaction."
            raise refuse_content(detail, f"{path}.amount", "USER_ERROR")
        if after > free:
            detail = f"The amount applied ({after}) exceeds the unapplied amount ({free})."
            raise refuse_content(detail, f"{path}.amount", "USER_ERROR")
        if after == before:
            return
        self._link(payer, invoice, after, stamp)
        self._settle_invoice(invoice, due - after, stamp)
        self.settle_payer(payer["id"], stamp)

    def release_all(self, payer: Json, stamp: str) -> None:
        """Take every application of a payment or credit memo back."""
        for invoice in self.reader.applications("nextdoc", payer["id"]):
            self.set_amount(payer, invoice, Decimal(0), stamp)

    def settle_payer(self, payer_id: int, stamp: str) -> None:
        """Recount the used and unused amount of a payment or credit memo, and a credit memo's letter."""
        payer = self.store.get("transaction", str(payer_id))
        assert payer is not None
        used = self.reader.applied(payer)
        unused = self.reader.total(payer) - used
        amounts = {"foreignpaymentamountused": used, "foreignpaymentamountunused": unused}
        status = payer.get("status")
        if payer.get("type") == "CustCred" and status != "V":
            status = "A" if unused else "B"
        self._change("transaction", payer | amounts | {"status": status, "lastmodifieddate": stamp})
        self._change_main_line(payer_id, amounts, {"paymentamountused": used, "paymentamountunused": unused}, stamp)

    def _link(self, payer: Json, invoice: Json, used: Decimal, stamp: str) -> None:
        """One link between the main lines, in place of whatever linked the two."""
        table = "nexttransactionlinelink"
        main = {
            "previousdoc": invoice["id"], "previousline": 0, "previoustype": "CustInvc", "nextdoc": payer["id"], "nextline": 0,
            "nexttype": payer["type"], "linktype": PAYMENT, "foreignamount": used, "lastmodifieddate": stamp,
        }  # fmt: skip
        kept = tables.row_of(table, main)["_key"] if used else None
        for link in self.store.select(table, "nextdoc = ?", [payer["id"]]):
            if link["previousdoc"] == invoice["id"] and link["linktype"] == PAYMENT and link["_key"] != kept:
                self.store.remove(table, link["_key"])
        if used:
            self._change(table, main)

    def _settle_invoice(self, invoice: Json, remaining: Decimal, stamp: str) -> None:
        paid = self.reader.total(invoice) - remaining
        amounts = {"foreignamountpaid": paid, "foreignamountunpaid": remaining}
        changed = invoice | amounts | {"status": "A" if remaining else "B", "lastmodifieddate": stamp}
        changed["closedate"] = None if remaining else stamp[:10]
        self._change("transaction", changed)
        self._change_main_line(invoice["id"], amounts, {"amountpaid": paid, "amountunpaid": remaining}, stamp)

    def _change_main_line(self, id: int, amounts: dict[str, Decimal], booked: dict[str, Decimal], stamp: str) -> None:
        """`amounts` in the transaction's currency for the line; `booked`, the same values, turned into base currency."""
        main = self.reader.main_line(id)
        if main:
            self._change("transactionline", main | amounts | {"linelastmodifieddate": stamp})
        for side in self.store.select("transactionaccountingline", '"transaction" = ?', [id]):
            if main and side.get("transactionline") == main["id"]:
                rate = amount(side.get("exchangerate") or 1)
                places = Decimal(1).scaleb(-_places(side))
                values = {name: (value * rate).quantize(places, ROUND_HALF_UP) for name, value in booked.items()}
                self._change("transactionaccountingline", side | values)

    def _change(self, table: str, row: Json) -> None:
        self.store.put(table, tables.row_of(table, row))


def _places(side: Json) -> int:
    """How many decimals the book's amounts carry, read from the row itself."""
    text = str(side.get("amount") or side.get("debit") or side.get("credit") or "0.00")
    return len(text.partition(".")[2])
