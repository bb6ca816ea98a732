"""NetSuite's rows as our SuiteQL selects them, and the hints of our own script. Every value is text; nulls are absent."""

from __future__ import annotations

from typing import Annotated, Literal

from sync.connectors.netsuite.translate import DELETED_TYPES, HINTED, OBJECT_TYPES
from sync.vendor.objects import Text, VendorObject, WrittenNumber, known

Flag = Literal["T", "F"]


class Transaction(VendorObject):
    id: Text
    type: Annotated[Text, known(OBJECT_TYPES)]
    status: Text | None = None
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
    trandate: str | None = None
    duedate: str | None = None
    createdfrom: str | None = None


class Application(VendorObject):
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
    externalid: str | None = None
    balancesearch: WrittenNumber | None = None
    currency: str | None = None
    subsidiary: str | None = None
    country: str | None = None


class AccountingPeriod(VendorObject):
    id: Text
    periodname: Text
    startdate: Text
    enddate: Text
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
    startdate: Text
    enddate: Text


class DeletedRecord(VendorObject):
    id: Text
    recordtype: Annotated[Text, known(DELETED_TYPES)]
    modified: Text


class Hint(VendorObject):
    nonce: Text
    type: Annotated[Text, known(HINTED)]
    id: Text


OBJECTS: dict[str, type[VendorObject]] = {
    "transaction": Transaction,
    "nexttransactionlink": Application,
    "customer": Customer,
    "accountingperiod": AccountingPeriod,
    "subsidiary": Subsidiary,
    "consolidatedexchangerate": ConsolidatedExchangeRate,
    "deletedrecord": DeletedRecord,
    "hint": Hint,
}
