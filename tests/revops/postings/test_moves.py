"""Every move of a plan and of a posting that is not listed is refused by the database, from every state to every other."""

from __future__ import annotations

import itertools

import pytest
from django.utils import timezone

from revops.cases.models import ExceptionCase
from revops.history import write_history
from revops.people.models import User
from revops.postings.models import PLAN_MOVES, POSTING_MOVES, ChangePlan, PlanState, Posting, PostingState
from tests import guards
from tests.revops import world
from tests.revops.attacker import refusal_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def posting() -> Posting:
    """Of a plan that waits; each test puts both where it wants them."""
    ana: User = world.person("ana", "finance_analyst")
    world.systems()
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    assert isinstance(case, ExceptionCase)
    return world.credit_plan(ana, case).postings.get()


def put(posting: Posting, plan: str, state: str) -> None:
    """As if plan and posting had come there."""
    with guards.down():
        ChangePlan.objects.update(state=plan)
        Posting.objects.filter(pk=posting.pk).update(state=state, vendor_id="1", first_sent_at=None, confirming_entry_id=1)
        write_history(ChangePlan, [posting.plan_id])


@pytest.mark.parametrize("before", PostingState.values)
def test_i29_a_posting_moves_only_as_listed(posting: Posting, before: str) -> None:
    put(posting, "released", before)
    for after in PostingState.values:
        said = refusal_of("UPDATE postings_posting SET state = %s WHERE id = %s", [after, posting.pk])
        allowed = before == after or (before, after) in POSTING_MOVES
        assert (said == "") is allowed, (before, after, said)


@pytest.mark.parametrize("before", PlanState.values)
def test_i29_a_plan_moves_only_as_listed(posting: Posting, before: str) -> None:
    put(posting, before, "void")
    ends = "UPDATE postings_changeplan SET state = %s WHERE id = %s"
    for after in PlanState.values:
        said = refusal_of(ends, [after, posting.plan_id])
        if before == after:
            assert said == ""
        elif (before, after) not in PLAN_MOVES:
            assert "leaves a history row" not in said, "refused for itself, not for want of history"
            assert said, (before, after)
        elif after == "partly_posted":
            assert "when a step of it is posted" in said
        elif after == "released":
            assert "every checkpoint is signed" in said
        elif after == "confirmed":
            assert "when every step of it is" in said
        else:
            assert "leaves a history row" in said, (before, after, said)


def test_i29_what_may_have_left_does_not_become_void(posting: Posting) -> None:
    put(posting, "released", "released")
    void = "UPDATE postings_posting SET state = 'void' WHERE id = %s"
    assert refusal_of(void, [posting.pk]) == "", "nothing was sent yet"
    assert "may have left" in refusal_of("UPDATE postings_changeplan SET state = 'void' WHERE id = %s", [posting.plan_id])
    with guards.down():
        Posting.objects.filter(pk=posting.pk).update(first_sent_at=timezone.now())
    assert "Cannot update" in refusal_of(void, [posting.pk])


@pytest.mark.parametrize("state", sorted(set(PostingState.values) - {"planned"}))
def test_i29_a_posting_that_was_released_is_kept(posting: Posting, state: str) -> None:
    put(posting, "released", state)
    assert "Cannot delete" in refusal_of("DELETE FROM postings_posting WHERE id = %s", [posting.pk])


@pytest.mark.parametrize("made", ["posted", "confirmed"])
def test_i29_a_plan_of_which_a_step_was_made_has_not_failed(posting: Posting, made: str) -> None:
    put(posting, "released", made)
    ends = "UPDATE postings_changeplan SET state = %s WHERE id = %s"
    assert "failed when none is" in refusal_of(ends, ["failed", posting.plan_id])
    assert "leaves a history row" in refusal_of(ends, ["partly_posted", posting.plan_id]), "refused for want of history only"


def test_i29_ends_are_ends() -> None:
    """Only what stands at the vendor, taken for the effect by a controller, moves a plan or posting that ended without one."""
    assert not {before for before, _ in PLAN_MOVES} & {"confirmed", "rejected", "withdrawn", "expired"}
    ended = {"void", "failed", "partly_posted"}
    assert {after for before, after in PLAN_MOVES if before in ended} <= {"confirmed", "partly_posted"}
    assert not {before for before, _ in POSTING_MOVES} & {PostingState.CONFIRMED}
    unsent = {PostingState.REFUSED, PostingState.VOID}
    assert {after for before, after in POSTING_MOVES if before in unsent} == {PostingState.CONFIRMED}
    everything = set(itertools.product(PostingState.values, repeat=2))
    assert set(POSTING_MOVES) <= everything


@pytest.mark.parametrize("state", ["posted", "confirmed"])
def test_i39_nothing_counts_as_posted_without_the_vendors_id(posting: Posting, state: str) -> None:
    put(posting, "released", "sending")
    said = refusal_of("UPDATE postings_posting SET state = %s, vendor_id = '' WHERE id = %s", [state, posting.pk])
    assert "posted_has_vendor_id" in said


def test_i40_a_fence_never_falls(posting: Posting) -> None:
    assert refusal_of("UPDATE postings_posting SET fence = 5 WHERE id = %s", [posting.pk]) == ""
    assert "Cannot update" in refusal_of(
        "UPDATE postings_posting SET fence = 5 WHERE id = %(id)s; UPDATE postings_posting SET fence = 4 WHERE id = %(id)s",
        {"id": posting.pk},
    )
