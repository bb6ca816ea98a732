"""The account's documents as each system has them, one line a document: who has it, at how much, and whether they agree. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from revops.ledger.statement import StatementLine, closing_balances
from revops.money import Money
from revops.policies.policies import Policies
from revops.reference import Ref

Verdict = Literal["agree", "rounding", "apart", "alone", "settled", "none"]


@dataclass(frozen=True, slots=True)
class Pair:
    """One document. `lines` maps a system to what it has; `apart` is the difference where two systems differ. `by` names the
    documents that settle it, or that it settles."""

    lines: Mapping[str, StatementLine]
    verdict: Verdict
    apart: Money | None = None
    by: tuple[str, ...] = ()

    @property
    def first(self) -> StatementLine:
        """The line that names the document: the oldest date, the issuer's where both have one."""
        return next(iter(self.lines.values()))


def moved(line: StatementLine) -> Money | None:
    """What the document moves the receivable by: invoices up, credit memos and payments down; None when it moves nothing."""
    if line.debit is not None:
        return line.debit
    return -line.credit if line.credit is not None else None


def pairs(lines: Sequence[StatementLine], systems: Sequence[str], policies: Policies) -> list[Pair]:
    """The lines joined by the references that the systems themselves carry, in the order of the statement. `systems` are the
    columns; a document that only one of several has is `alone`."""
    joined: dict[Ref, dict[str, StatementLine]] = {}
    for line in lines:
        original = line.record.target("copy_of")
        joined.setdefault(original or line.record.ref, {})[line.system] = line
    found = []
    for group in joined.values():
        ordered = dict(sorted(group.items(), key=lambda item: item[1].role != "billing"))
        found.append(_judged(ordered, policies, several=len(systems) > 1))
    return _offset_by_credits(found, policies)


def _offset_by_credits(found: Sequence[Pair], policies: Policies) -> list[Pair]:
    """An invoice whose difference a credit memo of one system takes away is settled by it, and the memo settles it."""
    memos: dict[Ref, list[Pair]] = {}
    for pair in found:
        if pair.verdict == "alone" and pair.first.kind == "credit_memo":
            for invoice in pair.first.record.targets("invoice"):
                memos.setdefault(invoice, []).append(pair)
    replaced: dict[int, Pair] = {}
    for pair in found:
        if pair.verdict != "apart" or pair.apart is None or pair.first.kind != "invoice":
            continue
        credits = [memo for line in pair.lines.values() for memo in memos.get(line.record.ref, [])]
        amounts = [amount for memo in credits if (amount := memo.first.credit) is not None]
        if amounts and {a.currency for a in amounts} == {pair.apart.currency}:
            total = sum(amounts[1:], start=amounts[0])
            if not policies.beyond_tolerance(total, pair.apart):
                names = tuple(memo.first.document for memo in credits)
                replaced[id(pair)] = replace(pair, verdict="settled", by=names)
                replaced |= {id(m): replace(m, verdict="settled", by=(pair.lines[m.first.system].document,)) for m in credits}
    return [replaced.get(id(pair), pair) for pair in found]


def _judged(lines: Mapping[str, StatementLine], policies: Policies, *, several: bool) -> Pair:
    amounts = [moved(line) for line in lines.values()]
    stated = [amount for amount in amounts if amount is not None]
    if not stated:
        return Pair(lines, "none")
    if len(lines) < 2:
        return Pair(lines, "alone" if several else "none")
    if len(stated) < 2:
        return Pair(lines, "apart")
    low, high = stated[0], stated[1]
    if low.currency != high.currency:
        return Pair(lines, "apart")
    if low == high:
        return Pair(lines, "agree")
    return Pair(lines, "apart" if policies.beyond_tolerance(low, high) else "rounding", abs(high - low))


@dataclass(frozen=True, slots=True)
class Closing:
    """The last balance of each system in one currency, and how far the first two are apart."""

    currency: str
    balances: Mapping[str, Money]
    apart: Money | None


def closings(lines: Sequence[StatementLine], systems: Sequence[str]) -> list[Closing]:
    """One line a currency; no total mixes currencies."""
    found: dict[str, dict[str, Money]] = {}
    for (system, currency), balance in closing_balances(list(lines)).items():
        found.setdefault(currency, {})[system] = balance
    result = []
    for currency, balances in sorted(found.items()):
        known = [balances[system] for system in systems if system in balances]
        result.append(Closing(currency, balances, abs(known[1] - known[0]) if len(known) > 1 else None))
    return result
