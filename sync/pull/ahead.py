"""Reading ahead: while one batch of a read goes into the ledger, the next one is fetched."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connection

T = TypeVar("T")


def read_ahead(batches: Iterable[T]) -> Generator[T, None, None]:
    """The same batches in the same order; one is fetched ahead, all in one thread of their own. What goes wrong there is raised
    here, after the batches before it. When the caller ends early, waits for the call that is under way."""
    source = iter(batches)
    with ThreadPoolExecutor(1, thread_name_prefix="read-ahead") as thread:
        try:
            coming = thread.submit(next, source, None)
            while (batch := coming.result()) is not None:
                coming = thread.submit(next, source, None)
                yield batch
        finally:
            thread.submit(_close_own_connection).result()


def _close_own_connection() -> None:
    """The thread's own connection to the database; asking whether calls may leave has opened it."""
    connection.close()
