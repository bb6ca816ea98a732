"""What Contract, Order and Opportunity allow, and what the platform derives on every save."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from demo.simulators.salesforce.ids import add_months
from demo.simulators.salesforce.org import Refused
from demo.simulators.vendor import Json

STATUS_CODES = {
    "Draft": "Draft", "In Approval Process": "InApproval", "InApproval": "InApproval", "Activated": "Activated",
}  # fmt: skip
STAGES: dict[str, tuple[bool, bool, int, str]] = {
    "Prospecting": (False, False, 10, "Pipeline"),
    "Qualification": (False, False, 10, "Pipeline"),
    "Needs Analysis": (False, False, 20, "Pipeline"),
    "Value Proposition": (False, False, 50, "Pipeline"),
    "Perception Analysis": (False, False, 70, "Pipeline"),
    "Proposal/Price Quote": (False, False, 75, "Pipeline"),
    "Negotiation/Review": (False, False, 90, "Pipeline"),
    "Closed Won": (True, True, 100, "Closed"),
    "Closed Lost": (True, False, 0, "Omitted"),
}
"""Stage to (closed, won, probability, forecast category)."""


@dataclass(frozen=True)
class Save:
    """One save through the API. `given` holds only the fields of the call; `before` is None on a create."""

    sobject: str
    before: Json | None
    given: Json
    now: str
    user_id: str
    count: Callable[[str, str, str], int]
    """(object, field, id) -> how many rows, not deleted, refer to that id."""
    parent: Callable[[str, str], Json | None]
    """(object, id) -> the row."""


def _contract(save: Save) -> Json:
    before, given = save.before, save.given
    code = STATUS_CODES.get(given.get("Status", "Draft"))
    if code is None:
        raise Refused(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value for Status", ["Status"])
    if before is None:
        if code == "Activated":
            raise Refused(400, "FAILED_ACTIVATION", "A contract cannot be created as Activated.", ["Status"])
        return {"Status": "Draft", "StatusCode": code} | given
    if "Status" not in given:
        return given
    if before["StatusCode"] == "Activated" and code != "Activated":
        raise Refused(400, "FAILED_ACTIVATION", "The status of an activated contract cannot be changed.", ["Status"])
    if code == "Activated" and before["StatusCode"] != "Activated":
        if set(given) != {"Status"}:
            raise Refused(400, "FAILED_ACTIVATION", "Activate with the Status field alone.", ["Status"])
        return given | {"StatusCode": code, "ActivatedDate": save.now, "ActivatedById": save.user_id}
    return given | {"StatusCode": code}


def _order(save: Save) -> Json:
    before, given = save.before, save.given
    code = "Activated" if given.get("Status") == "Activated" else "Draft"
    whole = (before or {}) | given
    if whole.get("ContractId"):
        contract = save.parent("Contract", whole["ContractId"]) or {}
        for field in ("AccountId", "CurrencyIsoCode"):
            if whole.get(field) and contract.get(field) != whole[field]:
                raise Refused(400, "FIELD_INTEGRITY_EXCEPTION", f"The contract has another {field}.", ["ContractId"])
    if before is None:
        if code == "Activated":
            raise Refused(400, "FAILED_ACTIVATION", "An order is created as a draft.", ["Status"])
        return {"StatusCode": code, "TotalAmount": Decimal("0")} | given
    if before["StatusCode"] == "Activated" and set(given) & {"AccountId", "ContractId"}:
        raise Refused(400, "FIELD_INTEGRITY_EXCEPTION", "Account and contract change only in Draft.", ["ContractId"])
    if before.get("Pricebook2Id") and given.get("Pricebook2Id", before["Pricebook2Id"]) != before["Pricebook2Id"]:
        raise Refused(400, "FIELD_INTEGRITY_EXCEPTION", "The price book cannot be changed.", ["Pricebook2Id"])
    if "Status" in given and code != before["StatusCode"]:
        if set(given) != {"Status"}:
            raise Refused(400, "FAILED_ACTIVATION", "Only Status may change in the activating call.", ["Status"])
        if code == "Activated":
            if not save.count("OrderItem", "OrderId", before["Id"]):
                raise Refused(400, "FAILED_ACTIVATION", "An order needs at least one product.", ["Status"])
            return given | {"StatusCode": code, "ActivatedDate": save.now, "ActivatedById": save.user_id}
        return given | {"StatusCode": code, "ActivatedDate": None, "ActivatedById": None}
    return given


def _opportunity(save: Save) -> Json:
    """Amount is accepted and ignored on an opportunity with products."""
    given = dict(save.given)
    if save.before and save.count("OpportunityLineItem", "OpportunityId", save.before["Id"]):
        given.pop("Amount", None)
    return given


def _unchanged(save: Save) -> Json:
    return save.given


_RULES = {"Contract": _contract, "Order": _order, "Opportunity": _opportunity}


def allowed(save: Save) -> Json:
    """The fields that this save really writes. Raises Refused."""
    return _RULES.get(save.sobject, _unchanged)(save)


def derived(sobject: str, row: Json, changed: Json) -> Json:
    """What the platform computes from the row; `changed` are the fields that this save wrote."""
    match sobject:
        case "Contract":
            found: Json = {"StatusCode": STATUS_CODES.get(row.get("Status") or "Draft", "Draft")}
            if row.get("StartDate") and row.get("ContractTerm"):
                end = add_months(date.fromisoformat(row["StartDate"]), int(row["ContractTerm"]))
                found["EndDate"] = end.isoformat()
            return found
        case "Order":
            return {"StatusCode": "Activated" if row.get("Status") == "Activated" else "Draft"}
        case "Opportunity" if "StageName" in changed:
            closed, won, probability, category = STAGES.get(row.get("StageName", ""), (False, False, 0, "Pipeline"))
            found = {"IsClosed": closed, "IsWon": won, "ForecastCategory": category}
            return found if "Probability" in changed else found | {"Probability": probability}
        case "OpportunityLineItem" | "OrderItem" if {"Quantity", "UnitPrice"} & changed.keys():
            if row.get("UnitPrice") is None:
                return {}
            discount = Decimal(str(row.get("Discount") or 0))
            total = Decimal(str(row["UnitPrice"])) * Decimal(str(row["Quantity"]))
            return {"TotalPrice": total * (100 - discount) / 100}
        case "Contact":
            return {"Name": " ".join(filter(None, (row.get("FirstName"), row.get("LastName"))))}
    return {}


ROLLUPS = {
    "OpportunityLineItem": ("Opportunity", "OpportunityId", "Amount"),
    "OrderItem": ("Order", "OrderId", "TotalAmount"),
}
"""Child object to (parent object, the child's reference, the parent's total)."""
AUTO_NUMBERS = {"Contract": ("ContractNumber", "C-"), "Order": ("OrderNumber", ""), "Quote": ("QuoteNumber", "")}
