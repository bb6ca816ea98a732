"""The arrows between packages hold, and a wrong one is noticed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.outside

ROOT = Path(__file__).resolve().parent.parent.parent


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter in `root`."""
    program = Path(sys.executable).parent / "lint-imports"
    return subprocess.run([program, "--no-cache"], cwd=root, capture_output=True, text=True, check=False)


def test_arrows_hold() -> None:
    result = lint_imports(ROOT)
    assert result.returncode == 0, result.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The packages and their contracts, to be spoilt."""
    for package in ("revops", "sync", "demo", "launch"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__", "migrations"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("place", "planted", "contract"),
    [
        ("revops/ledger/planted.py", "from sync import doorbell\n", "The business knows no vendor"),
        ("revops/ledger/planted.py", "from revops.cases import models\n", "Arrows go one way down"),
        ("revops/cases/planted.py", "import revops.web\n", "Arrows go one way down"),
        ("revops/web/planted.py", "from revops.serving import bodies\n", "Arrows go one way down"),
        ("sync/planted.py", "import revops.web.apps\n", "Nothing imports the pages or the API"),
        ("sync/intake/planted.py", "from sync.applying import apply\n", "Inside sync arrows go down"),
        ("sync/pull/planted.py", "from sync.applying.drain import process_all\n", "Inside sync arrows go down"),
        ("sync/ground/planted.py", "from sync.workers import tasks\n", "Inside sync arrows go down"),
        ("sync/vendor/planted.py", "import sync.connections.handles\n", "Inside sync arrows go down"),
        ("sync/planted.py", "from sync.ground import doorbell\n", "Inside sync arrows go down"),  # a module with no place
        ("sync/applying/claims.py", "from sync.applying import drain\n", "No import circle inside sync"),
        ("sync/workers/queues.py", "from sync.workers import sweep\n", "No import circle inside sync"),
        ("revops/work_queues/planted.py", "from revops.ledger import due\n", "Arrows go one way down"),
        ("sync/connectors/stripe/planted.py", "from sync.connectors import netsuite\n", "Connectors know neither each other"),
        ("sync/connectors/stripe/planted.py", "from django.conf import settings\n", "Connectors are handed the client"),
        ("demo/simulators/planted.py", "from sync.connectors import stripe\n", "Simulators are written from"),
        ("demo/rehearsal/planted.py", "from revops.cases.models import ExceptionCase\n", "The rehearsal company talks"),
        ("revops/policies/planted.py", "from django.utils import timezone\n", "Pure modules know no framework"),
    ],
)
def test_a_wrong_arrow_is_noticed(copy: Path, place: str, planted: str, contract: str) -> None:
    with (copy / place).open("a") as file:
        file.write(planted)
    result = lint_imports(copy)
    assert result.returncode != 0
    broken = " ".join(result.stdout.split()).split("Broken contracts")[-1]
    assert contract in broken
