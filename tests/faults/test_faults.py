"""Ten runs of the faults harness: nothing lost, nothing twice, nobody passed over, the log whole, nothing stuck."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.installation import installed
from tests.faults.runs import Runs

pytestmark = [pytest.mark.timeout(1800), pytest.mark.slow]
SEEDS = (4, 5, 6, 7, 8, 10, 12, 15, 19, 28)
"""Among them: a full disk, a stray record, slow clients, an emptied Redis, killed and frozen workers, reads that lag."""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    with installed() as installation:
        yield Runs(installation, Path(tmp_path_factory.mktemp("evidence")))


@pytest.mark.parametrize("seed", SEEDS)
def test_a_run_under_faults_keeps_every_promise(runs: Runs, seed: int) -> None:
    verdict = runs.one(seed)
    assert not verdict.findings, verdict.line


def test_the_log_is_whole_after_it_all(runs: Runs) -> None:
    verdict = runs.log_is_whole(runs.one(16))
    assert not verdict.findings, verdict.line
