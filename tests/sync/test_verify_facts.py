"""I25: what people signed for is read again at the vendor right before the first byte. The ledger here is always behind: what
changes, changes in the vendor's own books after the approval, and no pull brings it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from revops.approvals.actions import submit_plan
from revops.audit.models import ActionRecord
from revops.cases.models import CaseStatus
from revops.ledger.models import SourceRecord
from revops.postings.models import PlanState, PostingState
from sync.models import Delivery
from sync.posting.outbox import send_due
from tests.demo.simulators.control import simulator
from tests.revops import world
from tests.sync.postable import CREDIT_PATH, HOLD_PATH, RENEWAL, Book, again, renewal_plan, time_passes

pytestmark = pytest.mark.django_db(transaction=True)
QUERY = "query/v1/suiteql"


def paid_meanwhile(erp: Book) -> None:
    paid = {"foreignamountpaid": "40620.00", "foreignamountunpaid": "500.00"}
    erp.netsuite.change(collection="transactionline", id="700-0", set=paid)
    erp.netsuite.change(collection="transaction", id="700", set=paid)


def locked_meanwhile(erp: Book) -> None:
    month = f"{world.today():%Y%m}"
    erp.netsuite.change(collection="accountingperiod", id=month, set={"arlocked": "T"})


def voided_meanwhile(erp: Book) -> None:
    erp.netsuite.change(collection="transaction", id="700", set={"status": "V", "voided": "T"})


@pytest.mark.parametrize(
    ("happens", "words"),
    [(paid_meanwhile, "amount remaining of invoice"), (locked_meanwhile, "ar locked of accounting period"),
     (voided_meanwhile, "status of invoice")],
)  # fmt: skip
def test_i25_what_moved_at_the_vendor_goes_back_to_review(erp: Book, happens: Callable[[Book], None], words: str) -> None:
    posting = erp.released()
    happens(erp)
    assert send_due() == 1
    stopped = again(posting)
    assert (stopped.state, stopped.plan.state) == (PostingState.VOID, PlanState.VOID), stopped.last_error
    assert words in str(stopped.plan.outcome)
    assert "Compose it again" in str(stopped.plan.outcome)
    assert (erp.sent(), erp.effects()) == (0, [])
    assert send_due() == 0, "nothing is left to send"
    erp.case.refresh_from_db()
    assert erp.case.status == CaseStatus.OPEN
    noted = ActionRecord.objects.get(verb="plan.void")
    assert noted.after["differences"]
    assert noted.trace_id == posting.trace_id


def test_i25_what_was_read_is_in_the_ledger_with_its_evidence(erp: Book) -> None:
    erp.released()
    paid_meanwhile(erp)
    send_due()
    invoice = SourceRecord.objects.get(system="netsuite", object_type="invoice", external_id="700")
    assert invoice.fields["amount_remaining"] == {"amount": "500.00", "currency": "USD"}
    entry = invoice.entries.latest("id")
    assert Delivery.objects.get(pk=entry.delivery_id or 0).state == "applied"


def test_i25_an_invoice_that_is_gone_stops_it(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", QUERY, read_lag_seconds=0, status=200, body='{"items": [], "hasMore": false}', times=1)
    send_due()
    stopped = again(posting)
    assert stopped.plan.state == PlanState.VOID
    assert "NetSuite does not show accounting period" in str(stopped.plan.outcome)
    assert erp.sent() == 0


@pytest.mark.parametrize("fault", [{"status": 503}, {"reset": "before"}, {"status": 429, "headers": {"Retry-After": "7"}}])
def test_i25_while_it_cannot_be_read_nothing_is_sent_and_nothing_is_lost(erp: Book, fault: dict[str, Any]) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", QUERY, times=0, **fault)
    send_due()
    waiting = again(posting)
    assert (waiting.state, waiting.first_sent_at, waiting.plan.state) == (PostingState.RELEASED, None, PlanState.RELEASED)
    assert waiting.last_error
    assert erp.sent() == 0
    erp.netsuite.clear_faults()
    time_passes(60, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED
    assert len(erp.effects()) == 1


def test_i25_an_answer_that_cannot_be_understood_holds_it_and_is_a_dead_letter(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.change(collection="transaction", id="700", set={"lastmodifieddate": "1850-01-01 00:00:00"})
    send_due()
    waiting = again(posting)
    assert waiting.state == PostingState.RELEASED
    letter = Delivery.objects.get(state="quarantined")
    assert f"delivery {letter.pk}" in waiting.last_error
    assert erp.sent() == 0


def test_i25_a_value_that_cannot_be_read_any_more_is_a_move(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.change(collection="transaction", id="700", set={"status": "Z"})
    send_due()
    held = again(posting)
    assert held.state == PostingState.VOID
    assert erp.sent() == 0
    assert not Delivery.objects.filter(state="quarantined").exists()


def test_i25_before_a_resend_a_move_is_a_persons_question(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=500)
    send_due(limit=1)
    time_passes(5, posting)
    send_due()
    paid_meanwhile(erp)
    time_passes(32, posting)
    send_due()
    stuck = again(posting)
    assert (stuck.state, stuck.needs_person) == (PostingState.UNKNOWN, True)
    assert "amount remaining" in stuck.last_error
    assert stuck.plan.state == PlanState.RELEASED
    assert erp.sent() == 1


def test_i25_a_renewal_that_was_won_meanwhile_is_not_held(tmp_path: Path, transactional_db: None) -> None:
    with simulator("gainsight", tmp_path) as gainsight:
        cleo = world.person("cleo", "cs_analyst")
        plan = submit_plan(renewal_plan(gainsight, cleo), acting_user=cleo)
        gainsight.change(collection="gs_opportunity", id=RENEWAL, set={"RenewalStage": "Closed Won"})
        send_due()
        plan.refresh_from_db()
        assert plan.state == PlanState.VOID
        assert "in progress is now closed as won" in str(plan.outcome)
        assert not [r for r in gainsight.get("requests") if r["method"] == "PUT" and HOLD_PATH in r["path"]]


def test_i25_the_database_voids_nothing_that_may_have_left(erp: Book) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, reset="after")
    send_due(limit=1)
    for table, key in (("postings_posting", posting.pk), ("postings_changeplan", posting.plan_id)):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET state = 'void' WHERE id = %s", [key])
