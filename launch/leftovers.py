"""A plug-in of supervisor: what a dead program left in its process group ends with it.

By hand because supervisor kills a group only where it stops the program itself: a web server that was killed would leave its
worker on the port. Named in `supervisord.conf` as an RPC interface, which is how supervisor loads plug-ins.
"""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Any

from supervisor import events


class Nothing:
    """The RPC interface itself: no methods."""


def end_group(event: Any) -> None:
    """Kill the group of the program that just ended; its id cannot be another's while a member lives."""
    if event.process.pid:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(event.process.pid, signal.SIGKILL)


def load(_supervisord: Any, **_options: str) -> Nothing:
    """Subscribe to the three ends a program can come to."""
    for ended in (events.ProcessStateExitedEvent, events.ProcessStateBackoffEvent, events.ProcessStateStoppedEvent):
        events.subscribe(ended, end_group)
    return Nothing()
