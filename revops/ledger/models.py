"""Source systems, records, their references, entries, exchange rates, freshness, and the accounts that are due for detection."""

from __future__ import annotations

from typing import Literal

import pgtrigger
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.fields.json import KT
from django.db.models.functions import Now

from revops.accounts.models import Account
from revops.history import append_only, never_removed, no_truncate
from revops.ledger.facts import AHEAD
from revops.ledger.types import TYPES
from revops.ledger.view import label_of
from revops.reference import Ref, Refs, refs_from_json
from revops.sentences import Named
from revops.work_queues.rows import QueueRow


class SystemRole(models.TextChoices):
    """What part a system plays; policies speak of roles, not of vendors."""

    CRM = "crm", "CRM"
    CUSTOMER_SUCCESS = "customer_success", "Customer success"
    BILLING = "billing", "Billing"
    ERP = "erp", "ERP"


class SourceSystem(models.Model):
    """One connected system as the business sees it: a slug that names it everywhere, a label, and its role. `on_trial`: what the
    rules find in it opens no case until a person has looked (see `cases.trial`). `habits`: on which days documents are entered in
    it and the like (JSON form of `habits`). `coverage`: how much of its records was tied to others at `coverage_at` (JSON form
    of `coverage`)."""

    slug = models.CharField(max_length=60, primary_key=True)
    label = models.CharField(max_length=80)
    role = models.CharField(max_length=30, choices=SystemRole.choices)
    vendor = models.CharField(max_length=40)
    on_trial = models.BooleanField(default=False)
    habits = models.JSONField(default=dict, blank=True)
    coverage = models.JSONField(default=list, blank=True)
    coverage_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["role", "slug"]
        triggers = [*never_removed(), no_truncate()]

    def __str__(self) -> str:
        return self.label


def says_what_its_entry_says(how: Literal["insert", "update"]) -> pgtrigger.Trigger:
    """A record's content is that of its current entry, which nobody can change. Asked once a statement for all of its rows."""
    return pgtrigger.Trigger(
        name=f"says_what_its_entry_says_{how}",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert if how == "insert" else pgtrigger.Update,
        referencing=pgtrigger.Referencing(new="written"),  # type: ignore[no-untyped-call]
        func=(
            "IF EXISTS (SELECT 1 FROM written w LEFT JOIN ledger_ledgerentry e ON e.id = w.current_id "
            "WHERE (e.record_id, e.version, e.digest, e.fields, e.refs, e.unread, e.deleted) IS DISTINCT FROM "
            "(w.id, w.version, w.digest, w.fields, w.refs, w.unread, w.deleted)) THEN "
            "RAISE EXCEPTION 'a record says what its current entry says' USING ERRCODE = 'check_violation'; END IF; RETURN NULL;"
        ),
    )


class SourceRecord(models.Model):
    """One object in one system, in its latest version.

    `fields` and `refs` are the content of `current` (JSON form of `facts`); the references are rows too (`Link`). `unread`: what
    could not be taken as it was written (`ledger.unread`), null for nothing.
    `customer_ref` is the id of the customer it belongs to in the same system; `account` is null while nobody knows whose it
    is. `seen_at` is the last time the system confirmed this content, whether or not anything had changed."""

    # Every index is written with every version: foreign keys that others below begin with, or that nobody searches, have none.
    # Nor is every row checked against its system and its account, and those of its entries and references against it: none is
    # ever removed (`never_removed`), and whoever writes them names what it has just locked, made or found linked.
    system = models.ForeignKey(
        SourceSystem, on_delete=models.PROTECT, related_name="records", db_index=False, db_constraint=False
    )
    object_type = models.CharField(max_length=30)
    external_id = models.CharField(max_length=200)
    account = models.ForeignKey(
        Account, null=True, on_delete=models.PROTECT, related_name="records", db_index=False, db_constraint=False
    )
    customer_ref = models.CharField(max_length=200, blank=True)
    current = models.ForeignKey(
        "LedgerEntry", null=True, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    version = models.CharField(max_length=100, db_collation="C")
    digest = models.CharField(max_length=64)
    fields = models.JSONField(default=dict)
    refs = models.JSONField(default=dict)
    unread = models.JSONField(null=True)
    deleted = models.BooleanField(default=False)
    effective_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["system", "object_type", "external_id"], name="one_record_per_object"),
        ]
        indexes = [
            models.Index(fields=["account", "object_type"], name="record_by_account"),
            models.Index(fields=["system", "customer_ref"], name="record_by_customer"),
            models.Index(
                fields=["system", "object_type", "id"], name="record_unlinked", condition=models.Q(account__isnull=True)
            ),
            models.Index(KT("fields__number"), "system", name="payment_number", condition=models.Q(object_type="payment")),
            models.Index(fields=["system", "object_type", "id"], name="record_unread", condition=models.Q(unread__isnull=False)),
        ]
        triggers = [*never_removed(), no_truncate(), says_what_its_entry_says("insert"), says_what_its_entry_says("update")]

    def __str__(self) -> str:
        return f"{self.system_id} {self.object_type} {self.external_id}"

    @property
    def targets(self) -> Refs:
        """What it points to, by role."""
        return refs_from_json(self.refs)

    @property
    def label(self) -> str:
        """What people call it (see `ledger.view.label_of`)."""
        return label_of(self.object_type, self.fields, self.targets, self.external_id)

    @property
    def named(self) -> Named:
        """The record as a sentence names it."""
        return Named(Ref(str(self.system_id), self.object_type, self.external_id), self.label)

    @property
    def type_label(self) -> str:
        """What people call its object type."""
        return TYPES.label(self.object_type)

    def get_object_type_display(self) -> str:
        """`type_label` under the name that Django gives a choice's label, for templates."""
        return self.type_label


class Link(models.Model):
    """One reference of a record's winning version: what it points to in a role. The target need not have come yet.

    `by` is empty, or the field of the target that holds `target_id` (see `revops.reference`). Written by `ledger.record` alone.
    """

    pk = models.CompositePrimaryKey("record_id", "role", "target_system", "target_type", "target_id", "by")
    record = models.ForeignKey(SourceRecord, on_delete=models.PROTECT, related_name="links", db_index=False, db_constraint=False)
    role = models.CharField(max_length=30)
    target_system = models.CharField(max_length=60)
    target_type = models.CharField(max_length=30)
    target_id = models.CharField(max_length=200)
    by = models.CharField(max_length=30, blank=True)

    class Meta:
        db_table = "ledger_link"
        indexes = [models.Index(fields=["target_system", "target_type", "target_id", "role"], name="link_by_target")]

    def __str__(self) -> str:
        return f"{self.role}: {self.target_system} {self.target_type} {self.target_id}"


class ExchangeRate(models.Model):
    """1 `currency` = `rate` `base_currency` (ISO 4217) from the day `on`, in the books that `system` keeps: one row for each live
    `exchange_rate` record that states all of it. Written by `ledger.record` alone."""

    record = models.OneToOneField(SourceRecord, primary_key=True, on_delete=models.CASCADE, related_name="+")
    system = models.CharField(max_length=60)
    currency = models.CharField(max_length=3)
    base_currency = models.CharField(max_length=3)
    on = models.DateField()
    rate = models.DecimalField(max_digits=30, decimal_places=15)

    class Meta:
        indexes = [models.Index(fields=["currency", "base_currency", "system", "-on", "-rate"], name="rate_by_day")]

    def __str__(self) -> str:
        return f"{self.system} {self.currency} to {self.base_currency} on {self.on}"


class LedgerEntry(models.Model):
    """One version of one record as one delivery stated it. Never changed, never removed: the database refuses.

    The table is split by month. (record, version, digest) is unique within a month by index, and for ever because `record`
    writes under the lock of the record's row.

    `arrival` says how it came: `first` and `newer` became the record's content; `restated` said the same again under a newer
    version (kept, because an older version may still come late and must not seem to be the last word); `late` is older than
    what we already had and is kept as evidence; `conflict` says something else under a version that we already had.
    """

    class Arrival(models.TextChoices):
        FIRST = "first", "first seen"
        NEWER = "newer", "newer than before"
        RESTATED = "restated", "same content, newer version"
        LATE = "late", "late evidence"
        CONFLICT = "conflict", "other content for a known version"

    record = models.ForeignKey(
        SourceRecord, on_delete=models.PROTECT, related_name="entries", db_index=False, db_constraint=False
    )
    version = models.CharField(max_length=100, db_collation="C")
    effective_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    fields = models.JSONField(default=dict)
    refs = models.JSONField(default=dict)
    unread = models.JSONField(null=True)
    deleted = models.BooleanField(default=False)
    digest = models.CharField(max_length=64)
    arrival = models.CharField(max_length=10, choices=Arrival.choices)
    delivery_id = models.BigIntegerField(null=True)
    trace_id = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering = ["record_id", "effective_at", "id"]
        triggers = append_only()

    def __str__(self) -> str:
        return f"{self.record} @ {self.version}"

    @property
    def dated_ahead(self) -> bool:
        """Whether the system dated it later than it came, so that it counts as of its arrival (`Fact.counted_at`)."""
        return AHEAD in self.version


class Freshness(models.Model):
    """How far we have read one object type of one system. `read_through_at`: a complete read covered everything up to then;
    `last_change_at`: the newest statement received, by push or read."""

    system = models.ForeignKey(SourceSystem, on_delete=models.CASCADE, related_name="freshness")
    object_type = models.CharField(max_length=30)
    read_through_at = models.DateTimeField(null=True)
    last_change_at = models.DateTimeField(null=True)
    stale_after_seconds = models.PositiveIntegerField(default=900)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["system", "object_type"], name="one_freshness")]

    def __str__(self) -> str:
        return f"{self.system_id} {self.object_type}"


class DueAccount(QueueRow):
    """An account that detection must look at. A row here is the work; `marks` counts how often it was marked, so that a mark
    made while detection runs is not lost. `moved` names the object types that moved; none means any may have."""

    account = models.OneToOneField(Account, primary_key=True, on_delete=models.CASCADE, related_name="+")
    marks = models.BigIntegerField(default=1)
    last_error = models.TextField(blank=True)
    trace_id = models.CharField(max_length=32, blank=True)
    moved = ArrayField(models.CharField(max_length=30), default=list)

    class Meta:
        indexes = [models.Index(fields=["next_attempt_at", "account"], name="account_due")]

    def __str__(self) -> str:
        return f"due: {self.account}"
