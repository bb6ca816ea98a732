"""Connections over the API: what the pages do, by programs. A change of what one is given, and posting switched on, ask for a
step-up within five minutes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.rules import require
from revops.api.base import View, etag, expected_version
from revops.api.idempotency import once
from revops.api.pagination import BySystem, NewestFirst
from revops.api.schema import ETAG, IDEMPOTENCY_KEY, IF_MATCH, query
from revops.api.serializers import EmptySerializer, StrictSerializer
from revops.errors import Missing
from sync import connections
from sync.connections.trial import try_connection, try_settings
from sync.connectors import CONNECTORS
from sync.models import Connection, PostingProposal, PostingState
from sync.surface.api.connection_serializers import (
    ChangeConnectionSerializer,
    ConnectionSerializer,
    ConnectorSerializer,
    NewConnectionSerializer,
    OneConnectionSerializer,
    PostingProposalSerializer,
    TrialSerializer,
    TryConnectionSerializer,
    TryVendorSerializer,
    WhichSecretSerializer,
    WhySerializer,
)

CONNECTIONS = Connection.objects.select_related("system", "circuit")
PROPOSALS = PostingProposal.objects.select_related("proposed_by", "decided_by")
SHOWN = {200: OneConnectionSerializer}


def _shown(slug: str, code: int = status.HTTP_200_OK) -> Response:
    row = CONNECTIONS.get(pk=slug)
    return Response(OneConnectionSerializer(row).data, status=code, headers={"ETag": etag(row.row_version)})


class Connectors(View):
    @extend_schema(responses=ConnectorSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The systems that can be connected, each with the settings that it needs."""
        require(self.user, "see_connections")
        self.refuse_unread()
        return Response(ConnectorSerializer(list(CONNECTORS.values()), many=True).data)


class TryVendor(View):
    @extend_schema(request=TryVendorSerializer, responses=TrialSerializer)
    def post(self, request: Request, vendor: str) -> Response:
        """Ask the vendor who we are there, with settings that are not kept. Takes up to 20 seconds and changes nothing."""
        require(self.user, "manage_connections")
        if vendor not in CONNECTORS:
            raise Missing()
        said = self.valid(TryVendorSerializer)
        trial = try_settings(vendor, said["base_url"], said["settings"], acting_user=self.user)
        return Response(TrialSerializer(trial).data)


class Connections(View):
    pagination_class = BySystem

    @extend_schema(responses=ConnectionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The configured vendor instances, without any secret."""
        return self.page(CONNECTIONS.order_by(), ConnectionSerializer)

    @extend_schema(request=NewConnectionSerializer, responses={201: OneConnectionSerializer}, parameters=[IDEMPOTENCY_KEY, ETAG])
    def post(self, request: Request) -> HttpResponse:
        """Connect a system. It is neither read nor posted to until it is started, and posting is switched on by two."""
        require(self.user, "manage_connections")
        said = self.valid(NewConnectionSerializer)

        def perform() -> Response:
            row = connections.connect(
                on_trial=True,
                slug=said["slug"],
                vendor=said["vendor"],
                base_url=said["base_url"],
                values=said["settings"],
                label=said["name"],
                step_up=self.step_up(),
                acting_user=self.user,
            )
            return _shown(str(row.pk), status.HTTP_201_CREATED)

        return once(request, self.user, perform)


class OneConnection(View):
    @extend_schema(responses=OneConnectionSerializer, parameters=[ETAG])
    def get(self, request: Request, key: str) -> Response:
        """One connection: what it is given, how far it is read, its limits, and what it can do."""
        return _shown(str(self.row(CONNECTIONS, key).pk))

    @extend_schema(request=ChangeConnectionSerializer, responses=OneConnectionSerializer, parameters=[IF_MATCH, ETAG])
    def patch(self, request: Request, key: str) -> Response:
        """Change its name, address or settings, and replace secrets. What can change where a posting goes or what it says
        switches posting off until a second person confirms it anew; another address needs every secret that is sent there."""
        require(self.user, "manage_connections")
        row = self.row(CONNECTIONS, key)
        version = expected_version(request, row.row_version)
        said = self.valid(ChangeConnectionSerializer)
        connections.change_connection(
            key,
            base_url=said.get("base_url"),
            values=said.get("settings"),
            label=said.get("name"),
            overlap_hours=said["overlap_hours"],
            reason=said["reason"],
            row_version=version,
            step_up=self.step_up(),
            acting_user=self.user,
        )
        return _shown(key)


class TryConnection(View):
    @extend_schema(request=TryConnectionSerializer, responses=TrialSerializer)
    def post(self, request: Request, key: str) -> Response:
        """Ask the vendor who we are there, as it is kept or as it would be. Takes up to 20 seconds and changes nothing."""
        require(self.user, "manage_connections")
        self.row(CONNECTIONS, key)
        said = self.valid(TryConnectionSerializer)
        trial = try_connection(key, base_url=said.get("base_url"), values=said.get("settings"), acting_user=self.user)
        return Response(TrialSerializer(trial).data)


class _ConnectionAction(View):
    says: type[StrictSerializer] = EmptySerializer

    def act(self, request: Request, key: str, perform: Callable[[dict[str, Any]], object]) -> HttpResponse:
        """Who may, which connection, what is said; the answer is the connection as it is then, or the proposal."""
        require(self.user, "manage_connections")
        self.row(CONNECTIONS, key)
        said = self.valid(self.says)

        def run() -> Response:
            made = perform(said)
            if isinstance(made, PostingProposal):
                return Response(PostingProposalSerializer(PROPOSALS.get(pk=made.pk)).data, status=status.HTTP_202_ACCEPTED)
            return _shown(key)

        return once(request, self.user, run)


class Start(_ConnectionAction):
    @extend_schema(request=None, responses=SHOWN, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: str) -> HttpResponse:
        """Read it from now on, for the first time or again, and apply what its system sent meanwhile."""
        return self.act(request, key, lambda said: connections.resume(key, acting_user=self.user))


class Pause(_ConnectionAction):
    says = WhySerializer

    @extend_schema(request=WhySerializer, responses=SHOWN, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: str) -> HttpResponse:
        """Neither read nor post from now on. What its system sends is kept, and applied when it is started again."""
        return self.act(request, key, lambda said: connections.pause(key, reason=said["reason"], acting_user=self.user))


class ReadNow(_ConnectionAction):
    @extend_schema(request=None, responses=SHOWN, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: str) -> HttpResponse:
        """Read its streams at once; ask the connection again for how far."""
        return self.act(request, key, lambda said: connections.read_now(key, acting_user=self.user))


class EndSecret(_ConnectionAction):
    says = WhichSecretSerializer

    @extend_schema(request=WhichSecretSerializer, responses=SHOWN, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: str) -> HttpResponse:
        """The value that a signing secret had before is good no more, from now on."""
        return self.act(request, key, lambda said: connections.end_former_secret(key, said["name"], acting_user=self.user))


class StopPosting(_ConnectionAction):
    says = WhySerializer

    @extend_schema(request=WhySerializer, responses=SHOWN, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: str) -> HttpResponse:
        """The stop switch: no new call begins; what is under way is still looked up."""
        return self.act(request, key, lambda said: connections.stop_posting(key, reason=said["reason"], acting_user=self.user))


class ProposePosting(_ConnectionAction):
    says = WhySerializer

    @extend_schema(request=WhySerializer, responses={202: PostingProposalSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: str) -> HttpResponse:
        """Propose that changes are posted there, within five minutes of a step-up. 202: another person confirms it."""
        return self.act(
            request,
            key,
            lambda said: connections.propose_posting(key, reason=said["reason"], step_up=self.step_up(), acting_user=self.user),
        )


class PostingProposals(View):
    pagination_class = NewestFirst

    @extend_schema(
        responses=PostingProposalSerializer(many=True), parameters=[query("state", many=True, enum=PostingState.values)]
    )
    def get(self, request: Request) -> Response:
        """What one person proposed and another one confirms, newest first."""
        rows = PROPOSALS.order_by()
        if states := self.choice("state", PostingState.values):
            rows = rows.filter(state__in=states)
        return self.page(rows, PostingProposalSerializer)


class _Decide(View):
    def decide(self, request: Request, key: int, act: Callable[[], object]) -> HttpResponse:
        """Who may, which proposal; the answer is the proposal as it is then."""
        require(self.user, "confirm_posting")
        row = self.row(PROPOSALS, key)
        self.valid(EmptySerializer)

        def run() -> Response:
            act()
            return Response(PostingProposalSerializer(PROPOSALS.get(pk=row.pk)).data)

        return once(request, self.user, run)


class ConfirmPosting(_Decide):
    @extend_schema(request=None, responses={200: PostingProposalSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Confirm what another person proposed, within five minutes of a step-up: posting is on."""
        return self.decide(request, key, lambda: connections.confirm_posting(key, step_up=self.step_up(), acting_user=self.user))


class RefusePosting(_Decide):
    @extend_schema(request=None, responses={200: PostingProposalSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Refuse it, or withdraw one's own."""
        return self.decide(request, key, lambda: connections.refuse_posting(key, acting_user=self.user))
