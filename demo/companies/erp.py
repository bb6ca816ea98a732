"""NetSuite's rows as SuiteQL answers them: customers, transactions with their applications, periods, deletions. Pure.

Amounts are whole minor units inside and decimal text in the rows. Stamps are in the account's own zone, as text without a zone.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from zoneinfo import ZoneInfo

from demo.companies.draw import Draw
from demo.companies.story import Change, Json, Story

_PREFIXES = {"CustInvc": "INV", "CustCred": "CM", "CustPymt": "PYMT", "SalesOrd": "SO"}
_OBJECT_TYPES = {"CustInvc": "invoice", "CustCred": "credit_memo", "CustPymt": "payment", "SalesOrd": "sales_order"}
_DELETED = {"CustInvc": "Invoice", "CustCred": "CreditMemo", "CustPymt": "CustomerPayment"}
PERIODS = {
    f"{year}-{month:02d}": (str(201 + (year - 2025) * 12 + month), f"{dt.date(year, month, 1):%b} {year}")
    for year in range(2025, 2028)
    for month in range(1, 13)
}
"""`2026-11` -> internal id and name of the accounting period."""


def text(minor: int) -> str:
    """Minor units of a currency with two decimals as decimal text."""
    return f"{Decimal(minor).scaleb(-2):f}"


@dataclass
class Document:
    """A transaction. `applied`: (invoice, payer, type of the payer, amount, stamp of the payer)."""

    id: str
    type: str
    entity: str
    total: int
    currency: str
    on: dt.date
    columns: Json
    period: str = ""
    status: str = ""
    applied: list[tuple[str, str, str, int, str]] = field(default_factory=list)

    @property
    def open(self) -> int:
        return 0 if self.status == "V" else self.total - sum(each[3] for each in self.applied)


@dataclass
class Erp:
    """The company's account. `zone`: in which its days are; `subsidiary`: None without OneWorld."""

    story: Story
    draw: Draw
    zone: ZoneInfo
    subsidiary: str | None
    customers: dict[str, Json] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)

    def stamp(self, at: dt.datetime) -> str:
        return at.astimezone(self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def day(self, at: dt.datetime) -> dt.date:
        return at.astimezone(self.zone).date()

    # --- customers and periods ----------------------------------------------------------------------------------------

    def customer(self, at: dt.datetime, name: str, *, currency: str = "USD", id: str = "", **columns: str | None) -> str:
        """`columns`: `externalid`, `entityid` and the account's own fields, by their names in SuiteQL."""
        id = id or str(self.draw.number("customer", 4400))
        row: Json = {
            "id": id, "entityid": f"CUST{id}", "companyname": name, "isinactive": "F", "balancesearch": "0.00",
            "currency": currency, **columns,
        }  # fmt: skip
        if self.subsidiary is not None:
            row |= {"subsidiary": self.subsidiary, "country": "US"}
        self.customers[id] = row
        self.change_customer(at, id)
        return id

    def change_customer(self, at: dt.datetime, id: str, **columns: str | None) -> None:
        row = self.customers[id]
        row.update(columns)
        row["modified"] = self.stamp(at)
        self._tell(at, "customer", id, {"row": _without_nulls(row)})

    def delete_customer(self, at: dt.datetime, id: str) -> None:
        """As a merge does with its source."""
        self._tell(at, "deletion", id, {"row": {"id": id, "type": "Customer", "modified": self.stamp(at)}})

    def entity(self, at: dt.datetime, name: str) -> None:
        """The one operating subsidiary."""
        assert self.subsidiary is not None
        row = {"id": self.subsidiary, "name": name, "country": "US", "currency": "USD", "modified": self.stamp(at)}
        self._tell(at, "legal_entity", self.subsidiary, {"row": row})

    def period(self, at: dt.datetime, month: str, *, locked: bool = False, closed: bool = False) -> None:
        """What is true of an accounting period, `2026-11`, from now on."""
        year, number = map(int, month.split("-"))
        last = dt.date(year + number // 12, number % 12 + 1, 1) - dt.timedelta(days=1)
        id, name = PERIODS[month]
        flag = {False: "F", True: "T"}
        row = {
            "id": id, "periodname": name, "startdate": f"{month}-01", "enddate": last.isoformat(), "closed": flag[closed],
            "alllocked": flag[closed], "arlocked": flag[locked or closed], "modified": self.stamp(at),
        }  # fmt: skip
        self._tell(at, "accounting_period", id, {"row": row})

    # --- documents ----------------------------------------------------------------------------------------------------

    def document(
        self, at: dt.datetime, type: str, entity: str, total: int, *, currency: str = "USD", on: dt.date | None = None,
        period: str = "", status: str = "", **columns: str | None,
    ) -> Document:  # fmt: skip
        """A new transaction. `on`: its date, otherwise the day here; `period`: `2026-11`, otherwise the date's."""
        number = self.draw.number("transaction", 90400)
        made = Document(
            str(number), type, entity, total, currency, on or self.day(at), {"tranid": f"{_PREFIXES[type]}{number}", **columns},
            period, status,
        )  # fmt: skip
        self.documents[made.id] = made
        self.show(at, made)
        return made

    def invoice(self, at: dt.datetime, entity: str, total: int, **columns: str | None) -> Document:
        return self.document(at, "CustInvc", entity, total, **columns)  # type: ignore[arg-type]

    def show(self, at: dt.datetime, document: Document, **columns: str | None) -> None:
        """The document as it is from now on, after a change of columns."""
        document.columns.update(columns)
        stamp = self.stamp(at)
        row: Json = {
            "id": document.id, "type": document.type, "status": _letter(document), "entity": document.entity,
            "postingperiod": PERIODS[document.period or f"{document.on:%Y-%m}"][0], "currency": document.currency,
            "trandate": document.on.isoformat(), "modified": stamp, **document.columns,
        }  # fmt: skip
        shown = 0 if document.status == "V" else document.total
        row["foreignamount"] = text(-shown if document.type == "CustCred" else shown)
        if document.type == "CustInvc":
            row["duedate"] = (document.on + dt.timedelta(days=30)).isoformat()
            row["foreignamountpaid"] = text(shown - document.open)
            row["foreignamountunpaid"] = text(document.open)
        if document.type == "SalesOrd":
            del row["postingperiod"]
        if self.subsidiary is not None:
            row["subsidiary"] = self.subsidiary
        links = [
            {"previousdoc": paid, "nextdoc": payer, "foreignamount": text(amount), "nexttype": kind, "nextmodified": changed}
            for paid, payer, kind, amount, changed in document.applied
        ]
        body = {"transaction": _without_nulls(row), "applications": links}
        self._tell(at, _OBJECT_TYPES[document.type], document.id, body)

    def apply(self, at: dt.datetime, payer: Document, invoice: Document, amount: int) -> None:
        link = (invoice.id, payer.id, payer.type, amount, self.stamp(at))
        payer.applied.append(link)
        invoice.applied.append(link)
        self.show(at, payer)
        self.show(at, invoice)

    def unapply(self, at: dt.datetime, payer: Document, invoice: Document) -> None:
        for document in (payer, invoice):
            document.applied = [each for each in document.applied if (each[0], each[1]) != (invoice.id, payer.id)]
            self.show(at, document)

    def pay(self, at: dt.datetime, invoice: Document, amount: int, **columns: str | None) -> Document:
        """A payment that covers that much of the invoice."""
        return self._cover(at, "CustPymt", invoice, amount, columns)

    def credit(self, at: dt.datetime, invoice: Document, amount: int, **columns: str | None) -> Document:
        """A credit memo that covers that much of the invoice."""
        return self._cover(at, "CustCred", invoice, amount, {"createdfrom": invoice.id, **columns})

    def _cover(self, at: dt.datetime, type: str, invoice: Document, amount: int, columns: Json) -> Document:
        payer = self.document(at, type, invoice.entity, amount, currency=invoice.currency, **columns)
        self.apply(at + dt.timedelta(seconds=1), payer, invoice, amount)
        return payer

    def cover_by_journal(self, at: dt.datetime, invoice: Document, amount: int) -> str:
        """A line of a journal entry of that receivable, applied to the invoice. Returns the journal's id; journals themselves are
        not read."""
        journal = str(self.draw.number("transaction", 90400))
        invoice.applied.append((invoice.id, journal, "Journal", amount, self.stamp(at)))
        self.show(at, invoice)
        return journal

    def uncover(self, at: dt.datetime, invoice: Document, payer: str) -> None:
        """A journal is taken back."""
        invoice.applied = [each for each in invoice.applied if each[1] != payer]
        self.show(at, invoice)

    def void(self, at: dt.datetime, document: Document) -> None:
        """Its amounts are zero from now on, and what covered it is free."""
        self._free(at, document)
        document.status = "V"
        self.show(at, document)

    def erase(self, at: dt.datetime, document: Document) -> None:
        """It is gone, a line among the deleted records tells so, and what it covered is open again."""
        self._free(at, document)
        row = {"id": document.id, "type": _DELETED[document.type], "modified": self.stamp(at)}
        self._tell(at, "deletion", document.id, {"row": row})

    def _free(self, at: dt.datetime, document: Document) -> None:
        for invoice, payer, *_rest in list(document.applied):
            other = self.documents.get(payer if invoice == document.id else invoice)
            if other is not None:
                other.applied = [each for each in other.applied if (each[0], each[1]) != (invoice, payer)]
                self.show(at, other)
        document.applied = []

    def _tell(self, at: dt.datetime, object_type: str, id: str, body: Json) -> None:
        self.story.tell(Change(at, "netsuite", object_type, id, body, arrives=self.draw.seconds(60, 300)))


def _letter(document: Document) -> str:
    if document.status:
        return document.status
    if document.type == "CustInvc":
        return "B" if document.open == 0 else "A"
    if document.type == "CustCred":
        return "B" if document.open == 0 else "A"
    return {"CustPymt": "C", "SalesOrd": "F"}[document.type]


def _without_nulls(row: Json) -> Json:
    return {name: value for name, value in row.items() if value is not None}
