"""`manage.py demo_people`: one login per role for the rehearsal company."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from revops.access.grants import grant_role
from revops.access.joiners import add_person
from revops.people.actors import System
from revops.people.models import Role, User

PEOPLE: tuple[tuple[str, str, Role], ...] = (
    ("cs@rehearsal.example", "Carla Soto", Role.CS_ANALYST),
    ("finance@rehearsal.example", "Farid Nasser", Role.FINANCE_ANALYST),
    ("approver@rehearsal.example", "Anneke Prins", Role.APPROVER),
    ("controller@rehearsal.example", "Kenji Otsuka", Role.CONTROLLER),
    ("admin@rehearsal.example", "Ada Minh", Role.ADMIN),
    ("auditor@rehearsal.example", "Aurelio Testa", Role.AUDITOR),
)
DEFAULT_PASSWORD = "made-up-company-2026"  # noqa: S105 - printed on purpose; only with REVOPS_DEMO=1, on made-up data


class Command(BaseCommand):
    help = "Make one login per role for the rehearsal company (REVOPS_DEMO=1 only). Existing people are left as they are."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.REVOPS_DEMO:
            raise CommandError("demo_people makes logins with a known password: only with REVOPS_DEMO=1.")
        password = os.environ.get("REVOPS_DEMO_PASSWORD", DEFAULT_PASSWORD)
        for email, name, role in PEOPLE:
            with transaction.atomic():
                user = User.objects.filter(username=email).first()
                user = user or add_person(email, name=name, password=password, acting_user=System("demo"))
                grant_role(user, role, acting_user=System("demo"))
            self.stdout.write(f"{role.label:<26} {email:<32} {password}")
