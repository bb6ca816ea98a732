"""A subset of SOQL, parsed with a grammar and turned into SQL over the stored documents.

AND and OR do not mix without parentheses, as at Salesforce. Fields may reach one level up (`Account.Name`). Date and
date-time literals stand without quotes, text with single quotes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from demo.simulators.salesforce.ids import id18, moment_text, parse_moment
from demo.simulators.salesforce.schema import NUMBER_TYPES, Field, SObject

GRAMMAR = r"""
start: "SELECT"i fields "FROM"i NAME where? ordering? limit? offset?
fields: COUNT "(" ")" | NAME ("," NAME)*
where: "WHERE"i _condition
_condition: _single | all | any
all: _single ("AND"i _single)+
any: _single ("OR"i _single)+
_single: "(" _condition ")" | no | comparison | like | among
no: "NOT"i _single
comparison: NAME SIGN _value
like: NAME "LIKE"i _value
among: NAME NOT? "IN"i "(" _value ("," _value)* ")"
_value: TEXT | MOMENT | DATE | NUMBER | WORD
ordering: "ORDER"i "BY"i order ("," order)*
order: NAME (ASC | DESC)? ("NULLS"i (FIRST | LAST))?
limit: "LIMIT"i NUMBER
offset: "OFFSET"i NUMBER

COUNT: "COUNT"i
NOT: "NOT"i
ASC: "ASC"i
DESC: "DESC"i
FIRST: "FIRST"i
LAST: "LAST"i
NAME: /[a-z_][\w.]*/i
WORD: /[a-z_]\w*(:\d+)?/i
TEXT: /'([^'\\]|\\.)*'/
MOMENT.3: /\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:?\d\d)/
DATE.2: /\d{4}-\d\d-\d\d/
NUMBER: /[+-]?\d+(\.\d+)?/
SIGN: "<=" | ">=" | "!=" | "<>" | "=" | "<" | ">"
%ignore /\s+/
"""
CUSTOM_FIELD = (
    "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
CUSTOM_OBJECT = (
    "If you are attempting to use a custom object, be sure to append the '__c' after the entity name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
CUSTOM_RELATION = (
    "If you are attempting to use a custom relationship, be sure to append the '__r' after the custom relationship name. "
    "Please reference your WSDL or the describe call for the appropriate names."
)
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r"}


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


Node = Tree[Token]


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    return Lark(GRAMMAR, parser="lalr")


def parse(text: str, objects: dict[str, SObject], sql: Callable[[SObject, str], str], now: float) -> Query:
    """The query against a schema; `sql` gives a field's column, `now` (Unix seconds) is TODAY. Raises QueryError."""
    try:
        tree = _grammar().parse(text)
    except UnexpectedInput as wrong:
        place = wrong.get_context(text, 10).partition("\n")[0] if text else ""
        raise QueryError("MALFORMED_QUERY", f"unexpected token: '{place}'") from None
    return _Reader(text, objects, sql, datetime.fromtimestamp(now, UTC).date()).query(tree)


class _Reader:
    """Turns one parse tree into a query; a rule of the grammar is a method of the same name."""

    def __init__(self, text: str, objects: dict[str, SObject], sql: Callable[[SObject, str], str], today: date) -> None:
        self._text = text
        self._objects = objects
        self._sql = sql
        self._today = today

    def query(self, tree: Node) -> Query:
        fields, name, *clauses = tree.children
        sobject = self._objects.get(str(name).lower())
        if sobject is None:
            assert isinstance(name, Token)
            raise self._at(name, "INVALID_TYPE", f"sObject type '{name}' is not supported. {CUSTOM_OBJECT}")
        self._query = query = Query(sobject)
        names = _tokens(fields)
        query.count = names[0].type == "COUNT"
        query.paths = [] if query.count else [self._resolved(each)[0] for each in names]
        for clause in clauses:
            assert isinstance(clause, Tree)
            match clause.data:
                case "where":
                    query.where = self._condition(clause.children[0])
                case "ordering":
                    query.order = ", ".join([*(self._ordered(each) for each in clause.children), "id"])
                case "limit":
                    query.limit = int(str(clause.children[0]))
                case "offset":
                    query.offset = int(str(clause.children[0]))
        return query

    # -- conditions -----------------------------------------------------------------------------------------------

    def _condition(self, node: Node | Token) -> str:
        assert isinstance(node, Tree)
        if node.data in ("all", "any"):
            joint = " AND " if node.data == "all" else " OR "
            return f"({joint.join(self._condition(part) for part in node.children)})"
        if node.data == "no":
            return f"NOT ({self._condition(node.children[0])})"
        name, *rest = _tokens(node)
        _, about, column = self._resolved(name)
        if node.data == "like":
            value = self._value(about, rest[0])
            if not isinstance(value, str):
                raise QueryError("MALFORMED_QUERY", "LIKE needs quoted text")
            return f"{column} LIKE {self._bind(value)} ESCAPE '\\'"
        if node.data == "comparison":
            return self._comparison(about, column, rest[0].replace("<>", "!="), rest[1])
        values = [self._bind(self._value(about, each)) for each in rest if each.type != "NOT"]
        inside = f"{column} IN ({', '.join(values)})"
        return f"({column} IS NULL OR NOT {inside})" if rest[0].type == "NOT" else inside

    def _comparison(self, about: Field, column: str, sign: str, token: Token) -> str:
        value = self._value(about, token)
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

    def _ordered(self, node: Node | Token) -> str:
        name, *words = _tokens(node)
        kinds = {word.type for word in words}
        direction, nulls = "DESC" if "DESC" in kinds else "ASC", "LAST" if "LAST" in kinds else "FIRST"
        return f"{self._resolved(name)[2]} {direction} NULLS {nulls}"

    # -- fields and values ----------------------------------------------------------------------------------------

    def _at(self, token: Token, code: str, message: str) -> QueryError:
        """A refusal that shows the place in the query, as Salesforce words it."""
        row, column = token.line or 1, token.column or 1
        shown = f"{self._text.splitlines()[row - 1]}\n{' ' * (column - 1)}^\nERROR at Row:{row}:Column:{column}"
        return QueryError(code, f"\n{shown}\n{message}")

    def _field(self, sobject: SObject, name: str, token: Token) -> Field:
        found = sobject.fields.get(name.lower())
        if found is None:
            raise self._at(token, "INVALID_FIELD", f"No such column '{name}' on entity '{sobject.name}'. {CUSTOM_FIELD}")
        return found

    def _reference(self, sobject: SObject, relationship: str, token: Token) -> Field:
        for each in sobject.fields.values():
            if each.relationship and each.relationship.lower() == relationship.lower():
                return each
        said = f"Didn't understand relationship '{relationship}' in field path. {CUSTOM_RELATION}"
        raise self._at(token, "INVALID_FIELD", said)

    def _resolved(self, name: Token) -> tuple[str, Field, str]:
        """The canonical path, the field and its SQL, text without case."""
        sobject = self._query.sobject
        *parents, last = name.split(".")
        if parents and parents[0].lower() == sobject.name.lower():
            del parents[0]
        if len(parents) > 1:
            raise QueryError("MALFORMED_QUERY", f"only one level of parents is available here: {name}")
        if parents:
            reference = self._reference(sobject, parents[0], name)
            above = self._objects[reference.to.lower()]
            about = self._field(above, last, name)
            path = f"{reference.relationship}.{about.name}"
            column = (
                f"(SELECT json_extract(parent.body, '$.{about.name}') FROM \"c_{above.name}\" AS parent"
                f" WHERE parent.id = {self._sql(sobject, reference.name)})"
            )
        else:
            about = self._field(sobject, last, name)
            path, column = about.name, self._sql(sobject, about.name)
        caseless = about.type not in NUMBER_TYPES | {"id", "reference", "date", "datetime", "boolean"}
        return path, about, f"{column} COLLATE NOCASE" if caseless else column

    def _value(self, about: Field, token: Token) -> object:
        kind, raw = token.type, str(token)
        if kind == "WORD" and raw.lower() == "null":
            return None
        if kind == "WORD" and about.type in ("date", "datetime") and (period := relative_period(raw, self._today)):
            if about.type == "date":
                return tuple(day.isoformat() for day in period)
            return tuple(moment_text(datetime(d.year, d.month, d.day, tzinfo=UTC)) for d in period)
        wanted = _literal_kind(about)
        if kind != wanted:
            raise _wrong_type(about, "dateTime" if wanted == "MOMENT" else wanted.lower())
        if kind == "TEXT":
            text = re.sub(r"\\(.)", lambda m: _ESCAPED.get(m[1], m[1]), raw[1:-1])
            return _id(text) if about.type in ("id", "reference") else text
        if kind == "MOMENT":
            return moment_text(parse_moment(raw))
        if kind == "NUMBER":
            return float(raw) if "." in raw else int(raw)
        return int(raw.lower() == "true") if kind == "WORD" else raw

    def _bind(self, value: object) -> str:
        self._query.values.append(value)
        return "?"


def _tokens(node: Node | Token) -> list[Token]:
    assert isinstance(node, Tree)
    return [each for each in node.children if isinstance(each, Token)]


def relative_period(word: str, today: date) -> tuple[date, date] | None:
    """`TODAY`, `YESTERDAY`, `TOMORROW`, `LAST_N_DAYS:n`, `NEXT_N_DAYS:n` as [first, after); UTC days. Else None."""
    name, _, count = word.upper().partition(":")
    day = timedelta(days=1)
    if name in ("LAST_N_DAYS", "NEXT_N_DAYS") and count:
        span = timedelta(days=int(count))
        return (today - span, today + day) if name == "LAST_N_DAYS" else (today + day, today + span + day)
    first = {"TODAY": today, "YESTERDAY": today - day, "TOMORROW": today + day}.get(name)
    return (first, first + day) if first else None


def _literal_kind(about: Field) -> str:
    if about.type in NUMBER_TYPES:
        return "NUMBER"
    return {"datetime": "MOMENT", "date": "DATE", "boolean": "WORD"}.get(about.type, "TEXT")


def _wrong_type(about: Field, kind: str) -> QueryError:
    quoted = "should be enclosed in quotes" if kind == "text" else "should not be enclosed in quotes"
    message = f"value of filter criterion for field '{about.name}' must be of type {kind} and {quoted}"
    return QueryError("INVALID_FIELD", message)


def _id(text: str) -> str:
    try:
        return id18(text)
    except ValueError:
        raise QueryError("INVALID_QUERY_FILTER_OPERATOR", f"invalid ID field: {text}") from None
