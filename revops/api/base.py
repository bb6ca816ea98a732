"""What every view of the API shares: who asks, which rows exist for them, query parameters, and conditional requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.permissions import SAFE_METHODS, IsAuthenticated
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from revops.access.rules import sees, visible_to
from revops.api.authentication import BearerAuthentication
from revops.api.pagination import NewestFirst
from revops.api.parsing import StrictJson
from revops.api.problems import PreconditionFailed, PreconditionRequired
from revops.api.schema import Described
from revops.api.throttle import PerPerson
from revops.audit.trace import trace_id, tracing
from revops.errors import Missing, NotAllowed
from revops.identity.models import StepUp
from revops.identity.step_up import step_up_of_token
from revops.parameters import moment, row_id
from revops.people.models import ApiToken, User

M = TypeVar("M", bound=Model)
TEXT_LENGTH_MAX = 200


class View(APIView):
    """A view for programs: bearer token only, so that no cookie of a browser can act here; JSON in and out, nothing else.

    A list view names its `pagination_class`. Query parameters are read through `text`, `number`, `choice`, `flag` and
    `moment`, which also note that the parameter exists: a page refuses the ones that nobody read, because a misspelt filter
    that is ignored would show everything.
    """

    authentication_classes = [BearerAuthentication]
    permission_classes = [IsAuthenticated]
    parser_classes = [StrictJson]
    renderer_classes = [JSONRenderer]
    throttle_classes = [PerPerson]
    metadata_class = None
    pagination_class: type[NewestFirst] | None = None
    schema = Described()
    scope = "operate"
    """What the token must be for where a request changes something (`identity.tokens.SCOPES`)."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Serve one request inside its trace, with instants in UTC."""
        self.parameters_read: set[str] = set()
        with tracing(trace_id(), str(request.META.get("REVOPS_REQUEST_ID", ""))), timezone.override(dt.UTC):
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Who asks, and whether the token is for this. Raises `NotAllowed("scope_missing")`."""
        super().initial(request, *args, **kwargs)
        changes = request.method not in SAFE_METHODS and hasattr(self, str(request.method).lower())
        if changes and self.scope not in self.token.scopes:
            raise NotAllowed("scope_missing", f"This token is not for that: it lacks the scope {self.scope}.")

    @property
    def token(self) -> ApiToken:
        """The token of this request."""
        token = self.request.auth
        if not isinstance(token, ApiToken):  # as below
            raise Missing()
        return token

    @property
    def user(self) -> User:
        """Who asks."""
        user = self.request.user
        if not isinstance(user, User):  # deny by default comes first; this is for the type checker and for defects of ours
            raise Missing()
        return user

    def step_up(self) -> StepUp | None:
        """The fresh step-up that was made with this token. Bearing the token alone proves nothing."""
        return step_up_of_token(self.token, now=timezone.now())

    # -- rows ---------------------------------------------------------------------------------------------------------
    def row(self, rows: QuerySet[M], key: int | str) -> M:
        """The visible row of that id; not there and not allowed are the same `Missing`."""
        found = visible_to(self.user, rows).filter(pk=key).first()
        if found is None:
            raise Missing()
        return found

    def page(self, rows: QuerySet[M], serializer: type[Serializer[Any]]) -> Response:
        """One cursor page of the visible rows. `Missing` when the person may see none of that kind, whatever there is."""
        if not sees(self.user, rows.model):
            raise Missing()
        return self.own_page(visible_to(self.user, rows), serializer)

    def own_page(self, rows: QuerySet[M], serializer: type[Serializer[Any]]) -> Response:
        """One cursor page of rows that are the person's own, whatever their roles."""
        assert self.pagination_class is not None, "a list view says how it is paged"
        self.refuse_unread("cursor", "page_size")
        pages = self.pagination_class()
        chosen = pages.paginate_queryset(rows, self.request, view=self)
        return pages.get_paginated_response(serializer(chosen, many=True).data)

    def valid(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """The request's body, checked. Raises a 400 that names the fields."""
        checked = serializer(data=self.request.data)
        checked.is_valid(raise_exception=True)
        data: dict[str, Any] = checked.validated_data
        return data

    # -- query parameters ---------------------------------------------------------------------------------------------
    def _given(self, name: str) -> str:
        self.parameters_read.add(name)
        return self.request.query_params.get(name, "")

    def refuse_unread(self, *others: str) -> None:
        """Raises a 400 when the query string has a parameter that this address does not know."""
        known = self.parameters_read | set(others)
        unknown = sorted(set(self.request.query_params) - known)
        if unknown:
            told = f"Unknown parameter. Use {', '.join(sorted(known))}." if known else "Unknown parameter: there are none here."
            raise ValidationError({name[:TEXT_LENGTH_MAX].replace("\x00", ""): told for name in unknown})

    def text(self, name: str) -> str:
        """A plain text, empty when absent. Raises a 400 for one that no column could hold."""
        value = self._given(name)
        if len(value) > TEXT_LENGTH_MAX or not value.isprintable():
            raise ValidationError({name: f"This is a printable text of at most {TEXT_LENGTH_MAX} characters."})
        return value.strip()

    def number(self, name: str) -> int | None:
        """A whole number from 0, None when absent. Raises a 400."""
        value = self._given(name)
        if not value:
            return None
        number = row_id(value)
        if number is None:
            raise ValidationError({name: "This is a whole number."})
        return number

    def flag(self, name: str) -> bool:
        """`true`, or `false` also when absent. Raises a 400."""
        value = self._given(name)
        if value not in ("", "true", "false"):
            raise ValidationError({name: "This is true or false."})
        return value == "true"

    def moment(self, name: str) -> dt.datetime | None:
        """An aware instant, None when absent. Raises a 400 that says how to write it."""
        text = self._given(name)
        if not text:
            return None
        found = moment(text.replace(" ", "+"))
        if found is not None:
            return found
        raise ValidationError({name: "Write an instant with its zone, such as 2026-11-23T14:05:00Z."})

    def choice(self, name: str, allowed: Sequence[str]) -> list[str]:
        """Values of a repeated parameter, each one of `allowed`. Raises a 400."""
        self.parameters_read.add(name)
        values = self.request.query_params.getlist(name)
        if any(value not in allowed for value in values):
            raise ValidationError({name: f"This is one of {', '.join(allowed)}."})
        return values


def etag(row_version: int) -> str:
    """The entity tag of a row version."""
    return f'"v{row_version}"'


def expected_version(request: Request, row_version: int) -> int:
    """The version that the caller saw, by If-Match. Raises 428 without it, 412 when it is another."""
    header = request.headers.get("If-Match")
    if not header:
        raise PreconditionRequired()
    if header.strip() != etag(row_version):
        raise PreconditionFailed()
    return row_version
