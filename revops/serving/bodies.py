"""The bodies that are held in memory: while they are read, while they wait for a thread, and until they are answered.

A body is complete within a deadline, and no larger than any route takes. All together have one budget. Where it is used up, the
oldest unfinished body of the sender who holds most is given up: who sends a body at once is not held up by those who do not.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager

from granian.rsgi import HTTPProtocol, ProtocolClosed  # type: ignore[attr-defined]  # of the library

BODY_SECONDS = 10.0
HELD_BYTES_MAX = 64 * 1024 * 1024
OPEN_COSTS_BYTES = 16 * 1024
"""What a body costs beside its bytes; so there are at most 4,096 of them."""
SMALL_BYTES_MAX = 16 * 1024
"""One that is announced as no larger is read at once, and costs what it announces from the beginning."""


class BodyRefused(Exception):
    """A request whose body is not taken: the answer's status, its stable code, and what it says."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail


class Body:
    """What one body costs, and until when it may be read."""

    __slots__ = ("cost", "deadline", "sender")

    def __init__(self, sender: str) -> None:
        self.sender, self.cost = sender, 0
        self.deadline: asyncio.Timeout | None = None


class Bodies:
    """All of them. For one event loop."""

    def __init__(self, seconds: float = BODY_SECONDS, bytes_max: int = HELD_BYTES_MAX) -> None:
        self._seconds, self._bytes_max = seconds, bytes_max
        self._costs: Counter[str] = Counter()
        self._total = 0
        self._unfinished: dict[str, dict[Body, None]] = {}
        """By sender, the oldest first."""

    @contextmanager
    def held(self, sender: str) -> Iterator[Body]:
        """Make room for a body until the block ends. Raises `BodyRefused`."""
        body = Body(sender)
        try:
            self._grow(body, OPEN_COSTS_BYTES)
            yield body
        finally:
            self._drop(body)

    async def read(self, body: Body, protocol: HTTPProtocol, announced: int | None, bytes_max: int) -> bytes:
        """The whole of it. `announced` is its Content-Length; without one it comes in chunks. Raises `BodyRefused`."""
        self._unfinished.setdefault(body.sender, {})[body] = None
        try:
            async with asyncio.timeout(self._seconds) as body.deadline:
                if announced is not None and announced <= SMALL_BYTES_MAX:
                    self._grow(body, announced)
                    return bytes(await protocol())
                return await self._read_chunks(body, protocol, announced, bytes_max)
        except TimeoutError:
            raise BodyRefused(408, "body_too_slow", "The body did not come in time. Please send it again.") from None
        except ProtocolClosed:
            raise broke_off() from None
        finally:
            self._finish(body)

    async def _read_chunks(self, body: Body, chunks: AsyncIterable[bytes], announced: int | None, bytes_max: int) -> bytes:
        read, ends = bytearray(), 0
        async for chunk in chunks:
            ends += not chunk
            read += chunk
            if len(read) > bytes_max:
                raise too_large(bytes_max)
            self._grow(body, len(chunk))
        # Granian ends a body with one empty chunk, and one that broke off with two.
        if len(read) != announced if announced is not None else ends > 1:
            raise broke_off()
        return bytes(read)

    def _grow(self, body: Body, count: int) -> None:
        body.cost += count
        self._costs[body.sender] += count
        self._total += count
        while self._total > self._bytes_max:
            self._give_up_one()

    def _give_up_one(self) -> None:
        """Let the deadline of an unfinished body pass now. Raises `BodyRefused` when all are complete and wait for a thread."""
        if not self._unfinished:
            raise BodyRefused(503, "too_busy", "There is too much to do at the moment. Please send it again.")
        sender = max(self._unfinished, key=self._costs.__getitem__)
        body = next(iter(self._unfinished[sender]))
        self._finish(body)
        self._drop(body)
        if body.deadline is not None and not body.deadline.expired():
            body.deadline.reschedule(asyncio.get_running_loop().time())

    def _finish(self, body: Body) -> None:
        of_sender = self._unfinished.get(body.sender, {})
        of_sender.pop(body, None)
        if not of_sender:
            self._unfinished.pop(body.sender, None)

    def _drop(self, body: Body) -> None:
        self._costs[body.sender] -= body.cost
        self._total -= body.cost
        body.cost = 0
        if self._costs[body.sender] <= 0:
            del self._costs[body.sender]


def broke_off() -> BodyRefused:
    """The answer to a body that is not whole."""
    return BodyRefused(400, "body_broke_off", "The body broke off. Please send it again.")


def too_large(bytes_max: int) -> BodyRefused:
    """The answer to a body that no route takes."""
    return BodyRefused(413, "body_too_large", f"A body has at most {bytes_max // 1024} KiB.")
