"""Situations told in facts, with what a rule must find in them. Pure.

    example("the ERP carries more", billing(invoice("in_1", total="100.00")), erp(invoice("501", copy_of="in_1", total="120.00")),
            expect=[Expected("20.00", ("billing invoice in_1", "erp invoice 501"), due=at("2026-11-17 16:00"))])

The systems of an example are called by their roles: `crm`, `customer_success`, `billing`, `erp`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from revops.ledger.facts import Fact, Value
from revops.ledger.habits import Habits
from revops.ledger.view import AccountLedger, Entity, LedgerRecord
from revops.money import Money
from revops.reference import NO_REFS, Ref, Refs, refs

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
"""When the rules run on examples, unless one says otherwise: a Friday noon."""


def at(moment: str) -> dt.datetime:
    """A moment in UTC, written `2026-11-20 12:00`."""
    return dt.datetime.strptime(moment, "%Y-%m-%d %H:%M").replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class Stated:
    """One fact and the system that states it. `elsewhere`: it stands on another account, or on none."""

    role: str
    fact: Fact
    elsewhere: bool = False
    account: int | None = 1


@dataclass(frozen=True, slots=True)
class Expected:
    """One finding: the money at risk (major units of `currency`; None where there is none), its subjects as `<system> <object
    type> <id>` in the order of the finding, and when it is due (aware UTC). It is broken when `due` is not after the example's
    `now`, and waits otherwise."""

    amount: str | None
    subjects: tuple[str, ...]
    due: dt.datetime
    currency: str = "USD"

    @property
    def money(self) -> Money | None:
        return None if self.amount is None else Money(Decimal(self.amount), self.currency)


@dataclass(frozen=True, slots=True)
class Example:
    """What the systems state about one account `now`, and everything that a rule finds in it."""

    name: str
    stated: tuple[Stated, ...]
    now: dt.datetime
    expect: tuple[Expected, ...] = ()
    habits: Habits | None = None


def example(
    name: str, *stated: Stated, now: dt.datetime = NOW, expect: Sequence[Expected] = (), habits: Habits | None = None
) -> Example:
    """An example; without `expect`, nothing may be found. `habits`: those of the ERP."""
    return Example(name, stated, now, tuple(expect), habits)


def ledger_of(example: Example) -> AccountLedger:
    """The account ledger that an example describes: the last fact of each object, by version. The ERP keeps the books of the
    account's legal entity."""
    latest: dict[tuple[str, str, str], Stated] = {}
    for stated in example.stated:
        key = (stated.role, stated.fact.object_type, stated.fact.external_id)
        if key not in latest or latest[key].fact.version < stated.fact.version:
            latest[key] = stated
    return AccountLedger(
        account_id=1,
        currency="USD",
        legal_entity_code="US",
        entities=(Entity("US", "USD", "erp"),),
        records=tuple(_record(stated) for stated in latest.values() if not stated.elsewhere),
        elsewhere=tuple(_record(stated) for stated in latest.values() if stated.elsewhere),
        habits={"erp": example.habits} if example.habits is not None else {},
    )


def _record(stated: Stated) -> LedgerRecord:
    fact = stated.fact
    return LedgerRecord(
        system=stated.role,
        role=stated.role,
        object_type=fact.object_type,
        external_id=fact.external_id,
        fields=fact.fields,
        refs=fact.refs,
        effective_at=fact.effective_at,
        recorded_at=fact.effective_at,
        version=fact.version,
        deleted=fact.deleted,
        account_id=stated.account,
    )


# --- who states it ------------------------------------------------------------------------------------------------------


def crm(fact: Fact) -> Stated:
    return Stated("crm", fact)


def customer_success(fact: Fact) -> Stated:
    return Stated("customer_success", fact)


def billing(fact: Fact) -> Stated:
    return Stated("billing", fact)


def erp(fact: Fact) -> Stated:
    return Stated("erp", fact)


def elsewhere(stated: Stated, account: int | None = None) -> Stated:
    """The same, on another account, or on none."""
    return Stated(stated.role, stated.fact, elsewhere=True, account=account)


# --- what is stated: amounts in US dollars unless said otherwise ----------------------------------------------------------


def money_of(amount: str | Money | None) -> Money | None:
    """An amount as examples write it: text means US dollars."""
    return Money(Decimal(amount), "USD") if isinstance(amount, str) else amount


def _fact(
    object_type: str, id: str, when: dt.datetime, *, fields: Mapping[str, Value], refs: Refs = NO_REFS, deleted: bool = False
) -> Fact:
    """A fact whose version is its time. Fields that are None were not spoken of."""
    said = {name: value for name, value in fields.items() if value is not None}
    return Fact(object_type, id, when.isoformat(), when, said, refs, deleted)


def _ref(system: str, object_type: str, *ids: str) -> list[Ref]:
    """References to these objects; an empty id is none."""
    return [Ref(system, object_type, id) for id in ids if id]


def _ids(written: str | tuple[str, ...]) -> tuple[str, ...]:
    return (written,) if isinstance(written, str) else written


LONG_AGO = NOW - dt.timedelta(days=3)


def contract(
    id: str = "800A", when: dt.datetime = LONG_AGO, *, number: str, status: str = "activated", deleted: bool = False
) -> Fact:
    return _fact("contract", id, when, fields={"number": number, "status": status}, deleted=deleted)


def invoice(
    id: str,
    when: dt.datetime = LONG_AGO,
    *,
    number: str | None = None,
    status: str | None = "open",
    total: str | Money | None = None,
    credited: str | Money | None = None,
    finalized_at: dt.datetime | None = None,
    reason: str | None = None,
    items: tuple[str, ...] | None = None,
    contract: str = "",
    copy_of: str | tuple[str, ...] = "",
    deleted: bool = False,
) -> Fact:
    """`copy_of` names the billing system's invoices that this one copies; `contract` the contract number it names; `items` the
    pending prorations that it bills; `reason` why billing made it."""
    fields: dict[str, Value] = {
        "number": number, "status": status, "total": money_of(total), "credited": money_of(credited),
        "finalized_at": finalized_at, "billing_reason": reason, "proration_items": items,
    }  # fmt: skip
    return _fact(
        "invoice",
        id,
        when,
        refs=refs(
            copy_of=_ref("billing", "invoice", *_ids(copy_of)),
            contract=Ref.numbered("crm", "contract", contract) if contract else None,
        ),
        fields=fields,
        deleted=deleted,
    )


def credit_memo(
    id: str,
    when: dt.datetime = LONG_AGO,
    *,
    total: str | Money,
    status: str = "applied",
    applied: str | Money | None = None,
    unapplied: str | Money | None = None,
    invoice: str = "",
    copy_of: str = "",
) -> Fact:
    """`invoice` is the one it credits, in billing; `copy_of` the billing system's credit that it copies."""
    fields: dict[str, Value] = {
        "status": status, "total": money_of(total), "applied": money_of(applied), "unapplied": money_of(unapplied),
    }  # fmt: skip
    return _fact(
        "credit_memo",
        id,
        when,
        refs=refs(invoice=_ref("billing", "invoice", invoice), copy_of=_ref("billing", "credit_memo", copy_of)),
        fields=fields,
    )


def subscription(
    id: str,
    when: dt.datetime = LONG_AGO,
    *,
    annual: str | Money | None,
    status: str | None = "active",
    changed_at: dt.datetime | None = None,
) -> Fact:
    """`annual` is the recurring amount a year."""
    fields: dict[str, Value] = {"status": status, "annual_amount": money_of(annual), "changed_at": changed_at}
    return _fact("subscription", id, when, fields=fields)


def sales_order(
    id: str,
    when: dt.datetime = LONG_AGO,
    *,
    annual: str | Money | None = None,
    total: str | Money | None = None,
    term_months: int | None = None,
    subscription: str,
    customer: str = "",
) -> Fact:
    """`annual` is the recurring amount a year, `total` that of the whole term; `subscription` the billing system's id."""
    fields: dict[str, Value] = {"annual_amount": money_of(annual), "total": money_of(total), "term_months": term_months}
    found = refs(subscription=_ref("billing", "subscription", subscription), customer=_ref("erp", "customer", customer))
    return _fact("sales_order", id, when, fields=fields, refs=found)


def customer(id: str, when: dt.datetime = LONG_AGO, *, legal_entity: str) -> Fact:
    return _fact("customer", id, when, fields={"legal_entity": legal_entity})


def proration(
    id: str,
    when: dt.datetime = LONG_AGO,
    *,
    amount: str | Money | None,
    starts_at: dt.datetime | None = None,
    subscription: str = "",
    is_proration: bool = True,
    deleted: bool = False,
) -> Fact:
    fields: dict[str, Value] = {"amount": money_of(amount), "is_proration": is_proration, "period_start_at": starts_at}
    return _fact(
        "proration",
        id,
        when,
        refs=refs(subscription=_ref("billing", "subscription", subscription)),
        fields=fields,
        deleted=deleted,
    )


def renewal(
    id: str,
    when: dt.datetime = LONG_AGO,
    *,
    stage: str = "in_progress",
    held: bool = False,
    closed: bool = False,
    target: str | Money | None = None,
    name: str | None = None,
) -> Fact:
    fields: dict[str, Value] = {
        "name": name, "stage": stage, "held": held, "is_closed": closed, "target_amount": money_of(target),
    }  # fmt: skip
    return _fact("renewal", id, when, fields=fields)


def period(year: int, month: int, when: dt.datetime = LONG_AGO, *, lock: str = "") -> Fact:
    """An accounting period of one month; `lock` names the lock that is on: `ar_locked`, `all_locked` or `closed`."""
    start = dt.date(year, month, 1)
    end = dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)
    locks: dict[str, Value] = {name: name == lock for name in ("ar_locked", "all_locked", "closed")}
    fields: dict[str, Value] = {"name": f"{year}-{month:02}", "start_on": start, "end_on": end, **locks}
    return _fact("accounting_period", f"{year}{month:02}", when, fields=fields)


def fact(
    object_type: str, id: str, when: dt.datetime = LONG_AGO, *, to: str = "", deleted: bool = False, **fields: Value
) -> Fact:
    """A fact of any type. `to` names what it points to: `customer: erp customer 9; copy_of: billing invoice in_1, billing invoice
    in_2`."""
    pointing: dict[str, list[Ref]] = {}
    for part in filter(None, (each.strip() for each in to.split(";"))):
        role, _, targets = part.partition(":")
        pointing[role.strip()] = [Ref(*target.split()) for target in targets.split(",")]
    return _fact(object_type, id, when, fields=fields, refs=refs(**pointing), deleted=deleted)


def usd(amount: str) -> Money:
    """An amount in US dollars."""
    return Money(Decimal(amount), "USD")


def on(day: str) -> dt.date:
    """A calendar day, written `2026-11-20`."""
    return dt.date.fromisoformat(day)
