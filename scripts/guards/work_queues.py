"""The work queues: lease, fence, attempts."""

from __future__ import annotations

from scripts.guards.guard import Guard

QUEUES = "tests/sync/test_queues.py"

GUARDS: tuple[Guard, ...] = (
    Guard(
        "queues: tried rows are claimed alone",
        f"{QUEUES} -k claimed_alone",
        "revops/work_queues/queue.py",
        'False: "q.attempts = 0"}',
        'False: "true"}',
    ),
    Guard(
        "queues: fence",
        f"{QUEUES} -k old_fence",
        "revops/work_queues/queue.py",
        "WHERE q.{self.key} = e.key AND q.fence = e.fence AND",
        "WHERE q.{self.key} = e.key AND",
    ),
    Guard(
        "queues: fence of a renewal",
        f"{QUEUES} -k old_fence",
        "revops/work_queues/queue.py",
        "ON q.{self.key} = c.key AND q.fence = c.fence",
        "ON q.{self.key} = c.key",
    ),
    Guard(
        "queues: a claim ends once",
        f"{QUEUES} -k ends_once",
        "revops/work_queues/queue.py",
        'AND q.lease_until IS NOT NULL AND ({self.waits})\n            RETURNING q.{self.key}\n        """\n\n    def',
        'AND ({self.waits})\n            RETURNING q.{self.key}\n        """\n\n    def',
    ),
    Guard(
        "queues: who hangs is not kept for ever",
        f"{QUEUES} -k hangs",
        "revops/work_queues/leases.py",
        "        if asked_at < self.keep_until:",
        "        if True:",
    ),
    Guard(
        "queues: lease",
        f"{QUEUES} -k exclusive",
        "revops/work_queues/queue.py",
        '_FREE = "(q.lease_until IS NULL OR q.lease_until < statement_timestamp())"',
        '_FREE = "true"',
    ),
    Guard(
        "queues: attempts before the work",
        f"{QUEUES} -k claimed_alone",
        "revops/work_queues/queue.py",
        "attempts = q.attempts + 1, fence",
        "attempts = q.attempts, fence",
    ),
)
