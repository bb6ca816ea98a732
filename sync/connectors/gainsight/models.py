"""Gainsight's records as our queries select them, beside fields of the tenant's own; the lines of its delete logs, the hints of a
rule, and the words of its lists with ours for them. A moment is epoch milliseconds or ISO text, a pick-list value an item id."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sync.vendor.objects import Number, Text, VendorObject, Wanted, Whole

RENEWAL_STAGE = {
    "Not Started": "not_started",
    "In Progress": "in_progress",
    "On Hold": "on_hold",
    "Closed Won": "won",
    "Closed Lost": "lost",
}
HOLD_FIELDS = ("hold_reason_field", "hold_reference_field")
"""The settings that name the fields which a hold writes, and which a tenant's administrator makes."""
STARTED_FIELD = "started_field"
FIELD = r"[A-Za-z][A-Za-z0-9_]{0,99}"
"""A field's name, as describe has it."""
CRM_ID_FIELD = "SfdcAccountId"
COMPANY_FIELDS = ("crm_id_field", "arr_field", "renewal_date_field")
"""The settings that name the fields of a company which a tenant may keep elsewhere."""
Moment = Annotated[int | Number | str, Field(union_mode="left_to_right"), Wanted("a moment")]


class _Record(VendorObject):
    Gsid: Text
    ModifiedDate: Moment | None = None
    CreatedDate: Moment | None = None


class Company(_Record):
    Name: str | None = None
    SfdcAccountId: str | None = None
    Arr: Number | None = None
    CurrencyIsoCode: str | None = None
    RenewalDate: Moment | None = None
    Stage: str | None = None
    Status: str | None = None
    csm_name: str | None = Field(None, alias="Csm__gr.Name")


class GsOpportunity(_Record):
    CompanyId: Text
    RenewalStage: str | None = None
    Name: str | None = None
    ExternalId: str | None = None
    Type: str | None = None
    CloseDate: Moment | None = None
    TargetAmount: Number | None = None
    ForecastAmount: Number | None = None
    CurrencyIsoCode: str | None = None


class CallToAction(_Record):
    Name: str | None = None
    CompanyId: str | None = None
    IsClosed: bool
    DueDate: Moment | None = None
    StatusId: str | None = None
    status_name: str | None = Field(None, alias="StatusId__gr.Name")
    PriorityId: str | None = None
    priority_name: str | None = Field(None, alias="PriorityId__gr.Name")
    TypeId: str | None = None
    type_name: str | None = Field(None, alias="TypeId__gr.Name")


class DeletedRecord(VendorObject):
    RecordId: Text
    ObjectName: Text
    DeletedOn: Moment


class Hint(VendorObject):
    object: Text
    gsid: Text
    modifiedDate: Text


class Read(VendorObject):
    """A record as our own read keeps it, with the labels of its pick-list values."""

    record: Whole
    labels: dict[str, str] = {}


OBJECTS: dict[str, type[VendorObject]] = {
    "company": Company,
    "gs_opportunity": GsOpportunity,
    "call_to_action": CallToAction,
    "record_delete_log": DeletedRecord,
    "hint": Hint,
}
