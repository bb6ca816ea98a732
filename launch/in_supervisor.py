"""A plug-in of supervisor, for what it does not do itself. `supervisord.conf` names it as an RPC interface: so it loads plug-ins.

- What a dead program left in its process group ends with it: supervisor kills a group only where it stops the program, and a web
  server that was killed would leave its worker on the port.
- A log line that cannot be written is lost, and nothing else is: supervisor would tell of it on its own error output, which lies
  on the same full disk, and end over that together with everything that it keeps.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from supervisor import events, loggers


class Nothing:
    """The RPC interface itself: no methods."""


def end_group(event: Any) -> None:
    """Kill the group of the program that just ended; its id cannot be another's while a member lives."""
    if event.process.pid:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(event.process.pid, signal.SIGKILL)


def lose_the_line(_handler: Any) -> None:
    """The disk is full, or the log was taken away."""


def load(_supervisord: Any, **_options: str) -> Nothing:
    """Subscribe to the three ends a program can come to; bear a log that takes nothing."""
    loggers.Handler.handleError = lose_the_line
    for ended in (events.ProcessStateExitedEvent, events.ProcessStateBackoffEvent, events.ProcessStateStoppedEvent):
        events.subscribe(ended, end_group)
    return Nothing()
