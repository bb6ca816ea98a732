"""Secrets at rest are bound to their row and never shown; connecting checks what it is given and leaves a trace."""

from __future__ import annotations

import json

import pytest
from django.test import Client, override_settings

from revops.audit.models import ActionRecord
from revops.errors import Conflict, Missing, Rejected
from revops.ledger.models import SourceSystem
from revops.people.actors import System
from sync.connections import (
    change_connection,
    config_of,
    connect,
    forget_handles,
    handle,
    resume,
    seal,
    sealed_with_newest_key,
    unseal,
)
from sync.connections.rows import database_now
from sync.connectors import CONNECTORS
from sync.models import Connection, Watermark
from sync.pull import streams

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
    assert list(ActionRecord.objects.order_by("id").values_list("verb", flat=True)) == ["installation.mark", "connection.create"]
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


@pytest.mark.parametrize(
    ("vendor", "setting", "wrong", "right"),
    [
        ("netsuite", "billing_id_form", "ST|", "ST|{id}, Stripe: {id}"),
        ("netsuite", "billing_id_form", "{id}{id}", "{id}"),
        ("netsuite", "crm_id_pattern", "SFDC:", "SFDC:{id}"),
        ("netsuite", "contract_number_form", "C", "C{id}, {id}"),
        ("netsuite", "crm_id_field", "email", "custentity_sfdc_account"),
        ("netsuite", "crm_id_field", "custbody_x", "none"),
        ("netsuite", "billing_customer_field", "custentity_x; --", "custentity_x"),
        ("netsuite", "billing_id_field", "externalid, email", "externalid, memo, custbody_bill_key"),
        ("netsuite", "end_customer_field", "entity", "custbody_end_customer"),
        ("netsuite", "contract_number_field", "custbody-x", "otherrefnum"),
        ("netsuite", "order_term_field", "memo", "custbody_term"),
        ("salesforce", "erp_customer_field", "ERP No", "ERP_No__c"),
        ("salesforce", "contract_number_field", "A__c, B C", "Legacy__c, ContractNumber"),
        ("salesforce", "contract_status_words", "Live=running", "Live=activated, Ended=activated"),
        ("salesforce", "contract_status_words", "Live", "Live = activated"),
        ("gainsight", "arr_field", "ARR USD", "ARR_USD__gc"),
        ("gainsight", "stage_words", "Verbal Commit=soon", "Verbal Commit=in_progress, Dead = lost"),
        ("stripe", "erp_customer_form", "NS-{no}", "NS-{id}"),
    ],
)
@pytest.mark.django_db
def test_a_mapping_that_cannot_be_followed_is_refused_with_its_field(vendor: str, setting: str, wrong: str, right: str) -> None:
    given = {each.name: "given" for each in CONNECTORS[vendor].settings if each.required and not each.default}
    over: dict[str, object] = {"vendor": vendor, "values": given, "base_url": "https://vendor.example.com"}
    new("there", **over)
    with pytest.raises(Rejected) as refused:
        change_connection("there", values={setting: wrong}, acting_user=ME)
    assert (refused.value.code, refused.value.field) == ("setting_invalid", setting)
    change_connection("there", values={setting: right}, acting_user=ME)
    assert config_of(Connection.objects.get(pk="there")).get(setting) == right
    change_connection("there", values={setting: ""}, acting_user=ME)


@pytest.mark.django_db
def test_another_mapping_of_fields_is_read_from_the_beginning_and_a_reader_of_the_one_before_moves_nothing() -> None:
    given = {"client_id": "given", "client_secret": "given"}
    new("crm", vendor="salesforce", base_url="https://crm.example.com", values=given)
    connections_of = Watermark.objects.filter(connection="crm", stream="accounts")
    resume("crm", acting_user=ME)
    Watermark.objects.filter(connection="crm").update(value="2026-11-01T00:00:00.000Z")
    with streams.take_now("crm", "accounts") as held:
        (claim,) = held.rows
        change_connection("crm", values={"renewal_types": "Renewal;Extension"}, acting_user=ME)
        change_connection("crm", values={"contract_number_field": "ContractNumber"}, acting_user=ME)
        assert set(Watermark.objects.values_list("value", flat=True)) == {"2026-11-01T00:00:00.000Z"}
        assert streams.note_page(claim, "2026-11-02T00:00:00.000Z"), "nothing that is read has changed"
        change_connection("crm", values={"erp_customer_field": "ERP_No__c"}, acting_user=ME)
        assert not streams.note_page(claim, "2026-11-03T00:00:00.000Z")
    assert set(Watermark.objects.values_list("value", flat=True)) == {""}
    assert connections_of.get().next_attempt_at <= database_now()
    assert "read from the beginning" in str(ActionRecord.objects.latest("id").summary)


@pytest.mark.django_db
def test_a_name_is_taken_once() -> None:
    new()
    with pytest.raises(Rejected) as refused:
        new()
    assert refused.value.code == "slug_taken"


@pytest.mark.django_db
def test_i59_changing_keeps_what_is_not_given_and_names_what_changed() -> None:
    new()
    changed = change_connection("stripe", values={"webhook_secret": "whsec_even_more_secret"}, reason="leak", acting_user=ME)
    config = config_of(changed)
    assert (config.get("api_key"), config.get("webhook_secret")) == ("sk_test_very_secret", "whsec_even_more_secret")
    action = ActionRecord.objects.latest("id")
    assert (action.verb, action.reason) == ("connection.change", "leak")
    assert action.after == {"secrets": ["webhook_secret"]}
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
    assert handle("stripe") is not None, "started or not: what its system sends is kept"


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
