"""The action log."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.rules import require
from revops.api.base import View
from revops.api.serializers import ActionSerializer
from revops.audit.models import ActionRecord

TEXT_FILTERS = {"verb": "verb", "subject": "subject", "trace_id": "trace_id", "actor": "actor_label"}
NUMBER_FILTERS = {"account": "account_id", "case": "case_id"}


class Audit(View):
    @extend_schema(
        responses=ActionSerializer(many=True),
        parameters=[*(OpenApiParameter(n, str) for n in TEXT_FILTERS), *(OpenApiParameter(n, int) for n in NUMBER_FILTERS)],
    )
    def get(self, request: Request) -> Response:
        """Who did what to which thing, when and why; newest first."""
        require(self.user, "see_audit")
        rows = ActionRecord.objects.order_by()
        for name, column in TEXT_FILTERS.items():
            if value := request.query_params.get(name):
                rows = rows.filter(**{column: value.replace("\x00", "")})
        for name, column in NUMBER_FILTERS.items():
            if (value := request.query_params.get(name, "")).isdecimal():
                rows = rows.filter(**{column: int(value[:18])})
        return self.page(rows, ActionSerializer)
