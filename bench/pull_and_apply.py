"""Rows pulled from a vendor and applied to the ledger per second, beside COPY of the same payloads into a bare table."""

from __future__ import annotations

import datetime as dt
import json
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from time import perf_counter

from django.db import connection, transaction
from django.utils import timezone

from bench.figure import Figure, best, seconds
from bench.worker import workers
from revops.ledger.facts import Fact
from revops.ledger.models import DueAccount, SourceRecord, SourceSystem
from revops.ledger.record import DeliveredFact, record
from revops.people.actors import System
from revops.postgresql.roles import as_owner
from sync.applying.drain import process_all
from sync.applying.straight import straight_into_the_ledger
from sync.connections import connect
from sync.connectors.salesforce import ids
from sync.models import Delivery
from sync.pull import poll

CUSTOMERS = 100
INVOICES = 5_000
ROUNDS = 3
SECRETS = {"api_key": "sk_test_rehearsal", "webhook_secret": "whsec_rehearsal"}
DECLARED = {"crm_connection": "bench-customers", "calls_per_second": "10000"}
"""Whose account ids the customers carry; and no limit of calls, for the simulator has none."""


def run(scale: float = 1.0) -> Iterator[Figure]:
    """5,000 invoices of 100 customers listed by the Stripe simulator (a process of its own), stored, translated, applied, and
    their accounts marked due. The accounts are there already. Each round is four connections: one is read straight into the
    ledger, as the workers do; one into the inbox and from there, as what the vendors push; two by two workers at once."""
    size = max(round(INVOICES * scale), CUSTOMERS)
    _make_accounts()
    straight, applied, copied, side_by_side = [], [], [], []
    with _simulator() as url, workers(2, "bench.pull_and_apply", "pull_straight") as two_workers:
        _load(url, size)
        for number in range(ROUNDS):
            read, pushed = (_connected(f"bench-{way}-{number}", url) for way in ("read", "pushed"))
            DueAccount.objects.all().delete()
            straight.append(seconds(partial(_pull, read, straight_into_the_ledger)))
            _check(read, size)
            DueAccount.objects.all().delete()
            _pull(pushed)
            applied.append(seconds(lambda: process_all(timezone.now())))
            _check(pushed, size)
            copied.append(_copy(read))
            DueAccount.objects.all().delete()
            pair = [_connected(f"bench-{which}-{number}", url) for which in ("left", "right")]
            side_by_side.append(two_workers.seconds(pair))
            for slug in pair:
                _check(slug, size)
    limit = size / best(copied)
    against = f"COPY of the same payloads: {limit:.0f} rows/s"
    total, alone = size / best(straight), size / best(applied)
    yield Figure("pull_and_apply", total, "rows/s", against, total / limit)
    yield Figure("apply_alone", alone, "rows/s", against, alone / limit)
    two = 2 * size / best(side_by_side)
    yield Figure("pull_and_apply_two", two, "rows/s", f"one worker: {total:.0f} rows/s", two / total)


def _connected(slug: str, url: str) -> str:
    connect(slug=slug, vendor="stripe", base_url=url, values=SECRETS | DECLARED, acting_user=System("bench"), started=True)
    return slug


def _pull(slug: str, judge_of: poll.JudgeOf | None = None) -> None:
    for stream in poll.streams_of(slug):
        poll.pull_now(slug, stream, judge_of=judge_of)


def pull_straight(slug: str) -> None:
    """What a worker does with one connection."""
    _pull(slug, straight_into_the_ledger)


def _check(slug: str, size: int) -> None:
    rows = Delivery.objects.filter(connection=slug, object_type="invoice").count()
    kept = SourceRecord.objects.filter(system=slug, object_type="invoice", account__isnull=False).count()
    assert rows == kept == size, f"{rows} deliveries, {kept} records of an account"
    assert DueAccount.objects.count() == CUSTOMERS, "every account is due"


@contextmanager
def _simulator() -> Iterator[str]:
    """The Stripe simulator's address."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "demo.simulators", "stripe", "--port", "0", "--data", folder]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                assert server.stdout is not None
                yield server.stdout.readline().split()[-1]
            finally:
                server.terminate()


def _crm_id(number: int) -> str:
    return ids.full(f"001BENCH{number:07}", "bench")


def _make_accounts() -> None:
    SourceSystem.objects.create(slug="bench-customers", label="CRM", role="crm", vendor="bench")
    at = timezone.now()
    facts = [Fact("customer", _crm_id(number), "1", at, {"name": f"Customer {number}"}) for number in range(CUSTOMERS)]
    with transaction.atomic():
        record("bench-customers", [DeliveredFact(fact) for fact in facts], now=at)


def _load(url: str, size: int) -> None:
    lines = []
    created = int((dt.datetime.now(dt.UTC) - dt.timedelta(days=60)).timestamp())
    for number in range(CUSTOMERS):
        customer = {
            "id": f"cus_bench{number}", "object": "customer", "created": created, "name": f"Customer {number}", "balance": 0,
            "currency": "usd", "livemode": False, "metadata": {"salesforce_account_id": _crm_id(number)},
        }  # fmt: skip
        lines.append({"collection": "customers", "object": customer})
    for number in range(size):
        lines.append({"collection": "invoices", "object": _invoice(number, created)})
    body = "\n".join(json.dumps(line) for line in lines).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/_sim/load", data=body, method="POST"), timeout=120) as answer:
        assert answer.status == 200, answer.status


def _invoice(number: int, created: int) -> dict[str, object]:
    return {
        "id": f"in_bench{number:06}", "object": "invoice", "created": created + number, "currency": "usd", "status": "open",
        "customer": f"cus_bench{number % CUSTOMERS}", "number": f"B-{number:06}", "total": 1000 + number,
        "subtotal": 1000 + number, "amount_due": 1000 + number, "amount_paid": 0, "amount_remaining": 1000 + number,
        "billing_reason": "subscription_cycle", "pre_payment_credit_notes_amount": 0, "post_payment_credit_notes_amount": 0,
        "livemode": False, "due_date": created + 30 * 86400, "status_transitions": {"finalized_at": created + number},
        "metadata": {}, "parent": None,
        "lines": {"object": "list", "data": [], "has_more": False, "url": f"/v1/invoices/in_bench{number:06}/lines"},
    }  # fmt: skip


def _copy(slug: str) -> float:
    """Seconds to copy the payloads into a table without anything else."""
    invoices = Delivery.objects.filter(connection=slug, object_type="invoice")
    bodies = [bytes(body).decode() for body in invoices.values_list("body", flat=True)]
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_copy")
        cursor.execute("CREATE TABLE bench_copy (id bigserial PRIMARY KEY, payload jsonb NOT NULL)")
        start = perf_counter()
        with cursor.copy("COPY bench_copy (payload) FROM STDIN") as copy:
            for body in bodies:
                copy.write_row([body])
        return perf_counter() - start
