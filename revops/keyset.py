"""Pages of long lists by keyset: a page begins after the last row of the page before, so that rows that come and go never
shift a page, and page 1,000 costs what page 1 costs.

A cursor is the text of the ordering columns of one row, joined by `~`. One that cannot be read gives the first page.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.core.exceptions import ValidationError
from django.db.models import Field, Model, Q, QuerySet
from django.db.models.fields.tuple_lookups import TupleGreaterThan, TupleLessThan

from revops.parameters import moment, row_id

M = TypeVar("M", bound=Model)
CURSOR_LENGTH_MAX = 400


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """The rows, and the cursors of the pages around them: empty where there is none."""

    rows: list[M]
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Keyset:
    """An order over columns whose combination is unique (the last is `id`), all in one direction."""

    columns: tuple[str, ...] = ("id",)
    descending: bool = True
    size: int = 50

    def page(self, found: QuerySet[M], *, after: str = "", before: str = "") -> Page[M]:
        """The page that follows the row of cursor `after`, or the one that ends before the row of `before`. One query."""
        cursor = self._read(found.model, before or after)
        backwards = bool(before) and cursor is not None
        rows = found
        if cursor is not None:
            rows = rows.filter(self._beyond(cursor, below=self.descending != backwards))
        sign = "-" if self.descending != backwards else ""
        taken = list(rows.order_by(*(f"{sign}{column}" for column in self.columns))[: self.size + 1])
        more, taken = len(taken) > self.size, taken[: self.size]
        if backwards:
            taken.reverse()
        return Page(
            rows=taken,
            before=self._cursor(taken[0]) if taken and (more if backwards else cursor is not None) else "",
            after=self._cursor(taken[-1]) if taken and (backwards or more) else "",
        )

    def _beyond(self, cursor: tuple[Any, ...], *, below: bool) -> Any:
        if len(self.columns) == 1:
            return Q(**{f"{self.columns[0]}__{'lt' if below else 'gt'}": cursor[0]})
        return (TupleLessThan if below else TupleGreaterThan)(self.columns, cursor)

    def _cursor(self, row: Model) -> str:
        return "~".join(_text(getattr(row, column)) for column in self.columns)

    def _read(self, model: type[Model], text: str) -> tuple[Any, ...] | None:
        if not text or len(text) > CURSOR_LENGTH_MAX or "\x00" in text:
            return None
        parts = text.rsplit("~", len(self.columns) - 1)
        if len(parts) != len(self.columns):
            return None
        values = [_value(model._meta.get_field(column), part) for column, part in zip(self.columns, parts, strict=True)]
        return None if None in values else tuple(values)


def _text(value: object) -> str:
    return value.astimezone(dt.UTC).isoformat() if isinstance(value, dt.datetime) else str(value)


def _value(column: Any, text: str) -> object:
    """The value that the text stands for in that column; None when it cannot be one."""
    if isinstance(column, Field) and column.get_internal_type().endswith(("IntegerField", "AutoField")):
        return row_id(text)
    if isinstance(column, Field) and column.get_internal_type() == "DateTimeField":
        return moment(text)
    try:
        value: object = column.to_python(text)
    except (ValidationError, ValueError):
        return None
    return value
