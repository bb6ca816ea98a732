"""Django, called as a WSGI application with a request that is complete."""

from __future__ import annotations

import functools
import io
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

from django.conf import settings
from django.core.handlers.wsgi import WSGIRequest
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from granian.rsgi import Scope

from revops.client_address import is_trusted_proxy, read_address

WsgiApplication = Callable[..., Any]
_OF_THE_BODY = {"content-length", "transfer-encoding"}


class Answer(NamedTuple):
    """What Django answered."""

    status: int
    headers: list[tuple[str, str]]
    content: bytes


@functools.cache
def _short_ways() -> dict[str, Callable[[HttpRequest], HttpResponse | None]]:
    return {beginning: import_string(name) for beginning, name in settings.REVOPS_SHORT_WAYS.items()}


def environ_of(scope: Scope) -> dict[str, Any]:
    """The request without its body, as WSGI has it (PEP 3333). Two kinds of header are left out: what a proxy says of HTTPS, from
    anybody else, and names with an underscore, which would look like another name there."""
    server, _, port = scope.server.rpartition(":")
    request: dict[str, Any] = {
        "REQUEST_METHOD": scope.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": scope.path.encode().decode("latin-1"),
        "QUERY_STRING": scope.query_string,
        "SERVER_NAME": server.strip("[]"),
        "SERVER_PORT": port,
        "SERVER_PROTOCOL": f"HTTP/{scope.http_version}",
        "REMOTE_ADDR": scope.client.rpartition(":")[0].strip("[]"),
        "CONTENT_LENGTH": "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope.scheme,
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope.headers.items():
        if name in _OF_THE_BODY or "_" in name:
            continue
        if name == "x-forwarded-proto" and not is_trusted_proxy(read_address(request["REMOTE_ADDR"])):
            continue
        key = "CONTENT_TYPE" if name == "content-type" else "HTTP_" + name.upper().replace("-", "_")
        joint = "; " if name == "cookie" else ","
        request[key] = f"{request[key]}{joint}{value}" if key in request else value
    return request


def put_body(request: dict[str, Any], body: bytes) -> None:
    """Give the request its body, which from now on has a length, however it came."""
    request["CONTENT_LENGTH"] = str(len(body))
    request["wsgi.input"] = io.BytesIO(body)


def answer_of(application: WsgiApplication, request: dict[str, Any]) -> Answer:
    """The whole answer to a request, by a short way (`REVOPS_SHORT_WAYS`) where there is one, and from the application."""
    for beginning, way in _short_ways().items():
        if request["PATH_INFO"].startswith(beginning) and (response := way(WSGIRequest(request))) is not None:
            return Answer(response.status_code, list(response.items()), response.content)
    said: list[tuple[int, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> None:
        said.append((int(status[:3]), headers))

    result = application(request, start_response)
    try:
        content = b"".join(result)
    finally:
        if (close := getattr(result, "close", None)) is not None:
            close()
    return Answer(*said[-1], content)
