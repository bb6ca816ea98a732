"""Which customer records belong to which account: the ones that belong to none, and a person's word for one."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from revops.access.rules import may, require, roles_that, visible_to
from revops.accounts.models import Account, AccountLink
from revops.cases.queue import capped_count
from revops.errors import Conflict, Rejected, http_status
from revops.keyset import Keyset
from revops.ledger import relink
from revops.ledger.models import SourceRecord
from revops.parameters import row_id
from revops.people.models import User
from revops.web.accounts import account_context, unlink_form
from revops.web.addresses import href
from revops.web.formatting import count_text
from revops.web.forms import LinkForm, UnlinkForm
from revops.web.pager import cursors_in, pager
from revops.web.requests import back, id_of, one, signed_in
from revops.web.withheld import Holders

BY_SYSTEM = Keyset(("system_id", "id"), descending=False)


@require_safe
def unlinked_page(request: HttpRequest) -> HttpResponse:
    """Customer records that belong to no account, with a form that ties each to one."""
    user = signed_in(request)
    require(user, "see_ledger")
    return render(request, "accounts/unlinked.html", _unlinked_context(request, user))


def _unlinked_context(request: HttpRequest, user: User) -> dict[str, Any]:
    rows = visible_to(user, SourceRecord).filter(account__isnull=True, object_type="customer", deleted=False)
    page = BY_SYSTEM.page(rows.select_related("system"), **cursors_in(request))
    refs = [(record.system_id, record.external_id) for record in page.rows]
    behind: dict[tuple[str, str], int] = {}
    counted = SourceRecord.objects.filter(customer_ref__in=[ref for _, ref in refs], account__isnull=True)
    for system, ref, count in counted.order_by().values_list("system", "customer_ref").annotate(Count("id")):
        behind[system, ref] = count
    return {
        "page": "unlinked",
        "section": "queue",
        "rows": [
            {
                "record": record,
                "behind": max(0, behind.get((record.system_id, record.external_id), 1) - 1),
                "form": _link_form(record.pk),
            }
            for record in page.rows
        ],
        "pager": pager(request, page),
        "total": count_text(capped_count(rows)),
        "may_link": may(user, "link_account"),
        "linkers": Holders().sentence(roles_that("link_account")),
    }


def _link_form(record_id: int, sent: QueryDict | None = None) -> LinkForm:
    return LinkForm(sent, auto_id=f"%s-{record_id}", initial={"record": record_id})


@require_POST
def link(request: HttpRequest) -> HttpResponse:
    """Tie a customer record to an account, with the reason."""
    user = signed_in(request)
    require(user, "link_account")
    customers = visible_to(user, SourceRecord).filter(object_type="customer")
    record = one(customers, LinkForm(request.POST).given("record"))
    form = _link_form(record.pk, request.POST)
    try:
        said = form.must()
        account = _account_in(user, said["account"])
        relink.link_customer(
            system=record.system_id,
            customer_id=record.external_id,
            account=account,
            reason=said["reason"],
            acting_user=user,
            now=timezone.now(),
        )
    except (Conflict, Rejected) as error:
        form.keep_problem(error)
        context = _unlinked_context(request, user) | {"problem": error.message}
        _show_again(context["rows"], "record", record.pk, form)
        return render(request, "accounts/unlinked.html", context, status=http_status(error))
    return back(request, href("account", account.code), f"{record.external_id} belongs to {account.name} now")


def _show_again(lines: list[dict[str, Any]], name: str, key: int, form: LinkForm | UnlinkForm) -> None:
    """Put the form that was sent in its line of the table."""
    for line in lines:
        if line[name].pk == key:
            line["form"] = form


def _account_in(user: User, text: str) -> Account:
    """An account by its code or exact name. Raises `Rejected` when none or several fit."""
    words = text.strip()
    rows = visible_to(user, Account)
    if words.upper().startswith("AC-") and (key := row_id(words[3:])) is not None:
        rows = rows.filter(pk=key)
    else:
        rows = rows.filter(name__iexact=words)
    found = list(rows[:2])
    if len(found) != 1:
        many = "Several accounts have this name: use the code, such as AC-00012." if found else "Account not found."
        raise Rejected("account_unknown", many, field="account")
    return found[0]


@require_POST
def unlink(request: HttpRequest, code: str) -> HttpResponse:
    """A person says: this customer record is not this account."""
    user, now = signed_in(request), timezone.now()
    require(user, "link_account")
    account = one(visible_to(user, Account).select_related("legal_entity"), id_of(code, "AC"))
    tie = one(AccountLink.objects.filter(account=account), UnlinkForm(request.POST).given("link"))
    form = unlink_form(tie.pk, request.POST)
    try:
        reason = form.must()["reason"]
        relink.unlink_customer(system=tie.system, customer_id=tie.customer_id, reason=reason, acting_user=user, now=now)
    except (Conflict, Rejected) as error:
        form.keep_problem(error)
        context = account_context(request, user, account, now) | {"problem": error.message}
        _show_again(context["links"], "link", tie.pk, form)
        return render(request, "accounts/account.html", context, status=http_status(error))
    return back(request, href("account", account.code), f"{tie.customer_id} does not belong to {account.name} any more")
