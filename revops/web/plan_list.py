"""The list of every change plan: what is under way, what waits for a person, what came of the rest."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import django_filters
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from revops.access.rules import require, visible_to
from revops.cases.queue import capped_count
from revops.keyset import Keyset
from revops.people.models import User
from revops.postings.kinds import KINDS
from revops.postings.models import NOT_DONE, ChangePlan, PlanState, Posting
from revops.web.filters import ListFilter, only_first
from revops.web.formatting import ago_text, count_text, minor_html
from revops.web.pager import cursors_in, pager
from revops.web.requests import signed_in

STATES: Mapping[str, tuple[str, ...]] = {
    "moving": (PlanState.SUBMITTED, PlanState.RELEASED, PlanState.POSTED),
    "draft": (PlanState.DRAFT,),
    "done": (PlanState.CONFIRMED,),
    "partly": (PlanState.PARTLY_POSTED,),
    "ended": NOT_DONE,
}
TABS: Mapping[str, tuple[str, str]] = {
    "moving": ("Under way", "Nothing is under way"),
    "person": ("Needs a controller", "No call waits for a controller"),
    "draft": ("Drafts", "No draft is open"),
    "done": ("Done and proven", "No change is proven yet"),
    "partly": ("Partly posted", "No change is partly posted"),
    "ended": ("Not done", "Nothing was refused, rejected or taken back"),
}
"""Tab -> its label, and what stands there when it is empty."""


class PlanFilter(ListFilter[ChangePlan]):
    """By how far a plan is, and whose it is."""

    show = django_filters.ChoiceFilter(method="by_tab", choices=[(code, label) for code, (label, _) in TABS.items()])
    maker = django_filters.ChoiceFilter(method="by_maker", choices=[("me", "Mine")])

    def __init__(self, address: Mapping[str, str], user: User) -> None:
        self._user = user
        super().__init__(address, visible_to(user, ChangePlan))

    def by_tab(self, rows: QuerySet[ChangePlan], _name: str, tab: str) -> QuerySet[ChangePlan]:
        """The plans of a tab."""
        if tab == "person":
            stuck = Posting.objects.filter(needs_person=True)
            return rows.filter(pk__in=stuck.values("plan"))
        return rows.filter(state__in=STATES[tab])

    def by_maker(self, rows: QuerySet[ChangePlan], _name: str, _me: str) -> QuerySet[ChangePlan]:
        """The reader's own."""
        return rows.filter(maker=self._user)


@require_safe
def plans_page(request: HttpRequest) -> HttpResponse:
    """One tab of the list, newest first. Keyset by id."""
    user, now = signed_in(request), timezone.now()
    require(user, "see_plan")
    given = PlanFilter(only_first(request.GET), user).given
    show, whose = given.get("show", "moving"), {name: given[name] for name in given if name == "maker"}
    found = PlanFilter({**whose, "show": show}, user).rows.select_related("account", "maker", "case")
    page = Keyset().page(found, **cursors_in(request))
    counts = {code: capped_count(PlanFilter({**whose, "show": code}, user).rows) for code in TABS}
    anything = bool(page.rows) or PlanFilter(whose, user).rows.exists()
    nobody = "You have composed no change yet" if whose else "Nobody has composed a change yet"
    context = {
        "page": "plans",
        "section": "plans",
        "show": show,
        "own": bool(whose),
        "tabs": [
            (code, label, count_text(counts[code]))
            for code, (label, _) in TABS.items()
            if code != "person" or counts[code] or show == code
        ],
        "rows": [_line(plan, now) for plan in page.rows],
        "pager": pager(request, page),
        "anything": anything,
        "nothing": TABS[show][1] if anything else nobody,
    }
    return render(request, "postings/list.html", context)


def _line(plan: ChangePlan, now: dt.datetime) -> dict[str, object]:
    moment = plan.ended_at or plan.released_at or plan.submitted_at or plan.created_at
    return {
        "plan": plan,
        "label": KINDS[plan.kind].label if plan.kind in KINDS else plan.kind,
        "amount": minor_html(plan.amount_minor, plan.currency) if plan.amount_minor else "",
        "moment": moment,
        "ago": ago_text(moment, now),
    }
