"""Every requirement is used: imported by the code it is for, named in the settings, or the program of a command."""

from __future__ import annotations

import ast
import functools
import itertools
import re
import sys
from collections.abc import Iterator
from importlib import metadata

import pytest

from tests.house.test_words import ROOT

FOR = {
    "base": ("manage.py", "revops", "sync"),
    "launch": ("launch",),
    "demo": ("demo",),
    "test": ("tests", "bench", "scripts"),
}
"""Requirement file -> the code that may need what it adds."""
COMMANDS = {
    "base": ["Dockerfile", "docker-compose.yml", "launch/programs.py"],
    "launch": ["launch/embedded.py", "launch/keeper.py"],
    "demo": [],
    "test": ["Makefile", "pyproject.toml", "scripts/browser.sh", "scripts/django_checks.sh", "scripts/migrations.sh"],
}
"""Requirement file -> where the commands stand that run its programs and name its plug-ins."""
WITHOUT_A_NAME = {
    "pytest-xdist": "`-n 2` in the Makefile",
    "pytest-randomly": "shuffles every run by being there",
    "pytest-socket": "`--allow-hosts` in pyproject.toml",
    "celery-types": "read by mypy",
    "types-django-filter": "read by mypy",
    "types-PyYAML": "read by mypy",
    "djangorestframework-stubs": "read by mypy",
}
"""What works by being installed."""


def requirements(file: str) -> Iterator[str]:
    """The packages that `requirements/<file>.in` names itself."""
    for line in (ROOT / "requirements" / f"{file}.in").read_text().splitlines():
        if found := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line):
            yield found[0]


@functools.cache
def modules_of(package: str) -> set[str]:
    """The top-level modules that a package installs."""
    files = metadata.files(package) or []
    names = {file.parts[0].removesuffix(".py") for file in files if file.suffix == ".py" and not file.parts[0].startswith("..")}
    return {name for name in names if name.isidentifier()}


@functools.cache
def imported_in(*places: str) -> set[str]:
    """Top-level modules imported anywhere in these files and folders."""
    found: set[str] = set()
    for place in places:
        for path in [ROOT / place] if place.endswith(".py") else sorted((ROOT / place).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    found |= {alias.name.split(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module.split(".")[0])
    return found


def used(package: str, file: str) -> bool:
    """Whether the code that this requirement is for imports it, loads it by name, or runs it."""
    modules = modules_of(package)
    if modules & imported_in(*FOR[file]):
        return True
    settings = (ROOT / "revops" / "settings.py").read_text()
    if file in {"base", "test"} and any(re.search(rf'"{module}[".]', settings) for module in modules):
        return True
    text = "\n".join((ROOT / name).read_text() for name in COMMANDS[file])
    names = {
        package,
        package.removeprefix("pytest-"),
        *modules,
        *(point.name for point in metadata.distribution(package).entry_points),
    }
    return any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) for name in names if len(name) > 1)


@pytest.mark.parametrize(("file", "package"), [(file, package) for file in FOR for package in requirements(file)])
def test_a_requirement_is_used(file: str, package: str) -> None:
    assert package in WITHOUT_A_NAME or used(package, file), f"{package} is used by nothing: remove it from {file}.in"


def test_an_unused_requirement_is_noticed() -> None:
    assert not used("hypothesis", "base")
    assert not used("supervisor", "base")


def test_each_file_contains_the_one_before_it() -> None:
    files = list(FOR)
    for inner, outer in itertools.pairwise(files):
        assert f"-r {inner}.in" in (ROOT / "requirements" / f"{outer}.in").read_text().splitlines()
    together = [package for file in files for package in requirements(file)]
    assert len(together) == len(set(together))


COMES_WITH = {"httpcore2": "httpx2", "pydantic_core": "pydantic"}
"""Modules of a package that another requirement brings and whose errors it hands on."""


def undeclared(file: str, *places: str) -> set[str]:
    """What this code imports that neither its requirement file, nor one that it contains, brings."""
    files = list(FOR)
    brought = {
        module for name in files[: files.index(file) + 1] for package in requirements(name) for module in modules_of(package)
    }
    ours = {path.stem for path in ROOT.iterdir() if path.is_dir() or path.suffix == ".py"}
    known = brought | ours | set(sys.stdlib_module_names) | {module for module, by in COMES_WITH.items() if by in brought}
    return imported_in(*places) - known


@pytest.mark.parametrize("file", FOR)
def test_what_is_imported_is_required(file: str) -> None:
    assert undeclared(file, *(place for place in FOR[file] if (ROOT / place).exists())) == set()


def test_an_import_that_nobody_requires_is_noticed() -> None:
    assert undeclared("base", "tests") >= {"pytest", "hypothesis"}
