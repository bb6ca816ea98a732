"""Named points at which a test may end or freeze this process, as the kernel would: without a word. Off unless asked for.

`CRASH_AT=after_send:2` ends the process by SIGKILL when `crash_point("after_send")` is reached for the second time;
`FREEZE_AT=...` stops it there by SIGSTOP.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

_SIGNALS = {"CRASH_AT": signal.SIGKILL, "FREEZE_AT": signal.SIGSTOP}
_reached: Counter[str] = Counter()


def crash_point(name: str) -> None:
    """Die or freeze here when the environment says so."""
    for variable, number in _SIGNALS.items():
        wanted = os.environ.get(variable)
        if wanted and wanted.partition(":")[0] == name:
            _reached[wanted] += 1
            if _reached[wanted] == int(wanted.partition(":")[2] or 1):
                os.kill(os.getpid(), number)
