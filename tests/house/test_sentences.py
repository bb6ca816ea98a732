"""Every sentence is a declared template that somebody uses, and no code looks into one: it asks for the code and the parameters.

Found in the code without running it; every look has a planted break that it must notice. That other words change nothing is
shown by `tests/revops/test_rewording.py`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.test_words import ROOT, parsed, python_files

SENTENCES = frozenset(
    {"sentence", "summary", "outcome", "why", "why_not", "reverse", "close_reason", "routing_reason", "next_move", "search_text"}
)
"""Attributes and columns that hold what people read."""
MESSAGES = frozenset({"message", "said", "last_error", "last_problem"})
"""Attributes that tell people of an error, whose code is for programs."""
TEXT_METHODS = frozenset(
    {"startswith", "endswith", "split", "rsplit", "partition", "rpartition", "find", "index", "count", "removeprefix",
     "removesuffix", "replace", "islower", "isupper", "isascii", "isdecimal"}
)  # fmt: skip
PATTERNS = frozenset({"search", "match", "fullmatch", "findall", "finditer", "sub", "subn"})
TEXT_LOOKUPS = ("contains", "icontains", "startswith", "istartswith", "endswith", "iendswith", "regex", "iregex", "iexact")

CLEANS = {"revops/policies/document.py"}
"""A library's prefix is taken off its own message there, before anybody reads it."""


def product_files() -> list[Path]:
    return [path for path in python_files("revops", "sync") if "migrations" not in path.parts]


# --- declared and used ------------------------------------------------------------------------------------------------------


def templates_in(path: Path) -> Iterator[tuple[str, str]]:
    """(code, name it is bound to or the empty string) of each template that a module declares."""
    tree = parsed(path)
    bound: dict[int, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            bound |= {id(call): node.targets[0].id for call in ast.walk(node.value) if isinstance(call, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "template":
            assert all(isinstance(argument, ast.Constant) for argument in node.args), (
                f"{path}:{node.lineno}: a text is a constant"
            )
            yield str(ast.literal_eval(node.args[0])), bound.get(id(node), "")


def uses_of(name: str, path: Path) -> int:
    """How often a name is read in its module, or by others under it."""
    return sum(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for n in ast.walk(parsed(path)))


def declared() -> dict[str, tuple[Path, str]]:
    return {code: (path, name) for path in product_files() for code, name in templates_in(path)}


def test_every_template_has_its_own_code_and_is_used() -> None:
    counted = Counter(code for path in product_files() for code, _ in templates_in(path))
    assert [code for code, count in counted.items() if count > 1] == []
    assert len(counted) > 100
    assert [code for code, (path, name) in declared().items() if not name or not uses_of(name, path)] == [], "nobody says these"


@pytest.mark.outside
def test_the_web_server_knows_the_text_of_every_template() -> None:
    """A page shows what any process has said; a module that only a command imports must be known to it as well."""
    script = "import django; django.setup(); import revops.urls; from revops.sentences import TEXTS; print(*TEXTS)"
    ran = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True, text=True)
    known = set(ran.stdout.splitlines()[-1].split())
    assert declared().keys() - known == set()


# --- nobody reads -----------------------------------------------------------------------------------------------------------


def _is_told(node: ast.AST) -> bool:
    """An attribute that holds words, also as `str(...)`, in an f-string or cut to a length."""
    if isinstance(node, ast.Attribute):
        return node.attr in SENTENCES | MESSAGES
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("str", "render", "repr"):
        return any(_is_told(argument) for argument in node.args)
    if isinstance(node, ast.Subscript):
        return _is_told(node.value)
    return False


def _errors(tree: ast.AST) -> set[str]:
    """The names under which errors are caught."""
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}


def reads_of_words(path: Path) -> Iterator[tuple[int, str]]:
    """Text methods, patterns, comparisons with a text and text lookups on what people read."""
    tree = parsed(path)
    errors = _errors(tree)

    def is_words(node: ast.AST) -> bool:
        texts = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str" and node.args
        return _is_told(node) or bool(texts and isinstance(node.args[0], ast.Name) and node.args[0].id in errors)  # type: ignore[attr-defined]

    for node in ast.walk(tree):
        found = False
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            found = node.func.attr in TEXT_METHODS and is_words(node.func.value)
            found |= node.func.attr in PATTERNS and any(is_words(argument) for argument in node.args)
        elif isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            compared = any(isinstance(op, (ast.Eq, ast.NotEq, ast.In, ast.NotIn)) for op in node.ops)
            texts = any(
                isinstance(side, (ast.Constant, ast.JoinedStr)) and ast.unparse(side) not in ("''", "None") for side in sides
            )
            found = compared and texts and any(is_words(side) for side in sides)
        elif isinstance(node, ast.keyword) and node.arg is not None:
            column, _, lookup = node.arg.rpartition("__")
            found = lookup in TEXT_LOOKUPS and column.split("__")[0] in SENTENCES - {"search_text"} | MESSAGES
        if found:
            yield getattr(node, "lineno", 0) or node.value.lineno, ast.unparse(node)[:100]  # type: ignore[attr-defined]


def test_no_code_reads_what_is_written_for_people() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in product_files()
        if str(path.relative_to(ROOT)) not in CLEANS
        for line, what in reads_of_words(path)
    ]
    assert found == []


@pytest.mark.parametrize(
    "broken",
    [
        'if action.summary.endswith("void"): pass',
        'if "below billing" in str(case.sentence): pass',
        'if str(case.sentence)[:20] == "The ERP has": pass',
        'MENTION.search(posting.summary)',
        're.sub("a", "b", str(plan.outcome))',
        'parts = checkpoint.why.split("; ")',
        'ActionRecord.objects.filter(summary__icontains="void")',
        'ActionRecord.objects.exclude(summary__endswith=wrong)',
        'rows.filter(last_error__startswith="503")',
        'if error.message == f"{name} is closed": pass',
        'try:\n    x()\nexcept ValueError as wrong:\n    y = "one_plan" in str(wrong)',
    ],
)  # fmt: skip
def test_a_look_into_words_is_noticed(broken: str, tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(broken)
    assert list(reads_of_words(planted))


@pytest.mark.parametrize(
    "fine",
    [
        'if action.summary.code == "case.opened": pass',
        'ActionRecord.objects.filter(summary__code="case.opened")',
        'rows.filter(search_text__icontains=words)',
        'rows.exclude(last_error="")',
        'if case.close_reason is None: pass',
        'if posting.last_error == "": pass',
        'text = str(case.sentence)',
        'try:\n    x()\nexcept ValueError as wrong:\n    y = str(wrong)',
    ],
)  # fmt: skip
def test_asking_for_a_code_is_fine(fine: str, tmp_path: Path) -> None:
    planted = tmp_path / "planted.py"
    planted.write_text(fine)
    assert list(reads_of_words(planted)) == []
