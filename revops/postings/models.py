"""Change plans and postings."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from revops.accounts.models import Account
from revops.cases.models import ExceptionCase
from revops.history import KeptHistory, no_truncate
from revops.ledger.models import SourceSystem
from revops.work_queues.rows import QueueRow


class PlanState(models.TextChoices):
    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Awaiting approval"
    RELEASED = "released", "Released for posting"
    POSTED = "posted", "Posted, awaiting evidence"
    CONFIRMED = "confirmed", "Confirmed by the system's own record"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    VOID = "void", "Void: the facts changed"
    FAILED = "failed", "Refused by the system"


UNDER_WAY = ("submitted", "released", "posted")
"""States in which a plan may still have an effect that the ledger does not show yet."""

PLAN_MOVES = [
    ("draft", "submitted"), ("draft", "withdrawn"),
    ("submitted", "released"), ("submitted", "rejected"), ("submitted", "withdrawn"), ("submitted", "void"),
    ("released", "posted"), ("released", "confirmed"), ("released", "failed"), ("released", "void"),
    ("posted", "confirmed"),
]  # fmt: skip
"""Every move of a plan that exists; the database refuses all others."""

POSTING_MOVES = [
    ("planned", "released"), ("planned", "void"),
    ("released", "sending"), ("released", "confirmed"), ("released", "refused"), ("released", "void"),
    ("sending", "released"), ("sending", "posted"), ("sending", "unknown"), ("sending", "refused"), ("sending", "confirmed"),
    ("sending", "void"),
    ("unknown", "sending"), ("unknown", "posted"), ("unknown", "refused"), ("unknown", "confirmed"),
    ("posted", "confirmed"),
]  # fmt: skip
"""Every move of a posting that exists. Evidence may overtake the answer, so `confirmed` follows any state after release."""


class PostingState(models.TextChoices):
    PLANNED = "planned", "Planned"
    RELEASED = "released", "Waiting to be sent"
    SENDING = "sending", "Being sent"
    UNKNOWN = "unknown", "Outcome unknown, being looked up"
    POSTED = "posted", "Posted, awaiting evidence"
    CONFIRMED = "confirmed", "Confirmed by read-back"
    REFUSED = "refused", "Refused by the system"
    VOID = "void", "Not to be sent"


class ChangePlan(models.Model):
    """A proposed change in other systems, with the reason and the money it moves.

    `inputs` is the validated form; `digest` (SHA-256 hex) binds the kind, the inputs, every posting's bytes and the facts
    that were shown; `facts_digest` is the digest of those facts alone. `amount_minor` / `currency` is what it moves.
    `subject` names the one thing it changes (`invoice:<system>:<id>`): only one plan may be under way on it at a time, so
    that a second one is never decided on facts that the first is about to move. `policy_version` names the policies by which its
    checkpoints were last judged; empty while it is a draft.
    """

    kind = models.CharField(max_length=40)
    case = models.ForeignKey(ExceptionCase, null=True, on_delete=models.PROTECT, related_name="plans")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="plans")
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=20, choices=PlanState.choices, default=PlanState.DRAFT)
    subject = models.CharField(max_length=300)
    reason = models.TextField()
    inputs = models.JSONField(default=dict)
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    digest = models.CharField(max_length=64)
    facts_digest = models.CharField(max_length=64)
    facts = models.JSONField(default=list)
    reverses = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="reversals")
    created_at = models.DateTimeField(db_default=Now())
    submitted_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    outcome = models.TextField(blank=True)
    policy_version = models.CharField(max_length=64, blank=True)
    row_version = models.PositiveIntegerField(default=1)
    trace_id = models.CharField(max_length=32, blank=True)
    history = KeptHistory()

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "id"], name="plan_by_state"),
            models.Index(fields=["account", "kind", "state"], name="plan_by_account"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["subject"], name="one_plan_under_way", condition=models.Q(state__in=UNDER_WAY)),
        ]
        triggers = [
            pgtrigger.Protect(name="born_a_draft", operation=pgtrigger.Insert, condition=~pgtrigger.Q(new__state="draft")),
            pgtrigger.Protect(
                name="bound_once_submitted",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__state__df="draft")
                & (
                    pgtrigger.Q(old__digest__df=pgtrigger.F("new__digest"))
                    | pgtrigger.Q(old__facts_digest__df=pgtrigger.F("new__facts_digest"))
                    | pgtrigger.Q(old__facts__df=pgtrigger.F("new__facts"))
                    | pgtrigger.Q(old__maker_id__df=pgtrigger.F("new__maker_id"))
                    | pgtrigger.Q(old__account_id__df=pgtrigger.F("new__account_id"))
                    | pgtrigger.Q(old__case_id__df=pgtrigger.F("new__case_id"))
                    | pgtrigger.Q(old__amount_minor__df=pgtrigger.F("new__amount_minor"))
                    | pgtrigger.Q(old__currency__df=pgtrigger.F("new__currency"))
                    | pgtrigger.Q(old__kind__df=pgtrigger.F("new__kind"))
                    | pgtrigger.Q(old__subject__df=pgtrigger.F("new__subject"))
                    | pgtrigger.Q(old__reason__df=pgtrigger.F("new__reason"))
                    | pgtrigger.Q(old__inputs__df=pgtrigger.F("new__inputs"))
                ),
            ),
            pgtrigger.FSM(name="listed_moves_only", field="state", transitions=PLAN_MOVES),
            pgtrigger.Trigger(
                name="released_only_when_signed",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state"), new__state="released"),
                # Names the tables of approvals: the last guard must not depend on which code path asks.
                func=(
                    "IF (NEW.amount_minor <> 0 AND NOT EXISTS "
                    "(SELECT 1 FROM approvals_checkpoint c WHERE c.plan_id = NEW.id)) "
                    "OR EXISTS (SELECT 1 FROM approvals_checkpoint c WHERE c.plan_id = NEW.id AND NOT EXISTS "
                    "(SELECT 1 FROM approvals_decision d WHERE d.checkpoint_id = c.id AND d.plan_id = NEW.id "
                    "AND d.verdict = 'approved' AND d.digest = NEW.digest AND d.decided_by_id <> NEW.maker_id)) THEN "
                    "RAISE EXCEPTION 'a plan is released only when every checkpoint is signed' "
                    "USING ERRCODE = 'check_violation'; END IF; RETURN NEW;"
                ),
            ),
            pgtrigger.Trigger(
                name="void_only_unsent",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__state="released", new__state="void"),
                func=(
                    "IF EXISTS (SELECT 1 FROM postings_posting p WHERE p.plan_id = NEW.id AND p.state <> 'void') "
                    "THEN RAISE EXCEPTION 'a plan of which something may have left does not become void' "
                    "USING ERRCODE = 'check_violation'; END IF; RETURN NEW;"
                ),
            ),
            pgtrigger.Protect(name="kept_for_ever", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.kind}"

    @property
    def code(self) -> str:
        """The number people quote: `CP-00042`."""
        return f"CP-{self.pk:05d}"


class Posting(QueueRow):
    """One exact call of a plan, stored before the first byte leaves.

    `key` is the idempotency or external id under which the vendor will know it; `body` is sent byte for byte on every
    attempt. `fence` moves with every claim; a stale fence may add an observation but no state. `first_sent_at` bounds
    resends; `absent_seen_at` is when a look-up first showed nothing.
    """

    plan = models.ForeignKey(ChangePlan, on_delete=models.PROTECT, related_name="postings")
    sequence = models.PositiveSmallIntegerField(default=1)
    system = models.ForeignKey(SourceSystem, on_delete=models.PROTECT, related_name="postings")
    operation = models.CharField(max_length=60)
    method = models.CharField(max_length=10)
    path = models.CharField(max_length=500)
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    body_digest = models.CharField(max_length=64)
    key = models.CharField(max_length=100, unique=True)
    params = models.JSONField(default=dict)
    summary = models.CharField(max_length=300)
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reverse = models.TextField(blank=True)
    target_type = models.CharField(max_length=30)
    target_id = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=20, choices=PostingState.choices, default=PostingState.PLANNED)
    first_sent_at = models.DateTimeField(null=True)
    absent_seen_at = models.DateTimeField(null=True)
    needs_person = models.BooleanField(default=False)
    vendor_id = models.CharField(max_length=200, blank=True)
    last_error = models.TextField(blank=True)
    posted_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    confirming_entry_id = models.BigIntegerField(null=True)
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering = ["plan_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "sequence"], name="one_posting_per_step"),
            models.CheckConstraint(
                name="posted_has_vendor_id",
                condition=~models.Q(state__in=["posted", "confirmed"]) | ~models.Q(vendor_id=""),
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                name="posting_due",
                condition=models.Q(state__in=["released", "sending", "unknown"]),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="born_planned", operation=pgtrigger.Insert, condition=~pgtrigger.Q(new__state="planned")),
            pgtrigger.Protect(
                name="bytes_are_frozen",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__body__df=pgtrigger.F("new__body"))
                | pgtrigger.Q(old__body_digest__df=pgtrigger.F("new__body_digest"))
                | pgtrigger.Q(old__headers__df=pgtrigger.F("new__headers"))
                | pgtrigger.Q(old__params__df=pgtrigger.F("new__params"))
                | pgtrigger.Q(old__key__df=pgtrigger.F("new__key"))
                | pgtrigger.Q(old__path__df=pgtrigger.F("new__path"))
                | pgtrigger.Q(old__method__df=pgtrigger.F("new__method"))
                | pgtrigger.Q(old__operation__df=pgtrigger.F("new__operation"))
                | pgtrigger.Q(old__plan_id__df=pgtrigger.F("new__plan_id"))
                | pgtrigger.Q(old__system_id__df=pgtrigger.F("new__system_id")),
            ),
            pgtrigger.Protect(
                name="fence_never_falls",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(new__fence__lt=pgtrigger.F("old__fence")),
            ),
            pgtrigger.Protect(
                name="void_only_unsent",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__first_sent_at__isnull=False, new__state="void") & ~pgtrigger.Q(old__state="void"),
            ),
            pgtrigger.FSM(name="listed_moves_only", field="state", transitions=POSTING_MOVES),
            pgtrigger.Trigger(
                name="leaves_after_release",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__state="planned", new__state="released"),
                func=(
                    "IF NOT EXISTS (SELECT 1 FROM postings_changeplan p WHERE p.id = NEW.plan_id AND p.state = 'released') "
                    "THEN RAISE EXCEPTION 'a posting leaves only after its plan is released' "
                    "USING ERRCODE = 'check_violation'; END IF; RETURN NEW;"
                ),
            ),
            pgtrigger.Protect(
                name="kept_once_released", operation=pgtrigger.Delete, condition=~pgtrigger.Q(old__state="planned")
            ),
            no_truncate(),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.operation}"
