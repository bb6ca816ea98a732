"""What goes on besides the story: payments, invoices, contracts, renewals, calls to action, at a calm pace.

Two kinds of acts. Duties keep the company in order: whatever billing did is copied to the ERP in due time, a credit note is
mirrored, a contract in approval is activated, a held renewal's amendment is invoiced. Pastimes begin something new. None may
leave a state behind that a rule would report; where two systems change, the second follows within minutes.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.rehearsal import crm, key, native
from demo.rehearsal.judge import annual
from demo.rehearsal.native import Account, Native, moment
from demo.rehearsal.stage import Stage, minor, now

Json = dict[str, Any]
HOUR = dt.timedelta(hours=1)
MINUTE = dt.timedelta(minutes=1)
ISSUED = frozenset({"open", "paid", "uncollectible"})


@dataclass
class Scene:
    """One look at everything, and what must not be touched. `pace`: how much faster than calm."""

    stage: Stage
    native: Native
    protected: frozenset[str]
    """Native ids of planted contradictions."""
    at: dt.datetime
    pace: float = 1.0

    def accounts(self) -> Iterator[Account]:
        for account in self.native.accounts.values():
            if account.crm != self.stage.hero.crm:
                yield account

    def old_enough(self, since: object, wait: dt.timedelta) -> bool:
        """Has it waited its calm time?"""
        return self.at - moment(since) >= wait / self.pace


def look(stage: Stage, pace: float = 1.0) -> Scene:
    """Read the four systems and the key."""
    entries = key.contradictions(stage.wires["stripe"].key())
    planted = frozenset(str(subject[2]) for entry in entries if not entry["ripens_at"] for subject in entry["subjects"])
    return Scene(stage, native.read(stage.wires), planted, now(), pace)


# -- duties ------------------------------------------------------------------------------------------------------------


def do_duty(scene: Scene) -> str | None:
    """The first duty that is due, done. None when there is none."""
    for duty in (_post_invoices, _enter_payments, _mirror_credits, _finish_held, _activate_contracts, _follow_orders):
        done = duty(scene)
        if done is not None:
            return done
    return None


def _erp_invoices(account: Account) -> dict[str, Json]:
    return {str(row.get("externalid")): row for row in account.erp if row["type"] == "CustInvc"}


def _post_invoices(scene: Scene) -> str | None:
    for account in scene.native.accounts.values():
        entered = _erp_invoices(account)
        for invoice in account.invoices:
            if invoice["status"] not in ISSUED or invoice["total"] <= 0:
                continue
            if invoice["id"] in entered or invoice["id"] in scene.protected:
                continue
            if scene.old_enough(invoice["status_transitions"]["finalized_at"], 3 * MINUTE):
                scene.stage.post_invoice(invoice)
                return f"the ERP receives invoice {invoice['number']}"
    return None


def _enter_payments(scene: Scene) -> str | None:
    """Payments of the last two days that the ERP does not know, on invoices that it has."""
    rows = [row for account in scene.native.accounts.values() for row in account.erp]
    known = {str(row.get("externalid")) for row in rows if row["type"] == "CustPymt"}
    invoices = {str(row.get("externalid")): row for row in rows if row["type"] == "CustInvc"}
    since = scene.at - 48 * HOUR
    for payment in scene.stage.wires["stripe"].objects("invoice_payments"):
        intent = payment["payment"].get("payment_intent")
        row = invoices.get(payment["invoice"])
        if intent in known or payment["status"] != "paid" or row is None or moment(payment["created"]) < since:
            continue
        touches_planted = payment["invoice"] in scene.protected or str(row["id"]) in scene.protected
        if touches_planted or row["status"] != "A" or not scene.old_enough(payment["created"], MINUTE):
            continue
        scene.stage.apply(row, intent, "CustPymt", payment["amount_paid"])
        return f"the ERP receives a payment on {row['tranid']}"
    return None


def _mirror_credits(scene: Scene) -> str | None:
    for account in scene.native.accounts.values():
        known = {str(row.get("externalid")) for row in account.erp if row["type"] == "CustCred"}
        entered = _erp_invoices(account)
        for note in account.credit_notes:
            row = entered.get(note["invoice"])
            if note["id"] in known or note["status"] != "issued" or row is None or note["invoice"] in scene.protected:
                continue
            if scene.old_enough(note["created"], 2 * HOUR) and row["status"] == "A":
                scene.stage.apply(row, note["id"], "CustCred", note["total"])
                return f"the ERP mirrors credit note {note['number']}"
    return None


def _finish_held(scene: Scene) -> str | None:
    """A person put a renewal on hold; two minutes later billing finalises the amendment it was waiting for."""
    for account in scene.native.accounts.values():
        held = [r for r in account.renewals if r["stage"] == "On Hold" and r.get("HoldReference__gc")]
        if not held or not all(scene.old_enough(r["ModifiedDate"], 2 * MINUTE) for r in held):
            continue
        stage, drafts = scene.stage, {i["id"]: i for i in account.invoices if i["status"] == "draft"}
        for draft in drafts.values():
            if draft["billing_reason"] == "subscription_update" or _from_here(draft):
                stage.finalize(draft, f"play:finalize:{draft['id']}")
                return "billing finalises an amendment whose renewal is on hold"
        waiting = [item for item in account.items if item["proration"] and item["invoice"] is None]
        if waiting:
            subscription = waiting[0]["parent"]["subscription_details"]["subscription"]
            stage.bill(
                "invoices", f"play:invoice:{waiting[0]['id']}", customer=waiting[0]["customer"], subscription=subscription,
                collection_method="send_invoice", days_until_due=30, metadata={"rehearsal": "amendment"},
            )  # fmt: skip
            return "billing drafts the invoice of an amendment whose renewal is on hold"
    return None


def _from_here(draft: Json) -> bool:
    return (draft.get("metadata") or {}).get("rehearsal") == "amendment"


def _activate_contracts(scene: Scene) -> str | None:
    for account in scene.accounts():
        named = {row.get("otherrefnum") for row in account.erp if str(row["id"]) in scene.protected}
        for contract in account.contracts:
            waiting = contract["StatusCode"] == "InApproval" and contract["ContractNumber"] not in named
            if waiting and scene.old_enough(contract["LastModifiedDate"], 30 * MINUTE):
                stamp = crm.stamp(scene.at)
                scene.stage.wires["salesforce"].change(
                    "Contract", contract["Id"], {"Status": "Activated", "StatusCode": "Activated", "ActivatedDate": stamp}
                )
                return f"contract {contract['ContractNumber']} is activated"
    return None


def _follow_orders(scene: Scene) -> str | None:
    """An order that lags behind a change of this month follows in the month's last days."""
    if (scene.at + dt.timedelta(days=2)).month == scene.at.month:
        return None
    for account in scene.accounts():
        orders = {str(row.get("externalid")): row for row in account.erp if row["type"] == "SalesOrd"}
        for subscription in account.subscriptions:
            order = orders.get(subscription["id"])
            if order is None or subscription["status"] != "active" or str(order["id"]) in scene.protected:
                continue
            if annual(subscription) != Decimal(str(order["foreigntotal"])):
                scene.stage.set_order(order, annual(subscription), scene.at)
                return f"the ERP's order {order['tranid']} follows billing"
    return None


# -- pastimes ----------------------------------------------------------------------------------------------------------


def begin_something(scene: Scene, rng: random.Random, name: str) -> str | None:
    """Something new, by chance; None when nothing fits. `name` makes repeats of the same act harmless."""
    pastimes: list[Callable[[Scene, random.Random, str], str | None]] = [_pay, _bill, _sign, _renew, _call]
    return rng.choices(pastimes, weights=(5, 3, 1, 2, 2))[0](scene, rng, name)


def _pay(scene: Scene, rng: random.Random, name: str) -> str | None:
    """A customer pays an open invoice that both systems agree on, in full or in part."""
    candidates = []
    for account in scene.accounts():
        entered = _erp_invoices(account)
        for invoice in account.invoices:
            row = entered.get(invoice["id"])
            if invoice["status"] != "open" or row is None or {invoice["id"], str(row["id"])} & scene.protected:
                continue
            unpaid = minor(row.get("foreignamountunpaid") or 0, invoice["currency"].upper())
            if invoice["amount_remaining"] == unpaid > 0 and invoice["subtotal"] > 0:
                candidates.append(invoice)
    if not candidates:
        return None
    invoice = rng.choice(sorted(candidates, key=lambda one: str(one["id"])))
    amount = invoice["amount_remaining"]
    if rng.random() < 0.2 and amount > 1000:
        amount = amount * rng.randint(3, 7) // 10
    stage = scene.stage
    intent = stage.bill(
        "payment_intents",
        f"{name}:intent",
        amount=amount,
        currency=invoice["currency"],
        customer=invoice["customer"],
        confirm=True,
    )
    stage.bill(f"invoices/{invoice['id']}/attach_payment", f"{name}:attach", payment_intent=intent["id"])
    return f"a payment arrives for {invoice['number']}"


def _bill(scene: Scene, rng: random.Random, name: str) -> str | None:
    """A one-off service is invoiced and finalised; the ERP follows within minutes."""
    customer = rng.choice(scene.stage.company.customers[1:])
    amount = rng.randint(3, 60) * (10_000 if customer.entity.places else 15_000)
    text = rng.choice(("Training day", "Data migration", "Custom report", "Premium support, one month"))
    stage, currency = scene.stage, customer.entity.currency.lower()
    stage.bill("invoiceitems", f"{name}:item", customer=customer.stripe, amount=amount, currency=currency, description=text)
    draft = stage.bill(
        "invoices", f"{name}:draft", customer=customer.stripe, currency=currency, collection_method="send_invoice",
        days_until_due=30, pending_invoice_items_behavior="include",
    )  # fmt: skip
    final = stage.finalize(draft, f"{name}:finalize")
    return f"{customer.name} is invoiced: {final['number']}"


def _sign(scene: Scene, rng: random.Random, name: str) -> str | None:
    """Sales has a contract for more seats in approval; it is activated half an hour later. Nothing is invoiced on it yet."""
    account = rng.choice(sorted(scene.accounts(), key=lambda one: one.crm))
    mine = account.contracts
    if not mine or any(contract["StatusCode"] != "Activated" for contract in mine):
        return None
    values = {
        "AccountId": account.crm, "Status": "In Approval Process", "StatusCode": "InApproval",
        "StartDate": scene.at.date().isoformat(), "ContractTerm": 12, "CurrencyIsoCode": mine[0]["CurrencyIsoCode"],
        "OwnerId": mine[0].get("OwnerId"), "Description": name,
    }  # fmt: skip
    made = scene.stage.wires["salesforce"].create("Contract", values)
    return f"contract {made['ContractNumber']} goes into approval"


def _renew(scene: Scene, rng: random.Random, _: str) -> str | None:
    """The next renewal is opened, where no amendment is unfinished; or a forecast moves."""
    calm = []
    for account in scene.accounts():
        unfinished = any(i["status"] == "draft" for i in account.invoices) or any(
            item["proration"] and item["invoice"] is None for item in account.items
        )
        if not unfinished:
            calm += [r for r in account.renewals if r["stage"] in ("Not Started", "In Progress")]
    if not calm:
        return None
    calm.sort(key=lambda one: (str(one.get("CloseDate")), str(one["Gsid"])))
    resting = [r for r in calm if r["stage"] == "Not Started"]
    gainsight = scene.stage.wires["gainsight"]
    if resting and rng.random() < 0.3:
        chosen = resting[0]
        values = {"RenewalStage": "In Progress", "Stage": "Proposal", "StartedDate__gc": scene.at.date().isoformat()}
        gainsight.change("gs_opportunity", chosen["Gsid"], values)
        return f"{chosen['Name']} is opened"
    chosen = rng.choice(calm)
    target = Decimal(str(chosen["TargetAmount"]))
    forecast = (target * rng.randint(90, 112) / 100).quantize(Decimal(1))
    gainsight.change("gs_opportunity", chosen["Gsid"], {"ForecastAmount": forecast})
    return f"the forecast of {chosen['Name']} moves"


def _call(scene: Scene, rng: random.Random, name: str) -> str | None:
    """A call to action is opened."""
    customer = rng.choice(scene.stage.company.customers[1:])
    due = (scene.at + dt.timedelta(days=rng.randint(3, 20))).replace(hour=17, minute=0, second=0)
    values = {
        "Name": rng.choice(("Usage is falling", "Quarterly review", "New administrator")), "CompanyId": customer.gsid,
        "EntityType": "COMPANY", "DueDate": due.isoformat(), "IsClosed": False, "IsImportant": False, "PriorityId": "Medium",
        "StatusId": "New", "TypeId": "Lifecycle", "ReasonId": "Other", "Comments": name,
    }  # fmt: skip
    scene.stage.wires["gainsight"].create("call_to_action", values)
    return f"customer success opens a call to action for {customer.name}"
