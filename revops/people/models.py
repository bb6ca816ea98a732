"""Users, roles and legal entities."""

from __future__ import annotations

import pgtrigger
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models.functions import Now

from revops.history import KeptHistory


class Role(models.TextChoices):
    """What a person does here. What each role may see and do stands in `access.rules`."""

    CS_ANALYST = "cs_analyst", "Customer success analyst"
    FINANCE_ANALYST = "finance_analyst", "Finance analyst"
    APPROVER = "approver", "Approver"
    CONTROLLER = "controller", "Controller"
    ADMIN = "admin", "Administrator"
    AUDITOR = "auditor", "Auditor"


CONFLICTS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({Role.FINANCE_ANALYST, Role.APPROVER}), "Whoever proposes changes does not approve them."),
    (frozenset({Role.CS_ANALYST, Role.APPROVER}), "Whoever proposes changes does not approve them."),
    (frozenset({Role.FINANCE_ANALYST, Role.CONTROLLER}), "Whoever proposes changes does not approve them."),
    (frozenset({Role.CS_ANALYST, Role.CONTROLLER}), "Whoever proposes changes does not approve them."),
    (frozenset({Role.ADMIN, Role.APPROVER}), "Whoever configures the controls does not pass them."),
    (frozenset({Role.ADMIN, Role.CONTROLLER}), "Whoever configures the controls does not pass them."),
    (frozenset({Role.ADMIN, Role.FINANCE_ANALYST}), "Whoever configures the controls does not work under them."),
    (frozenset({Role.AUDITOR, Role.FINANCE_ANALYST}), "An auditor changes nothing."),
    (frozenset({Role.AUDITOR, Role.CS_ANALYST}), "An auditor changes nothing."),
    (frozenset({Role.AUDITOR, Role.APPROVER}), "An auditor changes nothing."),
    (frozenset({Role.AUDITOR, Role.CONTROLLER}), "An auditor changes nothing."),
    (frozenset({Role.AUDITOR, Role.ADMIN}), "An auditor changes nothing."),
)
"""Pairs of roles that one person never holds together: `access.grants` says so in words, a trigger refuses it on every path."""


def _refuse_conflicts() -> str:
    """SQL: nobody holds both roles of a pair. The person's row is locked first, so that two grants at once see each other."""
    pairs = ", ".join("('{}', '{}')".format(*sorted(str(role) for role in pair)) for pair, _ in CONFLICTS)
    return (
        "PERFORM 1 FROM people_user WHERE id = NEW.user_id FOR NO KEY UPDATE; "  # noqa: S608 - the roles are ours
        f"IF EXISTS (SELECT 1 FROM people_rolegrant g JOIN (VALUES {pairs}) AS pair(one, other) "
        "ON (NEW.role = one AND g.role = other) OR (NEW.role = other AND g.role = one) WHERE g.user_id = NEW.user_id) THEN "
        "RAISE EXCEPTION 'nobody holds these roles together' USING ERRCODE = 'check_violation'; END IF; RETURN NULL;"
    )


class LegalEntity(models.Model):
    """One company of the group that keeps its own books in its base currency (ISO 4217).

    `books_system` is the slug of the system that keeps them: its accounting periods and exchange rates are this company's. Empty
    until a system has said so.
    """

    code = models.CharField(max_length=20, unique=True)
    name = models.CharField(max_length=200)
    base_currency = models.CharField(max_length=3)
    books_system = models.CharField(max_length=60, blank=True)

    class Meta:
        verbose_name_plural = "legal entities"
        ordering = ["code"]

    def __str__(self) -> str:
        return f"{self.code} {self.name}"


class User(AbstractUser):
    """A person. The user name is the e-mail address used to sign in; one person, one user."""

    display_name = models.CharField(max_length=120, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    secret_columns = ("password",)

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
    history = KeptHistory()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="one_grant_per_role")]
        triggers = [
            pgtrigger.Trigger(
                name="no_conflicting_roles",
                operation=pgtrigger.Insert | pgtrigger.Update,
                when=pgtrigger.After,
                func=_refuse_conflicts(),
            ),
        ]

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
    secret_columns = ("digest",)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
