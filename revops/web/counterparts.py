"""Which documents of an account's systems are the same, how we know, and a person's word for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may, require, roles_that, visible_to
from revops.accounts.models import Account, CounterpartVerdict
from revops.errors import Conflict, Rejected, http_status
from revops.ledger.counterparts import say_whether_same
from revops.ledger.models import SourceRecord, SourceSystem
from revops.ledger.reading import account_ledger
from revops.ledger.types import TYPES
from revops.ledger.view import LedgerRecord
from revops.matching.groups import AMOUNT, DAY, Group, Rung, matched
from revops.people.models import User
from revops.web.addresses import href
from revops.web.forms import CounterpartForm
from revops.web.requests import back, id_of, one, signed_in
from revops.web.withheld import Holders

HOW = {
    Rung.PERSON: "Somebody said so",
    Rung.REFERENCE: "One carries the other's id",
    Rung.NUMBER: "The same number, within a month",
    Rung.PARTICULARS: "The same customer, amount and days",
}
SHOWN_MAX = 200
OFFERED_MAX = 25


@dataclass(frozen=True, slots=True)
class Line:
    """One group as the page shows it: its documents by system, how we know, and what may be said of it."""

    group: Group
    how: str
    documents: Sequence[tuple[LedgerRecord, str, object, object]]
    form: CounterpartForm | None


@require_safe
def counterparts_page(request: HttpRequest, code: str) -> HttpResponse:
    """The account's invoices, credit memos and payments by group: first what takes a person, then what stands in one system only,
    then what is tied."""
    user = signed_in(request)
    require(user, "see_account")
    account = one(visible_to(user, Account), id_of(code, "AC"))
    return render(request, "accounts/counterparts.html", _context(request, user, account))


def _context(request: HttpRequest, user: User, account: Account) -> dict[str, Any]:
    ledger = account_ledger(account)
    labels = dict(SourceSystem.objects.values_list("slug", "label"))
    kinds = [kind for kind in AMOUNT if ledger.of(kind)]
    asked = request.GET.get("kind", "")
    kind = asked if asked in kinds else (kinds[0] if kinds else "invoice")
    groups = matched(ledger, kind).groups
    alone = [group.records[0] for group in groups if len(group.records) == 1]
    unclear = [group for group in groups if group.candidates]
    single = [group for group in groups if len(group.records) == 1 and not group.candidates]
    tied = [group for group in groups if len(group.records) > 1]
    can = may(user, "link_account")

    def lines(found: Sequence[Group]) -> list[Line]:
        newest = sorted(found, key=lambda group: max(record.effective_at for record in group.records), reverse=True)
        return [_line(group, alone, labels, kind, can=can) for group in newest[:SHOWN_MAX]]

    said = CounterpartVerdict.objects.filter(object_type=kind).select_related("decided_by")
    keys = {record.key for group in groups for record in group.records}
    return {
        "page": "account",
        "section": "accounts",
        "account": account,
        "kind": kind,
        "kinds": [(each, TYPES.label(each)) for each in kinds],
        "parts": [
            ("unclear", "Needs a person", lines(unclear), len(unclear)),
            ("single", "In one system only", lines(single), len(single)),
            ("tied", "Tied", lines(tied), len(tied)),
        ],
        "verdicts": [
            verdict
            for verdict in said.order_by("-decided_at")[:SHOWN_MAX]
            if (verdict.left_system, kind, verdict.left_id) in keys or (verdict.right_system, kind, verdict.right_id) in keys
        ],
        "may_link": can,
        "linkers": Holders().sentence(roles_that("link_account")),
        "problem": "",
    }


def _line(group: Group, alone: Sequence[LedgerRecord], labels: dict[str, str], kind: str, *, can: bool) -> Line:
    rungs = sorted({tie.rung for tie in group.ties})
    first = group.records[0]
    documents = [
        (record, labels.get(record.system, record.system), record.fields.get(AMOUNT[kind]), record.fields.get(DAY[kind]))
        for record in group.records
    ]
    if not can or not first.id:
        return Line(group, ", ".join(HOW[rung] for rung in rungs), documents, None)
    if len(group.records) > 1:
        others, same = [record for record in group.records if record.system != first.system], False
    else:
        near = [*group.candidates, *(each for each in alone if each.role != first.role and each not in group.candidates)]
        others, same = near[:OFFERED_MAX], True
    form = None
    if others:
        form = CounterpartForm(
            auto_id=f"%s-{first.id}",
            initial={"record": first.id, "kind": kind, "same": "yes" if same else "no"},
            others=[(record.id, f"{labels.get(record.system, record.system)} {record.label}") for record in others],
        )
    return Line(group, ", ".join(HOW[rung] for rung in rungs), documents, form)


@require_POST
def say_counterpart(request: HttpRequest, code: str) -> HttpResponse:
    """A person's word, with the reason."""
    user = signed_in(request)
    require(user, "link_account")
    account = one(visible_to(user, Account), id_of(code, "AC"))
    form = CounterpartForm(request.POST, auto_id="%s-sent")
    try:
        said = form.must()
        records = visible_to(user, SourceRecord)
        left, right = one(records, said["record"]), one(records, said["other"])
        same = said["same"] == "yes"
        say_whether_same(left, right, same=same, reason=said["reason"], acting_user=user, now=timezone.now())
    except (Conflict, Rejected) as error:
        context = _context(request, user, account) | {"problem": error.message}
        return render(request, "accounts/counterparts.html", context, status=http_status(error))
    done = f"{left.label} and {right.label} {'belong together' if same else 'are apart'} now"
    return back(request, href("account-counterparts", account.code, query={"kind": left.object_type}), done)
