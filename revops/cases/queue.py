"""Reading the exception queue: the filter, the counts of every facet, the money at risk, and one page of cases.

One grouped query (the cube) counts the cases by every facet at once, so that each facet can be counted with all the
other facets applied without a query of its own. The page itself is read by keyset: `(sort column, id)` compared as a row,
never OFFSET. Figures for 100,000 cases stand in the tests.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlencode

from django.db.models import Case, Count, Q, QuerySet, Sum, TextField, Value, When

from revops.accounts.link import accounts_of_customer
from revops.accounts.models import Account
from revops.cases.models import CaseStatus, ExceptionCase, Expectation
from revops.keyset import Keyset, Page
from revops.ledger.models import SourceRecord, SourceSystem
from revops.ledger.types import TYPES
from revops.money import Money
from revops.parameters import row_id

PAGE_SIZE = 50
COUNT_CAP = 1000
ACCOUNTS_FOUND_MAX = 500

TABS = ("open", "awaiting_evidence", "snoozed", "closed")
AGES = (("day", "Under 1 day"), ("three", "1 to 3 days"), ("week", "3 to 7 days"), ("older", "Over 7 days"))
DUES = (("overdue", "Overdue"), ("today", "Within 24 hours"), ("later", "Later"))
SORTS: Mapping[str, tuple[str, bool]] = {
    "due": ("due_at", False),
    "-due": ("due_at", True),
    "severity": ("severity", False),
    "opened": ("opened_at", False),
    "-opened": ("opened_at", True),
}
"""Name in the address -> (column, descending). Ties are broken by id in the same direction."""

SEVERITY_CODES = {"critical": 1, "high": 2, "medium": 3, "low": 4}
FACETS = ("due", "severity", "owner", "system", "rule", "team", "entity", "age")
_CODE = re.compile(r"(?i)ex-?0*([0-9]{1,18})")


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """What the address asks for. Inside a facet the values are alternatives, between facets all must hold.

    `owner` values are `me`, `none` or a user's id as text. Unknown facet values are dropped, never an error: a saved
    view must survive a renamed rule.
    """

    status: str = "open"
    due: tuple[str, ...] = ()
    severity: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    rule: tuple[str, ...] = ()
    team: tuple[str, ...] = ()
    entity: tuple[str, ...] = ()
    age: tuple[str, ...] = ()
    q: str = ""
    sort: str = "due"

    @classmethod
    def from_query(cls, query: str | Mapping[str, Sequence[str]]) -> QueueFilter:
        """From a query string or a mapping of lists."""
        values = parse_qs(query) if isinstance(query, str) else query
        allowed: dict[str, frozenset[str]] = {
            "due": frozenset(dict(DUES)),
            "age": frozenset(dict(AGES)),
            "severity": frozenset(SEVERITY_CODES),
        }
        chosen: dict[str, Any] = {}
        for name in FACETS:
            given = [v for v in values.get(name, ()) if v and len(v) <= 60 and "\x00" not in v]
            chosen[name] = tuple(dict.fromkeys(v for v in given if name not in allowed or v in allowed[name]))
        status = next(iter(values.get("status", ())), "open")
        sort = next(iter(values.get("sort", ())), "due")
        text = next(iter(values.get("q", ())), "").replace("\x00", "").strip()[:200]
        return cls(status=status if status in TABS else "open", sort=sort if sort in SORTS else "due", q=text, **chosen)

    def query(self, **extra: str) -> str:
        """The canonical query string; equal filters give equal strings."""
        pairs: list[tuple[str, str]] = []
        for name, default in _DEFAULTS:
            value = getattr(self, name)
            if value != default:
                pairs += [(name, item) for item in (sorted(value) if isinstance(value, tuple) else (value,))]
        return urlencode(pairs + list(extra.items()))

    def toggled(self, facet: str, value: str) -> QueueFilter:
        """With that value of the facet added, or removed where it was chosen."""
        chosen: tuple[str, ...] = getattr(self, facet)
        changed = tuple(v for v in chosen if v != value) if value in chosen else (*chosen, value)
        changes: dict[str, Any] = {facet: changed}
        return replace(self, **changes)

    @property
    def is_narrowed(self) -> bool:
        return bool(self.q) or any(getattr(self, name) for name in FACETS)


_DEFAULTS = [(spec.name, spec.default) for spec in fields(QueueFilter)]


# --- the cube --------------------------------------------------------------------------------------------------------


class Cell(NamedTuple):
    """Cases that are alike in every facet: how many, and their money at risk in minor units of `currency`."""

    status: str
    severity: str
    team: str
    rule: str
    entity: str
    owner: str
    system: tuple[str, ...]
    age: str
    due: str
    currency: str
    cases: int
    minor: int


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """Every number beside the list. `facets[name][value]` is counted with all *other* facets applied; `tabs` likewise.
    `at_risk[currency]` maps the age bucket (and "all") to money."""

    total: int
    facets: Mapping[str, Mapping[str, int]]
    tabs: Mapping[str, int]
    at_risk: Mapping[str, Mapping[str, Money]]
    cells: Sequence[Cell] = field(default=(), repr=False)


def _age_case(now: dt.datetime) -> Case:
    return Case(
        When(opened_at__gt=now - dt.timedelta(days=1), then=Value("day")),
        When(opened_at__gt=now - dt.timedelta(days=3), then=Value("three")),
        When(opened_at__gt=now - dt.timedelta(days=7), then=Value("week")),
        default=Value("older"),
        output_field=TextField(),
    )


def _due_case(now: dt.datetime) -> Case:
    return Case(
        When(due_at__lte=now, then=Value("overdue")),
        When(due_at__lte=now + dt.timedelta(days=1), then=Value("today")),
        default=Value("later"),
        output_field=TextField(),
    )


def read_cells(cases: QuerySet[ExceptionCase], *, now: dt.datetime) -> list[Cell]:
    """One grouped query over `cases`."""
    by_number = {number: code for code, number in SEVERITY_CODES.items()}
    rows = (
        cases.order_by()
        .annotate(age_bucket=_age_case(now), due_bucket=_due_case(now))
        .values_list(
            "status",
            "severity",
            "team",
            "rule",
            "legal_entity_code",
            "owner_id",
            "systems",
            "age_bucket",
            "due_bucket",
            "currency",
        )
        .annotate(cases=Count("id"), minor=Sum("amount_minor"))
    )
    return [
        Cell(
            status=row[0],
            severity=by_number.get(row[1], "low"),
            team=row[2],
            rule=row[3],
            entity=row[4],
            owner=str(row[5]) if row[5] else "none",
            system=tuple(row[6]),
            age=row[7],
            due=row[8],
            currency=row[9],
            cases=row[10],
            minor=int(row[11] or 0),
        )
        for row in rows
    ]


def _fits(cell: Cell, name: str, wanted: frozenset[str]) -> bool:
    if name == "system":
        return not wanted.isdisjoint(cell.system)
    return getattr(cell, name) in wanted


def _wanted(chosen: QueueFilter, user_id: int) -> dict[str, frozenset[str]]:
    wanted = {name: frozenset(values) for name in FACETS if (values := getattr(chosen, name))}
    if "owner" in wanted:
        wanted["owner"] = frozenset(str(user_id) if v == "me" else v for v in wanted["owner"])
    return wanted


def total_of(cells: Sequence[Cell], chosen: QueueFilter, *, user_id: int) -> int:
    """How many cases one filter finds: the `total` of `count_cells`, without the numbers beside it. Pure."""
    wanted = _wanted(chosen, user_id).items()
    return sum(c.cases for c in cells if c.status == chosen.status and all(_fits(c, name, values) for name, values in wanted))


def count_cells(cells: Sequence[Cell], chosen: QueueFilter, *, user_id: int) -> QueueCounts:
    """The numbers for one filter, from the cells. Pure."""
    wanted = _wanted(chosen, user_id)
    facets: dict[str, Counter[str]] = {name: Counter() for name in FACETS}
    tabs: Counter[str] = Counter()
    money: dict[str, Counter[str]] = {}
    total = 0
    for cell in cells:
        missed = [name for name, values in wanted.items() if not _fits(cell, name, values)]
        if not missed:
            tabs[cell.status] += cell.cases
        if cell.status != chosen.status or len(missed) > 1:
            continue
        for name in missed or FACETS:
            for value in cell.system if name == "system" else (getattr(cell, name),):
                facets[name][value] += cell.cases
        if not missed:
            total += cell.cases
            if cell.minor:
                sums = money.setdefault(cell.currency, Counter())
                sums[cell.age] += cell.minor
                sums["all"] += cell.minor
    return QueueCounts(
        total=total,
        facets=facets,
        tabs=tabs,
        cells=cells,
        at_risk={
            currency: {age: Money.from_minor(minor, currency) for age, minor in sums.items()}
            for currency, sums in sorted(money.items())
        },
    )


# --- search ----------------------------------------------------------------------------------------------------------


def records_with_id(text: str, *, limit: int = 5) -> list[SourceRecord]:
    """The records of any system whose id is exactly `text`. Probes the unique index once per system and type."""
    if not text or len(text) > 200 or " " in text:
        return []
    systems = list(SourceSystem.objects.values_list("slug", flat=True))
    found = SourceRecord.objects.filter(system__in=systems, object_type__in=list(TYPES), external_id=text)
    return list(found.select_related("system", "account")[:limit])


def matching(cases: QuerySet[ExceptionCase], text: str) -> QuerySet[ExceptionCase]:
    """The cases that a search text means: a case code, a name of an account or system, an id of any system, a title."""
    if not text:
        return cases
    if code := _CODE.fullmatch(text):
        return cases.filter(pk=int(code[1]))
    ids = [record.account_id for record in records_with_id(text) if record.account_id]
    if ids:
        return cases.filter(account__in=ids)
    accounts = list(
        Account.objects.filter(Q(name__icontains=text) | Q(pk__in=accounts_of_customer(text))).values_list("pk", flat=True)[
            :ACCOUNTS_FOUND_MAX
        ]
    )
    systems = list(SourceSystem.objects.filter(label__icontains=text).values_list("pk", flat=True))
    return cases.filter(Q(account__in=accounts) | Q(system__in=systems) | Q(title__icontains=text))


# --- one page --------------------------------------------------------------------------------------------------------

LISTED = (
    "rule", "account__name", "system__label", "title", "severity", "status", "team", "owner__display_name", "owner__username",
    "systems", "amount_minor", "currency", "due_at", "opened_at", "closed_at", "snoozed_until", "reopened_count", "row_version",
)  # fmt: skip
"""What a line of the list shows, or is ordered by."""


def narrowed(cases: QuerySet[ExceptionCase], chosen: QueueFilter, *, user_id: int, now: dt.datetime) -> QuerySet[ExceptionCase]:
    """`cases` with every facet applied; the search text is applied by `matching`, shared with the counts."""
    found = cases.filter(status=chosen.status)
    if chosen.severity:
        found = found.filter(severity__in=[SEVERITY_CODES[code] for code in chosen.severity])
    if chosen.system:
        found = found.filter(systems__overlap=list(chosen.system))
    for name, column in (("rule", "rule"), ("team", "team"), ("entity", "legal_entity_code")):
        if getattr(chosen, name):
            found = found.filter(**{f"{column}__in": getattr(chosen, name)})
    if chosen.owner:
        people = {key for v in chosen.owner if (key := user_id if v == "me" else row_id(v)) is not None}
        found = found.filter(Q(owner__in=people) | (Q(owner__isnull=True) if "none" in chosen.owner else Q(pk__in=())))
    if chosen.due:
        found = found.filter(_any(_due_ranges(now), chosen.due))
    if chosen.age:
        found = found.filter(_any(_age_ranges(now), chosen.age))
    return found


def _any(ranges: Mapping[str, Q], names: Iterable[str]) -> Q:
    condition = Q()
    for name in names:
        condition |= ranges[name]
    return condition


def _due_ranges(now: dt.datetime) -> dict[str, Q]:
    tomorrow = now + dt.timedelta(days=1)
    return {
        "overdue": Q(due_at__lte=now),
        "today": Q(due_at__gt=now, due_at__lte=tomorrow),
        "later": Q(due_at__gt=tomorrow),
    }


def _age_ranges(now: dt.datetime) -> dict[str, Q]:
    day, three, week = (now - dt.timedelta(days=days) for days in (1, 3, 7))
    return {
        "day": Q(opened_at__gt=day),
        "three": Q(opened_at__gt=three, opened_at__lte=day),
        "week": Q(opened_at__gt=week, opened_at__lte=three),
        "older": Q(opened_at__lte=week),
    }


def page_of(
    found: QuerySet[ExceptionCase], *, sort: str, after: str = "", before: str = "", size: int = PAGE_SIZE
) -> Page[ExceptionCase]:
    """One page of cases by keyset, with the columns of a list: the rest is read when it is asked for."""
    column, descending = SORTS[sort]
    rows = found.select_related("account", "system", "owner").only(*LISTED)
    return Keyset((column, "id"), descending=descending, size=size).page(rows, after=after, before=before)


# --- counts that stay cheap ------------------------------------------------------------------------------------------


def capped_count(rows: QuerySet[Any], cap: int = COUNT_CAP) -> int:
    """At most `cap + 1`: the caller shows `1,000+` for more."""
    return rows.order_by()[: cap + 1].count()


def expectations(rows: QuerySet[Expectation], chosen: QueueFilter) -> QuerySet[Expectation]:
    """What is missing but not yet due, soonest first, under the same search and rule filter."""
    found = rows.filter(held="").select_related("account")
    if chosen.rule:
        found = found.filter(rule__in=chosen.rule)
    if chosen.q:
        found = found.filter(Q(account__name__icontains=chosen.q) | Q(search_text__icontains=chosen.q))
    return found.order_by("due_at", "id")


def cases_for(visible: QuerySet[ExceptionCase], chosen: QueueFilter) -> tuple[QuerySet[ExceptionCase], QuerySet[ExceptionCase]]:
    """(the cases behind the page, the cases behind the counts): live ones, or closed ones on the closed tab."""
    found = matching(visible, chosen.q)
    if chosen.status == CaseStatus.CLOSED:
        return found, found.filter(status=CaseStatus.CLOSED)
    return found, found.exclude(status=CaseStatus.CLOSED)
