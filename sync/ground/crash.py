"""Named points at which a test may kill this process, as the kernel would: without a word. Off unless `CRASH_AT` is set.

`CRASH_AT=after_send:2` ends the process by SIGKILL when `crash_point("after_send")` is reached for the second time.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_reached: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Die here when the environment says so."""
    wanted = os.environ.get("CRASH_AT")
    if not wanted:
        return
    _reached[name] += 1
    point, _, number = wanted.partition(":")
    if point == name and _reached[name] == int(number or 1):
        os.kill(os.getpid(), signal.SIGKILL)
