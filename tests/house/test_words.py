"""Habits that a reader of the code can rely on, each with a planted break that must be noticed."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SURFACE = {"web", "api", "management"}
BANNED_MODULES = {"utils", "util", "helpers", "helper", "managers", "manager", "services", "service", "common", "exceptions"}
LINES_OF_A_FILE_MAX = 500
LINES_OF_A_FUNCTION_MAX = 80


def python_files(*folders: str) -> Iterator[Path]:
    """Our own modules, without migrations."""
    for folder in folders or ("revops", "sync", "demo", "launch"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts and "__pycache__" not in path.parts:
                yield path


def business_files() -> Iterator[Path]:
    """The packages of `revops` that are not its surface."""
    for package in sorted((ROOT / "revops").iterdir()):
        if package.is_dir() and package.name not in SURFACE:
            yield from python_files(f"revops/{package.name}")


def parsed(path: Path) -> ast.Module:
    return _parsed(path.read_text(), str(path))


@functools.cache
def _parsed(text: str, name: str) -> ast.Module:
    """Each file is looked at by many tests and parsed once."""
    return ast.parse(text, name)


# --- what is looked for: each takes a file and yields (line, what) ---------------------------------------------------


def banned_name(path: Path) -> Iterator[tuple[int, str]]:
    """A module named after nothing."""
    if path.stem in BANNED_MODULES or path.parent.name in BANNED_MODULES:
        yield 1, path.stem


def signals_and_hidden_flow(path: Path) -> Iterator[tuple[int, str]]:
    """Signals, generic foreign keys, and save or delete overridden (but to refuse)."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.ImportFrom) and (node.module or "") in {"django.db.models.signals", "django.dispatch"}:
            yield node.lineno, "a signal"
        if isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in {"GenericForeignKey", "GenericRelation"}:
                yield node.lineno, name
        if isinstance(node, ast.ClassDef) and node.name != "SessionStore":  # of Django's sessions: it is no row
            for item in node.body:
                if isinstance(item, ast.FunctionDef) and item.name in {"save", "delete"} and not _only_refuses(item):
                    yield item.lineno, f"{node.name}.{item.name} overridden"


def _only_refuses(function: ast.FunctionDef) -> bool:
    body = [step for step in function.body if not (isinstance(step, ast.Expr) and isinstance(step.value, ast.Constant))]
    return len(body) == 1 and isinstance(body[0], ast.Raise)


MONEY_WORD = re.compile(r"(?i)(amount|money|price|total|balance|credit|debit|minor|currency|invoice|revenue|arr)\b")


def float_near_money(path: Path) -> Iterator[tuple[int, str]]:
    """float(...) on a line that speaks of money, a FloatField, or JSON numbers read as floats where facts are made."""
    lines = path.read_text().splitlines()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            if name == "float" and MONEY_WORD.search(lines[node.lineno - 1].replace("_", " ")):
                yield node.lineno, lines[node.lineno - 1].strip()
            if name.endswith("FloatField"):
                yield node.lineno, "FloatField"


TIME_WORD = re.compile(r"(?i)seconds|minute|lease|deadline|inf\b")


def float_of_no_time(path: Path) -> Iterator[tuple[int, str]]:
    """float(...) where the line does not speak of time: what else is counted here is exact."""
    lines = path.read_text().splitlines()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "float" and not TIME_WORD.search(lines[node.lineno - 1]):
            yield node.lineno, lines[node.lineno - 1].strip()
        if isinstance(node, ast.keyword) and node.arg == "parse_float" and ast.unparse(node.value) == "float":
            yield node.value.lineno, "parse_float=float"


def exact_files() -> Iterator[Path]:
    """Where amounts pass: everything but the simulators and the rehearsal company, which are the other side."""
    for path in python_files():
        if not {"simulators", "rehearsal"} & set(path.relative_to(ROOT).parts):
            yield path


def loose_json(path: Path) -> Iterator[tuple[int, str]]:
    """What a vendor or a person sent, read by a parser that makes floats and keeps the last of two keys."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"json.loads", "json.load"}:
            given = {keyword.arg for keyword in node.keywords}
            if not {"parse_float", "object_pairs_hook"} <= given:
                yield node.lineno, ast.unparse(node)[:80]


def where_strangers_json_comes_in() -> Iterator[Path]:
    yield from python_files("sync/connectors", "revops/api")
    yield from python_files("sync/vendor")
    yield from (ROOT / "sync" / name for name in ("intake/views.py", "applying/apply.py"))


GUARDS_OFF = re.compile(
    r"pgtrigger\.ignore|save_without_historical_record|skip_history_when_saving|SIMPLE_HISTORY_ENABLED"
    r"|session_replication_role\s*=|(?i:disable\s+trigger)|(?i:drop\s+trigger)"
)


def guards_switched_off(path: Path) -> Iterator[tuple[int, str]]:
    """A way around the database's own guards."""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if found := GUARDS_OFF.search(line):
            yield number, found[0]


def ringing_outside_the_doorbell(path: Path) -> Iterator[tuple[int, str]]:
    """Celery called from anywhere but the doorbell, or asked to remember a time."""
    if path == ROOT / "sync" / "ground" / "doorbell.py":
        return
    for node in ast.walk(parsed(path)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr in {"delay", "apply_async", "delay_on_commit", "send_task"}:
            yield node.lineno, f".{node.func.attr}("
        names = {keyword.arg for keyword in node.keywords}
        for name in ("countdown", "eta"):
            if name in names:
                yield node.lineno, f"{name}="


def celery_retry(path: Path) -> Iterator[tuple[int, str]]:
    """A task that retries itself would keep its time in Redis."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self.retry":
            yield node.lineno, "self.retry"
        if isinstance(node, ast.keyword) and node.arg in {"autoretry_for", "retry_backoff"}:
            yield node.value.lineno, node.arg


CHECKS: dict[str, tuple[Callable[[Path], Iterator[tuple[int, str]]], Callable[[], Iterator[Path]], str]] = {
    "banned module names": (banned_name, python_files, ""),
    "hidden flow in business packages": (
        signals_and_hidden_flow,
        business_files,
        "from django.db.models.signals import post_save\nclass A:\n    def save(self):\n        return super().save()\n",
    ),
    "float near money": (float_near_money, python_files, "amount = float(row['amount'])\n"),
    "float of anything but time": (float_of_no_time, exact_files, "share = float(row['quantity'])\n"),
    "JSON of strangers read loosely": (loose_json, where_strangers_json_comes_in, "import json\nx = json.loads(body)\n"),
    "guards switched off": (guards_switched_off, python_files, "with pgtrigger.ignore('audit.ActionRecord:append_only'): ...\n"),
    "celery outside the doorbell": (
        ringing_outside_the_doorbell,
        python_files,
        "from sync import tasks\ntasks.apply_deliveries.delay()\ntasks.x.apply_async(countdown=5)\n",
    ),
    "celery retries": (celery_retry, python_files, "def task(self):\n    self.retry()\n"),
}


@pytest.mark.parametrize("name", CHECKS)
def test_habit_is_kept(name: str) -> None:
    look, files, _ = CHECKS[name]
    found = [f"{path.relative_to(ROOT)}:{line}: {what}" for path in files() for line, what in look(path)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", CHECKS)
def test_a_planted_break_is_noticed(name: str, tmp_path: Path) -> None:
    look, _, planted = CHECKS[name]
    path = tmp_path / ("planted.py" if planted else "utils.py")
    path.write_text(planted)
    assert list(look(path))


@pytest.mark.parametrize(
    "rung",
    [
        "tasks.apply_deliveries.delay()", "tasks.apply_deliveries.apply_async()", "app.send_task('x')", "t.delay_on_commit()",
        "ring(countdown=5)", "ring(eta=later)",
    ],
)  # fmt: skip
def test_each_way_around_the_doorbell_is_noticed(rung: str, tmp_path: Path) -> None:
    path = tmp_path / "planted.py"
    path.write_text(rung)
    assert len(list(ringing_outside_the_doorbell(path))) == 1


# --- lengths --------------------------------------------------------------------------------------------------------


def long_functions(path: Path) -> Iterator[tuple[int, str]]:
    """Functions longer than a screen or two, docstring not counted."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
            length = (node.end_lineno or 0) - first.lineno + 1
            if length > LINES_OF_A_FUNCTION_MAX:
                yield node.lineno, f"{node.name} has {length} lines"


def test_files_and_functions_stay_readable() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {count} lines"
        for path in python_files()
        if (count := len(path.read_text().splitlines())) > LINES_OF_A_FILE_MAX
    ]
    found += [f"{path.relative_to(ROOT)}:{line}: {what}" for path in python_files() for line, what in long_functions(path)]
    assert not found, "\n".join(found)


def test_a_long_function_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "long.py"
    path.write_text("def f():\n" + "    x = 1\n" * 100)
    assert list(long_functions(path))


# --- what must not be named ---------------------------------------------------------------------------------------------

TEXT_SUFFIXES = {".py", ".md", ".toml", ".yml", ".yaml", ".txt", ".html", ".css", ".js", ".json", ".sh", ".in", ".example", ""}


def own_text_files() -> Iterator[Path]:
    skipped = {".git", ".venv", ".data", "__pycache__", "node_modules", "staticfiles"}
    for path in sorted(ROOT.rglob("*")):
        parts = set(path.relative_to(ROOT).parts)
        hidden_cache = any(part.endswith("_cache") or part == ".hypothesis" for part in parts)
        if path.is_file() and not parts & skipped and not hidden_cache and path.suffix in TEXT_SUFFIXES:
            yield path


def test_no_path_of_one_machine_is_named() -> None:
    machine = re.compile(r"/(?:work|root|home/[a-z]+|Users)/[a-z]")
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in own_text_files()
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1)
        if machine.search(line)
    ]
    assert not found, "\n".join(found)


def test_requirements_are_pinned_with_hashes_and_name_no_address() -> None:
    for name in ("base.txt", "test.txt"):
        text = (ROOT / "requirements" / name).read_text()
        assert "://" not in text
        assert not re.search(r"^--(index|extra|find|trusted)", text, re.MULTILINE)
        pins = re.findall(r"^[A-Za-z0-9._\[\],-]+==\S+ \\\n    --hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
        assert len(pins) == len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE)) > 30
