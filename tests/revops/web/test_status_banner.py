"""People at their pages notice that work stands still, each in the words that fit."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import pytest
from django.test import Client

from revops.access.rules import GRANTS
from revops.ledger.models import DueAccount
from revops.people.models import Role
from sync.models import Heartbeat
from tests.factories import an_account
from tests.revops.web.conftest import HTMX, Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]


def ago(seconds: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)


@pytest.fixture
def frozen() -> None:
    """An account has waited for two minutes, and the worker whose it is does nothing."""
    DueAccount.objects.create(account=an_account(), next_attempt_at=ago(120))
    Heartbeat.objects.create(name="sweep", beat_at=ago(1))
    Heartbeat.objects.create(name="apply", beat_at=ago(500))


@pytest.mark.parametrize("role", list(Role))
def test_everybody_is_told_and_those_who_see_deliveries_why(role: Role, frozen: None, sign_in: SignIn) -> None:
    client = sign_in(role.value, role.value)
    page = (
        client.get("/accounts/").content.decode() if role in GRANTS["see_account"] else client.get("/nowhere/").content.decode()
    )
    told_why = role in GRANTS["see_deliveries"]
    assert ("What came in is not being worked through for 2 min." in page) == told_why
    assert ("What you see may be behind the systems" in page) == (not told_why)
    assert ("Work stands still." if told_why else "Some work stands still.") in page
    assert ('href="/deliveries/?state=pending"' in page) == told_why
    if told_why:
        assert client.get("/deliveries/?state=pending").status_code == 200


def test_nobody_is_told_anything_while_work_moves(frozen: None, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    Heartbeat.objects.filter(name="apply").update(beat_at=ago(5))
    page = client.get("/queue/").content.decode()
    assert 'id="status-banner"' in page
    assert "stands still" not in page


def test_an_open_page_learns_of_it_and_of_its_end(frozen: None, sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    line = client.get("/status-banner/?shown=", headers=HTMX)
    assert line.status_code == 200
    assert b"not being worked through" in line.content
    assert b"shown=silent_apply" in line.content
    assert client.get("/status-banner/?shown=silent_apply", headers=HTMX).status_code == 204  # nothing new to say
    Heartbeat.objects.filter(name="apply").update(beat_at=ago(1))
    line = client.get("/status-banner/?shown=silent_apply", headers=HTMX)
    assert line.status_code == 200
    assert b"stands still" not in line.content


def test_who_was_signed_out_meanwhile_gets_no_form_drawn_into_the_page(frozen: None, client: Client) -> None:
    assert client.get("/status-banner/?shown=", headers=HTMX).status_code == 204
