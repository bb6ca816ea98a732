"""Change the arithmetic one operator at a time and see a test turn red: `python scripts/mutation.py [NAME ...]`.

Runs mutmut with the settings of `pyproject.toml` (which modules, which tests), then prints for each module how many mutants its
tests killed. Ends with 1 when a module is below the floor, unless docs/mutants.md names each of its survivors with the reason.
Names choose mutants as mutmut does (`revops.money*`); without any, all pure modules. `mutmut show <name>` shows a survivor.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MUTMUT = [sys.executable, "-m", "mutmut"]
FLOOR = 0.90
ENDED = ("killed", "timeout", "segfault", "caught by type check")
"""A mutant that never ends is noticed as well: the test's own time limit turns red."""


def endings(listing: str, names: list[str]) -> dict[str, dict[str, str]]:
    """Module -> mutant -> how it ended, from the lines of `mutmut results`. Those never run are left out."""
    found: dict[str, dict[str, str]] = {}
    for name, status in re.findall(r"^\s*(\S+): ([a-z ]+)$", listing, re.MULTILINE):
        if status != "not checked" and (not names or any(fnmatch(name, wanted) for wanted in names)):
            found.setdefault(re.split(r"\.x_|\.xǁ", name)[0], {})[name] = "ended" if status in ENDED else status
    return found


def verdict(found: dict[str, dict[str, str]], floor: float, accepted: frozenset[str]) -> tuple[list[str], bool]:
    """A line for each module, and whether all are well: at the floor, or every survivor accepted. No module is not well."""
    lines, fine = [], bool(found)
    for module, mutants in sorted(found.items()):
        ends = Counter(mutants.values())
        share = ends["ended"] / len(mutants)
        open_ones = {name for name, status in mutants.items() if status != "ended"} - accepted
        fine = fine and (share >= floor or not open_ones)
        rest = ", ".join(f"{count} {status}" for status, count in sorted(ends.items()) if status != "ended")
        lines.append(f"{share:5.0%}  {ends['ended']:4} of {len(mutants):4} killed  {module}{'  ' + rest if rest else ''}")
    return lines, fine


def accepted_survivors() -> frozenset[str]:
    """The mutants that docs/mutants.md names."""
    return frozenset(re.findall(r"`(revops\.\S+__mutmut_\d+)`", (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")))


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--floor", type=float, default=FLOOR)
    parser.add_argument("--processes", type=int, default=2)
    chosen = parser.parse_args(arguments)
    ran = subprocess.run([*MUTMUT, "run", "--max-children", str(chosen.processes), *chosen.names], cwd=ROOT, check=False)
    listed = subprocess.run([*MUTMUT, "results", "--all", "true"], cwd=ROOT, check=False, capture_output=True, text=True)
    lines, fine = verdict(endings(listed.stdout, chosen.names), chosen.floor, accepted_survivors())
    print("\n".join(lines))
    if ran.returncode or not lines:
        print(f"mutmut ended with {ran.returncode} and {len(lines)} modules", file=sys.stderr)
        return 2
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
