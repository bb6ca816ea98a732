"""Request bodies of the record service: which properties a type knows, references, amounts."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from demo.simulators.netsuite.documents import RecordType
from demo.simulators.netsuite.errors import refuse_content
from demo.simulators.store import Store
from demo.simulators.vendor import Json, Request

_COMMON = {"externalId", "tranId", "tranDate", "subsidiary", "currency", "exchangeRate", "postingPeriod", "memo"}
_SALES = {"entity", "otherRefNum", "item"}
PROPERTIES: dict[str, set[str]] = {
    "invoice": _COMMON | _SALES | {"dueDate", "startDate", "endDate", "terms", "account", "approvalStatus"},
    "creditMemo": _COMMON | _SALES | {"account", "createdFrom", "autoApply", "apply", "location", "class", "department"},
    "customerPayment": _COMMON
    | {"customer", "payment", "arAcct", "account", "undepFunds", "checkNum", "paymentMethod", "autoApply", "apply"},
    "salesOrder": _COMMON | _SALES | {"startDate", "endDate", "orderStatus"},
    "journalEntry": _COMMON | {"approved", "reversalDate", "reversalDefer", "line"},
    "customer": {
        "externalId", "entityId", "companyName", "isPerson", "isInactive", "email", "subsidiary", "currency", "terms",
        "creditLimit", "creditHoldOverride", "comments", "parent", "receivablesAccount",
    },
}  # fmt: skip
READ_ONLY = {
    "links", "id", "total", "subtotal", "taxTotal", "applied", "unapplied", "amountRemaining", "amountPaid", "pending",
    "createdDate", "dateCreated", "lastModifiedDate", "status", "transactionNumber", "balance", "void",
}  # fmt: skip
LINE_PROPERTIES = {
    "item": {"line", "item", "quantity", "rate", "amount", "description", "links"},
    "apply": {"doc", "line", "apply", "amount", "links", "due", "total", "refNum", "type", "applyDate", "currency"},
    "line": {"line", "account", "debit", "credit", "memo", "entity", "links"},
}
_EXTERNAL_ID = re.compile(r"^[A-Za-z0-9_-]{1,200}$")


def accepted(kind: RecordType, request: Request) -> tuple[Json, list[str]]:
    """The body without properties that the type does not know, and the names that were dropped.

    Under `X-NetSuite-PropertyNameValidation: Error` an unknown name is a 400 instead. Raises Halt.
    """
    try:
        body = request.json() if request.body.strip() else {}
    except ValueError as error:
        raise refuse_content(f"The request body is not valid JSON: {error}") from error
    if not isinstance(body, dict):
        raise refuse_content("The request body must be a JSON object.")
    mode = request.headers.get("X-NetSuite-PropertyNameValidation", "Warning").lower()
    if mode not in ("error", "warning", "ignore"):
        raise refuse_content("X-NetSuite-PropertyNameValidation takes Error, Warning or Ignore.", code="INVALID_HEADER")
    dropped: list[str] = []
    out: Json = {}
    for name, value in body.items():
        if name in READ_ONLY:
            continue
        if name not in PROPERTIES[kind.rest]:
            dropped.append(name)
        elif name in LINE_PROPERTIES:
            out[name] = _sublist(name, value, dropped)
        else:
            out[name] = value
    if dropped and mode == "error":
        raise refuse_content(f"Unknown property name: {dropped[0]}.", dropped[0])
    return out, [] if mode == "ignore" else dropped


def _sublist(name: str, value: Any, dropped: list[str]) -> list[Json]:
    items = value.get("items") if isinstance(value, dict) else None
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise refuse_content(f"{name} takes an object with a list of items.", name)
    for number, item in enumerate(items):
        dropped += [f"{name}.items[{number}].{key}" for key in item if key not in LINE_PROPERTIES[name]]
    return [{key: kept for key, kept in item.items() if key in LINE_PROPERTIES[name]} for item in items]


def reference(store: Store, table: str, value: Any, path: str) -> int:
    """The internal id behind `{"id": "5"}`, `{"externalId": "x"}` or `"5"`. Raises Halt when there is no such row."""
    row = None
    if isinstance(value, dict) and "id" not in value and "externalId" in value and table in ("customer", "transaction"):
        found = store.select(table, "externalid = ?", [str(value["externalId"])], limit=1)
        row = found[0] if found else None
    else:
        id = value.get("id") if isinstance(value, dict) else value
        row = store.get(table, str(id)) if id is not None else None
    if row is None:
        raise refuse_content(f"Invalid value for the resource or sub-resource field '{path}'.", path)
    return int(row["id"])


def money(value: Any, path: str, places: int | None = None) -> Decimal:
    """An amount from the body, rounded half up to `places` decimals. Raises Halt when it is no number."""
    try:
        number = Decimal(str(value))
        if isinstance(value, bool) or not number.is_finite():
            raise InvalidOperation
    except InvalidOperation:
        raise refuse_content(f"Invalid number for '{path}'.", path) from None
    return number if places is None else number.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def day(value: Any, path: str) -> str:
    """A date from the body, `YYYY-MM-DD`. Raises Halt."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        raise refuse_content(f"Invalid date value for '{path}'. Use YYYY-MM-DD.", path)
    return value


def external_id(value: Any) -> str:
    """A valid external id. Raises Halt."""
    if not isinstance(value, str) or not _EXTERNAL_ID.match(value):
        raise refuse_content("An external ID holds letters, digits, underscores and hyphens only.", "externalId")
    return value
