"""`manage.py demo --company`: writing a company's situations down."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

from django.core.management import call_command

from demo.playback.situation import situations_in


def test_the_situations_of_an_item_are_written_for_rehearse(tmp_path: Path) -> None:
    told = StringIO()
    call_command("demo", company="brightwater", seed=3, item=["1P2", "1X3"], out=tmp_path, stdout=told)
    folders = [folder.name for folder in situations_in([tmp_path])]
    assert [name for name in folders if name.startswith("1X3")] == [
        "1X3-before", "1X3-broken-again", "1X3-cured", "1X3-left-open",
    ]  # fmt: skip
    assert told.getvalue() == f"{len(folders)} situations of brightwater, seed 3, are in {tmp_path}\n"
    assert {path.name for path in (tmp_path / "1X3-cured").iterdir()} == {"input.json", "expected.json", "connections.json"}
