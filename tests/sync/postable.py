"""The world of plans with real vendors behind it: simulators as processes, a released posting, and the way of its evidence."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db import connection

from demo.simulators.gainsight import metadata
from demo.simulators.netsuite import tokens
from revops.accounts.models import Account
from revops.approvals.actions import approve, submit_plan
from revops.cases.models import ExceptionCase
from revops.ledger.models import SourceSystem
from revops.money import Money
from revops.people.actors import System
from revops.people.models import User
from revops.postings.draft import compose_plan
from revops.postings.models import ChangePlan, Posting
from sync import connections
from sync.applying.drain import process_all
from sync.posting.outbox import send_due
from sync.pull import poll
from tests.demo.simulators.control import Control
from tests.revops import world

Json = dict[str, Any]
CREDIT_PATH = "record/v1/creditMemo"
HOLD_PATH = "data/objects/gs_opportunity"
RENEWAL = "1P06RENEWAL0000000000000000000000001"
COMPANY = "1P02"


@dataclass
class Book:
    """One invoice of 41,120.00 USD in the ERP that billing issued for 1,000.00, in a simulator that keeps its own books."""

    netsuite: Control
    account: Account
    case: ExceptionCase
    maker: User
    checker: User

    def released(self, amount: str = "120.00") -> Posting:
        """A credit memo, approved and waiting to be sent."""
        plan = submit_plan(world.credit_plan(self.maker, self.case, amount), acting_user=self.maker)
        plan = approve(plan, digest=plan.digest, meaning="Checked", step_up=world.proof(self.checker), acting_user=self.checker)
        assert plan.state == "released", plan.outcome
        return plan.postings.get()

    def effects(self) -> list[Json]:
        """The credit memos that came to be through the API: the judge of exactly once."""
        found = self.netsuite.get("effects")
        return [e for e in found if e["collection"] == "transaction" and e["object"].get("type") == "CustCred"
                and e["kind"] == "created"]  # fmt: skip

    def sent(self) -> int:
        """How many requests to create a credit memo arrived."""
        return len([r for r in self.netsuite.get("requests") if r["method"] == "POST" and r["path"].endswith("/creditMemo")])


def book(netsuite: Control, total: str = "41120.00", currency: str = "USD") -> Book:
    """The company in both the ledger and the ERP's own books, billed in this currency (USD or EUR)."""
    money = {"USD": 1, "EUR": 2}[currency]
    netsuite.load("accountingperiod", *_periods())
    netsuite.load(
        "currency",
        {"id": 1, "name": "US Dollar", "symbol": "USD", "currencyprecision": 2},
        {"id": 2, "name": "Euro", "symbol": "EUR", "currencyprecision": 2},
    )
    netsuite.load("subsidiary", {"id": 1, "name": "Meridian Inc", "currency": 1})
    stamp = f"{world.days_ago(3):%Y-%m-%dT%H:%M:%SZ}"
    netsuite.load("customer", {
        "id": 50, "entityid": "C50", "companyname": "Halden", "currency": money, "subsidiary": 1, "externalid": world.CRM_ID,
        "isinactive": "F", "lastmodifieddate": stamp,
    })  # fmt: skip
    issued = world.today() - dt.timedelta(days=40)
    netsuite.load("transaction", {
        "id": 700, "type": "CustInvc", "tranid": "INV-700", "status": "A", "entity": 50, "currency": money, "exchangerate": "1",
        "trandate": issued.isoformat(), "postingperiod": int(f"{issued:%Y%m}"), "posting": "T", "externalid": world.BILLED,
        "foreigntotal": total, "foreignamountunpaid": total, "lastmodifieddate": stamp,
    })  # fmt: skip
    netsuite.load(
        "transactionline",
        {"transaction": 700, "id": 0, "uniquekey": 1, "mainline": "T", "subsidiary": 1, "entity": 50, "foreignamount": total,
         "foreignamountunpaid": total},
        {"transaction": 700, "id": 1, "uniquekey": 2, "mainline": "F", "subsidiary": 1, "item": 9001, "quantity": 1,
         "rate": total, "foreignamount": f"-{total}"},
    )  # fmt: skip
    world.systems(netsuite.url, tokens.demo_private_key_pem())
    account = world.customers()
    world.say("stripe", world.billed(Money.parse("1000.00", currency)))
    read_all("netsuite")
    netsuite.load("consolidatedexchangerate", {  # the ERP posts by it; the ledger has not read it
        "id": 1, "postingperiod": int(f"{world.today():%Y%m}"), "fromcurrency": 2, "tocurrency": 1, "currentrate": "1.5",
    })  # fmt: skip
    case = ExceptionCase.objects.get(rule="invoice_amount_mismatch", account=account)
    return Book(netsuite, account, case, world.person("ana", "finance_analyst"), world.person("pat", "approver"))


def read_all(slug: str) -> None:
    """Pull everything that the connection offers, record it and let detection look."""
    for stream in poll.streams_of(slug):
        pulled = poll.pull_now(slug, stream)
        assert not pulled.problem, pulled.problem
    evidence_arrives()


def _periods() -> list[Json]:
    flags = {"isquarter": "F", "isyear": "F", "isadjust": "F", "isposting": "T", "arlocked": "F", "alllocked": "F", "closed": "F"}
    rows = []
    for back in (0, 31, 62):
        start = (world.today().replace(day=1) - dt.timedelta(days=back)).replace(day=1)
        end = (start + dt.timedelta(days=32)).replace(day=1) - dt.timedelta(days=1)
        rows.append({"id": int(f"{start:%Y%m}"), "periodname": f"{start:%b %Y}", "startdate": start.isoformat(),
                     "enddate": end.isoformat()} | flags)  # fmt: skip
    return list({row["id"]: row for row in rows}.values())


def tenant(gainsight: Control) -> None:
    """A tenant with one renewal in progress, and the connection to it."""
    gainsight.load("company", {
        "Gsid": COMPANY, "Name": "Halden", "SfdcAccountId": world.CRM_ID, "Arr": "1000", "CurrencyIsoCode": "USD",
        "Stage": "Launched", "ModifiedDate": "2026-01-01T00:00:00Z",
    })  # fmt: skip
    gainsight.load("gs_opportunity", {
        "Gsid": RENEWAL, "Name": "Renewal 2027", "CompanyId": COMPANY, "RenewalStage": "In Progress", "CloseDate": "2027-03-01",
        "TargetAmount": "5000.00", "CurrencyIsoCode": "USD", "ModifiedDate": "2026-01-01T00:00:00Z",
    })  # fmt: skip
    item = metadata.item_id
    connections.connect(
        slug="gainsight", vendor="gainsight", base_url=gainsight.url, started=True, acting_user=System("tests"),
        values={
            "client_id": "demo-client-id", "client_secret": "demo-client-secret", "hint_token": "unused",
            "crm_connection": "salesforce", "hold_reason_field": "HoldReason__gc",
            "hold_reference_field": "HoldReference__gc",
            "stage_on_hold_item": item("gs_opportunity", "RenewalStage", "On Hold"),
            "stage_in_progress_item": item("gs_opportunity", "RenewalStage", "In Progress"),
        },
    )  # fmt: skip


def renewal_plan(gainsight: Control, maker: User, kind: str = "hold_renewal") -> ChangePlan:
    """A draft that holds a renewal in progress, in a tenant that has it."""
    for slug, role in (("salesforce", "crm"), ("stripe", "billing"), ("netsuite", "erp")):
        SourceSystem.objects.create(slug=slug, label=slug.title(), role=role, vendor=slug)
    tenant(gainsight)
    account = world.customers()
    read_all("gainsight")
    return compose_plan(
        kind=kind, case=None, account=account, inputs={"renewal_id": RENEWAL, "hold_reason": "Amendment not finished"},
        reason="Amendment not finished", acting_user=maker,
    )  # fmt: skip


# --- time and evidence ----------------------------------------------------------------------------------------------


def time_passes(seconds: float, posting: Posting) -> None:
    """As if that much time had passed for this posting: every time that its row keeps moves back."""
    times = ("next_attempt_at", "lease_until", "first_sent_at", "absent_seen_at")
    moved = ", ".join(f"{name} = {name} - make_interval(secs => %(by)s)" for name in times)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE postings_posting SET {moved} WHERE id = %(id)s", {"by": seconds, "id": posting.pk})


def send_and_look_up(plan: ChangePlan) -> None:
    """Send what is due, and look up twice what is left open, further apart than the vendor's reads may lag."""
    send_due()
    for _ in range(2):
        for posting in plan.postings.filter(state="unknown"):
            time_passes(70, posting)
        send_due()


def evidence_arrives() -> None:
    """What was read goes through the inbox into the ledger, and detection looks."""
    process_all(dt.datetime.now(dt.UTC))
    world.detect()


def again(posting: Posting) -> Posting:
    """The row as it is now."""
    return Posting.objects.select_related("plan").get(pk=posting.pk)
