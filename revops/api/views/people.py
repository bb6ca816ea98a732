"""People and their roles: what administrators do in the browser, by programs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.grants import PRIVILEGED, grant_role, revoke_role
from revops.access.joiners import invite
from revops.access.leavers import deactivate, reactivate
from revops.access.proposals import confirm_proposal, propose_role, propose_to_forget, refuse_proposal
from revops.access.rules import require
from revops.api.base import View
from revops.api.idempotency import once
from revops.api.pagination import NewestFirst
from revops.api.people_serializers import (
    InvitationSerializer,
    InvitedSerializer,
    PersonSerializer,
    ProposalSerializer,
    RoleSerializer,
)
from revops.api.schema import IDEMPOTENCY_KEY, query
from revops.api.serializers import EmptySerializer, ReasonSerializer, StrictSerializer
from revops.identity.links import hand_over, make_link
from revops.identity.models import Purpose
from revops.people.models import AccessProposal, ProposalState, User

PEOPLE = User.objects.prefetch_related("role_grants")
PROPOSALS = AccessProposal.objects.select_related("user", "proposed_by", "decided_by")


class People(View):
    scope = "people"
    pagination_class = NewestFirst

    @extend_schema(responses=PersonSerializer(many=True))
    def get(self, request: Request) -> Response:
        """Everybody, with their roles."""
        return self.page(PEOPLE.order_by(), PersonSerializer)

    @extend_schema(request=InvitationSerializer, responses={201: InvitedSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> HttpResponse:
        """Invite somebody. The link goes out by e-mail, or is in this answer, once."""
        require(self.user, "manage_people")
        said = self.valid(InvitationSerializer)

        def made() -> tuple[User, Purpose, str]:
            person, secret = invite(said["email"], name=said["name"], now=timezone.now(), acting_user=self.user)
            return person, Purpose.INVITE, secret

        return _with_link(self, request, made, status.HTTP_201_CREATED)


def _with_link(view: View, request: Request, make: Callable[[], tuple[User, Purpose, str]], code: int) -> HttpResponse:
    """The person; and the link beside, which is neither remembered nor told again."""
    fresh: list[tuple[User, Purpose, str]] = []

    def perform() -> Response:
        fresh.append(make())
        return Response(PersonSerializer(PEOPLE.get(pk=fresh[0][0].pk)).data, status=code)

    answer = once(request, view.user, perform)
    if fresh and isinstance(answer, Response) and (address := hand_over(*fresh[0])):
        answer.data["link"] = address
    return answer


class OnePerson(View):
    @extend_schema(responses=PersonSerializer)
    def get(self, request: Request, key: int) -> Response:
        """One person."""
        return Response(PersonSerializer(self.row(PEOPLE, key)).data)


class _PersonAction(View):
    scope = "people"
    says: type[StrictSerializer] = EmptySerializer

    def act(self, request: Request, key: int, perform: Callable[[User, dict[str, Any]], object]) -> HttpResponse:
        """Who may, whom it is about, what is said; the answer is the person as they are then, or the proposal."""
        require(self.user, "manage_people")
        person = self.row(User.objects.all(), key)
        said = self.valid(self.says)

        def run() -> Response:
            made = perform(person, said)
            if isinstance(made, AccessProposal) and made.state == ProposalState.WAITING:
                return Response(ProposalSerializer(PROPOSALS.get(pk=made.pk)).data, status=status.HTTP_202_ACCEPTED)
            return Response(PersonSerializer(PEOPLE.get(pk=person.pk)).data)

        return once(request, self.user, run)


GIVEN = {200: PersonSerializer, 202: ProposalSerializer}


class GiveRole(_PersonAction):
    says = RoleSerializer

    @extend_schema(request=RoleSerializer, responses=GIVEN, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Give a role. 202: another administrator confirms it; that is proposed within five minutes of a step-up."""

        def give(person: User, said: dict[str, Any]) -> object:
            if said["role"] not in PRIVILEGED:
                return grant_role(person, said["role"], acting_user=self.user)
            return propose_role(
                person, said["role"], reason=said["reason"], step_up=self.step_up(), now=timezone.now(), acting_user=self.user
            )

        return self.act(request, key, give)


class TakeRole(_PersonAction):
    says = RoleSerializer

    @extend_schema(request=RoleSerializer, responses={200: PersonSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Take a role."""
        return self.act(request, key, lambda person, said: revoke_role(person, said["role"], acting_user=self.user))


class Deactivate(_PersonAction):
    says = ReasonSerializer

    @extend_schema(request=ReasonSerializer, responses={200: PersonSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Let somebody in no more: sessions, tokens and links end at once."""
        return self.act(
            request,
            key,
            lambda person, said: deactivate(person, reason=said["reason"], now=timezone.now(), acting_user=self.user),
        )


class Reactivate(_PersonAction):
    @extend_schema(request=None, responses={200: PersonSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Let somebody in again."""
        return self.act(request, key, lambda person, said: reactivate(person, acting_user=self.user))


class ForgetFactors(_PersonAction):
    says = ReasonSerializer

    @extend_schema(request=ReasonSerializer, responses=GIVEN, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Forget somebody's lost second factors, within five minutes of a step-up. 202: another administrator confirms it."""
        return self.act(
            request,
            key,
            lambda person, said: propose_to_forget(
                person, reason=said["reason"], step_up=self.step_up(), now=timezone.now(), acting_user=self.user
            ),
        )


class PersonLink(View):
    scope = "people"

    @extend_schema(request=None, responses={200: InvitedSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """A new link: for the invitation, or for a forgotten password. It goes out by e-mail, or is in this answer, once."""
        require(self.user, "manage_people")
        person = self.row(User.objects.all(), key)
        self.valid(EmptySerializer)
        purpose = Purpose.RESET if person.has_usable_password() else Purpose.INVITE

        def made() -> tuple[User, Purpose, str]:
            return person, purpose, make_link(person, purpose, now=timezone.now(), acting_user=self.user)

        return _with_link(self, request, made, status.HTTP_200_OK)


class Proposals(View):
    pagination_class = NewestFirst

    @extend_schema(responses=ProposalSerializer(many=True), parameters=[query("state", many=True, enum=ProposalState.values)])
    def get(self, request: Request) -> Response:
        """What one administrator proposed and another one confirms, newest first."""
        rows = PROPOSALS.order_by()
        if states := self.choice("state", ProposalState.values):
            rows = rows.filter(state__in=states)
        return self.page(rows, ProposalSerializer)


class _Decide(View):
    scope = "people"

    def decide(self, request: Request, key: int, act: Callable[[], AccessProposal]) -> HttpResponse:
        """Who may, which proposal; the answer is the proposal as it is then."""
        require(self.user, "manage_people")
        row = self.row(AccessProposal.objects.all(), key)
        self.valid(EmptySerializer)

        def run() -> Response:
            act()
            return Response(ProposalSerializer(PROPOSALS.get(pk=row.pk)).data)

        return once(request, self.user, run)


class ConfirmProposal(_Decide):
    @extend_schema(request=None, responses={200: ProposalSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Confirm what another administrator proposed, within five minutes of a step-up."""
        return self.decide(
            request, key, lambda: confirm_proposal(key, step_up=self.step_up(), now=timezone.now(), acting_user=self.user)
        )


class RefuseProposal(_Decide):
    @extend_schema(request=None, responses={200: ProposalSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Refuse it, or withdraw one's own."""
        return self.decide(request, key, lambda: refuse_proposal(key, now=timezone.now(), acting_user=self.user))
