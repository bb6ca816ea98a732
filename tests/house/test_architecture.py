"""`docs/architecture.md` tells the truth: its drawing is the import graph, and what the pages of `docs` name is there."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.house.test_mutants import script
from tests.house.test_words import ROOT

PAGE = ROOT / "docs" / "architecture.md"
NAMED = re.compile(r"`((?:[\w<>.-]+/)+[\w.-]*|\w+\.(?:py|toml|md))(?:::(\w+))?`")
"""A file or folder in backticks, and what is defined in it, as in `revops/money.py::Money`."""


@pytest.fixture(scope="module")
def architecture() -> ModuleType:
    return script("architecture")


def packages() -> list[str]:
    """The folders of `revops` and `sync` that hold code of ours, as the page writes them."""
    found = [path.parent for top in ("revops", "sync") for path in ROOT.glob(f"{top}/*/__init__.py")]
    return sorted(f"{folder.relative_to(ROOT)}/" for folder in found if folder.name != "migrations")


def missing(text: str) -> list[str]:
    """What the text names and nobody finds."""
    return [f"{path}::{name}" if name else path for path, name in NAMED.findall(text) if not is_there(ROOT / path, name)]


def is_there(path: Path, name: str) -> bool:
    if not name or not path.is_file():
        return path.exists() and not name
    return re.search(rf"^\s*(?:def|class) {name}\b|^{name}\b.*=", path.read_text(), re.MULTILINE) is not None


def unlisted(text: str) -> list[str]:
    """The packages that have no row in the page's lists."""
    return [package for package in packages() if f"| `{package}` |" not in text]


def test_the_drawing_and_the_lists_are_what_the_code_says(architecture: ModuleType) -> None:
    page = PAGE.read_text()
    assert page == architecture.with_blocks(page, architecture.import_graph()), "run `make fix`, and look at what has changed"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_everything_that_a_page_names_is_there(page: Path) -> None:
    assert missing(page.read_text()) == []


def test_the_page_names_files() -> None:
    assert len(NAMED.findall(PAGE.read_text())) > 50


def test_every_package_is_on_the_page() -> None:
    assert len(packages()) > 20
    assert unlisted(PAGE.read_text()) == []


# --- planted breaks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("importer", "imported", "arrow"),
    [
        ("revops.work_queues.queue", "revops.people.actors", "revops_work_queues --> revops_people"),
        ("sync.ground.doorbell", "sync.vendor.contract", "sync_ground --> sync_vendor"),
        ("sync.models", "revops.approvals.models", "sync_ground --> revops_approvals"),  # through a single file
        ("launch.up", "sync.workers.tasks", "launch --> sync_workers"),
    ],
)
def test_a_new_arrow_is_drawn(architecture: ModuleType, importer: str, imported: str, arrow: str) -> None:
    graph = architecture.import_graph()
    before = architecture.drawing(graph)
    assert arrow not in before
    graph.add_import(importer=importer, imported=imported)
    assert f"  {arrow}" in architecture.drawing(graph).splitlines()


def test_an_arrow_that_a_longer_way_tells_is_left_out(architecture: ModuleType) -> None:
    every = {"a": frozenset("bcd"), "b": frozenset("c"), "c": frozenset("d"), "d": frozenset[str]()}
    assert architecture.fewest(every) == {"a": {"b"}, "b": {"c"}, "c": {"d"}, "d": set()}


def test_a_circle_is_refused_and_told(architecture: ModuleType) -> None:
    with pytest.raises(SystemExit, match="A circle of imports: "):
        architecture.from_the_top({"a": frozenset("b"), "b": frozenset("a")})


def test_a_page_without_its_markers_is_refused(architecture: ModuleType) -> None:
    with pytest.raises(SystemExit, match="no single block"):
        architecture.with_blocks("# Architecture\n", architecture.import_graph())


@pytest.mark.parametrize(
    "named",
    [
        "revops/gone.py",
        "revops/money.py::Gone",
        "revops/gone/",
        "revops/ledger/::record",
        "gone.toml",
        "sync/intake/gone.py::accept",
    ],
)
def test_what_is_not_there_is_noticed(named: str) -> None:
    assert missing(f"see `{named}` and `revops/money.py::Money`") == [named]


def test_a_package_that_is_left_out_is_noticed() -> None:
    page = PAGE.read_text()
    without = "\n".join(line for line in page.splitlines() if not line.startswith("| `sync/pull/` |"))
    assert unlisted(without) == ["sync/pull/"]
