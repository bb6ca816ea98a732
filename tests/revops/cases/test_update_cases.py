"""What an update writes, column by column: the case, the expectation, the action log, and the counts that it returns."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from django.db import transaction

from revops.accounts.models import Account
from revops.audit.models import ActionRecord
from revops.audit.trace import tracing
from revops.cases.lifecycle import Sighting, await_evidence, back_to_open, live_cases_of, update_cases, wake_due_cases
from revops.cases.models import ExceptionCase, Expectation, Severity
from revops.history import write_history
from revops.ledger.models import SourceSystem
from revops.money import Money
from revops.people.actors import System
from revops.people.models import LegalEntity
from revops.policies.in_force import policies_in_force
from revops.sentences import template
from revops.strict_json import content_digest
from tests import guards

pytestmark = pytest.mark.django_db

POLICIES = policies_in_force()
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
RULE, OTHER = "invoice_amount_mismatch", "invoice_not_posted"
FOUND = template("test.update_cases.found", "{what} is wrong.")
WHY = template("test.update_cases.why", "because")
NONE = {"opened": 0, "refreshed": 0, "reopened": 0, "closed": 0, "waiting": 0}
BOTH = (RULE, OTHER)
TRACE = "a" * 32
SEVERITIES = {"critical": Severity.CRITICAL, "high": Severity.HIGH, "medium": Severity.MEDIUM, "low": Severity.LOW}


def seen(key: str = "a", *, rule: str = RULE, due: dt.datetime = NOW, amount: str | None = "12.00", total: str = "1") -> Sighting:
    """`total` is what the systems say: another one is other evidence."""
    record = {"system": "erp", "object_type": "invoice", "external_id": key, "version": "1", "label": key}
    return Sighting(
        fingerprint=key * 64,
        rule=rule,
        title=f"Title {key}",
        sentence=FOUND(what=key),
        amount=None if amount is None else Money.parse(amount, "EUR"),
        due_at=due,
        systems=("billing", "erp"),
        evidence={"records": [record], "total": total},
    )


@pytest.fixture
def account() -> Account:
    entity = LegalEntity.objects.create(code="DE", name="Halden GmbH", base_currency="EUR")
    return Account.objects.create(name="Halden", currency="GBP", legal_entity=entity)


@pytest.fixture
def system() -> SourceSystem:
    return SourceSystem.objects.create(slug="erp", label="ERP", role="erp", vendor="test")


def updated(subject: Account | SourceSystem, *found: Sighting, rules: Sequence[str] = BOTH, **more: Any) -> dict[str, int]:
    """What the update changed, without what it did not."""
    counts = update_cases(subject, found, rules, more.pop("policies", POLICIES), **{"now": NOW, **more})
    assert counts.keys() == NONE.keys()
    return {name: count for name, count in counts.items() if count}


def plant(title: str = "", **columns: object) -> None:
    """Give the cases (with that title) these columns, as if they had come to it."""
    cases = ExceptionCase.objects.filter(title__startswith=title)
    with guards.down():
        cases.update(**columns)
    write_history(ExceptionCase, cases.values_list("pk", flat=True))


def columns(case: ExceptionCase, *names: str) -> dict[str, object]:
    case.refresh_from_db()
    return {name: getattr(case, name) for name in names}


def log(*verbs: str) -> list[tuple[str, str, dict[str, object], dict[str, object]]]:
    """What the action log says, oldest first."""
    rows = ActionRecord.objects.order_by("id")
    return [(row.verb, str(row.summary), row.before, row.after) for row in rows if not verbs or row.verb in verbs]


# --- opening -------------------------------------------------------------------------------------------------------------


def test_what_is_due_opens_a_case_that_says_everything(account: Account) -> None:
    with tracing(TRACE):
        assert updated(account, seen(), seen("b", due=NOW - HOUR)) == {"opened": 2}
    case = ExceptionCase.objects.get(fingerprint="a" * 64)
    assert columns(
        case, "rule", "account", "system", "legal_entity_code", "title", "severity", "status", "team", "owner", "systems",
        "amount_minor", "currency", "policy_version", "due_at", "opened_at", "refreshed_at", "closed_at", "close_reason",
        "close_evidence", "reopened_count", "snoozed_until", "row_version", "trace_id", "evidence",
    ) == {
        "rule": RULE, "account": account, "system": None, "legal_entity_code": "DE", "title": "Title a",
        "severity": Severity.HIGH, "status": "open", "team": "finance", "owner": None, "systems": ["billing", "erp"],
        "amount_minor": 1200, "currency": "EUR", "policy_version": POLICIES.version, "due_at": NOW + 24 * HOUR,
        "opened_at": NOW, "refreshed_at": NOW, "closed_at": None, "close_reason": None, "close_evidence": {},
        "reopened_count": 0, "snoozed_until": None, "row_version": 1, "trace_id": TRACE, "evidence": dict(seen().evidence),
    }  # fmt: skip
    assert str(case.sentence) == "a is wrong."
    assert str(case.routing_reason).startswith("This kind of exception belongs to finance")
    assert case.facts_digest == seen().facts_digest()
    assert log() == [("case.open", "Opened: a is wrong.", {}, {}), ("case.open", "Opened: b is wrong.", {}, {})]
    action = ActionRecord.objects.order_by("id")[0]
    assert (action.actor_label, action.account_id, action.case_id) == ("system:detection", account.pk, case.pk)
    assert action.subject.endswith(f":{case.pk}")


def test_a_case_is_as_bad_as_the_policies_say(account: Account) -> None:
    rules: dict[str, str] = dict(zip(POLICIES.rules, SEVERITIES, strict=False))
    judged = {
        code: POLICIES.rule(code).model_copy(update={"severity": severity, "team": "finance"}) for code, severity in rules.items()
    }
    policies = POLICIES.model_copy(update={"rules": {**POLICIES.rules, **judged}})
    for number, code in enumerate(rules):
        updated(account, seen(f"{number}", rule=code), rules=(code,), policies=policies)
    assert dict(ExceptionCase.objects.values_list("rule", "severity")) == {
        code: SEVERITIES[severity] for code, severity in rules.items()
    }


def test_where_no_money_is_at_risk_it_is_none_of_the_accounts_currency(account: Account, system: SourceSystem) -> None:
    updated(account, seen(amount=None))
    nameless = Account.objects.create(name="Nameless", currency="")
    updated(nameless, seen("b", amount=None))
    updated(system, seen("c", amount=None))
    found = {case.title[-1]: (case.amount_minor, case.currency, case.legal_entity_code) for case in ExceptionCase.objects.all()}
    assert found == {"a": (0, "GBP", "DE"), "b": (0, "USD", ""), "c": (0, "USD", "")}
    policies = POLICIES.model_copy(update={"reporting_currency": "CHF"})
    updated(nameless, seen("d", amount=None), seen("b", amount=None), policies=policies)
    assert ExceptionCase.objects.get(title="Title d").currency == "CHF"
    for again in (seen(amount=None, total="2"),), (), (seen(amount=None, total="3"),):  # refreshed, closed, reopened
        updated(account, *again)
        assert ExceptionCase.objects.get(title="Title a").currency == "GBP"
    updated(nameless, promised := seen("e", amount=None, due=NOW + HOUR))
    assert (Expectation.objects.get().currency, agree(nameless, promised)) == ("USD", True)


def test_a_case_about_a_system_stands_alone(account: Account, system: SourceSystem) -> None:
    assert updated(system, seen()) == {"opened": 1}
    case = ExceptionCase.objects.get()
    assert (case.account, case.system, case.legal_entity_code) == (None, system, "")
    assert updated(account) == {}, "another subject's cases stay"
    with pytest.raises(ValueError, match=r"^what is found about a system is due at once$"), transaction.atomic():
        updated(system, seen("b", due=NOW + HOUR))
    assert updated(system) == {"closed": 1}


# --- the same, again -----------------------------------------------------------------------------------------------------


def test_the_same_evidence_changes_nothing_also_under_a_newer_version(account: Account) -> None:
    updated(account, seen())
    record = {"system": "erp", "object_type": "invoice", "external_id": "a", "version": "2", "label": "a"}
    newer = replace(seen(), evidence={"records": [record], "total": "1"}, title="Another title")
    assert updated(account, newer, now=NOW + HOUR) == {}
    assert len(log()) == 1
    assert ExceptionCase.objects.get().title == "Title a"


def test_the_digest_of_facts_binds_all_of_the_evidence_but_versions() -> None:
    record = {"system": "erp", "object_type": "invoice", "external_id": "a", "version": "", "label": "a"}
    assert seen().facts_digest() == content_digest({"records": [record], "total": "1"})
    plain = replace(seen(), evidence={"total": "1"})
    assert plain.facts_digest() == content_digest({"total": "1", "records": None})
    digests = {
        seen().facts_digest(), seen(total="2").facts_digest(), plain.facts_digest(),
        replace(seen(), evidence={"records": [{**record, "label": "b"}], "total": "1"}).facts_digest(),
    }  # fmt: skip
    assert len(digests) == 4


def test_other_evidence_refreshes_the_case(account: Account) -> None:
    updated(account, seen())
    case = ExceptionCase.objects.get()
    told = replace(seen(amount="30.00", total="2"), title="New title", systems=("erp",), sentence=FOUND(what="all"))
    assert updated(account, told, now=NOW + HOUR) == {"refreshed": 1}
    assert columns(
        case, "title", "amount_minor", "systems", "refreshed_at", "opened_at", "due_at", "row_version", "evidence"
    ) == {
        "title": "New title", "amount_minor": 3000, "systems": ["erp"], "refreshed_at": NOW + HOUR, "opened_at": NOW,
        "due_at": NOW + 24 * HOUR, "row_version": 2, "evidence": dict(told.evidence),
    }  # fmt: skip
    assert case.facts_digest == told.facts_digest()
    before, after = (
        {"amount_minor": amount, "severity": Severity.HIGH, "sentence": FOUND(what=what).as_json(), "policies": POLICIES.version}
        for amount, what in ((1200, "a"), (3000, "all"))
    )
    assert log("case.refresh") == [("case.refresh", "The systems now say: all is wrong.", before, after)]


def test_other_policies_judge_a_case_anew(account: Account) -> None:
    updated(account, seen())
    case = ExceptionCase.objects.get()
    plant(status="snoozed", snoozed_until=NOW + 9 * HOUR)
    policies = POLICIES.model_copy(update={"version": "f" * 64})
    assert updated(account, seen(), policies=policies) == {"refreshed": 1}
    assert columns(case, "policy_version", "status", "snoozed_until", "row_version") == {
        "policy_version": "f" * 64, "status": "snoozed", "snoozed_until": NOW + 9 * HOUR, "row_version": 2,
    }  # fmt: skip
    ((_, summary, before, after),) = log("case.refresh")
    assert summary == "Judged by new policies: a is wrong."
    assert (before["policies"], after["policies"]) == (POLICIES.version, "f" * 64)
    updated(account, seen(total="2"), policies=policies)
    assert columns(case, "status", "snoozed_until", "row_version") == {"status": "open", "snoozed_until": None, "row_version": 3}


@pytest.mark.parametrize("status", ["open", "awaiting_evidence"])
def test_other_evidence_leaves_a_case_that_is_not_put_aside_as_it_stands(account: Account, status: str) -> None:
    updated(account, seen())
    plant(status=status)
    updated(account, seen(total="2"))
    assert ExceptionCase.objects.get().status == status


# --- closing and coming back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["open", "awaiting_evidence", "snoozed"])
def test_what_is_no_longer_seen_closes_with_the_evidence(account: Account, status: str) -> None:
    updated(account, seen(), seen("b"))
    plant("Title a", status=status, snoozed_until=NOW if status == "snoozed" else None)
    assert updated(account, seen("b"), close_evidence={"records": ["x"]}, now=NOW + HOUR) == {"closed": 1}
    case = ExceptionCase.objects.get(title="Title a")
    assert columns(case, "status", "closed_at", "close_evidence", "snoozed_until", "row_version") == {
        "status": "closed", "closed_at": NOW + HOUR, "close_evidence": {"records": ["x"]}, "snoozed_until": None,
        "row_version": 2,
    }  # fmt: skip
    assert str(case.close_reason) == "The systems no longer contradict each other."
    assert log("case.close") == [
        (
            "case.close",
            "Closed by evidence: The systems no longer contradict each other.",
            {"status": status},
            {"status": "closed"},
        )
    ]
    assert updated(account, seen("b")) == {}, "what is closed stays closed"


@pytest.mark.parametrize("status", ["open", "awaiting_evidence", "snoozed"])
def test_what_is_left_after_a_partial_fix_stays_said_though_it_would_not_be_due_yet(account: Account, status: str) -> None:
    updated(account, seen())
    plant("Title a", status=status, snoozed_until=NOW if status == "snoozed" else None)
    left = seen(due=NOW + HOUR, amount="7.00", total="2")
    assert updated(account, left) == {"refreshed": 1}, "no new grace, and nothing to wait for"
    case = ExceptionCase.objects.get()
    assert (case.status, case.amount_minor) == ("open" if status == "snoozed" else status, 700)
    assert updated(account, left) == {}
    assert updated(account) == {"closed": 1}
    assert updated(account, left) == {"waiting": 1}, "what is found anew has its grace"


def test_what_is_seen_again_comes_back_as_the_same_case(account: Account) -> None:
    updated(account, seen())
    updated(account, close_evidence={"records": ["x"]})
    case = ExceptionCase.objects.get()
    again = NOW + 5 * HOUR
    assert updated(account, seen(amount="7.00", total="2"), now=again) == {"reopened": 1}
    assert columns(
        case, "status", "closed_at", "close_reason", "close_evidence", "due_at", "opened_at", "refreshed_at", "reopened_count",
        "row_version", "amount_minor",
    ) == {
        "status": "open", "closed_at": None, "close_reason": None, "close_evidence": {}, "due_at": again + 24 * HOUR,
        "opened_at": NOW, "refreshed_at": again, "reopened_count": 1, "row_version": 3, "amount_minor": 700,
    }  # fmt: skip
    assert log("case.reopen") == [("case.reopen", "Came back: a is wrong.", {"status": "closed"}, {"status": "open"})]
    updated(account)
    updated(account, seen())
    assert columns(case, "reopened_count", "row_version") == {"reopened_count": 2, "row_version": 5}
    updated(account, seen(), seen("b"))
    assert updated(account) == {"closed": 2}
    assert updated(account, seen(), seen("b")) == {"reopened": 2}
    assert updated(account, seen(total="3"), seen("b", total="3")) == {"refreshed": 2}


def test_rules_that_did_not_look_leave_their_cases_and_promises(account: Account) -> None:
    updated(account, seen(), seen("b", rule=OTHER), seen("c", rule=OTHER, due=NOW + HOUR))
    assert updated(account, rules=(RULE,)) == {"closed": 1}
    assert ExceptionCase.objects.get(title="Title b").status == "open"
    assert Expectation.objects.count() == 1
    assert updated(account, rules=(OTHER,)) == {"closed": 1}
    assert Expectation.objects.count() == 0


def test_a_case_moves_with_its_records_to_another_account(account: Account) -> None:
    updated(account, seen())
    heir = Account.objects.create(name="Heir", currency="USD", legal_entity=account.legal_entity)
    assert updated(heir, seen()) == {}
    case = ExceptionCase.objects.get()
    assert (case.account, case.legal_entity_code, case.row_version) == (heir, "DE", 2)
    assert log("case.move") == [("case.move", "Its records now belong to Heir", {"account": account.pk}, {"account": heir.pk})]
    assert ActionRecord.objects.get(verb="case.move").account_id == heir.pk
    assert updated(heir, seen()) == {}
    assert len(log("case.move")) == 1
    assert updated(account) == {}
    updated(heir)
    assert updated(account, seen()) == {"reopened": 1}
    assert ExceptionCase.objects.get().account == account


# --- what is not yet due --------------------------------------------------------------------------------------------------


def test_what_is_not_due_is_expected_since_it_was_first_seen(account: Account) -> None:
    second = dt.timedelta(seconds=1)
    assert updated(account, seen(due=NOW + second), seen("b", due=NOW + HOUR, amount=None)) == {"waiting": 2}
    assert list(
        Expectation.objects.order_by("fingerprint").values(
            "fingerprint", "rule", "account", "search_text", "amount_minor", "currency", "due_at", "since"
        )
    ) == [
        {
            "fingerprint": "a" * 64, "rule": RULE, "account": account.pk, "search_text": "a is wrong.", "amount_minor": 1200,
            "currency": "EUR", "due_at": NOW + second, "since": NOW,
        },
        {
            "fingerprint": "b" * 64, "rule": RULE, "account": account.pk, "search_text": "b is wrong.", "amount_minor": 0,
            "currency": "GBP", "due_at": NOW + HOUR, "since": NOW,
        },
    ]  # fmt: skip
    assert [str(row.sentence) for row in Expectation.objects.order_by("fingerprint")] == ["a is wrong.", "b is wrong."]
    later = replace(seen("b", due=NOW + 3 * HOUR), sentence=FOUND(what="all"))
    assert updated(account, later, seen("c", due=NOW + 2 * HOUR), now=NOW + HOUR) == {"waiting": 2}
    rows = {row.fingerprint[0]: row for row in Expectation.objects.all()}
    assert {key: (row.since, row.due_at) for key, row in rows.items()} == {
        "b": (NOW, NOW + 3 * HOUR), "c": (NOW + HOUR, NOW + 2 * HOUR),
    }  # fmt: skip
    assert (str(rows["b"].sentence), rows["b"].search_text) == ("all is wrong.", "all is wrong.")
    assert log() == [], "nothing happened yet"


def test_an_expectation_belongs_to_its_account_alone(account: Account) -> None:
    other = Account.objects.create(name="Other", currency="USD")
    updated(account, seen(due=NOW + HOUR))
    assert updated(other) == {}
    assert Expectation.objects.count() == 1
    updated(other, seen(due=NOW + HOUR))
    assert Expectation.objects.get().account == other


# --- seeing that nothing is to be done ------------------------------------------------------------------------------------


def agree(account: Account, *found: Sighting, rules: Sequence[str] = BOTH, **more: Any) -> bool:
    live = live_cases_of([account.pk], BOTH)
    return live.agrees(account, found, rules, more.get("policies", POLICIES), now=more.get("now", NOW))


def test_what_was_updated_agrees_until_something_moves(account: Account) -> None:
    assert agree(account)
    here = seen(), seen("b", rule=OTHER), seen("c", due=NOW + HOUR), seen("d", rule=OTHER, due=NOW + HOUR, amount=None)
    assert not agree(account, *here)
    updated(account, *here)
    assert agree(account, *here)
    assert agree(account, here[0], here[2], rules=(RULE,)), "only the cases of the rules that looked"
    for changed in (
        here[1:], here[:1] + here[2:], here[:3], here[:2] + here[3:],
        (seen(total="2"), *here[1:]), (*here[:2], replace(here[2], due_at=NOW + 2 * HOUR), here[3]),
        (*here[:2], replace(here[2], sentence=FOUND(what="x")), here[3]),
        (*here[:2], replace(here[2], amount=Money.parse("1", "EUR")), here[3]),
        (*here[:2], replace(here[2], amount=Money.parse("12.00", "USD")), here[3]),
        (*here[:2], replace(here[2], rule=OTHER), here[3]),
    ):  # fmt: skip
        assert not agree(account, *changed)
    assert not agree(account, *here, policies=POLICIES.model_copy(update={"version": "f" * 64}))
    assert not agree(account, *here, now=NOW + HOUR), "two of them are due"
    stranger = Account.objects.create(name="Stranger", currency="USD")
    assert not agree(stranger, *here)
    updated(account)
    assert agree(account), "what is closed does not count"


def test_several_accounts_are_read_at_once(account: Account) -> None:
    other = Account.objects.create(name="Other", currency="USD")
    updated(account, seen(), seen("c", due=NOW + HOUR))
    updated(other, seen("b"), seen("d", due=NOW + HOUR), seen("e", due=NOW + HOUR), seen("f"))
    both = live_cases_of([account.pk, other.pk], [RULE])
    assert both.agrees(account, [seen(), seen("c", due=NOW + HOUR)], [RULE], POLICIES, now=NOW)
    theirs = [seen("b"), seen("d", due=NOW + HOUR), seen("e", due=NOW + HOUR), seen("f")]
    assert both.agrees(other, theirs, [RULE], POLICIES, now=NOW)
    assert live_cases_of([account.pk], [OTHER]).agrees(account, [], [RULE], POLICIES, now=NOW), "of rules that nobody asked for"
    assert live_cases_of([], [RULE]).agrees(account, [], [RULE], POLICIES, now=NOW)


# --- waiting for evidence, waking -----------------------------------------------------------------------------------------

PEER = System("posting")


@pytest.mark.parametrize("status", ["open", "snoozed", "awaiting_evidence", "closed"])
def test_a_posted_fix_makes_a_live_case_wait_for_its_record(account: Account, status: str) -> None:
    updated(account, seen())
    plant(status=status, snoozed_until=NOW if status == "snoozed" else None, closed_at=NOW if status == "closed" else None)
    case = ExceptionCase.objects.get()
    await_evidence(case.pk, acting_user=PEER, summary=WHY())
    waits = status in ("open", "snoozed")
    assert columns(case, "status", "snoozed_until", "row_version") == {
        "status": "awaiting_evidence" if waits else status, "snoozed_until": None, "row_version": 2 if waits else 1,
    }  # fmt: skip
    assert log("case.await_evidence") == (
        [("case.await_evidence", "because", {"status": status}, {"status": "awaiting_evidence"})] if waits else []
    )
    back_to_open(case.pk, acting_user=PEER, summary=WHY())
    back = status != "closed"
    assert columns(case, "status", "row_version") == {
        "status": "open" if back else "closed", "row_version": 1 + waits + back,
    }  # fmt: skip
    assert log("case.back_to_open") == (
        [("case.back_to_open", "because", {"status": "awaiting_evidence"}, {"status": "open"})] if back else []
    )
    for action in ActionRecord.objects.exclude(verb="case.open"):
        assert (action.actor_label, action.account_id, action.case_id) == ("system:posting", account.pk, case.pk)
        assert action.subject.endswith(f":{case.pk}")
    back_to_open(case.pk, acting_user=PEER, summary=WHY())
    assert len(log("case.back_to_open")) == int(back), "an open case is open already"


def test_what_was_put_aside_wakes_at_its_time_as_many_as_are_asked_for(account: Account) -> None:
    updated(account, *(seen(key) for key in "abcde"))
    for title, status, until in (
        ("Title a", "snoozed", NOW), ("Title b", "snoozed", NOW), ("Title c", "snoozed", NOW), ("Title d", "snoozed", NOW + HOUR),
        ("Title e", "open", NOW),  # left over: it is open
    ):  # fmt: skip
        plant(title, status=status, snoozed_until=until)
    assert wake_due_cases(now=NOW - HOUR) == 0
    assert wake_due_cases(now=NOW, limit=2) == 2
    assert wake_due_cases(now=NOW) == 1
    assert sorted(ExceptionCase.objects.filter(status="snoozed").values_list("title", flat=True)) == ["Title d"]
    woken = ExceptionCase.objects.get(title="Title a")
    assert (woken.status, woken.snoozed_until, woken.row_version) == ("open", None, 2)
    assert log("case.wake") == [("case.wake", "The snooze is over", {"status": "snoozed"}, {"status": "open"})] * 3


@pytest.mark.django_db(transaction=True)
def test_waiting_for_evidence_and_waking_are_transactions_of_their_own() -> None:
    with transaction.atomic():
        updated(Account.objects.create(name="Halden", currency="USD"), seen())
    case = ExceptionCase.objects.get()
    await_evidence(case.pk, acting_user=PEER, summary=WHY())
    back_to_open(case.pk, acting_user=PEER, summary=WHY())
    with transaction.atomic():
        plant(status="snoozed", snoozed_until=NOW)
    assert wake_due_cases(now=NOW) == 1
