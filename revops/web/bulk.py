"""One action on many cases: on the ticked rows of a page, or, after a preview, on everything that a filter matches.

Always all of them or none. The preview names exactly the cases that the button will change; what is altered in between, by
anybody, stops the whole. An id that the reader may not see or not work is refused like one that does not exist.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from revops.access.rules import may, require, visible_to, workable_by
from revops.cases import actions, queue
from revops.cases.actions import BULK_MAX
from revops.cases.models import CaseStatus, ExceptionCase, Severity
from revops.cases.queue import QueueFilter
from revops.errors import Conflict, Missing, Rejected, RevOpsError, http_status
from revops.ledger.models import SourceSystem
from revops.money import Money
from revops.people.models import User
from revops.web.case_context import SNOOZE_CHOICES
from revops.web.cases import owner_of
from revops.web.formatting import money_html, plural
from revops.web.forms import BulkForm, PageForm
from revops.web.queue import bulk_forms, href_of_filter, queue_context
from revops.web.requests import back, signed_in
from revops.web.rows import case_row

LISTED_MAX = 20


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the form asks for. `owner` None with `action` `assign` is nobody."""

    action: str
    owner: User | None = None
    remark: str = ""
    hours: str = ""
    reason: str = ""

    def sentence(self, count: int) -> str:
        """`Give 12 cases to Farid Nasser`."""
        cases = plural(count, "case")
        if self.action == "snooze":
            return f"Put {cases} aside for {dict(SNOOZE_CHOICES).get(self.hours, 'some time')}"
        return f"Give {cases} to {self.owner.shown_name}" if self.owner else f"Take {cases} off their owners"

    def done(self, count: int) -> str:
        """`12 cases given to Farid Nasser`."""
        cases = plural(count, "case")
        if self.action == "snooze":
            return f"{cases} put aside for {dict(SNOOZE_CHOICES)[self.hours]}"
        return f"{cases} given to {self.owner.shown_name if self.owner else 'nobody'}"


@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """Change the ticked rows, or show first what a filter matches."""
    user, now = signed_in(request), timezone.now()
    require(user, "work_case")
    form = BulkForm(request.POST)
    forms = bulk_forms(user, form.given("action") or "", request.POST)
    chosen = QueueFilter.from_query(form.given("back") or "")
    try:
        said = form.must()
        wanted = _wanted(said["action"], forms[said["action"]].must())
        if said["scope"] == "match":
            return _preview(request, user, chosen, wanted, now)
        rows = _act(_picked(said["case"], user, wanted.owner), wanted, user, now)
    except (Conflict, Rejected) as error:
        if form.given("action"):
            forms[form.given("action")].keep_problem(error)
        return _refused(request, chosen, error, form=form, forms=forms)
    return back(request, href_of_filter(chosen), wanted.done(len(rows)))


def _wanted(action: str, said: Mapping[str, Any]) -> Wanted:
    if action == "snooze":
        return Wanted("snooze", hours=said["hours"], reason=said["reason"])
    return Wanted("assign", owner=owner_of(said["owner"]), remark=said["remark"])


def _picked(given: list[tuple[int | None, int | None]], user: User, owner: User | None) -> dict[int, int]:
    """The ticked rows with the versions that were shown. Raises `Missing` when one is not there, not visible or not workable
    for the reader, `Rejected` when the new owner does not work one of them."""
    if len(given) > BULK_MAX:
        raise Rejected("bulk_limit", f"At most {BULK_MAX} cases at once. Narrow the filter, then do the rest.")
    picked: dict[int, int] = {}
    for key, version in given:
        if key is None or version is None:
            raise Missing("exception")
        picked[key] = version
    rows = list(workable_by(user, visible_to(user, ExceptionCase)).filter(pk__in=picked).only("pk", "team"))
    if len(rows) != len(picked):
        raise Missing("exception")
    _check_owner(owner, rows)
    return picked


def _check_owner(owner: User | None, rows: list[ExceptionCase]) -> None:
    unsuited = [row.code for row in rows if owner is not None and not may(owner, "work_case", row)]
    if owner is not None and unsuited:
        raise Rejected(
            "owner_unsuitable",
            f"{owner.shown_name} does not work {plural(len(unsuited), 'case')} of these, such as {unsuited[0]}. Nothing was "
            "done: choose somebody else, or narrow the filter.",
            field="owner",
        )


def _act(picked: dict[int, int], wanted: Wanted, user: User, now: dt.datetime) -> list[ExceptionCase]:
    if wanted.action == "snooze":
        until = now + dt.timedelta(hours=int(wanted.hours))
        return actions.snooze_cases(picked, until=until, reason=wanted.reason, acting_user=user, now=now)
    return actions.assign_cases(picked, owner=wanted.owner, acting_user=user, remark=wanted.remark)


def _preview(request: HttpRequest, user: User, chosen: QueueFilter, wanted: Wanted, now: dt.datetime) -> HttpResponse:
    """Everything that the filter matches, as it is at this moment: how many, how much money, what is left out and why."""
    found, _ = queue.cases_for(visible_to(user, ExceptionCase), chosen)
    matching = queue.narrowed(found, chosen, user_id=user.pk, now=now)
    mine = (
        workable_by(user, matching)
        .select_related("account", "system", "owner")
        .defer("evidence", "close_evidence", "close_reason")
    )
    total, workable = matching.order_by().count(), mine.order_by().count()
    rows = list(mine.order_by("due_at", "pk")[:BULK_MAX])
    if chosen.status == CaseStatus.CLOSED or not rows:
        raise Rejected("bulk_empty", "Nothing that you may work matches this filter any more.")
    _check_owner(wanted.owner, rows)
    context = {
        "page": "bulk",
        "section": "queue",
        "wanted": wanted,
        "heading": wanted.sentence(len(rows)),
        "rows": rows,
        "left_out": _left_out(total, workable, len(rows)),
        "query": chosen.query(),
        "back_href": href_of_filter(chosen),
        **_figures(rows, wanted, now, user),
    }
    return render(request, "cases/bulk.html", context)


def _left_out(total: int, workable: int, taken: int) -> list[str]:
    lines = []
    if total > workable:
        lines.append(f"{plural(total - workable, 'case')} of a team whose cases you do not work")
    if workable > taken:
        lines.append(f"{plural(workable - taken, 'case')} beyond the first {BULK_MAX} by due time: do them afterwards")
    return lines


def _figures(rows: list[ExceptionCase], wanted: Wanted, now: dt.datetime, user: User) -> dict[str, Any]:
    money: dict[str, Money] = {}
    for row in rows:
        if row.amount_minor:
            amount = Money.from_minor(row.amount_minor, row.currency)
            money[row.currency] = money[row.currency] + amount if row.currency in money else amount
    severities = Counter(row.severity for row in rows)
    owners = Counter(row.owner.shown_name if row.owner else "nobody" for row in rows)
    unchanged = sum(wanted.action == "assign" and row.owner_id == (wanted.owner.pk if wanted.owner else None) for row in rows)
    systems = dict(SourceSystem.objects.values_list("slug", "label"))
    return {
        "money": [money_html(amount) for _, amount in sorted(money.items())],
        "severities": [(Severity(number).label, count) for number, count in sorted(severities.items())],
        "owners": owners.most_common(6),
        "unchanged": unchanged,
        "listed": [case_row(row, systems=systems, now=now, me=user.pk) for row in rows[:LISTED_MAX]],
        "unlisted": max(0, len(rows) - LISTED_MAX),
    }


def _refused(
    request: HttpRequest, chosen: QueueFilter, error: RevOpsError, *, form: BulkForm, forms: Mapping[str, PageForm]
) -> HttpResponse:
    """The queue again, with what was ticked and typed, and why nothing was done."""
    context = queue_context(signed_in(request), parse_qs(chosen.query()), timezone.now())
    context |= {
        "problem": error.message,
        "picked": {key for key, _ in form.given("case") or ()},
        "bulk_form": form,
        "forms": forms,
    }
    return render(request, "cases/queue.html", context, status=http_status(error))
