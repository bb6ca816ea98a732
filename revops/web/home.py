"""The start, and finding anything by its name or id."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from revops.access.grants import administrators
from revops.access.rules import may, require, visible_to
from revops.accounts.models import Account
from revops.cases.models import ExceptionCase
from revops.cases.queue import records_with_id
from revops.identity.factors import factors_of, is_required
from revops.ledger.models import Freshness, SourceRecord, SourceSystem
from revops.ledger.types import TYPES
from revops.people.models import User
from revops.postings.models import ChangePlan
from revops.web.addresses import href
from revops.web.navigation import sections_for
from revops.web.requests import signed_in

_CODE = re.compile(r"(?i)(ex|ac|cp)-?0*([0-9]{1,18})")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """To what this person works on."""
    user = signed_in(request)
    roles = user.role_codes()
    if not settings.REVOPS_DEMO and may(user, "manage_people") and _is_empty():
        return redirect("web:first-steps")
    if roles and roles <= {"approver"}:
        return redirect("web:approvals")
    for section in sections_for(user):
        return redirect(section.url_name)
    return render(request, "web/no_role.html", {"page": "home"})


def _is_empty() -> bool:
    """Whether the first person or the first connection is still to come."""
    return not SourceSystem.objects.exists() or User.objects.count() < 2


@require_safe
def first_steps(request: HttpRequest) -> HttpResponse:
    """What an administrator does first in an empty installation, and what of it is done."""
    user = signed_in(request)
    require(user, "manage_people")
    sections = {section.code: section.url_name for section in sections_for(user)}
    context = {
        "page": "first-steps",
        "secured": factors_of(user).any or not is_required(),
        "invited": User.objects.count() > 1,
        "second": administrators().count() > 1,
        "connected": SourceSystem.objects.exists(),
        "read": Freshness.objects.filter(read_through_at__isnull=False).exists(),
        "connections_href": href(sections["connections"]) if "connections" in sections else "",
    }
    return render(request, "web/first_steps.html", context)


@require_safe
def find(request: HttpRequest) -> HttpResponse:
    """A code goes straight to its page; an id of any system to its record; anything else lists accounts and cases."""
    user = signed_in(request)
    text = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    target = _direct(user, text)
    if target:
        return redirect(target)
    records = [r for r in records_with_id(text) if may(user, "see_ledger")]
    if len(records) == 1:
        return redirect("web:record", pk=records[0].pk)
    accounts = list(visible_to(user, Account).filter(name__icontains=text)[:20]) if len(text) > 1 else []
    cases = []
    if accounts:
        found = visible_to(user, ExceptionCase).filter(account__in=accounts).exclude(status="closed")
        cases = list(found.select_related("account").defer("evidence", "close_evidence").order_by("due_at")[:20])
    numbered = _by_number(text) if may(user, "see_ledger") and not records else []
    context = {"page": "find", "q": text, "records": [*records, *numbered], "accounts": accounts, "cases": cases}
    return render(request, "web/find.html", context)


def _direct(user: User, text: str) -> str:
    """The page of the code that was asked for, when it is there for this person."""
    match = _CODE.fullmatch(text)
    if match is None:
        return ""
    number = int(match[2])
    model, name = {"EX": (ExceptionCase, "case"), "AC": (Account, "account"), "CP": (ChangePlan, "plan")}[match[1].upper()]
    seen = visible_to(user, model._default_manager.filter(pk=number)).exists()
    return href(name, f"{match[1].upper()}-{number:05d}") if seen else ""


def _by_number(text: str) -> list[SourceRecord]:
    """Documents whose number is exactly this text: people paste invoice and contract numbers."""
    if len(text) < 4 or " " in text:
        return []
    wanted = SourceRecord.objects.filter(object_type__in=TYPES.numbered(), fields__number=text)
    return list(wanted.select_related("system", "account")[:20])
