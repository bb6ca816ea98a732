"""Posting to a vendor: once, under a fence, never more than was approved."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint, drop_trigger

OUTBOX = "tests/sync/test_outbox.py"
CRASH = "tests/sync/test_outbox_crash.py"
LEFT = "tests/sync/test_write_left.py"
DRAFT = "tests/revops/postings/test_draft.py"
TRANSITIONS = "tests/revops/postings/test_transitions.py"

GUARDS: tuple[Guard, ...] = (
    Guard("outbox: unique key", f"{DRAFT} -k i35", sql=drop_constraint("postings_posting", "postings_posting_key_key")),
    Guard("outbox: stored bytes frozen", f"{DRAFT} -k i35", sql=drop_trigger("postings_posting", "bytes_are_frozen")),
    Guard(
        "outbox: look-up before resend",
        f"{OUTBOX} {LEFT} -k 'effect_then_reset or restored or moves_the_facts'",
        "sync/posting/outbox.py",
        "if not self._looked_up_and_absent():",
        "if False:",
    ),
    Guard(
        "outbox: what left is unknown whatever was answered",
        f"{LEFT} -k 'answered_with_a_no or read_back'",
        "sync/posting/outbox.py",
        "elif self.client.write_left or not isinstance(error, RetryLater | Refused):",
        "elif not isinstance(error, RetryLater | Refused):",
    ),
    Guard(
        "outbox: a refusal counts when nothing is found",
        f"{LEFT} -k own_refusal",
        "revops/postings/transitions.py",
        "        if posting.refusal:",
        "        if not posting.key:",
    ),
    Guard(
        "evidence: watched in every state",
        f"{LEFT} -k without_effect",
        "revops/postings/confirm.py",
        "WATCHED = (*UNPROVEN, *UNEXPECTED)",
        "WATCHED = (*UNPROVEN, PostingState.REFUSED)",
    ),
    Guard(
        "outbox: rights are read when the first byte may leave",
        f"{OUTBOX} -k i27",
        "sync/posting/outbox.py",
        "elif gone := who_may_not(self.posting.plan):",
        "elif gone := None:",
    ),
    Guard(
        "outbox: absent is seen twice",
        f"{OUTBOX} -k i36_no_resend",
        "revops/postings/transitions.py",
        "if posting.absent_seen_at is None or now - posting.absent_seen_at <= lag:",
        "if False:",
    ),
    Guard(
        "outbox: further apart than the read lag",
        f"{TRANSITIONS} -k i36",
        "revops/postings/transitions.py",
        "if posting.absent_seen_at is None or now - posting.absent_seen_at <= lag:",
        "if posting.absent_seen_at is None:",
    ),
    Guard(
        "outbox: resends stop at the window",
        f"{OUTBOX} -k i37",
        "revops/postings/transitions.py",
        "        if now - posting.first_sent_at > dt.timedelta(seconds=resend_seconds_max):",
        "        if False:",
    ),
    Guard(
        "outbox: commit before send",
        f"{OUTBOX} {CRASH} -k 'i33 or i34'",
        "revops/postings/transitions.py",
        'absent_seen_at=None, first_sent_at=first_sent_at, refusal="")',
        'absent_seen_at=None, refusal="")',
    ),
    Guard(
        "outbox: fence",
        f"{OUTBOX} -k i40",
        "revops/postings/transitions.py",
        "        if not ours:\n            _audit(",
        "        if False:\n            _audit(",
    ),
    Guard(
        "outbox: fence before the first byte",
        f"{OUTBOX} {CRASH} -k i40",
        "sync/posting/outbox.py",
        "            elif not transitions.begin_send(claimed):",
        "            elif transitions.begin_send(claimed) is None:",
    ),
    Guard(
        "outbox: no byte without a sure lease",
        f"{CRASH} -k not_sure_of_its_lease",
        "sync/posting/outbox.py",
        "before_write=lambda: held.make_sure(claimed)",
        "before_write=lambda: None",
    ),
    Guard(
        "outbox: an error is unknown and not refused",
        f"{OUTBOX} -k i36",
        "sync/posting/outbox.py",
        "            transitions.note_unknown(claimed, _words(error), refusal=own, after_seconds=after)",
        "            transitions.note_refused(claimed, _words(error), alarm=False)",
    ),
    Guard(
        "outbox: amount compared",
        f"{OUTBOX} tests/sync/connectors/test_netsuite_talks.py -k 'i39 or something_else'",
        "sync/connectors/netsuite/write.py",
        "    if different:\n",
        "    if False:\n",
    ),
    Guard(
        "outbox: vendor id compulsory",
        "tests/revops/postings/test_moves.py -k i39",
        sql=drop_constraint("postings_posting", "posted_has_vendor_id"),
    ),
    Guard(
        "outbox: stop switch right before the first byte",
        f"{OUTBOX} -k i41",
        "sync/posting/outbox.py",
        "if not connection.active or not connection.posting_enabled:",
        "if False:",
    ),
    Guard(
        "outbox: caps",
        f"{OUTBOX} -k i42",
        "sync/posting/outbox.py",
        "            elif over := _over_cap(claimed):",
        '            elif over := "":',
    ),
    Guard(
        "outbox: only what is safe to repeat",
        "tests/sync/test_outbox_wire.py -k i38",
        "sync/posting/outbox.py",
        'if offer.change is type(change) and offer.guarantee != "none":',
        "if offer.change is type(change):",
    ),
    Guard(
        "outbox: facts read again before the first byte",
        "tests/sync/test_verify_facts.py",
        "sync/posting/outbox.py",
        "        if not self._facts_stand():\n            return\n",
        "",
    ),
    Guard(
        "outbox: a fence never falls",
        "tests/revops/postings/test_moves.py -k i40",
        sql=drop_trigger("postings_posting", "fence_never_falls"),
    ),
    Guard(
        "outbox: listed moves of postings",
        "tests/revops/postings/test_moves.py -k i29_a_posting",
        sql=drop_trigger("postings_posting", "listed_moves_only"),
    ),
    Guard(
        "outbox: nothing leaves before its plan",
        f"{DRAFT} -k i29_i30",
        sql=drop_trigger("postings_posting", "leaves_after_release"),
    ),
)
