"""One of everything, for walking through the pages."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from revops.accounts.models import Account
from revops.approvals import actions
from revops.cases.actions import comment_on_case
from revops.cases.models import ExceptionCase
from revops.ledger.freshness import read_through
from revops.postings.models import ChangePlan
from sync.applying.replay import begin_replay, replay_many
from sync.models import Delivery
from tests.factories import dead_letter, some_cases
from tests.revops import world


@dataclass
class Company:
    """The account with its real case, a submitted plan on it, a dead letter, and forty other cases."""

    account: Account
    case: ExceptionCase
    plan: ChangePlan
    delivery: Delivery
    record: int
    replay: int


def company() -> Company:
    """Facts through the ledger, the case by detection, the plan by its maker."""
    world.systems()
    account, case = world.mismatch(world.usd("16320.00"), world.usd("1000.00"))
    world.say("stripe", world.fact("customer", "cus_lost", name="Halden Robotik"))
    for system, kinds in (("stripe", ["invoice", "customer"]), ("netsuite", ["invoice"]), ("salesforce", ["customer"])):
        read_through(system, kinds, timezone.now())
    maker = world.person("maker", "finance_analyst")
    comment_on_case(case, text="Line 2 was entered twice.", acting_user=maker, now=timezone.now())
    plan = actions.submit_plan(world.credit_plan(maker, case, "15320.00"), acting_user=maker)
    delivery = dead_letter("netsuite", "k1", b'{"id": 1, "total": 12.30}')
    some_cases(40)
    record = account.records.filter(object_type="invoice").first()
    assert record is not None
    again = dead_letter("netsuite", "k2", b"{}")
    run = begin_replay(reason="Mended", acting_user=maker)
    replay_many(Delivery.objects.filter(pk=again.pk), reason="Mended", acting_user=maker, run=run)
    return Company(account, case, plan, delivery, record.pk, run.pk)


def pages_of(all_of_it: Company) -> dict[str, tuple[str, ...]]:
    """Role -> the addresses to walk through as that role."""
    case, plan = all_of_it.case.code, all_of_it.plan.code
    return {
        "finance_analyst": (
            "/queue/", f"/queue/?open={case}", "/queue/?severity=critical&q=zzz", "/queue/?status=not_due", f"/cases/{case}/",
            f"/cases/{case}/?fields=all", "/accounts/", f"/accounts/{all_of_it.account.code}/",
            f"/accounts/{all_of_it.account.code}/?as_of=2026-01-01T10:00", "/unlinked/", f"/records/{all_of_it.record}/",
            f"/plans/new/?case={case}&kind=credit_memo", f"/plans/{plan}/", "/deliveries/", "/deliveries/dead/",
            f"/deliveries/{all_of_it.delivery.pk}/", "/find/?q=hald", "/nothing-here/", "/plans/", "/plans/?show=done",
            f"/deliveries/replays/{all_of_it.replay}/", f"/accounts/{all_of_it.account.code}/?books=netsuite",
        ),
        "approver": ("/approvals/", f"/approvals/{plan}/", f"/cases/{case}/"),
        "cs_analyst": ("/queue/", "/queue/?show=all", f"/queue/?show=all&open={case}", f"/cases/{case}/"),
        "admin": ("/people/", f"/people/{all_of_it.plan.maker_id}/", "/first-steps/", "/me/", "/confirm/", "/link/"),
        "auditor": ("/audit/?history=1", "/people/", "/connections/", "/approvals/?show=all"),
    }  # fmt: skip
