"""A small company for tests of plans and postings: one account in four systems, people of every role, facts as the ledger gets
them. Facts enter through `ledger.record`, cases through detection; nothing is planted behind their backs."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from typing import Any

from django.db import transaction

from revops.accounts.models import Account, AccountLink
from revops.cases.models import ExceptionCase
from revops.detection.run import detect_due
from revops.identity.models import Method, StepUp
from revops.identity.step_up import record_step_up
from revops.ledger.facts import Fact, Value
from revops.ledger.freshness import read_through
from revops.ledger.models import SourceSystem
from revops.ledger.record import DeliveredFact, record
from revops.money import Money
from revops.people.actors import System
from revops.people.models import RoleGrant, User
from revops.postings.draft import compose_plan
from revops.postings.models import ChangePlan
from sync import connections
from sync.models import Connection
from tests.pointing import pointing

CRM_ID = "0015e00000AbCd1AAF"
CUSTOMER = "50"
INVOICE = "700"
BILLED = "in_700"
RENEWAL = "1P01RENEWAL"
MEMO = {"memo": "Discount missed"}

_versions = itertools.count(1)


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def today() -> dt.date:
    return now().date()


def days_ago(days: int) -> dt.datetime:
    return now() - dt.timedelta(days=days)


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


def eur(amount: str) -> Money:
    return Money(Decimal(amount), "EUR")


def fact(object_type: str, key: str, to: dict[str, str] | None = None, *, deleted: bool = False, **fields: Value) -> Fact:
    """A fact of three days ago; each one has a newer version than the one before."""
    return Fact(object_type, key, f"{next(_versions):012d}", days_ago(3), fields, pointing(object_type, to), deleted)


def say(system: str, *facts: Fact) -> None:
    with transaction.atomic():
        record(system, [DeliveredFact(each) for each in facts], now=now())


def detect() -> None:
    """Let detection look at every account that is due. Every system was read up to now."""
    for slug in SourceSystem.objects.values_list("slug", flat=True):
        read_through(slug, ("contract", "invoice"), now())
    while detect_due(limit=50, now=now()):
        pass


# --- systems ---------------------------------------------------------------------------------------------------------


ERP_GIVEN = {
    "client_id": "demo-client-id",
    "certificate_id": "demo-certificate",
    "private_key": "none",
    "webhook_secret": "unused",
    "currency_ids": "USD=1, EUR=2, JPY=3",
    "credit_item_id": "9001",
    "legal_entities": "1=US",
    "crm_connection": "salesforce",
    "billing_connection": "stripe",
}


def systems(netsuite_url: str = "http://127.0.0.1:1099", private_key: str = "none") -> None:
    """A CRM, billing and customer success that only speak; an ERP connection that also takes postings."""
    for slug, role in (("salesforce", "crm"), ("stripe", "billing"), ("gainsight", "customer_success")):
        SourceSystem.objects.get_or_create(slug=slug, defaults={"label": slug.title(), "role": role, "vendor": slug})
    connections.connect(
        slug="netsuite",
        vendor="netsuite",
        base_url=netsuite_url,
        values=ERP_GIVEN | {"private_key": private_key},
        started=True,
        acting_user=System("tests"),
    )


def erp() -> Connection:
    return Connection.objects.get(pk="netsuite")


# --- facts -----------------------------------------------------------------------------------------------------------


def period(day: dt.date | None = None, **flags: bool) -> Fact:
    """The month of `day`, open unless said otherwise."""
    start = (day or today()).replace(day=1)
    end = (start + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
    locks: dict[str, Any] = {"ar_locked": False, "all_locked": False, "closed": False, **flags}
    return fact("accounting_period", f"{start:%Y%m}", name=f"{start:%b %Y}", start_on=start, end_on=end, **locks)


def billed(total: Money, **fields: Value) -> Fact:
    more: dict[str, Any] = {"status": "open", "finalized_at": days_ago(5), "credited": Money.zero(total.currency), **fields}
    return fact("invoice", BILLED, {"customer": "stripe:cus_1"}, number="A-1", total=total, **more)


def entered(total: Money, key: str = INVOICE, of: str = BILLED, **fields: Value) -> Fact:
    more: dict[str, Any] = {
        "status": "open", "amount_remaining": total, "credited": Money.zero(total.currency),
        "issued_on": today() - dt.timedelta(days=40), **fields,
    }  # fmt: skip
    to = {"customer": f"netsuite:{CUSTOMER}", "copy_of": f"stripe:{of}"}
    return fact("invoice", key, to, number=f"INV-{key}", total=total, **more)


def rate(currency: str, value: str) -> Fact:
    return fact(
        "exchange_rate", f"{currency}-USD", currency=currency, base_currency="USD", rate=Decimal(value), kind="current",
        on=today() - dt.timedelta(days=20),
    )  # fmt: skip


def customers() -> Account:
    """The account and its customer in every system."""
    say("salesforce", fact("customer", CRM_ID, name="Halden", currency="USD"))
    for system, key in (("stripe", "cus_1"), ("netsuite", CUSTOMER), ("gainsight", "1P02")):
        say(system, fact("customer", key, same_as(CRM_ID), name="Halden"))
    return account_of(CRM_ID)


def same_as(crm_id: str, system: str = "salesforce") -> dict[str, str]:
    """The reference of a customer that is this customer of the CRM."""
    return {"same_as": f"{system}:{crm_id}"}


def account_of(customer_id: str, system: str = "salesforce") -> Account:
    """The account that this customer is linked to."""
    return AccountLink.objects.exclude(basis="refused").get(system=system, customer_id=customer_id).account


def entity(code: str = "US", currency: str = "USD") -> Fact:
    """A legal entity, as the system that keeps its books states it."""
    return fact("legal_entity", f"entity-{code}", code=code, name=f"Meridian {code}", currency=currency)


def mismatch(erp_total: Money, billing_total: Money) -> tuple[Account, ExceptionCase]:
    """An account whose ERP invoice is not what billing issued, with the case that detection opened."""
    account = customers()
    say("stripe", billed(billing_total))
    say("netsuite", entity(), period(), period(today() - dt.timedelta(days=31)), entered(erp_total))
    detect()
    return account, ExceptionCase.objects.get(rule="invoice_amount_mismatch", account=account)


# --- people ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def person(name: str, *roles: str) -> User:
    user = User.objects.create(username=f"{name}@example.com", email=f"{name}@example.com")
    for role in roles:
        RoleGrant.objects.create(user=user, role=role)
    return user


@transaction.atomic
def gone(user: User) -> User:
    """The person has left: not by the action, which also takes roles and asks who may be spared."""
    user.is_active = False
    user.save()
    return user


def proof(user: User | System) -> StepUp:
    """A fresh proof that the person is there, as a code of an authenticator app is recorded; for the system, somebody's else."""
    who = user if isinstance(user, User) else person(f"somebody-{next(_versions)}")
    return record_step_up(who, Method.TOTP)


def account_on(case: ExceptionCase) -> Account:
    """The account that the case is about."""
    assert case.account is not None
    return case.account


def credit_inputs(amount: str = "120.00", **over: object) -> dict[str, object]:
    return {"invoice_id": INVOICE, "amount": amount, "on": today().isoformat(), **MEMO, **over}


def credit_plan(maker: User, case: ExceptionCase, amount: str = "120.00", **over: object) -> ChangePlan:
    """A draft of a credit memo on the case's invoice."""
    return compose_plan(
        kind="credit_memo", case=case, account=account_on(case), inputs=credit_inputs(amount, **over),
        reason="A discount was missed", acting_user=maker,
    )  # fmt: skip


def allow_posting(slug: str = "netsuite", by: User | None = None) -> None:
    """Two people switch posting on."""
    one = by or person(f"one-{next(_versions)}", "admin")
    other = person(f"other-{next(_versions)}", "controller")
    proposed = connections.propose_posting(slug, reason="Settled", step_up=proof(one), acting_user=one)
    connections.confirm_posting(proposed.pk, step_up=proof(other), acting_user=other)


def fresh(plan: ChangePlan) -> ChangePlan:
    return ChangePlan.objects.get(pk=plan.pk)
