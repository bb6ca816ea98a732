"""Once a byte of a write has left, only proof decides: whatever the vendor, or a gateway before it, answers then."""

from __future__ import annotations

from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from revops.cases.models import CaseStatus
from revops.postings.models import PlanState, PostingState
from sync.posting.outbox import send_due
from tests import guards
from tests.demo.simulators.control import simulator
from tests.revops import world
from tests.sync.postable import CREDIT_PATH, HOLD_PATH, Book, again, evidence_arrives, read_all, renewal_plan, time_passes

pytestmark = pytest.mark.django_db(transaction=True)

OWN = '{"o:errorDetails": [{"o:errorCode": "INSUFFICIENT_PERMISSION", "detail": "The role may not do this."}]}'
GATEWAY = "<html>Forbidden</html>"


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 429, "headers": {"Retry-After": "1"}},
        *(
            {"status": status, "body": body}
            for status, body in zip((400, 401, 403, 404, 409), cycle((OWN, GATEWAY)), strict=False)
        ),
        {"status": 302, "headers": {"Location": "https://example.com/"}},
    ],
    ids=lambda answer: f"{answer['status']}{' own' if answer.get('body') == OWN else ''}",
)
def test_an_effect_that_was_answered_with_a_no_is_found_and_never_made_twice(erp: Book, answer: dict[str, Any]) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, after_effect=True, **answer)
    send_due(limit=1)
    assert (again(posting).state, again(posting).plan.state) == (PostingState.UNKNOWN, PlanState.RELEASED)
    time_passes(5, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED
    assert (len(erp.effects()), erp.sent()) == (1, 1)


@pytest.mark.parametrize("reading", [{"status": 403}, {"status": 302}, {"status": 401, "times": 2}, {"status": 404}])
def test_an_effect_whose_read_back_is_refused_is_found_later(erp: Book, reading: dict[str, Any]) -> None:
    posting = erp.released()
    erp.netsuite.fault("GET", "creditMemo/", skip=2, **reading)  # after the two looks for our key
    send_due(limit=1)
    assert len(erp.effects()) == 1
    assert again(posting).state == PostingState.UNKNOWN
    for _ in range(3):
        time_passes(60, posting)
        send_due()
    assert again(posting).state == PostingState.POSTED
    assert (len(erp.effects()), erp.sent()) == (1, 1)


def test_the_vendors_own_refusal_counts_once_two_looks_find_nothing(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=403, body=OWN, times=0)
    send_due(limit=1)
    assert again(posting).state == PostingState.UNKNOWN
    time_passes(5, posting)
    send_due()
    assert again(posting).state == PostingState.UNKNOWN, "the vendor's reads may lag"
    time_passes(40, posting)
    send_due()
    refused = again(posting)
    assert (refused.state, refused.plan.state) == (PostingState.REFUSED, PlanState.FAILED)
    assert "The role may not do this" in str(refused.plan.outcome)
    erp.case.refresh_from_db()
    assert erp.case.status == CaseStatus.OPEN
    assert (erp.effects(), erp.sent()) == ([], 1)


@pytest.mark.parametrize("status", [401, 403])
def test_what_a_gateway_turned_away_is_sent_again_after_two_looks(erp: Book, status: int) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=status, body=GATEWAY)
    send_due(limit=1)
    for _ in range(2):
        time_passes(40, posting)
        send_due()
    assert again(posting).state == PostingState.POSTED
    assert (len(erp.effects()), erp.sent()) == (1, 2)


def test_our_own_effect_moves_the_facts_and_voids_nothing(erp: Book) -> None:
    """The vendor asks us to wait, after the effect; meanwhile the ledger reads what the effect has changed."""
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=429, headers={"Retry-After": "1"}, after_effect=True)
    send_due(limit=1)
    read_all("netsuite")
    time_passes(60, posting)
    send_due()
    evidence_arrives()
    done = again(posting)
    assert (done.state, done.plan.state) == (PostingState.CONFIRMED, PlanState.CONFIRMED)
    assert len(erp.effects()) == 1


def test_what_a_restored_database_has_forgotten_is_found_under_its_key(erp: Book) -> None:
    """As after a restore: here the posting is new, there it was made long ago, and the facts have moved by it."""
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, reset="after")
    send_due(limit=1)
    with guards.down(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE postings_posting SET state = 'released', first_sent_at = NULL, attempts = 0, next_attempt_at = now(), "
            "lease_until = NULL, last_error = '' WHERE id = %s",
            [posting.pk],
        )
    send_due()
    assert again(posting).state == PostingState.POSTED
    assert (len(erp.effects()), erp.sent()) == (1, 1)


@pytest.mark.parametrize(("state", "plan_state"), [("void", "void"), ("planned", "submitted")])
def test_a_record_under_a_key_without_effect_is_an_alarm(erp: Book, state: str, plan_state: str) -> None:
    """A database that believes that nothing has left, as one that was restored, and a vendor that has our record."""
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, reset="after")
    send_due(limit=1)
    with guards.down(), connection.cursor() as cursor:
        cursor.execute("UPDATE postings_posting SET state = %s, first_sent_at = NULL WHERE id = %s", [state, posting.pk])
        cursor.execute("UPDATE postings_changeplan SET state = %s WHERE id = %s", [plan_state, posting.plan_id])
    read_all("netsuite")
    found = again(posting)
    assert (found.state, found.needs_person) == (state, True)
    assert f"taken for {state}" in found.last_error


@pytest.mark.parametrize("answer", [{"status": 429}, {"status": 403}, {"status": 302}, {"status": 401}])
def test_a_hold_that_was_answered_with_a_no_is_found(tmp_path: Path, transactional_db: None, answer: dict[str, Any]) -> None:
    with simulator("gainsight", tmp_path) as gainsight:
        from revops.approvals.actions import submit_plan

        cleo = world.person("cleo", "cs_analyst")
        posting = submit_plan(renewal_plan(gainsight, cleo), acting_user=cleo).postings.get()
        gainsight.fault("PUT", HOLD_PATH, after_effect=True, **answer)
        send_due(limit=1)
        assert again(posting).state == PostingState.UNKNOWN
        for _ in range(2):
            time_passes(70, posting)
            send_due()
        assert again(posting).state == PostingState.POSTED
        assert len([effect for effect in gainsight.get("effects") if effect["collection"] == "gs_opportunity"]) == 1
