"""Change plans: lines that balance, touches that follow, an end that is told."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint, drop_trigger

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
    Guard(
        "lines: stay as they were written",
        "tests/revops/postings/test_lines.py -k i24_a_line",
        sql=drop_trigger("postings_planline", "lines_stay"),
    ),
    Guard(
        "lines: above zero",
        "tests/revops/postings/test_lines.py -k side_and_an_amount",
        sql=drop_constraint("postings_planline", "line_above_zero"),
    ),
    Guard(
        "lines: debit or credit",
        "tests/revops/postings/test_lines.py -k side_and_an_amount",
        sql=drop_constraint("postings_planline", "line_has_a_side"),
    ),
    Guard(
        "touches: written with their draft",
        "tests/revops/postings/test_lines.py -k i24_lines",
        sql=drop_trigger("postings_plantouch", "written_with_its_draft"),
    ),
    Guard(
        "touches: born at rest",
        "tests/revops/postings/test_lines.py -k i28_a_touch",
        sql=drop_trigger("postings_plantouch", "born_at_rest"),
    ),
    Guard(
        "touches: move with their plan",
        "tests/revops/postings/test_lines.py -k i28_a_touch",
        sql=drop_trigger("postings_changeplan", "touches_follow"),
    ),
    Guard(
        "plans: kept for ever",
        "tests/revops/postings/test_draft.py -k i29_ended",
        sql=drop_trigger("postings_changeplan", "kept_for_ever"),
    ),
    Guard(
        "postings: born planned",
        "tests/revops/postings/test_draft.py -k i29_nothing",
        sql=drop_trigger("postings_posting", "born_planned"),
    ),
    Guard(
        "postings: kept once released",
        "tests/revops/postings/test_moves.py -k is_kept",
        sql=drop_trigger("postings_posting", "kept_once_released"),
    ),
    Guard(
        "postings: void only while unsent",
        "tests/revops/postings/test_moves.py -k may_have_left",
        sql=drop_trigger("postings_posting", "void_only_unsent"),
    ),
    Guard(
        "postings: confirmed by a record",
        "tests/revops/postings/test_recover.py -k only_by_a_record",
        sql=drop_trigger("postings_posting", "confirmed_by_a_record"),
    ),
    Guard(
        "plans: confirmed when every step is",
        "tests/revops/postings/test_recover.py -k only_by_a_record",
        sql=drop_trigger("postings_changeplan", "confirmed_when_all_is_proven"),
    ),
    Guard(
        "alarms: what waits for a person is an exception",
        "tests/sync/test_outbox.py -k i37_resends",
        "revops/detection/postings.py",
        "    waiting = Posting.objects.filter(plan__account__in=account_ids, needs_person=True)",
        "    waiting = Posting.objects.none()",
    ),
    Guard(
        "verdicts: written once",
        "tests/revops/postings/test_recover.py -k is_said_to_be",
        sql=drop_trigger("postings_recordverdict", "append_only"),
    ),
    Guard(
        "verdicts: who took part gives none",
        "tests/revops/postings/test_recover.py -k took_part",
        "revops/postings/recover.py",
        "if user.pk == plan.maker_id or plan.decisions.filter(decided_by=user).exists():",
        "if False:",
    ),
    Guard(
        "verdicts: only what was approved is adopted",
        "tests/revops/postings/test_recover.py -k 'no_effect or never_approved'",
        "revops/postings/recover.py",
        "    if plan.released_at is None:",
        "    if False:",
    ),
    Guard(
        "cases: what is left of a partial fix stays said",
        "tests/revops/cases/test_update_cases.py -k partial_fix",
        "revops/cases/lifecycle.py",
        "if (now >= s.due_at and not s.held) or s.fingerprint in live}",
        "if now >= s.due_at and not s.held}",
    ),
    Guard(
        "plans: void only while nothing was sent",
        "tests/revops/postings/test_moves.py -k may_have_left",
        sql=drop_trigger("postings_changeplan", "void_only_unsent"),
    ),
)
