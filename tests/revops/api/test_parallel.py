"""The same request many times at once, against the product's own web server: one effect, and nobody waits for ever."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import httpx2
import psycopg
import pytest
from django.db import connection

from launch.embedded import free_port
from tests.sync.processes import end, serving, until, web_server

if TYPE_CHECKING:
    from tests.revops.api.caller import Company

CALLERS = 8


@pytest.fixture
def office(transactional_db: None) -> Iterator[tuple[Company, str]]:
    from sync.ground import intake_db as kept
    from tests.revops.api import caller

    with web_server() as url:
        yield caller.company(), url
    kept.close_all()


def at_once(calls: list[Callable[[], httpx2.Response]]) -> list[httpx2.Response]:
    """All calls together, each from a thread of its own."""
    start = Barrier(len(calls))

    def run(call: Callable[[], httpx2.Response]) -> httpx2.Response:
        start.wait(10)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def poster(url: str, token: str, path: str, said: object, key: str) -> Callable[[], httpx2.Response]:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    return lambda: httpx2.post(f"{url}/api/v1/{path}", json=said, headers=headers, timeout=20)


def outcome(answer: httpx2.Response) -> tuple[int, str]:
    found: dict[str, Any] = answer.json()
    return answer.status_code, str(found["code"]) if answer.status_code >= 400 else ""


def test_a6_the_same_key_in_parallel_is_one_effect(office: tuple[Company, str]) -> None:
    from revops.postings.models import ChangePlan
    from tests.revops import world
    from tests.revops.api.caller import token_for

    company, url = office
    token = token_for(company.people["finance_analyst"])
    said = {"kind": "credit_memo", "case": company.case.pk, "reason": "x", "inputs": world.credit_inputs("20.00")}
    for number in range(5):
        before = ChangePlan.objects.count()
        answers = at_once([poster(url, token, "change-plans/", said, f"parallel-{number}")] * CALLERS)
        outcomes = Counter(outcome(answer) for answer in answers)
        assert set(outcomes) <= {(201, ""), (409, "idempotency_in_flight")}, outcomes
        assert outcomes[(201, "")] >= 1
        assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
        assert ChangePlan.objects.count() == before + 1


def test_a16_many_signatures_at_once_are_one(office: tuple[Company, str]) -> None:
    """One person with several keys, and a second person, and the maker who takes it back."""
    from revops.approvals.models import Decision

    company, url = office
    plan, tokens = company.plan, {role: company[role].token for role in company.people}
    said = {"digest": plan.digest, "meaning": "I checked it"}
    calls = [poster(url, tokens["approver"], f"change-plans/{plan.pk}/approve/", said, f"signature-{n}") for n in range(4)]
    calls += [poster(url, tokens["controller"], f"change-plans/{plan.pk}/approve/", said, "signature-of-cora")]
    calls += [poster(url, tokens["approver"], f"change-plans/{plan.pk}/reject/", {"reason": "x"}, "rejection")]
    calls += [poster(url, tokens["finance_analyst"], f"change-plans/{plan.pk}/withdraw/", {"reason": "x"}, "withdrawal")]
    outcomes = [outcome(answer) for answer in at_once(calls)]
    plan.refresh_from_db()
    assert [status for status, _ in outcomes].count(200) == 1, outcomes
    assert {status for status, _ in outcomes} == {200, 409}, outcomes
    assert plan.state in ("released", "rejected", "withdrawn")
    assert Decision.objects.count() == (0 if plan.state == "withdrawn" else 1)


def test_a14_the_limit_counts_parallel_requests_exactly(office: tuple[Company, str]) -> None:
    """Within one minute of the clock exactly so many are served. A burst across the end of a minute proves nothing: again."""
    from revops.api.throttle import CHANGES_MAX, WINDOW_SECONDS
    from tests.revops.api.caller import token_for

    company, url = office
    for role in ("auditor", "approver", "finance_analyst", "controller"):
        calls = [poster(url, token_for(company.people[role]), "change-plans/1/approve/", {}, "of-no-effect")] * 20
        began = time.time() // WINDOW_SECONDS
        answers = [answer for _ in range(CHANGES_MAX // 20 + 2) for answer in at_once(calls)]
        if time.time() // WINDOW_SECONDS == began:
            break
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(answers) - len(refused) == CHANGES_MAX
    assert {outcome(answer)[1] for answer in refused} == {"throttled"}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in refused)


def test_a_row_that_somebody_holds_is_a_503_and_not_a_long_wait(office: tuple[Company, str]) -> None:
    from revops.cases.models import ExceptionCase
    from tests.revops.api.caller import token_for

    company, url = office
    headers = {"Authorization": f"Bearer {token_for(company.people['finance_analyst'])}", "If-Match": '"v1"'}
    where = f"{url}/api/v1/cases/{company.case.pk}/"
    with psycopg.connect(**connected()) as other:
        other.execute("SELECT 1 FROM cases_exceptioncase WHERE id = %s FOR UPDATE", [company.case.pk])
        answer = httpx2.patch(where, json={"owner": "controller@example.com"}, headers=headers, timeout=10)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert outcome(answer) == (503, "unavailable")
    assert ExceptionCase.objects.get(pk=company.case.pk).owner is None
    assert httpx2.patch(where, json={"owner": "controller@example.com"}, headers=headers, timeout=10).status_code == 200


def test_a_key_whose_first_request_died_with_the_web_server_is_free_at_once(transactional_db: None) -> None:
    from revops.cases.models import CaseNote
    from sync.ground import intake_db as kept
    from tests.revops.api import caller

    company, port = caller.company(), free_port()
    token = caller.token_for(company.people["finance_analyst"])
    post = poster(f"http://127.0.0.1:{port}", token, f"cases/{company.case.pk}/notes/", {"text": "Twice?"}, "my-intent")
    with psycopg.connect(**connected()) as other, serving(port) as web, ThreadPoolExecutor(1) as thread:
        other.execute("LOCK TABLE cases_casenote IN EXCLUSIVE MODE")
        first = thread.submit(post)
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND relation = 'cases_casenote'::regclass"
        until(lambda: other.execute(waiting).fetchone())
        assert outcome(post()) == (409, "idempotency_in_flight")
        end(web, signal.SIGKILL)
        assert isinstance(first.exception(), httpx2.TransportError)
    with serving(port):
        assert outcome(post()) == (201, "")
    assert CaseNote.objects.count() == 1
    kept.close_all()


def connected() -> dict[str, Any]:
    """How to connect as the application, beside Django."""
    params = connection.get_connection_params()
    return {name: value for name, value in params.items() if name in ("host", "port", "dbname", "user", "password")}
