"""The settings that say where another system's objects are named, by connector. Pure.

A setting that a connector does not declare is not proposed, whatever stands here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sync.vendor.contract import Connector

NAMING = ("crm_connection", "billing_connection", "erp_connection")
"""The settings that name the connection whose ids stand somewhere."""
CRM_FORM = "crm_id_form"
_DOCUMENTS = {"invoice": "invoice", "credit_memo": "credit_memo", "payment": "payment", "sales_order": "subscription"}


@dataclass(frozen=True, slots=True)
class Mapped:
    """One setting whose value names a field that holds ids (or numbers) of another connection's objects.

    `aims`: own object type -> type of the object that is named. `role`: of the system that has it. `under`: paths below which the
    field stands, each with its final point, such as `metadata.`; the value of the setting is what follows. `names`: which values
    the setting may have. `connection`: the setting that names the other connection. `form`: the setting that says what stands
    around the id; empty: nothing may. `by`: `number` or `code` where not the id is named. `alone`: no two objects of one type
    may name the same one. `free`: fields that people or customers fill as they like, which prove little.
    """

    setting: str
    role: str
    aims: Mapping[str, str]
    names: re.Pattern[str]
    under: Sequence[str] = ("",)
    connection: str = ""
    form: str = ""
    by: str = ""
    alone: bool = False
    free: frozenset[str] = frozenset()

    def value_of(self, path: str) -> str:
        """The value of the setting for a field at this path; empty where the setting cannot name it."""
        for start in self.under:
            name = path.removeprefix(start)
            if path.startswith(start) and self.names.fullmatch(name):
                return name
        return ""


_CRM_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)
_KEY = re.compile(r"[^\x00-\x1f]{1,40}")
_BODY_FIELD = re.compile(r"externalid|otherrefnum|memo|tranid|custbody[a-z0-9_]{1,40}", re.ASCII)
_NUMBER_FIELD = re.compile(r"otherrefnum|custbody[a-z0-9_]{1,40}", re.ASCII)
_ENTITY_FIELD = re.compile(r"externalid|custentity[a-z0-9_]{1,40}", re.ASCII)
_WRITTEN_BY_PEOPLE = frozenset({"otherrefnum", "memo", "tranid"})
_OF_SUBSCRIPTION = "parent.subscription_details.metadata."

MAPPED: Mapping[str, Sequence[Mapped]] = {
    "netsuite": (
        Mapped(
            "crm_id_field", "crm", {"customer": "customer"}, _ENTITY_FIELD,
            connection="crm_connection", form="crm_id_pattern",
        ),
        Mapped(
            "billing_id_field", "billing", _DOCUMENTS, _BODY_FIELD,
            connection="billing_connection", form="billing_id_form", alone=True, free=_WRITTEN_BY_PEOPLE,
        ),
        Mapped(
            "billing_customer_field", "billing", {"customer": "customer"}, _ENTITY_FIELD,
            connection="billing_connection", form="billing_customer_form",
        ),
        Mapped(
            "contract_number_field", "crm", {"invoice": "contract", "sales_order": "contract"}, _NUMBER_FIELD,
            connection="crm_connection", form="contract_number_form", by="number", free=_WRITTEN_BY_PEOPLE,
        ),
    ),
    "stripe": (
        Mapped("crm_id_key", "crm", {"customer": "customer"}, _KEY, ("metadata.",), "crm_connection", "crm_id_pattern"),
        Mapped(
            "contract_number_key", "crm", {"subscription": "contract", "invoice": "contract"}, _KEY,
            ("metadata.", _OF_SUBSCRIPTION), "crm_connection", "contract_number_form", by="number",
        ),
        Mapped("legal_entity_key", "erp", {"customer": "legal_entity"}, _KEY, ("metadata.",), by="code"),
        Mapped(
            "erp_customer_key", "erp", {"customer": "customer"}, _KEY, ("metadata.",),
            "erp_connection", "erp_customer_form", alone=True,
        ),
    ),
    "salesforce": (
        Mapped(
            "erp_customer_field", "erp", {"customer": "customer"}, _CRM_FIELD,
            connection="erp_connection", form="erp_customer_form", alone=True,
        ),
        Mapped(
            "billing_customer_field", "billing", {"customer": "customer"}, _CRM_FIELD,
            connection="billing_connection", form="billing_customer_form", alone=True,
        ),
        Mapped(
            "subscription_field", "billing", {"contract": "subscription"}, _CRM_FIELD, connection="billing_connection"
        ),
    ),
    "gainsight": (
        Mapped(
            "crm_id_field", "crm", {"customer": "customer"}, _CRM_FIELD, connection="crm_connection", form="crm_id_pattern"
        ),
    ),
}  # fmt: skip
"""By the slug of the connector."""

WRAPPERS: Mapping[str, Sequence[Sequence[str]]] = {
    "netsuite": (("transaction",), ("row",)),
    "stripe": (("data", "object"), ("object",)),
    "gainsight": (("record",),),
}
"""Where the vendor's own record stands in a body that came in, by connector; otherwise it is the body."""


def mapped(connector: Connector) -> list[Mapped]:
    """The settings of this kind that the connector declares, each with the setting of its form where it declares that too."""
    names = {setting.name for setting in connector.settings}
    declared = [each for each in MAPPED.get(connector.slug, ()) if each.setting in names]
    return [each if each.form in names else replace(each, form="") for each in declared]
