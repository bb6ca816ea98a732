"""The five work queues, in the order in which work moves through them."""

from __future__ import annotations

from typing import Any

from revops.ledger.due import ACCOUNTS
from revops.postings.queue import POSTINGS
from revops.work_queues.queue import WorkQueue
from sync.applying.claims import DELIVERIES, REREADS
from sync.pull.streams import STREAMS

QUEUES: tuple[WorkQueue[Any], ...] = (STREAMS, REREADS, DELIVERIES, ACCOUNTS, POSTINGS)
