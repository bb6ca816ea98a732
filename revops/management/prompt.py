"""What somebody types at a command that must not stand in its command line."""

from __future__ import annotations

import getpass
import sys


def typed(asked: str) -> str:
    """A line of standard input; at a terminal it is asked for with these words and not shown."""
    return getpass.getpass(f"{asked}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
