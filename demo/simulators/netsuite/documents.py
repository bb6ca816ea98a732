"""Record-service documents, made from the rows that SuiteQL also shows.

Amounts are positive decimals in the transaction's currency (JSON numbers, digit for digit), dates ``YYYY-MM-DD``,
moments ISO 8601 UTC, ids text, references and enums objects with `id` and `refName`.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.simulators.netsuite import tables
from demo.simulators.store import Store
from demo.simulators.vendor import Json

ROOT = "/services/rest/record/v1"


@dataclass(frozen=True)
class RecordType:
    """One kind of record: its REST name, its table, its SuiteQL type code (transactions only) and what may be done."""

    rest: str
    table: str
    code: str = ""
    writable: bool = True
    posting: bool = True
    prefix: str = ""


TYPES = {
    kind.rest.lower(): kind
    for kind in (
        RecordType("customer", "customer"),
        RecordType("accountingPeriod", "accountingperiod", writable=False),
        RecordType("invoice", "transaction", "CustInvc", prefix="INV"),
        RecordType("creditMemo", "transaction", "CustCred", prefix="CM"),
        RecordType("customerPayment", "transaction", "CustPymt", prefix="PYMT"),
        RecordType("salesOrder", "transaction", "SalesOrd", posting=False, prefix="SO"),
        RecordType("journalEntry", "transaction", "Journal", prefix="JE"),
    )
}
BY_CODE = {kind.code: kind for kind in TYPES.values() if kind.code}

PAYMENT = "Payment"
"""The link type of an application of a payment or credit memo to an invoice."""

STATUSES = {
    "CustInvc": {"A": "Open", "B": "Paid In Full", "D": "Pending Approval", "E": "Rejected", "V": "Voided"},
    "CustCred": {"A": "Open", "B": "Fully Applied", "V": "Voided"},
    "CustPymt": {"A": "Unapproved Payment", "B": "Not Deposited", "C": "Deposited"},
    "Journal": {"A": "Pending Approval", "B": "Approved for Posting", "V": "Voided"},
    "SalesOrd": {
        "A": "Pending Approval", "B": "Pending Fulfillment", "C": "Cancelled", "D": "Partially Fulfilled",
        "E": "Pending Billing/Partially Fulfilled", "F": "Pending Billing", "G": "Billed", "H": "Closed",
    },
}  # fmt: skip
_TYPE_NAMES = {"CustInvc": "Invoice", "CustCred": "Credit Memo", "CustPymt": "Payment", "Journal": "Journal",
               "SalesOrd": "Sales Order"}  # fmt: skip


def status_rows() -> list[Json]:
    """The rows of the table TransactionStatus."""
    return [
        {"id": letter, "trantype": code, "name": name, "fullname": f"{_TYPE_NAMES[code]} : {name}"}
        for code, letters in STATUSES.items()
        for letter, name in letters.items()
    ]


def amount(value: object) -> Decimal:
    """A stored amount, nulls as zero."""
    return Decimal(str(value)) if value is not None else Decimal(0)


def item_amount(row: Json, line: Json) -> Decimal:
    """What an item or tax line adds to its document's total, in the document's currency."""
    value = amount(line.get("foreignamount"))
    return value if row.get("type") == "CustCred" else -value


class Reader:
    """Builds documents. Outside a transaction it sees what readers see, inside it the truth."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.base_url = ""

    # -- rows -----------------------------------------------------------------------------------------------------

    def locate(self, kind: RecordType, address: str) -> Json | None:
        """The row behind an internal id or `eid:<external id>`, if it is of this kind."""
        if address.startswith("eid:"):
            if kind.table not in ("transaction", "customer"):
                return None
            found = self.store.select(kind.table, "externalid = ?", [address[4:]])
            return next((row for row in found if row.get("type", "") == kind.code), None)
        row = self.store.get(kind.table, address)
        return row if row is not None and row.get("type", "") == kind.code else None

    def lines(self, transaction: int) -> list[Json]:
        """All lines of a transaction, main line first."""
        return sorted(self.store.select("transactionline", '"transaction" = ?', [transaction]), key=lambda r: r["id"])

    def main_line(self, transaction: int) -> Json:
        """The line that stands for the whole document; empty when history was loaded without lines."""
        return next((line for line in self.lines(transaction) if line.get("mainline") == "T"), {})

    def total(self, row: Json) -> Decimal:
        """What the document is worth, positive, in its own currency."""
        if row.get("foreigntotal") is not None:
            return abs(amount(row["foreigntotal"]))
        lines = self.lines(row["id"])
        main = [line for line in lines if line.get("mainline") == "T" and line.get("foreignamount") is not None]
        rest = [line for line in lines if line.get("mainline") != "T"]
        return abs(sum((amount(line.get("foreignamount")) for line in main or rest), Decimal(0)))

    def applications(self, column: str, transaction: int) -> dict[int, Decimal]:
        """What is applied where the transaction stands on one side, `previousdoc` (invoice) or `nextdoc` (payment): the other
        document's id -> the sum of their line links."""
        other = "nextdoc" if column == "previousdoc" else "previousdoc"
        sums: dict[int, Decimal] = defaultdict(Decimal)
        for link in self.store.select("nexttransactionlinelink", f"{column} = ?", [transaction]):
            if link.get("linktype") == PAYMENT:
                sums[int(link[other])] += amount(link.get("foreignamount"))
        return {id: abs(value) for id, value in sums.items() if value}

    def remaining(self, row: Json) -> Decimal:
        """What an invoice still asks for."""
        if row.get("status") == "V":
            return Decimal(0)
        stored = row.get("foreignamountunpaid")
        if stored is None:
            stored = self.main_line(row["id"]).get("foreignamountunpaid")
        if stored is not None:
            return abs(amount(stored))
        return self.total(row) - sum(self.applications("previousdoc", row["id"]).values(), Decimal(0))

    def applied(self, row: Json) -> Decimal:
        """How much of a payment or credit memo has been applied."""
        return sum(self.applications("nextdoc", row["id"]).values(), Decimal(0))

    # -- documents ------------------------------------------------------------------------------------------------

    def reference(self, table: str, id: object, label: str, rest: str = "") -> Json | None:
        """`{id, refName, externalId, links}` for a stored id, None for a null."""
        if id is None:
            return None
        row = self.store.get(table, str(id)) or {}
        name = rest or table
        out: Json = {"links": [self._self(name, id)], "id": str(id), "refName": str(row.get(label) or id)}
        if row.get("externalid"):
            out["externalId"] = row["externalid"]
        return out

    def _self(self, rest: str, id: object) -> Json:
        return {"rel": "self", "href": f"{self.base_url}{ROOT}/{rest}/{id}"}

    def document(self, kind: RecordType, row: Json, expand: bool = False) -> Json:
        """The whole record. Sublists are links unless `expand`."""
        if kind.rest == "customer":
            body = self._customer(row)
        elif kind.rest == "accountingPeriod":
            body = self._period(row)
        else:
            body = self._transaction(kind, row, expand)
        out = {"links": [self._self(kind.rest, row["id"])], **body}
        return {name: value for name, value in out.items() if value is not None}

    def _sublist(self, kind: RecordType, row: Json, name: str, items: list[Json], expand: bool) -> Json:
        link = {"rel": "self", "href": f"{self.base_url}{ROOT}/{kind.rest}/{row['id']}/{name}"}
        if not expand:
            return {"links": [link]}
        return {"links": [link], "items": items, "totalResults": len(items), "count": len(items), "hasMore": False}

    def _transaction(self, kind: RecordType, row: Json, expand: bool) -> Json:
        main = self.main_line(row["id"])
        code, letter, total = kind.code, row.get("status"), self.total(row)
        entity = self.reference("customer", row.get("entity"), "companyname", "customer")
        body: Json = {
            "id": str(row["id"]), "externalId": row.get("externalid"), "tranId": row.get("tranid"),
            "transactionNumber": row.get("transactionnumber"), "tranDate": row.get("trandate"),
            "subsidiary": self.reference("subsidiary", main.get("subsidiary"), "name"),
            "currency": self.reference("currency", row.get("currency"), "name"),
            "exchangeRate": _decimal(row.get("exchangerate")),
            "postingPeriod": self.reference("accountingperiod", row.get("postingperiod"), "periodname",
                                            "accountingPeriod"),
            "memo": row.get("memo"), "createdDate": row.get("createddate"),
            "lastModifiedDate": row.get("lastmodifieddate"),
            "status": {"id": letter, "refName": STATUSES[code].get(str(letter), str(letter))} if letter else None,
        }  # fmt: skip
        if code == "Journal":
            body |= {"approved": letter != "A", "void": row.get("void") == "T", "reversalDate": row.get("reversaldate")}
            body["line"] = self._sublist(kind, row, "line", self._journal_lines(row), expand)
            return body
        body["customer" if code == "CustPymt" else "entity"] = entity
        body["otherRefNum"] = row.get("otherrefnum")
        body["total"] = total
        if row.get("approvalstatus") is not None:
            body["approvalStatus"] = {"id": str(row["approvalstatus"])}
        if code != "CustPymt":
            taxed = [item_amount(row, line) for line in self.lines(row["id"]) if line.get("taxline") == "T"]
            tax = sum(taxed, Decimal(0))
            body |= {"subtotal": total - tax, "taxTotal": tax, "startDate": row.get("startdate"),
                     "endDate": row.get("enddate"),
                     "createdFrom": self.reference("transaction", main.get("createdfrom"), "tranid", "transaction"),
                     "item": self._sublist(kind, row, "item", self._item_lines(row), expand)}  # fmt: skip
        if code == "CustInvc":
            remaining = self.remaining(row)
            body |= {"dueDate": row.get("duedate"), "amountRemaining": remaining, "amountPaid": total - remaining,
                     "account": self._ledger_account(row)}  # fmt: skip
        if code in ("CustCred", "CustPymt"):
            applied = self.applied(row)
            body |= {"applied": applied, "unapplied": total - applied, "autoApply": False,
                     "apply": self._sublist(kind, row, "apply", self._apply_lines(row), expand)}  # fmt: skip
            if code == "CustCred":
                body |= {"amountRemaining": total - applied, "account": self._ledger_account(row)}
            else:
                body |= {"payment": total, "pending": Decimal(0)}
        return body

    def _ledger_account(self, row: Json) -> Json | None:
        lines = self.store.select("transactionaccountingline", '"transaction" = ?', [row["id"]])
        main = [line for line in lines if line.get("transactionline") == 0]
        return self.reference("account", main[0].get("account") if main else None, "accountsearchdisplayname")

    def _item_lines(self, row: Json) -> list[Json]:
        out = []
        for line in self.lines(row["id"]):
            if line.get("mainline") == "T" or line.get("taxline") == "T":
                continue
            item = {"line": line["id"], "item": self.reference("item", line.get("item"), "itemid"),
                    "quantity": _absolute(line.get("quantity")), "rate": _absolute(line.get("rate")),
                    "amount": item_amount(row, line), "description": line.get("memo")}  # fmt: skip
            out.append({name: value for name, value in item.items() if value is not None})
        return out

    def _apply_lines(self, row: Json) -> list[Json]:
        """What it is applied to, and then what else the customer owes in this currency, which it is not applied to."""
        applied = self.applications("nextdoc", row["id"])
        owed = [
            one for one in self.store.select("transaction", "entity = ? AND type = ?", [row.get("entity"), "CustInvc"])
            if one["id"] not in applied and one.get("currency") == row.get("currency") and self.remaining(one)
        ]  # fmt: skip
        out = []
        for id, used in [*applied.items(), *((one["id"], Decimal(0)) for one in owed)]:
            invoice = self.store.get("transaction", str(id)) or {"id": id}
            out.append({
                "doc": self.reference("transaction", id, "tranid", "invoice"), "line": 0, "apply": bool(used),
                "amount": used, "due": self.remaining(invoice) + used, "total": self.total(invoice),
                "refNum": invoice.get("tranid"), "type": "Invoice", "applyDate": invoice.get("trandate"),
            })  # fmt: skip
        return [{name: value for name, value in line.items() if value is not None} for line in out]

    def _journal_lines(self, row: Json) -> list[Json]:
        booked = {
            line.get("transactionline"): line
            for line in self.store.select("transactionaccountingline", '"transaction" = ?', [row["id"]])
        }
        out = []
        for line in self.lines(row["id"]):
            side = booked.get(line["id"], {})
            item = {"line": line["id"],
                    "account": self.reference("account", side.get("account") or line.get("expenseaccount"),
                                              "accountsearchdisplayname"),
                    "debit": _decimal(line.get("debitforeignamount")),
                    "credit": _decimal(line.get("creditforeignamount")), "memo": line.get("memo"),
                    "entity": self.reference("customer", line.get("entity"), "companyname")}  # fmt: skip
            out.append({name: value for name, value in item.items() if value is not None})
        return out

    def _customer(self, row: Json) -> Json:
        subsidiary = row.get("subsidiary")
        if subsidiary is None:
            found = self.store.rows("SELECT subsidiary FROM ns_customersubsidiaryrelationship WHERE entity = ?"
                                    " AND isprimarysub = 'T' LIMIT 1", [row["id"]])  # fmt: skip
            subsidiary = found[0]["subsidiary"] if found else None
        hold = row.get("creditholdoverride")
        return {
            "id": str(row["id"]), "externalId": row.get("externalid"), "entityId": row.get("entityid"),
            "companyName": row.get("companyname"), "isPerson": row.get("isperson") == "T",
            "isInactive": row.get("isinactive") == "T", "email": row.get("email"),
            "subsidiary": self.reference("subsidiary", subsidiary, "name"),
            "currency": self.reference("currency", row.get("currency"), "name"),
            "terms": self.reference("term", row.get("terms"), "name"), "creditLimit": _decimal(row.get("creditlimit")),
            "creditHoldOverride": {"id": hold, "refName": str(hold).title()} if hold else None,
            "balance": self._balance(row["id"]),
            "receivablesAccount": self.reference("account", row.get("receivablesaccount"), "accountsearchdisplayname"),
            "parent": self.reference("customer", row.get("parent"), "companyname"), "comments": row.get("comments"),
            "dateCreated": row.get("datecreated"), "lastModifiedDate": row.get("lastmodifieddate"),
        }  # fmt: skip

    def _balance(self, customer: int) -> Decimal:
        balance = Decimal(0)
        for row in self.store.select("transaction", "entity = ?", [customer]):
            if row.get("type") == "CustInvc":
                balance += self.remaining(row)
            elif row.get("type") in ("CustCred", "CustPymt") and row.get("status") != "V":
                balance -= self.total(row) - self.applied(row)
        return balance

    def _period(self, row: Json) -> Json:
        flags = {
            name: row.get(name.lower()) == "T"
            for name in ("closed", "allLocked", "arLocked", "apLocked", "payrollLocked", "allowNonGLChanges",
                         "isAdjust", "isPosting", "isQuarter", "isYear", "isInactive")
        }  # fmt: skip
        return {
            "id": str(row["id"]), "periodName": row.get("periodname"), "startDate": row.get("startdate"),
            "endDate": row.get("enddate"), "closedOnDate": row.get("closedondate"),
            "parent": self.reference("accountingperiod", row.get("parent"), "periodname", "accountingPeriod"),
            "lastModifiedDate": row.get("lastmodifieddate"), **flags,
        }  # fmt: skip


def _decimal(value: object) -> Decimal | None:
    return None if value is None else Decimal(str(value))


def _absolute(value: object) -> Decimal | None:
    return None if value is None else abs(Decimal(str(value)))


def columns_of(kind: RecordType) -> dict[str, str]:
    """REST field -> column of the record's own table, for the filters of a collection."""
    names = {column.lower(): column for column in tables.COLUMNS[kind.table]}
    fields: dict[str, Any] = {
        "id": "id", "externalId": "externalid", "tranId": "tranid", "tranDate": "trandate", "dueDate": "duedate",
        "entity": "entity", "customer": "entity", "currency": "currency", "postingPeriod": "postingperiod",
        "status": "status", "memo": "memo", "otherRefNum": "otherrefnum", "createdDate": "createddate",
        "lastModifiedDate": "lastmodifieddate", "entityId": "entityid", "companyName": "companyname",
        "email": "email", "isInactive": "isinactive", "dateCreated": "datecreated", "periodName": "periodname",
        "startDate": "startdate", "endDate": "enddate", "closed": "closed", "arLocked": "arlocked",
        "allLocked": "alllocked", "isQuarter": "isquarter", "isYear": "isyear", "isAdjust": "isadjust",
        "total": "foreigntotal", "amountRemaining": "foreignamountunpaid",
    }  # fmt: skip
    return {field.lower(): column for field, column in fields.items() if column in names}
