"""What is due is written once, in `revops.work_queues.queue`: a second predicate anywhere would one day say something else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps

from revops.work_queues.rows import QueueRow
from sync.workers.queues import QUEUES
from tests.house.test_words import ROOT, python_files

PREDICATE = re.compile(
    r"(?i)\b(?:lease_until|next_attempt_at)\b\"?\s*(?:<|>|!=|\bIS\b(?! None| not None)|\bBETWEEN\b)"  # SQL
    r"|\b(?:lease_until|next_attempt_at)__"  # a filter on a model
    r"|(?:<|>)=?\s*(?:\w+\.)?(?:lease_until|next_attempt_at)\b"  # the other way round
)
HOME = ROOT / "revops" / "work_queues" / "queue.py"


def predicates(path: Path) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if PREDICATE.search(line):
            yield number, line.strip()


def test_nothing_but_the_queue_asks_what_is_due() -> None:
    assert list(predicates(HOME)), "the look itself sees nothing"
    places = [path for path in python_files("revops", "sync", "demo") if path != HOME]
    found = [f"{path.relative_to(ROOT)}:{number}: {line}" for path in places for number, line in predicates(path)]
    assert found == []


@pytest.mark.parametrize(
    "planted",
    [
        "SELECT 1 FROM sync_delivery WHERE next_attempt_at <= clock_timestamp()",
        "WHERE w.lease_until IS NULL OR w.lease_until < now()",
        "Posting.objects.filter(next_attempt_at__lte=now)",
        "Q(lease_until__isnull=True)",
        "WHERE now() > q.next_attempt_at",
    ],
)
def test_a_second_predicate_is_noticed(tmp_path: Path, planted: str) -> None:
    path = tmp_path / "planted.py"
    path.write_text(f'QUESTION = """{planted}"""\n')
    assert [line for _, line in predicates(path)]


def test_every_queue_row_has_a_queue_and_each_queue_its_rows() -> None:
    """Five queues on the tables of the models that say they are queue rows; no task is rung for by two of them."""
    tables = {model._meta.db_table for model in apps.get_models() if issubclass(model, QueueRow)}
    assert {queue.table for queue in QUEUES} == tables
    assert len({queue.task for queue in QUEUES}) == len({queue.name for queue in QUEUES}) == len(QUEUES) == 5
