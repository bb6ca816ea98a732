"""A rehearsal or not: marking the database once, and telling a process that runs the other way."""

from __future__ import annotations

from django.conf import settings
from django.db import transaction
from django.db.models import Exists

from revops.audit.log import record as audit
from revops.errors import Conflict
from revops.installation.models import ONLY, Installation
from revops.people.actors import System
from revops.people.models import User
from revops.sentences import template

IS_A_REHEARSAL = template("installation.rehearsal", "this database is a rehearsal with made-up data, for ever")
IS_A_COMPANY = template("installation.company", "this database is a company's own, for ever")

REHEARSAL_RUN_AS_COMPANY = (
    "This database is a rehearsal: its logins and keys are published. Start it with REVOPS_DEMO=1, or give a company its own "
    "empty database (DATABASE_URL, or another REVOPS_DATA_DIR)."
)
COMPANY_RUN_AS_REHEARSAL = (
    "This database is a company's own, not a rehearsal. Start it with REVOPS_DEMO=0, or give the rehearsal an empty database of "
    "its own (DATABASE_URL, or another REVOPS_DATA_DIR)."
)


@transaction.atomic
def mark_database(*, acting_user: User | System) -> None:
    """Mark the database as what this process runs it as, unless it is marked. Called before the first person and the first
    connection are made. Raises `Conflict("other_installation")` when it is marked as the other."""
    row, made = Installation.objects.get_or_create(pk=ONLY, defaults={"rehearsal": settings.REVOPS_DEMO})
    if made:
        said = IS_A_REHEARSAL() if row.rehearsal else IS_A_COMPANY()
        audit("installation.mark", row, acting_user=acting_user, summary=said, after={"rehearsal": row.rehearsal})
    elif row.rehearsal != settings.REVOPS_DEMO:
        raise Conflict("other_installation", contradiction())


def contradiction() -> str:
    """Why this process must not serve this database; empty when it may. An unmarked database contradicts nothing."""
    row = Installation.objects.filter(pk=ONLY).first()
    if row is None or row.rehearsal == settings.REVOPS_DEMO:
        return ""
    return REHEARSAL_RUN_AS_COMPANY if row.rehearsal else COMPANY_RUN_AS_REHEARSAL


def is_rehearsal() -> bool:
    """Whether the database is marked as a rehearsal and this process runs it as one."""
    return bool(settings.REVOPS_DEMO) and Installation.objects.filter(pk=ONLY, rehearsal=True).exists()


def contradicted() -> Exists:
    """The same as a condition of a query, for whoever is let in by one query."""
    return Exists(Installation.objects.exclude(rehearsal=settings.REVOPS_DEMO))
