"""Accounts: the list, and one account's ledger on two time axes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

import django_filters
from django import forms
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from revops.access.rules import may, require, visible_to
from revops.accounts.link import accounts_of_customer
from revops.accounts.models import Account, AccountLink
from revops.audit.models import ActionRecord
from revops.cases.models import CaseStatus, ExceptionCase, Expectation
from revops.cases.queue import capped_count, records_with_id
from revops.detection.registry import RULES
from revops.keyset import Keyset
from revops.ledger.freshness import freshness_of
from revops.ledger.models import SourceSystem
from revops.ledger.reading import account_ledger
from revops.ledger.statement import StatementLine, closing_balances, statement_lines
from revops.ledger.types import TYPES
from revops.ledger.view import AccountLedger, LedgerRecord
from revops.people.models import User
from revops.policies.in_force import policies_in_force
from revops.web.addresses import href
from revops.web.filters import ListFilter, only_first
from revops.web.formatting import count_text, money_html
from revops.web.forms import TimesForm, UnlinkForm
from revops.web.freshness_strip import fresh_strip
from revops.web.pager import cursors_in, pager
from revops.web.requests import id_of, one, signed_in
from revops.web.rows import case_row, expectation_row
from revops.web.side_by_side import Pair, closings, moved, pairs

BY_NAME = Keyset(("name", "id"), descending=False)


class AccountFilter(ListFilter[Account]):
    """By a part of the name, or by any system's id of one of the account's records."""

    q = django_filters.CharFilter(
        method="search",
        label="Search accounts",
        widget=forms.TextInput(
            attrs={
                "type": "search",
                "class": "input",
                "placeholder": "Name or any system’s id",
                "data-focus": "search",
                "aria-keyshortcuts": "/",
            }
        ),
    )

    def search(self, rows: QuerySet[Account], _name: str, text: str) -> QuerySet[Account]:
        """The accounts that the text may mean."""
        ids = [record.account_id for record in records_with_id(text) if record.account_id]
        return rows.filter(Q(name__icontains=text) | Q(pk__in=accounts_of_customer(text)) | Q(pk__in=ids))


@require_safe
def accounts_page(request: HttpRequest) -> HttpResponse:
    """The list: by name, keyset on (name, id)."""
    user = signed_in(request)
    require(user, "see_account")
    chosen = AccountFilter(only_first(request.GET), visible_to(user, Account).select_related("legal_entity"))
    rows = chosen.rows
    total = count_text(capped_count(rows, 5000), 5000)
    page = BY_NAME.page(rows, **cursors_in(request))
    open_cases = dict(
        ExceptionCase.objects.filter(account__in=page.rows)
        .exclude(status=CaseStatus.CLOSED)
        .order_by()
        .values_list("account")
        .annotate(Count("id"))
    )
    systems = dict(SourceSystem.objects.values_list("slug", "label"))
    links: dict[int, list[str]] = {}
    for link in AccountLink.objects.filter(account__in=page.rows).exclude(basis=AccountLink.Basis.REFUSED).order_by("system"):
        links.setdefault(link.account_id, []).append(systems.get(link.system, link.system))
    context = {
        "page": "accounts",
        "section": "accounts",
        "q": chosen.given.get("q", ""),
        "form": chosen.form,
        "total": total,
        "rows": [
            {"account": a, "cases": open_cases.get(a.pk, 0), "systems": " · ".join(dict.fromkeys(links.get(a.pk, [])))}
            for a in page.rows
        ],
        "pager": pager(request, page),
    }
    return render(request, "accounts/list.html", context)


@require_safe
def account_page(request: HttpRequest, code: str) -> HttpResponse:
    """One account: its records, statement, cases, as of any moment on either axis."""
    user, now = signed_in(request), timezone.now()
    require(user, "see_account")
    account = one(visible_to(user, Account).select_related("legal_entity"), id_of(code, "AC"))
    return render(request, "accounts/account.html", account_context(request, user, account, now))


def account_context(request: HttpRequest, user: User, account: Account, now: dt.datetime) -> dict[str, Any]:
    """Everything the account page shows."""
    times = TimesForm(request.GET)
    given = times.typed()
    as_of, known_at = times.given("as_of"), times.given("known_at")
    ledger = account_ledger(account, as_of=as_of, known_at=known_at)
    systems = dict(SourceSystem.objects.values_list("slug", "label"))
    cases = list(
        visible_to(user, ExceptionCase)
        .filter(account=account)
        .select_related("account", "owner")
        .defer("close_evidence")
        .order_by("status", "due_at")[:100]
    )
    live = [case for case in cases if case.status != CaseStatus.CLOSED]
    links = list(AccountLink.objects.filter(account=account).select_related("confirmed_by").order_by("system", "customer_id"))
    own = [record for record in ledger.records if not TYPES[record.object_type].in_every_ledger]
    return {
        "page": "account",
        "section": "accounts",
        "account": account,
        "times": times,
        "given": given,
        "past": bool(as_of or known_at),
        "fresh": fresh_strip(freshness_of({r.system for r in own}, now=now), now),
        "headline": _headline(ledger, systems),
        "links": [
            {"link": link, "system": systems.get(link.system, link.system), "form": unlink_form(link.pk)} for link in links
        ],
        **_statement(ledger, request.GET.get("books", "")[:60], systems, live, given),
        "groups": _groups(ledger, systems),
        "cases": [case_row(case, systems=systems, now=now, me=user.pk) for case in live],
        "closed_count": len(cases) - len(live),
        "waiting": [
            expectation_row(row, rules={code: rule.title for code, rule in RULES.items()}, now=now)
            for row in visible_to(user, Expectation)
            .filter(account=account, held="")
            .select_related("account")
            .order_by("due_at")[:50]
        ],
        "may_link": may(user, "link_account"),
        "actions": ActionRecord.objects.filter(account_id=account.pk, verb__startswith="account.").select_related("actor")[:20],
    }


def unlink_form(link_id: int, sent: QueryDict | None = None) -> UnlinkForm:
    """Why that link is wrong; one for each line of the table."""
    return UnlinkForm(sent, auto_id=f"unlink-{link_id}-%s", initial={"link": link_id})


def _headline(ledger: AccountLedger, systems: dict[str, str]) -> list[tuple[str, str, object]]:
    """What stands at the top of the account, as the types declare: recurring revenue as each system has it, and the renewal."""
    facts: list[tuple[str, str, object]] = []
    for declared in TYPES.values():
        for line in declared.summary:
            for record in ledger.of(declared.code, line.role):
                value = record.fields.get(line.field)
                if value is not None:
                    facts.append((line.label.format(record.label), systems.get(record.system, record.system), value))
    return facts[:6]


def _book_tabs(systems: Sequence[str], labels: Mapping[str, str], given: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """(code, label, query string) of each way to show the account ledger; the moments looked at stay in the address."""
    if len(systems) < 2:
        return []
    kept = {name: text for name, text in given.items() if text}
    tabs = [("", "Side by side"), *((slug, labels.get(slug, slug)) for slug in systems)]
    return [(code, label, urlencode({"books": code, **kept})) for code, label in tabs]


def _statement(
    ledger: AccountLedger, chosen: str, labels: Mapping[str, str], cases: Sequence[ExceptionCase], given: Mapping[str, str]
) -> dict[str, Any]:
    """The account ledger: documents side by side, or one system's statement with its running balance."""
    lines = statement_lines(ledger)
    roles = {line.system: line.role for line in lines}
    systems = sorted(roles, key=lambda slug: (roles[slug] != "billing", slug))
    chosen = chosen if chosen in systems else ""
    named: dict[tuple[str, str, str], list[ExceptionCase]] = {}
    for case in cases:
        for e in case.evidence.get("records") or []:
            named.setdefault((str(e.get("system")), str(e.get("object_type")), str(e.get("external_id"))), []).append(case)
    side_by_side = [] if chosen or len(systems) < 2 else pairs(lines, systems, policies_in_force())
    return {
        "books": chosen,
        "book_tabs": _book_tabs(systems, labels, given),
        "systems": [labels.get(slug, slug) for slug in systems],
        "pairs": [_pair(p, systems, labels, named) for p in side_by_side],
        "closings": [
            {
                "currency": c.currency,
                "cells": [money_html(c.balances[slug]) if slug in c.balances else "" for slug in systems],
                "apart": money_html(c.apart) if c.apart is not None and c.apart else "",
                "known": c.apart is not None,
            }
            for c in closings(lines, systems)
        ],
        "statement": [
            _statement_row(line, labels, named) for line in lines if len(systems) < 2 or line.system == chosen
        ] if chosen or len(systems) < 2 else [],
        "closing": [
            (labels.get(slug, slug), money_html(balance))
            for (slug, _), balance in sorted(closing_balances(lines).items()) if not chosen or slug == chosen
        ],
    }  # fmt: skip


Named = Mapping[tuple[str, str, str], list[ExceptionCase]]


def _pair(pair: Pair, systems: Sequence[str], labels: Mapping[str, str], named: Named) -> dict[str, object]:
    """One document as a line of the side-by-side ledger."""
    cells = []
    for slug in systems:
        line = pair.lines.get(slug)
        amount = moved(line) if line else None
        cells.append({
            "system": labels.get(slug, slug),
            "there": line is not None,
            "amount": money_html(amount) if amount is not None else "",
            "status": line.status.replace("_", " ") if line else "",
        })  # fmt: skip
    found = {case.pk: case for line in pair.lines.values() for case in named.get(line.record.key, [])}
    return {
        "on": min((line.on.isoformat() for line in pair.lines.values() if line.on), default=""),
        "documents": [
            {"label": line.document, "href": href("record", line.record.id), "system": labels.get(slug, slug),
             "nameless": line.document == line.record.external_id}
            for slug, line in pair.lines.items()
        ],
        "kind": TYPES.label(pair.first.kind),
        "cells": cells,
        "verdict": pair.verdict,
        "apart": money_html(pair.apart) if pair.apart is not None else "",
        "by": ", ".join(pair.by),
        "only": labels.get(pair.first.system, pair.first.system),
        "cases": list(found.values()),
    }  # fmt: skip


def _statement_row(line: StatementLine, systems: Mapping[str, str], named: Named) -> dict[str, object]:
    return {
        "on": line.on.isoformat() if line.on else "",
        "document": line.document,
        "kind": TYPES.label(line.kind),
        "href": href("record", line.record.id),
        "system": systems.get(line.system, line.system),
        "status": line.status.replace("_", " "),
        "debit": money_html(line.debit) if line.debit is not None else "",
        "credit": money_html(line.credit) if line.credit is not None else "",
        "balance": money_html(line.balance) if line.balance is not None else "",
        "cases": named.get(line.record.key, []),
        "dead": line.balance is None,
    }


def _groups(ledger: AccountLedger, systems: dict[str, str]) -> list[dict[str, object]]:
    """The account's records by object type, without the documents that the statement shows."""
    groups: list[dict[str, object]] = []
    for object_type in TYPES.of_accounts():
        records = ledger.of(object_type, deleted=True)
        if records:
            rows = [
                {"record": r, "href": href("record", r.id), "system": systems.get(r.system, r.system), "main": _main_value(r)}
                for r in records
            ]
            groups.append({"label": TYPES.label(object_type), "rows": rows})
    return groups


def _main_value(record: LedgerRecord) -> object:
    """The value that stands for the record in a list, as its type declares."""
    return next((value for name in TYPES[record.object_type].headline if (value := record.fields.get(name)) is not None), None)
