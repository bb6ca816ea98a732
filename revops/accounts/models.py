"""Accounts, their links to each system's customer record, and people's words on which documents are the same."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from revops.history import KeptHistory, never_removed
from revops.people.models import LegalEntity


class Account(models.Model):
    """One customer of ours. Which customer records of which systems it is stands in its links, and nowhere else. One that the CRM
    merged away keeps its history, has no links any more, and points to the one that took them."""

    name = models.CharField(max_length=300)
    legal_entity = models.ForeignKey(LegalEntity, null=True, on_delete=models.PROTECT, related_name="accounts")
    currency = models.CharField(max_length=3, blank=True)
    merged_into = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="merged")
    created_at = models.DateTimeField(db_default=Now())
    history = KeptHistory()

    class Meta:
        ordering = ["name", "id"]
        indexes = [models.Index(fields=["name", "id"], name="account_by_name")]
        triggers = never_removed()

    def __str__(self) -> str:
        return self.name

    @property
    def code(self) -> str:
        """The number people quote: `AC-00042`."""
        return f"AC-{self.pk:05d}"


class AccountLink(models.Model):
    """This customer record in that system is this account. `basis` says how we know; a refused link is kept, so that the
    reference which a person overruled does not come back with the next delivery. One customer of a CRM made the account: its
    name, currency and legal entity are the account's."""

    class Basis(models.TextChoices):
        MADE = "made", "the CRM's record that made the account"
        REFERENCE = "reference", "by the id that the system itself carries"
        CONFIRMED = "confirmed", "confirmed by a person"
        REFUSED = "refused", "refused by a person: not this account"

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="links")
    system = models.CharField(max_length=60)
    customer_id = models.CharField(max_length=200)
    basis = models.CharField(max_length=20, choices=Basis.choices)
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    reason = models.TextField(blank=True)
    linked_at = models.DateTimeField(db_default=Now())
    history = KeptHistory()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["system", "customer_id"], name="one_account_per_customer"),
            models.CheckConstraint(
                name="person_stands_behind_link",
                condition=models.Q(basis__in=["made", "reference"]) | models.Q(confirmed_by__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.system} {self.customer_id} is {self.account}"


class CounterpartVerdict(models.Model):
    """A person's word that two documents of different systems are the same, or are not. It stands above every reference; who said
    what before is its history. The two are kept in one order: `left` is the lesser by system, type and id."""

    object_type = models.CharField(max_length=30)
    left_system = models.CharField(max_length=60)
    left_id = models.CharField(max_length=200)
    right_system = models.CharField(max_length=60)
    right_id = models.CharField(max_length=200)
    same = models.BooleanField()
    reason = models.TextField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(db_default=Now())
    history = KeptHistory()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["object_type", "left_system", "left_id", "right_system", "right_id"], name="one_verdict_per_pair"
            ),
        ]
        indexes = [models.Index(fields=["object_type", "right_system", "right_id"], name="verdict_by_right")]

    def __str__(self) -> str:
        return f"{self.left_system} {self.left_id} {'is' if self.same else 'is not'} {self.right_system} {self.right_id}"
