"""The four columns that make a row of any model an entry of a work queue."""

from __future__ import annotations

from django.db import models
from django.db.models.functions import Now


class QueueRow(models.Model):
    """`next_attempt_at`: not worked on before then. `lease_until`: in a worker's hands until then; null when in nobody's.
    `fence` rises with every claim: who holds an older one changes nothing. `attempts` counts claims since the last one that
    ended well, the present one included. All times are the database's."""

    next_attempt_at = models.DateTimeField(db_default=Now())
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveBigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)

    class Meta:
        abstract = True
