"""What a connection declares of its account's fields: which of them hold other systems' ids, contract numbers and amounts.

A custom field of a transaction is `custbody...`, one of a customer `custentity...`; NetSuite names them so itself, and no other
text reaches a query. An external id is unique within its type of record, and whoever imports a record may set it.
"""

from __future__ import annotations

import re

from sync.vendor.contract import Config, Misunderstood, Setting
from sync.vendor.references import NONE, form_setting, judge_places, place

BODY = r"custbody[a-z0-9_]{1,40}"
ENTITY = r"custentity[a-z0-9_]{1,40}"
_BODY = re.compile(BODY, re.ASCII)
_ENTITY = re.compile(ENTITY, re.ASCII)
EXTERNAL_ID = "externalid"
BILLING_PLACES = (EXTERNAL_ID, "memo", "tranid", "otherrefnum")
"""The standard fields of a transaction in which an id of the billing system may stand."""

SETTINGS: tuple[Setting, ...] = (
    Setting(
        "crm_id_field",
        "Field of the CRM's id of a customer",
        required=False,
        steers=False,
        default=EXTERNAL_ID,
        maps=True,
        judge=judge_places(ENTITY, (EXTERNAL_ID,)),
        help="externalid or a custom entity field, such as custentity_sfdc_account; none: no field holds it.",
    ),
    Setting(
        "billing_customer_field",
        "Field of billing's id of a customer",
        required=False,
        steers=False,
        default=NONE,
        maps=True,
        judge=judge_places(ENTITY, (EXTERNAL_ID,)),
        help="externalid or a custom entity field; none: no field holds it.",
    ),
    form_setting("billing_customer_form", "How billing's id of a customer is written", "What stands around it"),
    Setting(
        "billing_id_field",
        "Field of billing's id of a transaction",
        required=False,
        steers=False,
        default=EXTERNAL_ID,
        maps=True,
        judge=judge_places(BODY, BILLING_PLACES, several=True),
        help="externalid, memo, tranid, otherrefnum or a custom body field; several with commas between, of which the first that "
        "holds an id counts; none: no field holds it.",
    ),
    form_setting("billing_id_form", "How billing's id of a transaction is written", "What stands around it"),
    Setting(
        "contract_number_field",
        "Field of the contract number",
        required=False,
        steers=False,
        maps=True,
        judge=judge_places(BODY, ("otherrefnum",)),
        help="Of transactions: otherrefnum (NetSuite's PO number) or a custom body field. Empty: no field holds it.",
    ),
    form_setting("contract_number_form", "How the contract number is written", "What stands around it"),
    Setting(
        "end_customer_field",
        "Field of the customer who uses it",
        required=False,
        steers=False,
        default=NONE,
        maps=True,
        judge=judge_places(BODY),
        help="A custom body field that names the customer who uses what another one pays; none: there is none.",
    ),
    Setting(
        "order_annual_field",
        "Recurring amount a year of a sales order",
        required=False,
        steers=False,
        maps=True,
        judge=judge_places(BODY, ("foreignamount",)),
        help="foreignamount where the order's amount is that, or a custom body field. Empty: orders do not state it.",
    ),
    Setting(
        "order_term_field",
        "Months of a sales order",
        required=False,
        steers=False,
        maps=True,
        judge=judge_places(BODY),
        help="A custom body field.",
    ),
)


def body_field(config: Config, setting: str, standard: str = "") -> str:
    """The transaction field that a setting names: the standard one or a custom body field; empty when none is declared. Raises
    `Misunderstood("setting_invalid")` for any other name."""
    return _checked(setting, place(config, setting), _BODY, (standard,))


def entity_field(config: Config, setting: str) -> str:
    """The customer field that a setting names: the external id or a custom entity field; empty when none is declared. Raises
    `Misunderstood("setting_invalid")` for any other name."""
    return _checked(setting, place(config, setting), _ENTITY, (EXTERNAL_ID,))


def billing_fields(config: Config) -> list[str]:
    """The transaction fields that may hold billing's id, in the order in which they count. Raises as `body_field`."""
    named = [name.strip() for name in place(config, "billing_id_field").split(",")]
    return [_checked("billing_id_field", name, _BODY, BILLING_PLACES) for name in named if name]


def _checked(setting: str, name: str, custom: re.Pattern[str], standard: tuple[str, ...]) -> str:
    if name and name not in standard and not custom.fullmatch(name):
        raise Misunderstood(f"The setting {setting} names no field that can be read.", "setting_invalid")
    return name


def custom_body_fields(config: Config) -> list[str]:
    """The custom fields of transactions that the settings name, in one order, none twice."""
    names = {
        body_field(config, "contract_number_field", "otherrefnum"),
        body_field(config, "order_annual_field", "foreignamount"),
        body_field(config, "order_term_field"),
        body_field(config, "end_customer_field"),
        *billing_fields(config),
    }
    return sorted(name for name in names if _BODY.fullmatch(name))


def custom_entity_fields(config: Config) -> list[str]:
    """The custom fields of customers that the settings name, in one order, none twice."""
    names = {entity_field(config, setting) for setting in ("crm_id_field", "billing_customer_field")}
    return sorted(name for name in names if _ENTITY.fullmatch(name))
