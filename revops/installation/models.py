"""The mark of the database."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now

from revops.history import append_only

ONLY = 1


class Installation(models.Model):
    """The one row that says whether this database is a rehearsal. Written once, never changed or removed."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY)
    rehearsal = models.BooleanField()
    marked_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(name="one_installation", condition=models.Q(id=ONLY))]
        triggers = append_only()

    def __str__(self) -> str:
        return "rehearsal" if self.rehearsal else "company"
