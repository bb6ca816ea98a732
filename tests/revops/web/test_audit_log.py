"""The audit page says nothing false and nothing that only a programmer reads."""

from __future__ import annotations

from typing import Any

import pytest

from revops.cases.actions import assign_case
from tests.revops import world

pytestmark = pytest.mark.django_db


def test_who_owned_a_case_before_nobody_did_is_nobody(sign_in: Any) -> None:
    ana = world.person("ana", "finance_analyst")
    world.systems()
    _, case = world.mismatch(world.usd("41120.00"), world.usd("1000.00"))
    assign_case(case, owner=ana, row_version=None, acting_user=ana)
    page = sign_in("audrey", "auditor").get("/audit/?history=1").content.decode()
    for false in ("Deleted", "pk=None", "history.", "Exception case"):
        assert false not in page
    assert f"{case.code} was changed" in page
    assert "nothing" in page
    assert 'value="case.assign">Case: assign<' in page.replace("\n", "").replace("  ", "")
