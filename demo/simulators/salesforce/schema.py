"""The objects and fields of the org: what describe lists, what SOQL may name, what a write may set.

The standard fields of the objects that are read stand in `standard_fields.csv`, which names its sources. The org of the rehearsal
has the features `FEATURES` and custom fields of its own.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

STANDARD_FIELDS = Path(__file__).with_name("standard_fields.csv")
FEATURES = frozenset({"currencies", "contracts"})
"""Multiple currencies, and contracts that are tied to opportunities."""
TEXT_TYPES = frozenset({"string", "picklist", "textarea", "url", "phone", "email"})
NUMBER_TYPES = frozenset({"currency", "double", "int", "percent"})


@dataclass(frozen=True)
class Field:
    """One field. `type` as describe names it; `to` is the object a reference points at."""

    name: str
    type: str = "string"
    to: str = ""
    writable: bool = True
    required: bool = False
    external_id: bool = False
    unique: bool = False

    @property
    def relationship(self) -> str:
        """`Account` for `AccountId`; empty when it is no reference."""
        if not self.to:
            return ""
        return self.name.removesuffix("Id") if not self.name.endswith("__c") else f"{self.name[:-3]}__r"


@dataclass
class SObject:
    """One object with its key prefix and its fields by lower-case name."""

    name: str
    prefix: str
    fields: dict[str, Field] = field(default_factory=dict)

    def add(self, *fields: Field) -> SObject:
        """Add fields."""
        self.fields |= {each.name.lower(): each for each in fields}
        return self


def _ro(name: str, type: str = "string", to: str = "") -> Field:
    return Field(name, type, to, writable=False)


_COMMON = (
    _ro("Id", "id"), _ro("IsDeleted", "boolean"), _ro("CreatedDate", "datetime"), _ro("LastModifiedDate", "datetime"),
    _ro("SystemModstamp", "datetime"), _ro("CreatedById", "reference", "User"),
    _ro("LastModifiedById", "reference", "User"), Field("CurrencyIsoCode", "picklist"),
)  # fmt: skip
_EXTERNAL = Field("External_Key__c", external_id=True, unique=True)


def _text(*names: str) -> list[Field]:
    return [Field(name) for name in names]


def _money(*names: str) -> list[Field]:
    return [Field(name, "currency") for name in names]


def _dates(*names: str) -> list[Field]:
    return [Field(name, "date") for name in names]


def _ref(name: str, to: str, required: bool = False) -> Field:
    return Field(name, "reference", to, required=required)


@lru_cache(maxsize=1)
def _published() -> list[dict[str, str]]:
    with STANDARD_FIELDS.open(newline="") as lines:
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def _standard(name: str, prefix: str) -> SObject:
    """An object with the published fields that an org with our features has."""
    rows = [row for row in _published() if row["object"] == name and (not row["feature"] or row["feature"] in FEATURES)]
    return SObject(name, prefix).add(
        *(
            Field(row["field"], row["type"], row["refers_to"], row["written"] != "never", required=row["written"] == "always")
            for row in rows
        )
    )


def schema() -> dict[str, SObject]:
    """A fresh copy: an org may gain custom fields, and hide fields and objects."""
    objects = [
        _standard("Account", "001").add(Field("Legal_Entity__c", "picklist"), _EXTERNAL),
        SObject("Contact", "003").add(
            _ref("AccountId", "Account"), *_text("FirstName", "Email", "Phone", "Title"),
            Field("LastName", required=True), _ro("Name"), _ref("ReportsToId", "Contact"), _ref("OwnerId", "User"),
        ),
        _standard("Opportunity", "006").add(_EXTERNAL),
        SObject("OpportunityLineItem", "00k").add(
            _ref("OpportunityId", "Opportunity", True), _ref("Product2Id", "Product2"), Field("PricebookEntryId"),
            Field("Quantity", "double", required=True), *_money("UnitPrice", "TotalPrice"),
            _ro("ListPrice", "currency"),
            Field("Discount", "percent"), *_dates("ServiceDate"), *_text("Description"),
        ),
        _standard("Contract", "800").add(_EXTERNAL),
        SObject("Order", "801").add(
            _ref("AccountId", "Account", True), _ref("ContractId", "Contract"), _ref("OpportunityId", "Opportunity"),
            _ro("OrderNumber"), Field("EffectiveDate", "date", required=True), *_dates("EndDate"),
            Field("Status", "picklist", required=True), _ro("StatusCode", "picklist"), Field("Type", "picklist"),
            _ro("TotalAmount", "currency"), _ro("ActivatedDate", "datetime"), _ro("ActivatedById", "reference", "User"),
            Field("IsReductionOrder", "boolean"), _ref("OriginalOrderId", "Order"), *_text("PoNumber", "Description"),
            _ref("Pricebook2Id", "Pricebook2"), _ref("OwnerId", "User"), _EXTERNAL,
        ),
        SObject("OrderItem", "802").add(
            _ref("OrderId", "Order", True), _ref("Product2Id", "Product2"), Field("Quantity", "double", required=True),
            *_money("UnitPrice"), _ro("ListPrice", "currency"), _ro("TotalPrice", "currency"),
            *_dates("ServiceDate", "EndDate"), _ref("OriginalOrderItemId", "OrderItem"),
        ),
        SObject("Product2", "01t").add(
            Field("Name", required=True), *_text("ProductCode", "Family", "Description"), Field("IsActive", "boolean"),
        ),
        SObject("Pricebook2", "01s").add(Field("Name", required=True), Field("IsActive", "boolean")),
        SObject("Asset", "02i").add(
            _ref("AccountId", "Account"), _ref("ContactId", "Contact"), _ref("Product2Id", "Product2"),
            Field("Name", required=True), Field("Quantity", "double"), *_money("Price"), Field("Status", "picklist"),
            *_text("SerialNumber"), *_dates("PurchaseDate", "InstallDate", "UsageEndDate"), _ref("ParentId", "Asset"),
        ),
        SObject("Entitlement", "550").add(
            _ref("AccountId", "Account", True), _ref("AssetId", "Asset"), Field("Name", required=True),
            *_dates("StartDate", "EndDate"), _ro("Status", "picklist"), Field("Type", "picklist"),
        ),
        SObject("Quote", "0Q0").add(
            _ref("OpportunityId", "Opportunity", True), _ref("AccountId", "Account"), _ref("ContractId", "Contract"),
            _ro("QuoteNumber"), Field("Name", required=True), Field("Status", "picklist"), _ro("IsSyncing", "boolean"),
            *_dates("ExpirationDate"), _ro("Subtotal", "currency"), _ro("TotalPrice", "currency"), *_money("Tax"),
            _ro("GrandTotal", "currency"),
        ),
        SObject("User", "005").add(
            Field("Name"), *_text("Username", "Email", "FirstName", "LastName"), Field("IsActive", "boolean"),
        ),
        SObject("CurrencyType", "01L").add(
            Field("IsoCode", "picklist"), Field("ConversionRate", "double"), Field("DecimalPlaces", "int"),
            Field("IsCorporate", "boolean"), Field("IsActive", "boolean"),
        ),
    ]  # fmt: skip
    return {each.name.lower(): SObject(each.name, each.prefix).add(*_COMMON, *each.fields.values()) for each in objects}


def custom_field(type: str, name: str, to: str, external_id: bool, unique: bool) -> Field:
    """A field that the org's administrator added."""
    return Field(name, type, to, external_id=external_id, unique=unique)
