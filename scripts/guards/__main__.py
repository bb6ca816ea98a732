"""Take one guard away at a time and see a test turn red: `python -m scripts.guards [WORD ...]`.

A guard that no test can break is not proven. Each line of a file's `GUARDS` names a guard, how to remove it (other code, or SQL
against the test database), and the tests that must notice; there is a file for each package that has guards. Everything
happens in a copy of the tree in a temporary folder; the same tests must be green there before. Prints a table; ends with 1 when
a guard can be taken away unnoticed. Words choose the guards whose name holds one of them.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from scripts.guards.guard import Guard

ROOT = Path(__file__).resolve().parent.parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".data", "*_cache", "__pycache__", ".hypothesis", "staticfiles")
UNGUARDED = """

@pytest.fixture(scope="session", autouse=True)
def _unguarded(django_db_setup: None, django_db_blocker: object) -> None:
    with django_db_blocker.unblock():
        from django.db import connection

        with accounts.as_owner(), connection.cursor() as cursor:
            cursor.execute(os.environ["MUTANT_SQL"])
"""
"""Added to the copy's tests: the database loses the guard before the first test."""


_FILES = (module.name for module in pkgutil.iter_modules([str(Path(__file__).parent)]))
PACKAGES = sorted(name for name in _FILES if name not in {"__main__", "guard"})
GUARDS: tuple[Guard, ...] = tuple(
    guard for name in PACKAGES for guard in importlib.import_module(f"scripts.guards.{name}").GUARDS
)
"""One file a package."""


def texts() -> list[str]:
    """What is wrong with the list itself: a text that its file does not hold exactly once, tests that are not there."""
    wrong = []
    for guard in GUARDS:
        if guard.path and (count := (ROOT / guard.path).read_text().count(guard.old)) != 1:
            wrong.append(f"{guard.name}: {guard.path} holds its text {count} times")
        wrong += [
            f"{guard.name}: no {word}" for word in guard.tests.split() if word.startswith("tests/") and not (ROOT / word).exists()
        ]
    return wrong


def run(tests: str, copy: Path, **environment: str) -> tuple[int, list[str], str]:
    """Run tests in the copy: the status, the tests that failed (not those that could not start), and the last words."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *shlex.split(tests)]
    given = {**os.environ, **environment}
    ran = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, timeout=900, env=given)
    failed = [line.split(" - ")[0].removeprefix("FAILED ") for line in ran.stdout.splitlines() if line.startswith("FAILED ")]
    return ran.returncode, failed, (ran.stdout + ran.stderr)[-600:]


def noticed(guard: Guard, copy: Path) -> tuple[bool, str]:
    """Plant it in the copy, run its tests, put everything back. Whether they turned red, and the first that did."""
    kept = {path: (copy / path).read_text() for path in {guard.path, "tests/conftest.py"} - {""}}
    if guard.path:
        (copy / guard.path).write_text(kept[guard.path].replace(guard.old, guard.new))
    if guard.sql:
        (copy / "tests/conftest.py").write_text(kept["tests/conftest.py"] + UNGUARDED)
    try:
        status, failed, words = run(guard.tests, copy, MUTANT_SQL=guard.sql)
    finally:
        for path, text in kept.items():
            (copy / path).write_text(text)
    return status == 1 and bool(failed), failed[0] if failed else words


def main(words: list[str]) -> int:
    """Take away the chosen guards one after the other."""
    if wrong := texts():
        print("\n".join(wrong), file=sys.stderr)
        return 2
    chosen = [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]
    survived = 0
    with tempfile.TemporaryDirectory(prefix="revops-guards-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        (copy / ".venv").symlink_to(ROOT / ".venv")
        for tests in sorted({guard.tests for guard in chosen}):
            status, _, words_of_it = run(tests, copy)
            if status != 0:
                print(f"not green with every guard: {tests}\n{words_of_it}", file=sys.stderr)
                return 2
        for guard in chosen:
            started = time.monotonic()
            dead, first = noticed(guard, copy)
            survived += not dead
            print(
                f"{'killed' if dead else 'SURVIVED':<9} {time.monotonic() - started:5.0f} s  {guard.name:<58} {first}",
                flush=True,
            )
    print(f"{len(chosen) - survived} of {len(chosen)} killed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
