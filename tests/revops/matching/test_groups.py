"""The ladder of evidence: what ties two documents, what does not, and what takes a person."""

from __future__ import annotations

from dataclasses import replace

import pytest

from revops.detection.examples import Stated, billing, elsewhere, erp, example, fact, ledger_of, on, usd
from revops.ledger.view import AccountLedger
from revops.matching.groups import Rung, matched
from revops.matching.receivables import State, receivables


def invoice(
    id: str, total: str = "90.00", day: str = "2026-11-04", number: str = "", status: str = "open", to: str = ""
) -> Stated:
    side = billing if id.startswith("in_") else erp
    return side(fact("invoice", id, to=to, number=number, status=status, total=usd(total), issued_on=on(day)))


def ledger(*stated: Stated) -> AccountLedger:
    return ledger_of(example("", *stated))


def groups(*stated: Stated) -> list[list[str]]:
    return sorted(sorted(record.external_id for record in group.records) for group in matched(ledger(*stated), "invoice").groups)


COPY = "copy_of: billing invoice in_1"


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        pytest.param((invoice("in_1"), invoice("501", "70.00", to=COPY)), [["501", "in_1"]], id="a reference, whatever else"),
        pytest.param(
            (invoice("in_1"), invoice("501", to="copy_of: billing invoice in_9")), [["501", "in_1"]], id="one to nothing"
        ),
        pytest.param(
            (invoice("in_1", number="A-1"), invoice("501", "70.00", number="a-1 ")), [["501", "in_1"]], id="the same number"
        ),
        pytest.param(
            (invoice("in_1", number="A-1"), invoice("501", "70.00", "2026-08-01", "A-1")), [["501"], ["in_1"]], id="months apart"
        ),
        pytest.param(
            (invoice("in_1", number="1"), invoice("501", "7.00", number="1"), invoice("502", "8.00", number="1")),
            [["501"], ["502"], ["in_1"]],
            id="a number that two bear",
        ),
        pytest.param((invoice("in_1"), invoice("501", day="2026-11-08")), [["501", "in_1"]], id="amount and days"),
        pytest.param((invoice("in_1"), invoice("501", day="2026-11-20")), [["501"], ["in_1"]], id="an amount alone"),
        pytest.param((invoice("in_1"), invoice("501", status="void")), [["501"], ["in_1"]], id="what is void"),
        pytest.param((invoice("in_1"), invoice("501"), invoice("502")), [["501"], ["502"], ["in_1"]], id="two candidates"),
        pytest.param((invoice("in_1"), invoice("in_2")), [["in_1"], ["in_2"]], id="two of one system"),
        pytest.param(
            (invoice("in_1"), invoice("501", "40.00", to=COPY), invoice("502", "50.00", to=COPY)),
            [["501", "502", "in_1"]],
            id="one entered as two",
        ),
        pytest.param(
            (
                invoice("in_1"),
                invoice("in_2"),
                invoice("501", "180.00", to="copy_of: billing invoice in_1, billing invoice in_2"),
            ),
            [["501", "in_1", "in_2"]],
            id="two entered as one",
        ),
    ],
)
def test_what_ties_documents(stated: tuple[Stated, ...], expected: list[list[str]]) -> None:
    assert groups(*stated) == expected


def test_two_candidates_are_named_and_nothing_is_called_missing() -> None:
    seen = ledger(invoice("in_1"), invoice("501"), invoice("502"))
    found = matched(seen, "invoice")
    (alone,) = [group for group in found.groups if group.of("billing")]
    assert [record.external_id for record in alone.candidates] == ["501", "502"]
    both = next(each for each in receivables(seen) if each.billed)
    assert both.state is State.NOT_ENTERED
    assert len(both.unclear) == 2


def test_a_persons_word_stands_above_a_reference() -> None:
    seen = ledger(invoice("in_1"), invoice("in_2", "80.00"), invoice("501", to=COPY))
    pair = frozenset({("billing", "invoice", "in_1"), ("erp", "invoice", "501")})
    other = frozenset({("billing", "invoice", "in_2"), ("erp", "invoice", "501")})
    told = replace(seen, verdicts={pair: False, other: True})
    found = {tuple(sorted(r.external_id for r in g.records)): g for g in matched(told, "invoice").groups}
    assert set(found) == {("in_1",), ("501", "in_2")}
    assert [tie.rung for tie in found["501", "in_2"].ties] == [Rung.PERSON]
    assert set(found["in_1",].candidates) == set()


def test_a_receivable_over_two_accounts_is_that_of_billing_alone() -> None:
    mine = ledger(invoice("in_1"), elsewhere(invoice("501", to=COPY), account=2))
    theirs = ledger(elsewhere(invoice("in_1"), account=2), invoice("501", to=COPY))
    assert [each.state for each in receivables(mine)] == [State.COMPARABLE]
    assert list(receivables(theirs)) == []
