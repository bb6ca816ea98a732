"""Plays every made-up company on several seeds and writes what was found: `make truth SEEDS="101 102 103"`.

Each play has a database of its own. The table says, for each item of a company, in how many of its plays all was as it must be;
under it stands what was not, in the words of the first seed that saw it. The last line adds up the cases of all plays.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from demo.playback.companies import Row

PAGE = Path(__file__).with_name("truth.md")
START, END = "<!-- companies -->", "<!-- /companies -->"
Told = tuple[str, int, "list[Row]"]
"""Company, seed, and its rows."""


@dataclass(slots=True)
class Tally:
    """How one item went over all seeds. `wrong`: state -> what was not right there, as the first seed saw it."""

    plays: int = 0
    right: int = 0
    planted: int = 0
    found: int = 0
    false: int = 0
    wrong: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, row: Row) -> None:
        """Count the play of one state."""
        self.plays += 1
        self.right += not row.differences
        self.planted += row.planted
        self.found += row.found
        self.false += row.false
        if row.differences:
            self.wrong.setdefault(row.state, row.differences)


def main(given: Sequence[str]) -> int:
    """Returns 1 when a case was missed or false. The page is written in any case."""
    parser = argparse.ArgumentParser(prog="python -m bench.truth", description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[101, 102, 103])
    parser.add_argument("--companies", nargs="+", default=[])
    parser.add_argument("--items", nargs="+", default=[])
    parser.add_argument("--print", action="store_true", help="print the table, and leave the page as it is")
    options = parser.parse_args(given)
    _prepare()
    from demo.companies import COMPANIES

    names = options.companies or sorted(COMPANIES)
    jobs = [(name, seed, tuple(options.items)) for seed in options.seeds for name in names]
    with ProcessPoolExecutor(os.cpu_count(), initializer=_prepare) as pool:
        told = list(pool.map(_play, jobs))
    tallies = {name: tallied(told, name) for name in names}
    left_out = {name: COMPANIES[name].left_out for name in names}
    text = "\n".join(table(tallies, left_out, options.seeds))
    if options.print:
        print(text)
    else:
        page = PAGE.read_text(encoding="utf-8")
        before, _, rest = page.partition(START)
        PAGE.write_text(f"{before}{START}\n{text}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    print(last_line(tallies.values()))
    return 0 if all(each.found == each.planted and not each.false for one in tallies.values() for each in one.values()) else 1


def _prepare() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "revops.settings"
    os.environ.setdefault("REVOPS_LOG_LEVEL", "ERROR")
    os.environ["REVOPS_DEMO"] = "1"
    import django

    django.setup()


def _play(job: tuple[str, int, tuple[str, ...]]) -> Told:
    from demo.companies import COMPANIES
    from demo.playback.companies import play_company

    name, seed, items = job
    rows = list(play_company(COMPANIES[name], seed, items=items))
    print(f"# {name}, seed {seed}: {sum(not row.differences for row in rows)} of {len(rows)} right", file=sys.stderr, flush=True)
    return name, seed, rows


def tallied(told: Iterable[Told], company: str) -> dict[str, Tally]:
    """Item -> how it went, in the order of the description."""
    found: dict[str, Tally] = {}
    for name, _seed, rows in told:
        for row in rows if name == company else ():
            found.setdefault(row.item, Tally()).add(row)
    return found


def table(
    tallies: Mapping[str, Mapping[str, Tally]], left_out: Mapping[str, Mapping[str, str]], seeds: Sequence[int]
) -> list[str]:
    """The page's part that is made, as lines."""
    lines = [f"Seeds {', '.join(str(seed) for seed in seeds)}: {last_line(tallies.values())}.", ""]
    for company, items in tallies.items():
        lines += [f"### {company.capitalize()}: {last_line([items])}", ""]
        lines += ["| item | plays right | planted | found | false |", "|---|---|---|---|---|"]
        lines += [
            f"| {item} | {each.right} of {each.plays} | {each.planted} | {each.found} | {each.false} |"
            for item, each in items.items()
        ]
        lines.append("")
        for item, each in items.items():
            for state, differences in each.wrong.items():
                lines.append(f"- {item} {state}: {'; '.join(differences)}")
        lines += ["", "Left out:", ""] if left_out[company] else []
        lines += [f"- {item}: {why}" for item, why in left_out[company].items()]
        lines.append("")
    return lines


def last_line(companies: Iterable[Mapping[str, Tally]]) -> str:
    """The sum of all, in the words of every check."""
    every = [each for one in companies for each in one.values()]
    planted, found, false = (
        sum(values) for values in zip(*((each.planted, each.found, each.false) for each in every), strict=True)
    )
    return f"planted {planted} found {found} missed {planted - found} false {false}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
