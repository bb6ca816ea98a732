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
from revops.api.pagination import BySystem, NewestFirst
from revops.api.schema import IDEMPOTENCY_KEY, query
from revops.api.serializers import ReasonSerializer
from sync.applying.replay import replay
from sync.models import Circuit, Connection, Delivery, DeliveryState

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


class CircuitSerializer(serializers.ModelSerializer[Circuit]):
    """`open`: no call leaves before `probe_at`, because the vendor did not answer several calls in a row."""

    class Meta:
        model = Circuit
        fields = ["state", "failures", "opened_at", "probe_at", "reason"]


class ConnectionSerializer(serializers.ModelSerializer[Connection]):
    slug = serializers.CharField(source="system_id")
    name = serializers.CharField(source="system.label")
    role = serializers.CharField(source="system.role")
    circuit = CircuitSerializer(allow_null=True, default=None, help_text="Null: it never failed.")

    class Meta:
        model = Connection
        fields = [
            "slug",
            "name",
            "role",
            "vendor",
            "base_url",
            "active",
            "posting_enabled",
            "last_problem",
            "last_problem_at",
            "circuit",
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


class Connections(View):
    pagination_class = BySystem

    @extend_schema(responses=ConnectionSerializer(many=True))
    def get(self, request: Request) -> Response:
        """The configured vendor instances, without any secret."""
        return self.page(Connection.objects.select_related("system", "circuit").order_by(), ConnectionSerializer)


_view = login_not_required

app_name = "sync-api"
urlpatterns = [
    path("v1/deliveries/", _view(Deliveries.as_view()), name="deliveries"),
    path("v1/deliveries/<int:key>/", _view(OneDelivery.as_view()), name="delivery"),
    path("v1/deliveries/<int:key>/replay/", _view(ReplayDelivery.as_view()), name="delivery-replay"),
    path("v1/connections/", _view(Connections.as_view()), name="connections"),
]
