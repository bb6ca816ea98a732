"""Accounts checked per second, beside the bare read of the same records."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal

from django.db import connection, transaction
from django.utils import timezone

from bench.figure import Figure, seconds
from revops.accounts.models import Account
from revops.detection.run import detect_due
from revops.ledger.due import mark_due
from revops.ledger.facts import Fact
from revops.ledger.models import SourceSystem
from revops.ledger.record import DeliveredFact, record
from revops.money import Money
from revops.postgresql.roles import as_owner
from revops.reference import NO_REFS, Ref, Refs, refs

ACCOUNTS = 300
INVOICES = 12


def run(scale: float = 1.0) -> Iterator[Figure]:
    """300 accounts with 12 invoices in billing and in the ERP each; one in ten has an exception that is already open."""
    _fill(round(ACCOUNTS * scale))
    now = timezone.now()
    ids = list(Account.objects.filter(name__startswith="Bench ").values_list("pk", flat=True))
    for _ in range(2):  # the first run opens the cases, the second is the daily one
        with transaction.atomic():
            mark_due(ids, now=now)
        checked = 0

        def detect() -> None:
            nonlocal checked
            while taken := detect_due(limit=50, now=now):
                checked += taken

        took = seconds(detect)
    bare = seconds(lambda: _bare(ids))
    rate, limit = checked / took, len(ids) / bare
    yield Figure("detection", rate, "accounts/s", f"bare read of the records: {limit:.0f} accounts/s", rate / limit)


def _bare(ids: list[int]) -> None:
    for account_id in ids:
        with connection.cursor() as cursor:
            cursor.execute("SELECT fields::text, refs::text FROM ledger_sourcerecord WHERE account_id = %s", [account_id])
            for fields, refs in cursor.fetchall():
                json.loads(fields)
                json.loads(refs)


def _fill(accounts: int) -> None:
    if Account.objects.filter(name__startswith="Bench ").exists():
        return
    for slug in ("crm", "billing", "erp"):
        SourceSystem.objects.create(slug=f"bench-{slug}", label=slug, role=slug, vendor="bench")
    at = timezone.now() - dt.timedelta(days=9)
    for number in range(accounts):
        crm = f"001bench{number:07}AAA"
        facts: dict[str, list[Fact]] = {"crm": [_fact("customer", crm, at, NO_REFS, name=f"Bench {number:04}", currency="USD")]}
        for slug in ("billing", "erp"):
            same = refs(same_as=Ref("bench-crm", "customer", crm))
            facts[slug] = [_fact("customer", f"{slug}-{number}", at, same, name=f"Bench {number:04}")]
        for line in range(INVOICES):
            amount = Money(Decimal(1000 + line), "USD")
            key = f"in_{number}_{line}"
            common = {"number": key, "status": "open", "total": amount, "credited": Money.zero("USD"), "finalized_at": at}
            facts["billing"].append(
                _fact("invoice", key, at, refs(customer=Ref("bench-billing", "customer", f"billing-{number}")), **common)
            )
            wrong = Money(Decimal(1), "USD") if number % 10 == 0 and line == 0 else Money.zero("USD")
            copy = refs(customer=Ref("bench-erp", "customer", f"erp-{number}"), copy_of=Ref("bench-billing", "invoice", key))
            facts["erp"].append(_fact("invoice", f"e{key}", at, copy, **(common | {"total": amount + wrong})))
        with transaction.atomic():
            for slug, said in facts.items():
                record(f"bench-{slug}", [DeliveredFact(fact) for fact in said], now=at)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _fact(kind: str, key: str, at: dt.datetime, pointing: Refs, **fields: object) -> Fact:
    return Fact(kind, key, at.isoformat(), at, fields, pointing)  # type: ignore[arg-type]
