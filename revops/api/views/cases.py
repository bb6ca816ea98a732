"""Exceptions: read, assign, put aside, comment."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.rules import require
from revops.api.base import View, choice, etag, expected_version
from revops.api.idempotency import once
from revops.api.schema import IDEMPOTENCY_KEY, IF_MATCH
from revops.api.serializers import CaseChangeSerializer, CaseSerializer, NoteSerializer
from revops.cases import actions
from revops.cases.models import CaseStatus, ExceptionCase, Team
from revops.errors import Rejected
from revops.people.models import User

CASES = ExceptionCase.objects.select_related("account", "owner")


class Cases(View):
    @extend_schema(
        responses=CaseSerializer(many=True),
        parameters=[
            OpenApiParameter("status", str, many=True, enum=CaseStatus.values),
            OpenApiParameter("rule", str, many=True),
            OpenApiParameter("team", str, enum=Team.values),
            OpenApiParameter("account", int),
        ],
    )
    def get(self, request: Request) -> Response:
        """Exceptions, newest first."""
        rows = CASES.all()
        if statuses := choice(request, "status", CaseStatus.values):
            rows = rows.filter(status__in=statuses)
        if teams := choice(request, "team", Team.values):
            rows = rows.filter(team__in=teams)
        if rules := request.query_params.getlist("rule"):
            rows = rows.filter(rule__in=[rule[:60] for rule in rules])
        if (account := request.query_params.get("account", "")).isdecimal():
            rows = rows.filter(account=int(account[:18]))
        return self.page(rows, CaseSerializer)


class OneCase(View):
    @extend_schema(responses=CaseSerializer)
    def get(self, request: Request, key: int) -> Response:
        """One exception with its evidence."""
        return _shown(self.row(CASES, key))

    @extend_schema(request=CaseChangeSerializer, responses=CaseSerializer, parameters=[IF_MATCH])
    def patch(self, request: Request, key: int) -> Response:
        """Give it to somebody (`owner`, null for nobody) or put it aside (`snoozed_until` with a `reason`, null to wake it)."""
        case = self.row(CASES, key)
        require(self.user, "work_case", case)
        version = expected_version(request, case.row_version)
        change = self.valid(CaseChangeSerializer)
        if "owner" in change:
            actions.assign_case(
                case, owner=_person(change["owner"]), row_version=version, acting_user=self.user, remark=change["reason"]
            )
        elif change["snoozed_until"] is None:
            actions.wake_case(case, row_version=version, acting_user=self.user)
        else:
            actions.snooze_case(
                case,
                until=change["snoozed_until"],
                reason=change["reason"],
                row_version=version,
                acting_user=self.user,
                now=timezone.now(),
            )
        return _shown(CASES.get(pk=case.pk))


class CaseNotes(View):
    @extend_schema(request=NoteSerializer, responses={201: NoteSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> Response:
        """Comment on an exception."""
        case = self.row(CASES, key)
        require(self.user, "work_case", case)
        text = self.valid(NoteSerializer)["text"]

        def perform() -> Response:
            note = actions.comment_on_case(case, text=text, acting_user=self.user, now=timezone.now())
            return Response({"id": note.pk, "text": note.text}, status=status.HTTP_201_CREATED)

        return once(request, self.user, perform)


def _shown(case: ExceptionCase) -> Response:
    return Response(CaseSerializer(case).data, headers={"ETag": etag(case.row_version)})


def _person(email: str | None) -> User | None:
    if email is None:
        return None
    user = User.objects.filter(username=email, is_active=True).first()
    if user is None:
        raise Rejected("owner_unknown", "There is nobody of that address who could own this.", field="owner")
    return user
