"""Playing every situation of a made-up company, and counting what was found, missed and false."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from demo.companies.situations import Company, files
from demo.companies.situations import Situation as Made
from demo.playback.compare import OpenCase, Played, differences, remarks
from demo.playback.database import Playground, playground
from demo.playback.play import play
from demo.playback.situation import ExpectedCase, NotPlayable, Outcome, Situation, read_situation


@dataclass(frozen=True, slots=True)
class Row:
    """How one state of one item went. `planted`, `found`, `missed`, `false`: cases; one with another amount is missed, and what
    is open instead of it is false. `differences`: what is not as it must be; `remarks`: what helps to find the cause."""

    item: str
    state: str
    planted: int = 0
    found: int = 0
    missed: int = 0
    false: int = 0
    differences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """As people read it."""
        told = "" if self.differences else "right"
        first = f"{self.item:<6} {self.state:<30} {told or 'WRONG'}"
        return [first, *(f"       {line}" for line in (*self.differences, *(self.remarks if self.differences else ())))]


@dataclass(slots=True)
class Score:
    """The sum of rows."""

    planted: int = 0
    found: int = 0
    missed: int = 0
    false: int = 0

    def add(self, row: Row) -> None:
        self.planted += row.planted
        self.found += row.found
        self.missed += row.missed
        self.false += row.false

    @property
    def line(self) -> str:
        return f"planted {self.planted} found {self.found} missed {self.missed} false {self.false}"

    @property
    def right(self) -> bool:
        return self.missed == self.false == 0


def play_company(company: Company[Any], seed: int, *, items: Sequence[str] = (), server: str = "") -> Iterator[Row]:
    """Play the company of that seed; `items`: only these. Raises `NotPlayable` where no database can be made."""
    with tempfile.TemporaryDirectory() as folder, playground(server) as ground:
        for made in company.situations(seed):
            if not items or made.item in items:
                yield _row(company, made, Path(folder), ground)


def _row(company: Company[Any], made: Made, folder: Path, ground: Playground) -> Row:
    own = folder / made.name
    own.mkdir()
    for name, content in files(company, made).items():
        (own / name).write_bytes(content)
    planted = len(made.expected["cases"])
    try:
        situation: Situation = read_situation(own)
        with ground.fresh() as copy:
            played = play(situation, copy)
    except NotPlayable as problem:
        return Row(made.item, made.state, planted, missed=planted, differences=(str(problem),))
    return counted(made.item, made.state, situation.expected, played)


def counted(item: str, state: str, expected: Outcome, played: Played) -> Row:
    """The row of what a play left behind."""
    wanted, left = list(expected.cases or ()), list(played.cases)
    found = 0
    for each in wanted:
        if (case := next((case for case in left if _is(each, case)), None)) is not None:
            left.remove(case)
            found += 1
    return Row(
        item, state, len(wanted), found, len(wanted) - found, len(left), tuple(differences(expected, played)),
        tuple(remarks(played)),
    )  # fmt: skip


def _is(wanted: ExpectedCase, case: OpenCase) -> bool:
    whose = not wanted.account or wanted.account in case.accounts
    return whose and wanted.amount == case.amount and frozenset(wanted.objects) <= case.objects
