"""A subset of SOQL, parsed and turned into SQL over the stored documents.

`SELECT field[, field] | COUNT() FROM Object [WHERE ...] [ORDER BY ...] [LIMIT n] [OFFSET n]`. Conditions: = != <> < <=
> >= LIKE, IN, NOT IN, NOT, AND, OR, parentheses. AND and OR do not mix without parentheses, as at Salesforce. Fields
may reach one level up (`Account.Name`). Date and date-time literals stand without quotes, text with single quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from demo.simulators.salesforce.ids import id18, moment_text, parse_moment
from demo.simulators.salesforce.schema import NUMBER_TYPES, Field, SObject


class QueryError(Exception):
    """The query cannot run. `code` is Salesforce's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class Query:
    """A parsed query. `paths` are canonical: `Name`, `Account.Name`. `order` and `where` are SQL."""

    sobject: SObject
    paths: list[str] = field(default_factory=list)
    count: bool = False
    where: str = "1"
    values: list[object] = field(default_factory=list)
    order: str = "id"
    limit: int | None = None
    offset: int = 0


_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^'\\]|\\.)*')|(?P<moment>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d))"
    r"|(?P<date>\d{4}-\d\d-\d\d)|(?P<number>[+-]?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_][\w.]*(?::\d+)?)"
    r"|(?P<sign><=|>=|!=|<>|[=<>(),]))"
)
_SIGNS = {"=": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_KEYWORDS = frozenset({"and", "or", "not", "order", "limit", "offset", "where", "from", "like", "in"})


class Parser:
    """Reads one query against a schema."""

    def __init__(self, text: str, objects: dict[str, SObject], sql: Callable[[SObject, str], str], now: float) -> None:
        self._objects = objects
        self._sql = sql
        self._today = datetime.fromtimestamp(now, UTC).date()
        self._tokens: list[tuple[str, str]] = []
        position, text = 0, text.rstrip()
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise QueryError("MALFORMED_QUERY", f"unexpected token: {text[position : position + 10]!r}")
            self._tokens.append((match.lastgroup or "", match.group(match.lastgroup or 0)))
            position = match.end()
        self._at = 0

    def parse(self) -> Query:
        """The whole query, or QueryError."""
        self._expect("select")
        names = self._select_list()
        self._expect("from")
        name = self._word()
        sobject = self._objects.get(name.lower())
        if sobject is None:
            raise QueryError("INVALID_TYPE", f"sObject type '{name}' is not supported.")
        self._query = query = Query(sobject, count=names is None)
        query.paths = [self._path(each) for each in names or []]
        if self._accept("where"):
            query.where = self._conditions()
        if self._accept("order"):
            self._expect("by")
            query.order = self._ordering()
        if self._accept("limit"):
            query.limit = int(self._take("number"))
        if self._accept("offset"):
            query.offset = int(self._take("number"))
        if self._at < len(self._tokens):
            raise QueryError("MALFORMED_QUERY", f"unexpected token: '{self._tokens[self._at][1]}'")
        return query

    # -- pieces ---------------------------------------------------------------------------------------------------

    def _select_list(self) -> list[str] | None:
        if self._accept("count"):
            self._expect("(")
            self._expect(")")
            return None
        names = [self._word()]
        while self._accept(","):
            names.append(self._word())
        return names

    def _conditions(self) -> str:
        first = self._condition()
        joint = ""
        parts = [first]
        while word := self._accept("and", "or"):
            if joint and word != joint:
                raise QueryError("MALFORMED_QUERY", f"unexpected token: '{word.upper()}'")
            joint = word
            parts.append(self._condition())
        return f"({f' {joint.upper()} '.join(parts)})" if joint else first

    def _condition(self) -> str:
        if self._accept("not"):
            return f"NOT ({self._condition()})"
        if self._accept("("):
            inner = self._conditions()
            self._expect(")")
            return inner
        path = self._path(self._word())
        about, column = self._resolved(path)
        if self._accept("like"):
            return f"{column} LIKE {self._bind(self._text_value(about))} ESCAPE '\\'"
        negated = bool(self._accept("not"))
        if self._accept("in"):
            return self._membership(about, column, negated)
        kind, sign = self._next()
        if kind != "sign" or sign not in _SIGNS or negated:
            raise QueryError("MALFORMED_QUERY", f"unexpected token: '{sign}'")
        return self._comparison(about, column, _SIGNS[sign])

    def _membership(self, about: Field, column: str, negated: bool) -> str:
        self._expect("(")
        values = [self._bind(self._value(about))]
        while self._accept(","):
            values.append(self._bind(self._value(about)))
        self._expect(")")
        inside = f"{column} IN ({', '.join(values)})"
        return f"({column} IS NULL OR NOT {inside})" if negated else inside

    def _comparison(self, about: Field, column: str, sign: str) -> str:
        value = self._value(about)
        if value is None:
            if sign not in ("=", "!="):
                raise QueryError("INVALID_OPERATOR", "null compares with = and != only")
            return f"{column} IS {'NOT ' if sign == '!=' else ''}NULL"
        if isinstance(value, tuple):  # a relative period: [first, last)
            if sign in ("=", "!="):
                inside = f"({column} >= {self._bind(value[0])} AND {column} < {self._bind(value[1])})"
                return inside if sign == "=" else f"NOT {inside}"
            edge = value[0] if sign in ("<", ">=") else value[1]
            return f"{column} {'<' if sign.startswith('<') else '>='} {self._bind(edge)}"
        bound = self._bind(value)
        return f"({column} IS NULL OR {column} != {bound})" if sign == "!=" else f"{column} {sign} {bound}"

    def _ordering(self) -> str:
        parts = []
        while True:
            _, column = self._resolved(self._path(self._word()))
            direction = (self._accept("asc", "desc") or "asc").upper()
            nulls = "FIRST"
            if self._accept("nulls"):
                nulls = (self._accept("first", "last") or "first").upper()
            parts.append(f"{column} {direction} NULLS {nulls}")
            if not self._accept(","):
                return ", ".join([*parts, "id"])

    # -- fields and values ----------------------------------------------------------------------------------------

    def _path(self, name: str) -> str:
        return ".".join(each.name if isinstance(each, Field) else each for each in self._walk(name))

    def _walk(self, name: str) -> list[Field | str]:
        parts = name.split(".")
        sobject = self._query.sobject
        if parts[0].lower() == sobject.name.lower() and len(parts) > 1:
            parts = parts[1:]
        if len(parts) == 1:
            return [_field(sobject, parts[0])]
        if len(parts) > 2:
            raise QueryError("MALFORMED_QUERY", f"only one level of parents is available here: {name}")
        reference = _reference(sobject, parts[0])
        return [reference.relationship, _field(self._objects[reference.to.lower()], parts[1])]

    def _resolved(self, path: str) -> tuple[Field, str]:
        """The field and its SQL, text without case."""
        *parent, name = path.split(".")
        sobject = self._query.sobject
        if parent:
            reference = _reference(sobject, parent[0])
            above = self._objects[reference.to.lower()]
            about = _field(above, name)
            column = (
                f"(SELECT json_extract(parent.body, '$.{about.name}') FROM \"c_{above.name}\" AS parent"
                f" WHERE parent.id = {self._sql(sobject, reference.name)})"
            )
        else:
            about = _field(sobject, name)
            column = self._sql(sobject, about.name)
        caseless = about.type not in NUMBER_TYPES | {"id", "reference", "date", "datetime", "boolean"}
        return about, f"{column} COLLATE NOCASE" if caseless else column

    def _text_value(self, about: Field) -> str:
        value = self._value(about)
        if not isinstance(value, str):
            raise QueryError("MALFORMED_QUERY", "LIKE needs quoted text")
        return value

    def _value(self, about: Field) -> object:
        kind, raw = self._next()
        if kind == "word" and raw.lower() == "null":
            return None
        if kind == "word" and (period := relative_period(raw, self._today)) and about.type in ("date", "datetime"):
            if about.type == "date":
                return tuple(day.isoformat() for day in period)
            return tuple(moment_text(datetime(d.year, d.month, d.day, tzinfo=UTC)) for d in period)
        wanted = _literal_kind(about)
        if kind == "date" and about.type == "datetime":
            raise _wrong_type(about, "dateTime")
        if kind != wanted:
            raise _wrong_type(about, "dateTime" if wanted == "moment" else wanted)
        if kind == "text":
            text = re.sub(r"\\(.)", lambda m: {"n": "\n", "t": "\t", "r": "\r"}.get(m[1], m[1]), raw[1:-1])
            return _id(text) if about.type in ("id", "reference") else text
        if kind == "moment":
            return moment_text(parse_moment(raw))
        if kind == "number":
            return float(raw) if "." in raw else int(raw)
        if kind == "word" and raw.lower() in ("true", "false"):
            return int(raw.lower() == "true")
        return raw

    def _bind(self, value: object) -> str:
        self._query.values.append(value)
        return "?"

    # -- tokens ---------------------------------------------------------------------------------------------------

    def _next(self) -> tuple[str, str]:
        if self._at >= len(self._tokens):
            raise QueryError("MALFORMED_QUERY", "unexpected end of query")
        self._at += 1
        return self._tokens[self._at - 1]

    def _accept(self, *words: str) -> str:
        if self._at < len(self._tokens):
            kind, raw = self._tokens[self._at]
            if kind in ("word", "sign") and raw.lower() in words:
                self._at += 1
                return raw.lower()
        return ""

    def _expect(self, word: str) -> None:
        if not self._accept(word):
            found = self._tokens[self._at][1] if self._at < len(self._tokens) else "<EOF>"
            raise QueryError("MALFORMED_QUERY", f"expecting '{word}', found '{found}'")

    def _take(self, kind: str) -> str:
        found, raw = self._next()
        if found != kind:
            raise QueryError("MALFORMED_QUERY", f"unexpected token: '{raw}'")
        return raw

    def _word(self) -> str:
        raw = self._take("word")
        if raw.lower() in _KEYWORDS:
            raise QueryError("MALFORMED_QUERY", f"unexpected token: '{raw}'")
        return raw


def relative_period(word: str, today: date) -> tuple[date, date] | None:
    """`TODAY`, `YESTERDAY`, `TOMORROW`, `LAST_N_DAYS:n`, `NEXT_N_DAYS:n` as [first, after); UTC days. Else None."""
    name, _, count = word.upper().partition(":")
    day = timedelta(days=1)
    if name in ("LAST_N_DAYS", "NEXT_N_DAYS") and count:
        span = timedelta(days=int(count))
        return (today - span, today + day) if name == "LAST_N_DAYS" else (today + day, today + span + day)
    first = {"TODAY": today, "YESTERDAY": today - day, "TOMORROW": today + day}.get(name)
    return (first, first + day) if first else None


def _field(sobject: SObject, name: str) -> Field:
    found = sobject.fields.get(name.lower())
    if found is None:
        raise QueryError("INVALID_FIELD", f"No such column '{name}' on entity '{sobject.name}'.")
    return found


def _reference(sobject: SObject, relationship: str) -> Field:
    for each in sobject.fields.values():
        if each.relationship and each.relationship.lower() == relationship.lower():
            return each
    raise QueryError("INVALID_FIELD", f"Didn't understand relationship '{relationship}' in field path.")


def _literal_kind(about: Field) -> str:
    if about.type in NUMBER_TYPES:
        return "number"
    return {"datetime": "moment", "date": "date", "boolean": "word"}.get(about.type, "text")


def _wrong_type(about: Field, kind: str) -> QueryError:
    quoted = "should be enclosed in quotes" if kind == "text" else "should not be enclosed in quotes"
    message = f"value of filter criterion for field '{about.name}' must be of type {kind} and {quoted}"
    return QueryError("INVALID_FIELD", message)


def _id(text: str) -> str:
    try:
        return id18(text)
    except ValueError:
        raise QueryError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}") from None
