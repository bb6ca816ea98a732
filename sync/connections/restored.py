"""A database that was put back to an older point has forgotten what left since: nothing is posted until a person has seen what
the vendors hold.

Which one was put back is told by `manage.py restore` itself, and by the signed heads of the log otherwise: they are kept outside
the database, and one that was put back, by whatever means, does not reach the last of them (`revops.audit.heads`).

Each connection waits for itself. Posting comes back when its system was read anew, every record there under a reference of ours
that no posting explains is settled, and somebody switches it on.
"""

from __future__ import annotations

from django.db import connection as database
from django.db import transaction

from revops.audit import log as audit
from revops.audit.sealer import astray
from revops.cases.models import LIVE_STATUSES, ExceptionCase
from revops.detection.postings import UNEXPLAINED
from revops.ledger.models import DueAccount, Freshness
from revops.people.actors import System
from revops.postings.unexplained import is_gone, unexplained_links
from revops.sentences import template
from sync.connections.handles import forget_handles
from sync.models import Connection, Delivery, DeliveryState

STOPPED = template("connection.restored", "The database was put back: posting to {system} waits until what it holds is settled")
NAMED_MAX = 5


def stop_if_put_back() -> bool:
    """Switch posting off where the log does not reach its last signed head; returns whether that is so. Asked before anything is
    sent."""
    if not astray():
        return False
    mark_restored(acting_user=System("posting"), reason="The log does not reach its last signed head.")
    return True


@transaction.atomic
def mark_restored(*, acting_user: System, reason: str) -> list[str]:
    """Switch posting off for every connection until it is settled; returns those that were not waiting already."""
    rows = Connection.objects.select_for_update().filter(restored_at__isnull=True).order_by("pk")
    with database.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        (now,) = cursor.fetchone()
    marked = []
    for row in rows:
        before = {"posting_enabled": row.posting_enabled, "restored_at": None}
        row.posting_enabled, row.restored_at = False, now
        row.row_version += 1
        row.save()
        audit.record(
            "connection.restored", row, acting_user=acting_user, summary=STOPPED(system=str(row.pk)), reason=reason,
            before=before, after={"posting_enabled": False, "restored_at": now.isoformat()},
        )  # fmt: skip
        marked.append(str(row.pk))
    if marked:
        transaction.on_commit(forget_handles)
    return marked


def unsettled(row: Connection) -> list[str]:
    """What is open before posting may be switched on again, in sentences; empty for a connection that does not wait."""
    if row.restored_at is None:
        return []
    found = ["Nobody has said yet that the database was put back: run `manage.py restored`."] if astray() else []
    read = Freshness.objects.filter(system=row.system_id)
    again = read.filter(read_through_at__gte=row.restored_at)
    if read.filter(read_through_at__lt=row.restored_at).exists() or not again.exists():
        found.append(f"{row.system.label} has not been read to its end since the database was put back.")
    if Delivery.objects.filter(connection=row, state=DeliveryState.PENDING).exists() or DueAccount.objects.exists():
        found.append("What was read is still being worked through.")
    cases = ExceptionCase.objects.filter(rule=UNEXPLAINED, status__in=LIVE_STATUSES, systems__contains=[row.pk]).order_by("pk")
    for case in cases[:NAMED_MAX]:
        found.append(f"{case.code}: {case.sentence}")
    if (more := cases.count() - NAMED_MAX) > 0:
        found.append(f"{more} more records there are not explained.")
    nobodys = unexplained_links().filter(record__system=row.system_id, record__account__isnull=True)
    for link in [link for link in nobodys if not is_gone(link.record)][:NAMED_MAX]:
        found.append(f"{link.record.label} bears our reference {link.target_id} and belongs to no account yet.")
    return found
