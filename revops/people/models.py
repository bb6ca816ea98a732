"""Users, roles and legal entities."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords


class Role(models.TextChoices):
    """What a person does here. What each role may see and do stands in `access.rules`."""

    CS_ANALYST = "cs_analyst", "Customer success analyst"
    FINANCE_ANALYST = "finance_analyst", "Finance analyst"
    APPROVER = "approver", "Approver"
    CONTROLLER = "controller", "Controller"
    ADMIN = "admin", "Administrator"
    AUDITOR = "auditor", "Auditor"


class LegalEntity(models.Model):
    """One company of the group that keeps its own books in its base currency (ISO 4217)."""

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=200)
    base_currency = models.CharField(max_length=3)

    class Meta:
        verbose_name_plural = "legal entities"
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class User(AbstractUser):
    """A person. The user name is the e-mail address used to sign in; one person, one user."""

    display_name = models.CharField(max_length=120, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")

    @property
    def shown_name(self) -> str:
        return self.display_name or self.get_username()

    def role_codes(self) -> frozenset[str]:
        """The roles held now; read once per user object (one request)."""
        if not self.is_active:
            return frozenset()
        cached: frozenset[str] | None = getattr(self, "_role_codes", None)
        if cached is None:
            cached = frozenset(self.role_grants.values_list("role", flat=True))
            self._role_codes = cached
        return cached


class RoleGrant(models.Model):
    """One role held by one user, for all legal entities or for one."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="role_grants")
    role = models.CharField(max_length=30, choices=Role.choices)
    granted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    granted_at = models.DateTimeField(db_default=Now())
    history = HistoricalRecords()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="one_grant_per_role")]

    def __str__(self) -> str:
        return f"{self.user} is {self.get_role_display()}"


class ApiToken(models.Model):
    """A bearer token of one user. Only the SHA-256 of the token is kept; the token is shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
