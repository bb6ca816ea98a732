"""The queue page with 100,000 cases, beside the bare keyset query of its 50 rows."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.test import Client, override_settings
from django.utils import timezone

from bench.figure import Figure, p50_p95
from revops.access.grants import grant_role
from revops.accounts.models import Account
from revops.cases.actions import assign_case
from revops.cases.models import CaseStatus, ExceptionCase
from revops.history import write_history
from revops.people.actors import System
from revops.people.models import LegalEntity, User
from revops.postgresql.roles import as_owner
from revops.sentences import Sentence

CASES = 100_000
ACCOUNTS = 2_000
REQUESTS = 60
RULES = (
    "invoice_amount_mismatch", "invoice_not_posted", "renewal_before_amendment", "invoice_before_contract",
    "close_on_stale_subscription",
)  # fmt: skip


def run(scale: float = 1.0) -> Iterator[Figure]:
    """p50 and p95 of the first page, of the first page right after somebody acted, and of a page deep in the list, through URL,
    view, SQL and template in this process."""
    _fill(round(CASES * scale))
    user, _ = User.objects.get_or_create(username="bench@rehearsal.example")
    grant_role(user, "finance_analyst", acting_user=System("bench"))
    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # nothing was collected here
    with override_settings(STORAGES=settings.STORAGES | {"staticfiles": plain}):
        yield from _measure(client, user, max(round(REQUESTS * scale), 5))


def _measure(client: Client, user: User, requests: int) -> Iterator[Figure]:
    bare = p50_p95([_bare(None) for _ in range(REQUESTS)])
    first = _samples(client, "/queue/", requests)
    acted = _samples(client, "/queue/", requests, before=lambda: _act(user))
    deep = _samples(client, _deep_cursor(client), requests)
    against = f"bare keyset SQL of 50 rows: p50 {bare[0]:.2f} ms, p95 {bare[1]:.2f} ms"
    yield Figure("queue_page_p50", first[0], "ms", against, first[0] / bare[0])
    yield Figure("queue_page_p95", first[1], "ms", against, first[1] / bare[1])
    yield Figure("queue_page_after_action_p95", acted[1], "ms", f"first page p95 {first[1]:.1f} ms", acted[1] / first[1])
    yield Figure("queue_page_deep_p95", deep[1], "ms", f"first page p95 {first[1]:.1f} ms", deep[1] / first[1])


def _samples(client: Client, address: str, requests: int, before: Callable[[], object] = lambda: None) -> tuple[float, float]:
    for _ in range(3):
        client.get(address)
    times = []
    for _ in range(requests):
        before()
        start = perf_counter()
        response = client.get(address)
        times.append((perf_counter() - start) * 1000)
        assert response.status_code == 200, f"{address} answered {response.status_code}"
    return p50_p95(times)


def _act(user: User) -> None:
    """Somebody takes the next case that nobody has: every count of the page is another one now."""
    case = ExceptionCase.objects.filter(status=CaseStatus.OPEN, owner=None).latest("pk")
    assign_case(case, owner=user, row_version=case.row_version, acting_user=user)


def _deep_cursor(client: Client) -> str:
    """The address of a page some 40 pages in, by following the page's own links."""
    address = "/queue/"
    for _ in range(40):
        html = client.get(address).content.decode()
        marker = html.find("after=")
        if marker < 0:
            break
        start = html.rfind('"', 0, marker) + 1
        address = html[start : html.find('"', marker)].replace("&amp;", "&")
        address = address if address.startswith("/") else f"/queue/{address}"
    return address


def _bare(_: object) -> float:
    start = perf_counter()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.*, a.name FROM cases_exceptioncase c JOIN accounts_account a ON a.id = c.account_id "
            "WHERE c.status = 'open' ORDER BY c.due_at, c.id LIMIT 50"
        )
        cursor.fetchall()
    return (perf_counter() - start) * 1000


def _fill(cases: int) -> None:
    if ExceptionCase.objects.count() >= cases:
        return
    chance, now = random.Random(5), timezone.now()
    entity, _ = LegalEntity.objects.get_or_create(code="US", defaults={"name": "Meridian Inc", "base_currency": "USD"})
    accounts = [Account(name=f"Customer {number:05}", currency="USD", legal_entity=entity) for number in range(ACCOUNTS)]
    _store(Account, accounts)
    rows = []
    for number in range(cases):
        status = chance.choice((CaseStatus.OPEN, CaseStatus.OPEN, CaseStatus.CLOSED, CaseStatus.SNOOZED, CaseStatus.CLOSED))
        opened = now - dt.timedelta(minutes=chance.randrange(60 * 24 * 90))
        rows.append(
            ExceptionCase(
                rule=chance.choice(RULES),
                fingerprint=f"{number:064}",
                account=chance.choice(accounts),
                legal_entity_code="US",
                title="Invoice amount differs between billing and ERP",
                sentence=Sentence("bench.found"),
                severity=chance.randint(1, 4),
                status=status,
                team=chance.choice(("finance", "customer_success")),
                systems=["netsuite", "stripe"],
                amount_minor=chance.randrange(10_000_000),
                currency="USD",
                evidence={"differences": [], "records": [], "inputs": {}},
                facts_digest="0" * 64,
                due_at=opened + dt.timedelta(days=1),
                opened_at=opened,
                refreshed_at=opened,
                closed_at=opened if status == CaseStatus.CLOSED else None,
                snoozed_until=now + dt.timedelta(days=2) if status == CaseStatus.SNOOZED else None,
            )
        )
    _store(ExceptionCase, rows)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _store(model: type[Account] | type[ExceptionCase], rows: list[Any], batch: int = 2000) -> None:
    """Many governed rows with their history, a batch in a transaction."""
    for start in range(0, len(rows), batch):
        with transaction.atomic():
            made = model._default_manager.bulk_create(rows[start : start + batch])
            write_history(model, [row.pk for row in made], kind="+")
