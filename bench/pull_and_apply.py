"""Rows pulled from a vendor and applied to the ledger per second, beside COPY of the same payloads into a bare table."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from django.db import connection, transaction
from django.utils import timezone

from bench.figure import Figure, seconds
from revops.ledger.facts import Fact
from revops.ledger.models import DueAccount, SourceRecord, SourceSystem
from revops.ledger.record import Statement, record
from revops.people.actors import System
from sync import apply, payload, poll
from sync.connections import connect
from sync.models import Delivery
from sync.simulators import stripe
from sync.simulators._http import Simulator

INVOICES = 5_000
CUSTOMERS = 100


def run() -> Iterator[Figure]:
    """5,000 invoices of 100 customers listed by the Stripe simulator (in this process, sharing the processor), stored,
    translated, applied, and their accounts marked due. The accounts are there already."""
    with tempfile.TemporaryDirectory() as folder, Simulator(stripe.Vendor, data=Path(folder)) as simulator:
        _load(simulator.url)
        _make_accounts()
        connect(
            slug="bench-stripe", vendor="stripe", base_url=simulator.url, values=_settings(), acting_user=System("bench"),
            loopback_allowed=True,
        )  # fmt: skip
        pulled = seconds(lambda: [poll.pull_now("bench-stripe", stream) for stream in poll.streams_of("bench-stripe")])
        applied = seconds(lambda: apply.process_all(timezone.now()))
    rows = Delivery.objects.filter(connection="bench-stripe", object_type="invoice").count()
    kept = SourceRecord.objects.filter(system="bench-stripe", object_type="invoice", account__isnull=False).count()
    assert rows == kept == INVOICES, f"{rows} deliveries, {kept} records of an account"
    assert DueAccount.objects.count() == CUSTOMERS, "every account is due"
    copied = seconds(_copy)
    limit = INVOICES / copied
    against = f"COPY of the same payloads: {limit:.0f} rows/s"
    total = INVOICES / (pulled + applied)
    yield Figure("pull_and_apply", total, "rows/s", against, total / limit)
    yield Figure("apply_alone", INVOICES / applied, "rows/s", against, INVOICES / applied / limit)


def _crm_id(number: int) -> str:
    return payload.salesforce_id(f"001BENCH{number:07}", "bench")


def _make_accounts() -> None:
    SourceSystem.objects.create(slug="bench-crm", label="CRM", role="crm", vendor="bench")
    at = timezone.now()
    facts = [Fact("customer", _crm_id(number), "1", at, {"name": f"Customer {number}"}) for number in range(CUSTOMERS)]
    with transaction.atomic():
        record("bench-crm", [Statement(fact) for fact in facts], now=at)
    DueAccount.objects.all().delete()


def _settings() -> dict[str, str]:
    from sync.connectors import CONNECTORS

    known = {"api_key": "sk_test_rehearsal", "webhook_secret": "whsec_rehearsal"}
    return {setting.name: known[setting.name] for setting in CONNECTORS["stripe"].settings if setting.name in known}


def _load(url: str) -> None:
    lines = []
    created = int((dt.datetime.now(dt.UTC) - dt.timedelta(days=60)).timestamp())
    for number in range(CUSTOMERS):
        customer = {
            "id": f"cus_bench{number}", "object": "customer", "created": created, "name": f"Customer {number}", "balance": 0,
            "currency": "usd", "livemode": False, "metadata": {"salesforce_account_id": _crm_id(number)},
        }  # fmt: skip
        lines.append({"collection": "customers", "object": customer})
    for number in range(INVOICES):
        lines.append(
            {
                "collection": "invoices",
                "object": {
                    "id": f"in_bench{number:06}", "object": "invoice", "created": created + number,
                    "customer": f"cus_bench{number % CUSTOMERS}", "currency": "usd", "status": "open",
                    "number": f"B-{number:06}", "total": 1000 + number, "subtotal": 1000 + number,
                    "amount_due": 1000 + number, "amount_paid": 0, "amount_remaining": 1000 + number,
                    "billing_reason": "subscription_cycle", "pre_payment_credit_notes_amount": 0,
                    "post_payment_credit_notes_amount": 0, "livemode": False, "due_date": created + 30 * 86400,
                    "status_transitions": {"finalized_at": created + number}, "metadata": {}, "parent": None,
                    "lines": {"object": "list", "data": [], "has_more": False, "url": f"/v1/invoices/in_bench{number:06}/lines"},
                },
            }
        )  # fmt: skip
    body = "\n".join(json.dumps(line) for line in lines).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{url}/_sim/load", data=body, method="POST"), timeout=120) as answer:
        assert answer.status == 200, answer.status


def _copy() -> None:
    bodies = [bytes(body) for body in Delivery.objects.filter(connection="bench-stripe").values_list("body", flat=True)]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS bench_copy")
        cursor.execute("CREATE TABLE bench_copy (id bigserial PRIMARY KEY, payload jsonb NOT NULL)")
        with cursor.copy("COPY bench_copy (payload) FROM STDIN") as copy:
            for body in bodies:
                copy.write_row([body.decode()])
