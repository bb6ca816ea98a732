"""How values are written in a policy document, and what each must be. Pure."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict

from revops.errors import Rejected
from revops.money import EXPONENTS, Money

SeverityCode = Literal["critical", "high", "medium", "low"]
RoleCode = Literal["crm", "customer_success", "billing", "erp"]
TeamCode = Literal["finance", "customer_success"]
SignerCode = Literal["approver", "controller"]

_DURATION = re.compile(r"(?P<count>[0-9]{1,4}) (?P<unit>minute|hour|day)s?")


class Part(BaseModel):
    """A part of the policies: it cannot be changed, and a name that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True, populate_by_name=True)


def _duration(written: object) -> object:
    if isinstance(written, dt.timedelta):
        return written
    found = _DURATION.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError('write a duration such as "30 minutes", "4 hours" or "3 days"')
    return dt.timedelta(**{f"{found['unit']}s": int(found["count"])})


def _amount(written: object) -> object:
    if isinstance(written, Money):
        return written
    amount, _, currency = written.partition(" ") if isinstance(written, str) else ("", "", "")
    try:
        return Money.parse(amount, currency)
    except Rejected as wrong:
        raise ValueError(f'write an amount such as "10000.00 USD": {wrong.message}') from None


def _currency(written: str) -> str:
    if written not in EXPONENTS:
        raise ValueError("write the three letters of a currency in use, such as USD")
    return written


def _code(written: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,59}", written):
        raise ValueError("write a code of small letters, digits and underscores")
    return written


def _sentence(written: str) -> str:
    if not written.endswith("."):
        raise ValueError("write a sentence that ends with a full stop")
    return written


def _frozen(given: Mapping[object, object]) -> Mapping[object, object]:
    return MappingProxyType(dict(given))


Duration = Annotated[dt.timedelta, BeforeValidator(_duration)]
Amount = Annotated[Money, BeforeValidator(_amount)]
Currency = Annotated[str, AfterValidator(_currency)]
Code = Annotated[str, AfterValidator(_code)]
Sentence = Annotated[str, AfterValidator(_sentence)]
FROZEN = AfterValidator(_frozen)
"""Marks a mapping that nobody can change."""
