"""NetSuite's rows as our SuiteQL selects them, the hints of our own script, and the words of its lists with ours for them. Every
value is text; nulls are absent. Custom fields that a connection names come beside them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from sync.vendor.objects import Day, Text, VendorObject, Whole, WrittenNumber, known

OBJECT_TYPES = {"CustInvc": "invoice", "CustCred": "credit_memo", "CustPymt": "payment", "SalesOrd": "sales_order"}
STATUS: Mapping[str, Mapping[str, str]] = {
    "CustInvc": {"A": "open", "B": "paid", "D": "pending_approval", "E": "rejected", "V": "void"},
    "CustCred": {"A": "open", "B": "applied", "V": "void"},
    "CustPymt": {"A": "pending", "B": "paid", "C": "paid", "R": "failed"},
    "SalesOrd": {
        "A": "pending",
        "B": "active",
        "C": "canceled",
        "D": "active",
        "E": "active",
        "F": "active",
        "G": "active",
        "H": "ended",
    },
}
DELETED_TYPES = {
    "invoice": "invoice",
    "custinvc": "invoice",
    "creditmemo": "credit_memo",
    "custcred": "credit_memo",
    "customerpayment": "payment",
    "payment": "payment",
    "custpymt": "payment",
    "salesorder": "sales_order",
    "salesord": "sales_order",
    "customer": "customer",
}
"""The types of deleted records, in small letters and nothing else: as a record's name, its label or its code."""
HINTED = {
    "invoice": "invoice",
    "creditMemo": "credit_memo",
    "customerPayment": "payment",
    "salesOrder": "sales_order",
    "customer": "customer",
    "accountingPeriod": "accounting_period",
}
Flag = Literal["T", "F"]


class Transaction(VendorObject):
    id: Text
    type: Annotated[Text, known(OBJECT_TYPES)]
    status: Text
    modified: Text
    currency: Text
    foreignamount: WrittenNumber
    foreignamountpaid: WrittenNumber | None = None
    foreignamountunpaid: WrittenNumber | None = None
    tranid: str | None = None
    externalid: str | None = None
    otherrefnum: str | None = None
    entity: str | None = None
    memo: str | None = None
    postingperiod: str | None = None
    trandate: Day | None = None
    duedate: Day | None = None
    createdfrom: str | None = None
    subsidiary: str | None = None


class Application(VendorObject):
    """What one line of a payment or credit memo covers of one line of an invoice. A pair of documents may have several, and of
    amount 0."""

    previousdoc: Text
    nextdoc: Text
    foreignamount: WrittenNumber
    nexttype: Annotated[Text, known(OBJECT_TYPES)]
    nextmodified: Text


class Customer(VendorObject):
    id: Text
    modified: Text
    entityid: str | None = None
    companyname: str | None = None
    isinactive: Flag
    parent: str | None = None
    externalid: str | None = None
    balancesearch: WrittenNumber | None = None
    currency: str | None = None
    subsidiary: str | None = None
    country: str | None = None


class AccountingPeriod(VendorObject):
    id: Text
    periodname: Text
    startdate: Day
    enddate: Day
    closed: Flag
    alllocked: Flag
    arlocked: Flag
    modified: str | None = None


class Subsidiary(VendorObject):
    id: Text
    name: Text
    currency: Text
    country: str | None = None
    modified: str | None = None


class ConsolidatedExchangeRate(VendorObject):
    id: Text
    postingperiod: str | None = None
    currency: Text
    basecurrency: Text
    currentrate: WrittenNumber
    accountingbook: str | None = None
    startdate: Day
    enddate: Day


class DeletedRecord(VendorObject):
    id: Text
    type: Text
    modified: Text


class Hint(VendorObject):
    nonce: Text
    type: Annotated[Text, known(HINTED)]
    id: Text


class TransactionRead(VendorObject):
    """A transaction as our own read keeps it, with the applications that touch it."""

    transaction: Whole
    applications: list[Whole]


class RowRead(VendorObject):
    """Another row as our own read keeps it."""

    row: Whole


OBJECTS: dict[str, type[VendorObject]] = {
    "transaction": Transaction,
    "nexttransactionlinelink": Application,
    "customer": Customer,
    "accountingperiod": AccountingPeriod,
    "subsidiary": Subsidiary,
    "consolidatedexchangerate": ConsolidatedExchangeRate,
    "deletedrecord": DeletedRecord,
    "hint": Hint,
}
