"""A person who joins is one row, one line of the log, and no role."""

from __future__ import annotations

import io
import os

import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from revops.access.joiners import add_person
from revops.audit.models import ActionRecord
from revops.errors import Rejected
from revops.people.actors import System
from revops.people.models import RoleGrant, User
from tests.revops import world

pytestmark = pytest.mark.django_db
PASSWORD = "correct horse battery"


def join(email: str = "ana@example.com", name: str = "Ana") -> User:
    return add_person(email, name=name, password=PASSWORD, acting_user=world.person("root", "admin"))


def test_a_person_joins_with_a_password_and_without_a_role() -> None:
    ana = User.objects.get(pk=join(" ana@example.com ").pk)
    assert (ana.username, ana.shown_name, ana.check_password(PASSWORD)) == ("ana@example.com", "Ana", True)
    assert ana.role_codes() == frozenset()
    assert (ana.is_staff, ana.is_superuser) == (False, False)
    line = ActionRecord.objects.get(verb="person.add")
    assert (line.actor_label, line.after) == ("root@example.com", {"email": "ana@example.com", "name": "Ana"})
    assert PASSWORD not in f"{line.before}{line.after}{line.summary}{line.reason}"


@pytest.mark.parametrize(
    ("email", "name", "code"),
    [
        ("ana", "Ana", "email_invalid"),
        ("", "Ana", "email_invalid"),
        ("ana@example.com\nX: y", "Ana", "email_invalid"),
        ("ana@example.com", "A" * 121, "name_too_long"),
        ("BEN@example.com", "Ben", "email_taken"),
    ],
)
def test_who_cannot_join(email: str, name: str, code: str) -> None:
    world.person("ben")
    with pytest.raises(Rejected) as refused:
        join(email, name)
    assert refused.value.code == code
    assert not ActionRecord.objects.filter(verb="person.add").exists()


def test_the_rehearsals_people_join_once_and_only_in_a_rehearsal() -> None:
    with override_settings(REVOPS_DEMO=False), pytest.raises(CommandError, match="REVOPS_DEMO=1"):
        call_command("demo_people")
    assert not User.objects.exists()
    with override_settings(REVOPS_DEMO=True):
        for _ in range(2):
            call_command("demo_people", stdout=io.StringIO())
    assert User.objects.count() == RoleGrant.objects.count() == 6
    lines = ActionRecord.objects.filter(verb="person.add")
    assert set(lines.values_list("actor_label", flat=True)) == {System("demo").label}
    assert lines.count() == 6
    assert os.environ.get("REVOPS_DEMO_PASSWORD", "made-up-company-2026") not in str(list(ActionRecord.objects.values()))
