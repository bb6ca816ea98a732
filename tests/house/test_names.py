"""Promises and bad inputs have numbers (`docs/invariants.md`), and tests are named after what they hold: no number is without a
test, and no test has a number that is not on the page.

A number is a word of a test's function name (`test_i7_...`), or begins a key or id of its cases (`W4 six minutes old`). Names are
read out of the files; nothing is imported or collected.
"""

from __future__ import annotations

import ast
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

import pytest

from tests.house.test_words import ROOT

PAGE = ROOT / "docs" / "invariants.md"
ROW = re.compile(r"^\| ([IWAH]\d{1,2}) \| \S.* \|$", re.MULTILINE)
NUMBER = re.compile(r"[iwah]\d{1,2}")
CASE = re.compile(r"([IWAH]\d{1,2}) [^\W\d]")


def numbers_on(page: str) -> Counter[str]:
    """Each number on the page, with how often it stands there."""
    return Counter(ROW.findall(page))


def numbers_in(source: str) -> set[str]:
    """The numbers that the tests in a file name."""
    module = ast.parse(source)
    names = [node.name for node in ast.walk(module) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    words = {word for name in names if name.startswith("test_") for word in name.split("_")}
    return {word.upper() for word in words if NUMBER.fullmatch(word)} | {
        found[1] for case in _cases(module) if (found := CASE.match(case))
    }


def _cases(module: ast.Module) -> Iterator[str]:
    """The keys of dictionaries, and the ids that are given to parameters."""
    for node in ast.walk(module):
        given: Iterable[ast.expr | None] = ()
        if isinstance(node, ast.Dict):
            given = node.keys
        elif isinstance(node, ast.keyword) and node.arg in {"id", "ids"}:
            given = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
        yield from (key.value for key in given if isinstance(key, ast.Constant) and isinstance(key.value, str))


def differences(page: str, sources: Mapping[str, str]) -> list[str]:
    """What does not fit, as sentences. `sources`: the text of each test file by its path."""
    listed = numbers_on(page)
    found: dict[str, list[str]] = defaultdict(list)
    for path, source in sources.items():
        for number in numbers_in(source):
            found[number].append(path)
    wrong = [f"{number} stands on the page {count} times" for number, count in listed.items() if count > 1]
    wrong += [f"no test is named after {number}" for number in listed if number not in found]
    return wrong + [f"{number} of {paths[0]} is not on the page" for number, paths in found.items() if number not in listed]


def test_the_page_and_the_tests_have_the_same_numbers() -> None:
    sources = {str(path.relative_to(ROOT)): path.read_text() for path in sorted((ROOT / "tests").rglob("test_*.py"))}
    page = PAGE.read_text()
    assert len(numbers_on(page)) > 90
    assert differences(page, sources) == []


# --- planted breaks -----------------------------------------------------------------------------------------------------

TWO = "| I7 | Nothing is lost. |\n| W4 | An old signature: 401. |\n"
HELD = {"tests/test_a.py": "def test_i7_nothing_is_lost(): ...\nCASES = {'W4 six minutes old': 1}\n"}


@pytest.mark.parametrize(
    ("page", "sources", "told"),
    [
        (TWO, HELD, []),
        (TWO + "| I8 | All of it comes. |\n", HELD, ["no test is named after I8"]),
        (TWO + "| I7 | Said twice. |\n", HELD, ["I7 stands on the page 2 times"]),
        (TWO.splitlines()[0], HELD, ["W4 of tests/test_a.py is not on the page"]),
        (TWO, HELD | {"tests/test_b.py": "def test_a1_hidden(): ...\n"}, ["A1 of tests/test_b.py is not on the page"]),
        (
            "| W4 | |\n| I7 | Nothing is lost. |",
            HELD,
            ["W4 of tests/test_a.py is not on the page"],
        ),  # a number without a sentence
    ],
)
def test_what_does_not_fit_is_told(page: str, sources: dict[str, str], told: list[str]) -> None:
    assert differences(page, sources) == told


@pytest.mark.parametrize(
    ("source", "numbers"),
    [
        ("def test_i7_nothing_is_lost(): ...", {"I7"}),
        ("async def test_a1_i56_hidden(): ...", {"A1", "I56"}),
        ("class TestX:\n    def test_h3(self): ...", {"H3"}),
        ("x = {'W4 six minutes old': 1}", {"W4"}),
        ("pytest.param(1, id='W15 no type')", {"W15"}),
        ("@pytest.mark.parametrize('x', [1, 2], ids=['W1 none', 'W2 other'])\ndef test_x(x): ...", {"W1", "W2"}),
        ("def i7_helper(): ...\n'I8 is told in a docstring'", set()),
        ("def test_utf16_and_v1_and_i100_and_kiwi7(): ...", set()),
        ("x = {'A2': 1, 'A3 4': 2}", set()),
    ],
)
def test_numbers_are_read_from_names_and_cases_only(source: str, numbers: set[str]) -> None:
    assert numbers_in(source) == numbers
