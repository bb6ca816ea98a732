"""The expression that joins a query's conditions: AND, OR and brackets over their aliases."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedInput

from demo.simulators.gainsight.metadata import BadValue
from demo.simulators.vendor import Json

GRAMMAR = r"""
start: _either
_either: _both | any
any: _both ("OR"i _both)+
_both: _single | all
all: _single ("AND"i _single)+
_single: ALIAS | "(" _either ")"
ALIAS: /\w+/i
%ignore /\s+/
"""
Test = Callable[[Json], bool]


def parse(expression: str, tests: Mapping[str, Test]) -> tuple[Test, list[str]]:
    """The whole test, and the aliases that every match must meet (those of a plain AND chain). Raises BadValue."""
    try:
        tree = _grammar().parse(expression)
    except UnexpectedInput:
        raise BadValue("GSOBJ_1008", f"expression {expression!r} is not understood") from None
    aliases = [str(leaf) for leaf in tree.scan_values(lambda leaf: isinstance(leaf, Token))]
    for alias in aliases:
        if alias not in tests:
            raise BadValue("GSOBJ_1008", f"the expression names {alias}, which no condition has as alias")
    return _joined(tree, tests), [] if any(tree.find_data("any")) else aliases


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    return Lark(GRAMMAR, parser="lalr")


def _joined(node: Tree[Token] | Token, tests: Mapping[str, Test]) -> Test:
    if isinstance(node, Token):
        return tests[node]
    parts = [_joined(child, tests) for child in node.children]
    return (lambda row: any(part(row) for part in parts)) if node.data == "any" else lambda row: all(part(row) for part in parts)
