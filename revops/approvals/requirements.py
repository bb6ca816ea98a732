"""What a plan needs now: gathers the data that `checkpoints` decides on. Reads only."""

from __future__ import annotations

from functools import cache

from django.utils import timezone

from revops.approvals.checkpoints import Convert, Need, Open, Related, checkpoints_for, may_sign
from revops.approvals.models import Checkpoint
from revops.ledger.rates import books_for, converted
from revops.money import Money
from revops.people.models import Delegation, RoleGrant, User
from revops.policies.policies import Policies
from revops.postings.draft import amounts_of
from revops.postings.models import ChangePlan, PlanState

COUNTED = (PlanState.SUBMITTED, PlanState.RELEASED, PlanState.POSTED, PlanState.PARTLY_POSTED, PlanState.CONFIRMED)
"""Plans that count towards the sum of a window: all that had or may still have an effect, finished ones too. A draft counts
when it is submitted itself, and the others are judged again at their release."""


def needs_of(plan: ChangePlan, policies: Policies) -> list[Need]:
    """The signatures that the plan needs as things stand now: for the preview of a draft, at submission and at release.

    Amounts are converted by the newest rate of today.
    """
    amount, *more = amounts_of(plan)
    return checkpoints_for(
        policies,
        moves_money=plan.lines.exists() or plan.amount_minor != 0,
        amount=amount,
        more=more,
        convert=converter(plan),
        related=related_plans(plan, policies),
    )


def converter(plan: ChangePlan) -> Convert:
    """Converts what a plan moves by the rates of the books that it changes; the greatest amount where it changes several, and
    None where one of them knows no rate: no amount is taken for less than it may be."""
    today = timezone.now().date()
    systems = list(plan.postings.order_by("system_id").values_list("system_id", flat=True).distinct()) or [""]
    kept = {books_for(system, plan.account) for system in systems}

    @cache
    def convert(money: Money, currency: str) -> Money | None:
        found = [converted(money, currency, on=today, books=books) for books in kept]
        known = [amount for amount in found if amount is not None]
        return max(known) if len(known) == len(found) else None

    return convert


def related_plans(plan: ChangePlan, policies: Policies) -> list[Related]:
    """Other plans of the same kind on the same account within the policies' window, by number."""
    since = timezone.now() - policies.checkpoints.split_window
    others = ChangePlan.objects.filter(
        account=plan.account_id, kind=plan.kind, state__in=COUNTED, submitted_at__gte=since
    ).exclude(pk=plan.pk)
    return [Related(other.code, *_parts(other), converter(other)) for other in others.select_related("account").order_by("pk")]


def _parts(plan: ChangePlan) -> tuple[Money, tuple[Money, ...]]:
    amount, *more = amounts_of(plan)
    return amount, tuple(more)


def roles_now(user_id: int) -> frozenset[str]:
    """The roles that an active person holds at this moment, kept so until the transaction ends: whoever takes one away waits.

    None for an inactive person. Never from a cached user.
    """
    grants = RoleGrant.objects.select_for_update(no_key=True).select_related("user")
    return frozenset(grant.role for grant in grants.filter(user_id=user_id, user__is_active=True).order_by("pk"))


def unsigned(plan: ChangePlan) -> list[Open]:
    """The plan's checkpoints that nobody has signed yet, in order."""
    rows = Checkpoint.objects.filter(plan=plan, decision__isnull=True).order_by("sequence", "id")
    return [Open(row.pk, row.role, row.sequence) for row in rows]


def absent_whose(user: User, maker_id: int, role: str) -> User | None:
    """Whose stand-in this person is today for a checkpoint of that role: somebody who could sign it, and did not make the plan.
    The delegation that was made first counts; None where there is none."""
    today = timezone.now().date()
    rows = Delegation.objects.filter(stand_in=user, ended_at__isnull=True, first_day__lte=today, last_day__gte=today)
    for row in rows.exclude(approver=maker_id).select_related("approver").order_by("pk"):
        if may_sign(role, row.approver.role_codes()):
            return row.approver
    return None
