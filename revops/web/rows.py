"""Rows of lists, formatted before the template sees them: a row template holds markup and plain variables only."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from django.utils.safestring import SafeString

from revops.cases.models import ExceptionCase, Expectation, Severity
from revops.sentences import Sentence
from revops.web.addresses import href
from revops.web.formatting import due_text, instant_text, minor_html
from revops.web.status_marks import severity_html


def initials(name: str) -> str:
    """`MK` for `Mara Kling`, `AN` for `analyst@example`."""
    parts = [part for part in name.replace("@", " ").replace(".", " ").split() if part]
    letters = parts[0][0] + parts[1][0] if len(parts) > 1 else (parts[0][:2] if parts else "?")
    return letters.upper()


class CaseRow(TypedDict):
    """One line of the queue. `workable`: the reader may act on it; if not, `team` says whose it is. `status` is the code, for a
    line that an action has just moved to another tab.

    A dictionary of texts, because a page has 50 of them: a template looks for a key before it looks for an attribute, and a
    number takes the long way through the formats of the language.
    """

    id: int
    key: str
    version: str
    code: str
    href: str
    severity: SafeString
    account: str
    short: str
    title: str
    systems: str
    amount: SafeString
    due: str
    due_title: str
    late: bool
    owner: str
    owner_initials: str
    note: str
    workable: bool
    team: str
    status: str


def rule_label(code: str) -> str:
    """A rule in few words, for lists: `renewal_before_amendment` as `Renewal before amendment`."""
    return code.replace("_", " ").capitalize()


def case_row(case: ExceptionCase, *, systems: Mapping[str, str], now: dt.datetime, me: int, workable: bool = True) -> CaseRow:
    """Everything one line shows. `systems` maps slugs to labels; `me` is the reader's id, `workable` whether they may act."""
    closed = case.closed_at is not None
    owner = case.owner
    moment = case.closed_at or case.snoozed_until or case.due_at
    return CaseRow(
        id=case.pk,
        key=str(case.pk),
        version=str(case.row_version),
        code=case.code,
        href=href("case", case.code),
        severity=severity_html(Severity(case.severity)),
        account=case.about_name,
        short=rule_label(case.rule),
        title=case.title,
        systems=" · ".join(systems.get(slug, slug) for slug in case.systems),
        amount=minor_html(case.amount_minor, case.currency),
        due=_when(case, now),
        due_title=instant_text(moment),
        late=not closed and case.status == "open" and case.due_at <= now,
        owner=("you" if owner.pk == me else owner.shown_name) if owner else "",
        owner_initials=initials(owner.shown_name) if owner else "",
        note=f"came back {case.reopened_count} ×" if case.reopened_count else "",
        workable=workable,
        team=str(case.get_team_display()),
        status=str(case.status),
    )


def _when(case: ExceptionCase, now: dt.datetime) -> str:
    if case.closed_at is not None:
        return instant_text(case.closed_at)
    if case.status == "snoozed" and case.snoozed_until is not None:
        return f"wakes {instant_text(case.snoozed_until)}"
    return due_text(case.due_at, now)


@dataclass(frozen=True, slots=True)
class ExpectationRow:
    """One line of what is missing but not yet due."""

    account: str
    account_href: str
    sentence: Sentence
    rule: str
    amount: SafeString
    due: str
    due_at: dt.datetime


def expectation_row(row: Expectation, *, rules: Mapping[str, str], now: dt.datetime) -> ExpectationRow:
    """Everything one line shows; `rules` maps codes to titles."""
    return ExpectationRow(
        account=row.account.name,
        account_href=href("account", row.account.code),
        sentence=row.sentence,
        rule=rules.get(row.rule, row.rule),
        amount=minor_html(row.amount_minor, row.currency),
        due=due_text(row.due_at, now),
        due_at=row.due_at,
    )
