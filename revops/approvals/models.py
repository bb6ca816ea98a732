"""Checkpoints and decisions."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models.functions import Now

from revops.history import no_truncate
from revops.identity.models import StepUp
from revops.people.models import Role
from revops.postings.models import ChangePlan
from revops.sentence_field import SentenceField


class Checkpoint(models.Model):
    """One signature that a plan needs: from which role, in which order, and why. Added at submission, and once more when the
    amount's tier has risen by the time of release; never changed, never taken away."""

    plan = models.ForeignKey(ChangePlan, on_delete=models.CASCADE, related_name="checkpoints")
    code = models.CharField(max_length=40)
    label = models.CharField(max_length=120)
    role = models.CharField(max_length=30, choices=Role.choices)
    sequence = models.PositiveSmallIntegerField(default=1)
    why = SentenceField()

    class Meta:
        ordering = ["plan_id", "sequence"]
        constraints = [
            models.UniqueConstraint(fields=["plan", "code"], name="one_checkpoint_per_code"),
            models.CheckConstraint(name="signed_by_a_signer", condition=models.Q(role__in=[Role.APPROVER, Role.CONTROLLER])),
        ]
        triggers = [
            pgtrigger.Protect(name="checkpoints_stay", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="asked_before_release",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func=(
                    "IF NOT EXISTS (SELECT 1 FROM postings_changeplan p WHERE p.id = NEW.plan_id "
                    "AND p.state IN ('draft', 'submitted')) THEN RAISE EXCEPTION 'a signature is asked for before the release' "
                    "USING ERRCODE = 'check_violation'; END IF; RETURN NEW;"
                ),
            ),
            no_truncate(),
        ]

    def __str__(self) -> str:
        return f"{self.label} on {self.plan_id}"


class Verdict(models.TextChoices):
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"


class Decision(models.Model):
    """One person's signature on one checkpoint. Append-only.

    `maker` repeats the plan's maker so that the database itself can refuse a decision by the maker; a trigger refuses a
    `maker` that is not the plan's, a checkpoint of another plan, and a person who does not hold the checkpoint's role at that
    moment (a controller also stands in for an approver). `digest` is what was signed: it must equal the plan's digest.
    `policy_version` names the policies in force at that moment. `step_up` is the proof, at most five minutes old, that the person
    was there; `standing_in_for` is who had named them as stand-in for that day.
    """

    plan = models.ForeignKey(ChangePlan, on_delete=models.PROTECT, related_name="decisions")
    checkpoint = models.OneToOneField(Checkpoint, on_delete=models.PROTECT, related_name="decision")
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="decisions")
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10, choices=Verdict.choices)
    meaning = models.CharField(max_length=200)
    reason = models.TextField(blank=True)
    digest = models.CharField(max_length=64)
    policy_version = models.CharField(max_length=64)
    step_up = models.ForeignKey(StepUp, on_delete=models.PROTECT, related_name="+")
    standing_in_for = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now())
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(name="maker_is_not_checker", condition=~models.Q(decided_by=models.F("maker"))),
            models.UniqueConstraint(fields=["plan", "decided_by"], name="one_decision_per_person"),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="fits_its_plan",
                operation=pgtrigger.Insert,
                when=pgtrigger.Before,
                func=(
                    "IF NOT EXISTS (SELECT 1 FROM postings_changeplan p JOIN approvals_checkpoint c ON c.plan_id = p.id "
                    "WHERE p.id = NEW.plan_id AND p.maker_id = NEW.maker_id AND p.digest = NEW.digest "
                    "AND p.state = 'submitted' AND c.id = NEW.checkpoint_id AND EXISTS "
                    "(SELECT 1 FROM people_rolegrant g JOIN people_user u ON u.id = g.user_id "
                    "WHERE u.id = NEW.decided_by_id AND u.is_active "
                    "AND (g.role = c.role OR (c.role = 'approver' AND g.role = 'controller')))) THEN "
                    "RAISE EXCEPTION 'decision does not fit its plan' USING ERRCODE = 'check_violation'; END IF; "
                    "IF NOT EXISTS (SELECT 1 FROM identity_stepup s "
                    "WHERE s.id = NEW.step_up_id AND s.user_id = NEW.decided_by_id "
                    "AND s.at > clock_timestamp() - interval '5 minutes') THEN "
                    "RAISE EXCEPTION 'nobody decides without a fresh proof of who they are' USING ERRCODE = 'check_violation'; "
                    "END IF; RETURN NEW;"
                ),
            ),
            pgtrigger.Protect(name="signatures_stay", operation=pgtrigger.Update | pgtrigger.Delete),
            no_truncate(),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.decided_by}"
