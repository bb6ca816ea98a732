"""`python -m tests.faults --runs N --seed S`: run the seeds S to S+N-1, one line each; the last line adds them up.

Ends with 1 when any promise was broken. `make faults RUNS=1 SEED=17` plays a single run again: the same work and the same faults,
at the moments that the machine allows.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tests.faults.installation import installed
from tests.faults.runs import Runs, Verdict, total

ONE_INSTALLATION = 50
"""Runs on one installation before a fresh one is started."""


def main(arguments: list[str] | None = None) -> int:
    """Run; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--evidence", type=Path, default=Path("/tmp/revops-faults"), help="where bad runs are kept")
    given = parser.parse_args(arguments)
    verdicts: list[Verdict] = []
    seeds = list(range(given.seed, given.seed + given.runs))
    while seeds:
        with installed() as installation:
            runs = Runs(installation, given.evidence)
            for seed in seeds[:ONE_INSTALLATION]:
                verdicts.append(runs.one(seed))
                seeds.remove(seed)
                print(verdicts[-1].line, flush=True)
                if verdicts[-1].broke_off:
                    break
            else:
                verdicts[-1] = runs.log_is_whole(verdicts[-1])
    print(total(verdicts))
    return 1 if any(verdict.findings for verdict in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
