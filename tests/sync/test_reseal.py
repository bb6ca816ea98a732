"""A new key in front: everything is sealed with it by one command, and the old key can go."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command
from django.test import Client

from revops.audit.models import ActionRecord
from revops.identity import totp
from revops.people.actors import System
from revops.sealed_rows import sealed_with_old_key
from sync import connections
from sync.models import Connection
from tests.revops import world

OLD, NEW = bytes(range(32)), bytes(range(32, 64))
VALUES = {"api_key": "sk_test_" + "1" * 24, "webhook_secret": "whsec_" + "2" * 32}


@pytest.fixture
def sealed(db: None, settings: Any) -> Iterator[Any]:
    """Two connections and an authenticator app sealed with the old key; the new one is in front now."""
    settings.REVOPS_ENCRYPTION_KEYS = [OLD]
    for slug in ("stripe", "stripe-two"):
        connections.connect(
            slug=slug, vendor="stripe", base_url="http://127.0.0.1:1099", values=VALUES, started=True,
            acting_user=System("tests"),
        )  # fmt: skip
    totp.begin_totp(world.person("ana", "approver"))
    settings.REVOPS_ENCRYPTION_KEYS = [NEW, OLD]
    connections.forget_handles()
    yield settings
    connections.forget_handles()


def reseal() -> str:
    out = io.StringIO()
    call_command("reseal", stdout=out)
    return out.getvalue()


def warned() -> list[str]:
    return [each.id or "" for each in run_checks(tags=[Tags.database], databases=["default"])]


def test_i59_everything_is_sealed_anew_and_the_old_key_can_go(sealed: Any, client: Client) -> None:
    assert sealed_with_old_key() == 3
    assert warned() == ["revops.W001"]
    assert "3 secrets are sealed with an older key" in str(client.get("/readyz").json()["warnings"])
    assert "3 secrets sealed with the newest key, 0 left" in reseal()
    assert warned() == []
    assert "older key" not in str(client.get("/readyz").json()["warnings"])
    sealed.REVOPS_ENCRYPTION_KEYS = [NEW]
    for connection in Connection.objects.all():
        assert connections.unseal(connection.secrets, str(connection.pk)) == VALUES
    user = world.person("bea")
    assert totp.secret_being_set_up(type(user).objects.get(username="ana@example.com")).startswith("otpauth://")
    lines = ActionRecord.objects.filter(verb__in=["connection.reseal", "factor.reseal"])
    assert {line.actor_label for line in lines} == {"system:reseal"}
    assert lines.count() == 3
    assert "0 secrets sealed with the newest key" in reseal(), "once is enough"
    assert lines.count() == 3


def test_i59_a_key_that_is_gone_is_said_and_keeps_nothing_else_back(sealed: Any, client: Client) -> None:
    Connection.objects.filter(pk="stripe").update(secrets=b"\x01" + b"unknown!" + b"x" * 40)
    with pytest.raises(CommandError, match="stripe: The credentials of stripe cannot be decrypted"):
        reseal()
    assert sealed_with_old_key() == 1
    (told,) = client.get("/readyz").json()["warnings"]
    assert "opens the secrets of connection stripe:" in told
    assert warned() == ["revops.W001"]


def test_i59_every_change_seals_with_the_newest_key(sealed: Any) -> None:
    """Also one that touches no secret."""
    connections.change_connection("stripe", label="Billing", acting_user=System("tests"))
    assert connections.sealed_with_newest_key(Connection.objects.get(pk="stripe"))
    assert not connections.sealed_with_newest_key(Connection.objects.get(pk="stripe-two"))
    connections.change_connection("stripe-two", values={"api_key": "sk_test_" + "3" * 24}, acting_user=System("tests"))
    assert connections.sealed_with_newest_key(Connection.objects.get(pk="stripe-two"))
