"""Assumptions that are broken one at a time: ordinary practices add nothing, contradictions are found."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import call_command

from tests.revops import world

pytestmark = pytest.mark.django_db


def told(*codes: str) -> dict[str, tuple[int, int]]:
    out = StringIO()
    call_command("whatif", "--only", *codes, stdout=out)
    lines = [line.split() for line in out.getvalue().splitlines()[2:]]
    return {line[3].rstrip(":"): (int(line[0]), int(line[1])) for line in lines}


@pytest.fixture(autouse=True)
def company() -> None:
    """One account: an invoice of 1,000.00 that billing issued, and the ERP's copy."""
    world.systems()
    world.customers()
    day = world.today()
    world.say("stripe", world.billed(world.usd("1000.00"), issued_on=day))
    world.say("netsuite", world.entered(world.usd("1000.00"), issued_on=day))


def test_the_same_invoice_is_found_without_a_reference() -> None:
    assert told("no_reference", "no_contract", "split", "no_payments") == {
        "no_reference": (0, 0), "no_contract": (0, 0), "split": (0, 0), "no_payments": (0, 0),
    }  # fmt: skip


def test_an_invoice_that_is_entered_twice_is_found() -> None:
    assert told("entered_twice") == {"entered_twice": (1, 0)}


def test_what_was_found_before_is_lost_where_its_records_go() -> None:
    world.say("netsuite", world.entered(world.usd("1120.00"), issued_on=world.today()))
    world.say("stripe", world.fact("subscription", "sub_1", {"customer": "stripe:cus_1"}, status="active"))
    assert told("no_reference")["no_reference"] == (1, 1), "another amount and no reference: it is missing, and nothing differs"
