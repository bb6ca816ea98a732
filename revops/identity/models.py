"""What a person proves with: sessions, one-time links, second factors, and each proof that was given."""

from __future__ import annotations

from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import models
from django.db.models.functions import Now

from revops.history import append_only
from revops.people.models import ApiToken, User


class UserSession(AbstractBaseSession):
    """A session in a browser. `session_key` is a digest of the key that the browser holds: nobody can use what stands here."""

    secret_columns = ("session_key", "session_data")
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="sessions")
    address = models.CharField(max_length=64, blank=True)
    browser = models.CharField(max_length=200, blank=True)
    started_at = models.DateTimeField(db_default=Now())


class SignInFailure(models.Model):
    """A failed attempt to sign in, for a quarter of an hour (`revops.identity.failures`). `person` is a keyed digest of the name
    that was typed, `address` an IPv4 address or an IPv6 network, `browser` the id of one in which the person was known."""

    secret_columns = ("person", "browser")
    person = models.CharField(max_length=64)
    address = models.CharField(max_length=64)
    browser = models.CharField(max_length=32, blank=True)
    at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["person", "at"], name="failures_of_a_person"),
            models.Index(fields=["address", "at"], name="failures_of_an_address"),
            models.Index(fields=["at"], name="failures_by_age"),
        ]

    def __str__(self) -> str:
        return f"from {self.address}"


class Purpose(models.TextChoices):
    """What a one-time link is for."""

    INVITE = "invite", "Invitation"
    RESET = "reset", "New password"


class OneTimeLink(models.Model):
    """A link with which one person sets a password, once. Only the SHA-256 of its secret is kept."""

    secret_columns = ("digest",)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="links")
    purpose = models.CharField(max_length=10, choices=Purpose.choices)
    digest = models.CharField(max_length=64, unique=True)
    made_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.get_purpose_display()} of {self.user}"


class TotpSecret(models.Model):
    """The secret that a person's authenticator app holds, sealed (`revops.sealing`). It counts once a code of it was entered.

    `last_step` is the number of the 30-second step whose code was taken last: a code of that step or an earlier one is refused.
    """

    secret_columns = ("sealed",)
    sealed_column = "sealed"
    user = models.OneToOneField(User, on_delete=models.CASCADE, related_name="totp")
    sealed = models.BinaryField()
    made_at = models.DateTimeField(db_default=Now())
    confirmed_at = models.DateTimeField(null=True)
    last_step = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"authenticator app of {self.user}"


class Passkey(models.Model):
    """A credential of WebAuthn: a security key, or what a phone or computer keeps. `credential` is the attested credential data.

    `sign_count` is the authenticator's own counter of signatures; one that stands still or goes back is a copy (0: it has none).
    """

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="passkeys")
    credential_id = models.BinaryField(unique=True)
    credential = models.BinaryField()
    relying_party = models.CharField(max_length=253)
    sign_count = models.BigIntegerField(default=0)
    name = models.CharField(max_length=60)
    added_at = models.DateTimeField(db_default=Now())
    last_used_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class RecoveryCode(models.Model):
    """A code that stands in for a lost second factor, once. Only a digest is kept."""

    secret_columns = ("digest",)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.CharField(max_length=64)
    used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="one_code_per_person")]

    def __str__(self) -> str:
        return f"recovery code of {self.user}"


class Method(models.TextChoices):
    """With what somebody proved who they are."""

    PASSWORD = "password", "password"
    TOTP = "totp", "code of an authenticator app"
    PASSKEY = "passkey", "passkey"
    RECOVERY_CODE = "recovery_code", "recovery code"


class StepUp(models.Model):
    """A person proved once more who they are, in a session or with a token: good for five minutes. Append-only."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="step_ups")
    method = models.CharField(max_length=20, choices=Method.choices)
    token = models.ForeignKey(ApiToken, null=True, on_delete=models.PROTECT, related_name="+")
    session = models.CharField(max_length=40, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        triggers = append_only()
        indexes = [models.Index(fields=["user", "at"], name="step_ups_of_a_person")]

    def __str__(self) -> str:
        return f"{self.user} by {self.get_method_display()}"
