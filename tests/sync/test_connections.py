"""Secrets at rest are bound to their row and never shown; connecting checks what it is given and leaves a trace."""

from __future__ import annotations

import json

import pytest
from django.test import Client, override_settings

from revops.audit.models import ActionRecord
from revops.errors import Conflict, Missing, Rejected
from revops.ledger.models import SourceSystem
from revops.people.actors import System
from sync.connections import change_connection, config_of, connect, forget_handles, handle, seal, sealed_with_newest_key, unseal
from sync.models import Connection, Watermark

ME = System("tests")
VALUES = {"api_key": "sk_test_very_secret", "webhook_secret": "whsec_very_secret"}


def new(slug: str = "stripe", **over: object) -> Connection:
    given: dict[str, object] = {"vendor": "stripe", "base_url": "https://api.stripe.com", "values": VALUES, "acting_user": ME}
    return connect(slug=slug, **(given | over))  # type: ignore[arg-type]


def test_i59_an_envelope_opens_only_for_its_own_row_and_unchanged() -> None:
    envelope = seal(VALUES, "stripe")
    assert unseal(envelope, "stripe") == VALUES
    assert b"secret" not in envelope
    assert seal(VALUES, "stripe") != envelope
    assert unseal(b"", "stripe") == {}
    for number in (0, 3, 12, 25, len(envelope) - 1):
        changed = bytearray(envelope)
        changed[number] ^= 1
        with pytest.raises(Conflict, match="cannot be decrypted"):
            unseal(bytes(changed), "stripe")
    with pytest.raises(Conflict):
        unseal(envelope, "stripe-two")
    with pytest.raises(Conflict):
        unseal(envelope[:15], "stripe")


def test_i59_a_new_key_in_front_opens_old_envelopes_and_seals_new_ones() -> None:
    old, new_key = b"o" * 32, b"n" * 32
    with override_settings(REVOPS_ENCRYPTION_KEYS=[old]):
        envelope = seal(VALUES, "stripe")
    with override_settings(REVOPS_ENCRYPTION_KEYS=[new_key, old]):
        assert unseal(envelope, "stripe") == VALUES
        assert not sealed_with_newest_key(Connection(secrets=envelope))
        assert sealed_with_newest_key(Connection(secrets=seal(VALUES, "stripe")))
    with override_settings(REVOPS_ENCRYPTION_KEYS=[new_key]), pytest.raises(Conflict):
        unseal(envelope, "stripe")


def everything_written() -> str:
    rows = [*ActionRecord.objects.values(), *Connection.history.values(), *Connection.objects.values()]
    return json.dumps(rows, default=lambda value: bytes(value).decode("latin-1") if isinstance(value, memoryview) else str(value))


@pytest.mark.django_db
def test_i59_connecting_makes_the_system_its_watermarks_and_a_trace_without_secrets() -> None:
    connection = new()
    assert config_of(connection).get("api_key") == "sk_test_very_secret"
    assert config_of(connection).get("mode") == "test"  # declared default
    assert SourceSystem.objects.get(slug="stripe").role == "billing"
    assert list(Watermark.objects.values_list("stream", flat=True)) == ["events"]
    assert ActionRecord.objects.get().verb == "connection.create"
    assert "very_secret" not in everything_written()


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"slug": "Stripe!"}, "slug"),
        ({"vendor": "zuora"}, "unknown_vendor"),
        ({"values": {"api_key": "x"}}, "setting_missing"),
        ({"values": VALUES | {"colour": "red"}}, "setting_unknown"),
        ({"base_url": "http://api.stripe.com"}, "base_url"),
        ({"base_url": "https://user@api.stripe.com"}, "base_url"),
        ({"base_url": "https://api.stripe.com:22"}, "base_url"),
    ],
)
@pytest.mark.django_db
def test_what_cannot_be_connected(over: dict[str, object], code: str) -> None:
    with pytest.raises(Rejected) as refused:
        new(**over)  # type: ignore[arg-type]
    assert refused.value.code == code
    assert Connection.objects.count() == 0


@pytest.mark.django_db
def test_a_name_is_taken_once() -> None:
    new()
    with pytest.raises(Rejected) as refused:
        new()
    assert refused.value.code == "slug_taken"


@pytest.mark.django_db
def test_i59_changing_keeps_what_is_not_given_and_names_what_changed() -> None:
    new()
    changed = change_connection(
        "stripe", values={"webhook_secret": "whsec_even_more_secret"}, posting_enabled=False, reason="leak", acting_user=ME
    )
    config = config_of(changed)
    assert (config.get("api_key"), config.get("webhook_secret")) == ("sk_test_very_secret", "whsec_even_more_secret")
    action = ActionRecord.objects.latest("id")
    assert (action.verb, action.reason) == ("connection.change", "leak")
    assert action.after == {"posting_enabled": False, "secrets": ["webhook_secret"]}
    assert "more_secret" not in everything_written()
    with pytest.raises(Missing):
        change_connection("nobody", acting_user=ME)


@pytest.mark.django_db
def test_the_handle_follows_changes_in_this_process_at_once() -> None:
    new()
    found = handle("stripe")
    assert found is not None
    assert found.config.get("webhook_secret") == "whsec_very_secret"
    change_connection("stripe", values={"webhook_secret": "whsec_new"}, acting_user=ME)
    found = handle("stripe")
    assert found is not None
    assert found.config.get("webhook_secret") == "whsec_new"
    change_connection("stripe", active=False, acting_user=ME)
    assert handle("stripe") is None


@pytest.mark.django_db(transaction=True)
def test_i2_one_connection_that_cannot_be_opened_does_not_close_the_others(client: Client) -> None:
    new()
    new("stripe-two")
    Connection.objects.filter(pk="stripe-two").update(secrets=seal(VALUES, "another"))
    forget_handles()
    answers = {slug: client.post(f"/intake/{slug}/", b"{}", content_type="application/json") for slug in ("stripe", "stripe-two")}
    assert answers["stripe"].status_code == 401
    assert answers["stripe-two"].status_code == 503
    assert answers["stripe-two"]["Retry-After"]
