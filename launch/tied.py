"""Runs a program so that it ends when its parent ends: `tied.py SIGNAL ACCOUNT PROGRAM [ARGUMENT ...]`.

By hand because supervisor offers no such thing: after `kill -9` of its own process it leaves its children running. The kernel
sends SIGNAL (`KILL`, `TERM`, `INT`) to this process when its parent ends; `exec` keeps that wish. With ACCOUNT, root first
becomes that account (PostgreSQL refuses to run as root), because changing it later would drop the wish. Linux only;
elsewhere the program simply runs.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


def dies_with_parent(death_signal: signal.Signals = signal.SIGKILL) -> Callable[[], None]:
    """What a child does first (`preexec_fn`) so that the kernel sends it `death_signal` when this process dies.

    The kernel watches the thread that started the child: start children from the main thread.
    """
    parent = os.getpid()

    def before_exec() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
            if os.getppid() != parent:  # it died between fork and now
                os.kill(os.getpid(), signal.SIGKILL)

    return before_exec


def main(number: str, account: str, *command: str) -> None:
    """Become the account, tie this process to its parent, and run the command in its place."""
    if account:
        import pwd

        found = pwd.getpwnam(account)
        os.setgroups([])
        os.setgid(found.pw_gid)
        os.setuid(found.pw_uid)
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(signal.Signals[f"SIG{number}"]), 0, 0, 0)
        # supervisor leads the session that we are in; elsewhere we lead our own. Is the leader still our parent?
        if os.getsid(0) not in {os.getpid(), os.getppid()}:
            sys.exit("the parent ended while this was starting")
    os.execvp(command[0], command)  # noqa: S606 (no shell is wanted)


if __name__ == "__main__":
    main(*sys.argv[1:])
