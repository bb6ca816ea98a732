"""Rows for tests of pages and lists, where the way they came about does not matter. Tests of behaviour use `revops.world`."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

import factory
from django.db import connection
from django.utils import timezone

from revops.accounts.models import Account
from revops.cases.models import CaseStatus, ExceptionCase, Severity, Team
from revops.people.models import LegalEntity, RoleGrant, User
from sync.models import Delivery, DeliveryState

PASSWORD = "a-long-password-9"
RULES = (
    "close_on_stale_subscription",
    "invoice_amount_mismatch",
    "invoice_before_contract",
    "invoice_not_posted",
    "renewal_before_amendment",
)
SYSTEMS = (["stripe", "netsuite"], ["gainsight", "stripe"], ["netsuite", "salesforce"])


class LegalEntityFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = LegalEntity
        django_get_or_create = ("code",)

    code = "US"
    name = "Meridian Inc"
    base_currency = "USD"


class AccountFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Account

    name = factory.Sequence(lambda n: f"Account {n:05d}")
    crm_account = factory.Sequence(lambda n: f"001{n:015d}")
    currency = "USD"


class CaseFactory(factory.django.DjangoModelFactory):
    """A case whose columns vary with its number, so that every facet has several values."""

    class Meta:
        model = ExceptionCase

    rule = factory.Sequence(lambda n: RULES[n % 5])
    fingerprint = factory.Sequence(lambda n: f"{n:064d}")
    account = factory.SubFactory(AccountFactory)
    legal_entity_code = factory.Sequence(lambda n: ("US", "DE", "JP")[n % 3])
    title = "Invoice amount differs between billing and ERP"
    sentence = "The ERP is 120.00 USD above billing."
    severity = factory.Sequence(lambda n: Severity.values[n % 3])
    status = CaseStatus.OPEN
    team = factory.Sequence(lambda n: Team.values[n % 2])
    systems = factory.Sequence(lambda n: SYSTEMS[n % 3])
    amount_minor = factory.Sequence(lambda n: 1000 + n)
    currency = factory.Sequence(lambda n: ("USD", "EUR", "JPY")[n % 3])
    facts_digest = "0" * 64
    due_at = factory.Sequence(lambda n: timezone.now() + dt.timedelta(minutes=37 * (n % 97) - 600))
    opened_at = factory.Sequence(lambda n: timezone.now() - dt.timedelta(hours=7 * (n % 40)))
    refreshed_at = factory.LazyFunction(timezone.now)


def many_cases(count: int, accounts: int = 50) -> None:
    """Many open cases in one statement, as varied as `CaseFactory` makes them: for paging and speed."""
    rows = Account.objects.bulk_create(AccountFactory.build_batch(accounts))
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO cases_exceptioncase (rule, fingerprint, account_id, legal_entity_code, title, sentence, severity, status,
                team, routing_reason, systems, amount_minor, currency, evidence, facts_digest, due_at, opened_at, refreshed_at,
                close_reason, close_evidence, reopened_count, row_version, trace_id)
            SELECT (%s::text[])[1 + n %% 5], 'many-' || lpad(n::text, 59, '0'), %s + n %% %s,
                (ARRAY['US', 'DE', 'JP'])[1 + n %% 3],
                'Invoice amount differs between billing and ERP', 'The ERP is above billing.', 1 + n %% 3, 'open',
                (ARRAY['finance', 'customer_success'])[1 + n %% 2], '',
                CASE n %% 3 WHEN 0 THEN ARRAY['stripe', 'netsuite'] WHEN 1 THEN ARRAY['gainsight', 'stripe']
                    ELSE ARRAY['netsuite', 'salesforce'] END,
                1000 + n, (ARRAY['USD', 'EUR', 'JPY'])[1 + n %% 3], '{}', repeat('0', 64),
                now() + make_interval(mins => 37 * (n %% 97) - 600), now() - make_interval(hours => 7 * (n %% 40)), now(),
                '', '{}', 0, 1, ''
            FROM generate_series(1, %s) n
            """,
            [list(RULES), rows[0].pk, accounts, count],
        )


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
