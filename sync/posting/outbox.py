"""The outbox: takes released postings, sends their stored bytes, and finds out what became of them.

Exactly once means here: the intent with its key and bytes was committed long before; one attempt at a time holds the lease;
our key is looked for, and what people signed for is read again and still holds; that the first byte may leave is committed before
it does; and once it has left, nothing but proof decides: whatever was answered or raised, a refusal too, is looked up, twice and
further apart than the vendor's read lag, before the refusal counts or the same bytes are sent again. No request runs inside a
transaction.

Never: a second body under a key; a resend or a refusal without a look-up; a state written under an old fence; a cap that drops a
posting.
"""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction

from revops.approvals.requirements import who_may_not
from revops.audit.trace import tracing
from revops.errors import Conflict, RevOpsError
from revops.ledger.rates import books_for, converted
from revops.money import Money, total
from revops.policies.in_force import policies_in_force
from revops.postings import transitions
from revops.postings.changes import Change, debits, read_change
from revops.postings.models import Posting
from revops.postings.queue import POSTINGS, PostingClaim, database_now, take_due
from revops.sentences import Sentence, params_from_json
from revops.work_queues.leases import Held, LeaseLost
from sync import connections
from sync.connections import ConnectionHandle
from sync.ground.crash import crash_point
from sync.intake import inbox
from sync.models import Connection
from sync.posting import verify_facts
from sync.vendor.contract import (
    VENDOR_REFUSED,
    Call,
    Config,
    Connector,
    ConnectorAnswer,
    Operation,
    Receipt,
    Refused,
    RetryLater,
    Unknown,
)

if TYPE_CHECKING:
    from sync.vendor.http import HttpClient

log = logging.getLogger(__name__)

MISMATCH_CODES = frozenset({"posted_differs"})
"""How a connector says that something else stands under our key. Any other refusal of a look-up leaves the outcome open."""
ATTEMPT_SECONDS_MAX = POSTINGS.held_seconds_max - 20
"""All requests of one attempt together: it is over before its lease is kept no longer."""
HELD_SECONDS = 60
STOPPED_SECONDS = 5


def send_due(*, limit: int = 20) -> int:
    """Work through up to `limit` due postings, one after the other; returns how many attempts were made.

    Any number of workers may do so at once: each row is in one pair of hands. Never raises for what a vendor does.
    """
    done = 0
    while done < limit:
        with take_due(may_send=_systems(posting_enabled=True), may_look=_systems()) as held:
            if not held.rows:
                break
            crash_point("after_claim")
            with tracing(held.rows[0].trace_id):
                attempt(held)
        done += 1
    return done


def _systems(**wanted: bool) -> list[str]:
    return [str(slug) for slug in Connection.objects.filter(active=True, **wanted).values_list("pk", flat=True)]


def attempt(held: Held[PostingClaim]) -> None:
    """One attempt on one posting: look up what is unclear, send what is new.

    No byte leaves unless the lease is surely ours at that moment: a process that was frozen and comes back may find its posting
    in other hands.
    """
    (claimed,) = held.rows
    try:
        connection = Connection.objects.get(pk=claimed.system)
        handle = connections.handle_of(connection)
        posting = Posting.objects.select_related("plan__maker").get(pk=claimed.key)
        call = call_of(posting)
        operation = _operation(handle.connector, call.change)
        client = connections.client_for(
            connection, within_seconds=ATTEMPT_SECONDS_MAX, before_write=lambda: held.make_sure(claimed)
        )
    except (RevOpsError, Refused) as error:
        # Nothing was sent in this attempt: the connection cannot be used as it is configured.
        words = error.reason if isinstance(error, Refused) else error.message
        wait = POSTINGS.back_off.seconds(claimed.attempts)
        transitions.note_not_sent(claimed, f"Held: {words}", wait, was_sent_before=claimed.task == "look_up")
        return
    with client:
        _Attempt(held, claimed, handle, client, operation, posting, call).run()


def _operation(connector: Connector, change: Change) -> Operation:
    """What the connector promises about this change. Raises `Conflict` when it offers none that is safe to repeat."""
    for offer in connector.operations:
        if offer.change is type(change) and offer.guarantee != "none":
            return offer
    raise Conflict("not_offered", f"{connector.label} does not offer {change.code} in a way that is safe to repeat.")


def call_of(posting: Posting) -> Call:
    """The stored call, byte for byte. Raises `Rejected` when this version does not know its change."""
    return Call(
        change=read_change(posting.change), method=posting.method, path=posting.path, headers=posting.headers,
        body=bytes(posting.body), key=posting.key, summary=posting.summary,
        before=params_from_json(posting.before), after=params_from_json(posting.after), reverse=posting.reverse,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One attempt in hand."""

    held: Held[PostingClaim]
    claimed: PostingClaim
    handle: ConnectionHandle
    client: HttpClient
    operation: Operation
    posting: Posting
    call: Call

    @property
    def connector(self) -> Connector:
        return self.handle.connector

    @property
    def config(self) -> Config:
        return self.handle.config

    def run(self) -> None:
        if not self._looked_up_and_absent():  # first: our own effect moves the facts
            return
        if not self._facts_stand():
            return
        if self._admit() is None:
            self.held.renew()
            self._send()

    # -- looking up ---------------------------------------------------------------------------------------------------

    def _looked_up_and_absent(self) -> bool:
        """Look for the effect, before the first sending too: the key may be known there, and not here after a restore. True only
        when it may be sent now."""
        claimed, sent_before = self.claimed, self.claimed.task == "look_up"
        wait = POSTINGS.back_off.seconds(claimed.attempts)
        try:
            receipt = self.connector.writing().find_posted(self.client, self.config, self.call)
        except Exception as error:
            if isinstance(error, Refused) and error.code in MISMATCH_CODES:
                transitions.note_refused(claimed, error.reason, alarm=True)
            else:
                wait = max(wait, error.after_seconds) if isinstance(error, RetryLater) else wait
                if not isinstance(error, ConnectorAnswer | LeaseLost):
                    log.exception("posting %s: the look-up failed", claimed.key, exc_info=error)
                transitions.note_not_sent(claimed, f"The look-up must wait: {_words(error)}", wait, was_sent_before=sent_before)
            return False
        if receipt is not None:
            self._posted(receipt)
            return False
        if not sent_before:
            return True
        lag, window = self.operation.read_lag_of(self.config), self.operation.resend_seconds_max
        return transitions.note_absent(claimed, read_lag_seconds=lag, resend_seconds_max=window) == "resend"

    # -- sending ------------------------------------------------------------------------------------------------------

    def _facts_stand(self) -> bool:
        """Read again, live, what people signed for. True only when the vendor still says the same."""
        claimed = self.claimed
        try:
            gone = verify_facts.read_anew(self.posting, self.handle, self.client)
        except Exception as error:
            wait = max(error.after_seconds if isinstance(error, RetryLater) else 0, POSTINGS.back_off.seconds(claimed.attempts))
            if not isinstance(error, ConnectorAnswer | LeaseLost):
                log.exception("posting %s: reading its facts again failed", claimed.key, exc_info=error)
            transitions.note_not_sent(claimed, _words(error), wait, was_sent_before=claimed.task == "look_up")
            return False
        return transitions.facts_stand(claimed, gone)

    def _admit(self) -> str | None:
        """The last look before the first byte, under the connection's lock: stop switch, caps, rights, fence. None: go."""
        claimed = self.claimed
        gone: Sentence | None = None
        with transaction.atomic():
            connection = Connection.objects.select_for_update(of=("self",)).get(pk=claimed.system)
            held, wait = "", STOPPED_SECONDS
            if not connection.active or not connection.posting_enabled:
                held = f"Held: posting to {claimed.system} is switched off."
            elif over := _over_cap(claimed):
                held, wait = over, HELD_SECONDS
            elif gone := who_may_not(self.posting.plan):
                held = str(gone)
            elif not transitions.begin_send(claimed):
                return "the claim is no longer ours"
        if gone:
            transitions.give_back(claimed, gone)
        elif held:
            transitions.note_not_sent(claimed, held, wait, was_sent_before=claimed.task == "look_up")
        return held or None

    def _send(self) -> None:
        claimed = self.claimed
        crash_point("before_send")
        try:
            receipt = self.connector.writing().post(self.client, self.config, self.call)
        except Exception as error:
            crash_point("after_send")
            self._unanswered(error)
            return
        crash_point("after_send")
        if not receipt.external_id:
            transitions.note_unknown(claimed, "The vendor answered without naming what it made.")
            return
        self._posted(receipt)

    def _unanswered(self, error: Exception) -> None:
        """Nothing was made, as far as the answer tells. Once a byte of the write has left, it does not tell enough."""
        claimed = self.claimed
        crash_point("before_record")
        if not isinstance(error, ConnectorAnswer | LeaseLost):
            log.exception("posting %s: the connector failed", claimed.key, exc_info=error)
        if isinstance(error, Refused) and error.code in MISMATCH_CODES:
            transitions.note_refused(claimed, error.reason, alarm=True)
        elif self.client.write_left or not isinstance(error, RetryLater | Refused):
            own = isinstance(error, Refused) and error.code == VENDOR_REFUSED
            after = error.after_seconds if isinstance(error, RetryLater | Unknown) else 0
            transitions.note_unknown(claimed, _words(error), refusal=own, after_seconds=after)
        elif isinstance(error, RetryLater):
            again = claimed.task == "look_up"
            transitions.note_not_sent(claimed, error.reason, error.after_seconds, was_sent_before=again)
        else:
            transitions.note_refused(claimed, error.reason, alarm=False)
        crash_point("after_record")

    def _posted(self, receipt: Receipt) -> None:
        crash_point("before_record")
        noted = transitions.note_posted(self.claimed, receipt.external_id)
        crash_point("after_record")
        if noted:
            self._read_back(receipt)

    def _read_back(self, receipt: Receipt) -> None:
        """Read what was written, and what the change touches, so that the evidence need not wait for the next pull.
        Only a short cut: whatever fails here, the pull brings it."""
        touched = [(ref.object_type, ref.id) for ref in self.call.change.touches]
        for object_type, external_id in dict.fromkeys([(receipt.object_type, receipt.external_id), *touched]):
            try:
                item = self.connector.reading().read(self.client, self.config, object_type, external_id)
                if item is not None:
                    inbox.store_read(self.handle, item)
            except Exception as error:
                log.info("read-back left to the next pull", extra={"object": object_type, "error": type(error).__name__})


def _words(error: Exception) -> str:
    """What may be stored of an error: a connector's reason is safe, any other exception is named only."""
    if isinstance(error, LeaseLost):
        return "The worker was not sure of its lease any more."
    return error.reason if isinstance(error, ConnectorAnswer) else f"{type(error).__name__} in the connector"


# --- caps --------------------------------------------------------------------------------------------------------


def _over_cap(claimed: PostingClaim) -> str:
    """Why this posting must wait, or empty. Counts what was first sent in the last hour at the same connection."""
    count_max = int(settings.REVOPS_POSTINGS_PER_HOUR_MAX)
    currency = policies_in_force().reporting_currency
    amount_max = Money.parse(settings.REVOPS_POSTING_AMOUNT_PER_HOUR_MAX, currency)
    since = database_now() - dt.timedelta(hours=1)
    postings = Posting.objects.select_related("plan__account__legal_entity")
    recent = list(postings.filter(system=claimed.system, first_sent_at__gte=since).exclude(pk=claimed.key))
    if len(recent) >= count_max:
        return f"Held: {count_max} postings an hour is the cap for {claimed.system}."
    measure = _measure(amount_max)
    mine = measure(postings.get(pk=claimed.key))
    sent = Money.zero(currency)
    for posting in recent:
        sent = sent + measure(posting)
    if mine and amount_max < sent + mine:
        return f"Held: {sent} was sent to {claimed.system} within the hour; the cap is {amount_max}."
    return ""


def _measure(unknown: Money) -> Callable[[Posting], Money]:
    """What the change of a posting books, in the currency of the cap and by the rates of the books that it changes; one that
    cannot be converted counts as the whole cap."""
    today, currency = database_now().date(), unknown.currency

    def amount(posting: Posting) -> Money:
        booked = debits(read_change(posting.change).lines).values()
        books = books_for(posting.system_id, posting.plan.account)
        found = [converted(money, currency, on=today, books=books) for money in booked]
        return unknown if None in found else total([money for money in found if money is not None], currency)

    return amount
