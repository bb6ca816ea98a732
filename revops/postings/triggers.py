"""What the database holds about plans beyond single columns: SQL of the triggers that `models` declares."""

from __future__ import annotations

import pgtrigger
from django.db import models

from revops.postings.changes import CHANGES, Change

MOVES_MONEY = frozenset(code for code, change in CHANGES.items() if change.lines is not Change.lines)
"""The codes of the changes that book something. Another one is a migration, so that the database knows it too."""

UNDER_WAY = ("submitted", "released", "posted")
"""States in which a plan may still have an effect that the ledger does not show yet. So may the posted steps of a plan that is
partly posted."""


def may_have_effect(plan_id: str, steps: str) -> str:
    """SQL: whether the effect of these steps of the plan may be still to come, or be there and not in the ledger yet."""
    states = ", ".join(f"'{state}'" for state in UNDER_WAY)
    return (
        f"EXISTS (SELECT 1 FROM postings_changeplan p WHERE p.id = {plan_id} AND (p.state IN ({states}) "  # noqa: S608
        "OR p.state = 'partly_posted' AND EXISTS (SELECT 1 FROM postings_posting s "
        f"WHERE s.plan_id = p.id AND s.sequence = ANY({steps}) AND s.state = 'posted')))"
    )


def touches_follow(plan_id: str) -> str:
    """SQL statement that sets `under_way` of the plan's touches to what the plan and its postings say now."""
    wanted = may_have_effect("t.plan_id", "t.steps")
    return (
        f"UPDATE postings_plantouch t SET under_way = {wanted} "  # noqa: S608 - made of our own tables
        f"WHERE t.plan_id = {plan_id} AND t.under_way <> {wanted};"
    )


class AmountIsItsLines(pgtrigger.Trigger):
    """At commit a plan's lines sum to zero in every currency, and its amount is the sum of their debits in its currency.

    `plan_column` is the column that holds the plan's id in the table that the trigger watches.
    """

    name = "amount_is_its_lines"
    when = pgtrigger.After
    operation = pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete
    timing = pgtrigger.Deferred

    def __init__(self, plan_column: str) -> None:
        super().__init__()
        self.plan_column = plan_column

    def get_func(self, model: models.Model) -> str:  # noqa: ARG002 - as the library calls it
        plans = f"(OLD.{self.plan_column}, NEW.{self.plan_column})"
        text = f"""
            IF EXISTS (
                SELECT 1 FROM postings_planline l WHERE l.plan_id IN {plans} GROUP BY l.plan_id, l.currency
                HAVING SUM(CASE l.side WHEN 'debit' THEN l.amount_minor ELSE -l.amount_minor END) <> 0
            ) THEN
                RAISE EXCEPTION 'the debits and credits of a plan are equal in every currency' USING ERRCODE = 'check_violation';
            END IF;
            IF EXISTS (
                SELECT 1 FROM postings_changeplan p JOIN postings_planline l ON l.plan_id = p.id WHERE p.id IN {plans}
                 GROUP BY p.id, p.amount_minor, p.currency
                HAVING p.amount_minor <> COALESCE(
                       SUM(l.amount_minor) FILTER (WHERE l.side = 'debit' AND l.currency = p.currency), 0)
            ) THEN
                RAISE EXCEPTION 'the amount of a plan is the sum of its debits' USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        """  # noqa: S608 - the column is one of our models
        return " ".join(text.split())


class AmountIsGiven(pgtrigger.Trigger):
    """A plan is handed in with its amount when its lines or its steps move money: what it is signed for is told by the amount."""

    name = "amount_is_given"
    when = pgtrigger.Before
    operation = pgtrigger.Update
    condition = pgtrigger.Q(old__state="draft", new__state="submitted", new__amount_minor=0)

    def get_func(self, model: models.Model) -> str:  # noqa: ARG002 - as the library calls it
        moving = ", ".join(f"'{code}'" for code in sorted(MOVES_MONEY))
        return (
            "IF EXISTS (SELECT 1 FROM postings_planline l WHERE l.plan_id = NEW.id) "  # noqa: S608 - the codes are ours
            f"OR EXISTS (SELECT 1 FROM postings_posting p WHERE p.plan_id = NEW.id AND p.operation IN ({moving})) THEN "
            "RAISE EXCEPTION 'a plan that moves money gives its amount' USING ERRCODE = 'check_violation'; END IF; RETURN NEW;"
        )


def written_with_its_draft() -> pgtrigger.Trigger:
    """Rows of a plan's content come and go while the plan is a draft."""
    return pgtrigger.Trigger(
        name="written_with_its_draft",
        operation=pgtrigger.Insert | pgtrigger.Delete,
        when=pgtrigger.Before,
        func=(
            "IF NOT EXISTS (SELECT 1 FROM postings_changeplan p WHERE p.id = COALESCE(NEW.plan_id, OLD.plan_id) "
            "AND p.state = 'draft') THEN RAISE EXCEPTION 'what a plan says is written while it is a draft' "
            "USING ERRCODE = 'check_violation'; END IF; "
            "IF TG_OP = 'DELETE' THEN RETURN OLD; END IF; RETURN NEW;"
        ),
    )
