"""Proving over the API who is there: what a bearer token alone does not."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from revops.api.base import View
from revops.api.serializers import ProofSerializer, StepUpSerializer
from revops.identity.step_up import FRESH, check_proof, record_step_up


class StepUp(View):
    scope = "read"

    @extend_schema(request=ProofSerializer, responses={200: StepUpSerializer})
    def post(self, request: Request) -> Response:
        """Prove once more that it is you, with this token. For five minutes it may then do what asks for that, where its scopes
        name it."""
        proof = self.valid(ProofSerializer)["proof"]
        row = record_step_up(self.user, check_proof(self.user, proof, now=timezone.now()), token=self.token)
        return Response(StepUpSerializer({"method": row.method, "at": row.at, "expires_at": row.at + FRESH}).data)
