"""Submitting, approving, rejecting and withdrawing; and that the database refuses what the actions refuse."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from revops.approvals.actions import approve, expire_undecided, reject, submit_plan, withdraw
from revops.approvals.models import Checkpoint, Decision
from revops.audit.models import ActionRecord
from revops.cases.models import ExceptionCase
from revops.errors import Conflict, NotAllowed, Rejected
from revops.history import write_history
from revops.identity.models import StepUp
from revops.people.actors import System
from revops.people.models import RoleGrant, User
from revops.postings.models import ChangePlan, PlanState, Posting, PostingState
from tests import guards
from tests.accounts import as_owner
from tests.revops import world
from tests.revops.attacker import refusal_of
from tests.revops.world import credit_plan, eur, fresh, usd

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return world.person("ana", "finance_analyst")


@pytest.fixture
def pat() -> User:
    return world.person("pat", "approver")


@pytest.fixture
def cora() -> User:
    return world.person("cora", "controller")


@pytest.fixture
def case() -> ExceptionCase:
    world.systems()
    return world.mismatch(usd("41120.00"), usd("1000.00"))[1]


def sign(plan: ChangePlan, user: User | System, digest: str | None = None) -> ChangePlan:
    return approve(plan, digest=digest or plan.digest, meaning="I checked it", step_up=world.proof(user), acting_user=user)


def submitted(maker: User, case: ExceptionCase, amount: str = "120.00") -> ChangePlan:
    return submit_plan(credit_plan(maker, case, amount), acting_user=maker)


def test_one_approval_releases_a_small_credit_memo(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    assert [c.role for c in plan.checkpoints.all()] == ["approver"]
    assert plan.postings.get().state == PostingState.PLANNED
    released = sign(plan, pat)
    posting = released.postings.get()
    assert (released.state, posting.state) == (PlanState.RELEASED, PostingState.RELEASED)
    assert posting.next_attempt_at is not None
    decision = Decision.objects.get()
    assert (decision.decided_by, decision.digest, decision.meaning) == (pat, plan.digest, "I checked it")
    verbs = list(ActionRecord.objects.filter(subject=f"changeplan:{plan.pk}").order_by("id").values_list("verb", flat=True))
    assert verbs == ["plan.compose", "plan.submit", "plan.approve", "plan.release"]


def test_a_large_one_needs_approver_and_controller_in_sequence(ana: User, pat: User, cora: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case, "10000.00")
    with pytest.raises(Conflict, match="Another signature comes first"):
        sign(plan, cora)
    assert sign(plan, pat).state == PlanState.SUBMITTED
    with pytest.raises(NotAllowed):
        sign(plan, world.person("pit", "approver"))
    assert sign(plan, cora).state == PlanState.RELEASED


def test_i23_one_person_signs_once(ana: User, case: ExceptionCase) -> None:
    both = world.person("both", "approver", "controller")
    plan = submitted(ana, case, "10000.00")
    sign(plan, both)
    with pytest.raises(Conflict, match="signed this plan already"):
        sign(plan, both)


@pytest.mark.parametrize("act", ["approve", "reject"])
def test_i23_the_maker_never_decides_whatever_roles_they_hold(ana: User, case: ExceptionCase, act: str) -> None:
    with guards.down():
        RoleGrant.objects.create(user=ana, role="approver")
        RoleGrant.objects.create(user=ana, role="controller")
    plan = submitted(ana, case)
    with pytest.raises(NotAllowed) as refused:
        sign(plan, ana) if act == "approve" else reject(plan, reason="x", step_up=world.proof(ana), acting_user=ana)
    assert refused.value.code == "maker_is_checker"
    assert not Decision.objects.exists()


@pytest.mark.parametrize("roles", [(), ("finance_analyst",), ("cs_analyst",), ("admin",), ("auditor",)])
def test_i27_without_the_role_nobody_decides(ana: User, case: ExceptionCase, roles: tuple[str, ...]) -> None:
    plan = submitted(ana, case)
    with pytest.raises(NotAllowed):
        sign(plan, world.person("x", *roles))
    yet = world.person("y", *roles)
    with pytest.raises(NotAllowed):
        reject(plan, reason="no", step_up=world.proof(yet), acting_user=yet)


def test_i27_the_system_and_inactive_people_decide_nothing(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    world.gone(pat)
    for actor in (System("demo"), pat):
        with pytest.raises(NotAllowed):
            sign(plan, actor)


def test_i24_an_old_digest_signs_nothing(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    with pytest.raises(Conflict) as refused:
        sign(plan, pat, digest="0" * 64)
    assert refused.value.code == "digest_stale"
    assert fresh(plan).state == PlanState.SUBMITTED


def test_i25_moved_facts_void_the_plan_and_say_what_moved(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    world.say("netsuite", world.entered(usd("41120.00"), amount_remaining=usd("500.00")))
    after = sign(plan, pat)
    assert (after.state, after.postings.get().state) == (PlanState.VOID, PostingState.VOID)
    assert "41120.00 USD is now 500.00 USD" in str(after.outcome)
    told = ActionRecord.objects.get(verb="plan.void")
    assert told.after["maker"] == ana.get_username()
    assert told.after["differences"][0]["field"] == "amount_remaining"
    assert not Decision.objects.exists(), "nobody signs what is not so any more"


def test_i25_a_new_credit_memo_on_the_invoice_voids_the_plan(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    refs = {"customer": f"netsuite:{world.CUSTOMER}", "invoice": f"netsuite:{world.INVOICE}"}
    world.say("netsuite", world.fact("credit_memo", "90", refs, status="applied", total=usd("5.00"), applied=usd("5.00")))
    assert sign(plan, pat).state == PlanState.VOID


def test_i22_i25_a_period_locked_meanwhile_voids_the_plan(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    world.say("netsuite", world.period(ar_locked=True))
    assert "ar locked" in str(sign(plan, pat).outcome)


def test_the_same_said_again_under_a_newer_version_changes_nothing(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    world.say("netsuite", world.entered(usd("41120.00")))
    assert sign(plan, pat).state == PlanState.RELEASED


def test_moved_facts_stop_a_draft_at_submission_and_editing_heals_it(ana: User, case: ExceptionCase) -> None:
    from revops.postings.draft import edit_plan

    plan = credit_plan(ana, case)
    world.say("netsuite", world.entered(usd("41120.00"), amount_remaining=usd("500.00")))
    with pytest.raises(Conflict) as refused:
        submit_plan(plan, acting_user=ana)
    assert refused.value.code == "facts_moved"
    edit_plan(plan, inputs=world.credit_inputs(), reason="Again", acting_user=ana)
    assert submit_plan(plan, acting_user=ana).state == PlanState.SUBMITTED


def test_i22_nothing_is_composed_into_a_period_locked_for_receivables(ana: User, case: ExceptionCase) -> None:
    world.say("netsuite", world.period(ar_locked=True))
    with pytest.raises(Rejected, match="locked for receivables") as refused:
        credit_plan(ana, case)
    assert (refused.value.code, refused.value.field) == ("period_closed", "on")


def test_i27_a_signer_who_lost_the_role_before_release_voids_the_plan(
    ana: User, pat: User, cora: User, case: ExceptionCase
) -> None:
    plan = submitted(ana, case, "10000.00")
    sign(plan, pat)
    RoleGrant.objects.filter(user=pat).delete()
    after = sign(plan, cora)
    assert after.state == PlanState.VOID
    assert "pat@example.com" in str(after.outcome)


def test_i27_a_maker_who_left_before_release_voids_the_plan(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    world.gone(ana)
    assert sign(plan, pat).state == PlanState.VOID


def second_invoice(case: ExceptionCase) -> ExceptionCase:
    world.say("stripe", world.fact("invoice", "in_701", {"customer": "stripe:cus_1"}, number="A-2", status="open",
        total=usd("1000.00"),
                                   credited=usd("0.00"), finalized_at=world.days_ago(5)))  # fmt: skip
    world.say("netsuite", world.entered(usd("41120.00"), key="701", of="in_701"))
    world.detect()
    return ExceptionCase.objects.filter(rule=case.rule).exclude(pk=case.pk).get()


def test_i26_amounts_split_over_two_plans_are_judged_together(ana: User, pat: User, case: ExceptionCase) -> None:
    first = submitted(ana, case, "6000.00")
    assert first.checkpoints.count() == 1
    second = submit_plan(credit_plan(ana, second_invoice(case), "6000.00", invoice_id="701"), acting_user=ana)
    assert [c.role for c in second.checkpoints.all()] == ["approver", "controller"]
    assert first.code in str(second.checkpoints.last().why)  # type: ignore[union-attr]
    after = sign(first, pat)
    assert after.state == PlanState.SUBMITTED, "the tier is judged again at release, and the other plan counts by then"
    assert [c.role for c in after.checkpoints.all()] == ["approver", "controller"]
    assert ActionRecord.objects.filter(verb="plan.tier_rose").count() == 1


def test_i26_waiting_longer_than_the_window_gets_nobody_below_a_tier(ana: User, pat: User, case: ExceptionCase) -> None:
    """Handed in eight days ago and signed today, it leaves today."""
    first = submitted(ana, case, "6000.00")
    with guards.down():
        ChangePlan.objects.filter(pk=first.pk).update(submitted_at=world.days_ago(8))
        write_history(ChangePlan, [first.pk])
    other = second_invoice(case)
    for state in ("waits", "left"):
        second = submit_plan(credit_plan(ana, other, "6000.00", invoice_id="701"), acting_user=ana)
        assert [c.role for c in second.checkpoints.all()] == ["approver", "controller"], state
        withdraw(second, reason="x", acting_user=ana)
        sign(first, pat) if state == "waits" else None
    with guards.down():  # and when it left long ago it counts no more
        ChangePlan.objects.filter(pk=first.pk).update(state=PlanState.CONFIRMED, released_at=world.days_ago(8))
        write_history(ChangePlan, [first.pk])
    second = submit_plan(credit_plan(ana, other, "6000.00", invoice_id="701"), acting_user=ana)
    assert second.checkpoints.count() == 1
    withdraw(second, reason="x", acting_user=ana)
    with guards.down():  # released long ago, held, and sent today
        Posting.objects.filter(plan=first).update(first_sent_at=world.now())
    third = submit_plan(credit_plan(ana, other, "6000.00", invoice_id="701"), acting_user=ana)
    assert [c.role for c in third.checkpoints.all()] == ["approver", "controller"]


def test_what_nobody_decides_expires_unsent(ana: User, pat: User, case: ExceptionCase) -> None:
    plan, late = submitted(ana, case), world.now() + dt.timedelta(days=15)
    assert expire_undecided(now=world.now() + dt.timedelta(days=13)) == 0
    assert expire_undecided(now=late) == 1
    expired = fresh(plan)
    assert (expired.state, expired.postings.get().state) == (PlanState.EXPIRED, PostingState.VOID)
    assert "Not decided in time" in str(expired.outcome)
    with pytest.raises(Conflict, match="expired"):
        sign(expired, pat)
    assert expire_undecided(now=late) == 0
    assert ActionRecord.objects.filter(verb="plan.expire", case_id=case.pk).count() == 1
    assert submitted(ana, case).state == PlanState.SUBMITTED, "it can be composed again"


def test_i26_a_rejected_plan_no_longer_counts(ana: User, pat: User, case: ExceptionCase) -> None:
    reject(submitted(ana, case, "6000.00"), reason="Wrong", step_up=world.proof(pat), acting_user=pat)
    second = submit_plan(credit_plan(ana, second_invoice(case), "6000.00", invoice_id="701"), acting_user=ana)
    assert second.checkpoints.count() == 1


@pytest.mark.parametrize(("rates", "count"), [(("1.10",), 2), (("1.05",), 1), ((), 2)])
def test_i26_foreign_amounts_are_judged_by_the_newest_rate_or_strictly(ana: User, rates: tuple[str, ...], count: int) -> None:
    world.systems()
    _, case = world.mismatch(eur("10500.00"), eur("1000.00"))
    for value in rates:
        world.say("netsuite", world.rate("EUR", value))
    plan = submitted(ana, case, "9500.00")
    assert plan.checkpoints.count() == count


def test_rejecting_needs_a_reason_and_ends_the_plan(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    with pytest.raises(Rejected) as refused:
        reject(plan, reason="  ", step_up=world.proof(pat), acting_user=pat)
    assert refused.value.field == "reason"
    after = reject(plan, reason="The discount was agreed", step_up=world.proof(pat), acting_user=pat)
    assert (after.state, after.postings.get().state) == (PlanState.REJECTED, PostingState.VOID)
    assert "The discount was agreed" in str(after.outcome)
    with pytest.raises(Conflict):
        sign(plan, world.person("pit", "approver"))


def test_a_signature_says_what_it_means(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    for meaning in ("", " ", "x" * 201):
        with pytest.raises(Rejected):
            approve(plan, digest=plan.digest, meaning=meaning, step_up=world.proof(pat), acting_user=pat)


def test_only_the_maker_withdraws_and_only_before_release(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case)
    with pytest.raises(NotAllowed):
        withdraw(plan, reason="x", acting_user=pat)
    released = sign(plan, pat)
    with pytest.raises(Conflict) as refused:
        withdraw(released, reason="x", acting_user=ana)
    assert refused.value.code == "too_late"


def test_a_second_plan_on_the_same_invoice_waits_for_the_first(ana: User, pat: User, case: ExceptionCase) -> None:
    first, second = submitted(ana, case), credit_plan(ana, case)
    with pytest.raises(Conflict, match=first.code):
        submit_plan(second, acting_user=ana)
    withdraw(first, reason="x", acting_user=ana)
    assert submit_plan(second, acting_user=ana).state == PlanState.SUBMITTED


def test_only_the_maker_submits_and_only_once(ana: User, case: ExceptionCase) -> None:
    plan = credit_plan(ana, case)
    with pytest.raises(NotAllowed):
        submit_plan(plan, acting_user=world.person("bob", "finance_analyst"))
    submit_plan(plan, acting_user=ana)
    with pytest.raises(Conflict):
        submit_plan(plan, acting_user=ana)


# --- the database refuses the same, as raw SQL ----------------------------------------------------------------------

DECIDE = (
    "INSERT INTO approvals_decision "
    "(plan_id, checkpoint_id, decided_by_id, maker_id, verdict, meaning, reason, digest, policy_version, request_id, step_up_id) "
    "VALUES (%(plan)s, %(checkpoint)s, %(by)s, %(maker)s, 'approved', 'x', '', %(digest)s, '', '', %(proof)s)"
)


def run(sql: str, values: Any) -> None:
    """Raw SQL, by somebody who leaves the history that the database demands."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql, values)
        write_history(ChangePlan, ChangePlan.objects.values_list("pk", flat=True))


@pytest.fixture
def valid(ana: User, pat: User, case: ExceptionCase) -> dict[str, object]:
    """A decision that the database would take."""
    plan = submitted(ana, case)
    checkpoint = plan.checkpoints.get()
    return {"plan": plan.pk, "checkpoint": checkpoint.pk, "by": pat.pk, "maker": ana.pk, "digest": plan.digest,
            "proof": world.proof(pat).pk}  # fmt: skip


def test_i30_raw_sql_may_sign_what_fits(valid: dict[str, object]) -> None:
    run(DECIDE, valid)
    assert Decision.objects.count() == 1


def test_i23_i30_raw_sql_cannot_sign_as_the_maker(valid: dict[str, object], ana: User) -> None:
    with guards.down():
        RoleGrant.objects.create(user=ana, role="approver")
    with pytest.raises(DatabaseError, match="maker_is_not_checker"):
        run(DECIDE, {**valid, "by": ana.pk, "proof": world.proof(ana).pk})


@pytest.mark.parametrize("which", ["none", "another person's", "old"])
def test_i30_i58_raw_sql_cannot_sign_without_a_fresh_proof(valid: dict[str, object], ana: User, pat: User, which: str) -> None:
    old = world.proof(pat)
    with guards.down():
        StepUp.objects.filter(pk=old.pk).update(at=world.now() - dt.timedelta(minutes=5, seconds=1))
    proofs = {"none": None, "another person's": world.proof(ana).pk, "old": old.pk}
    with pytest.raises(DatabaseError, match="nobody decides without a fresh proof"):
        run(DECIDE, {**valid, "proof": proofs[which]})


@pytest.mark.parametrize("lie", ["maker", "digest", "by", "checkpoint"])
def test_i24_i27_i30_raw_sql_cannot_sign_what_does_not_fit(
    valid: dict[str, object], cora: User, case: ExceptionCase, lie: str
) -> None:
    stranger = world.person("sam", "finance_analyst")
    other = submit_plan(credit_plan(stranger, second_invoice(case), invoice_id="701"), acting_user=stranger)
    lies: dict[str, object] = {
        "maker": cora.pk, "digest": "0" * 64, "by": stranger.pk, "checkpoint": other.checkpoints.get().pk,
    }  # fmt: skip
    with pytest.raises(DatabaseError, match="does not fit its plan"):
        run(DECIDE, {**valid, lie: lies[lie]})


def test_i28_i30_raw_sql_cannot_sign_twice_or_after_the_end(valid: dict[str, object], ana: User) -> None:
    run(DECIDE, valid)
    with pytest.raises(DatabaseError):
        run(DECIDE, valid)
    plan = ChangePlan.objects.get()
    withdraw(plan, reason="x", acting_user=ana)
    with pytest.raises(DatabaseError, match="does not fit its plan"):
        run(DECIDE, {**valid, "by": world.person("pit", "approver").pk})


def test_i30_i50_raw_sql_cannot_change_or_remove_signatures_and_checkpoints(valid: dict[str, object]) -> None:
    run(DECIDE, valid)
    for sql in (
        "UPDATE approvals_decision SET verdict = 'rejected'",
        "DELETE FROM approvals_decision",
        "UPDATE approvals_checkpoint SET role = 'auditor'",
        "DELETE FROM approvals_checkpoint",
    ):
        with pytest.raises(DatabaseError):
            run(sql, [])
        with as_owner():
            assert "Cannot" in refusal_of(sql), "not even by the owner of the table"


def test_i26_i30_raw_sql_cannot_release_without_every_signature(ana: User, pat: User, case: ExceptionCase) -> None:
    plan = submitted(ana, case, "10000.00")
    sign(plan, pat)
    with pytest.raises(DatabaseError, match="every checkpoint is signed"):
        run("UPDATE postings_changeplan SET state = 'released' WHERE id = %s", [plan.pk])


def test_i26_i30_raw_sql_cannot_release_money_that_has_no_checkpoint(ana: User, case: ExceptionCase) -> None:
    plan = credit_plan(ana, case)
    run("UPDATE postings_changeplan SET state = 'submitted' WHERE id = %s", [plan.pk])
    with pytest.raises(DatabaseError, match="every checkpoint is signed"):
        run("UPDATE postings_changeplan SET state = 'released' WHERE id = %s", [plan.pk])


def test_i24_bytes_changed_behind_the_guards_are_noticed_before_release(ana: User, pat: User, case: ExceptionCase) -> None:
    """Even with every trigger off: what is sent is what was signed, or nothing."""
    plan = submitted(ana, case)
    with guards.down():
        run("UPDATE postings_posting SET body = 'other'::bytea", None)
    after = sign(plan, pat)
    assert after.state == PlanState.VOID
    assert "digest does not fit" in str(after.outcome)
    assert Posting.objects.get().state == PostingState.VOID
    assert Checkpoint.objects.filter(decision__isnull=True).count() == 1
