"""Records at the vendors that bear a reference of ours which no posting here has, as a restored database leaves them behind.
Reads only."""

from __future__ import annotations

from django.db.models import Exists, OuterRef, QuerySet

from revops.ledger.models import Link, SourceRecord
from revops.postings.models import Posting
from revops.reference import OURSELVES

GONE = "void"
"""The status of a record that its own system keeps and no longer counts."""


def is_gone(record: SourceRecord) -> bool:
    """Whether the record counts no more in its own system."""
    return record.deleted or record.fields.get("status") == GONE


def references_to_us(record: SourceRecord) -> list[str]:
    """Our references that the record bears."""
    links = Link.objects.filter(record=record, target_system=OURSELVES, target_type="posting")
    return list(links.order_by("target_id").values_list("target_id", flat=True))


def unexplained_links() -> QuerySet[Link]:
    """The references of records that are there to postings that are not here. Voided records are among them (`is_gone`)."""
    known = Posting.objects.filter(key=OuterRef("target_id"))
    links = Link.objects.filter(target_system=OURSELVES, target_type="posting", record__deleted=False).filter(~Exists(known))
    return links.select_related("record__system").order_by("record_id", "target_id")


def unexplained_key(record: SourceRecord) -> str:
    """Our reference that the record bears and no posting here has; empty when there is none, or the record is gone."""
    link = None if is_gone(record) else unexplained_links().filter(record=record).first()
    return link.target_id if link is not None else ""
