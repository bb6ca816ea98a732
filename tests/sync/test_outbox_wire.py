"""What leaves, seen on the wire between us and the vendor: the stored bytes, the same each time, and nothing unsafe to repeat."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator

import pytest

from revops.people.actors import System
from revops.postings.models import PostingState
from sync import connections
from sync.connectors import CONNECTORS
from sync.connectors.netsuite import write
from sync.posting.outbox import send_due
from tests.sync.postable import CREDIT_PATH, Book, again, time_passes
from tests.sync.tap import Tap, tapped

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def wire(erp: Book) -> Iterator[Tap]:
    with tapped(erp.netsuite.url) as tap:
        connections.change_connection("netsuite", base_url=tap.url, acting_user=System("tests"))
        yield tap


def test_i35_the_stored_bytes_leave_and_on_every_attempt_the_same(erp: Book, wire: Tap) -> None:
    posting = erp.released()
    erp.netsuite.fault("POST", CREDIT_PATH, status=500, times=2)
    send_due(limit=1)
    for _ in range(8):
        time_passes(70, posting)
        send_due()
        if again(posting).state == PostingState.POSTED:
            break
    sent = wire.requests("POST", "/creditMemo")
    assert len(sent) == 3
    assert {body for _, body in sent} == {bytes(posting.body)}
    assert {hashlib.sha256(body).hexdigest() for _, body in sent} == {posting.body_digest}
    for name, value in posting.headers.items():
        assert {headers[name.lower()] for headers, _ in sent} == {value}
    assert posting.key.encode() in posting.body
    assert [effect["object"]["externalid"] for effect in erp.effects()] == [posting.key]


def test_i38_what_is_not_safe_to_repeat_is_never_sent(erp: Book, wire: Tap, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connector that promises nothing about the operation: the posting waits, and says why."""
    posting = erp.released()
    unsafe = tuple(dataclasses.replace(offer, guarantee="none") for offer in write.OPERATIONS)
    monkeypatch.setattr(write, "OPERATIONS", unsafe)
    send_due()
    held = again(posting)
    assert (held.state, held.first_sent_at) == (PostingState.RELEASED, None)
    assert "safe to repeat" in held.last_error
    assert wire.requests("POST", "/creditMemo") == []
    monkeypatch.undo()
    time_passes(3600, posting)
    send_due()
    assert again(posting).state == PostingState.POSTED


def test_i38_every_operation_says_what_it_promises() -> None:
    promises = {offer.change.code: offer.guarantee for connector in CONNECTORS.values() for offer in connector.operations}
    assert promises == {
        "create_credit_memo": "unique_external_id", "hold_renewal": "search_first", "release_renewal": "search_first",
    }  # fmt: skip
