"""Workers of a benchmark, each in a process of its own. Imports Django's models only when it runs there."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from time import perf_counter


class Workers:
    """Started once, so that a second round finds them warm. `function` of the benchmark `module` takes one text."""

    def __init__(self, pipes: Sequence[Connection]) -> None:
        self._pipes = pipes

    def seconds(self, arguments: Sequence[str]) -> float:
        """How long it takes until every worker has done its part, one argument each, all at once."""
        start = perf_counter()
        for pipe, argument in zip(self._pipes, arguments, strict=True):
            pipe.send(argument)
        for pipe in self._pipes:
            problem = pipe.recv()
            assert not problem, problem
        return perf_counter() - start


@contextmanager
def workers(count: int, module: str, function: str) -> Iterator[Workers]:
    processes = get_context("spawn")
    pipes = [processes.Pipe() for _ in range(count)]
    started = [processes.Process(target=_work, args=(module, function, theirs)) for _, theirs in pipes]
    for process in started:
        process.start()
    try:
        for ours, _ in pipes:
            assert ours.recv() == "ready"
        yield Workers([ours for ours, _ in pipes])
    finally:
        for ours, _ in pipes:
            ours.send("")
        for process in started:
            process.join(10)


def _work(module: str, function: str, pipe: Connection) -> None:
    import django

    django.setup()
    do = getattr(importlib.import_module(module), function)
    pipe.send("ready")
    while argument := pipe.recv():
        try:
            do(argument)
        except Exception as error:  # noqa: BLE001, RUF100 - told to who asked
            pipe.send(f"{type(error).__name__}: {error}")
        else:
            pipe.send("")
