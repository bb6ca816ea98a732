"""Connections, deliveries (the inbox) and watermarks."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from revops.history import KeptHistory, WrittenOnce, append_only, never_removed, no_truncate
from revops.ledger.models import SourceSystem
from revops.work_queues.queue import WAS_FREE
from revops.work_queues.rows import QueueRow


def names_this_machine(base_url: str) -> bool:
    """Without TLS calls go nowhere else (`sync.vendor.http`)."""
    return base_url.startswith("http://")


_POSTING_TAKES_TWO = """
    IF NOT NEW.posting_enabled OR (NEW.base_url LIKE 'http://%' AND (TG_OP = 'INSERT' OR OLD.posting_enabled)) THEN
        RETURN NEW;
    END IF;
    IF TG_OP = 'UPDATE' AND OLD.posting_enabled AND NEW.base_url = OLD.base_url THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (SELECT 1 FROM sync_postingproposal p
                    WHERE p.connection_id = NEW.system_id AND p.base_url = NEW.base_url AND p.state = 'confirmed'
                      AND p.decided_at >= transaction_timestamp()) THEN
        RAISE EXCEPTION 'posting is switched on by two persons' USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
"""
"""Posting comes on, or goes to another address, in the transaction in which a second person confirms it. A simulator on this
machine may begin with it."""


class Connection(models.Model):
    """One configured vendor instance. Its slug is the slug of the ledger's source system and stands in the intake address.

    `settings` holds the plain settings, `secrets` the sensitive ones: an AES-GCM envelope bound to this row (see
    `sync.connections`). `former_until`: a secret that signs deliveries -> until when (ISO 8601) the one before it is good too.
    A plain http `base_url` is that of a simulator on this machine, which a rehearsal's database alone has. `active`: it is read,
    and what it sent is applied; otherwise it is paused, or was not started yet. `posting_enabled` is the stop switch: off by one
    person, on by two (`PostingProposal`). `restored_at`: since when posting waits until it is settled what a database that was
    put back has forgotten (`sync.connections.restored`). `row_version` guards forms against stale edits.
    """

    system = models.OneToOneField(SourceSystem, primary_key=True, on_delete=models.PROTECT, related_name="+")
    vendor = models.CharField(max_length=40)
    base_url = models.CharField(max_length=300)
    settings = models.JSONField(default=dict)
    secrets = models.BinaryField(default=b"")
    former_until = models.JSONField(default=dict)
    active = models.BooleanField(default=False)
    posting_enabled = models.BooleanField(default=False)
    restored_at = models.DateTimeField(null=True)
    row_version = models.PositiveIntegerField(default=1)
    last_problem = models.TextField(blank=True)
    last_problem_at = models.DateTimeField(null=True)
    history = KeptHistory(excluded_fields=["secrets", "last_problem", "last_problem_at"])
    secret_columns = ("secrets",)
    sealed_column = "secrets"

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="waits_until_settled", condition=models.Q(restored_at__isnull=True) | models.Q(posting_enabled=False)
            )
        ]
        triggers = [
            *never_removed(),
            pgtrigger.Trigger(
                name="posting_takes_two",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.Before,
                func=_POSTING_TAKES_TWO,
            ),
        ]

    def __str__(self) -> str:
        return str(self.system_id)

    @property
    def is_simulator(self) -> bool:
        """Whether it points at this machine itself."""
        return names_this_machine(self.base_url)


class PostingState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    CONFIRMED = "confirmed", "Confirmed"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired"
    OVERTAKEN = "overtaken", "Overtaken by a change"


class PostingProposal(models.Model):
    """One person proposes that changes may be posted to a connection, at this address, and another one confirms it. A change of
    what steers postings there ends one that waits."""

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="posting_proposals")
    base_url = models.CharField(max_length=300)
    reason = models.CharField(max_length=500)
    proposed_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=PostingState.choices, default=PostingState.WAITING)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    history = KeptHistory()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="another_person_confirms_posting",
                condition=~models.Q(state="confirmed")
                | (models.Q(decided_by__isnull=False) & ~models.Q(decided_by=models.F("proposed_by"))),
            ),
            models.UniqueConstraint(
                fields=["connection"], condition=models.Q(state="waiting"), name="one_waiting_posting_proposal"
            ),
        ]
        triggers = [
            *never_removed(),
            WrittenOnce(
                "connection_id", "base_url", "reason", "proposed_by_id", "proposed_at", "expires_at", name="proposed_once"
            ),
            pgtrigger.Protect(
                name="decided_once", operation=pgtrigger.Update, condition=pgtrigger.Condition("OLD.state <> 'waiting'")
            ),
        ]

    def __str__(self) -> str:
        return f"posting to {self.connection_id}: {self.get_state_display()}"


class CircuitState(models.TextChoices):
    CLOSED = "closed", "Calls go"
    OPEN = "open", "No calls: the vendor does not answer"
    HALF_OPEN = "half_open", "One call is being tried"


class Circuit(models.Model):
    """Whether calls to a connection may leave; none while the vendor does not answer (`sync.connections.breaker`).

    `failures` in a row without an answer; `openings` in a row, which double the wait; `opened_at` since when it has not been
    closed; `probe_at` from when one call may be tried. `reason` is the last failure.
    """

    connection = models.OneToOneField(Connection, primary_key=True, on_delete=models.PROTECT, related_name="circuit")
    state = models.CharField(max_length=10, choices=CircuitState.choices, default=CircuitState.CLOSED)
    failures = models.PositiveIntegerField(default=0)
    openings = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True)
    probe_at = models.DateTimeField(null=True)
    reason = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"circuit of {self.pk}: {self.state}"


class DeliveryKind(models.TextChoices):
    """How a delivery came about. `resolution` is a read that resolves a conflict: two versions of an object under one stamp."""

    EVENT = "event", "Pushed by the system"
    HINT = "hint", "Pushed: an object has changed"
    READ = "read", "Read by us"
    RESOLUTION = "resolution", "Read again to resolve a conflict"


class DeliveryState(models.TextChoices):
    PENDING = "pending", "Waiting"
    APPLIED = "applied", "Applied"
    SUPERSEDED = "superseded", "Older than what we had; kept as evidence"
    IGNORED = "ignored", "Of no interest"
    QUARANTINED = "quarantined", "Dead letter"


class Replay(models.Model):
    """One replay: many deliveries put back to the start together. `total` counts those put back so far; a stopped replay puts
    back no more, and what had not been worked on yet is again what it was."""

    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    asked_by_label = models.CharField(max_length=150)
    asked_at = models.DateTimeField(db_default=Now())
    reason = models.TextField(blank=True)
    total = models.PositiveIntegerField(default=0)
    stopped_at = models.DateTimeField(null=True)
    stopped_by_label = models.CharField(max_length=150, blank=True)
    taken_back = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"replay {self.pk} of {self.asked_at:%Y-%m-%d %H:%M}"


class Delivery(QueueRow):
    """One thing that came in, exactly as it came. The row is the queue entry as well.

    `body` is untouched raw bytes, `digest` its SHA-256 (hex). A key is stored once (`DeliveryKey`): a copy adds to `copies`; a
    second body under the same key is kept as its own row with `conflicts_with` set and a dead letter's reason. The table is
    split by month (`revops.partitions`), so an older delivery that others name may be in the archive.
    `replay` is the last replay that put it back,
    `before_replay` what it was then (`state reason reason_code attempts done_at`), for a replay that is stopped.
    """

    # Without a check of every row: connections are never removed, and each delivery would lock its connection's row for it.
    connection = models.ForeignKey(
        Connection, on_delete=models.PROTECT, related_name="deliveries", db_index=False, db_constraint=False
    )
    kind = models.CharField(max_length=10, choices=DeliveryKind.choices)
    object_type = models.CharField(max_length=30, blank=True)
    dedup_key = models.CharField(max_length=200)
    body = models.BinaryField()
    digest = models.CharField(max_length=64)
    headers = models.JSONField(default=dict)
    received_at = models.DateTimeField(db_default=Now())
    copies = models.PositiveIntegerField(default=1)
    conflicts_with = models.ForeignKey(
        "self", null=True, on_delete=models.DO_NOTHING, related_name="conflicts", db_index=False, db_constraint=False
    )
    state = models.CharField(max_length=20, choices=DeliveryState.choices, default=DeliveryState.PENDING)
    reason = models.TextField(blank=True)
    reason_code = models.CharField(max_length=60, blank=True)
    done_at = models.DateTimeField(null=True)
    replays = models.PositiveIntegerField(default=0)
    replay = models.ForeignKey(Replay, null=True, on_delete=models.PROTECT, related_name="deliveries", db_index=False)
    before_replay = models.JSONField(null=True)
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        verbose_name_plural = "deliveries"
        indexes = [
            models.Index(fields=["next_attempt_at", "id"], name="delivery_due", condition=models.Q(state="pending")),
            models.Index(
                fields=["next_attempt_at", "id"], name="delivery_tried", condition=models.Q(state="pending", attempts__gt=0)
            ),
            models.Index(
                fields=["next_attempt_at"], name="delivery_reread", condition=models.Q(state="pending", reason_code="reread")
            ),
            models.Index(fields=["state", "id"], name="delivery_by_state"),
            models.Index(fields=["connection", "state", "id"], name="delivery_by_connection"),
            models.Index(fields=["connection", "copies"], name="delivery_copied", condition=models.Q(copies__gt=1)),
            models.Index(fields=["trace_id"], name="delivery_by_trace"),
            models.Index(fields=["replay", "id"], name="delivery_by_replay", condition=models.Q(replay__isnull=False)),
        ]
        triggers = [
            WrittenOnce(
                "connection_id",
                "kind",
                "object_type",
                "dedup_key",
                "body",
                "digest",
                "headers",
                "received_at",
                "conflicts_with_id",
                "trace_id",
                name="raw_is_frozen",
            ),
            pgtrigger.Protect(
                name="ends_in_hand",  # of a worker that claimed it, or as it was before a replay that is stopped
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    f"OLD.state = 'pending' AND NEW.state <> 'pending' AND {WAS_FREE} "
                    "AND NEW.state IS DISTINCT FROM OLD.before_replay ->> 'state'"
                ),
            ),
            pgtrigger.Protect(name="never_lost", operation=pgtrigger.Delete),
            no_truncate(),
        ]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.dedup_key}"


class DeliveryKey(models.Model):
    """A key under which a connection delivered something, and the delivery that it was. Kept for ever: what came once is
    recognised when it comes again, also after its month was taken out.

    No foreign keys: every delivery writes a row here, and would lock its connection's row for it.
    """

    pk = models.CompositePrimaryKey("connection_id", "key")
    connection_id = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    delivery_id = models.BigIntegerField()

    class Meta:
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.connection_id} {self.key}"


class Watermark(QueueRow):
    """Where the next pull of one stream starts. Moves only after everything before it is stored. `last_error` is the problem of
    the last read that failed, empty since one came to its end.

    `asked_at` is set when a window was read to its end and not yet announced to the ledger as read: that waits until every
    delivery up to `asked_delivery_id` is past `pending`, so that nothing reads as missing while it lies in the inbox.
    `read_at`: when the last read that came to its end began.
    """

    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="watermarks")
    stream = models.CharField(max_length=40)
    value = models.CharField(max_length=300, blank=True)
    moved_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)
    asked_at = models.DateTimeField(null=True)
    asked_delivery_id = models.BigIntegerField(default=0)
    read_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "stream"], name="one_watermark_per_stream")]
        indexes = [models.Index(fields=["next_attempt_at", "id"], name="watermark_due")]
        triggers = [*never_removed(), no_truncate()]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.stream}"

    @property
    def failures(self) -> int:
        """How often in a row reading it has failed; a read under way is not counted."""
        return self.attempts - (1 if self.lease_until is not None else 0)


class IntakeTally(models.Model):
    """How many deliveries were refused by the intake in one hour (UTC), by answer. Refused deliveries leave no other trace."""

    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="tallies")
    hour = models.DateTimeField()
    status = models.PositiveSmallIntegerField()
    count = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["connection", "hour", "status"], name="one_tally_per_hour")]

    def __str__(self) -> str:
        return f"{self.connection_id} {self.hour:%Y-%m-%d %H}h {self.status}: {self.count}"


class Heartbeat(models.Model):
    """When a kind of worker last finished a round (database clock). `name`: `sweep`, `intake`, `apply`, `posting`."""

    name = models.CharField(max_length=40, primary_key=True)
    beat_at = models.DateTimeField(db_default=Now())
    detail = models.CharField(max_length=200, blank=True)

    def __str__(self) -> str:
        return f"{self.name} {self.beat_at:%Y-%m-%d %H:%M:%S}"
