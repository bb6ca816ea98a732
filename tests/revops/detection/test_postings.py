"""What we have sent and nobody can explain is an exception in the queue, with an owner and a due time, until it is explained."""

from __future__ import annotations

import pytest

from revops.cases.models import CaseStatus, ExceptionCase
from tests.revops import world

pytestmark = pytest.mark.django_db


def memo(key: str, *, deleted: bool = False) -> None:
    """The ERP has a credit memo under our reference."""
    total = world.usd("120.00")
    to = {"customer": f"netsuite:{world.CUSTOMER}", "change": f"revops:{key}"}
    world.say("netsuite", world.fact("credit_memo", "90", to, status="applied", total=total, deleted=deleted))
    world.detect()


def unexplained() -> ExceptionCase:
    return ExceptionCase.objects.get(rule="unexplained_posting")


def test_a_record_under_our_reference_that_no_posting_explains_is_an_exception_until_it_is_gone() -> None:
    world.systems()
    world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    memo("rvo-0000forgotten")
    found = unexplained()
    assert (found.status, found.get_severity_display(), found.systems) == (CaseStatus.OPEN, "Critical", ["netsuite"])
    assert "rvo-0000forgotten" in str(found.sentence)
    assert found.evidence["records"][0]["external_id"] == "90"
    memo("rvo-0000forgotten")
    assert unexplained().row_version == found.row_version, "said once"
    memo("rvo-0000forgotten", deleted=True)
    assert unexplained().status == CaseStatus.CLOSED


def test_the_record_of_a_posting_that_we_know_is_explained() -> None:
    world.systems()
    case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]
    plan = world.credit_plan(world.person("ana", "finance_analyst"), case)
    memo(plan.postings.get().key)
    assert not ExceptionCase.objects.filter(rule="unexplained_posting").exists()
    waits = ExceptionCase.objects.get(rule="posting_waits_for_person")
    assert plan.code in str(waits.sentence), "a draft has no effect: that is for a person"
