"""What the sweeper does for the log in each round: seal what was committed, and write a signed head when it is time.

A chain that does not pass through the last signed head is one of a database that was put back or cut. No head follows then until
a person has said so (`manage.py restored`), and nothing is posted meanwhile (`sync.posting`).
"""

from __future__ import annotations

import datetime as dt
import logging

from revops.audit.chain import seal
from revops.audit.heads import export_head, gone_astray, last_head

_log = logging.getLogger("revops.audit")


def seal_and_export(now: dt.datetime) -> None:
    """Seal, then export. A folder that cannot be written is logged each time and stops nothing else."""
    seal()
    try:
        export_head(now)
    except (OSError, ValueError, TypeError) as error:
        _log.error("the head of the audit log cannot be written", extra={"error": f"{type(error).__name__}: {error}"})


def astray() -> bool:
    """Whether the chain does not pass through the last signed head. A file that cannot be read proves nothing."""
    try:
        return gone_astray(last_head())
    except (OSError, ValueError, TypeError) as error:
        _log.error("the heads of the audit log cannot be read", extra={"error": f"{type(error).__name__}: {error}"})
        return False
