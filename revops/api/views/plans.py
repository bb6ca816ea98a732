"""Change plans: propose, submit, approve, reject, withdraw; and the postings they become."""

from __future__ import annotations

from collections.abc import Callable

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from revops.access.rules import may_compose, require
from revops.api.base import View, choice, etag
from revops.api.idempotency import once
from revops.api.schema import IDEMPOTENCY_KEY
from revops.api.serializers import (
    ApprovalSerializer,
    PlanProposalSerializer,
    PlanSerializer,
    PostingSerializer,
    ReasonSerializer,
)
from revops.approvals import actions
from revops.cases.models import ExceptionCase
from revops.errors import Missing
from revops.postings.draft import compose_plan
from revops.postings.models import ChangePlan, PlanState, Posting, PostingState

PLANS = ChangePlan.objects.select_related("maker").prefetch_related(
    "postings", "checkpoints", "decisions__decided_by", "decisions__checkpoint"
)


class Plans(View):
    @extend_schema(
        responses=PlanSerializer(many=True),
        parameters=[OpenApiParameter("state", str, many=True, enum=PlanState.values), OpenApiParameter("case", int)],
    )
    def get(self, request: Request) -> Response:
        """Change plans, newest first."""
        rows = PLANS.order_by()
        if states := choice(request, "state", PlanState.values):
            rows = rows.filter(state__in=states)
        if (case := request.query_params.get("case", "")).isdecimal():
            rows = rows.filter(case=int(case[:18]))
        return self.page(rows, PlanSerializer)

    @extend_schema(request=PlanProposalSerializer, responses={201: PlanSerializer}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        """Compose a plan: nothing is asked of anybody yet, and nothing is sent. The answer is the preview."""
        proposal = self.valid(PlanProposalSerializer)
        require(self.user, "compose_plan")
        if not may_compose(self.user, proposal["kind"]):
            raise Missing()
        case = self.row(ExceptionCase.objects.select_related("account"), proposal["case"])

        def perform() -> Response:
            plan = compose_plan(
                kind=proposal["kind"],
                case=case,
                account=case.account,
                inputs=proposal["inputs"],
                reason=proposal["reason"],
                acting_user=self.user,
            )
            return _shown(plan.pk, status.HTTP_201_CREATED)

        return once(request, self.user, perform)


class OnePlan(View):
    @extend_schema(responses=PlanSerializer)
    def get(self, request: Request, key: int) -> Response:
        """One plan: the exact calls, the checkpoints, the decisions, what became of it."""
        return _shown(self.row(PLANS, key).pk)


class _PlanAction(View):
    verb = "see_plan"

    def act(self, request: Request, key: int, perform: Callable[[ChangePlan], object]) -> Response:
        plan = self.row(ChangePlan.objects.all(), key)
        require(self.user, self.verb)

        def run() -> Response:
            perform(plan)
            return _shown(plan.pk)

        return once(request, self.user, run)


class SubmitPlan(_PlanAction):
    verb = "compose_plan"

    @extend_schema(request=None, responses=PlanSerializer, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> Response:
        """Ask for the signatures that the plan needs. A plan that needs none is released at once."""
        return self.act(request, key, lambda plan: actions.submit_plan(plan, acting_user=self.user))


class ApprovePlan(_PlanAction):
    verb = "decide_plan"

    @extend_schema(request=ApprovalSerializer, responses=PlanSerializer, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> Response:
        """Sign the plan whose digest you read. The maker, and anyone who already decided, cannot."""
        signed = self.valid(ApprovalSerializer)
        return self.act(
            request,
            key,
            lambda plan: actions.approve(plan, digest=signed["digest"], meaning=signed["meaning"], acting_user=self.user),
        )


class RejectPlan(_PlanAction):
    verb = "decide_plan"

    @extend_schema(request=ReasonSerializer, responses=PlanSerializer, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> Response:
        """Refuse the plan, with a reason."""
        reason = self.valid(ReasonSerializer)["reason"]
        return self.act(request, key, lambda plan: actions.reject(plan, reason=reason, acting_user=self.user))


class WithdrawPlan(_PlanAction):
    verb = "compose_plan"

    @extend_schema(request=ReasonSerializer, responses=PlanSerializer, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, key: int) -> Response:
        """Take one's own plan back before it is released."""
        reason = self.valid(ReasonSerializer)["reason"]
        return self.act(request, key, lambda plan: actions.withdraw(plan, reason=reason, acting_user=self.user))


class Postings(View):
    @extend_schema(
        responses=PostingSerializer(many=True),
        parameters=[OpenApiParameter("state", str, many=True, enum=PostingState.values), OpenApiParameter("plan", int)],
    )
    def get(self, request: Request) -> Response:
        """What was or will be written to the systems, newest first."""
        rows = Posting.objects.order_by()
        if states := choice(request, "state", PostingState.values):
            rows = rows.filter(state__in=states)
        if (plan := request.query_params.get("plan", "")).isdecimal():
            rows = rows.filter(plan=int(plan[:18]))
        return self.page(rows, PostingSerializer)


class OnePosting(View):
    @extend_schema(responses=PostingSerializer)
    def get(self, request: Request, key: int) -> Response:
        """One posting."""
        return Response(PostingSerializer(self.row(Posting.objects.all(), key)).data)


def _shown(key: int, code: int = status.HTTP_200_OK) -> Response:
    plan = PLANS.get(pk=key)
    return Response(PlanSerializer(plan).data, status=code, headers={"ETag": etag(plan.row_version)})
