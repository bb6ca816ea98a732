"""The same document in two systems whose customers are not, or not yet, the same account.

An ERP books an invoice on a sub-customer, a payer or the wrong customer; the billing system's invoice stands on its own account.
Each of the two accounts is read with the other's copy beside it, and is looked at again when that copy moves. Payments name each
other by number as well.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from django.db import connection, transaction

from revops.accounts.models import CounterpartVerdict
from revops.audit.log import record as audit
from revops.errors import Rejected
from revops.ledger.due import mark_due
from revops.ledger.models import SourceRecord
from revops.ledger.types import TYPES
from revops.people.models import User
from revops.sentences import template

SAID_SAME = template("counterpart.same", "{left} and {right} are the same document")
SAID_APART = template("counterpart.apart", "{left} and {right} are not the same document")

Target = tuple[str, str, str]
"""(system, object type, id) of a record that was pointed to."""

_ELSEWHERE = """
    WITH mine AS MATERIALIZED (
        SELECT id, account_id, system_id, object_type, external_id, fields ->> 'number' AS number FROM ledger_sourcerecord
         WHERE account_id = ANY(%s) AND object_type = ANY(%s))
    SELECT m.account_id, r.id FROM mine m
      JOIN ledger_link l ON l.target_system = m.system_id AND l.target_type = m.object_type AND l.target_id = m.external_id
                        AND l.role = 'copy_of' AND l.by = ''
      JOIN ledger_sourcerecord r ON r.id = l.record_id AND r.account_id IS DISTINCT FROM m.account_id
     UNION
    SELECT m.account_id, r.id FROM mine m
      JOIN accounts_counterpartverdict v ON v.same AND v.object_type = m.object_type
       AND (m.system_id, m.external_id) IN ((v.left_system, v.left_id), (v.right_system, v.right_id))
      JOIN ledger_sourcerecord r ON r.object_type = v.object_type AND r.account_id IS DISTINCT FROM m.account_id
       AND (r.system_id, r.external_id) IN ((v.left_system, v.left_id), (v.right_system, v.right_id))
     UNION
    SELECT m.account_id, r.id FROM mine m
      JOIN ledger_link l ON l.record_id = m.id AND l.role = 'copy_of' AND l.by = ''
      JOIN ledger_sourcerecord r ON r.system_id = l.target_system AND r.object_type = l.target_type
                                AND r.external_id = l.target_id AND r.account_id IS DISTINCT FROM m.account_id
     UNION
    SELECT m.account_id, r.id FROM mine m
      JOIN ledger_link l ON l.target_system = m.system_id AND l.target_type = 'payment' AND l.target_id = m.number
                        AND l.role = 'copy_of' AND l.by = 'number'
      JOIN ledger_sourcerecord r ON r.id = l.record_id AND r.account_id IS DISTINCT FROM m.account_id
     WHERE m.object_type = 'payment'
     UNION
    SELECT m.account_id, r.id FROM mine m
      JOIN ledger_link l ON l.record_id = m.id AND l.role = 'copy_of' AND l.by = 'number' AND l.target_type = 'payment'
      JOIN ledger_sourcerecord r ON r.system_id = l.target_system AND r.object_type = 'payment'
                                AND r.fields ->> 'number' = l.target_id AND r.account_id IS DISTINCT FROM m.account_id
     ORDER BY 1, 2
"""


def counterparts_elsewhere(account_ids: Sequence[int]) -> list[tuple[int, int]]:
    """(account, record): the copies and originals of these accounts' documents that are not on the account itself. One query."""
    with connection.cursor() as cursor:
        cursor.execute(_ELSEWHERE, [list(account_ids), sorted(TYPES.copied())])
        return [(account_id, record_id) for account_id, record_id in cursor.fetchall()]


_OTHER_SIDE = """
    SELECT o.account_id, o.object_type FROM ledger_sourcerecord m
      JOIN ledger_link l ON l.target_system = m.system_id AND l.target_type = m.object_type AND l.target_id = m.external_id
                        AND l.role = 'copy_of' AND l.by = ''
      JOIN ledger_sourcerecord o ON o.id = l.record_id
     WHERE m.id = ANY(%s) AND o.account_id IS NOT NULL AND o.account_id IS DISTINCT FROM m.account_id
     UNION
    SELECT o.account_id, o.object_type FROM ledger_link l
      JOIN ledger_sourcerecord m ON m.id = l.record_id
      JOIN ledger_sourcerecord o ON o.system_id = l.target_system AND o.object_type = l.target_type
                                AND o.external_id = l.target_id
     WHERE l.record_id = ANY(%s) AND l.role = 'copy_of' AND l.by = '' AND o.account_id IS NOT NULL
       AND o.account_id IS DISTINCT FROM m.account_id
     UNION
    SELECT o.account_id, o.object_type FROM ledger_sourcerecord m
      JOIN ledger_link l ON l.target_system = m.system_id AND l.target_type = 'payment'
                        AND l.target_id = m.fields ->> 'number' AND l.role = 'copy_of' AND l.by = 'number'
      JOIN ledger_sourcerecord o ON o.id = l.record_id
     WHERE m.id = ANY(%s) AND m.object_type = 'payment' AND o.account_id IS NOT NULL
       AND o.account_id IS DISTINCT FROM m.account_id
     UNION
    SELECT o.account_id, o.object_type FROM ledger_link l
      JOIN ledger_sourcerecord m ON m.id = l.record_id
      JOIN ledger_sourcerecord o ON o.system_id = l.target_system AND o.object_type = 'payment'
                                AND o.fields ->> 'number' = l.target_id
     WHERE l.record_id = ANY(%s) AND l.role = 'copy_of' AND l.by = 'number' AND l.target_type = 'payment'
       AND o.account_id IS NOT NULL AND o.account_id IS DISTINCT FROM m.account_id
"""
_LET_GO = """
    SELECT o.account_id, o.object_type FROM unnest(%s::text[], %s::text[], %s::text[]) AS t(system, type, id)
      JOIN ledger_sourcerecord o ON o.system_id = t.system AND o.object_type = t.type AND o.external_id = t.id
     WHERE o.account_id IS NOT NULL
"""


def accounts_across(moved: Iterable[int], let_go: Iterable[Target]) -> dict[int, set[str]]:
    """Account -> object types: whose documents are copies or originals of these records (by row id) without being on the same
    account, and whose documents were until now pointed to (`let_go`)."""
    ids, targets = list(moved), sorted(set(let_go))
    found: dict[int, set[str]] = {}
    with connection.cursor() as cursor:
        rows: list[tuple[int, str]] = []
        if ids:
            cursor.execute(_OTHER_SIDE, [ids] * 4)
            rows += cursor.fetchall()
        if targets:
            cursor.execute(_LET_GO, [list(column) for column in zip(*targets, strict=True)])
            rows += cursor.fetchall()
    for account_id, object_type in rows:
        found.setdefault(account_id, set()).add(object_type)
    return found


Key = tuple[str, str, str]
"""(system, object type, id)"""


def verdicts_on(account_ids: Sequence[int]) -> dict[int, dict[frozenset[Key], bool]]:
    """Account -> what people said of its documents, by the keys of the two. One query, none where nobody ever said anything."""
    found: dict[int, dict[frozenset[Key], bool]] = {account_id: {} for account_id in account_ids}
    if not CounterpartVerdict.objects.exists():
        return found
    with connection.cursor() as cursor:
        cursor.execute(_VERDICTS, [list(account_ids)])
        for account_id, object_type, left_system, left_id, right_system, right_id, same in cursor.fetchall():
            pair = frozenset({(left_system, object_type, left_id), (right_system, object_type, right_id)})
            found[account_id][pair] = same
    return found


_VERDICTS = """
    SELECT DISTINCT r.account_id, v.object_type, v.left_system, v.left_id, v.right_system, v.right_id, v.same
      FROM accounts_counterpartverdict v
      JOIN ledger_sourcerecord r ON r.object_type = v.object_type
       AND (r.system_id, r.external_id) IN ((v.left_system, v.left_id), (v.right_system, v.right_id))
     WHERE r.account_id = ANY(%s)
"""


@transaction.atomic
def say_whether_same(
    one: SourceRecord, other: SourceRecord, *, same: bool, reason: str, acting_user: User, now: dt.datetime
) -> CounterpartVerdict:
    """A person says that two documents of different systems are the same, or that they are not. Both accounts are looked at
    again. Raises `Rejected` without a reason, for documents of one system or of two types."""
    if not reason.strip():
        raise Rejected("reason_missing", "Say how you know.", field="reason")
    if one.object_type != other.object_type or one.system_id == other.system_id:
        raise Rejected("not_counterparts", "Choose two documents of the same kind in different systems.", field="other")
    left, right = sorted((one, other), key=lambda record: (str(record.system_id), record.external_id))
    keys: Mapping[str, str] = {
        "object_type": left.object_type,
        "left_system": str(left.system_id),
        "left_id": left.external_id,
        "right_system": str(right.system_id),
        "right_id": right.external_id,
    }
    row = CounterpartVerdict.objects.select_for_update().filter(**keys).first() or CounterpartVerdict(**keys)
    before = row.same if row.pk else None
    row.same, row.reason, row.decided_by, row.decided_at = same, reason.strip(), acting_user, now
    row.save()
    accounts = {record.account_id for record in (left, right) if record.account_id is not None}
    audit(
        "counterpart.say",
        row,
        acting_user=acting_user,
        account_id=min(accounts, default=None),
        reason=reason,
        summary=(SAID_SAME if same else SAID_APART)(left=left.named, right=right.named),
        before={"same": before},
        after={"same": same},
    )
    mark_due(accounts, now=now)
    return row
