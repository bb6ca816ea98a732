"""Cursor pages: stable under change, no counting of the table."""

from __future__ import annotations

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """Newest rows first, 50 a page, at most 200; the cursor is opaque."""

    ordering: str | tuple[str, ...] = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200


class OldestFirst(NewestFirst):
    """Oldest rows first."""

    ordering = "id"
