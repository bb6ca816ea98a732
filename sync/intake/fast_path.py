"""The intake's short way past the other middleware: no session, no page headers, no line in the request log for each delivery.

Those cost more than the delivery itself. What they guard, pages and browsers, is not here: a delivery is authentic or refused.
Plain HTTP is left to the ordinary way, which sends it to HTTPS where HTTPS is demanded.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from sync.intake.views import intake

_PATH = re.compile(r"/intake/([^/]{1,59})/")


def short_way(request: HttpRequest) -> HttpResponse | None:
    """The answer to a delivery; None when the request is none, or has to be sent to HTTPS. Uses none of Django's connections to
    the database, so nothing has to be done before and after it."""
    found = _PATH.fullmatch(request.path_info)
    if found is None or (settings.SECURE_SSL_REDIRECT and not request.is_secure()):
        return None
    response = intake(request, found[1])
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Length"] = str(len(response.content))
    return response


class IntakeShortcut:
    """The outermost middleware, for servers other than ours (`revops.serving` goes the short way before Django is called)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve deliveries at once and everything else as usual."""
        return short_way(request) or self.get_response(request)
