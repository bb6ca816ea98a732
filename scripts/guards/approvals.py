"""Approvals: other people than the maker, and exactly what was shown."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint, drop_trigger

DRAFT = "tests/revops/postings/test_draft.py"
SIGN = "tests/revops/approvals/test_actions.py"

GUARDS: tuple[Guard, ...] = (
    Guard(
        "approval: maker <> checker (action)",
        f"{SIGN} -k i23",
        "revops/approvals/actions.py",
        "    if user.pk == row.maker_id:",
        "    if False:",
    ),
    Guard(
        "approval: maker <> checker (database)",
        f"{SIGN} -k i23_i30",
        sql=drop_constraint("approvals_decision", "maker_is_not_checker"),
    ),
    Guard(
        "approval: one decision a person (database)",
        f"{SIGN} -k i28_i30",
        sql=drop_constraint("approvals_decision", "one_decision_per_person") + "; "
        "ALTER TABLE approvals_decision DROP CONSTRAINT approvals_decision_checkpoint_id_key",
    ),
    Guard(
        "approval: a decision fits its plan (database)",
        f"{SIGN} -k i24_i27_i30",
        sql=drop_trigger("approvals_decision", "fits_its_plan"),
    ),
    Guard("approval: signatures stay", f"{SIGN} -k i30_i50", sql=drop_trigger("approvals_decision", "signatures_stay")),
    Guard("approval: checkpoints stay", f"{SIGN} -k i30_i50", sql=drop_trigger("approvals_checkpoint", "checkpoints_stay")),
    Guard(
        "approval: digest compared (signature)",
        f"{SIGN} -k i24_an_old",
        "revops/approvals/actions.py",
        "    if digest != row.digest:",
        "    if False:",
    ),
    Guard(
        "approval: digest compared (stored bytes)",
        f"{SIGN} -k i24_bytes",
        "revops/postings/release.py",
        "    if stored_digest(plan, locked_postings(plan)) != plan.digest:",
        "    if False:",
    ),
    Guard(
        "approval: facts compared",
        f"{SIGN} -k i25",
        "revops/postings/release.py",
        "    if facts_digest(now) == plan.facts_digest:",
        "    if True:",
    ),
    Guard(
        "approval: what was submitted is bound",
        f"{DRAFT} -k i24",
        sql=drop_trigger("postings_changeplan", "bound_once_submitted"),
    ),
    Guard(
        "approval: released only when signed (database)",
        f"{SIGN} -k i26_i30",
        sql=drop_trigger("postings_changeplan", "released_only_when_signed"),
    ),
    Guard(
        "approval: listed moves of plans",
        "tests/revops/postings/test_moves.py -k i29_a_plan",
        sql=drop_trigger("postings_changeplan", "listed_moves_only"),
    ),
    Guard("approval: born a draft", f"{DRAFT} -k i29_nothing", sql=drop_trigger("postings_changeplan", "born_a_draft")),
    Guard(
        "approval: the tier is judged again at release",
        f"{SIGN} -k i26",
        "revops/approvals/actions.py",
        "    if _tier_rose(row, acting_user=acting_user):",
        "    if False:",
    ),
    Guard(
        "approval: signers still hold their roles",
        f"{SIGN} -k i27",
        "revops/approvals/requirements.py",
        "        if not may_sign(decision.checkpoint.role, roles_now(decision.decided_by_id)):",
        "        if False:",
    ),
    Guard("approval: one plan under way (database)", f"{DRAFT} -k i28", sql="DROP INDEX one_plan_under_way"),
)
