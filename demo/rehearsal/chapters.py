"""The hero's chapters: how one customer's upgrade puts four systems at odds within two minutes.

Each chapter writes its entry of the answer key first and then acts, so that nothing is ever planted unknown; each may be told
again after a crash without doubling anything. What is planted is past due at once: native times are back-dated where a rule
gives time.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from demo.rehearsal import billing, catalogue, crm, erp, key
from demo.rehearsal.changes import DAY, HOUR, Numbers, Teller
from demo.rehearsal.ids import salesforce_id, seeded, stripe_id
from demo.rehearsal.judge import annual
from demo.rehearsal.noise import month_start
from demo.rehearsal.stage import Stage, now
from demo.rehearsal.story import Bill, Contract, add_months

Json = dict[str, Any]

AMENDMENT_NUMBER = "C-00990001"
SEATS_AFTER = 190
ENTERED_TWICE = 129_900


def _upgrade_bill(stage: Stage) -> Bill:
    return next(b for b in stage.hero.bills if b.reason == "subscription_update" and b.subscription is stage.hero.subscription)


def _entry(
    stage: Stage, rule: str, subjects: list[tuple[str, str, str]], *, amount: Decimal, why: str, settled: dict[str, str]
) -> None:
    stage.wires["stripe"].store_key(
        [
            key.entry(
                rule, stage.hero.crm, subjects, amount=amount, currency="EUR", why=why, planted_at=now(), settled_when=settled
            )
        ]
    )


def amend(stage: Stage) -> str:
    """The customer upgrades in mid-term and adds a service charged by usage. Sales writes the amendment; it waits for approval.
    The prorations wait in billing; the ERP's order follows at once. All of it is in order so far."""
    hero, main = stage.hero, stage.hero.subscription
    at = now()
    contract = Contract(
        salesforce_id(seeded(stage.company.seed, "hero amendment"), "800"), AMENDMENT_NUMBER, "Amendment", at.date(), 6,
        at - 2 * DAY, None, "InApproval",
    )  # fmt: skip
    stage.wires["salesforce"].create("Contract", crm.contract_document(hero, contract))
    usage = catalogue.PRICES["usage", main.rhythm.name, hero.entity.currency]
    changed = stage.wires["stripe"].object("subscriptions", main.id) or {}
    if all(item["price"]["id"] != usage.id for item in changed["items"]["data"]):
        items: list[object] = [{"id": main.item, "quantity": SEATS_AFTER}, {"price": usage.id}]
        name = f"play:{stage.company.seed}:amend"
        changed = stage.bill(f"subscriptions/{main.id}", name, items=items, proration_behavior="create_prorations")
    order = stage.wires["netsuite"].object("transaction", main.order.id)
    assert order is not None
    stage.set_order(order, annual(changed), now())
    return f"{hero.name} upgrades to {SEATS_AFTER} seats and adds platform calls; billing has yet to invoice it"


def open_renewal(stage: Stage) -> str:
    """Customer success opens the renewal although billing has not finalised the amendment."""
    (renewal,) = (r for r in stage.hero.renewals if not r.stage.startswith("Closed"))
    amount = crm.major(renewal.target, stage.hero.entity.places)
    _entry(
        stage, "renewal_before_amendment", [("gainsight", "renewal", renewal.gsid)], amount=amount,
        why="Customer success opened the renewal before billing finalised the amendment.",
        settled={"gainsight.gs_opportunity": f"{renewal.gsid} on hold or closed", "stripe.invoiceitems": "all invoiced"},
    )  # fmt: skip
    stage.wires["gainsight"].change(
        "gs_opportunity", renewal.gsid,
        {"RenewalStage": "In Progress", "Stage": "Proposal", "StartedDate__gc": now().date().isoformat()},
    )  # fmt: skip
    stage.wires["salesforce"].change("Opportunity", renewal.opportunity, {"StageName": crm.STAGES["In Progress"]})
    return "customer success opens the renewal"


def name_contract(stage: Stage) -> str:
    """The ERP receives an update of the partly paid invoice: it now names the amendment's contract, which nobody activated."""
    bill = _upgrade_bill(stage)
    assert bill.copy is not None
    _entry(
        stage, "invoice_before_contract", [("netsuite", "invoice", str(bill.copy.id))],
        amount=crm.major(bill.total, stage.hero.entity.places),
        why=f"The ERP's invoice was moved to contract {AMENDMENT_NUMBER}, which is still in approval.",
        settled={"salesforce.Contract": f"{AMENDMENT_NUMBER} activated"},
    )  # fmt: skip
    stage.touch(bill.copy.id, now() - 3 * HOUR, otherrefnum=AMENDMENT_NUMBER)
    return "the ERP receives an invoice for a contract that is still in approval"


def enter_twice(stage: Stage) -> str:
    """Somebody entered a line of the workshop's invoice once more in the ERP."""
    bill = next(b for b in stage.hero.bills if b.reason == "manual")
    copy = bill.copy
    assert copy is not None
    _entry(
        stage, "invoice_amount_mismatch", [("stripe", "invoice", bill.id), ("netsuite", "invoice", str(copy.id))],
        amount=crm.major(ENTERED_TWICE, stage.hero.entity.places), why="The ERP's invoice has a line that billing never issued.",
        settled={"netsuite.transaction": f"invoice {copy.id} nets to what billing issued"},
    )  # fmt: skip
    row = stage.wires["netsuite"].object("transaction", copy.id)
    assert row is not None
    copy.extra, copy.extra_text = ENTERED_TWICE, "Travel, entered twice"
    entries, places = erp.invoice_entries(bill), stage.hero.entity.places
    total = entries[0].amount
    state = {"foreignamountpaid": erp.text(0, places), "foreignamountunpaid": erp.text(total, places)}
    kept = {name: row.get(name) for name in ("otherrefnum", "duedate", "terms", "approvalstatus")}
    at = now() - 6 * HOUR
    assert bill.finalized is not None
    booked = erp.Booked(copy.id, "CustInvc", stage.hero, bill.finalized, copy.at, at, "A", bill.id, entries, kept | state, state)
    sum(stage.wires["netsuite"].load(erp.rows(booked, stage.periods)))
    stage.touch(copy.id, at)
    return "billing and the ERP disagree on an amount"


def forget_invoice(stage: Stage) -> str:
    """An invoice was finalised more than a day ago; the ERP never received it."""
    rng = seeded(stage.company.seed, "hero forgotten")
    teller = Teller(stage.hero, now() + DAY, rng, Numbers())
    customer = stage.wires["stripe"].object("customers", stage.hero.stripe) or {}
    at = now() - 27 * HOUR
    bill = Bill(
        stripe_id(rng, "in"), "manual", at, at + HOUR, [teller.service("Fleet onboarding", 1_480_000, at)],
        stage.hero.tax_rate, None, None,
    )  # fmt: skip
    there = stage.wires["stripe"].object("invoices", bill.id)
    if there is not None:
        return "an invoice is missing in the ERP"
    sequence = customer["next_invoice_sequence"]
    bill.number = f"{customer['invoice_prefix']}-{sequence:04d}"
    _entry(
        stage, "invoice_not_posted", [("stripe", "invoice", bill.id)], amount=crm.major(bill.total, stage.hero.entity.places),
        why="Finalised 26 hours ago; no invoice in the ERP names it.",
        settled={"netsuite.transaction": f"an invoice with external id {bill.id}"},
    )  # fmt: skip
    stripe = stage.wires["stripe"]
    stripe.change("customers", stage.hero.stripe, {"next_invoice_sequence": sequence + 1}, event=None)
    sum(stripe.load([("invoiceitems", billing.item_document(stage.hero, bill.lines[0], bill, None))]))
    stripe.create("invoices", billing.invoice_document(stage.hero, bill, now()), event="invoice.finalized")
    return "a finalised invoice is missing in the ERP"


def close_month(stage: Stage) -> str:
    """Finance goes on with closing last month; an import has put the fleet's order in the ERP back to its old amount."""
    fleet = stage.hero.subscriptions[1]
    order = stage.wires["netsuite"].object("transaction", fleet.order.id)
    held = stage.wires["stripe"].object("subscriptions", fleet.id)
    assert order is not None
    assert held is not None
    old = crm.major(int(fleet.price.unit) * fleet.quantity, stage.hero.entity.places)
    _entry(
        stage, "close_on_stale_subscription",
        [("stripe", "subscription", fleet.id), ("netsuite", "sales_order", str(fleet.order.id))], amount=abs(annual(held) - old),
        why="The month is being closed while the ERP's order has the amount from before the fleet grew.",
        settled={"netsuite.transaction": f"order {fleet.order.id} carries the amount of billing"},
    )  # fmt: skip
    last = add_months(month_start(now()), -1).date().isoformat()
    for period in stage.wires["netsuite"].objects("accountingperiod"):
        if period["startdate"] == last and period.get("isyear") != "T" and period.get("closed") != "T":
            stage.wires["netsuite"].change("accountingperiod", period["id"], {"arlocked": "T", "alllocked": "T"})
    stage.set_order(order, old, now())
    return "finance closes the month on a stale copy of the subscription"


CHAPTERS: tuple[tuple[str, int, Callable[[Stage], str]], ...] = (
    ("amend", 8, amend),
    ("open_renewal", 25, open_renewal),
    ("name_contract", 45, name_contract),
    ("enter_twice", 60, enter_twice),
    ("forget_invoice", 75, forget_invoice),
    ("close_month", 95, close_month),
)
"""Name, seconds after the start of the story, and how it is told."""
