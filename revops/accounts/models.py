"""Accounts and their links to each system's customer record."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from revops.history import KeptHistory, never_removed
from revops.people.models import LegalEntity


class Account(models.Model):
    """One customer of ours. Which customer records of which systems it is stands in its links, and nowhere else."""

    name = models.CharField(max_length=300)
    legal_entity = models.ForeignKey(LegalEntity, null=True, on_delete=models.PROTECT, related_name="accounts")
    currency = models.CharField(max_length=3, blank=True)
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
