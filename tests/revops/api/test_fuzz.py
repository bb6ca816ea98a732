"""Requests made from the API's own document, fitting and not: never a 5xx, and every answer is one that the document promises."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.cache import cache
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

from revops.api.schema import document
from revops.people.models import Role
from tests.revops.api.caller import Company, new_key, token_for

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 5
"""For each operation and mode: a few seconds in all. A longer run asks for more here."""

settings.register_profile(
    "api",
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def _one_transaction() -> Iterator[None]:
    """Requests must not close the connection whose transaction the test takes back; Django's own test client does the same."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.usefixtures("_one_transaction")
def test_no_request_makes_us_fail(company: Company) -> None:
    schema = schemathesis.openapi.from_dict(dict(document()))
    schema.app = get_wsgi_application()
    seen: set[int] = set()
    count = 0
    for found, mode in itertools.product(schema.get_all_operations(), GenerationMode):
        cache.clear()
        operation = found.ok()
        role = Role.APPROVER if operation.path.endswith(("approve/", "reject/")) else Role.FINANCE_ANALYST
        role = Role.AUDITOR if "/audit/" in operation.path or "/connections/" in operation.path else role
        for status in asked(operation, mode, company, token_for(company.people[role])):
            seen.add(status)
            count += 1
    assert count > 150
    assert {200, 400, 404} <= seen
    assert not any(status >= 500 for status in seen)


def asked(operation: Any, mode: GenerationMode, company: Company, token: str) -> list[int]:
    """Call one operation with generated requests and check each answer; the statuses that came back."""
    statuses: list[int] = []
    keys = {"accounts": company.case.account_id, "records": company.record.pk, "cases": company.case.pk}
    keys |= {"change-plans": company.plan.pk, "postings": company.posting.pk, "deliveries": company.delivery.pk}

    @settings(settings.get_profile("api"))
    @given(case=operation.as_strategy(generation_mode=mode), ours=st.booleans(), fresh=st.booleans())
    def run(case: Any, ours: bool, fresh: bool) -> None:
        noun = operation.path.split("/")[3]
        if "key" in (case.path_parameters or {}) and ours and noun in keys:
            case.path_parameters = {"key": keys[noun]}
        headers = {"Authorization": f"Bearer {token}"}
        if fresh and operation.method.upper() == "POST":
            headers["Idempotency-Key"] = new_key()
        answer = case.call(headers=headers)
        case.validate_response(answer, checks=CHECKS)
        statuses.append(answer.status_code)

    run()
    return statuses
