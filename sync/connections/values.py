"""What a connection is given, judged before it is kept: the vendor, the address and the declared settings. Writes nothing."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from revops.errors import Rejected
from revops.installation.kind import is_rehearsal
from sync.connectors import CONNECTORS
from sync.models import names_this_machine
from sync.vendor.contract import Connector, Refused, Setting

VALUE_LENGTH_MAX = 10_000
_CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Values:
    """The settings of a connection: plain ones, and sensitive ones that are sealed."""

    plain: dict[str, str]
    sensitive: dict[str, str]


def known_vendor(vendor: str) -> Connector:
    """Raises `Rejected("unknown_vendor")`."""
    connector = CONNECTORS.get(vendor)
    if connector is None:
        raise Rejected("unknown_vendor", f"Unknown vendor {vendor[:40]!r}: no connector is for it.", field="vendor")
    return connector


def sorted_values(connector: Connector, values: Mapping[str, str]) -> Values:
    """The given settings, each judged. An empty value of a setting that may be left out says that there is none, also where it
    has a default. Raises `Rejected` (`setting_unknown`, `setting_missing`,
    `setting_invalid`) with the setting as its field."""
    declared = {setting.name: setting for setting in connector.settings}
    for name in values:
        if name not in declared:
            raise Rejected("setting_unknown", f"{connector.label} has no setting {name[:40]!r}.", field=name[:40])
    given = {name: str(value).strip() for name, value in values.items()}
    for name, setting in declared.items():
        if setting.required and not (given.get(name) or setting.default):
            raise Rejected("setting_missing", f"{connector.label} needs {setting.label}.", field=name)
    for name, value in given.items():
        _check_value(declared[name], value)
    plain = {
        name: value for name, value in given.items() if not declared[name].sensitive and (value or not declared[name].required)
    }
    return Values(plain, {name: value for name, value in given.items() if declared[name].sensitive and value})


def _check_value(setting: Setting, value: str) -> None:
    if setting.choices and value and value not in setting.choices:
        raise Rejected("setting_invalid", f"{setting.label} is one of {', '.join(setting.choices)}.", field=setting.name)
    if value and setting.judge is not None and (wrong := setting.judge(value)):
        raise Rejected("setting_invalid", f"{setting.label}: {wrong}", field=setting.name)
    text = value.replace("\r\n", "\n")
    if len(text) > VALUE_LENGTH_MAX or _CONTROLS.search(text) or ("\n" in text and setting.lines == 1):
        raise Rejected(
            "setting_invalid", f"{setting.label} is a text of at most {VALUE_LENGTH_MAX:,} characters.", field=setting.name
        )


def origin_of(base_url: str) -> str:
    """The origin that a base URL names. This machine itself may be named in a rehearsal's database alone. The addresses behind it
    are judged by the client at every call. Raises `Rejected("base_url")`."""
    from sync.vendor.http import check_base_url

    try:
        origin = check_base_url(base_url, allow_loopback=is_rehearsal())
    except Refused as refused:
        raise Rejected("base_url", refused.reason, field="base_url") from None
    if names_this_machine(origin) and not _is_this_machine(urlsplit(origin).hostname or ""):
        raise Rejected(
            "base_url", "The base URL must start with https; without it only this machine is reached.", field="base_url"
        )
    return origin


def _is_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def sent_secrets(connector: Connector) -> Iterable[Setting]:
    """The sensitive settings that leave for the vendor; those that sign deliveries never do."""
    return (setting for setting in connector.settings if setting.sensitive and not setting.signs)
