"""The live look before the first byte: what the plan was decided on at this vendor is read again, and the ledger hears it.

The ledger may be minutes behind. Between an approval and its posting somebody may have credited the invoice, held the renewal
or locked the period in the vendor's own screens; such a plan must go back to its maker instead of out. What is read goes the
way of every fact (inbox, translation, ledger), so the reason why a plan was stopped is on record.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping

from revops.postings.models import Posting
from revops.reference import Ref
from revops.sentences import Named, Param, Word, template
from sync.applying import apply, claims
from sync.connections import ConnectionHandle
from sync.ground import doorbell
from sync.intake import inbox
from sync.models import Delivery, DeliveryState
from sync.vendor.contract import Client, Item, Reread, RetryLater

RECORD = template("facts.record", "{type} {record}")

AGAIN_SECONDS = 2
NOT_UNDERSTOOD_SECONDS = 60


def read_anew(posting: Posting, handle: ConnectionHandle, client: Client) -> list[Param]:
    """Read every object of the posting's system that its plan rests on, and record what it says in the ledger.

    What it says now under a stamp that said something else before is resolved by this very read: nothing is fresher. Returns
    what to call those that the vendor does not show any more. Raises `RetryLater` while one of them cannot be read, is in another
    worker's hands, or cannot be understood: then nothing may be sent yet. Other answers of the connector pass through.
    """
    gone: list[Param] = []
    read: dict[int, Item] = {}
    for wanted, label in _rests_on(posting):
        item = handle.connector.reading().read(client, handle.config, wanted.object_type, wanted.external_id)
        if item is None:
            gone.append(label)
        else:
            read[inbox.store_read(handle, item)] = item
    said = _applied(read)
    disputed = {delivery.pk for delivery in said if delivery.reason_code in {claims.REREAD, claims.VERSION_CONFLICT}}
    resolving = [inbox.store_read(handle, read[pk], disputed_by=pk) for pk in sorted(disputed)]
    _hold_unless_done(handle, [delivery for delivery in said if delivery.pk not in disputed] + _applied(resolving))
    doorbell.ring("detect_accounts")
    return gone


def _applied(ids: Iterable[int]) -> list[Delivery]:
    """These deliveries after every one of them that is free was applied."""
    wanted = list(ids)
    with claims.DELIVERIES.take(limit=len(wanted), where="q.id = ANY(%s)", values=[wanted]) as held:
        apply.process(held.rows, dt.datetime.now(dt.UTC))
    return list(Delivery.objects.filter(pk__in=wanted).order_by("pk"))


def _hold_unless_done(handle: ConnectionHandle, said: Iterable[Delivery]) -> None:
    for delivery in said:
        if delivery.state == DeliveryState.PENDING:
            raise RetryLater("What was read again is still being applied.", AGAIN_SECONDS, "recheck_pending")
        if delivery.state == DeliveryState.QUARANTINED:
            reason = f"Held: what {handle.connector.label} says now is a dead letter (delivery {delivery.pk}): {delivery.reason}"
            raise RetryLater(reason, NOT_UNDERSTOOD_SECONDS, "recheck_not_understood")


def _rests_on(posting: Posting) -> list[tuple[Reread, Param]]:
    """The objects of this vendor among the facts that were shown to those who signed, each with its name."""
    return [
        (Reread(str(fact["object_type"]), str(fact["external_id"])), _named(fact))
        for fact in posting.plan.facts
        if fact["system"] == posting.system_id
    ]


def _named(fact: Mapping[str, object]) -> Param:
    """What the record of a fact is called, with its type."""
    ref = Ref(str(fact["system"]), str(fact["object_type"]), str(fact["external_id"]))
    return RECORD(type=Word(ref.object_type), record=Named(ref, str(fact["label"])))
