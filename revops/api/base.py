"""What every view of the API shares: who asks, which rows exist for them, and conditional requests."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from django.utils.dateparse import parse_datetime
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from revops.access.rules import visible_to
from revops.api.authentication import BearerAuthentication
from revops.api.pages import NewestFirst
from revops.api.problems import PreconditionFailed, PreconditionRequired
from revops.errors import Missing
from revops.people.models import User

M = TypeVar("M", bound=Model)


class View(APIView):
    """A view for programs: bearer token only, so that no cookie of a browser can act here."""

    authentication_classes = [BearerAuthentication]

    @property
    def user(self) -> User:
        """Who asks."""
        user = self.request.user
        if not isinstance(user, User):  # deny by default comes first; this is for the type checker and for defects of ours
            raise Missing()
        return user

    def row(self, rows: QuerySet[M], key: int) -> M:
        """The visible row of that id; not there and not allowed are the same `Missing`."""
        found = visible_to(self.user, rows).filter(pk=key).first()
        if found is None:
            raise Missing()
        return found

    def page(
        self, rows: QuerySet[M], serializer: type[Serializer[Any]], paginator: type[CursorPagination] = NewestFirst
    ) -> Response:
        """One cursor page of the visible rows."""
        pages = paginator()
        chosen = pages.paginate_queryset(visible_to(self.user, rows), self.request, view=self)
        return pages.get_paginated_response(serializer(chosen, many=True).data)

    def valid(self, serializer: type[Serializer[Any]]) -> dict[str, Any]:
        """The request's body, checked. Raises a 400 that names the fields."""
        checked = serializer(data=self.request.data)
        checked.is_valid(raise_exception=True)
        data: dict[str, Any] = checked.validated_data
        return data


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


def moment(request: Request, name: str) -> dt.datetime | None:
    """An aware instant from the query string, or None when absent. Raises a 400 that says how to write it."""
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        value = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise ValidationError({name: "Write an instant with its zone, such as 2026-11-23T14:05:00Z."})
    return value


def choice(request: Request, name: str, allowed: Sequence[str]) -> list[str]:
    """Values of a repeated query parameter, each one of `allowed`. Raises a 400."""
    values = request.query_params.getlist(name)
    wrong = [value for value in values if value not in allowed]
    if wrong:
        raise ValidationError({name: f"{wrong[0]!r} is none of {', '.join(allowed)}."})
    return values
