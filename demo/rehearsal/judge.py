"""Which contradictions stand in the simulators' own objects, by an independent reading of the five rules.

Written from the vendors' documents and the rules' wording, not from the application's code, so that the two can disagree. How
long and how far is the company's to say: those figures are read from its published policies.
Each standing contradiction has two moments: from `certain` on it must be reported, before `possible` it must not be; between
them (an object was touched, and when the application learnt of it is its own affair) either is right.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.rehearsal import published
from demo.rehearsal.native import PLACES, Account, Native, moment
from demo.rehearsal.published import Published

Json = dict[str, Any]
ISSUED = frozenset({"open", "paid", "uncollectible"})
LIVE = frozenset({"active", "past_due", "trialing", "unpaid"})
DEAD_IN_ERP = frozenset({"V", "E"})
MARGIN = dt.timedelta(minutes=3)
"""Either side of a due time, how long the application may take to notice."""


@dataclass(frozen=True)
class Contradiction:
    """One contradiction that is there now, due or not. `subjects`: (vendor, object type, native id)."""

    rule: str
    account: str
    subjects: frozenset[tuple[str, str, str]]
    possible: dt.datetime
    certain: dt.datetime
    amount: Decimal
    currency: str

    def verdict(self, now: dt.datetime) -> str:
        """`due`, `waiting`, or `either`."""
        if now >= self.certain + MARGIN:
            return "due"
        return "waiting" if now < self.possible - MARGIN else "either"


def contradictions(native: Native, now: dt.datetime, policy: Published | None = None) -> list[Contradiction]:
    """Every contradiction of every account, due or not, by the published policies unless others are given."""
    policy = policy or published.read()
    found: list[Contradiction] = []
    for account in native.accounts.values():
        found += _amounts(native, account, policy)
        found += _missing(account, policy)
        found += _early_renewals(account, policy, now)
        found += _early_invoices(native, account, policy)
        found += _stale_orders(native, account, policy, now)
    return found


def _erp(account: Account, kind: str) -> list[Json]:
    return [row for row in account.erp if row["type"] == kind]


def _major(invoice: Json, name: str) -> Decimal:
    return Decimal(invoice.get(name) or 0).scaleb(-PLACES[invoice["currency"].upper()])


def _tolerance(currency: str, policy: Published) -> Decimal:
    return Decimal(policy.tolerance_whole if PLACES[currency] == 0 else policy.tolerance).scaleb(-PLACES[currency])


def _amounts(native: Native, account: Account, policy: Published) -> Iterator[Contradiction]:
    """Billing's total less its credit notes against the ERP's total less its credit memos. At risk is the difference; where the
    currencies differ, what the ERP carries."""
    billed = {invoice["id"]: invoice for invoice in account.invoices if invoice["status"] in ISSUED}
    for row in _erp(account, "CustInvc"):
        invoice = billed.get(str(row.get("externalid")))
        if invoice is None or row.get("status") in DEAD_IN_ERP:
            continue
        currency = invoice["currency"].upper()
        credited = _major(invoice, "pre_payment_credit_notes_amount") + _major(invoice, "post_payment_credit_notes_amount")
        here = _major(invoice, "total") - credited
        there = abs(Decimal(str(row["foreigntotal"]))) - native.credited.get(row["id"], Decimal(0))
        carried = native.currencies.get(row["currency"], "")
        same = carried == currency
        if same and abs(here - there) <= _tolerance(currency, policy):
            continue
        stamps = [moment(at) for at in (invoice["created"], *invoice["status_transitions"].values()) if at]
        stamps += [moment(note["created"]) for note in account.credit_notes if note["invoice"] == invoice["id"]]
        changed = moment(row["lastmodifieddate"])
        subjects = frozenset({("stripe", "invoice", invoice["id"]), ("netsuite", "invoice", str(row["id"]))})
        latest = native.touched.get(invoice["id"], changed)
        yield Contradiction(
            "invoice_amount_mismatch", account.crm, subjects, max(*stamps, changed) + policy.agreement,
            max(*stamps, changed, latest) + policy.agreement, abs(here - there) if same else there, carried,
        )  # fmt: skip


def _missing(account: Account, policy: Published) -> Iterator[Contradiction]:
    """Finalised in billing, and nothing in the ERP names it."""
    entered = {str(row.get("externalid")) for row in _erp(account, "CustInvc")}
    for invoice in account.invoices:
        if invoice["status"] not in ISSUED or (invoice["total"] or 0) <= 0 or invoice["id"] in entered:
            continue
        due = moment(invoice["status_transitions"]["finalized_at"]) + policy.posting
        subjects = frozenset({("stripe", "invoice", invoice["id"])})
        yield Contradiction(
            "invoice_not_posted", account.crm, subjects, due, due, _major(invoice, "total"), invoice["currency"].upper()
        )


def _unfinished(account: Account) -> bool:
    """Is a change of a subscription not yet on a final invoice?"""
    drafts = {invoice["id"]: invoice for invoice in account.invoices if invoice["status"] == "draft"}
    if any(invoice["billing_reason"] == "subscription_update" for invoice in drafts.values()):
        return True
    return any(item["proration"] and (item["invoice"] is None or item["invoice"] in drafts) for item in account.items)


def _early_renewals(account: Account, policy: Published, now: dt.datetime) -> Iterator[Contradiction]:
    """A renewal is worked while an amendment is unfinished: due at once."""
    working = [renewal for renewal in account.renewals if renewal["stage"] == "In Progress"]
    if not working or not _unfinished(account):
        return
    for renewal in working:
        subjects = frozenset({("gainsight", "renewal", str(renewal["Gsid"]))})
        since = min(moment(renewal["ModifiedDate"]), now - MARGIN) + policy.amendment
        amount = Decimal(str(renewal.get("TargetAmount") or 0))
        yield Contradiction(
            "renewal_before_amendment", account.crm, subjects, since, since, amount, str(renewal["CurrencyIsoCode"])
        )


def _early_invoices(native: Native, account: Account, policy: Published) -> Iterator[Contradiction]:
    """The ERP's invoice names a contract that is not activated on this account."""
    activated = {contract["ContractNumber"] for contract in account.contracts if contract.get("StatusCode") == "Activated"}
    for row in _erp(account, "CustInvc"):
        number = row.get("otherrefnum")
        if not number or row.get("status") in DEAD_IN_ERP or number in activated:
            continue
        due = moment(row["lastmodifieddate"]) + policy.contract
        subjects = frozenset({("netsuite", "invoice", str(row["id"]))})
        currency = native.currencies.get(row["currency"], "")
        amount = abs(Decimal(str(row["foreigntotal"])))
        yield Contradiction("invoice_before_contract", account.crm, subjects, due, due, amount, currency)


def annual(subscription: Json) -> Decimal:
    """What the licensed items cost a year, major units."""
    total = Decimal(0)
    for item in subscription["items"]["data"]:
        recurring = item["price"]["recurring"]
        if recurring["usage_type"] == "metered":
            continue
        months = {"month": 1, "year": 12}[recurring["interval"]] * recurring["interval_count"]
        total += Decimal(item["price"]["unit_amount_decimal"]) * item["quantity"] * 12 / months
    return total.scaleb(-PLACES[subscription["currency"].upper()])


def _stale_orders(native: Native, account: Account, policy: Published, now: dt.datetime) -> Iterator[Contradiction]:
    """The ERP's order differs from the subscription, and a month that the change belongs before the end of is locked."""
    orders = {str(row.get("externalid")): row for row in _erp(account, "SalesOrd")}
    for subscription in account.subscriptions:
        order = orders.get(subscription["id"])
        if order is None or subscription["status"] not in LIVE:
            continue
        here, there = annual(subscription), abs(Decimal(str(order["foreigntotal"])))
        currency = subscription["currency"].upper()
        same = native.currencies.get(order["currency"]) == currency
        if same and abs(here - there) <= _tolerance(currency, policy):
            continue
        mine = [item for item in account.items if item["proration"] and _subscription_of(item) == subscription["id"]]
        changes = [moment(item["period"]["start"]) for item in mine]
        made = [moment(subscription["created"]), *(moment(item["created"]) for item in subscription["items"]["data"])]
        since = max(changes) if changes else max(made)
        locked = [moment(p["lastmodifieddate"]) for p in native.periods if _locked_after(p, since, now)]
        due = max(since, min(locked)) + policy.closing if locked else now + dt.timedelta(days=1)
        subjects = frozenset({("stripe", "subscription", subscription["id"]), ("netsuite", "sales_order", str(order["id"]))})
        yield Contradiction(
            "close_on_stale_subscription", account.crm, subjects, due, max(due, moment(order["lastmodifieddate"])),
            abs(here - there) if same else here, currency,
        )  # fmt: skip


def _subscription_of(item: Json) -> object:
    return ((item["parent"] or {}).get("subscription_details") or {}).get("subscription")


def _locked_after(period: Json, since: dt.datetime, now: dt.datetime) -> bool:
    """Locked, and either the month of the change or a later one that is over."""
    start, end = dt.date.fromisoformat(period["startdate"]), dt.date.fromisoformat(period["enddate"])
    if "T" not in (period.get("arlocked"), period.get("alllocked"), period.get("closed")) or end < since.date():
        return False
    return start <= since.date() or end < now.date()
