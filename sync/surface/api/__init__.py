"""The API of deliveries and connections: what came in, what became of it, and replay. Secrets and raw bodies stay here."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.rules import require
from revops.api.base import View
from revops.api.idempotency import once
from revops.api.pagination import NewestFirst
from revops.api.schema import IDEMPOTENCY_KEY, query
from revops.api.serializers import ReasonSerializer
from sync.applying.replay import replay
from sync.models import Delivery, DeliveryState
from sync.surface.api import connections

DELIVERIES = Delivery.objects.defer("body")


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    connection = serializers.CharField(source="connection_id")

    class Meta:
        model = Delivery
        fields = [
            "id",
            "connection",
            "kind",
            "object_type",
            "dedup_key",
            "digest",
            "received_at",
            "copies",
            "conflicts_with",
            "state",
            "reason",
            "reason_code",
            "attempts",
            "next_attempt_at",
            "done_at",
            "replays",
            "trace_id",
        ]


class Deliveries(View):
    pagination_class = NewestFirst

    @extend_schema(
        responses=DeliverySerializer(many=True),
        parameters=[
            query("state", many=True, enum=DeliveryState.values),
            query("connection", description="The slug of a connection."),
            query("trace_id"),
        ],
    )
    def get(self, request: Request) -> Response:
        """What the systems sent or we read, newest first. `state=quarantined` lists the dead letters."""
        rows = DELIVERIES.order_by()
        if states := self.choice("state", DeliveryState.values):
            rows = rows.filter(state__in=states)
        for name, column in (("connection", "connection_id"), ("trace_id", "trace_id")):
            if value := self.text(name):
                rows = rows.filter(**{column: value})
        return self.page(rows, DeliverySerializer)


class OneDelivery(View):
    @extend_schema(responses=DeliverySerializer)
    def get(self, request: Request, key: int) -> Response:
        """One delivery and what became of it."""
        return Response(DeliverySerializer(self.row(DELIVERIES, key)).data)


class ReplayDelivery(View):
    @extend_schema(request=ReasonSerializer, responses={202: DeliverySerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Put it back to the start. 202: it waits for its turn; ask again for the outcome."""
        require(self.user, "replay_delivery")
        delivery = self.row(DELIVERIES, key)
        reason = self.valid(ReasonSerializer)["reason"]

        def perform() -> Response:
            row = replay(delivery.pk, reason=reason, acting_user=self.user)
            return Response(DeliverySerializer(row).data, status=status.HTTP_202_ACCEPTED)

        return once(request, self.user, perform)


_view = login_not_required

app_name = "sync-api"
urlpatterns = [
    path("v1/deliveries/", _view(Deliveries.as_view()), name="deliveries"),
    path("v1/deliveries/<int:key>/", _view(OneDelivery.as_view()), name="delivery"),
    path("v1/deliveries/<int:key>/replay/", _view(ReplayDelivery.as_view()), name="delivery-replay"),
    path("v1/connectors/", _view(connections.Connectors.as_view()), name="connectors"),
    path("v1/connectors/<slug:vendor>/try/", _view(connections.TryVendor.as_view()), name="connector-try"),
    path("v1/connections/", _view(connections.Connections.as_view()), name="connections"),
    path("v1/connections/<slug:key>/", _view(connections.OneConnection.as_view()), name="connection"),
    path("v1/connections/<slug:key>/try/", _view(connections.TryConnection.as_view()), name="connection-try"),
    path("v1/connections/<slug:key>/start/", _view(connections.Start.as_view()), name="connection-start"),
    path("v1/connections/<slug:key>/pause/", _view(connections.Pause.as_view()), name="connection-pause"),
    path("v1/connections/<slug:key>/read/", _view(connections.ReadNow.as_view()), name="connection-read"),
    path("v1/connections/<slug:key>/secrets/end/", _view(connections.EndSecret.as_view()), name="connection-secret-end"),
    path("v1/connections/<slug:key>/posting/stop/", _view(connections.StopPosting.as_view()), name="posting-stop"),
    path("v1/connections/<slug:key>/posting/propose/", _view(connections.ProposePosting.as_view()), name="posting-propose"),
    path("v1/posting-proposals/", _view(connections.PostingProposals.as_view()), name="posting-proposals"),
    path("v1/posting-proposals/<int:key>/confirm/", _view(connections.ConfirmPosting.as_view()), name="posting-confirm"),
    path("v1/posting-proposals/<int:key>/refuse/", _view(connections.RefusePosting.as_view()), name="posting-refuse"),
]
