"""What Granian serves: `granian --interface rsgi revops.serving.application:application`. `launch/programs.py` and the Dockerfile
hold the whole command."""

from __future__ import annotations

import asyncio
import json
import logging
import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from granian.rsgi import HTTPProtocol, Scope  # type: ignore[attr-defined]  # of the library
from prometheus_client import Counter

from revops.client_address import proven_address, sender_of
from revops.serving.bodies import Bodies, BodyRefused, too_large
from revops.serving.threads import Threads
from revops.serving.wsgi import WsgiApplication, answer_of, environ_of, put_body

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "revops.settings")
django: WsgiApplication = get_wsgi_application()

from revops.checks import refuse_to_start  # noqa: E402 - after Django is set up

refuse_to_start()

THREADS = 8
"""Requests that Django answers at once."""
SERVER = ("server", "revops")  # what serves, and in which version, is said to nobody
HANG_UP = ("connection", "close")
_REFUSED = Counter("revops_bodies_refused", "Requests whose body was not taken, by reason.", ["reason"])
_log = logging.getLogger("revops.serving")


class Application:
    """The RSGI application of one process."""

    def __init__(self) -> None:
        self._bodies = Bodies()
        self._threads = Threads(THREADS)

    async def __rsgi__(self, scope: Scope, protocol: HTTPProtocol) -> None:
        """Answer one request."""
        if scope.path == "/healthz" and scope.method in ("GET", "HEAD"):  # whether this process lives, not whether it has time
            protocol.response_str(200, [("content-type", "text/plain"), SERVER], "ok\n")
            return
        try:
            await self._answer(scope, protocol)
        except BodyRefused as refused:
            _REFUSED.labels(refused.code).inc()
            _refuse(protocol, refused)
        except Exception:
            _log.exception("a request failed outside of the application")
            protocol.response_str(500, [("content-type", "text/plain"), HANG_UP, SERVER], "Something went wrong.\n")

    async def _answer(self, scope: Scope, protocol: HTTPProtocol) -> None:
        announced, request = _announced(scope), environ_of(scope)
        if announced == 0:
            answer = await self._threads.call(answer_of, django, request)
        else:
            bytes_max = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            if announced is not None and announced > bytes_max:
                raise too_large(bytes_max)
            sender = sender_of(proven_address(request["REMOTE_ADDR"], request.get("HTTP_X_FORWARDED_FOR", "")))
            with self._bodies.held(sender) as body:
                put_body(request, await self._bodies.read(body, protocol, announced, bytes_max))
                answer = await self._threads.call(answer_of, django, request)
        protocol.response_bytes(answer.status, [*answer.headers, SERVER], answer.content)

    def __rsgi_del__(self, _loop: asyncio.AbstractEventLoop) -> None:
        """Everything is answered; end the threads."""
        self._threads.end()


def _announced(scope: Scope) -> int | None:
    """How long the body is: 0 without one, None when it comes in chunks. Hyper has refused what is no length."""
    if "transfer-encoding" in scope.headers:
        return None
    return int(scope.headers.get("content-length", "0"))


def _refuse(protocol: HTTPProtocol, refused: BodyRefused) -> None:
    """A problem (RFC 9457); then the connection ends, since what is left of the body is not read."""
    body = {"type": f"urn:revops:problem:{refused.code}", "title": "Not taken", "status": refused.status,
            "detail": refused.detail, "code": refused.code}  # fmt: skip
    headers = [("content-type", "application/problem+json"), HANG_UP, SERVER]
    if refused.status in (408, 503):
        headers.append(("retry-after", "5"))
    protocol.response_str(refused.status, headers, json.dumps(body))


application = Application()
