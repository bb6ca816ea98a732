"""Exception cases, what is not yet due, notes, watchers and saved views."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models.functions import Now

from revops.accounts.models import Account
from revops.history import KeptHistory
from revops.ledger.models import SourceSystem
from revops.reference import Ref
from revops.sentence_field import SentenceField


class Severity(models.IntegerChoices):
    """How bad; smaller is worse, so that a plain sort puts the worst first."""

    CRITICAL = 1, "Critical"
    HIGH = 2, "High"
    MEDIUM = 3, "Medium"
    LOW = 4, "Low"


class CaseStatus(models.TextChoices):
    OPEN = "open", "Open"
    AWAITING_EVIDENCE = "awaiting_evidence", "Fix posted, awaiting evidence"
    SNOOZED = "snoozed", "Snoozed"
    CLOSED = "closed", "Closed"


LIVE_STATUSES = (CaseStatus.OPEN, CaseStatus.AWAITING_EVIDENCE, CaseStatus.SNOOZED)


class Team(models.TextChoices):
    FINANCE = "finance", "Finance"
    CUSTOMER_SUCCESS = "customer_success", "Customer success"


class ExceptionCase(models.Model):
    """One exception (people say: an exception; the code says: a case), about either an account or a connected system.

    `fingerprint` is the identity of the contradiction: the same contradiction is the same row for ever, also when it comes
    back. `evidence` is the finding as shown: {"differences": [{"field", "label", "owner", "values": [{"system", "record",
    "value"}]}], "records": [{"system", "object_type", "external_id", "version"}], "inputs": [{"name", "value"}]}; a label and
    the name of an input are codes of templates. `amount_minor` with `currency` is the
    money at risk (0 with the account's currency when none). `facts_digest` changes whenever the evidence changes.
    `policy_version` names the policies that judged it last. `row_version` guards forms against stale edits.
    """

    rule = models.CharField(max_length=60)
    fingerprint = models.CharField(max_length=64, unique=True)
    account = models.ForeignKey(Account, null=True, blank=True, on_delete=models.PROTECT, related_name="cases")
    system = models.ForeignKey(SourceSystem, null=True, blank=True, on_delete=models.PROTECT, related_name="cases")
    legal_entity_code = models.CharField(max_length=20, blank=True)
    title = models.CharField(max_length=200)
    sentence = SentenceField()
    severity = models.PositiveSmallIntegerField(choices=Severity.choices)
    status = models.CharField(max_length=30, choices=CaseStatus.choices, default=CaseStatus.OPEN)
    team = models.CharField(max_length=30, choices=Team.choices)
    routing_reason = SentenceField(null=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="owned_cases"
    )
    systems = ArrayField(models.CharField(max_length=60), default=list)
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    evidence = models.JSONField(default=dict)
    facts_digest = models.CharField(max_length=64)
    policy_version = models.CharField(max_length=64)
    due_at = models.DateTimeField()
    opened_at = models.DateTimeField(db_index=True)
    refreshed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    close_reason = SentenceField(null=True)
    close_evidence = models.JSONField(default=dict)
    reopened_count = models.PositiveIntegerField(default=0)
    snoozed_until = models.DateTimeField(null=True)
    row_version = models.PositiveIntegerField(default=1)
    trace_id = models.CharField(max_length=32, blank=True)
    history = KeptHistory(excluded_fields=["evidence", "close_evidence"])

    class Meta:
        indexes = [
            models.Index(fields=["status", "due_at", "id"], name="case_queue"),
            models.Index(fields=["status", "severity", "id"], name="case_by_severity"),
            models.Index(fields=["account", "status"], name="case_by_account"),
            models.Index(fields=["owner", "status"], name="case_by_owner"),
            GinIndex(fields=["systems"], name="case_by_system"),
        ]
        constraints = [
            models.CheckConstraint(
                name="account_or_system",
                condition=models.Q(account__isnull=False, system__isnull=True)
                | models.Q(account__isnull=True, system__isnull=False),
            ),
            models.CheckConstraint(
                name="closed_has_time",
                condition=models.Q(status="closed", closed_at__isnull=False)
                | (~models.Q(status="closed") & models.Q(closed_at__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"

    @property
    def code(self) -> str:
        """The number people quote: `EX-00042`."""
        return f"EX-{self.pk:05d}"

    @property
    def ref(self) -> Ref:
        """The case as a sentence names it."""
        return Ref.ours("case", self.code)

    @property
    def about(self) -> Account | SourceSystem:
        """What it is about; the database holds that it is one of the two."""
        about = self.account or self.system
        assert about is not None
        return about

    @property
    def about_name(self) -> str:
        """What people call it: the account's name, or the system's label."""
        return str(self.about)

    @property
    def is_live(self) -> bool:
        return self.status in LIVE_STATUSES


class Expectation(models.Model):
    """Something that is missing but not yet due: kept apart from exceptions, gone when it arrives, a case when it is late.

    `search_text` is the sentence in plain words, for searches alone. What is overdue because a record is missing waits until the
    systems of `awaits_role` are read up to `awaits_until` for the type that is missed; empty: it waits for its time alone.
    `held`: it opens no case although its time may have come, because the rule is on trial in `system`, or has found too much.
    """

    class Held(models.TextChoices):
        NOT = "", "not held"
        TRIAL = "trial", "the rule is on trial"
        FLOOD = "flood", "too many at once"

    fingerprint = models.CharField(max_length=64, unique=True)
    rule = models.CharField(max_length=60)
    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="expectations")
    sentence = SentenceField()
    search_text = models.TextField()
    amount_minor = models.BigIntegerField(default=0)
    currency = models.CharField(max_length=3)
    due_at = models.DateTimeField(db_index=True)
    since = models.DateTimeField()
    awaits_role = models.CharField(max_length=20, default="")
    awaits_type = models.CharField(max_length=40, default="")
    awaits_until = models.DateTimeField(null=True)
    held = models.CharField(max_length=10, choices=Held.choices, default=Held.NOT, blank=True)
    system = models.ForeignKey(SourceSystem, null=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        indexes = [
            models.Index("awaits_role", "awaits_type", name="cases_expectation_awaits", condition=~models.Q(awaits_role="")),
            models.Index("rule", "system", name="cases_expectation_held", condition=~models.Q(held="")),
        ]

    def __str__(self) -> str:
        return f"{self.rule} due {self.due_at:%Y-%m-%d %H:%M}"


class CaseNote(models.Model):
    """A comment on a case. Never edited: a correction is another note."""

    case = models.ForeignKey(ExceptionCase, on_delete=models.CASCADE, related_name="notes")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    text = models.TextField()
    mentions = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="+")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"note {self.pk} on {self.case_id}"


class CaseWatch(models.Model):
    """This person wants to hear about this case."""

    case = models.ForeignKey(ExceptionCase, on_delete=models.CASCADE, related_name="watches")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["case", "user"], name="watch_once")]

    def __str__(self) -> str:
        return f"{self.user} watches {self.case_id}"


class SavedView(models.Model):
    """A named filter of the queue: the query string as the page itself would write it."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=1000, blank=True)
    shared = models.BooleanField(default=False)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="one_view_per_name")]

    def __str__(self) -> str:
        return self.name


class RuleSwitch(models.Model):
    """A person's word that a rule opens cases in a system, or does not any more. Where nobody said anything it does, unless the
    system is on trial. Who said what before is its history."""

    rule = models.CharField(max_length=60)
    system = models.ForeignKey(SourceSystem, on_delete=models.PROTECT, related_name="+")
    live = models.BooleanField()
    reason = models.TextField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField()
    history = KeptHistory()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "system"], name="one_switch_per_rule_and_system")]

    def __str__(self) -> str:
        return f"{self.rule} {'live' if self.live else 'on trial'} in {self.system_id}"
