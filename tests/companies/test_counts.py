"""A row of a played company: what was found, missed and false."""

from __future__ import annotations

import datetime as dt

import pytest

from demo.playback.companies import Score, counted
from demo.playback.compare import OpenCase, Played
from demo.playback.situation import Amount, ExpectedCase, Outcome, Thing

INVOICE, COPY = Thing("stripe", "invoice", "in_1"), Thing("netsuite", "invoice", "7")
WANTED = ExpectedCase.model_validate({"objects": [["stripe", "invoice", "in_1"]], "amount": "5.00 USD", "account": "001"})


def case(amount: str = "5.00 USD", *objects: Thing, account: str = "001") -> OpenCase:
    return OpenCase("some_rule", "It differs.", Amount.parse(amount), frozenset(objects), frozenset({account}))


@pytest.mark.parametrize(
    ("wanted", "there", "told"),
    [
        ([WANTED], [case("5 USD", INVOICE, COPY)], (1, 1, 0, 0)),
        ([WANTED], [], (1, 0, 1, 0)),
        ([WANTED], [case("6.00 USD", INVOICE)], (1, 0, 1, 1)),
        ([WANTED], [case("5.00 USD", COPY)], (1, 0, 1, 1)),
        ([WANTED], [case("5.00 USD", INVOICE, account="002")], (1, 0, 1, 1)),
        ([WANTED], [case("5.00 USD", INVOICE), case("5.00 USD", INVOICE)], (1, 1, 0, 1)),
        ([], [case("5.00 USD", INVOICE)], (0, 0, 0, 1)),
        ([], [], (0, 0, 0, 0)),
    ],
    ids=["found", "nothing there", "another amount", "another object", "another account", "twice", "false", "right"],
)
def test_a_case_is_found_once_with_its_amount_objects_and_account(
    wanted: list[ExpectedCase], there: list[OpenCase], told: tuple[int, int, int, int]
) -> None:
    row = counted("1X1", "left-open", Outcome(now=dt.datetime.now(dt.UTC), cases=wanted), Played(cases=there))
    assert (row.planted, row.found, row.missed, row.false) == told
    assert bool(row.differences) == (told[2] + told[3] > 0)


def test_rows_are_summed() -> None:
    score = Score()
    outcome = Outcome(now=dt.datetime.now(dt.UTC), cases=[WANTED])
    score.add(counted("1X1", "left-open", outcome, Played(cases=[case("5.00 USD", INVOICE)])))
    assert (score.line, score.right) == ("planted 1 found 1 missed 0 false 0", True)
    score.add(counted("1X1", "broken-again", outcome, Played(cases=[case("6.00 USD", INVOICE)])))
    assert (score.line, score.right) == ("planted 2 found 1 missed 1 false 1", False)
