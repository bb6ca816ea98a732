"""JSON lines on standard error, one request id through every line of a request, and no secret in any of them."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse

MASK = "***"
PATH_LENGTH_MAX = 300
"""What a line shows of an address: whoever asks for a long one does not fill the disk."""
_SECRET_NAME = re.compile(
    r"(?i)(password|passwd|secret|token|authorization|api[_-]?key|cookie|signature|credential|private[_-]?key)"
)
_SECRET_VALUE = re.compile(
    r"(?i)(bearer\s+|basic\s+)[A-Za-z0-9._~+/=-]{8,}|\b(sk|rk|whsec)_[A-Za-z0-9_]{8,}|(?<=://)[^/@\s:]*:[^/@\s]+(?=@)"
)
_ROW_VALUES = re.compile(r"(?<=DETAIL:).*")
"""What PostgreSQL adds to a refusal: the row that was refused, or the key that was there already."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")


def masked(value: Any, name: str = "", depth: int = 0) -> Any:
    """`value` with everything secret replaced: by the name it is kept under, or by its own look."""
    if name and _SECRET_NAME.search(name) and value not in (None, "", True, False):
        return MASK
    if isinstance(value, str):
        return _ROW_VALUES.sub(f" {MASK}", _SECRET_VALUE.sub(MASK, value))
    if depth < 6 and isinstance(value, dict):
        return {key: masked(item, str(key), depth + 1) for key, item in value.items()}
    if depth < 6 and isinstance(value, list | tuple):
        return [masked(item, "", depth + 1) for item in value]
    return value


def mask_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The structlog processor that masks every field of a line. A request is named by its id, never shown: its address may
    carry what somebody searched for, or a token that was put in the wrong place."""
    return {key: masked(value, str(key)) for key, value in event.items() if not isinstance(value, HttpRequest)}


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def logging_configuration(level: str) -> dict[str, Any]:
    """The `LOGGING` setting; also points structlog at it."""
    structlog.configure(
        processors=[
            *_SHARED,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _SHARED,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    mask_event,
                    structlog.processors.JSONRenderer(default=str),
                ],
            }
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django": {"handlers": [], "propagate": True, "level": level},
            "django.server": {"handlers": [], "propagate": True, "level": "WARNING"},
            # Answers below 500 have their line from the middleware below; forged deliveries are counted and not written down,
            # and a wrong host name is no fault of ours: whoever floods us must not fill the disk.
            "django.request": {"handlers": [], "propagate": True, "level": "ERROR"},
            "django.security.DisallowedHost": {"handlers": [], "propagate": True, "level": "CRITICAL"},
            "celery": {"handlers": [], "propagate": True, "level": level},
            # Two lines a ring of the doorbell say nothing; a task that fails is an error.
            "celery.worker.strategy": {"handlers": [], "propagate": True, "level": "WARNING"},
            "celery.app.trace": {"handlers": [], "propagate": True, "level": "WARNING"},
            "django_migration_linter": {"handlers": [], "propagate": True, "level": "WARNING"},
            "httpx": {"handlers": [], "propagate": True, "level": "WARNING"},
            "httpcore": {"handlers": [], "propagate": True, "level": "WARNING"},
        },
    }


class RequestLogMiddleware:
    """Gives each request an id, answers with it, and writes one line when it is done. An id that the caller sent is in that line
    alone: what the action log keeps is ours, so that nobody can make one action look like part of another's request."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.log = logging.getLogger("revops.request")

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        request_id = uuid.uuid4().hex
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        request.META["REVOPS_REQUEST_ID"] = request_id
        started = time.perf_counter()
        response = self.get_response(request)
        response["X-Request-Id"] = request_id
        if request.path not in {"/readyz", "/metrics"} or response.status_code >= 400:
            duration_ms = round((time.perf_counter() - started) * 1000, 1)
            path = request.path[:PATH_LENGTH_MAX]
            fields = {"method": request.method, "path": path, "status": response.status_code, "duration_ms": duration_ms}
            offered = request.headers.get("X-Request-Id", "")
            if _REQUEST_ID.fullmatch(offered):
                fields["caller_request_id"] = offered
            self.log.log(logging.WARNING if response.status_code >= 500 else logging.INFO, "request", extra=fields)
        return response
