"""One worker of a benchmark in a process of its own. Imports Django's models only when it runs there."""

from __future__ import annotations

import importlib
from multiprocessing.synchronize import Barrier


def work(module: str, function: str, argument: str, start: Barrier) -> None:
    """Load Django, wait for the others, then do `function(argument)` of the benchmark `module`."""
    import django

    django.setup()
    from django.db import connection

    connection.ensure_connection()
    do = getattr(importlib.import_module(module), function)
    start.wait(60)
    do(argument)
