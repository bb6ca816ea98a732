"""Change the arithmetic one operator at a time and see a test turn red: `python scripts/mutation.py [NAME ...]`.

Runs mutmut with the settings of `pyproject.toml` (which modules, which tests), then prints for each module how many mutants its
tests killed. Ends with 1 when a module is below the floor, unless docs/mutants.md names each of its survivors with the reason.
Names choose mutants as mutmut does (`revops.money*`); without any, all pure modules. `mutmut show <name>` shows a survivor.

`--database` runs the modules whose tests ask the database instead (`DATABASE`), each by its own tests, in a copy of the tree and
one mutant at a time: every mutant's process uses the servers and the database of the first, and its tests roll back what they
write.
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MUTMUT = [sys.executable, "-m", "mutmut"]
FLOOR = 0.90
ENDED = ("killed", "timeout", "segfault", "caught by type check")
"""A mutant that never ends is noticed as well: the test's own time limit turns red."""

DATABASE: Mapping[str, Sequence[str]] = {
    "revops/cases/lifecycle.py": ("tests/revops/cases/test_update_cases.py",),
    "revops/ledger/rates.py": ("tests/revops/ledger/test_rates.py",),
    "revops/ledger/record.py": ("tests/revops/ledger/test_record.py", "tests/revops/ledger/test_record_rows.py"),
    "revops/postings/transitions.py": ("tests/revops/postings/test_transitions.py",),
}
"""Modules whose tests ask the database, with those tests: they write a row at most a few times and wait for nothing."""
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".data", "*_cache", "__pycache__", ".hypothesis", "staticfiles", "mutants")


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


@contextmanager
def copy_with(module: str, tests: Sequence[str]) -> Iterator[Path]:
    """A copy of the tree in which mutmut is set to this module and its tests, all on one database."""
    with tempfile.TemporaryDirectory(prefix="revops-mutants-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        (copy / ".venv").symlink_to(ROOT / ".venv")
        settings = (copy / "pyproject.toml").read_text(encoding="utf-8")
        for name, values in (("only_mutate", [module]), ("pytest_add_cli_args_test_selection", list(tests))):
            settings = re.sub(rf"^{name} = \[.*?^\]$", f"{name} = {values}", settings, count=1, flags=re.MULTILINE | re.DOTALL)
        settings = re.sub(r"^(pytest_add_cli_args = \[)", r'\1"--reuse-db", ', settings, count=1, flags=re.MULTILINE)
        (copy / "pyproject.toml").write_text(settings, encoding="utf-8")
        yield copy


def chosen_modules(names: Sequence[str]) -> list[str]:
    """The modules of `DATABASE` that hold mutants of these names; all of them without names."""
    dotted = {path: path.removesuffix(".py").replace("/", ".") for path in DATABASE}
    return [p for p, name in dotted.items() if not names or any(w.startswith(f"{name}.") or fnmatch(name, w) for w in names)]


def run(folder: Path, processes: int, names: list[str]) -> tuple[int, dict[str, dict[str, str]]]:
    """Run mutmut there; returns its status, and how each mutant ended."""
    ran = subprocess.run([*MUTMUT, "run", "--max-children", str(processes), *names], cwd=folder, check=False)
    listed = subprocess.run([*MUTMUT, "results", "--all", "true"], cwd=folder, check=False, capture_output=True, text=True)
    return ran.returncode, endings(listed.stdout, names)


def run_on_database(names: list[str]) -> tuple[int, dict[str, dict[str, str]]]:
    """The same for the modules of `DATABASE`, one after the other. Their copies go, so what survived is shown before."""
    status = 0
    found: dict[str, dict[str, str]] = {}
    for module in chosen_modules(names):
        with copy_with(module, DATABASE[module]) as copy:
            returned, ended = run(copy, 1, names)
            for name in (name for mutants in ended.values() for name, how in mutants.items() if how != "ended"):
                subprocess.run([*MUTMUT, "show", name], cwd=copy, check=False)
        status, found = status or returned, found | ended
    return status, found


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--floor", type=float, default=FLOOR)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--database", action="store_true")
    chosen = parser.parse_args(arguments)
    status, found = run_on_database(chosen.names) if chosen.database else run(ROOT, chosen.processes, chosen.names)
    lines, fine = verdict(found, chosen.floor, accepted_survivors())
    print("\n".join(lines))
    if status or not lines:
        print(f"mutmut ended with {status} and {len(lines)} modules", file=sys.stderr)
        return 2
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
