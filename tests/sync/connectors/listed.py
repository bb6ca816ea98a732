"""What `docs/vendor_calls.md` lists, and a client that lets no other request out."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from revops import strict_json
from sync.vendor.http import HttpClient, Reply

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "vendor_calls.md"
_ROW = re.compile(r"\| (GET|POST|PUT|PATCH|DELETE) \| (\S+) \| (.*?)\s*\| (.+?) \|")


@dataclass(frozen=True)
class Listed:
    """One row: a method, the form of a path, the names of parameters, and the public source or the word unproven."""

    vendor: str
    method: str
    path: str
    parameters: frozenset[str]
    source: str

    def fits(self, method: str, path: str) -> bool:
        form = "".join("[^/]+" if part.startswith("{") else re.escape(part) for part in re.split(r"(\{\w+\})", self.path))
        return self.method == method and re.fullmatch(form, path) is not None


@functools.cache
def listed() -> tuple[Listed, ...]:
    found, vendor = [], ""
    for line in DOCUMENT.read_text().splitlines():
        vendor = line.removeprefix("## ").lower() if line.startswith("## ") else vendor
        if row := _ROW.fullmatch(line):
            names = frozenset(name.strip() for name in row[3].split(",") if name.strip())
            found.append(Listed(vendor, row[1], row[2], names, row[4]))
    return tuple(found)


def names_of(
    path: str, params: Mapping[str, str] | Sequence[tuple[str, str]] | None, content: bytes | None, media_type: str
) -> set[str]:
    """The names of a request's parameters: of its query, and the outermost members of its body."""
    pairs = list(params.items()) if isinstance(params, Mapping) else list(params or ())
    names = {name for name, _ in [*pairs, *parse_qsl(urlsplit(path).query)]}
    if content and "json" in media_type:
        body = strict_json.parse(content)
        names |= set(body) if isinstance(body, dict) else set()
    elif content:
        names |= {name for name, _ in parse_qsl(content.decode())}
    return names


def unlisted(vendor: str, method: str, path: str, names: set[str]) -> str:
    """What the document does not have of this request; empty when it has all of it."""
    rows = [row for row in listed() if row.vendor == vendor and row.fits(method, urlsplit(path).path)]
    if not rows:
        return f"{method} {urlsplit(path).path}"
    missing = names - frozenset[str]().union(*(row.parameters for row in rows))
    return f"{method} {rows[0].path}: {', '.join(sorted(missing))}" if missing else ""


class ListedClient(HttpClient):
    """Sends what the document lists for its vendor; anything else is an error of the test."""

    vendor = ""

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        content: bytes | None = None,
        safe: bool | None = None,
    ) -> Reply:
        kinds = {name.lower(): value for name, value in (headers or {}).items()}
        missing = unlisted(self.vendor, method, path, names_of(path, params, content, kinds.get("content-type", "")))
        assert not missing, f"{DOCUMENT.name} does not list {missing}"
        return super().request(method, path, headers=headers, params=params, content=content, safe=safe)
