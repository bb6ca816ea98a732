"""The threads in which Django answers. By hand because a `ThreadPoolExecutor` costs three times as much for each request."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from typing import Any

Work = tuple[asyncio.AbstractEventLoop, "asyncio.Future[Any]", Callable[..., Any], tuple[Any, ...]]


class Threads:
    """So many of them, which live as long as the process: each keeps its own connections to the database."""

    def __init__(self, count: int) -> None:
        self._waiting: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"request-{number}", daemon=True) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def call(self, function: Callable[..., Any], *arguments: Any) -> asyncio.Future[Any]:
        """What the function returns or raises, called by the next thread that is free."""
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._waiting.put((loop, future, function, arguments))
        return future

    def end(self) -> None:
        """End them when what waits is done."""
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            loop, future, function, arguments = work
            try:
                returned = function(*arguments)
            except Exception as error:  # told to whoever waits
                loop.call_soon_threadsafe(_complete, future, None, error)
            else:
                loop.call_soon_threadsafe(_complete, future, returned, None)


def _complete(future: asyncio.Future[Any], returned: Any, error: Exception | None) -> None:
    if future.cancelled():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(returned)
