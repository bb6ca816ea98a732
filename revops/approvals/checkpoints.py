"""Which signatures a change needs. Pure: from data to a list, never from the maker's choice.

The thresholds are declared here, in the group's base currency. A plan is judged together with the maker's other plans of the
same kind on the same account within a week, whoever composed them, so that an amount cannot be split below a threshold. What
cannot be converted is judged by the strictest tier.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from revops.money import Money, total

BASE_CURRENCY = "USD"
CONTROLLER_FROM = Money(Decimal("10000.00"), BASE_CURRENCY)
"""From this amount on (inclusive) the controller signs as well."""
SPLIT_WINDOW = dt.timedelta(days=7)

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
    """Another plan of the same kind on the same account within the window: its number and its amount in base currency."""

    code: str
    base_amount: Money | None


def checkpoints_for(
    *, moves_money: bool, amount: Money, base_amount: Money | None, related: Sequence[Related] = ()
) -> list[Need]:
    """The signatures in their order; empty for a change that moves no money.

    `base_amount` is the amount in `BASE_CURRENCY`, None when no rate is known.
    """
    if not moves_money:
        return []
    needs = [Need("amount", "Approval", APPROVER, 1, f"It moves {amount}: somebody other than its maker approves.")]
    why = _why_controller(amount, base_amount, related)
    if why:
        needs.append(Need("controller", "Controller's approval", CONTROLLER, 2, why))
    return needs


def _why_controller(amount: Money, base_amount: Money | None, related: Sequence[Related]) -> str:
    reasons = []
    if base_amount is None:
        reasons.append(f"no exchange rate from {amount.currency} to {BASE_CURRENCY} is known, so the strictest tier applies")
    unknown = [plan.code for plan in related if plan.base_amount is None]
    if unknown:
        reasons.append(f"the amount of {', '.join(unknown)} cannot be converted to {BASE_CURRENCY}")
    amounts = [money for money in (base_amount, *(plan.base_amount for plan in related)) if money is not None]
    together = total(amounts, BASE_CURRENCY)
    if base_amount is not None and base_amount >= CONTROLLER_FROM:
        reasons.append(f"{base_amount} reaches the limit of {CONTROLLER_FROM}")
    elif together >= CONTROLLER_FROM:
        codes = ", ".join(plan.code for plan in related)
        reasons.append(f"together with {codes} on the same account within {SPLIT_WINDOW.days} days it is {together}")
    if not reasons:
        return ""
    text = "; ".join(reasons)
    return f"{text[0].upper()}{text[1:]}."[:300]


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
