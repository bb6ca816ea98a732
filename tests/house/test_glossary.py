"""`docs/words.md` tells the truth: a word stands there once, names code that is there, and what was given up does not come back.

That the named files and definitions exist is looked up in `test_architecture`, for every page of `docs`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.house.test_architecture import NAMED, missing
from tests.house.test_words import ROOT, parsed, python_files

PAGE = ROOT / "docs" / "words.md"
ROW = re.compile(r"^\| (?!Word |-)(.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
GIVEN_UP = re.compile(r"^\| (?!Word |-)(\w+)( \(a module\))? \| (.+?) \|$", re.MULTILINE)
PART = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")
PRODUCT = ("revops", "sync", "launch")
TRADE = {"look_up_again", "_looked_up_and_absent"}
"""To look up is a word of the trade."""


def words(page: str) -> list[tuple[str, str, str]]:
    """Word, meaning, place."""
    return ROW.findall(page.split("## Given up", maxsplit=1)[0])


def given_up(page: str) -> tuple[frozenset[str], frozenset[str]]:
    """The words that no name has, and those that no module is named by."""
    rows = GIVEN_UP.findall(page.split("## Given up")[1])
    return frozenset(word for word, module, _ in rows if not module), frozenset(word for word, module, _ in rows if module)


def wrong_rows(page: str) -> list[str]:
    """The rows of words out of order, told twice, or without a place in the code."""
    rows = words(page)
    names = [word for word, _, _ in rows]
    wrong = [f"{word} does not follow {before}" for before, word in pairwise(names) if word <= before]
    return wrong + [f"{word} names no code" for word, _, place in rows if not _is_in_the_code(place)]


def _is_in_the_code(place: str) -> bool:
    return any(name for _, name in NAMED.findall(place)) and not missing(place)


def named_so(path: Path, never: frozenset[str], not_modules: frozenset[str]) -> Iterator[str]:
    """The module, classes and functions of a file that have a word which was given up."""
    if path.stem in not_modules:
        yield path.stem
    names = [
        node.name for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    for name in [path.stem, *names]:
        if name not in TRADE and any(_is_of(part.lower(), word) for part in PART.findall(name) for word in never):
            yield name


def _is_of(part: str, word: str) -> bool:
    """`settle`, `settles`, `settled`, `settling`."""
    stem = word.removesuffix("e")
    return part in {word, f"{word}s", f"{stem}ed", f"{stem}ing"}


def test_words_stand_once_and_name_code() -> None:
    page = PAGE.read_text()
    assert len(words(page)) > 30
    assert wrong_rows(page) == []


def test_what_was_given_up_does_not_come_back() -> None:
    never, not_modules = given_up(PAGE.read_text())
    assert len(never) > 5
    assert len(not_modules) > 3
    found = [
        f"{path.relative_to(ROOT)}: {name}" for path in python_files(*PRODUCT) for name in named_so(path, never, not_modules)
    ]
    assert found == []


# --- planted breaks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([("a", "money.py::Money"), ("b", "money.py::exponent")], []),
        ([("b", "money.py::Money"), ("a", "money.py::Money")], ["a does not follow b"]),
        ([("a", "money.py::Money"), ("a", "money.py::Money")], ["a does not follow a"]),
        ([("a", "money.py::Gold"), ("b", "money.py")], ["a names no code", "b names no code"]),
    ],
)
def test_a_wrong_row_is_told(rows: list[tuple[str, str]], told: list[str]) -> None:
    page = "\n".join(f"| {word} | Its meaning. | `revops/{place}` |" for word, place in rows)
    assert wrong_rows(page + "\n## Given up\n") == told


@pytest.mark.parametrize(
    ("name", "source", "found"),
    [
        ("door.py", "", ["door"]),
        ("front_doors.py", "", ["front_doors"]),
        ("watch.py", "", ["watch"]),
        ("watches.py", "def watch(): ...", []),
        ("a.py", "class SettledCase:\n    def _settle(self): ...", ["SettledCase", "_settle"]),
        ("a.py", "async def settling(): ...", ["settling"]),
        ("a.py", "def look_up_again(): ...\ndef indoors(): ...\nclass Settler: ...\nsettle = 1", []),
    ],
)
def test_a_name_that_comes_back_is_noticed(name: str, source: str, found: list[str], tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(source)
    assert sorted(named_so(path, frozenset({"door", "look", "settle"}), frozenset({"watch"}))) == sorted(found)
