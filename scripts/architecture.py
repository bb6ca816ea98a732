"""Draw the packages and their imports into `docs/architecture.md`: `python scripts/architecture.py`, part of `make fix`.

Two blocks between markers are written anew: the drawing (Mermaid), from the import graph, and the lists of packages, from the
docstrings. Everything else on the page is written by hand. Raises `SystemExit` when packages import each other in a circle or a
package has no docstring.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "architecture.md"
TOPS = ("demo", "launch", "sync", "revops")
LISTED = ("revops", "sync")
Arrows = Mapping[str, frozenset[str]]
"""Package -> the packages that it imports."""


def import_graph() -> grimp.ImportGraph:
    """Who imports whom, module by module, of our own code. Reads the files and imports none of them."""
    return grimp.build_graph(*TOPS, cache_dir=None)


def packages(graph: grimp.ImportGraph, top: str) -> list[str]:
    """The folders of a top package, without migrations, which a program makes. `launch` is drawn as one."""
    found = [child for child in graph.find_children(top) if graph.find_children(child) and not child.endswith(".migrations")]
    return [top] if top == "launch" else sorted(found)


def arrows(graph: grimp.ImportGraph) -> Arrows:
    """Imports between packages. A single file (`sync/models.py`) is no package: who imports it imports what it imports."""
    drawn = [package for top in TOPS for package in packages(graph, top)]
    direct: dict[str, set[str]] = {}
    for module in graph.modules:
        imported = {_home(other, drawn) for other in graph.find_modules_directly_imported_by(module)}
        direct.setdefault(_home(module, drawn), set()).update(imported)
    return {package: _reached(package, direct, frozenset(drawn)) for package in drawn}


def _home(module: str, drawn: list[str]) -> str:
    return next((package for package in drawn if module == package or module.startswith(f"{package}.")), module)


def _reached(package: str, direct: Mapping[str, set[str]], drawn: frozenset[str]) -> frozenset[str]:
    """The packages that a package imports itself or through single files."""
    found: set[str] = set()
    waiting = list(direct.get(package, ()))
    while waiting:
        other = waiting.pop()
        if other not in found:
            found.add(other)
            waiting += [] if other in drawn else direct.get(other, ())
    return (frozenset(found) & drawn) - {package}


def fewest(every: Arrows) -> Arrows:
    """The same order with the fewest arrows: one is left out where a longer way leads to the same package."""
    order = from_the_top(every)
    below: dict[str, set[str]] = {}
    for package in reversed(order):
        below[package] = {further for other in every[package] for further in (other, *below[other])}
    return {
        package: frozenset(other for other in every[package] if not any(other in below[by] for by in every[package]))
        for package in order
    }


def from_the_top(every: Arrows) -> list[str]:
    """The packages, each before all that it imports."""
    sorter = TopologicalSorter({package: sorted(every[package]) for package in sorted(every)})
    try:
        return list(sorter.static_order())[::-1]
    except CycleError as error:
        raise SystemExit(f"A circle of imports: {' -> '.join(error.args[1])}") from None


def drawing(graph: grimp.ImportGraph) -> str:
    """The drawing as a Mermaid block."""
    few = fewest(arrows(graph))
    lines = ["```mermaid", "flowchart TB"]
    for top in TOPS:
        inside = [package for package in few if package.split(".")[0] == top]
        lines += [f"  subgraph {top}_package[{top}]", *(f"    {_id(name)}[{_label(name)}]" for name in inside), "  end"]
    lines += [f"  {_id(package)} --> {_id(other)}" for package in few for other in sorted(few[package])]
    return "\n".join([*lines, "```"])


def _id(package: str) -> str:
    return package.replace(".", "_")


def _label(package: str) -> str:
    return package.rpartition(".")[2]


def listing(graph: grimp.ImportGraph) -> str:
    """The packages of `revops` and `sync`, each above all that it imports, with the first sentence of its docstring."""
    order = from_the_top(arrows(graph))
    lines: list[str] = []
    for top in LISTED:
        lines += [f"| `{top}/` | holds |", "|---|---|"]
        for package in (name for name in order if name.startswith(f"{top}.")):
            lines.append(f"| `{package.replace('.', '/')}/` | {_first_sentence(package)} |")
        lines.append("")
    return "\n".join(lines).strip()


def _first_sentence(package: str) -> str:
    told = ast.get_docstring(ast.parse((ROOT / package.replace(".", "/") / "__init__.py").read_text()))
    if not told:
        raise SystemExit(f"The package {package} has no docstring.")
    words = " ".join(told.split("\n\n")[0].split())
    return re.split(r"(?<=[.?])\s+(?=[A-Z])", words)[0].replace("|", "\\|")


def with_blocks(page: str, graph: grimp.ImportGraph) -> str:
    """The page with both blocks written anew. Raises `SystemExit` when a marker is missing."""
    for name, text in _blocks(graph):
        begin, end = f"<!-- {name}: made by scripts/architecture.py -->", f"<!-- {name}: end -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise SystemExit(f"The page has no single block between {begin} and {end}.")
        head, _, rest = page.partition(begin)
        page = f"{head}{begin}\n\n{text}\n\n{end}{rest.partition(end)[2]}"
    return page


def _blocks(graph: grimp.ImportGraph) -> Iterator[tuple[str, str]]:
    yield "drawing", drawing(graph)
    yield "packages", listing(graph)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    PAGE.write_text(with_blocks(PAGE.read_text(), import_graph()))
