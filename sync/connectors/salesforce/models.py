"""Salesforce's records as our queries select them. Fields of the org's own come beside them."""

from __future__ import annotations

from typing import Annotated

from sync.connectors.salesforce.translate import CONTRACT_STATUS
from sync.vendor.objects import Number, Text, VendorObject, known


class _Record(VendorObject):
    Id: Text
    IsDeleted: bool
    SystemModstamp: Text
    CurrencyIsoCode: str | None = None


class User(VendorObject):
    Name: str | None = None


class Account(_Record):
    Name: str | None = None
    Type: str | None = None
    Owner: User | None = None
    MasterRecordId: str | None = None


class Contract(_Record):
    AccountId: str | None = None
    ContractNumber: str | None = None
    StatusCode: Annotated[str, known(CONTRACT_STATUS)] | None = None
    StartDate: str | None = None
    EndDate: str | None = None
    ContractTerm: int | None = None
    ActivatedDate: str | None = None


class Opportunity(_Record):
    AccountId: str | None = None
    ContractId: str | None = None
    Name: str | None = None
    Type: str | None = None
    StageName: str | None = None
    IsClosed: bool | None = None
    IsWon: bool | None = None
    Amount: Number | None = None
    CloseDate: str | None = None


OBJECTS: dict[str, type[VendorObject]] = {"Account": Account, "Contract": Contract, "Opportunity": Opportunity}
