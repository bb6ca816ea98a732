"""The action log."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from revops.history import append_only
from revops.partitions import PER_MONTH
from revops.sentence_field import SentenceField


def told_as_it_happens() -> pgtrigger.Trigger:
    """A line carries the time of the statement that writes it, and a number of this month: none is dated back or ahead."""
    return pgtrigger.Trigger(
        name="told_as_it_happens",
        operation=pgtrigger.Insert,
        when=pgtrigger.Before,
        condition=pgtrigger.Condition(
            f"NEW.at <> statement_timestamp() OR NEW.id / {PER_MONTH} <> "
            "to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMM')::bigint"
        ),
        func="RAISE EXCEPTION 'an action is told as it happens' USING ERRCODE = 'check_violation';",
    )


class ActionRecord(models.Model):
    """One action: who did what to which thing, when, why, from which request and trace. Append-only in the database.

    `verb` is stable and dotted (`case.assign`, `plan.submit`, `posting.confirm`); `subject` is `<type>:<id>`; `summary` says
    what was done, `reason` is what the person or the vendor gave as the reason, word for word. `before` and `after` hold the
    changed fields only, secrets never. `account_id` and `case_id` are plain numbers for the timelines.
    """

    at = models.DateTimeField(db_default=Now(), db_index=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    actor_label = models.CharField(max_length=160)
    verb = models.CharField(max_length=60)
    subject = models.CharField(max_length=120, db_index=True)
    account_id = models.BigIntegerField(null=True, db_index=True)
    case_id = models.BigIntegerField(null=True, db_index=True)
    summary = SentenceField()
    reason = models.TextField(blank=True)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    request_id = models.CharField(max_length=64, blank=True)
    trace_id = models.CharField(max_length=32, blank=True, db_index=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="somebody_acted",
                condition=models.Q(actor__isnull=True, actor_label__regex="^system:.")
                | (models.Q(actor__isnull=False) & ~models.Q(actor_label="")),
            ),
            models.CheckConstraint(name="something_was_done", condition=~models.Q(verb="") & ~models.Q(subject="")),
        ]
        triggers = [*append_only(), told_as_it_happens()]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M} {self.actor_label} {self.verb} {self.subject}"


class Seal(models.Model):
    """The place of one line in the chain (`revops.audit.chain`): its number, the digest of the line, and the digest over it and
    everything before it, as 32 bytes each. Written by a function of the database alone, and kept when the line's month goes to
    the archive, so that the chain stays whole."""

    sequence = models.BigIntegerField(primary_key=True)
    record_id = models.BigIntegerField(unique=True)
    content = models.BinaryField(max_length=32)
    digest = models.BinaryField(max_length=32)
    written_by_the_database = True

    class Meta:
        ordering = ["sequence"]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.sequence}: {self.record_id}"
