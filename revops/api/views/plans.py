"""Change plans: propose, submit, approve, reject, withdraw; and the postings they become."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.rules import may_compose, require
from revops.api.base import View, etag
from revops.api.idempotency import once
from revops.api.pagination import NewestFirst
from revops.api.schema import ETAG, IDEMPOTENCY_KEY, number, query
from revops.api.serializers import (
    ApprovalSerializer,
    EmptySerializer,
    PlanProposalSerializer,
    PlanSerializer,
    PostingSerializer,
    ReasonSerializer,
    StrictSerializer,
)
from revops.approvals import actions
from revops.cases.models import ExceptionCase
from revops.errors import Missing, Rejected
from revops.postings.draft import compose_plan, compose_remainder, compose_reversal
from revops.postings.models import ChangePlan, PlanState, Posting, PostingState

PLANS = ChangePlan.objects.select_related("maker").prefetch_related(
    "postings",
    "lines",
    "touches",
    "checkpoints",
    "decisions__decided_by",
    "decisions__checkpoint",
    "decisions__step_up",
    "decisions__standing_in_for",
)


class Plans(View):
    scope = "propose"
    pagination_class = NewestFirst

    @extend_schema(
        responses=PlanSerializer(many=True),
        parameters=[query("state", many=True, enum=PlanState.values), number("case")],
    )
    def get(self, request: Request) -> Response:
        """Change plans, newest first."""
        rows = PLANS.order_by()
        if states := self.choice("state", PlanState.values):
            rows = rows.filter(state__in=states)
        if (case := self.number("case")) is not None:
            rows = rows.filter(case=case)
        return self.page(rows, PlanSerializer)

    @extend_schema(request=PlanProposalSerializer, responses={201: PlanSerializer}, parameters=[IDEMPOTENCY_KEY, ETAG])
    def post(self, request: Request) -> HttpResponse:
        """Compose a plan: nothing is asked of anybody yet, and nothing is sent. The answer is the preview."""
        require(self.user, "compose_plan")
        proposal = self.valid(PlanProposalSerializer)
        if not may_compose(self.user, proposal["kind"]):
            raise Missing()
        case = self.row(ExceptionCase.objects.select_related("account"), proposal["case"])
        account = case.account
        if account is None:
            raise Rejected(
                "case_about_a_system", "This exception is about a connected system: no account is changed.", field="case"
            )

        def perform() -> Response:
            plan = compose_plan(
                kind=proposal["kind"],
                case=case,
                account=account,
                inputs=proposal["inputs"],
                reason=proposal["reason"],
                acting_user=self.user,
            )
            return _shown(plan.pk, status.HTTP_201_CREATED)

        return once(request, self.user, perform)


class OnePlan(View):
    @extend_schema(responses=PlanSerializer, parameters=[ETAG])
    def get(self, request: Request, key: int) -> Response:
        """One plan: the exact calls, the checkpoints, the decisions, what became of it."""
        return _shown(self.row(PLANS, key).pk)


class _PlanAction(View):
    scope = "propose"
    verb = "compose_plan"
    says: type[StrictSerializer] = EmptySerializer

    def act(self, request: Request, key: int, perform: Callable[[ChangePlan, dict[str, Any]], object]) -> HttpResponse:
        """Who may, then which row, then what is said: a body is read only for somebody who may act."""
        require(self.user, self.verb)
        plan = self.row(ChangePlan.objects.all(), key)
        said = self.valid(self.says)

        def run() -> Response:
            perform(plan, said)
            return _shown(plan.pk)

        return once(request, self.user, run)


class SubmitPlan(_PlanAction):
    @extend_schema(request=None, responses={200: PlanSerializer}, parameters=[IDEMPOTENCY_KEY, ETAG])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Ask for the signatures that the plan needs. A plan that needs none is released at once."""
        return self.act(request, key, lambda plan, said: actions.submit_plan(plan, acting_user=self.user))


class ApprovePlan(_PlanAction):
    scope = "decide"
    verb = "decide_plan"
    says = ApprovalSerializer

    @extend_schema(request=ApprovalSerializer, responses={200: PlanSerializer}, parameters=[IDEMPOTENCY_KEY, ETAG])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Sign the plan whose digest you read, within five minutes of a step-up with this token. The maker, and anyone who
        already decided, cannot."""
        return self.act(
            request,
            key,
            lambda plan, said: actions.approve(
                plan, digest=said["digest"], meaning=said["meaning"], step_up=self.step_up(), acting_user=self.user
            ),
        )


class RejectPlan(_PlanAction):
    scope = "decide"
    verb = "decide_plan"
    says = ReasonSerializer

    @extend_schema(request=ReasonSerializer, responses={200: PlanSerializer}, parameters=[IDEMPOTENCY_KEY, ETAG])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Refuse the plan, with a reason, within five minutes of a step-up with this token."""
        return self.act(
            request,
            key,
            lambda plan, said: actions.reject(plan, reason=said["reason"], step_up=self.step_up(), acting_user=self.user),
        )


class WithdrawPlan(_PlanAction):
    says = ReasonSerializer

    @extend_schema(request=ReasonSerializer, responses={200: PlanSerializer}, parameters=[IDEMPOTENCY_KEY, ETAG])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Take one's own plan back before it is released."""
        return self.act(request, key, lambda plan, said: actions.withdraw(plan, reason=said["reason"], acting_user=self.user))


class _FollowUp(View):
    """Composes a plan that follows from another; the answer is the new plan, a draft."""

    scope = "propose"

    def compose(self, request: Request, key: int, follow: Callable[..., ChangePlan]) -> HttpResponse:
        require(self.user, "compose_plan")
        plan = self.row(ChangePlan.objects.select_related("case", "account"), key)
        said = self.valid(ReasonSerializer)

        def run() -> Response:
            made = follow(plan, inputs={}, reason=said["reason"], acting_user=self.user)
            return _shown(made.pk, status.HTTP_201_CREATED)

        return once(request, self.user, run)


class FinishPlan(_FollowUp):
    @extend_schema(request=ReasonSerializer, responses={201: PlanSerializer}, parameters=[IDEMPOTENCY_KEY, ETAG])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Compose the missing steps of a partly posted plan as a new one. Nothing is sent by this."""
        return self.compose(request, key, compose_remainder)


class ReversePlan(_FollowUp):
    @extend_schema(request=ReasonSerializer, responses={201: PlanSerializer}, parameters=[IDEMPOTENCY_KEY, ETAG])
    def post(self, request: Request, key: int) -> HttpResponse:
        """Compose the plan that undoes what a posted or partly posted one has done. Nothing is sent by this."""
        return self.compose(request, key, compose_reversal)


class Postings(View):
    pagination_class = NewestFirst

    @extend_schema(
        responses=PostingSerializer(many=True),
        parameters=[query("state", many=True, enum=PostingState.values), number("plan")],
    )
    def get(self, request: Request) -> Response:
        """What was or will be written to the systems, newest first."""
        rows = Posting.objects.order_by()
        if states := self.choice("state", PostingState.values):
            rows = rows.filter(state__in=states)
        if (plan := self.number("plan")) is not None:
            rows = rows.filter(plan=plan)
        return self.page(rows, PostingSerializer)


class OnePosting(View):
    @extend_schema(responses=PostingSerializer)
    def get(self, request: Request, key: int) -> Response:
        """One posting."""
        return Response(PostingSerializer(self.row(Posting.objects.all(), key)).data)


def _shown(key: int, code: int = status.HTTP_200_OK) -> Response:
    plan = PLANS.get(pk=key)
    return Response(PlanSerializer(plan).data, status=code, headers={"ETag": etag(plan.row_version)})
