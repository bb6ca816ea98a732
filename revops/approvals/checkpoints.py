"""Which signatures a change needs. Pure: from data to a list, never from the maker's choice.

The tiers are the policies' to say. A plan is judged together with the other plans of the same kind on the same account within
the policies' window, whoever composed them, so that an amount cannot be split below a tier. What cannot be converted into a
tier's currency reaches it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from revops.money import Money, total
from revops.policies.policies import Policies, Tier
from revops.reference import Ref
from revops.sentences import Param, Sentence, template

Convert = Callable[[Money, str], Money | None]
"""An amount in another currency; None when no rate is known."""

ALWAYS = template("checkpoint.always", "It moves {moved}: somebody other than its maker approves.")
BECAUSE = template("checkpoint.because", "Because {reasons}.")
NO_RATE = template("checkpoint.no_rate", "no exchange rate from {strange} to {currency} is known, so the strictest tier applies")
NOT_CONVERTED = template("checkpoint.not_converted", "the amount of {plans} cannot be converted to {currency}")
REACHES = template("checkpoint.reaches", "{amount} reaches the limit of {limit}")
TOGETHER = template("checkpoint.together", "together with {plans} on the same account within {window} it is {amount}")

OTHER_PLANS = template("checkpoint.other_plans", "{count} other plans")
NAMED_MAX = 10

APPROVER = "approver"
CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Need:
    """One signature that is needed: `code` names it on the plan, `role` may give it, `sequence` orders it, `why` explains it."""

    code: str
    label: str
    role: str
    sequence: int
    why: Sentence


@dataclass(frozen=True, slots=True)
class Related:
    """Another plan of the same kind on the same account within the window: its number, its amount, what it moves in further
    currencies, and by which rates these are converted (none: as the plan's own)."""

    code: str
    amount: Money
    more: Sequence[Money] = ()
    convert: Convert | None = None


def checkpoints_for(
    policies: Policies,
    *,
    moves_money: bool,
    amount: Money,
    convert: Convert,
    more: Sequence[Money] = (),
    related: Sequence[Related] = (),
) -> list[Need]:
    """The signatures in their order; empty for a change that moves no money. The first tier is signed whatever the amount.

    `more` is what the change moves in further currencies.
    """
    if not moves_money:
        return []
    moved = (amount, *more)
    first, *others = policies.checkpoints.tiers
    whys = [(first, ALWAYS(moved=moved))]
    whys += [(tier, BECAUSE(reasons=why)) for tier in others if (why := _why(tier, policies, moved, convert, related))]
    return [Need(tier.code, tier.label, tier.role, number, why) for number, (tier, why) in enumerate(whys, start=1)]


def _why(
    tier: Tier, policies: Policies, moved: Sequence[Money], convert: Convert, related: Sequence[Related]
) -> tuple[Sentence, ...]:
    """Every reason why the tier is reached; none when it is not."""
    currency = tier.starts_at.currency
    mine = _together(moved, currency, convert)
    theirs = [(plan.code, _together((plan.amount, *plan.more), currency, plan.convert or convert)) for plan in related]
    reasons: list[Sentence] = []
    if mine is None:
        strange = next(money.currency for money in moved if convert(money, currency) is None)
        reasons.append(NO_RATE(strange=strange, currency=currency))
    unknown = [code for code, converted in theirs if converted is None]
    if unknown:
        reasons.append(NOT_CONVERTED(plans=_plans(unknown), currency=currency))
    together = total([money for money in (mine, *(converted for _, converted in theirs)) if money is not None], currency)
    if mine is not None and mine >= tier.starts_at:
        reasons.append(REACHES(amount=mine, limit=tier.starts_at))
    elif together >= tier.starts_at:
        plans = _plans([plan.code for plan in related])
        reasons.append(TOGETHER(plans=plans, window=policies.checkpoints.split_window, amount=together))
    return tuple(reasons)


def _plans(codes: Sequence[str]) -> Param:
    """The plans by their codes, or how many they are."""
    return tuple(Ref.ours("plan", code) for code in codes) if len(codes) <= NAMED_MAX else OTHER_PLANS(count=len(codes))


def _together(amounts: Sequence[Money], currency: str, convert: Convert) -> Money | None:
    """The sum of the amounts in `currency`; None when one of them cannot be converted."""
    parts = [convert(amount, currency) for amount in amounts]
    return None if None in parts else total([part for part in parts if part is not None], currency)


@dataclass(frozen=True, slots=True)
class Open:
    """A checkpoint that nobody has signed yet."""

    id: int
    role: str
    sequence: int


def signable(waiting: Sequence[Open], roles: frozenset[str]) -> Open | None:
    """The checkpoint that a person with these roles signs next; None when it is not their turn or not theirs.

    Checkpoints are signed in sequence. A controller also stands in for an approver, but not where the controller's own
    signature is still to come: one person signs once, and would be missing there.
    """
    if not waiting:
        return None
    turn = min(checkpoint.sequence for checkpoint in waiting)
    now = sorted((c for c in waiting if c.sequence == turn), key=lambda c: c.id)
    for checkpoint in now:
        if checkpoint.role in roles:
            return checkpoint
    needed = any(checkpoint.role == CONTROLLER for checkpoint in waiting)
    if CONTROLLER in roles and not needed:
        return next((c for c in now if c.role == APPROVER), None)
    return None


def may_sign(role: str, roles: frozenset[str]) -> bool:
    """Whether a person with these roles may sign a checkpoint of that role at all."""
    return role in roles or (role == APPROVER and CONTROLLER in roles)
