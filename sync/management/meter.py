"""Progress on a terminal: a bar where a person watches, plain lines where a log does."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Protocol, Self

LINE_SECONDS = 5.0


class Out(Protocol):
    """A text stream, such as a command's `stderr`."""

    def write(self, text: str, /) -> object: ...
    def flush(self) -> object: ...
    def isatty(self) -> bool: ...


class Meter:
    """Counts up. `total` None: nobody knows how many. On a terminal a bar; elsewhere a line every five seconds and at the end."""

    def __init__(self, label: str, out: Out, total: int | None = None, unit: str = "rows") -> None:
        self.label, self.unit, self.total, self.count = label, unit, total, 0
        self._out = out
        self._started = self._said_at = time.monotonic()
        self._bar: Any = None
        if out.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, desc=label, unit=f" {unit}", file=out, leave=True, dynamic_ncols=True)

    def add(self, count: int, note: str = "") -> None:
        """`count` more are done; `note` is shown beside the bar."""
        self.count += count
        if self._bar is not None:
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(count)
        elif time.monotonic() - self._said_at > LINE_SECONDS:
            self._said_at = time.monotonic()
            self._say(note)

    def _say(self, note: str = "") -> None:
        of = f" of {self.total:,}" if self.total is not None else ""
        seconds = time.monotonic() - self._started
        rate = f", {self.count / seconds:,.0f} a second" if seconds > 1 else ""
        self._out.write(f"{self.label}: {self.count:,}{of} {self.unit}{rate}{', ' + note if note else ''}\n")
        self._out.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._bar is not None:
            self._bar.close()
        else:
            self._say("stopped" if kind is not None else "done")
