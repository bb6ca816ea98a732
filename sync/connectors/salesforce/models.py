"""Salesforce's records as our queries select them, and the words of its lists with ours for them. Fields of the org's own come
beside them."""

from __future__ import annotations

from typing import Annotated

from sync.vendor.objects import Day, Number, Text, VendorObject, known

CONTRACT_STATUS = {"Draft": "draft", "InApproval": "in_approval", "Activated": "activated"}


class Record(VendorObject):
    """What every record has."""

    Id: Text
    IsDeleted: bool
    SystemModstamp: Text
    CurrencyIsoCode: str | None = None


class Deleted(Record):
    """All that is read of a deleted record. An account that was merged away names the one that it was merged into."""

    MasterRecordId: str | None = None


class User(VendorObject):
    Name: str | None = None


class Account(Record):
    Name: Text
    Type: str | None = None
    Owner: User | None = None
    MasterRecordId: str | None = None


class Contract(Record):
    AccountId: str | None = None
    ContractNumber: str | None = None
    Status: str | None = None
    StatusCode: Annotated[Text, known(CONTRACT_STATUS)]
    StartDate: Day | None = None
    EndDate: Day | None = None
    ContractTerm: int | None = None
    ActivatedDate: str | None = None


class Opportunity(Record):
    AccountId: str | None = None
    ContractId: str | None = None
    Name: str | None = None
    Type: str | None = None
    StageName: Text
    IsClosed: bool
    IsWon: bool
    Amount: Number | None = None
    CloseDate: Day | None = None


OBJECTS: dict[str, type[Record]] = {"Account": Account, "Contract": Contract, "Opportunity": Opportunity}
