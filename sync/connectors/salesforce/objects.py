"""Salesforce's objects: which of the fields that we read this org has and shows us, and queries of what is there.

One field that the org does not have, or hides from the integration user, refuses a whole query. So describe is asked first, and a
query that is refused for a field all the same is asked once more by a fresh describe.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from revops import strict_json
from sync.connectors.salesforce.auth import error_code, get, refusal
from sync.connectors.salesforce.declared import account_fields, contract_fields, field_of
from sync.connectors.salesforce.translate import OBJECTS
from sync.vendor.contract import Client, Config, Misunderstood, Refused, Response, RetryLater
from sync.vendor.fields import Payload

REMEMBER_SECONDS = 3600
CURRENCY = "CurrencyIsoCode"

_VERSION = re.compile(r"[0-9]{2}\.0", re.ASCII)
_COMMON = ("Id", "IsDeleted", "SystemModstamp")
# Per object: fields we cannot do without, then fields that an org may not have or may hide.
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "Account": ("Name",),
    "Contract": ("AccountId", "StatusCode"),
    "Opportunity": ("AccountId", "StageName", "IsClosed", "IsWon"),
}
_WANTED: Mapping[str, tuple[str, ...]] = {
    "Account": ("Type", "Owner.Name", "MasterRecordId"),
    "Contract": ("StartDate", "EndDate", "ContractTerm", "ActivatedDate"),
    "Opportunity": ("ContractId", "Name", "Type", "Amount", "CloseDate"),
}


@dataclass(frozen=True, slots=True)
class Selection:
    """The fields that a query asks for, and those that it leaves out because this org does not show them."""

    fields: tuple[str, ...]
    left_out: tuple[str, ...]


def version(config: Config) -> str:
    version = config.get("api_version", "67.0")
    if not _VERSION.fullmatch(version):
        raise Refused("The API version must be written like 67.0.", "setting_invalid")
    return version


def described(client: Client, config: Config, name: str) -> frozenset[str]:
    """The names of an object's fields that the integration user sees, remembered for an hour."""
    if (known := client.remembered(_memory(name))) is None:
        answer = get(client, config, f"/services/data/v{version(config)}/sobjects/{name}/describe", None)
        if answer.status != 200:
            raise Refused(f"Salesforce does not describe {name}: {refusal(answer)}", "object_missing")
        body = answer.json()
        try:
            fields = Payload(f"Salesforce describe of {name}", body if isinstance(body, dict) else {}).children("fields")
            known = strict_json.dump({field.text("name"): True for field in fields}).decode()
        except Misunderstood as error:
            raise RetryLater(error.reason, 60, "unreadable_answer") from None
        client.remember(_memory(name), known, REMEMBER_SECONDS)
    stored = strict_json.parse(known.encode())
    assert isinstance(stored, dict)
    return frozenset(stored)


def forget(client: Client) -> None:
    """Ask the org anew which fields it shows."""
    for name in OBJECTS.values():
        client.forget(_memory(name))


def selection(client: Client, config: Config, object_type: str) -> Selection:
    """What to ask for, each field once. A field that ties an object to another system's is needed once it is declared: without an
    account's field of another CRM's id, one customer would become two. Raises `Refused` (`field_missing`, `setting_invalid`,
    `setting_missing`)."""
    name = OBJECTS[object_type]
    needed, wanted = [*_COMMON, *_NEEDED[name]], [*_WANTED[name]]
    if object_type == "customer":
        needed += account_fields(config)
        wanted += [name for name in (field_of(config, "legal_entity_field"), field_of(config, "arr_field")) if name]
    elif object_type == "contract":
        needed += contract_fields(config)
    shown = described(client, config, name)
    if missing := [field for field in needed if field not in shown]:
        fields = ", ".join(missing)
        raise Refused(f"Salesforce shows no field {fields} of {name} to the integration user.", "field_missing")
    if CURRENCY in shown:
        needed.append(CURRENCY)
    elif not config.get("currency"):
        raise Refused(
            f"Salesforce shows no {CURRENCY} of {name}: the setting Currency must name the org's one.", "setting_missing"
        )
    there = [field for field in wanted if field.replace(".Name", "Id") in shown]
    return Selection(tuple(dict.fromkeys((*needed, *there))), tuple(field for field in wanted if field not in there))


def query(client: Client, config: Config, object_type: str, where: str) -> Response:
    """The first page of the records that `where` says, deleted ones too. Raises `query_refused`, and as `selection`."""
    answer = _asked(client, config, object_type, where)
    if answer.status == 400 and error_code(answer) == "INVALID_FIELD":
        client.forget(_memory(OBJECTS[object_type]))
        answer = _asked(client, config, object_type, where)
    if answer.status != 200:
        raise Refused(f"Salesforce refuses a query of {OBJECTS[object_type]}: {refusal(answer)}", "query_refused")
    return answer


def _asked(client: Client, config: Config, object_type: str, where: str) -> Response:
    fields = ", ".join(selection(client, config, object_type).fields)
    soql = f"SELECT {fields} FROM {OBJECTS[object_type]} WHERE {where}"  # noqa: S608 - values are checked
    return get(client, config, f"/services/data/v{version(config)}/queryAll", {"q": soql})


def _memory(name: str) -> str:
    return f"fields:{name}"
