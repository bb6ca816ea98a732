"""The queue page: filter rail, list, preview pane. Everything the page shows is in the address."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import parse_qs, urlsplit

import redis
from django.core.cache import cache
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from revops.access.rules import may, require, visible_to
from revops.audit.models import ActionRecord
from revops.cases import queue
from revops.cases.models import CaseStatus, ExceptionCase, Expectation, SavedView, Team
from revops.cases.queue import AGES, DUES, Cell, QueueCounts, QueueFilter
from revops.detection.catalogue import EXCEPTIONS
from revops.ledger.freshness import freshness_of
from revops.ledger.models import SourceSystem
from revops.parameters import moment
from revops.people.models import LegalEntity, User
from revops.web.addresses import href
from revops.web.assignees import assignable
from revops.web.case_context import SNOOZE_CHOICES, preview_context
from revops.web.formatting import count_text, money_html
from revops.web.forms import AssignForm, PageForm, SnoozeForm, ViewForm
from revops.web.freshness_strip import fresh_strip
from revops.web.pager import Pager
from revops.web.requests import is_fragment, signed_in
from revops.web.rows import CaseRow, case_row, expectation_row, rule_label

FACET_LABELS = {
    "due": "Due",
    "severity": "Severity",
    "owner": "Owner",
    "system": "System",
    "rule": "Exception",
    "team": "Team",
    "entity": "Legal entity",
    "age": "Age",
}
TAB_LABELS = {
    "open": "Open",
    "awaiting_evidence": "Awaiting evidence",
    "snoozed": "Snoozed",
    "not_due": "Not yet due",
    "closed": "Closed",
}
SORT_LABELS = {"due": "Due first", "severity": "Worst first", "-opened": "Newest first", "opened": "Oldest first"}


@dataclass(frozen=True, slots=True)
class Option:
    """One value of a facet, as a link that adds or removes it."""

    label: str
    count: str
    href: str
    chosen: bool
    value: str = ""


@dataclass(frozen=True, slots=True)
class Facet:
    """One group of the rail. Groups with one value and nothing chosen are not worth a line."""

    name: str
    label: str
    options: list[Option]
    chosen: bool


@dataclass(frozen=True, slots=True)
class FacetLabels:
    """Labels of what the facets count, read once a page."""

    systems: Mapping[str, str]
    rules: Mapping[str, str]
    people: Mapping[str, str]
    entities: Mapping[str, str]

    def of(self, facet: str, value: str, me: int) -> str:
        """The words for one value."""
        known: Mapping[str, Mapping[str, str]] = {
            "due": dict(DUES),
            "age": dict(AGES),
            "severity": {code: code.capitalize() for code in queue.SEVERITY_CODES},
            "team": {str(code): str(label) for code, label in Team.choices},
            "system": self.systems,
            "rule": self.rules,
            "entity": self.entities,
            "owner": {"none": "Unassigned", "me": "Me", str(me): "Me", **self.people},
        }
        if facet == "owner" and value == str(me):
            return "Me"
        return known[facet].get(value, value or "none")


def read_names() -> FacetLabels:
    """Three small queries and the rules of the code."""
    return FacetLabels(
        systems=dict(SourceSystem.objects.values_list("slug", "label")),
        rules={code: rule_label(code) for code in EXCEPTIONS},
        people={str(user.pk): user.shown_name for user in User.objects.filter(is_active=True).only("display_name", "username")},
        entities=dict(LegalEntity.objects.values_list("code", "name")),
    )


@require_safe
def queue_page(request: HttpRequest) -> HttpResponse:
    """The page, or its fragment for HTMX."""
    user = signed_in(request)
    require(user, "see_queue")
    now = timezone.now()
    if not request.GET and default_filter(user).is_narrowed:
        return redirect(href_of_filter(default_filter(user)))
    context = queue_context(user, dict(request.GET.lists()), now)
    if is_fragment(request):
        return render(request, "cases/_queue.html", context)
    if context["open_code"]:
        context |= preview_context(user, str(context["open_code"]), now)
    return render(request, "cases/queue.html", context)


def default_filter(user: User) -> QueueFilter:
    """Where the queue starts for this person: with the cases that they may work; everything else is one click away."""
    if may(user, "work_case") and "cs_analyst" in user.role_codes() and "finance_analyst" not in user.role_codes():
        return QueueFilter(team=(str(Team.CUSTOMER_SUCCESS),))
    return QueueFilter()


def queue_context(user: User, values: dict[str, list[str]], now: dt.datetime) -> dict[str, Any]:
    """Everything the queue shows for this address. A constant number of queries, whatever the number of cases."""
    waiting = values.get("status", [""])[0] == "not_due"
    chosen = QueueFilter.from_query(values)
    names = read_names()
    found, counted = queue.cases_for(visible_to(user, ExceptionCase), chosen)
    counts = queue.count_cells(_cells(user, counted, chosen, now), chosen, user_id=user.pk)
    not_due = queue.expectations(visible_to(user, Expectation), chosen)
    views = saved_views(user)
    context: dict[str, Any] = {
        "page": "queue",
        "section": "queue",
        "chosen": chosen,
        "waiting": waiting,
        "names": names,
        "query": chosen.query(),
        "tabs": _tabs(chosen, counts, not_due, visible_to(user, ExceptionCase), waiting=waiting),
        "facets": [] if waiting else _facets(chosen, counts, names, user.pk),
        "chips": _chips(chosen, names, user.pk),
        "sorts": [
            (label, href_of_filter(replace(chosen, sort=code)), code == chosen.sort) for code, label in SORT_LABELS.items()
        ],
        "counts": counts,
        "total": count_text(counts.total, 1_000_000),
        "at_risk": _at_risk(chosen, counts),
        "ages": [(code, label, href_of_filter(_only_age(chosen, code))) for code, label in AGES],
        "views": _views(views, chosen, counts, user),
        "clear_href": href_of_filter(QueueFilter(status=chosen.status)),
        "own_views": [v for v in views if v.owner_id == user.pk],
        "may_work": may(user, "work_case"),
        "forms": bulk_forms(user) if may(user, "work_case") else {},
        "view_form": ViewForm() if may(user, "save_view") else None,
        "picked": set(),
        "fresh": fresh_strip(freshness_of(now=now), now),
        "open_code": values.get("open", [""])[0][:20],
        "unlinked": unlinked_count(),
        "drawn": now.isoformat(),
    }
    if waiting:
        rows = list(not_due[: queue.PAGE_SIZE])
        context["rows"] = [expectation_row(row, rules=names.rules, now=now) for row in rows]
        return context
    page = queue.page_of(
        queue.narrowed(found, chosen, user_id=user.pk, now=now),
        sort=chosen.sort,
        after=values.get("after", [""])[0],
        before=values.get("before", [""])[0],
    )
    context["rows"] = [
        case_row(case, systems=names.systems, now=now, me=user.pk, workable=may(user, "work_case", case)) for case in page.rows
    ]
    context["readable_only"] = sum(not row["workable"] for row in context["rows"])
    context["pager"] = Pager(
        first=f"?{chosen.query(before=page.before)}" if page.before else "",
        following=f"?{chosen.query(after=page.after)}" if page.after else "",
    )
    return context


def saved_views(user: User) -> list[SavedView]:
    """This person's views, and those that others share."""
    views = SavedView.objects.filter(Q(owner=user) | Q(shared=True)).select_related("owner")
    return list(views.only("name", "query", "shared", "owner__display_name", "owner__username"))


def bulk_forms(user: User, which: str = "", sent: QueryDict | None = None) -> dict[str, PageForm]:
    """The forms below the list, which share one sending: only the one named `which` is judged."""
    forms: dict[str, PageForm] = {}
    for code, make in (
        ("assign", partial(AssignForm, assignable(user), label="Give them to")),
        ("snooze", partial(SnoozeForm, SNOOZE_CHOICES)),
    ):
        typed = {} if sent is None else make(sent).typed()
        start = {"hours": SNOOZE_CHOICES[0][0], **typed}
        data = sent if code == which else None
        forms[code] = make(data, initial=start, auto_id="bulk-%s", use_required_attribute=False)
    return forms


CELLS_KEPT_SECONDS = 30


def _cells(user: User, counted: QuerySet[ExceptionCase], chosen: QueueFilter, now: dt.datetime) -> list[Cell]:
    """The cube, kept for half a minute under the number of the last action: whatever anybody does to a case writes an action,
    so a kept cube is never behind a change, only the age and due buckets may be half a minute old."""
    last = ActionRecord.objects.order_by("-id").values_list("id", flat=True).first() or 0
    closed = chosen.status == CaseStatus.CLOSED
    digest = hashlib.sha256(f"{user.pk}\x1f{closed}\x1f{chosen.q}".encode()).hexdigest()[:32]
    key = f"queue-cells:{last}:{digest}"
    try:
        kept: list[Cell] | None = cache.get(key)
        if kept is None:
            kept = queue.read_cells(counted, now=now)
            cache.set(key, kept, CELLS_KEPT_SECONDS)
    except (redis.RedisError, OSError):
        return queue.read_cells(counted, now=now)
    return kept


def href_of_filter(chosen: QueueFilter) -> str:
    """The address of a filter. The empty one says so: a bare address is where this person's own queue starts."""
    return href("queue", query=chosen.query() or "show=all")


def row_of(user: User, case: ExceptionCase, now: dt.datetime) -> CaseRow:
    """One line of the list, after an action on its case."""
    systems = dict(SourceSystem.objects.values_list("slug", "label"))
    return case_row(case, systems=systems, now=now, me=user.pk, workable=may(user, "work_case", case))


def counts_beside(request: HttpRequest, user: User, now: dt.datetime) -> dict[str, Any]:
    """After an action in the pane: every count of the page around it, for the filter that this page stands at.

    The address is a header that anybody can forge: only what a filter of ours knows is read from it.
    """
    address = urlsplit(request.headers.get("HX-Current-URL", "")[:4000])
    values = parse_qs(address.query) if address.path == href("queue") else {}
    chosen, names = QueueFilter.from_query(values), read_names()
    waiting = values.get("status", [""])[0] == "not_due"
    _, counted = queue.cases_for(visible_to(user, ExceptionCase), chosen)
    counts = queue.count_cells(_cells(user, counted, chosen, now), chosen, user_id=user.pk)
    not_due = queue.expectations(visible_to(user, Expectation), chosen)
    views = saved_views(user)
    return {
        "recount": True,
        "waiting": waiting,
        "chips": _chips(chosen, names, user.pk),
        "tabs": _tabs(chosen, counts, not_due, visible_to(user, ExceptionCase), waiting=waiting),
        "facets": [] if waiting else _facets(chosen, counts, names, user.pk),
        "views": _views(views, chosen, counts, user),
        "at_risk": _at_risk(chosen, counts),
        "ages": [(code, label, href_of_filter(_only_age(chosen, code))) for code, label in AGES],
        "unlinked": unlinked_count(),
    }


def _only_age(chosen: QueueFilter, age: str) -> QueueFilter:
    return replace(chosen, age=(age,))


def _tabs(chosen: QueueFilter, counts: QueueCounts, not_due: Any, visible: Any, *, waiting: bool) -> list[Option]:
    closed_tab = chosen.status == CaseStatus.CLOSED
    live = counts.tabs
    if closed_tab:  # the cube holds closed cases only: count the live ones for the tabs beside it
        cells = queue.read_cells(queue.matching(visible, chosen.q).exclude(status=CaseStatus.CLOSED), now=timezone.now())
        live = queue.count_cells(cells, chosen, user_id=0).tabs
    tabs = []
    for code, label in TAB_LABELS.items():
        if code == "closed":
            count = count_text(queue.capped_count(visible.filter(status=CaseStatus.CLOSED)))
        elif code == "not_due":
            count = count_text(queue.capped_count(not_due))
        else:
            count = count_text(live.get(code, 0), 1_000_000)
        to = href("queue", query="status=not_due") if code == "not_due" else href_of_filter(replace(chosen, status=code))
        tabs.append(Option(label, count, to, waiting if code == "not_due" else not waiting and code == chosen.status, code))
    return tabs


def _facets(chosen: QueueFilter, counts: QueueCounts, names: FacetLabels, me: int) -> list[Facet]:
    facets = []
    for name, label in FACET_LABELS.items():
        selected: tuple[str, ...] = getattr(chosen, name)
        found = dict(counts.facets[name])
        if name == "owner" and str(me) in found:
            found = {"me": found.pop(str(me)), **found}
        values = list(dict.fromkeys([*_order(name, found), *selected]))
        if len(values) < 2 and not selected:
            continue
        options = [
            Option(
                names.of(name, value, me),
                count_text(found.get(value, 0), 1_000_000),
                href_of_filter(chosen.toggled(name, value)),
                value in selected,
                value,
            )
            for value in values
        ]
        facets.append(Facet(name, label, options[:12], bool(selected)))
    return facets


def _order(name: str, found: Mapping[str, int]) -> list[str]:
    fixed = {"due": [c for c, _ in DUES], "age": [c for c, _ in AGES], "severity": list(queue.SEVERITY_CODES)}
    if name in fixed:
        return [value for value in fixed[name] if value in found]
    if name == "owner":
        return sorted(found, key=lambda v: ({"me": 0, "none": 1}.get(v, 2), -found[v]))
    return sorted(found, key=lambda v: (-found[v], v))


def _chips(chosen: QueueFilter, names: FacetLabels, me: int) -> list[tuple[str, str, str]]:
    chips = [
        (FACET_LABELS[name], names.of(name, value, me), href_of_filter(chosen.toggled(name, value)))
        for name in FACET_LABELS
        for value in getattr(chosen, name)
    ]
    if chosen.q:
        chips.insert(0, ("Search", chosen.q, href_of_filter(replace(chosen, q=""))))
    return chips


def _at_risk(chosen: QueueFilter, counts: QueueCounts) -> list[dict[str, object]]:
    return [
        {
            "currency": currency,
            "all": money_html(sums["all"]),
            "by_age": [
                (money_html(sums[age]) if age in sums else "", href_of_filter(_only_age(chosen, age)), label)
                for age, label in AGES
            ],
        }
        for currency, sums in counts.at_risk.items()
    ]


def _views(views: list[SavedView], chosen: QueueFilter, counts: QueueCounts, user: User) -> list[dict[str, object]]:
    """The built-in views and the saved ones, counted from the same cells (a view with a search text has no count)."""
    mine = default_filter(user)
    team = str(Team.FINANCE) if "finance_analyst" in user.role_codes() else next(iter(mine.team), "")
    built_in = [
        *([("My team", QueueFilter(team=(team,)))] if team else []),
        ("All open", QueueFilter()),
        ("Mine", QueueFilter(owner=("me",))),
        ("Unassigned", replace(mine, owner=("none",))),
        ("Overdue", replace(mine, due=("overdue",))),
    ]
    exact = not chosen.q and chosen.status != CaseStatus.CLOSED
    lines: list[tuple[str, QueueFilter, SavedView | None]] = [(name, wanted, None) for name, wanted in built_in]
    lines += [(view.name, QueueFilter.from_query(view.query), view) for view in views]
    return [
        {
            "name": name,
            "href": href_of_filter(wanted),
            "current": wanted.query() == chosen.query(),
            "count": count_text(queue.total_of(counts.cells, wanted, user_id=user.pk), 1_000_000)
            if exact and not wanted.q and wanted.status != CaseStatus.CLOSED
            else "",
            "shared_by": view.owner.shown_name if view and view.owner_id != user.pk else "",
            "id": view.pk if view and view.owner_id == user.pk else 0,
        }
        for name, wanted, view in lines
    ]


def unlinked_count() -> int:
    """Customer records that belong to no account, capped."""
    from revops.ledger.models import SourceRecord

    rows = SourceRecord.objects.filter(account__isnull=True, object_type="customer", deleted=False)
    return queue.capped_count(rows, 99)


@require_safe
def pulse(request: HttpRequest) -> HttpResponse:
    """Has the list changed since it was drawn? A line that offers the new rows; nothing moves by itself."""
    user = signed_in(request)
    require(user, "see_queue")
    now = timezone.now()
    chosen = QueueFilter.from_query(dict(request.GET.lists()))
    since = request.GET.get("since", "")
    found, _ = queue.cases_for(visible_to(user, ExceptionCase), chosen)
    rows = queue.narrowed(found, chosen, user_id=user.pk, now=now)
    drawn_at = moment(since, dt.UTC)
    rows = rows.filter(opened_at__gt=drawn_at) if drawn_at is not None else rows.none()
    context = {
        "new": queue.capped_count(rows, 99),
        "href": href_of_filter(chosen),
        "query": chosen.query(),
        "since": since,
        "now": now,
    }
    return render(request, "cases/_pulse.html", context)
