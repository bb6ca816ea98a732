"""What the OpenAPI generator must be told, and the two addresses that serve its result."""

from __future__ import annotations

import functools
from typing import Any, Literal

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework import serializers

from revops.api.problems import MEDIA_TYPE, TITLES

ALWAYS = (400, 401, 404, 406, 429, 500, 503)
REFUSALS: dict[str, tuple[int, ...]] = {
    "GET": ALWAYS,
    "POST": (*ALWAYS, 403, 409, 413, 415, 422),
    "PATCH": (*ALWAYS, 403, 409, 412, 413, 415, 422, 428),
}
"""The statuses that any address may answer a method with instead of its result; each is a Problem."""


class ProblemLine(serializers.Serializer[Any]):
    """One input that is wrong."""

    field = serializers.CharField(help_text="Where, as a dotted path; empty for the whole body.")
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """Problem details (RFC 9457). `code` is stable; `detail` says what to do; quote `request_id` when you ask about it."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    code = serializers.CharField()
    request_id = serializers.CharField()
    errors = ProblemLine(many=True, required=False)  # type: ignore[assignment]  # a member of RFC 9457, not the serializer's own


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "revops.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "`manage.py token USER` issues one."}


class Described(AutoSchema):
    """Adds to every operation what it may be refused with."""

    def get_override_parameters(self) -> list[Any]:
        return [*super().get_override_parameters(), RETRY_AFTER]

    def _get_response_bodies(self, direction: Literal["request", "response"] = "response") -> dict[str, Any]:
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        for status in REFUSALS[self.method]:
            answer = OpenApiResponse(Problem, description=TITLES[status])
            described = self._get_response_for_code(answer, str(status), [MEDIA_TYPE], direction)  # type: ignore[no-untyped-call]
            bodies.setdefault(str(status), described)
        return dict(sorted(bodies.items()))


RETRY_AFTER = OpenApiParameter(
    "Retry-After", int, OpenApiParameter.HEADER, response=[429, 503], description="Seconds to wait before asking again."
)
ETAG = OpenApiParameter(
    "ETag", str, OpenApiParameter.HEADER, response=[200, 201], description="Names this version of the row; see If-Match."
)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 8, "maxLength": 255, "pattern": "^[!-~]+$"},
    OpenApiParameter.HEADER,
    required=True,
    description="Any text of 8 to 255 characters, new for each intent. The same key and request get the first answer again.",
)
IF_MATCH = OpenApiParameter(
    "If-Match", str, OpenApiParameter.HEADER, required=True, description="The ETag of the row as you last read it."
)


def query(name: str, kind: Any = str, description: str = "", *, many: bool = False, enum: Any = None) -> OpenApiParameter:
    """A query parameter."""
    return OpenApiParameter(name, kind, many=many, enum=enum, description=description)


def number(name: str) -> OpenApiParameter:
    """A query parameter that is a whole number."""
    return OpenApiParameter(name, {"type": "integer", "minimum": 0, "maximum": 10**18 - 1})


@functools.cache
def document() -> dict[str, Any]:
    """The OpenAPI document, the same for everybody."""
    schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


class _OneDocument(SchemaGenerator):
    """Gives the document made once a process."""

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        return document()


class SchemaView(SpectacularAPIView):
    """The OpenAPI document as YAML or JSON, by Accept. Open to all: it tells no more than the source code does."""

    authentication_classes = []
    generator_class = _OneDocument


class DocsView(SpectacularSwaggerSplitView):
    """Pages to read and try the API. Everything they load comes from this server."""

    authentication_classes = []
    url_name = "api:schema"
    template_name = "api/docs.html"
