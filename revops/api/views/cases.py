"""Exceptions: read, assign, put aside, comment."""

from __future__ import annotations

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.rules import may, require
from revops.api.base import View, etag, expected_version
from revops.api.idempotency import once
from revops.api.pagination import NewestFirst, OldestFirst
from revops.api.schema import ETAG, IDEMPOTENCY_KEY, IF_MATCH, number, query
from revops.api.serializers import CaseChangeSerializer, CaseSerializer, NewNoteSerializer, NoteSerializer
from revops.cases import actions
from revops.cases.models import CaseNote, CaseStatus, ExceptionCase, Team
from revops.detection.catalogue import EXCEPTIONS
from revops.errors import Rejected
from revops.people.models import User

CASES = ExceptionCase.objects.select_related("account", "owner")


class Cases(View):
    pagination_class = NewestFirst

    @extend_schema(
        responses=CaseSerializer(many=True),
        parameters=[
            query("status", many=True, enum=CaseStatus.values),
            query("rule", many=True, enum=sorted(EXCEPTIONS)),
            query("team", many=True, enum=Team.values),
            number("account"),
        ],
    )
    def get(self, request: Request) -> Response:
        """Exceptions, newest first."""
        rows = CASES.all()
        if statuses := self.choice("status", CaseStatus.values):
            rows = rows.filter(status__in=statuses)
        if teams := self.choice("team", Team.values):
            rows = rows.filter(team__in=teams)
        if rules := self.choice("rule", sorted(EXCEPTIONS)):
            rows = rows.filter(rule__in=rules)
        if (account := self.number("account")) is not None:
            rows = rows.filter(account=account)
        return self.page(rows, CaseSerializer)


class OneCase(View):
    scope = "propose"

    @extend_schema(responses=CaseSerializer, parameters=[ETAG])
    def get(self, request: Request, key: int) -> Response:
        """One exception with its evidence."""
        return _shown(self.row(CASES, key))

    @extend_schema(request=CaseChangeSerializer, responses=CaseSerializer, parameters=[IF_MATCH, ETAG])
    def patch(self, request: Request, key: int) -> Response:
        """Give it to somebody (`owner`, null for nobody) or put it aside (`snoozed_until` with a `reason`, null to wake it)."""
        case = self.row(CASES, key)
        require(self.user, "work_case", case)
        version = expected_version(request, case.row_version)
        change = self.valid(CaseChangeSerializer)
        if "owner" in change:
            actions.assign_case(
                case, owner=_person(change["owner"], case), row_version=version, acting_user=self.user, remark=change["reason"]
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
    scope = "propose"
    pagination_class = OldestFirst

    @extend_schema(responses=NoteSerializer(many=True))
    def get(self, request: Request, key: int) -> Response:
        """What people wrote about an exception, oldest first."""
        case = self.row(CASES, key)
        return self.page(CaseNote.objects.filter(case=case).select_related("author").order_by(), NoteSerializer)

    @extend_schema(request=NewNoteSerializer, responses={201: NoteSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Comment on an exception."""
        case = self.row(CASES, key)
        require(self.user, "work_case", case)
        text = self.valid(NewNoteSerializer)["text"]

        def perform() -> Response:
            note = actions.comment_on_case(case, text=text, acting_user=self.user, now=timezone.now())
            return Response(NoteSerializer(CaseNote.objects.get(pk=note.pk)).data, status=status.HTTP_201_CREATED)

        return once(request, self.user, perform)


def _shown(case: ExceptionCase) -> Response:
    return Response(CaseSerializer(case).data, headers={"ETag": etag(case.row_version)})


def _person(email: str | None, case: ExceptionCase) -> User | None:
    """The person of that address, who must be able to work the case; None for nobody."""
    if email is None:
        return None
    user = User.objects.filter(username=email, is_active=True).first()
    if user is None or not may(user, "work_case", case):
        raise Rejected("owner_unknown", "Unknown owner: nobody who works such cases signs in with this address.", field="owner")
    return user
