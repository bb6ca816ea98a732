"""The address of a page, by its name. Nobody types a path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import urlencode

from django.urls import reverse

from revops.parameters import row_id

SUBJECTS: dict[str, str] = {"exceptioncase": "case", "changeplan": "plan", "account": "account"}
"""What the audit log names a thing by -> the name of its page. Other packages add theirs with `add_subject`."""
_PREFIXES = {"exceptioncase": "EX", "changeplan": "CP", "account": "AC"}


def href(name: str, *args: object, query: Mapping[str, str] | str = "") -> str:
    """The address of a page of ours (`case`) or of another package (`sync:delivery`), with a query string."""
    path = _path(name if ":" in name else f"web:{name}", args)
    text = query if isinstance(query, str) else urlencode(query)
    return f"{path}?{text}" if text else path


@lru_cache(maxsize=4096)
def _path(name: str, args: tuple[object, ...]) -> str:
    """A list shows the same pages again and again: 50 look-ups a page are worth remembering."""
    return reverse(name, args=args)


_BY_NAME: set[str] = set()
"""What the audit log names by a name of its own, not by a number."""
_NAME = re.compile(r"[a-z][a-z0-9-]{1,58}")


def add_subject(kind: str, name: str, *, by_name: bool = False) -> None:
    """Tell which page shows a thing that the audit log names `<kind>:<row id>`, or `<kind>:<its own name>`."""
    SUBJECTS[kind] = name
    if by_name:
        _BY_NAME.add(kind)


def code_of(kind: str, key: int) -> str:
    """`EX-00042` for the row id 42 of an `exceptioncase`; the number itself for what has no code."""
    return f"{_PREFIXES[kind]}-{key:05d}" if kind in _PREFIXES else str(key)


def href_of_subject(subject: str) -> str:
    """The page of a thing as the audit log names it (`changeplan:7`); empty for what has none."""
    kind, _, key = subject.partition(":")
    if kind in _BY_NAME:
        return href(SUBJECTS[kind], key) if _NAME.fullmatch(key) else ""
    number = row_id(key)
    if kind not in SUBJECTS or number is None:
        return ""
    return href(SUBJECTS[kind], code_of(kind, number))
