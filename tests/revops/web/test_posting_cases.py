"""A posting that waits for a person is a case like any other: in the queue, on its page, in the API, with a way to the plan."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from revops.cases.models import ExceptionCase
from tests.revops import world
from tests.revops.web.conftest import Seat

pytestmark = pytest.mark.django_db


def test_it_is_in_the_queue_and_leads_to_the_plan(sign_in: Callable[..., Seat]) -> None:
    world.systems()
    case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]
    plan = world.credit_plan(world.person("ana", "finance_analyst"), case)
    to = {"customer": f"netsuite:{world.CUSTOMER}", "change": f"revops:{plan.postings.get().key}"}
    world.say("netsuite", world.fact("credit_memo", "90", to, status="applied", total=world.usd("120.00")))
    world.detect()
    found = ExceptionCase.objects.get(rule="posting_waits_for_person")
    client = sign_in("farid", "finance_analyst")
    listed = client.get("/queue/?rule=posting_waits_for_person").content.decode()
    assert found.code in listed
    assert "Posting waits for person" in listed
    page = client.get(f"/cases/{found.code}/")
    assert page.status_code == 200
    text = page.content.decode()
    assert f'href="/plans/{plan.code}/"' in text
    assert "A posting waits for a person" in text
    assert "Our reference" in text
    assert "Look for our reference in the system" in text
    for untrue in ("not part of this version", "no longer in the ledger", "stands still"):
        assert untrue not in text
    assert client.get("/plans/?show=person").content.decode().count(plan.code) >= 1
