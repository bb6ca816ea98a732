"""The rehearsal's connections say what this company keeps where; one from before a setting is given it."""

from __future__ import annotations

from pathlib import Path

import pytest

from demo.management.commands.connect_demo import Command
from revops.installation.kind import mark_database
from revops.people.actors import System
from sync import connections
from sync.models import Connection
from tests.demo.simulators.control import simulator

pytestmark = pytest.mark.django_db(transaction=True)
TESTS = System("tests")


@pytest.mark.parametrize("before", [{}, {"renewal_types": "Extension"}], ids=["new", "from before"])
def test_the_field_of_the_legal_entity_is_named_and_what_a_person_gave_is_kept(tmp_path: Path, before: dict[str, str]) -> None:
    mark_database(acting_user=TESTS)
    with simulator("salesforce", tmp_path) as control:
        if before:
            keys = {"client_id": "rehearsal-consumer-key", "client_secret": "rehearsal-consumer-secret"}
            connections.connect(
                slug="salesforce",
                vendor="salesforce",
                base_url=control.url,
                values=keys | before,
                started=True,
                acting_user=TESTS,
            )
        assert "answers" in Command()._connect("salesforce", control.url, "unused")
        settings = Connection.objects.get(pk="salesforce").settings
        assert settings.items() >= (before | {"legal_entity_field": "Legal_Entity__c"}).items()
        version = Connection.objects.get(pk="salesforce").row_version
        Command()._connect("salesforce", control.url, "unused")
        assert Connection.objects.get(pk="salesforce").row_version == version
