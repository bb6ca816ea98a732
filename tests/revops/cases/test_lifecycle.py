"""Cases open, refresh, close and come back by what the systems say."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revops.accounts.models import Account
from revops.audit.models import ActionRecord
from revops.cases.lifecycle import wake_due_cases
from revops.cases.models import CaseStatus, ExceptionCase, Expectation
from revops.detection.run import detect_due, mark_expected
from revops.ledger.due import count_due
from revops.ledger.facts import Fact, Value
from revops.ledger.freshness import read_through
from revops.ledger.models import SourceSystem
from revops.ledger.record import DeliveredFact, record
from revops.money import Money
from tests import guards
from tests.pointing import pointing

pytestmark = pytest.mark.django_db

T0 = dt.datetime(2026, 11, 1, 9, tzinfo=dt.UTC)
CRM_ID = "0015e00000AbCd1AAF"


@pytest.fixture(autouse=True)
def systems() -> None:
    for slug in ("crm", "billing", "erp", "customer_success"):
        SourceSystem.objects.create(slug=slug, label=slug.title(), role=slug, vendor="test")


def at(hours: float) -> dt.datetime:
    return T0 + dt.timedelta(hours=hours)


def fact(kind: str, key: str, hours: float, refs: dict[str, str] | None = None, **fields: Value) -> Fact:
    return Fact(kind, key, f"{at(hours):%Y%m%d%H%M%S}", at(hours), fields, pointing(kind, refs))


def say(*statements: tuple[str, Fact], now: dt.datetime) -> None:
    with transaction.atomic():
        for system, said in statements:
            record(system, [DeliveredFact(said)], now=now)


def detect(now: dt.datetime, *, erp_read_through: dt.datetime | None = None) -> None:
    """Every system was read up to now, unless the ERP was not."""
    for slug in ("crm", "billing", "customer_success"):
        read_through(slug, ("contract", "invoice"), now)
    read_through("erp", ("contract", "invoice"), erp_read_through or now)
    while detect_due(limit=50, now=now):
        pass


def usd(amount: str) -> Money:
    return Money(Decimal(amount), "USD")


CUSTOMERS = [
    ("crm", fact("customer", CRM_ID, 0, name="Halden", currency="USD")),
    ("billing", fact("customer", "cus_1", 0, {"same_as": f"crm:{CRM_ID}"}, name="Halden")),
    ("erp", fact("customer", "9", 0, {"same_as": f"crm:{CRM_ID}"}, name="Halden")),
    ("customer_success", fact("customer", "1P02", 0, {"same_as": f"crm:{CRM_ID}"}, name="Halden")),
]


def billed(hours: float, total: str, finalized: float = 1) -> tuple[str, Fact]:
    return (
        "billing",
        fact(
            "invoice",
            "in_1",
            hours,
            {"customer": "billing:cus_1"},
            number="A-1",
            status="open",
            total=usd(total),
            finalized_at=at(finalized),
        ),
    )


def entered(hours: float, total: str, credited: str = "0.00") -> tuple[str, Fact]:
    refs = {"customer": "erp:9", "copy_of": "billing:in_1"}
    return (
        "erp",
        fact("invoice", "501", hours, refs, number="INV-501", status="open", total=usd(total), credited=usd(credited)),
    )


def test_a_missing_posting_is_first_an_expectation_then_a_case_then_closed_by_evidence() -> None:
    say(*CUSTOMERS, billed(1, "900.00"), now=at(2))
    detect(at(2))
    assert ExceptionCase.objects.count() == 0
    waiting = Expectation.objects.get()
    assert waiting.due_at == at(25)

    assert mark_expected(now=at(24)) == 0
    assert mark_expected(now=at(26)) == 1
    detect(at(26))
    case = ExceptionCase.objects.get()
    assert (case.rule, case.status, case.amount_minor, case.currency) == ("invoice_not_posted", "open", 90000, "USD")
    assert Expectation.objects.count() == 0
    assert case.team == "finance"
    assert case.due_at == at(26 + 24)

    say(entered(27, "900.00"), now=at(27))
    detect(at(27))
    case.refresh_from_db()
    assert case.status == CaseStatus.CLOSED
    assert {"system": "erp", "object_type": "invoice", "external_id": "501"}.items() <= next(
        row for row in case.close_evidence["records"] if row["external_id"] == "501"
    ).items()
    verbs = list(ActionRecord.objects.filter(case_id=case.pk).order_by("id").values_list("verb", "actor_label"))
    assert verbs == [("case.open", "system:detection"), ("case.close", "system:detection")]


def test_nothing_is_missing_from_a_system_that_was_not_read_that_far() -> None:
    say(*CUSTOMERS, billed(1, "900.00"), now=at(2))
    detect(at(40), erp_read_through=at(24))
    assert ExceptionCase.objects.count() == 0, "due at hour 25, and the ERP is known up to hour 24 only"
    waiting = Expectation.objects.get()
    assert waiting.due_at > at(40)
    assert mark_expected(now=at(40)) == 0
    read_through("erp", ("contract", "invoice"), at(26))
    assert mark_expected(now=at(40)) == 1, "as soon as the ERP is read so far, not when its turn comes"
    detect(at(41), erp_read_through=at(26))
    assert ExceptionCase.objects.get().rule == "invoice_not_posted"


def test_f41_the_same_contradiction_comes_back_as_the_same_case() -> None:
    say(*CUSTOMERS, billed(1, "900.00"), entered(2, "1000.00"), now=at(10))
    detect(at(10))
    case = ExceptionCase.objects.get()
    say(entered(11, "1000.00", credited="100.00"), now=at(11))
    detect(at(11))
    case.refresh_from_db()
    assert case.status == CaseStatus.CLOSED
    say(entered(12, "1000.00", credited="0.00"), now=at(20))
    detect(at(20))
    case.refresh_from_db()
    assert (case.status, case.reopened_count, ExceptionCase.objects.count()) == ("open", 1, 1)


def test_a_changed_contradiction_refreshes_its_case_and_an_unchanged_one_writes_nothing() -> None:
    say(*CUSTOMERS, billed(1, "900.00"), entered(2, "1000.00"), now=at(10))
    detect(at(10))
    case = ExceptionCase.objects.get()
    say(("crm", fact("customer", CRM_ID, 3, name="Halden GmbH", currency="USD")), now=at(11))
    detect(at(11))
    case.refresh_from_db()
    assert case.row_version == 1
    say(entered(4, "1050.00"), now=at(12))
    detect(at(12))
    case.refresh_from_db()
    assert (case.row_version, case.amount_minor) == (2, 15000)


STORY = [
    *CUSTOMERS,
    billed(1, "900.00"),
    billed(2, "850.00"),
    entered(2, "900.00"),
    entered(3, "1000.00"),
    (
        "customer_success",
        fact(
            "renewal", "1R", 2, {"customer": "customer_success:1P02"}, name="R", stage="in_progress", target_amount=usd("9000.00")
        ),
    ),
    ("billing", fact("proration", "ii_1", 2, {"customer": "billing:cus_1"}, is_proration=True, amount=usd("120.00"))),
    (
        "erp",
        fact(
            "invoice", "502", 2, {"customer": "erp:9", "contract": "crm#C-7"}, number="INV-502", status="open", total=usd("70.00")
        ),
    ),
    ("crm", fact("contract", "800A", 1, {"customer": f"crm:{CRM_ID}"}, number="C-7", status="draft")),
]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(len(STORY))),
    copies=st.lists(st.sampled_from(range(len(STORY))), max_size=6),
    looks=st.sets(st.integers(0, len(STORY))),
)
def test_i11_any_order_and_duplication_ends_in_the_same_open_cases(order: list[int], copies: list[int], looks: set[int]) -> None:
    def cases(sequence: list[int], stops: set[int]) -> set[tuple[str, str]]:
        with transaction.atomic():
            for position, index in enumerate(sequence):
                say(STORY[index], now=at(48))
                if position in stops:
                    detect(at(48))
            detect(at(48))
            found = set(ExceptionCase.objects.exclude(status="closed").values_list("fingerprint", "facts_digest"))
            transaction.set_rollback(True)
        return found

    expected = cases(list(range(len(STORY))), set())
    assert len(expected) == 3
    assert cases([*order, *copies], looks) == expected


def test_i14_one_failing_account_keeps_its_mark_and_holds_up_nobody() -> None:
    say(*CUSTOMERS, billed(1, "900.00"), now=at(48))
    say(("crm", fact("customer", "0015e00000AbCd2AAF", 0, name="Broken", currency="USD")), now=at(48))
    say(
        ("billing", fact("customer", "cus_2", 0, {"same_as": "crm:0015e00000AbCd2AAF"}, name="B")),
        (
            "billing",
            fact("invoice", "in_9", 1, {"customer": "billing:cus_2"}, status="open", total=usd("5.00"), finalized_at=at(1)),
        ),
        now=at(48),
    )
    from revops.ledger.models import SourceRecord

    broken = Account.objects.get(name="Broken")
    with guards.down():
        SourceRecord.objects.filter(external_id="in_9").update(fields={"total": "not money", "status": "open"})
    detect(at(48))
    assert count_due() == 1
    assert ExceptionCase.objects.filter(account__name="Halden").count() == 1
    assert ExceptionCase.objects.filter(account=broken).count() == 0


def test_a_snoozed_case_wakes_when_its_time_comes_or_its_facts_change() -> None:
    say(*CUSTOMERS, billed(1, "900.00"), entered(2, "1000.00"), now=at(10))
    detect(at(10))
    case = ExceptionCase.objects.get()
    for until, wakes in ((at(20), 0), (at(11), 1)):
        with guards.down():
            ExceptionCase.objects.update(status="snoozed", snoozed_until=until)
        assert wake_due_cases(now=at(12)) == wakes
    case.refresh_from_db()
    assert (case.status, case.snoozed_until) == ("open", None)
    with guards.down():
        ExceptionCase.objects.update(status="snoozed", snoozed_until=at(90))
    say(entered(4, "1050.00"), now=at(13))
    detect(at(13))
    case.refresh_from_db()
    assert (case.status, case.snoozed_until) == ("open", None)
