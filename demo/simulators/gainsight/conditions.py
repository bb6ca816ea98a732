"""The `where` of both query dialects: conditions with aliases, and an expression over them (`expressions`)."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

from demo.simulators.gainsight.metadata import BadValue, Field, iso, parse_moment
from demo.simulators.vendor import Json

Test = Callable[[Json], bool]
Value = Callable[[Json, str], Any]

_ORDERED: dict[str, Callable[[int], bool]] = {
    "EQ": lambda c: c == 0, "NE": lambda c: c != 0, "LT": lambda c: c < 0, "GT": lambda c: c > 0,
    "LTE": lambda c: c <= 0, "GTE": lambda c: c >= 0,
}  # fmt: skip
_TEXT: dict[str, Callable[[str, str], bool]] = {
    "CONTAINS": lambda have, want: want in have,
    "DOES_NOT_CONTAINS": lambda have, want: want not in have,
    "STARTS_WITH": lambda have, want: have.startswith(want),
    "ENDS_WITH": lambda have, want: have.endswith(want),
}
_SEVERAL = {"IN", "NOT_IN", "INCLUDES", "EXCLUDES"}


class Conditions:
    """A parsed `where`. `required` holds the conditions that every match must meet (a plain AND chain)."""

    def __init__(self, where: Any, name_key: str, field_of: Callable[[str], Field], zone: timedelta) -> None:
        """Raises BadValue for anything that is not well formed; `zone` is the tenant's offset for values without one."""
        self.test: Test = lambda _: True
        self.required: list[Json] = []
        if not where:
            return
        if not isinstance(where, dict) or not isinstance(where.get("conditions"), list):
            raise BadValue("GSOBJ_1008", "where must hold a list of conditions")
        tests: dict[str, Test] = {}
        by_alias: dict[str, Json] = {}
        for condition in where["conditions"]:
            name, alias = condition.get(name_key), str(condition.get("alias", "A"))
            if not isinstance(name, str):
                raise BadValue("GSOBJ_1008", f"every condition needs {name_key}")
            tests[alias] = _test_of(field_of(name), name, condition, zone)
            by_alias[alias] = condition | {"name": name}
        if not tests:
            return
        expression = str(where.get("expression") or (next(iter(tests)) if len(tests) == 1 else ""))
        from demo.simulators.gainsight.expressions import parse  # its parser takes time to load: not at the start

        self.test, every = parse(expression, tests)
        self.required = [by_alias[alias] for alias in every]


def wanted(field: Field, value: Any, zone: timedelta) -> Any:
    """A value of a condition in the stored form of its field. Raises BadValue."""
    if field.type in ("DATE", "DATETIME"):
        moment = parse_moment(value, "GSOBJ_1006" if field.type == "DATE" else "GSOBJ_1005")
        if field.type == "DATE":
            return iso(moment)[:10]
        has_zone = not isinstance(value, str) or re.search(r"(Z|[+-]\d\d:?\d\d)$", value) is not None
        return iso(moment if has_zone else moment - zone)
    if field.type in ("NUMBER", "PERCENTAGE", "CURRENCY"):
        try:
            return Decimal(str(value))
        except InvalidOperation:
            raise BadValue("GSOBJ_1002", f"Invalid value for field {field.name}") from None
    if field.type == "BOOLEAN":
        return str(value).lower() == "true"
    return str(value)


def _test_of(field: Field, name: str, condition: Json, zone: timedelta) -> Test:
    operator = str(condition.get("operator", "EQ")).upper()
    if operator == "IS_NULL":
        return lambda row: row.get(name) is None
    if operator == "IS_NOT_NULL":
        return lambda row: row.get(name) is not None
    given = condition.get("value")
    if not isinstance(given, list) or not given:
        raise BadValue("GSOBJ_1008", f"value of {name} must be a list that is not empty")
    values = [wanted(field, value, zone) for value in given]
    if operator in _ORDERED:
        decide, first = _ORDERED[operator], values[0]
        return lambda row: _compared(row.get(name), first, decide, missing=operator == "NE")
    if operator == "BTW":
        if len(values) != 2:
            raise BadValue("GSOBJ_1008", f"BTW of {name} takes two values")
        low, high = values
        return lambda row: row.get(name) is not None and low <= _like(row[name], low) <= high
    if operator in _SEVERAL:
        inside = operator in ("IN", "INCLUDES")
        return lambda row: bool(set(str(row.get(name)).split(";")) & {str(v) for v in values}) == inside
    if operator in _TEXT and field.type not in ("DATE", "DATETIME", "NUMBER", "PERCENTAGE", "CURRENCY", "BOOLEAN"):
        check, text = _TEXT[operator], str(values[0]).lower()
        return lambda row: row.get(name) is not None and check(str(row[name]).lower(), text)
    raise BadValue("GSOBJ_1008", f"operator {operator} is not allowed for field {name}")


def _like(have: Any, sample: Any) -> Any:
    return Decimal(str(have)) if isinstance(sample, Decimal) else have


def _compared(have: Any, want: Any, decide: Callable[[int], bool], *, missing: bool) -> bool:
    if have is None:
        return missing
    left = _like(have, want)
    return decide((left > want) - (left < want))
