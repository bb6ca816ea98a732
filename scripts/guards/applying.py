"""Applying what came in: the claim before the work, one transaction, an end in the end."""

from __future__ import annotations

from scripts.guards.guard import Guard

INBOX = "tests/sync/test_inbox.py"

GUARDS: tuple[Guard, ...] = (
    Guard(
        "inbox: the claim is committed before the work",
        f"{INBOX} -k i13_i14",
        "sync/applying/drain.py",
        "    with DELIVERIES.take(limit=limit, tried=False) as held:\n",
        "    from django.db import transaction\n\n"
        "    with transaction.atomic(), DELIVERIES.take(limit=limit, tried=False) as held:\n",
    ),
    Guard(
        "inbox: a lost lease undoes the batch",
        f"{INBOX} -k i40",
        "sync/applying/apply.py",
        "        if finish(verdicts) != len(verdicts):\n            raise LeaseLost\n",
        "        finish(verdicts)\n",
    ),
    Guard(
        "inbox: gives up in the end",
        f"{INBOX} -k i14",
        "sync/applying/claims.py",
        "    if DELIVERIES.gives_up(row):",
        "    if False:",
    ),
    Guard(
        "inbox: applying is one transaction",
        "tests/sync/test_atomic.py -k i13_a_failure_at_any_step_of_applying",
        "sync/applying/apply.py",
        "    with transaction.atomic():\n        arrivals = iter(record(",
        "    if True:\n        arrivals = iter(record(",
    ),
    Guard(
        "dating: what is dated later than it came counts as of its arrival",
        "tests/sync/test_dating.py -k i12",
        "sync/applying/dating.py",
        "    return fact.counted_at(stamp(at), at)\n",
        "    return fact\n",
    ),
    Guard(
        "dating: the object is read again",
        "tests/sync/test_dating.py -k last_word",
        "sync/applying/apply.py",
        "        return _AHEAD_TOLD if kind == DeliveryKind.EVENT else _AHEAD_READ\n",
        "        return _AHEAD_READ\n",
    ),
)
