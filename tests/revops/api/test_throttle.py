"""How often one person may ask; and that nobody waits for a cache that does not answer."""

from __future__ import annotations

import json
from collections import Counter

import pytest
import time_machine
from django.conf import settings
from django.test import override_settings

from revops.api.throttle import CHANGES_MAX, READS_MAX
from revops.people.models import Role, User
from tests.revops import world
from tests.revops.api.caller import Caller, code

pytestmark = pytest.mark.django_db


@pytest.fixture
def ana() -> User:
    return world.person("ana", Role.FINANCE_ANALYST)


def test_a14_changes_are_limited_for_the_person_and_not_for_the_token(ana: User) -> None:
    with time_machine.travel("2026-11-23T10:00:20Z", tick=False) as clock:
        callers = [Caller(ana), Caller(ana)]
        answers = [callers[number % 2].post("change-plans/1/submit/", {}) for number in range(CHANGES_MAX + 3)]
        assert Counter(code(answer) for answer in answers) == {(404, "not_found"): CHANGES_MAX, (429, "throttled"): 3}
        assert answers[-1]["Retry-After"] == "41"
        assert "seconds" in json.loads(answers[-1].content)["detail"]
        assert callers[0].get("cases/").status_code == 200  # reading has a count of its own
        assert code(Caller(world.person("ben", Role.FINANCE_ANALYST)).post("change-plans/1/submit/", {})) == (404, "not_found")
        clock.shift(40)
        assert code(callers[0].post("change-plans/1/submit/", {})) == (404, "not_found")


def test_reads_are_limited_as_well(ana: User) -> None:
    with time_machine.travel("2026-11-23T10:00:20Z", tick=False):
        caller = Caller(ana)
        found = Counter(code(caller.get("cases/999/")) for _ in range(READS_MAX + 2))
    assert found == {(404, "not_found"): READS_MAX, (429, "throttled"): 2}


def test_without_a_cache_the_api_goes_on(ana: User) -> None:
    nobody_answers = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    with override_settings(CACHES=nobody_answers):
        caller = Caller(ana)
        assert caller.get("cases/").status_code == 200
        assert code(caller.post("change-plans/1/submit/", {})) == (404, "not_found")
