"""`SECURITY.md` promises only what a test shows: each promise names one that is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "SECURITY.md").read_text()
PROMISES = re.findall(r"^- (.*(?:\n  .*)*)", PAGE.partition("## What we promise")[2].partition("\n## ")[0], re.MULTILINE)
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`$")


def test_there_are_promises() -> None:
    assert len(PROMISES) > 10


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise[:40])
def test_a_promise_names_a_test_that_is_there(promise: str) -> None:
    named = NAMED.search(promise)
    assert named, "it ends with the test that shows it"
    assert re.search(rf"^(async )?def {named[2]}\(", (ROOT / named[1]).read_text(), re.MULTILINE), named[0]
