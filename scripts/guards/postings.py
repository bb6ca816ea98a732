"""Change plans: lines that balance, touches that follow, an end that is told."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_trigger

GUARDS: tuple[Guard, ...] = (
    Guard(
        "lines: debits are credits",
        "tests/revops/postings/test_lines.py -k balance",
        sql=drop_trigger("postings_planline", "amount_is_its_lines"),
    ),
    Guard(
        "lines: the amount is their debits",
        "tests/revops/postings/test_lines.py -k sum_of_its_debits",
        sql=drop_trigger("postings_changeplan", "amount_is_its_lines"),
    ),
    Guard(
        "lines: bound once submitted",
        "tests/revops/postings/test_lines.py -k i24",
        sql=drop_trigger("postings_planline", "written_with_its_draft"),
    ),
    Guard(
        "touches: follow their plan",
        "tests/revops/postings/test_lines.py -k i28",
        sql=drop_trigger("postings_plantouch", "follows_its_plan"),
    ),
    Guard(
        "partly posted: the plan says so",
        "tests/revops/postings/test_moves.py -k i29_a_plan",
        sql=drop_trigger("postings_changeplan", "partly_posted_says_so"),
    ),
)
