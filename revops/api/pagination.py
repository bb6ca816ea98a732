"""Cursor pages: stable under change, no counting of the table."""

from __future__ import annotations

import re

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from revops.parameters import row_id

CURSOR = re.compile(r"[A-Za-z0-9+/]{1,300}={0,2}", re.ASCII)


class NewestFirst(CursorPagination):
    """Newest rows first, 50 a page, at most 200; the cursor is opaque. A cursor that we did not make is a 400."""

    ordering: str | tuple[str, ...] = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200
    position_pattern = re.compile(r"[0-9]{1,19}", re.ASCII)

    def get_page_size(self, request: Request) -> int:
        """How many rows were asked for. Raises a 400 for what is no number from 1 to the most there are."""
        given = request.query_params.get(self.page_size_query_param)
        wanted = self.page_size if given is None else row_id(given)
        if wanted is None or not 1 <= wanted <= self.max_page_size:
            raise ValidationError({"page_size": f"This is a whole number from 1 to {self.max_page_size}."})
        return wanted

    def decode_cursor(self, request: Request) -> Cursor | None:
        given = request.query_params.get(self.cursor_query_param)
        wrong = ValidationError({"cursor": "This cursor is not one of ours; take it from `next` or `previous` of a page."})
        if given is not None and not CURSOR.fullmatch(given):
            raise wrong
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            raise wrong from None
        if cursor is not None and cursor.position is not None and not self.position_pattern.fullmatch(str(cursor.position)):
            raise wrong
        return cursor


class OldestFirst(NewestFirst):
    """Oldest rows first."""

    ordering = "id"


class ByKey(NewestFirst):
    """Sessions, by what names them."""

    ordering = "session_key"
    position_pattern = re.compile(r"[0-9a-f]{40}", re.ASCII)


class BySystem(NewestFirst):
    """By the slug of the system."""

    ordering = "system_id"
    position_pattern = re.compile(r"[a-z][a-z0-9_-]{0,59}", re.ASCII)
