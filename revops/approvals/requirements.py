"""What a plan needs now: gathers the data that `checkpoints` decides on. Reads only."""

from __future__ import annotations

import datetime as dt
from functools import cache

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from revops.approvals.checkpoints import Convert, Need, Open, Related, checkpoints_for, may_sign
from revops.approvals.models import Checkpoint, Decision, Verdict
from revops.ledger.rates import books_for, converted
from revops.money import Money
from revops.people.models import Delegation, RoleGrant, User
from revops.policies.policies import Policies
from revops.postings.draft import amounts_of
from revops.postings.kinds import kind_of
from revops.postings.models import ChangePlan, PlanState, Posting
from revops.postings.triggers import UNDER_WAY
from revops.sentences import Sentence, template

LEFT = (PlanState.PARTLY_POSTED, PlanState.CONFIRMED)
"""Plans that had an effect and may have no more. With those under way they count towards the sum of a window. A draft counts
when it is submitted itself, and the others are judged again at their release."""

SIGNER_MAY_NOT = template("plan.signer_may_not", "{person}, who approved it, may not approve any more.")
MAKER_MAY_NOT = template("plan.maker_may_not", "{person}, who composed it, may not any more.")


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
    """Other plans of the same kind on the same account that are under way, or left within the policies' window, by number.

    What counts is when they leave: one that waited for its signature longer than the window counts as one of today does.
    """
    since = timezone.now() - policies.checkpoints.split_window
    left = Q(state__in=LEFT) & (Q(released_at__gte=since) | Q(Exists(_sent_since(since))))
    others = ChangePlan.objects.filter(Q(state__in=UNDER_WAY) | left, account=plan.account_id, kind=plan.kind).exclude(pk=plan.pk)
    return [Related(other.code, *_parts(other), converter(other)) for other in others.select_related("account").order_by("pk")]


def _sent_since(since: dt.datetime) -> QuerySet[Posting]:
    return Posting.objects.filter(plan=OuterRef("pk"), first_sent_at__gte=since)


def _parts(plan: ChangePlan) -> tuple[Money, tuple[Money, ...]]:
    amount, *more = amounts_of(plan)
    return amount, tuple(more)


def roles_now(user_id: int) -> frozenset[str]:
    """The roles that an active person holds at this moment, kept so until the transaction ends: whoever takes one away waits.

    None for an inactive person. Never from a cached user.
    """
    grants = RoleGrant.objects.select_for_update(no_key=True).select_related("user")
    return frozenset(grant.role for grant in grants.filter(user_id=user_id, user__is_active=True).order_by("pk"))


def who_may_not(plan: ChangePlan) -> Sentence | None:
    """Whose right is gone: a signer who may not sign any more, or the maker. None while all of them may. Asked at the release and
    again when the first byte may leave; nobody's right moves until the caller's transaction ends."""
    signed = Decision.objects.filter(plan=plan, verdict=Verdict.APPROVED).select_related("checkpoint", "decided_by")
    for decision in signed.order_by("pk"):
        if not may_sign(decision.checkpoint.role, roles_now(decision.decided_by_id)):
            return SIGNER_MAY_NOT(person=decision.decided_by.get_username())
    if not roles_now(plan.maker_id) & kind_of(plan.kind).maker_roles:
        return MAKER_MAY_NOT(person=plan.maker.get_username())
    return None


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
