"""Objects, fields and picklists of the simulated tenant: the one place that says what exists.

Documents keep picklist values as item GSIDs, dates as ``2026-03-01``, moments as ISO UTC with milliseconds, money as
exact decimals. `complete` turns what a loader or caller wrote (labels, epoch milliseconds, samples' date forms) into
that.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from demo.simulators.vendor import Json

PREFIXES = {
    "company": "1P02", "gsuser": "1P01", "relationship": "1P05", "call_to_action": "1S01", "cta_group": "1S02",
    "person": "1P03", "company_person": "1P04", "cs_task": "1S03", "gs_opportunity": "1P06",
    "gs_company_forecast": "1P07", "scorecard_fact": "1P08", "activity_timeline": "1P09",
}  # fmt: skip

_AUDIT = "CreatedDate:DATETIME ModifiedDate:DATETIME CreatedBy:LOOKUP(gsuser) ModifiedBy:LOOKUP(gsuser)"
_FIELDS: dict[str, str] = {
    "company": (
        "Gsid:GSID Name:STRING SfdcAccountId:SFDCID ParentCompany:LOOKUP(company) Industry:PICKLIST Arr:CURRENCY "
        "Mrr:CURRENCY OnetimeRevenue:CURRENCY Employees:NUMBER Users:NUMBER Stage:PICKLIST Status:PICKLIST "
        "ManagedAs:PICKLIST OriginalContractDate:DATE RenewalDate:DATE LifetimeInMonths:NUMBER "
        "LifecycleInWeeks:NUMBER Csm:LOOKUP(gsuser) CurrentScore:STRING PreviousScore:STRING ScorecardId:GSID "
        f"Nps:NUMBER CurrencyIsoCode:STRING Tags:STRING Summary:RICHTEXTAREA {_AUDIT}"
    ),
    "relationship": (
        "Gsid:GSID Name:STRING CompanyId:LOOKUP(company) TypeId:GSID Csm:LOOKUP(gsuser) Arr:CURRENCY Mrr:CURRENCY "
        "OriginalContractDate:DATE RenewalDate:DATE Stage:PICKLIST Status:PICKLIST CurrentScore:STRING "
        f"PreviousScore:STRING ScorecardId:GSID CurrencyIsoCode:STRING {_AUDIT}"
    ),
    "gsuser": (
        "Gsid:GSID Name:STRING FirstName:STRING LastName:STRING Email:EMAIL SFDCUserName:STRING "
        f"IsActiveUser:BOOLEAN {_AUDIT}"
    ),
    "person": f"Gsid:GSID Email:EMAIL FirstName:STRING LastName:STRING ExternalRecordID:STRING {_AUDIT}",
    "company_person": (
        "Gsid:GSID Person_ID:LOOKUP(person) Company_ID:LOOKUP(company) Email:EMAIL FirstName:STRING LastName:STRING "
        f"Role:STRING Title:STRING IsPrimaryCompany:BOOLEAN {_AUDIT}"
    ),
    "call_to_action": (
        "Gsid:GSID Name:STRING CompanyId:LOOKUP(company) EntityType:STRING DueDate:DATETIME IsClosed:BOOLEAN "
        "IsImportant:BOOLEAN OwnerId:LOOKUP(gsuser) PriorityId:PICKLIST ReasonId:PICKLIST StatusId:PICKLIST "
        f"TypeId:PICKLIST ClosedDate:DATETIME Comments:RICHTEXTAREA OperationId__gc:STRING {_AUDIT} "
        "ModifiedById:LOOKUP(gsuser)"
    ),
    "cs_task": (
        "Gsid:GSID Name:STRING CtaId:LOOKUP(call_to_action) OwnerId:LOOKUP(gsuser) DueDate:DATETIME "
        f"StatusId:PICKLIST {_AUDIT}"
    ),
    "cta_group": (
        "Gsid:GSID Name:STRING CompanyId:LOOKUP(company) DueDate:DATETIME StatusId:PICKLIST StatusName:STRING "
        "SuccessPlanTypeId:PICKLIST TypeName:STRING OwnerId:LOOKUP(gsuser) PercentComplete:PERCENTAGE OpenCtas:NUMBER "
        f"OverdueCtas:NUMBER {_AUDIT}"
    ),
    "gs_opportunity": (
        "Gsid:GSID Name:STRING CompanyId:LOOKUP(company) RelationshipId:LOOKUP(relationship) ExternalId:STRING "
        "Type:PICKLIST Stage:PICKLIST RenewalStage:PICKLIST CloseDate:DATE DueDate:DATE Description:RICHTEXTAREA "
        "TargetAmount:CURRENCY ForecastAmount:CURRENCY FinalAmount:CURRENCY ExpectedForecast:CURRENCY "
        "ChangeAmount:CURRENCY CurrencyIsoCode:STRING OwnerId:LOOKUP(gsuser) Deleted:BOOLEAN StartedDate__gc:DATE "
        f"HoldReason__gc:STRING HoldReference__gc:STRING {_AUDIT}"
    ),
    "gs_company_forecast": (
        "Gsid:GSID CompanyId:LOOKUP(company) Quarter:STRING RenewableAmount:CURRENCY ForecastedAmount:CURRENCY "
        f"ChurnAmount:CURRENCY Grr:PERCENTAGE Nrr:PERCENTAGE CurrencyIsoCode:STRING {_AUDIT}"
    ),
    "scorecard_fact": (
        "Gsid:GSID CompanyId:LOOKUP(company) ScorecardId:GSID MeasureId:GSID CurrentScoreId:GSID PreviousScoreId:GSID "
        f"Trend:STRING {_AUDIT}"
    ),
    "activity_timeline": (
        "Gsid:GSID GsCompanyId:LOOKUP(company) GsRelationshipId:LOOKUP(relationship) ContextName:STRING Subject:STRING "
        f"Notes:RICHTEXTAREA AuthorId:LOOKUP(gsuser) ActivityDate:DATETIME LastModifiedDate:DATETIME {_AUDIT}"
    ),
}  # fmt: skip

PICKLISTS: dict[tuple[str, str], tuple[str, ...]] = {
    ("company", "Industry"): ("Software", "Manufacturing", "Financial Services", "Healthcare", "Retail", "Other"),
    ("company", "Stage"): ("New Customer", "Kicked Off", "Launched", "Adopting", "Will Churn", "Churn"),
    ("company", "Status"): ("Active", "Inactive", "Churn"),
    ("company", "ManagedAs"): ("Customer", "Ex-customer", "Partner", "Prospect"),
    ("gs_opportunity", "Type"): ("New Business", "Upgrade", "Renewal"),
    ("gs_opportunity", "Stage"): ("Prospecting", "Qualification", "Proposal", "Negotiation", "Closed Won", "Closed Lost"),
    ("gs_opportunity", "RenewalStage"): ("Not Started", "In Progress", "On Hold", "Closed Won", "Closed Lost"),
    ("call_to_action", "StatusId"): ("New", "Work In Progress", "Closed Success", "Closed Lost", "Closed Invalid"),
    ("call_to_action", "PriorityId"): ("Low", "Medium", "High"),
    ("call_to_action", "TypeId"): ("Risk", "Opportunity", "Lifecycle", "Renewal"),
    ("call_to_action", "ReasonId"): ("Usage Drop", "Billing", "Renewal", "Support Risk", "Other"),
    ("cta_group", "StatusId"): ("Draft", "Active", "Closed"),
}
"""Items planted for a field; a label that is loaded and unknown becomes a further item."""

NAIVE_FORMATS = ("%m-%d-%Y", "%m-%d-%Y %H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadValue(ValueError):
    """A value that the field cannot take; `code` is the vendor's error code."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True)
class Field:
    """One field of an object; `target` is the object a LOOKUP points to."""

    name: str
    type: str
    target: str = ""


def _parsed(text: str) -> dict[str, Field]:
    out = {}
    for entry in text.split():
        name, _, kind = entry.partition(":")
        match = re.fullmatch(r"LOOKUP\((\w+)\)", kind)
        out[name] = Field(name, "LOOKUP", match.group(1)) if match else Field(name, kind)
    return out


FIELDS: dict[str, dict[str, Field]] = {name: _parsed(text) for name, text in _FIELDS.items()}
"""Object -> field name -> field."""

_NAMES = {name.lower(): name for name in FIELDS}


def object_name(text: str) -> str | None:
    """The object's own spelling; names are taken in any case (`Company`, `company`)."""
    return _NAMES.get(text.lower())


def gsid(prefix: str, *parts: object) -> str:
    """A stable 36-character id made from its parts."""
    number = int.from_bytes(hashlib.sha256("|".join(map(str, parts)).encode()).digest(), "big")
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    out = ""
    while len(out) < 36 - len(prefix):
        number, digit = divmod(number, 36)
        out += letters[digit]
    return prefix + out


def category_id(object: str, field: str) -> str:
    """The id of a field's dropdown category."""
    return gsid("1I00", "category", object, field)


def item_id(object: str, field: str, label: str) -> str:
    """The id of one picklist item."""
    return gsid("1I00", object, field, label)


def parse_moment(value: Any, code: str = "GSOBJ_1005") -> datetime:
    """A date or moment as callers write it: epoch ms, ISO with or without offset, or the samples' forms. Naive is UTC."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return datetime.fromtimestamp(int(value) / 1000, UTC)
    text = str(value)
    try:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    except ValueError:
        pass
    for form in NAIVE_FORMATS:
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise BadValue(code, f"Unparseable date value {text!r}")


def iso(moment: datetime) -> str:
    """ISO UTC with milliseconds and Z: the stored form of a moment."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def kept(field: Field, value: Any) -> Any:
    """One value in its stored form; picklist labels are left to the caller. Raises BadValue."""
    if value is None:
        return None
    match field.type:
        case "DATE":
            return value if re.fullmatch(r"\d{4}-\d\d-\d\d", str(value)) else iso(parse_moment(value, "GSOBJ_1006"))[:10]
        case "DATETIME":
            return iso(parse_moment(value))
        case "BOOLEAN":
            if not isinstance(value, bool):
                raise BadValue("GSOBJ_1002", f"Invalid value for field {field.name}")
            return value
        case "NUMBER" | "PERCENTAGE" | "CURRENCY":
            return _number(field, value)
        case "SFDCID":
            if len(str(value)) not in (15, 18):
                raise BadValue("GSOBJ_1002", f"Invalid value for field {field.name}: a Salesforce id has 15 or 18 characters")
            return str(value)
        case "STRING" | "EMAIL" | "URL" if len(str(value)) > 4000:
            raise BadValue("GSOBJ_1001", f"Value longer than the field {field.name}")
    return str(value)


def _number(field: Field, value: Any) -> int | Decimal:
    try:
        if isinstance(value, bool | float):
            raise InvalidOperation
        number = Decimal(str(value))
    except InvalidOperation:
        raise BadValue("GSOBJ_1002", f"Invalid value for field {field.name}") from None
    return int(number) if number == number.to_integral_value() and number.as_tuple().exponent == 0 else number


def described(
    object: str, items: Mapping[str, list[Json]], dropped: frozenset[str] = frozenset(), fixed: frozenset[str] = frozenset()
) -> Json:
    """The describe entry of an object. `items`: field -> its picklist items; `fixed`: fields that cannot be updated."""
    fields = []
    for field in FIELDS[object].values():
        if field.name in dropped:
            continue
        meta: Json = {
            "hidden": False, "deleted": False, "filterable": True, "sortable": field.type != "RICHTEXTAREA",
            "hasLookup": field.type == "LOOKUP", "properties": {},
            "updateable": field.name not in fixed, "readOnly": False,
            "fieldGroupType": "CUSTOM" if field.name.endswith("__gc") else "STANDARD",
        }  # fmt: skip
        entry: Json = {
            "fieldName": field.name, "label": _label(field.name), "dataType": field.type, "objectName": object,
            "meta": meta,
        }  # fmt: skip
        if field.type == "LOOKUP":
            meta["lookupDetail"] = {"lookupName": f"{field.name}__gr", "lookupObjects": [{"objectName": field.target}]}
        if field.type == "PICKLIST":
            meta["properties"] = {
                "PICKLIST_CATEGORY": _label(field.name), "PICKLIST_CATEGORY_ID": category_id(object, field.name),
                "sourceType": field.type,
            }  # fmt: skip
            entry["options"] = items.get(field.name, [])
        fields.append(entry)
    return {"objectName": object, "label": _label(object), "keyPrefix": PREFIXES[object], "fields": fields}


def _label(name: str) -> str:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("__gc")).replace("_", " ")
    return spaced[:1].upper() + spaced[1:]
