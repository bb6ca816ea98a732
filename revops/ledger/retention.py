"""Before a month of entries is taken out: what is still the present stays."""

from __future__ import annotations

from django.db import connection, transaction

from revops.partitions import Month

TABLE = "ledger_ledgerentry"

_CARRY = """
    WITH carried AS (
        INSERT INTO ledger_ledgerentry (record_id, version, effective_at, recorded_at, fields, refs, unread, deleted, digest,
                                        arrival, delivery_id, trace_id)
        SELECT e.record_id, e.version, e.effective_at, e.recorded_at, e.fields, e.refs, e.unread, e.deleted, e.digest,
               e.arrival, e.delivery_id, e.trace_id
          FROM "{month}" e JOIN ledger_sourcerecord r ON r.current_id = e.id
        RETURNING id, record_id)
    UPDATE ledger_sourcerecord r SET current_id = c.id FROM carried c WHERE r.id = c.record_id
"""


def carry_current_entries(month: Month) -> int:
    """Write the entries of the month that are still their record's content once more, with ids of the present month and their
    own times; returns how many. Runs inside the caller's transaction, which takes the month out."""
    if not connection.in_atomic_block:
        raise transaction.TransactionManagementError("entries are carried in the transaction that takes their month out")
    with connection.cursor() as cursor:
        cursor.execute(_CARRY.format(month=month.name))
        return int(cursor.rowcount)
