"""The action log."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from revops.api.base import View
from revops.api.pagination import NewestFirst
from revops.api.schema import number, query
from revops.api.serializers import ActionSerializer
from revops.audit.models import ActionRecord

TEXT_FILTERS = {"verb": "verb", "subject": "subject", "trace_id": "trace_id", "actor": "actor_label"}
NUMBER_FILTERS = {"account": "account_id", "case": "case_id"}


class Audit(View):
    pagination_class = NewestFirst

    @extend_schema(
        responses=ActionSerializer(many=True),
        parameters=[*map(query, TEXT_FILTERS), *map(number, NUMBER_FILTERS)],
    )
    def get(self, request: Request) -> Response:
        """Who did what to which thing, when and why; newest first."""
        rows = ActionRecord.objects.order_by()
        for name, column in TEXT_FILTERS.items():
            if value := self.text(name):
                rows = rows.filter(**{column: value})
        for name, column in NUMBER_FILTERS.items():
            if (wanted := self.number(name)) is not None:
                rows = rows.filter(**{column: wanted})
        return self.page(rows, ActionSerializer)
