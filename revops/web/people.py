"""People: who there is, inviting, giving and taking roles, letting somebody go, and what waits for a second administrator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Max, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from revops.access.grants import PRIVILEGED, conflict_with, grant_role, revoke_role
from revops.access.joiners import invite
from revops.access.leavers import deactivate, reactivate
from revops.access.proposals import confirm_proposal, propose_role, propose_to_forget, refuse_proposal, what_is_proposed
from revops.access.rules import GRANTS, may, require, visible_to
from revops.audit.models import ActionRecord
from revops.errors import RevOpsError, http_status
from revops.identity.factors import factors_of
from revops.identity.links import hand_over, make_link
from revops.identity.models import Purpose
from revops.people.models import AccessProposal, ProposalState, Role, User
from revops.web.addresses import href
from revops.web.forms import PageForm
from revops.web.identity_forms import DeactivateForm, InviteForm, RoleForm
from revops.web.requests import one, signed_in
from revops.web.step_up import fresh_step_up

VERB_LABELS = {
    "see_queue": "See the queue",
    "work_case": "Work cases",
    "link_account": "Link customer records",
    "compose_plan": "Compose changes",
    "decide_plan": "Approve changes",
    "replay_delivery": "Replay deliveries",
    "see_audit": "Read the audit log",
    "manage_connections": "Configure connections",
    "confirm_posting": "Confirm that changes are posted to a system",
    "manage_people": "Manage people",
}


@require_safe
def people_page(request: HttpRequest) -> HttpResponse:
    """Everybody with their roles, what waits for a second administrator, and the table of what each role may do."""
    return _list(request)


def _list(request: HttpRequest, status: int = 200, **over: Any) -> HttpResponse:
    user = signed_in(request)
    require(user, "see_people")
    signed = ActionRecord.objects.filter(actor=OuterRef("pk"), verb="sign_in").order_by().values("actor").annotate(at=Max("at"))
    people = visible_to(user, User).annotate(last_sign_in=Subquery(signed.values("at")))
    people = people.prefetch_related("role_grants", "role_grants__granted_by").order_by("-is_active", "username")
    matrix = [(label, [role in GRANTS[verb] for role in Role]) for verb, label in VERB_LABELS.items()]
    waiting = AccessProposal.objects.filter(state=ProposalState.WAITING, expires_at__gt=timezone.now())
    context = {
        "page": "people",
        "section": "people",
        "people": list(people[:500]),
        "roles": [role.label for role in Role],
        "matrix": matrix,
        "manages": may(user, "manage_people"),
        "invite_form": InviteForm(),
        "proposals": [(row, what_is_proposed(row)) for row in waiting.select_related("user", "proposed_by")[:100]],
    }
    return render(request, "people/list.html", context | over, status=status)


@require_safe
def person_page(request: HttpRequest, pk: int) -> HttpResponse:
    """One person: roles, second factor, state, and what an administrator may do."""
    return _person(request, pk)


def _person(request: HttpRequest, pk: int, status: int = 200, **over: Any) -> HttpResponse:
    user = signed_in(request)
    require(user, "see_people")
    person = one(visible_to(user, User).prefetch_related("role_grants__granted_by"), pk)
    held = {grant.role for grant in person.role_grants.all()}
    choices = [(role, role in PRIVILEGED, conflict_with(held, role)) for role in Role if role not in held]
    context = {
        "page": "person",
        "section": "people",
        "person": person,
        "factors": factors_of(person),
        "manages": may(user, "manage_people") and user != person,
        "choices": choices,
        "role_form": RoleForm(),
        "forget_form": DeactivateForm(auto_id="f-%s"),
        "leave_form": DeactivateForm(auto_id="l-%s"),
        "proposals": [(row, what_is_proposed(row)) for row in person.proposals.select_related("user", "proposed_by")[:20]],
        "accepted": person.has_usable_password(),
        "sends_mail": settings.REVOPS_SENDS_MAIL,
    }
    return render(request, "people/person.html", context | over, status=status)


def _manager(request: HttpRequest) -> User:
    user = signed_in(request)
    require(user, "manage_people")
    return user


def _to_prove(request: HttpRequest, user: User, back_to: str) -> HttpResponse | None:
    """Away to the proof, when none is fresh."""
    if fresh_step_up(request, user) is not None:
        return None
    messages.info(request, "Prove first that it is you; then do it again.")
    return redirect(href("confirm", query={"next": back_to}))


@require_POST
def invite_person(request: HttpRequest) -> HttpResponse:
    """Somebody new. The link goes out by e-mail, or is shown to be handed over."""
    user, form = _manager(request), InviteForm(request.POST)
    try:
        given = form.must()
        person, secret = invite(given["email"], name=given["name"], now=timezone.now(), acting_user=user)
    except RevOpsError as refused:
        form.keep_problem(refused)
        return _list(request, http_status(refused), invite_form=form, problem=refused.message)
    return _linked(request, person, Purpose.INVITE, secret)


@require_POST
def link_person(request: HttpRequest, pk: int) -> HttpResponse:
    """A new link, for an invitation or a forgotten password."""
    user = _manager(request)
    person = one(visible_to(user, User), pk)
    purpose = Purpose.RESET if person.has_usable_password() else Purpose.INVITE
    return _linked(request, person, purpose, make_link(person, purpose, now=timezone.now(), acting_user=user))


def _linked(request: HttpRequest, person: User, purpose: Purpose, secret: str) -> HttpResponse:
    address = hand_over(person, purpose, secret)
    return _person(request, person.pk, link_to_hand_over=address, link_sent=not address)


def _act(
    request: HttpRequest, pk: int, act: Callable[[User, User], str], name: str = "", form: PageForm | None = None
) -> HttpResponse:
    """Do something with a person, and show them again; a refusal stands at the field of its form."""
    user = _manager(request)
    person = one(visible_to(user, User), pk)
    try:
        messages.success(request, act(person, user))
    except RevOpsError as refused:
        if form is None:
            return _person(request, pk, http_status(refused), problem=refused.message)
        form.keep_problem(refused)
        return _person(request, pk, http_status(refused), **{name: form, "problem": refused.message})
    return redirect("web:person", pk=pk)


@require_POST
def give_role(request: HttpRequest, pk: int) -> HttpResponse:
    """Give a role, or propose one that another administrator confirms."""
    form = RoleForm(request.POST)
    if form.given("role") in PRIVILEGED and (away := _to_prove(request, _manager(request), href("person", pk))):
        return away

    def act(person: User, user: User) -> str:
        given = form.must()
        if given["role"] not in PRIVILEGED:
            grant_role(person, given["role"], acting_user=user)
            return f"{person.shown_name} is now {Role(given['role']).label.lower()}."
        row = propose_role(
            person,
            given["role"],
            reason=given["reason"],
            step_up=fresh_step_up(request, user),
            now=timezone.now(),
            acting_user=user,
        )
        if row.state == ProposalState.CONFIRMED:
            return f"{person.shown_name} is now the second administrator. From now on such roles take two of you."
        return "It is proposed. Another administrator confirms it within seven days."

    return _act(request, pk, act, "role_form", form)


@require_POST
def take_role(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a role."""
    form = RoleForm(request.POST)

    def act(person: User, user: User) -> str:
        role = form.must()["role"]
        revoke_role(person, role, acting_user=user)
        return f"{person.shown_name} is no longer {Role(role).label.lower()}."

    return _act(request, pk, act)


@require_POST
def leave(request: HttpRequest, pk: int) -> HttpResponse:
    """Let somebody in no more."""
    form = DeactivateForm(request.POST, auto_id="l-%s")

    def act(person: User, user: User) -> str:
        deactivate(person, reason=form.must()["reason"], now=timezone.now(), acting_user=user)
        return f"{person.shown_name} is deactivated: sessions, tokens and links ended."

    return _act(request, pk, act, "leave_form", form)


@require_POST
def come_back(request: HttpRequest, pk: int) -> HttpResponse:
    """Let somebody in again."""

    def act(person: User, user: User) -> str:
        reactivate(person, acting_user=user)
        return f"{person.shown_name} is let in again."

    return _act(request, pk, act)


@require_POST
def forget(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget lost second factors, or propose it."""
    if away := _to_prove(request, _manager(request), href("person", pk)):
        return away
    form = DeactivateForm(request.POST, auto_id="f-%s")

    def act(person: User, user: User) -> str:
        proof = fresh_step_up(request, user)
        row = propose_to_forget(person, reason=form.must()["reason"], step_up=proof, now=timezone.now(), acting_user=user)
        waits = row.state == ProposalState.WAITING
        return "It is proposed. Another administrator confirms it." if waits else "The second factors are forgotten."

    return _act(request, pk, act, "forget_form", form)


@require_POST
def confirm(request: HttpRequest, pk: int) -> HttpResponse:
    """Confirm what another administrator proposed."""
    user = _manager(request)
    if away := _to_prove(request, user, href("people")):
        return away
    row = confirm_proposal(pk, step_up=fresh_step_up(request, user), now=timezone.now(), acting_user=user)
    messages.success(request, "Confirmed.")
    return redirect("web:person", pk=row.user_id)


@require_POST
def refuse(request: HttpRequest, pk: int) -> HttpResponse:
    """Refuse it, or withdraw one's own."""
    row = refuse_proposal(pk, now=timezone.now(), acting_user=_manager(request))
    messages.success(request, "It does not wait any more.")
    return redirect("web:person", pk=row.user_id)
