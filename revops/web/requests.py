"""What views read from a request: the person, codes in addresses, and how an answer finds its way back."""

from __future__ import annotations

import re
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from django.contrib import messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.http import url_has_allowed_host_and_scheme

from revops.errors import Missing
from revops.people.models import User
from revops.web.addresses import href

M = TypeVar("M", bound=Model)
_CODE = re.compile(r"(EX|AC|CP)-([0-9]{1,18})")


def signed_in(request: HttpRequest) -> User:
    """The person. The middleware lets nobody else reach a view."""
    return cast(User, request.user)


def is_fragment(request: HttpRequest) -> bool:
    """HTMX asks for a fragment, except when it restores a page from history."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx and not htmx.history_restore_request)


def id_of(code: str, prefix: str) -> int:
    """The row id in a code such as `EX-00042`. Raises `Missing`."""
    match = _CODE.fullmatch(code)
    if match is None or match[1] != prefix:
        raise Missing()
    return int(match[2])


def one(rows: QuerySet[M], pk: int | None) -> M:
    """The visible row with that id. Raises `Missing`: not there and not yours look alike."""
    row = rows.filter(pk=pk).first() if pk is not None else None
    if row is None:
        raise Missing()
    return row


def back(
    request: HttpRequest, to: str, message: str, template: str = "", context: dict[str, object] | None = None
) -> HttpResponse:
    """After a change: the changed fragment for HTMX, else a redirect with a message."""
    if template and is_fragment(request):
        return render(request, template, {**(context or {}), "toast": message})
    messages.success(request, message)
    return HttpResponseRedirect(to)


def safe_next(request: HttpRequest, sent: str | None = None, default: str | None = None) -> str:
    """Where to go on, as a form or else the address says: only a path of this site; without one `default`, else the start."""
    target = sent or request.GET.get("next", "")
    path = urlsplit(target).path if url_has_allowed_host_and_scheme(target, allowed_hosts=None) else ""
    if not path.startswith("/") or path in (href("sign-in"), href("sign-out")):
        return href("home") if default is None else default
    return target.partition("#")[0]
