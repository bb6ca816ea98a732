"""What a connection declares of its org's fields: which of them name other systems' objects and contract numbers, and what its
own words for a contract's status mean.

A contract's status is a pick-list of the org whose values belong to one of the codes Draft, InApproval and Activated (Object
Reference, Contract, Status and StatusCode): several labels may share a code, and the label may say more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from sync.connectors.salesforce.models import CONTRACT_STATUS
from sync.vendor.contract import Config, Refused, Setting
from sync.vendor.references import BILLING_CONNECTION, ERP_CONNECTION, form_setting, judge_places, judge_words, place, words_of

_NAME = r"[A-Za-z][A-Za-z0-9_]{0,79}"
_FIELD = re.compile(_NAME, re.ASCII)
CONTRACT_NUMBER = "ContractNumber"

SETTINGS: tuple[Setting, ...] = (
    ERP_CONNECTION,
    Setting(
        "erp_customer_field",
        "Field of the ERP's customer",
        required=False,
        steers=False,
        maps=True,
        judge=judge_places(_NAME),
        help="API name of the account's field that holds the ERP's id of the customer. Empty: no field holds it.",
    ),
    form_setting("erp_customer_form", "How the ERP's id of a customer is written", "What stands around it"),
    BILLING_CONNECTION,
    Setting(
        "billing_customer_field",
        "Field of billing's customer",
        required=False,
        steers=False,
        maps=True,
        judge=judge_places(_NAME),
        help="API name of the account's field that holds billing's id of the customer. Empty: no field holds it.",
    ),
    form_setting("billing_customer_form", "How billing's id of a customer is written", "What stands around it"),
    Setting(
        "subscription_field",
        "Field of billing's subscription",
        required=False,
        steers=False,
        maps=True,
        judge=judge_places(_NAME),
        help="API name of the contract's field that holds billing's id of the subscription. Empty: no field holds it.",
    ),
    Setting(
        "contract_number_field",
        "Field of the contract number",
        required=False,
        steers=False,
        default=CONTRACT_NUMBER,
        maps=True,
        judge=judge_places(_NAME, several=True),
        help="API name of the contract's field; several with commas between, of which the first that holds one counts.",
    ),
    form_setting("contract_number_form", "How the contract number is written", "What stands around it"),
    Setting(
        "contract_status_words",
        "Words of a contract's status",
        required=False,
        steers=False,
        maps=True,
        judge=judge_words(frozenset(CONTRACT_STATUS.values())),
        help="The org's own words for draft, in_approval and activated, such as Live=activated, Ended=activated. Empty: the code "
        "of the status tells.",
    ),
    Setting(
        "arr_field",
        "Field of the recurring amount a year",
        required=False,
        steers=False,
        maps=True,
        judge=judge_places(_NAME),
        help="API name of the account's field that holds an amount a year in the account's currency. Empty: no field holds it.",
    ),
)


def field_of(config: Config, setting: str, record: str = "account") -> str:
    """The field of a record that a setting names, for a query; empty for none. Raises `Refused("setting_invalid")` for what is no
    name of a field."""
    return _checked(place(config, setting), record)


def number_fields(config: Config) -> list[str]:
    """The fields that may hold a contract's number, in the order in which they count."""
    named = place(config, "contract_number_field") or CONTRACT_NUMBER
    return [name.strip() for name in named.split(",") if name.strip()]


def status_words(config: Config) -> Mapping[str, str]:
    """Our word for each of the org's own, in small letters."""
    return {theirs.lower(): ours for theirs, ours in words_of(config.get("contract_status_words")).items()}


def account_fields(config: Config) -> list[str]:
    """The fields of accounts that tie them to other systems' customers: without one of them, what it says would seem undone.
    Raises as `field_of`."""
    named = [field_of(config, setting) for setting in ("same_customer_field", "erp_customer_field", "billing_customer_field")]
    return [name for name in named if name]


def contract_fields(config: Config) -> list[str]:
    """The fields of contracts that tie them to other systems' objects. Raises as `field_of`."""
    numbers = [_checked(name, "contract") for name in number_fields(config)]
    subscription = field_of(config, "subscription_field", "contract")
    return [name for name in (*numbers, subscription, "Status" if status_words(config) else "") if name]


def _checked(name: str, record: str) -> str:
    if name and not _FIELD.fullmatch(name):
        raise Refused(f"A declared field of the {record} is no Salesforce field name.", "setting_invalid")
    return name
