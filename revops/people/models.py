"""Users, roles and legal entities."""

from __future__ import annotations

import pgtrigger
from django.contrib.auth.models import AbstractUser
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Lower, Now

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


def address_of_person(typed: str) -> str:
    """An e-mail address as it is kept and compared: without spaces around it, in small letters."""
    return typed.strip().lower()


class User(AbstractUser):
    """A person. The user name is the e-mail address used to sign in, in small letters; one person, one user."""

    display_name = models.CharField(max_length=120, blank=True)
    time_zone = models.CharField(max_length=64, default="UTC")
    password_set_at = models.DateTimeField(null=True)
    last_login = None  # when somebody signed in stands in the action log
    secret_columns = ("password",)
    history = KeptHistory(excluded_fields=["password"])

    class Meta(AbstractUser.Meta):
        constraints = [models.CheckConstraint(name="address_in_small_letters", condition=models.Q(username=Lower("username")))]

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
    """One role held by one user. It counts for every legal entity: what people see is not bounded by them."""

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
    """A bearer token of one user, for what its scopes name beside reading. Only the SHA-256 of the token is kept; the token is
    shown once."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    scopes = ArrayField(models.CharField(max_length=20), default=list)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    secret_columns = ("digest",)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class ProposalKind(models.TextChoices):
    GRANT = "grant", "Role"
    FORGET_FACTORS = "forget_factors", "Second factor forgotten"


class ProposalState(models.TextChoices):
    WAITING = "waiting", "Waiting"
    CONFIRMED = "confirmed", "Confirmed"
    REFUSED = "refused", "Refused"
    WITHDRAWN = "withdrawn", "Withdrawn"
    EXPIRED = "expired", "Expired"


class ProposalBasis(models.TextChoices):
    ADMINISTRATOR = "administrator", "Another administrator"
    SECOND = "second_administrator", "The second administrator"
    SERVER = "server", "On the server"


class AccessProposal(models.Model):
    """What one administrator proposes and another one confirms: a role that decides or administers, or that somebody's second
    factor is forgotten.

    While there is one administrator alone, nobody else could confirm: the `basis` of such a grant is that it makes the second
    administrator, which happens once in the life of an installation, or that whoever runs the server confirmed it there.
    """

    kind = models.CharField(max_length=20, choices=ProposalKind.choices)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="proposals")
    role = models.CharField(max_length=30, choices=Role.choices, blank=True)
    reason = models.CharField(max_length=500)
    proposed_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    proposed_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=ProposalState.choices, default=ProposalState.WAITING)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)
    basis = models.CharField(max_length=20, choices=ProposalBasis.choices, blank=True)
    history = KeptHistory()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                name="two_others_decide",
                condition=~models.Q(proposed_by=models.F("user"))
                & (
                    models.Q(decided_by__isnull=True)
                    | models.Q(state="withdrawn")
                    | (~models.Q(decided_by=models.F("user")) & ~models.Q(decided_by=models.F("proposed_by")))
                ),
            ),
            models.CheckConstraint(
                name="confirmed_by_somebody",
                condition=~models.Q(state="confirmed")
                | models.Q(decided_by__isnull=False, basis="administrator")
                | models.Q(basis__in=["second_administrator", "server"], role="admin"),
            ),
            models.UniqueConstraint(
                fields=["kind", "user", "role"], condition=models.Q(state="waiting"), name="one_waiting_proposal"
            ),
            models.UniqueConstraint(
                fields=["basis"], condition=models.Q(basis="second_administrator"), name="one_second_administrator"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.role} for {self.user}"


class Delegation(models.Model):
    """For some days another person decides in place of one who is away. Days are those of UTC, both included."""

    approver = models.ForeignKey(User, on_delete=models.PROTECT, related_name="delegations")
    stand_in = models.ForeignKey(User, on_delete=models.PROTECT, related_name="stands_in")
    first_day = models.DateField()
    last_day = models.DateField()
    reason = models.CharField(max_length=200, blank=True)
    made_at = models.DateTimeField(db_default=Now())
    ended_at = models.DateTimeField(null=True)
    history = KeptHistory()

    class Meta:
        ordering = ["first_day", "id"]
        constraints = [
            models.CheckConstraint(name="stand_in_is_another", condition=~models.Q(approver=models.F("stand_in"))),
            models.CheckConstraint(name="days_in_order", condition=models.Q(last_day__gte=models.F("first_day"))),
        ]

    def __str__(self) -> str:
        return f"{self.stand_in} for {self.approver}, {self.first_day} to {self.last_day}"
