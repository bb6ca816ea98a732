"""When and how Stripe said an object, and the fact that comes of it. Pure.

Versions: objects carry no stamp, so an event's version is its second, then how far the object has come in its life (several
events of one second), then 0; what we read ourselves is the second before that of the vendor's clock (an event of the same
second may have come after our read), the same rank, then 1. An invoice's rank also counts the lines of a draft, and later how
much of it is settled. Days are those of the account's time zone, as Stripe prints them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from revops.ledger.facts import Fact
from revops.reference import Ref
from sync.connectors.stripe.models import Coupon, Metadata
from sync.vendor.contract import Config
from sync.vendor.fields import or_none
from sync.vendor.references import contract_numbered
from sync.vendor.values import Stated

_RANK = {
    "subscription": ["incomplete", "trialing", "active", "paused", "past_due", "unpaid", "ended", "canceled"],
    "invoice": ["draft", "open", "uncollectible", "paid", "void"],
    "payment": ["pending", "paid", "canceled"],
    "credit_memo": ["applied", "void"],
}
_GONE = 9


@dataclass(frozen=True, slots=True)
class Envelope:
    """When and how an object was said: the vendor's second, by an event or by our own read. `changed`: whether an event says that
    the terms of a subscription changed (None when it does not say). `detached`: a payment was taken from its
    invoice. `zone`: where the account's days begin. `coupons`: by id, what was read beside the object."""

    at: dt.datetime
    is_read: bool
    deleted: bool = False
    changed: bool | None = None
    is_creation: bool = False
    detached: bool = False
    zone: dt.tzinfo = dt.UTC
    coupons: Mapping[str, Coupon] = field(default_factory=dict)

    def day(self, seconds: int) -> dt.date:
        """The account's day of a moment."""
        return moment(seconds).astimezone(self.zone).date()


def stamp(at: dt.datetime) -> str:
    """The second, 11 digits, which sort as text."""
    return f"{int(at.timestamp()):011d}"


def version(envelope: Envelope, object_type: str, status: str = "", progress: int = 0) -> str:
    """`<second, 11 digits>.<rank of the status, 1 digit, and progress within it, 3 digits>.<0 event, 1 read>`."""
    ranks = _RANK.get(object_type, [])
    rank = _GONE if envelope.deleted else ranks.index(status) if status in ranks else 0
    second = stamp(envelope.at - dt.timedelta(seconds=int(envelope.is_read)))
    return f"{second}.{rank}{max(0, min(progress, 999)):03d}.{int(envelope.is_read)}"


def moment(seconds: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def maybe_moment(seconds: int | None) -> dt.datetime | None:
    return None if seconds is None else moment(seconds)


def _true_since(envelope: Envelope, stamps: Iterable[int | None]) -> dt.datetime:
    """Since when it has been so: an event says it; of what we read, the latest of the stamps that the object carries."""
    if not envelope.is_read or envelope.deleted:
        return envelope.at
    latest = max((stamp for stamp in stamps if stamp is not None), default=None)
    return envelope.at if latest is None else min(envelope.at, moment(latest))


def fact_of(
    identity: str,
    envelope: Envelope,
    said: Stated,
    *,
    kind: str,
    status: str = "",
    progress: int | None = None,
    stamps: Iterable[int | None] = (),
) -> Fact:
    """`stamps`: of a document, whose amounts stand once it is issued. Customers and subscriptions change without any stamp."""
    if progress is None:  # what was made comes before what happened to it in the same second
        progress = 0 if envelope.is_creation else 1
    return Fact(
        object_type=kind,
        external_id=identity,
        version=version(envelope, kind, status, progress),
        effective_at=_true_since(envelope, stamps),
        fields=said.fields,
        refs=said.refs,
        deleted=envelope.deleted,
        unread=said.unread,
    )


def metadata_text(metadata: Metadata | None, key: str) -> str | None:
    return or_none(metadata.get(key)) if metadata and key else None


def contract_number(metadata: Metadata | None, config: Config, where: str) -> Ref | None:
    """The contract whose number stands in the metadata, where the connection declares under which key. Raises as
    `references.contract_numbered`."""
    key = config.get("contract_number_key")
    return contract_numbered(config, metadata_text(metadata, key), f"{where}.metadata.{key}")
