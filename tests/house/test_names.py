"""Promises and bad inputs have numbers, and tests are named after what they hold: none of the list is without a test.

A number stands in a test's function name (`test_i7_...`) or in the id of a parameter (`W4 six minutes old`).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict

import pytest

from tests.house.test_words import ROOT

NUMBER = re.compile(r"(?<![A-Za-z0-9])([IWAHiwah])(\d{1,2})(?![A-Za-z0-9])")


def numbered(letter: str, *spans: range) -> set[str]:
    return {f"{letter}{number}" for span in spans for number in span}


REQUIRED = {
    *numbered("I", range(1, 8), range(10, 17), range(18, 21), range(22, 31), range(33, 43), range(45, 48), range(49, 51)),
    *numbered("I", range(55, 57), range(59, 61)),
    *numbered("W", range(1, 31), range(32, 34)),
    *numbered("A", range(1, 18)),
    *numbered("H", range(1, 11)),
}


def ids_of(node_ids: list[str]) -> dict[str, list[str]]:
    """Number -> the tests that name it in their function or parameter."""
    found: dict[str, list[str]] = defaultdict(list)
    for node_id in node_ids:
        for letter, number in NUMBER.findall(node_id.partition("::")[2]):
            found[f"{letter.upper()}{number}"].append(node_id)
    return found


def collected() -> list[str]:
    """The id of every test, as pytest itself collects them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_XDIST", "PYTEST_CURRENT"))}
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:randomly", "-p", "no:cacheprovider", "tests"]
    said = subprocess.run(command, cwd=ROOT, env=kept, capture_output=True, text=True, check=False, timeout=110)
    assert said.returncode == 0, said.stdout[-2000:] + said.stderr[-2000:]
    return [line for line in said.stdout.splitlines() if "::" in line]


@pytest.mark.slow
def test_every_number_of_the_list_has_a_test() -> None:
    found = ids_of(collected())
    missing = sorted(REQUIRED - set(found), key=lambda each: (each[0], int(each[1:])))
    assert not missing, f"no test is named after {', '.join(missing)}"


@pytest.mark.parametrize(
    ("node_id", "numbers"),
    [
        ("tests/a.py::test_i7_nothing_is_lost", {"I7"}),
        ("tests/a.py::test_a1_i56_hidden[x-y]", {"A1", "I56"}),
        ("tests/a.py::test_refused[W4 six minutes old]", {"W4"}),
        ("tests/i1/w2.py::test_x", set()),
        ("tests/a.py::test_utf16_and_v1_and_i100_and_kiwi7", set()),
        ("tests/a.py::test_x[ri7-7i7]", set()),
    ],
)
def test_numbers_are_read_from_names_and_parameters_only(node_id: str, numbers: set[str]) -> None:
    assert set(ids_of([node_id])) == numbers
