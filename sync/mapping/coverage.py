"""How much of a connection is tied to the others, and what is not: counted in the ledger, in two queries for all of it.

A document that counts for nothing (a draft, one that is void) is left out. A credit memo that we posted is tied to its posting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.db import connection as database

from revops.ledger.types import TYPES
from sync.models import Connection

UNTIED_SHOWN = 20
Bound = str | list[str]
"""A value that a query is given."""


@dataclass(frozen=True, slots=True)
class Tie:
    """One kind of tie. `label`: what is counted and to what, such as `invoices tied to billing`. `role`: in which records point;
    empty for customers, which belong to an account. `named`: other connections' records point here, instead of these there."""

    object_type: str
    label: str
    role: str = ""
    named: bool = False


TIES: Mapping[str, Sequence[Tie]] = {
    "crm": (Tie("customer", "customers tied to an account"),),
    "customer_success": (
        Tie("customer", "customers tied to an account"),
        Tie("renewal", "renewals tied to an opportunity", "opportunity"),
    ),
    "billing": (
        Tie("customer", "customers tied to an account"),
        Tie("invoice", "invoices tied to the ERP", "copy_of", named=True),
        Tie("credit_memo", "credit memos tied to the ERP", "copy_of", named=True),
        Tie("payment", "payments tied to the ERP", "copy_of", named=True),
        Tie("subscription", "subscriptions tied to an order", "subscription", named=True),
        Tie("subscription", "subscriptions that name a contract", "contract"),
        Tie("invoice", "invoices that name a contract", "contract"),
    ),
    "erp": (
        Tie("customer", "customers tied to an account"),
        Tie("invoice", "invoices tied to billing", "copy_of"),
        Tie("credit_memo", "credit memos tied to billing", "copy_of"),
        Tie("payment", "payments tied to billing", "copy_of"),
        Tie("sales_order", "orders tied to a subscription", "subscription"),
        Tie("invoice", "invoices that name a contract", "contract"),
        Tie("sales_order", "orders that name a contract", "contract"),
    ),
}
"""By the role of the connection's system."""


@dataclass(frozen=True, slots=True)
class Untied:
    """A record that is not tied. `astray`: it names something that is not known."""

    record_id: int
    external_id: str
    number: str
    astray: bool

    @property
    def label(self) -> str:
        return self.number or self.external_id


@dataclass(frozen=True, slots=True)
class Covered:
    """Of `total` records `tied` are tied, and `astray` name something that is not known; the rest names nothing. `untied`: the
    newest of those that are not tied, at most `UNTIED_SHOWN`."""

    tie: Tie
    total: int
    tied: int
    astray: int
    untied: tuple[Untied, ...]

    @property
    def tenths(self) -> int:
        """The share that is tied, in tenths of a percent, rounded down."""
        return self.tied * 1000 // self.total if self.total else 0

    @property
    def share(self) -> str:
        return f"{self.tenths // 10}.{self.tenths % 10} %"

    @property
    def missing(self) -> int:
        return self.total - self.tied

    @property
    def silent(self) -> int:
        """How many of those that are not tied name nothing, or are named by nothing."""
        return self.missing - self.astray

    def __str__(self) -> str:
        """One sentence, with the figures."""
        if not self.total:
            return f"no {self.tie.label}: there are none"
        if not self.missing:
            return f"100.0 % of {self.tie.label} ({self.total:,})"
        nothing = "are named by nothing" if self.tie.named else "belong to none" if not self.tie.role else "name nothing"
        why = [f"{self.silent:,} {nothing}"] if self.silent else []
        why += [f"{self.astray:,} name what is not known"] if self.astray else []
        return f"{self.share} of {self.tie.label} ({self.tied:,} of {self.total:,}); {self.missing:,} not: {', '.join(why)}"


def coverage(row: Connection) -> list[Covered]:
    """Every kind of tie that a connection of its role has, in order."""
    ties = TIES.get(row.system.role, ())
    if not ties:
        return []
    parts = [_rows(tie, str(row.pk)) for tie in ties]
    asked = " UNION ALL ".join(_COUNTED.format(place=place, rows=sql, most=UNTIED_SHOWN) for place, (sql, _) in enumerate(parts))
    with database.cursor() as cursor:
        cursor.execute(asked, [value for _, given in parts for value in given])
        found = {place: rest for place, *rest in cursor.fetchall()}
        newest = [key for *_, keys, _astray in found.values() for key in keys]
        cursor.execute("SELECT id, external_id, fields ->> 'number' FROM ledger_sourcerecord WHERE id = ANY(%s)", [newest])
        names = {key: (external_id, number or "") for key, external_id, number in cursor.fetchall()}
    return [
        Covered(tie, total, tied, astray, tuple(Untied(key, *names[key], key in led_astray) for key in keys))
        for tie, (total, tied, astray, keys, led_astray) in zip(ties, (found[place] for place in range(len(ties))), strict=True)
    ]


_COUNTED = """
    (WITH c AS MATERIALIZED ({rows})
     SELECT {place}, count(*), count(*) FILTER (WHERE tied), count(*) FILTER (WHERE astray AND NOT tied),
            ARRAY(SELECT id FROM c WHERE NOT tied ORDER BY id DESC LIMIT {most}),
            ARRAY(SELECT id FROM c WHERE NOT tied AND astray ORDER BY id DESC LIMIT {most})
       FROM c)
"""
_OWN = """
    SELECT r.id, {tied} AS tied, {astray} AS astray
      FROM ledger_sourcerecord r {joined}
     WHERE r.system_id = %s AND r.object_type = %s AND NOT r.deleted AND coalesce(r.fields ->> 'status', '') <> ALL(%s) {grouped}
"""
_BY_ID = """
      LEFT JOIN ledger_link k ON k.record_id = r.id AND k.role IN (%s, 'change')
      LEFT JOIN ledger_sourcerecord t ON t.system_id = k.target_system AND t.object_type = k.target_type
                                     AND t.external_id = k.target_id AND NOT t.deleted
"""
_BY_NUMBER = """
      LEFT JOIN ledger_link k ON k.record_id = r.id AND k.role = %s
      LEFT JOIN (SELECT DISTINCT n.system_id, n.object_type, CASE WHEN n.fields ->> 'number' ~ '^0*[1-9][0-9]*$'
                                 THEN ltrim(n.fields ->> 'number', '0') ELSE n.fields ->> 'number' END AS number
                   FROM ledger_sourcerecord n
                  WHERE n.object_type = 'contract' AND NOT n.deleted) t
             ON t.system_id = k.target_system AND t.object_type = k.target_type AND t.number = k.target_id
"""
_POINTED_AT = """
      LEFT JOIN (
        SELECT DISTINCT k.target_id
          FROM ledger_link k JOIN ledger_sourcerecord s ON s.id = k.record_id AND NOT s.deleted AND s.system_id <> %s
         WHERE k.target_system = %s AND k.target_type = %s AND k.role = %s) l ON l.target_id = r.external_id
"""


def _rows(tie: Tie, slug: str) -> tuple[str, list[Bound]]:
    """The records of one kind, each with whether it is tied, and the bound values."""
    own: list[Bound] = [slug, tie.object_type, _nothing(tie.object_type)]
    if not tie.role:
        return _OWN.format(tied="(r.account_id IS NOT NULL)", astray="false", joined="", grouped=""), own
    if tie.named:
        named: list[Bound] = [slug, slug, tie.object_type, tie.role]
        return _OWN.format(tied="(l.target_id IS NOT NULL)", astray="false", joined=_POINTED_AT, grouped=""), named + own
    by_number, by_id = (_BY_NUMBER, "t.number IS NOT NULL"), (_BY_ID, "t.id IS NOT NULL OR k.role = 'change'")
    joined, there = by_number if tie.role == "contract" else by_id
    tied, astray = f"bool_or(coalesce({there}, false))", "bool_or(k.record_id IS NOT NULL)"
    return _OWN.format(tied=tied, astray=astray, joined=joined, grouped="GROUP BY r.id"), [tie.role, *own]


def _nothing(object_type: str) -> list[str]:
    """The statuses of documents that count for nothing."""
    side = TYPES[object_type].statement
    return sorted(side.still) if side is not None else []
