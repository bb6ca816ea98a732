"""A database is a rehearsal or it is not, for ever; what is run the other way starts nothing and lets nobody in."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import call_command
from django.test import Client, override_settings
from django.utils import timezone

from revops.access.joiners import add_person
from revops.audit.models import ActionRecord
from revops.errors import Conflict
from revops.identity.tokens import issue_token
from revops.installation.kind import mark_database
from revops.installation.models import Installation
from revops.people.actors import System
from revops.people.models import User
from tests.house.test_words import ROOT
from tests.revops.attacker import refusal_of
from tests.sync.processes import environment

US = System("tests")
PASSWORD = "correct horse battery"
DEMO_LOGIN = {"username": "controller@rehearsal.example", "password": "made-up-company-2026"}


@pytest.fixture
def rehearsal(db: None, settings: object) -> Iterator[None]:
    """The rehearsal's people, and then a process without REVOPS_DEMO."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]
    with override_settings(REVOPS_DEMO=True):
        call_command("demo_people", stdout=io.StringIO())
        yield


@pytest.mark.parametrize("demo", [True, False])
@pytest.mark.django_db
def test_the_first_person_decides_what_the_database_is(demo: bool) -> None:
    with override_settings(REVOPS_DEMO=demo):
        add_person("ana@example.com", name="Ana", password=PASSWORD, acting_user=US)
        add_person("ben@example.com", name="Ben", password=PASSWORD, acting_user=US)
    assert Installation.objects.get().rehearsal is demo
    assert ActionRecord.objects.get(verb="installation.mark").after == {"rehearsal": demo}
    with override_settings(REVOPS_DEMO=not demo):
        with pytest.raises(Conflict, match="REVOPS_DEMO=") as refused:
            add_person("cleo@example.com", name="Cleo", password=PASSWORD, acting_user=US)
        assert refused.value.code == "other_installation"
        (told,) = run_checks(tags=[Tags.database], databases=["default"])
        assert told.id == "revops.E003"
    assert User.objects.count() == 2


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE installation_installation SET rehearsal = NOT rehearsal",
        "DELETE FROM installation_installation",
        "TRUNCATE installation_installation",
        "INSERT INTO installation_installation (id, rehearsal) VALUES (2, true)",
    ],
)
@pytest.mark.django_db
def test_the_mark_is_never_changed(statement: str) -> None:
    mark_database(acting_user=US)
    assert refusal_of(statement)


def test_the_rehearsals_logins_open_nothing_outside_it(rehearsal: None) -> None:
    token = issue_token(
        User.objects.get(username="controller@rehearsal.example"), name="x", days=1, scopes=[], now=timezone.now(), acting_user=US
    )
    here, later = Client(), Client()
    assert here.post("/sign-in/", DEMO_LOGIN).status_code == 302
    bearer = {"Authorization": f"Bearer {token}"}
    assert (here.get("/queue/").status_code, later.get("/api/v1/cases/", headers=bearer).status_code) == (200, 200)
    with override_settings(REVOPS_DEMO=False):
        assert here.get("/queue/").status_code == 302
        assert later.post("/sign-in/", DEMO_LOGIN).status_code == 422
        assert later.get("/api/v1/cases/", headers=bearer).status_code == 401


@pytest.mark.parametrize(
    "command",
    [["manage.py", "migrate", "--noinput", "-v", "0"], ["-c", "import revops.serving.application"]],
    ids=["migrate", "web server"],
)
@pytest.mark.django_db(transaction=True)
@pytest.mark.outside
def test_a_process_that_runs_it_the_other_way_does_not_start(command: list[str]) -> None:
    mark_database(acting_user=US)
    told = environment(REVOPS_DEMO="0")
    refused = subprocess.run([sys.executable, *command], cwd=ROOT, env=told, capture_output=True, text=True, check=False)
    assert refused.returncode != 0
    assert "This database is a rehearsal: its logins and keys are published. Start it with REVOPS_DEMO=1" in refused.stderr
