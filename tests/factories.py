"""Rows for tests of pages and lists, where the way they came about does not matter. Tests of behaviour use `revops.world`."""

from __future__ import annotations

import datetime as dt
import hashlib
import itertools
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from revops.accounts.models import Account
from revops.cases.models import ExceptionCase, Severity, Team
from revops.history import write_history
from revops.people.models import RoleGrant, User
from revops.sentences import Sentence
from sync.models import Delivery, DeliveryState
from tests import guards

PASSWORD = "a-long-password-9"
RULES = (
    "close_on_stale_subscription",
    "invoice_amount_mismatch",
    "invoice_before_contract",
    "invoice_not_posted",
    "renewal_before_amendment",
)
SYSTEMS = (["stripe", "netsuite"], ["gainsight", "stripe"], ["netsuite", "salesforce"])


_numbers = itertools.count()


@transaction.atomic
def an_account(**fields: Any) -> Account:
    """One account, each with its own name."""
    n = next(_numbers)
    return Account.objects.create(**{"name": f"Account {n:05d}", "currency": "USD", **fields})


@transaction.atomic
def a_case(**fields: Any) -> ExceptionCase:
    """One case. Its columns vary with its number, so that every facet has several values."""
    n, now = next(_numbers), timezone.now()
    values: dict[str, Any] = {
        "rule": RULES[n % 5],
        "fingerprint": f"{n:064d}",
        "legal_entity_code": ("US", "DE", "JP")[n % 3],
        "title": "Invoice amount differs between billing and ERP",
        "sentence": Sentence("test.found"),
        "severity": Severity.values[n % 3],
        "team": Team.values[n % 2],
        "systems": SYSTEMS[n % 3],
        "amount_minor": 1000 + n,
        "currency": ("USD", "EUR", "JPY")[n % 3],
        "facts_digest": "0" * 64,
        "due_at": now + dt.timedelta(minutes=37 * (n % 97) - 600),
        "opened_at": now - dt.timedelta(hours=7 * (n % 40)),
        "refreshed_at": now,
    }
    if "account" not in fields:
        values["account"] = an_account()
    return ExceptionCase.objects.create(**{**values, **fields})


def some_cases(count: int, **fields: Any) -> list[ExceptionCase]:
    """Several cases, each different from the one before."""
    return [a_case(**fields) for _ in range(count)]


@transaction.atomic
def many_cases(count: int, accounts: int = 50) -> None:
    """Many open cases in one statement, as varied as `a_case` makes them: for paging and speed, so without history."""
    names = [f"Account {n:05d}" for n in (next(_numbers) for _ in range(accounts))]
    rows = Account.objects.bulk_create([Account(name=name, currency="USD") for name in names])
    write_history(Account, [row.pk for row in rows], kind="+")
    with guards.down(), connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO cases_exceptioncase (rule, fingerprint, account_id, legal_entity_code, title, sentence, severity, status,
                team, routing_reason, systems, amount_minor, currency, evidence, facts_digest, policy_version, due_at, opened_at,
                refreshed_at, close_reason, close_evidence, reopened_count, row_version, trace_id)
            SELECT (%s::text[])[1 + n %% 5], 'many-' || lpad(n::text, 59, '0'), %s + n %% %s,
                (ARRAY['US', 'DE', 'JP'])[1 + n %% 3],
                'Invoice amount differs between billing and ERP', '{"code": "test.found", "params": {}}', 1 + n %% 3, 'open',
                (ARRAY['finance', 'customer_success'])[1 + n %% 2], NULL,
                CASE n %% 3 WHEN 0 THEN ARRAY['stripe', 'netsuite'] WHEN 1 THEN ARRAY['gainsight', 'stripe']
                    ELSE ARRAY['netsuite', 'salesforce'] END,
                1000 + n, (ARRAY['USD', 'EUR', 'JPY'])[1 + n %% 3], '{}', repeat('0', 64), '',
                now() + make_interval(mins => 37 * (n %% 97) - 600), now() - make_interval(hours => 7 * (n %% 40)), now(),
                NULL, '{}', 0, 1, ''
            FROM generate_series(1, %s) n
            """,
            [list(RULES), rows[0].pk, accounts, count],
        )


@transaction.atomic
def person(name: str, *roles: str, **fields: Any) -> User:
    """Somebody who can sign in with `PASSWORD`."""
    user = User(username=f"{name}@example.com", email=f"{name}@example.com", **{"display_name": name.title(), **fields})
    user.set_password(PASSWORD)
    user.save()
    for role in roles:
        RoleGrant.objects.create(user=user, role=role)
    return user


def dead_letter(connection_slug: str, key: str, body: bytes, *, code: str = "misunderstood", trace: str = "") -> Delivery:
    """A delivery that could not be used."""
    return Delivery.objects.create(
        connection_id=connection_slug,
        kind="read",
        object_type="invoice",
        dedup_key=key,
        body=body,
        digest=hashlib.sha256(body).hexdigest(),
        state=DeliveryState.QUARANTINED,
        reason="The total is missing.",
        reason_code=code,
        trace_id=trace,
        done_at=timezone.now(),
    )
