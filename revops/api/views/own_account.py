"""One's own account: who one is, password, sessions, tokens, and who decides during an absence, by programs."""

from __future__ import annotations

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.delegations import delegate, end_delegation
from revops.api.base import View
from revops.api.idempotency import once
from revops.api.own_account_serializers import (
    DelegationSerializer,
    EndDelegationSerializer,
    EndSessionSerializer,
    EndTokenSerializer,
    MadeTokenSerializer,
    MeSerializer,
    NewDelegationSerializer,
    NewPasswordSerializer,
    NewTokenSerializer,
    SessionSerializer,
    TokenSerializer,
)
from revops.api.pagination import ByKey, NewestFirst
from revops.api.schema import IDEMPOTENCY_KEY
from revops.errors import NotAllowed, Rejected
from revops.identity.factors import factors_of
from revops.identity.passwords import change_password
from revops.identity.sessions import end_session, sessions_of
from revops.identity.step_up import require_fresh
from revops.identity.tokens import issue_token, live_tokens, revoke_token
from revops.people.models import ApiToken, Delegation, User


class Me(View):
    @extend_schema(responses=MeSerializer)
    def get(self, _request: Request) -> Response:
        """Whose token this is, what it is for, and with what its owner can prove who they are."""
        self.refuse_unread()
        return Response(_me(self))


def _me(view: View) -> dict[str, object]:
    user = view.user
    said: dict[str, object] = MeSerializer({
        "id": user.pk, "username": user.get_username(), "name": user.shown_name, "roles": sorted(user.role_codes()),
        "scopes": list(view.token.scopes), "second_factor": factors_of(user).any,
    }).data  # fmt: skip
    return said


class Password(View):
    scope = "account"

    @extend_schema(request=NewPasswordSerializer, responses={200: MeSerializer})
    def post(self, request: Request) -> Response:
        """Choose another password, knowing the old one. Every session ends; tokens stay. Asked once: a wrong one is counted."""
        said = self.valid(NewPasswordSerializer)
        change_password(self.user, old=said["old"], new=said["password"], now=timezone.now(), acting_user=self.user)
        return Response(_me(self))


class Sessions(View):
    scope = "account"
    pagination_class = ByKey

    @extend_schema(responses=SessionSerializer(many=True))
    def get(self, _request: Request) -> Response:
        """Where one is signed in."""
        return self.own_page(sessions_of(self.user, now=timezone.now()).order_by(), SessionSerializer)


class EndSession(View):
    scope = "account"

    @extend_schema(request=EndSessionSerializer, responses={200: EndSessionSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> HttpResponse:
        """End one of one's sessions."""
        said = self.valid(EndSessionSerializer)

        def run() -> Response:
            end_session(self.user, said["session"], acting_user=self.user)
            return Response(said)

        return once(request, self.user, run)


class Tokens(View):
    scope = "account"
    pagination_class = NewestFirst

    @extend_schema(responses=TokenSerializer(many=True))
    def get(self, _request: Request) -> Response:
        """One's own tokens that open something."""
        return self.own_page(live_tokens(self.user, now=timezone.now()).order_by(), TokenSerializer)

    @extend_schema(request=NewTokenSerializer, responses={201: MadeTokenSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> HttpResponse:
        """Make a token, within five minutes of a step-up, for no more than this one is for. It is in this answer, once."""
        said, fresh = self.valid(NewTokenSerializer), list[str]()
        if beyond := sorted(set(said["scopes"]) - set(self.token.scopes)):
            raise NotAllowed("scope_missing", f"This token is not for {', '.join(beyond)}: it makes none that is.")

        def run() -> Response:
            require_fresh(self.user, self.step_up())
            fresh.append(issue_token(self.user, **said, now=timezone.now(), acting_user=self.user))
            made = ApiToken.objects.filter(user=self.user).latest("pk")
            return Response(TokenSerializer(made).data, status=status.HTTP_201_CREATED)

        answer = once(request, self.user, run)
        if fresh and isinstance(answer, Response):
            answer.data["token"] = fresh[0]  # neither remembered nor told again
        return answer


class EndToken(View):
    scope = "account"

    @extend_schema(request=EndTokenSerializer, responses={200: EndTokenSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> HttpResponse:
        """End one of one's tokens, also this one."""
        said = self.valid(EndTokenSerializer)

        def run() -> Response:
            revoke_token(self.user, said["token"], now=timezone.now(), acting_user=self.user)
            return Response(said)

        return once(request, self.user, run)


class Delegations(View):
    scope = "account"
    pagination_class = NewestFirst

    @extend_schema(responses=DelegationSerializer(many=True))
    def get(self, _request: Request) -> Response:
        """Who decides in one's place, and when: those that have not ended."""
        return self.own_page(_delegations(self.user), DelegationSerializer)

    @extend_schema(request=NewDelegationSerializer, responses={201: DelegationSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> HttpResponse:
        """Name who decides in one's place during an absence."""
        said = self.valid(NewDelegationSerializer)
        stand_in = User.objects.filter(username=said["stand_in"], is_active=True).first()
        if stand_in is None:
            raise Rejected("stand_in_unknown", "Unknown person: give the address they sign in with.", field="stand_in")

        def run() -> Response:
            row = delegate(
                stand_in, first_day=said["first_day"], last_day=said["last_day"], reason=said["reason"], now=timezone.now(),
                acting_user=self.user,
            )  # fmt: skip
            return Response(DelegationSerializer(row).data, status=status.HTTP_201_CREATED)

        return once(request, self.user, run)


def _delegations(user: User) -> QuerySet[Delegation]:
    live = Delegation.objects.filter(approver=user, ended_at__isnull=True, last_day__gte=timezone.now().date())
    return live.select_related("stand_in").order_by()


class EndDelegation(View):
    scope = "account"

    @extend_schema(request=EndDelegationSerializer, responses={200: EndDelegationSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> HttpResponse:
        """Decide oneself again before the last day."""
        said = self.valid(EndDelegationSerializer)

        def run() -> Response:
            end_delegation(said["delegation"], now=timezone.now(), acting_user=self.user)
            return Response(said)

        return once(request, self.user, run)
