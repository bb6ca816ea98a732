"""Runs the benchmarks on a database of their own (see `make bench`) and prints one JSON line a figure.

`--sample` makes everything a hundred times smaller: its figures say nothing, only that the benchmarks run.
"""

from __future__ import annotations

import importlib
import os
import sys

NAMES = ("intake", "pull_and_apply", "detection", "queue", "rules", "takeover", "audit", "slow_clients")


def main(wanted: list[str]) -> int:
    """Run all benchmarks or the named ones. Exit 2 for a name that does not exist."""
    sample = "--sample" in wanted
    wanted = [name for name in wanted if name != "--sample"]
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"There is no benchmark {unknown[0]}; there are: {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    os.environ["DJANGO_SETTINGS_MODULE"] = "revops.settings"
    os.environ.setdefault("REVOPS_STATEMENT_TIMEOUT_SECONDS", "600")
    os.environ.setdefault("REVOPS_LOG_LEVEL", "ERROR")
    os.environ["REVOPS_DEMO"] = "1"
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    for name in wanted or NAMES:
        print(f"# {name} ...", file=sys.stderr, flush=True)
        for figure in importlib.import_module(f"bench.{name}").run(0.01 if sample else 1.0):
            print(figure.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
