"""The lists of guards that are taken away one at a time (`scripts/guards/`) fit the code: each is where its list says."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from scripts.guards import __main__ as guards
from tests.house.test_words import ROOT


def script(name: str) -> ModuleType:
    """A file of `scripts` as a module."""
    spec = importlib.util.spec_from_file_location(f"revops_{name}", ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


LISTING = """    revops.money.xǁMoneyǁparse__mutmut_1: killed
    revops.money.xǁMoneyǁparse__mutmut_2: survived
    revops.money.x_total__mutmut_1: timeout
    revops.cases.routing.x_route__mutmut_1: no tests
    revops.cases.routing.x_route__mutmut_2: not checked
"""


def test_mutants_of_the_arithmetic_are_counted_by_module_and_held_to_the_floor() -> None:
    mutation = script("mutation")
    everything = mutation.endings(LISTING, [])
    assert {module: len(ends) for module, ends in everything.items()} == {"revops.money": 3, "revops.cases.routing": 1}
    assert list(mutation.endings(LISTING, ["revops.money*"])) == ["revops.money"]
    assert mutation.chosen_modules([]) == list(mutation.DATABASE)
    for name in ("revops.ledger.ra*", "revops.ledger.rates", "revops.ledger.rates.x_rate__mutmut_1"):
        assert mutation.chosen_modules([name]) == ["revops/ledger/rates.py"]
    lines, fine = mutation.verdict(everything, 0.9, frozenset())
    assert not fine
    assert lines == [
        "   0%     0 of    1 killed  revops.cases.routing  1 no tests",
        "  67%     2 of    3 killed  revops.money  1 survived",
    ]
    money = mutation.endings(LISTING, ["revops.money*"])
    assert mutation.verdict(money, 0.66, frozenset())[1]
    assert not mutation.verdict(money, 0.67, frozenset({"revops.money.x_total__mutmut_1"}))[1]
    assert mutation.verdict(money, 0.67, frozenset({"revops.money.xǁMoneyǁparse__mutmut_2"}))[1], "a survivor with a reason"
    assert mutation.verdict({}, 0.0, frozenset()) == ([], False)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_sample_of_the_arithmetic_is_broken_and_noticed(tmp_path: Path) -> None:
    """mutmut runs on this layout: in a copy with one small module, by its own tests."""
    copy = tmp_path / "copy"
    left_out = shutil.ignore_patterns(".git", ".venv", ".data", "*_cache", "__pycache__", ".hypothesis", "staticfiles", "mutants")
    shutil.copytree(ROOT, copy, ignore=left_out)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    settings = (copy / "pyproject.toml").read_text().partition("[tool.mutmut]")[0]
    (copy / "pyproject.toml").write_text(settings + SAMPLE)
    environment = {name: value for name, value in os.environ.items() if name != "REVOPS_TEST_SERVERS"}
    command = [sys.executable, "scripts/mutation.py", "revops.cases.routing*"]
    ran = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False, timeout=580)
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-2000:]
    (line,) = [line for line in ran.stdout.splitlines() if line.endswith("revops.cases.routing") or "routing  " in line]
    killed, of = re.search(r"(\d+) of +(\d+) killed", line).groups()  # type: ignore[union-attr]
    assert int(of) >= int(killed) >= 10


SAMPLE = """[tool.mutmut]
source_paths = ["revops"]
only_mutate = ["revops/cases/routing.py"]
also_copy = ["sync", "demo", "launch", "bench", "scripts", "templates", "static", "manage.py"]
pytest_add_cli_args = ["-p", "no:cacheprovider", "--no-header", "--hypothesis-profile=mutants"]
pytest_add_cli_args_test_selection = ["tests/revops/cases/test_routing.py"]
"""


def test_every_guard_is_where_the_list_says() -> None:
    assert guards.texts() == []
    names = [guard.name for guard in guards.GUARDS]
    assert len(set(names)) == len(names) > 50


@pytest.mark.django_db
def test_every_guard_of_the_database_is_there_to_be_dropped() -> None:
    from django.db import connection, transaction

    from tests.accounts import as_owner

    for guard in guards.GUARDS:
        if guard.sql:
            point = transaction.savepoint()
            with as_owner(), connection.cursor() as cursor:
                cursor.execute(guard.sql)
            transaction.savepoint_rollback(point)
