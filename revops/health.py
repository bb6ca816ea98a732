"""`/readyz` (may take traffic) and `/metrics` (for Prometheus, from this machine or with a token). `/healthz` (alive, no I/O) is
answered before Django is asked (`revops.serving`)."""

from __future__ import annotations

import datetime as dt
import ipaddress
import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import psycopg
import redis
from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from revops.checks import account_problem
from revops.client_address import client_address
from revops.quick_connection import connect
from revops.sealed_rows import warnings as of_sealed_rows
from revops.telemetry.figures import Figure, business_figures, inflow_figures, work_figures
from revops.telemetry.work_state import Trouble, read_work_state, troubles_in

PROBE_SECONDS = 2
FIGURES_SECONDS = 5
"""How long one statement of the figures may take."""
ACCOUNT_SECONDS = 60

_WRITES_TO_DISK = "SET work_mem = '64kB'; SELECT count(*) FROM generate_series(1, 20000)"
"""Makes the database write half a megabyte to a temporary file, which leaves nothing behind: on a full disk that fails as keeping
a delivery would, while small changes to pages that are there already may still go through."""

Value = TypeVar("Value")
_log = logging.getLogger("revops.health")
_migrated = False
_modest_until = 0.0
_looking = threading.Lock()
_readiness: tuple[float, bool, dict[str, object]] = (-1.0, False, {})
"""When the last look began, and what it found."""


class HealthMiddleware:
    """Answers the two addresses before hosts, sessions and sign-in are looked at: a probe asks by any name, and alone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer a probe, or hand the request on."""
        view = VIEWS.get(request.path)
        return self.get_response(request) if view is None else view(request)


@require_safe
def readyz(_request: HttpRequest) -> HttpResponse:
    """503 only when this process can neither show a page nor keep a delivery: the database does not take writes, lacks
    migrations, or is used under an account that could take its guards off. Everything else is named under `warnings` and leaves
    the answer at 200, because taking this process out of service would make it worse: without Redis work starts a few seconds
    later, and a silent worker is not the web's fault.

    Anybody may ask, so only one is looked for at a time: who came before a look began is told what it found."""
    global _readiness  # noqa: PLW0603
    came = time.monotonic()
    with _looking:
        if _readiness[0] < came:
            _readiness = time.monotonic(), *_readiness_now()
        _, ready, answer = _readiness
    return JsonResponse(answer, status=200 if ready else 503)


def _readiness_now() -> tuple[bool, dict[str, object]]:
    parts = {"database": _database()}
    if parts["database"] == "ok":
        parts["migrations"] = _guarded(_migrations)
        parts["account"] = _guarded(_account)
    ready = all(state == "ok" for state in parts.values())
    parts["redis"] = _redis()
    troubles = _troubles() if ready else []
    warnings = [trouble.sentence for trouble in troubles]
    if ready:
        warnings += _sealed()
    if parts["redis"] != "ok":
        warnings.insert(0, "Redis does not answer: work starts only when the sweeper can ring again.")
    silent = [trouble.worker for trouble in troubles if trouble.worker]
    return ready, {"ready": ready, **parts, "silent": silent, "warnings": warnings}


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text. From elsewhere than this machine it needs `Authorization: Bearer <REVOPS_METRICS_TOKEN>`."""
    if not _may_read_metrics(request):
        return HttpResponseNotFound()
    return HttpResponse(generate_latest(REGISTRY) + figures_text(), content_type=CONTENT_TYPE_LATEST)


def _may_read_metrics(request: HttpRequest) -> bool:
    offered = request.headers.get("Authorization", "")
    expected = settings.REVOPS_METRICS_TOKEN
    if expected and secrets.compare_digest(offered.encode(), f"Bearer {expected}".encode()):
        return True
    # Behind a proxy on this machine every caller looks local, so only a direct call counts.
    if "X-Forwarded-For" in request.headers or "Forwarded" in request.headers:
        return False
    try:
        request.get_host()  # a browser on this machine can be made to ask under a name of somebody else's
        return ipaddress.ip_address(client_address(request)).is_loopback
    except (DisallowedHost, ValueError):
        return False


def _database() -> str:
    """Asked on a connection of its own with deadlines of its own: a server that is frozen must not freeze the probes too."""
    try:
        with connect("revops probe") as probe:
            row = probe.execute("SELECT pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean").fetchone()
            probe.execute(_WRITES_TO_DISK)
    except psycopg.errors.DiskFull:
        return "the disk of the database is full: nothing can be kept until there is space"
    except psycopg.Error:
        return "the database does not answer"
    return "the database takes no writes" if row is None or row[0] else "ok"


def _redis() -> str:
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=1) as client:
            client.ping()
    except redis.RedisError:
        return "Redis does not answer"
    return "ok"


def _migrations() -> str:
    """Asked until it is true once: a running process cannot lose its migrations, and the question costs tens of milliseconds."""
    global _migrated  # noqa: PLW0603
    if not _migrated:
        executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if missing:
            return f"{len(missing)} migrations are missing: run `manage.py migrate`"
        _migrated = True
    return "ok"


def _account() -> str:
    """Whether the database account is the application's, asked once a minute at most."""
    global _modest_until  # noqa: PLW0603
    if time.monotonic() < _modest_until:
        return "ok"
    problem = account_problem()
    if not problem:
        _modest_until = time.monotonic() + ACCOUNT_SECONDS
    return problem or "ok"


def _guarded(check: Callable[[], str]) -> str:
    try:
        return check()
    except DatabaseError:
        return "the database does not answer"


def _sealed() -> list[str]:
    try:
        return of_sealed_rows()
    except DatabaseError:
        return ["Whether all secrets can be opened could not be read in time."]


def _troubles() -> list[Trouble]:
    try:
        return troubles_in(read_work_state())
    except DatabaseError:
        return [Trouble("unread", "Whether work moves could not be read in time.")]


# --- figures ------------------------------------------------------------------------------------------------------------

_PARTS: dict[str, Callable[[], list[Figure]]] = {
    "work": lambda: work_figures(read_work_state()),
    "inflow": inflow_figures,
    "business": lambda: business_figures(dt.datetime.now(dt.UTC)),
}


def figures_text() -> bytes:
    """Every figure of the tables. A part that cannot be read in time is left out and says so in `revops_figures_read`."""
    registry = CollectorRegistry()
    there = _database() == "ok"
    read = {name: _read(part) if there else None for name, part in _PARTS.items()}
    told = Figure(
        "revops_figures_read", "1 when this part of the figures could be read.", "gauge", ("part",),
        [((name,), int(found is not None)) for name, found in read.items()],
    )  # fmt: skip
    registry.register(_Exporter([told, *(figure for found in read.values() for figure in found or ())]))
    return generate_latest(registry)


def _read(part: Callable[[], list[Figure]]) -> list[Figure] | None:
    try:
        with transaction.atomic():
            with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
                cursor.execute("SELECT set_config('statement_timeout', %s, true)", [f"{FIGURES_SECONDS}s"])
            return part()
    except DatabaseError as error:
        _log.warning("a part of the figures could not be read", extra={"error": type(error).__name__})
        return None


class _Exporter(Collector):
    """Hands figures to Prometheus's own writer."""

    def __init__(self, figures: Sequence[Figure]) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        for figure in self._figures:
            family = CounterMetricFamily if figure.kind == "counter" else GaugeMetricFamily
            metric = family(figure.name, figure.help, labels=figure.labels)
            for labels, value in figure.samples:
                metric.add_metric(labels, value)
            yield metric


VIEWS: dict[str, Callable[[HttpRequest], HttpResponse]] = {"/readyz": readyz, "/metrics": metrics}
