"""The one order of locks: account, plan, postings by number, then whatever the caller writes (checkpoints, case).

Detection locks the account first as well, so that an approval, an answer from a vendor and a look at the same account come one
after the other, and never wait for each other in a circle.
"""

from __future__ import annotations

from django.db import connection

from revops.accounts.models import Account
from revops.errors import Missing
from revops.postings.models import ChangePlan, Posting


def locked_plan(plan_id: int) -> ChangePlan:
    """The plan as it is now, locked with its account until the transaction ends. Raises `Missing`."""
    if not connection.in_atomic_block:
        raise RuntimeError("a plan is locked inside the transaction that changes it")
    account_id = ChangePlan.objects.filter(pk=plan_id).values_list("account_id", flat=True).first()
    if account_id is None:
        raise Missing("change plan")
    Account.objects.select_for_update(of=("self",)).only("pk").get(pk=account_id)
    return ChangePlan.objects.select_for_update(of=("self",)).select_related("case", "account", "maker").get(pk=plan_id)


def locked_postings(plan: ChangePlan) -> list[Posting]:
    """The plan's postings in their order, locked. The plan must be locked first."""
    return list(Posting.objects.select_for_update(of=("self",)).filter(plan=plan).order_by("sequence"))
