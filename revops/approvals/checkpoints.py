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
from revops.policies.values import spoken

Convert = Callable[[Money, str], Money | None]
"""An amount in another currency; None when no rate is known."""

APPROVER = "approver"
CONTROLLER = "controller"


@dataclass(frozen=True, slots=True)
class Need:
    """One signature that is needed: `code` names it on the plan, `role` may give it, `sequence` orders it, `why` explains it."""

    code: str
    label: str
    role: str
    sequence: int
    why: str


@dataclass(frozen=True, slots=True)
class Related:
    """Another plan of the same kind on the same account within the window: its number, its amount, and what it moves in further
    currencies."""

    code: str
    amount: Money
    more: Sequence[Money] = ()


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
    whys = [(first, f"It moves {' and '.join(str(each) for each in moved)}: somebody other than its maker approves.")]
    whys += [(tier, why) for tier in others if (why := _why(tier, policies, moved, convert, related))]
    return [Need(tier.code, tier.label, tier.role, number, why) for number, (tier, why) in enumerate(whys, start=1)]


def _why(tier: Tier, policies: Policies, moved: Sequence[Money], convert: Convert, related: Sequence[Related]) -> str:
    """Why the tier is reached; empty when it is not."""
    currency = tier.starts_at.currency
    mine = _together(moved, currency, convert)
    theirs = [(plan.code, _together((plan.amount, *plan.more), currency, convert)) for plan in related]
    reasons = []
    if mine is None:
        strange = next(money.currency for money in moved if convert(money, currency) is None)
        reasons.append(f"no exchange rate from {strange} to {currency} is known, so the strictest tier applies")
    unknown = [code for code, converted in theirs if converted is None]
    if unknown:
        reasons.append(f"the amount of {', '.join(unknown)} cannot be converted to {currency}")
    together = total([money for money in (mine, *(converted for _, converted in theirs)) if money is not None], currency)
    if mine is not None and mine >= tier.starts_at:
        reasons.append(f"{mine} reaches the limit of {tier.starts_at}")
    elif together >= tier.starts_at:
        codes, window = ", ".join(plan.code for plan in related), spoken(policies.checkpoints.split_window)
        reasons.append(f"together with {codes} on the same account within {window} it is {together}")
    words = "; ".join(reasons)
    return f"{words[0].upper()}{words[1:]}."[:300] if words else ""


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
