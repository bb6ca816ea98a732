"""Change plans and postings."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from revops.accounts.models import Account
from revops.cases.models import ExceptionCase
from revops.history import KeptHistory, WrittenOnce, append_only, no_truncate
from revops.ledger.models import SourceSystem
from revops.money import Money
from revops.postings.changes import LEDGER_ACCOUNTS, Line
from revops.postings.triggers import AmountIsGiven, AmountIsItsLines, may_have_effect, touches_follow, written_with_its_draft
from revops.reference import Ref
from revops.sentence_field import SentenceField
from revops.work_queues.rows import QueueRow


class PlanState(models.TextChoices):
    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Awaiting approval"
    RELEASED = "released", "Released for posting"
    POSTED = "posted", "Posted, awaiting evidence"
    CONFIRMED = "confirmed", "Confirmed by the system's own record"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired: not decided in time"
    VOID = "void", "Void: the facts changed"
    PARTLY_POSTED = "partly_posted", "Partly posted"
    FAILED = "failed", "Refused by the system"


NOT_DONE = (PlanState.REJECTED, PlanState.WITHDRAWN, PlanState.EXPIRED, PlanState.VOID, PlanState.FAILED)
"""How a plan ends without an effect."""

PLAN_MOVES = [
    ("draft", "submitted"), ("draft", "withdrawn"),
    ("submitted", "released"), ("submitted", "rejected"), ("submitted", "withdrawn"), ("submitted", "expired"),
    ("submitted", "void"),
    ("released", "posted"), ("released", "confirmed"), ("released", "failed"), ("released", "void"),
    ("released", "partly_posted"), ("posted", "confirmed"), ("posted", "failed"), ("posted", "partly_posted"),
    ("failed", "confirmed"), ("failed", "partly_posted"), ("void", "confirmed"), ("void", "partly_posted"),
    ("partly_posted", "confirmed"),
]  # fmt: skip
"""Every move of a plan that exists; the database refuses all others. One that ended without effect, or in part, moves on when a
controller takes the record that stands at the vendor for its effect."""

POSTING_MOVES = [
    ("planned", "released"), ("planned", "void"),
    ("released", "sending"), ("released", "confirmed"), ("released", "refused"), ("released", "void"),
    ("sending", "released"), ("sending", "posted"), ("sending", "unknown"), ("sending", "refused"), ("sending", "confirmed"),
    ("sending", "void"),
    ("unknown", "sending"), ("unknown", "posted"), ("unknown", "refused"), ("unknown", "confirmed"),
    ("posted", "confirmed"), ("posted", "refused"), ("refused", "confirmed"), ("void", "confirmed"),
]  # fmt: skip
"""Every move of a posting that exists. Evidence may overtake the answer, so `confirmed` follows any state after release; it
follows `refused` and `void` when a controller says so."""


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

    `inputs` is the validated form; `digest` (SHA-256 hex) binds the kind, the inputs, the lines, what it touches, every posting's
    bytes and the facts that were shown; `facts_digest` is the digest of those facts alone. `amount_minor` / `currency` is what it
    moves: the sum of the debits of its lines in that currency, zero without lines. A plan ends as `partly_posted` when some of
    its steps were made and a later one was refused; it stays so, and says what is missing. `reverses` is the plan that it
    undoes, `completes` the one whose missing steps it makes. `policy_version` names the policies by which its checkpoints were
    last judged; empty while it is a draft.
    """

    kind = models.CharField(max_length=40)
    case = models.ForeignKey(ExceptionCase, null=True, on_delete=models.PROTECT, related_name="plans")
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="plans")
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=20, choices=PlanState.choices, default=PlanState.DRAFT)
    reason = models.TextField()
    inputs = models.JSONField(default=dict)
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    digest = models.CharField(max_length=64)
    facts_digest = models.CharField(max_length=64)
    facts = models.JSONField(default=list)
    reverses = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="reversals")
    completes = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="completions")
    created_at = models.DateTimeField(db_default=Now())
    submitted_at = models.DateTimeField(null=True)
    released_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    outcome = SentenceField(null=True)
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
                    | pgtrigger.Q(old__amount_minor__df=pgtrigger.F("new__amount_minor"))
                    | pgtrigger.Q(old__currency__df=pgtrigger.F("new__currency"))
                    | pgtrigger.Q(old__reason__df=pgtrigger.F("new__reason"))
                    | pgtrigger.Q(old__inputs__df=pgtrigger.F("new__inputs"))
                ),
            ),
            pgtrigger.Protect(
                name="composed_by_one_for_one_case",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(old__maker_id__df=pgtrigger.F("new__maker_id"))
                | pgtrigger.Q(old__account_id__df=pgtrigger.F("new__account_id"))
                | pgtrigger.Q(old__case_id__df=pgtrigger.F("new__case_id"))
                | pgtrigger.Q(old__kind__df=pgtrigger.F("new__kind"))
                | pgtrigger.Q(old__reverses_id__df=pgtrigger.F("new__reverses_id"))
                | pgtrigger.Q(old__completes_id__df=pgtrigger.F("new__completes_id"))
                | pgtrigger.Q(old__created_at__df=pgtrigger.F("new__created_at")),
            ),
            AmountIsGiven(),
            pgtrigger.FSM(name="listed_moves_only", field="state", transitions=PLAN_MOVES),
            pgtrigger.Trigger(
                name="touches_follow",
                operation=pgtrigger.Update,
                when=pgtrigger.After,
                condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state")),
                func=f"{touches_follow('NEW.id')} RETURN NULL;",
            ),
            AmountIsItsLines("id"),
            pgtrigger.Trigger(
                name="partly_posted_says_so",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state"), new__state__in=["failed", "partly_posted"]),
                func=(
                    "IF (NEW.state = 'partly_posted') <> EXISTS (SELECT 1 FROM postings_posting p "
                    "WHERE p.plan_id = NEW.id AND p.state IN ('posted', 'confirmed')) THEN "
                    "RAISE EXCEPTION 'a plan is partly posted when a step of it is posted, and failed when none is' "
                    "USING ERRCODE = 'check_violation'; END IF; RETURN NEW;"
                ),
            ),
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
            pgtrigger.Trigger(
                name="confirmed_when_all_is_proven",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                condition=pgtrigger.Q(old__state__df=pgtrigger.F("new__state"), new__state="confirmed"),
                func=(
                    "IF EXISTS (SELECT 1 FROM postings_posting p WHERE p.plan_id = NEW.id AND p.state <> 'confirmed') "
                    "THEN RAISE EXCEPTION 'a plan is confirmed when every step of it is' "
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

    @property
    def ref(self) -> Ref:
        """The plan as a sentence names it."""
        return Ref.ours("plan", self.code)


class PlanTouch(models.Model):
    """One object that a plan alters, with the numbers of the steps that do.

    The database keeps `under_way`: true while the effect of one of these steps may be still to come, or be there and not in the
    ledger yet. No two plans are under way on the same object, so that none is decided on facts that another is about to move.
    """

    plan = models.ForeignKey(ChangePlan, on_delete=models.PROTECT, related_name="touches")
    steps = ArrayField(models.PositiveSmallIntegerField())
    system = models.ForeignKey(SourceSystem, on_delete=models.PROTECT, related_name="+")
    object_type = models.CharField(max_length=30)
    object_id = models.CharField(max_length=200)
    under_way = models.BooleanField(default=False)

    class Meta:
        ordering = ["plan_id", "id"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "system", "object_type", "object_id"], name="one_touch_per_object"),
            models.UniqueConstraint(
                fields=["system", "object_type", "object_id"], name="one_plan_under_way", condition=models.Q(under_way=True)
            ),
        ]
        triggers = [
            written_with_its_draft(),
            pgtrigger.Protect(name="born_at_rest", operation=pgtrigger.Insert, condition=pgtrigger.Q(new__under_way=True)),
            pgtrigger.Trigger(
                name="follows_its_plan",
                operation=pgtrigger.Update,
                when=pgtrigger.Before,
                func=(
                    "IF ROW(NEW.plan_id, NEW.steps, NEW.system_id, NEW.object_type, NEW.object_id) IS DISTINCT FROM "
                    "ROW(OLD.plan_id, OLD.steps, OLD.system_id, OLD.object_type, OLD.object_id) "
                    f"OR NEW.under_way <> {may_have_effect('NEW.plan_id', 'NEW.steps')} THEN "
                    "RAISE EXCEPTION 'what a plan touches follows the plan' USING ERRCODE = 'check_violation'; END IF; "
                    "RETURN NEW;"
                ),
            ),
            no_truncate(),
        ]

    def __str__(self) -> str:
        return f"{self.system_id} {self.object_type} {self.object_id}"

    @property
    def ref(self) -> Ref:
        return Ref(str(self.system_id), self.object_type, self.object_id)


class PlanLine(models.Model):
    """One side of what a plan books: `account` is one of `changes.LEDGER_ACCOUNTS`, `amount_minor` is above zero."""

    plan = models.ForeignKey(ChangePlan, on_delete=models.PROTECT, related_name="lines")
    sequence = models.PositiveSmallIntegerField()
    account = models.CharField(max_length=40)
    side = models.CharField(max_length=6, choices=[("debit", "Debit"), ("credit", "Credit")])
    amount_minor = models.BigIntegerField()
    currency = models.CharField(max_length=3)

    class Meta:
        ordering = ["plan_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "sequence"], name="one_line_per_number"),
            models.CheckConstraint(name="line_above_zero", condition=models.Q(amount_minor__gt=0)),
            models.CheckConstraint(name="line_has_a_side", condition=models.Q(side__in=["debit", "credit"])),
        ]
        triggers = [
            written_with_its_draft(),
            AmountIsItsLines("plan_id"),
            pgtrigger.Protect(name="lines_stay", operation=pgtrigger.Update),
            no_truncate(),
        ]

    def __str__(self) -> str:
        return f"{self.side} {self.account}"

    @property
    def line(self) -> Line:
        """The line as a value."""
        return Line(
            self.account, "debit" if self.side == "debit" else "credit", Money.from_minor(self.amount_minor, self.currency)
        )

    @property
    def account_label(self) -> str:
        return LEDGER_ACCOUNTS.get(self.account, self.account)


class Posting(QueueRow):
    """One exact call of a plan, stored before the first byte leaves.

    `change` is the stored form of the change that it makes (see `changes`), `operation` the code of that change. `key` is the
    idempotency or external id under which the vendor will know it; `body` is sent byte for byte on every attempt. `fence` moves
    with every claim; a stale fence may add an observation but no state. `first_sent_at` bounds resends; `absent_seen_at` is when
    a look-up first showed nothing. `refusal` is the vendor's own no to the last sending: it counts once look-ups show nothing.
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
    change = models.JSONField()
    summary = SentenceField()
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    reverse = SentenceField(null=True)
    state = models.CharField(max_length=20, choices=PostingState.choices, default=PostingState.PLANNED)
    first_sent_at = models.DateTimeField(null=True)
    absent_seen_at = models.DateTimeField(null=True)
    refusal = models.TextField(blank=True)
    needs_person = models.BooleanField(default=False)
    vendor_id = models.CharField(max_length=200, blank=True)
    last_error = models.TextField(blank=True)
    posted_at = models.DateTimeField(null=True)
    confirmed_at = models.DateTimeField(null=True)
    confirming_entry_id = models.BigIntegerField(null=True)
    trace_id = models.CharField(max_length=32, blank=True)

    MOVING = (
        "next_attempt_at", "lease_until", "fence", "attempts", "state", "first_sent_at", "absent_seen_at", "refusal",
        "needs_person", "vendor_id", "last_error", "posted_at", "confirmed_at", "confirming_entry_id",
    )  # fmt: skip
    """The fields that change after it was composed: what `save` is told to write. The account of the application may write no
    other column."""

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
            models.Index(fields=["id"], name="posting_for_person", condition=models.Q(needs_person=True)),
        ]
        triggers = [
            pgtrigger.Protect(name="born_planned", operation=pgtrigger.Insert, condition=~pgtrigger.Q(new__state="planned")),
            WrittenOnce(
                "plan_id",
                "sequence",
                "system_id",
                "operation",
                "method",
                "path",
                "headers",
                "body",
                "body_digest",
                "key",
                "change",
                "summary",
                "before",
                "after",
                "reverse",
                "trace_id",
                name="bytes_are_frozen",
            ),
            written_with_its_draft(),
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
            pgtrigger.Protect(
                name="confirmed_by_a_record",
                operation=pgtrigger.Update,
                condition=pgtrigger.Q(new__state="confirmed", new__confirming_entry_id__isnull=True),
            ),
            pgtrigger.Trigger(
                name="touches_follow",
                operation=pgtrigger.Update,
                when=pgtrigger.After,
                condition=pgtrigger.Q(old__state="posted", new__state="confirmed"),
                func=f"{touches_follow('NEW.plan_id')} RETURN NULL;",
            ),
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


class RecordVerdict(models.Model):
    """What a controller has said about a vendor's record that bears our reference `key` and has no living posting: it is the
    effect of an approved change, or a stray that must go. The newest of a record counts; rows are written once."""

    class Verdict(models.TextChoices):
        OURS = "ours", "It is the effect of an approved change"
        STRAY = "stray", "It must not be there"

    key = models.CharField(max_length=100)
    record = models.ForeignKey("ledger.SourceRecord", on_delete=models.PROTECT, related_name="verdicts")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    reason = models.TextField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["key"], name="verdict_by_key")]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.key} {self.verdict}"
