"""The Salesforce connector against the simulator in its own process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from revops.ledger.facts import Fact
from revops.money import Money
from sync.connectors.salesforce import ids
from sync.vendor.contract import Config, Misunderstood, Refused, RetryLater
from sync.vendor.http import HttpClient
from tests.pointing import pointing
from tests.sync.connectors.talking import FAST, Talk, now, talking

ACCOUNT = ids.full("001550000000001", "test")
STAMP = "2026-03-01T00:00:00.000+0000"


def account(number: int, **more: Any) -> dict[str, Any]:
    return {
        "Id": ids.full(f"001550000{number:06d}", "test"),
        "Name": f"Customer {number}",
        "Type": "Customer",
        "CurrencyIsoCode": "EUR",
        "Legal_Entity__c": "DE",
        "SystemModstamp": STAMP,
    } | more


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    with talking("salesforce", tmp_path) as talk:
        talk.control.load("CustomField", {"Id": "Account.Legal_Entity__c", "type": "string"})
        talk.control.load("Account", account(1))
        talk.control.load(
            "Contract",
            {
                "Id": ids.full("800550000000001", "test"),
                "AccountId": ACCOUNT,
                "ContractNumber": "C-00000001",
                "Status": "Activated",
                "StatusCode": "Activated",
                "StartDate": "2026-01-01",
                "EndDate": "2026-12-31",
                "ContractTerm": 12,
                "ActivatedDate": "2026-01-02T00:00:00.000+0000",
                "CurrencyIsoCode": "EUR",
                "SystemModstamp": STAMP,
            },
        )
        talk.control.load(
            "Opportunity",
            {
                "Id": ids.full("006550000000001", "test"),
                "AccountId": ACCOUNT,
                "Name": "Renewal 2027",
                "Type": "Renewal",
                "StageName": "Negotiation",
                "IsClosed": False,
                "IsWon": False,
                "Amount": 14850.0,
                "CloseDate": "2026-12-31",
                "CurrencyIsoCode": "EUR",
                "SystemModstamp": STAMP,
            },
        )
        yield talk


def everything(talk: Talk) -> dict[tuple[str, str], Fact]:
    return {key: fact for stream in talk.connector.streams for key, fact in talk.facts(stream.name).items()}


def test_check_and_every_stream(talk: Talk) -> None:
    assert "67.0" in talk.connector.check(talk.client, talk.config)
    facts = {kind: fact for (kind, _), fact in everything(talk).items()}
    assert facts["customer"].fields["legal_entity"] == "DE"
    assert facts["customer"].refs == {}
    assert facts["contract"].fields["status"] == "activated"
    assert facts["contract"].refs == pointing("contract", {"customer": f"{talk.config.slug}:{ACCOUNT}"})
    assert facts["opportunity"].fields["kind"] == "renewal"
    assert facts["opportunity"].fields["amount"] == Money.parse("14850", "EUR")


def test_pages_of_the_vendor_are_followed_and_the_watermark_is_the_latest_stamp(talk: Talk) -> None:
    talk.control.load(
        "Account", *(account(n, SystemModstamp=f"2026-03-02T00:{n // 60 % 60:02d}:00.000+0000") for n in range(2, 4503))
    )
    pages = talk.pull("accounts")
    ids = [item.dedup_key.split(":")[1] for page in pages for item in page.items]
    assert len(pages) > 1
    assert len(ids) == len(set(ids)) == 4502
    assert pages[-1].watermark == max(page.watermark for page in pages) > "2026-03-02"
    assert [page.done for page in pages].count(True) == 1


def test_a_change_is_seen_again_within_the_overlap(talk: Talk) -> None:
    watermark = talk.pull("accounts")[-1].watermark
    known = {item.dedup_key for item in talk.items("accounts", watermark)}
    talk.control.change(collection="Account", id=ACCOUNT, set={"Name": "New name"}, event=None)
    fresh = [item for item in talk.items("accounts", watermark) if item.dedup_key not in known]
    assert [fact.fields["name"] for item in fresh for fact in talk.said(item)] == ["New name"]


def test_a_row_that_commits_late_is_still_found(talk: Talk) -> None:
    """Stamped before the watermark, visible after it."""
    watermark = talk.pull("accounts")[-1].watermark
    talk.control.load("Account", account(7, SystemModstamp="2026-02-28T23:55:00.000+0000"))
    assert ("customer", account(7)["Id"]) in talk.facts("accounts", watermark)


def test_a_deleted_account_is_a_tombstone(talk: Talk) -> None:
    talk.control.change(collection="Account", id=ACCOUNT, set={"IsDeleted": True}, event=None)
    assert talk.facts("accounts")[("customer", ACCOUNT)].deleted


def test_one_account_by_its_id_of_either_length(talk: Talk) -> None:
    for identity in (ACCOUNT, ACCOUNT[:15]):
        fact = talk.read("customer", identity)
        assert fact is not None
        assert fact.external_id == ACCOUNT
    assert talk.read("customer", account(99)["Id"]) is None
    with pytest.raises(Misunderstood):
        talk.read("customer", "x' OR Name != '")


def test_a_session_that_ended_is_renewed_once(talk: Talk) -> None:
    talk.client.remember("token", "gone", 600)
    assert talk.facts("accounts")
    assert talk.calls("POST", "/oauth2/token") == 1


def test_wrong_credentials_are_refused(talk: Talk) -> None:
    config = Config("wrong", talk.config.base_url, {**talk.config.settings, "client_secret": "wrong"})
    with HttpClient(config, allow_loopback=True, limits=FAST) as client, pytest.raises(Refused) as refused:
        talk.connector.check(client, config)
    assert refused.value.code == "credentials_refused"


def test_a_token_is_not_sent_to_another_host_that_the_vendor_names(talk: Talk) -> None:
    body = '{"access_token":"t","instance_url":"https://evil.example","token_type":"Bearer"}'
    talk.control.fault("POST", "/oauth2/token", times=1, status=200, body=body)
    with pytest.raises(Refused) as refused:
        talk.pull("accounts")
    assert refused.value.code == "address_refused"
    assert talk.client.remembered("token") is None


@pytest.mark.parametrize(
    ("status", "code", "seconds"), [(403, "REQUEST_LIMIT_EXCEEDED", 3600), (503, "SERVER_UNAVAILABLE", 30), (429, "X", 30)]
)
def test_limits_are_later(talk: Talk, status: int, code: str, seconds: int) -> None:
    talk.control.fault("GET", "/queryAll", times=9, status=status, body=f'[{{"message":"x","errorCode":"{code}"}}]')
    with pytest.raises(RetryLater) as later:
        talk.pull("accounts")
    assert later.value.after_seconds == seconds


def test_a_locator_that_expired_keeps_what_came_and_starts_again_later(talk: Talk) -> None:
    talk.control.load("Account", *(account(n) for n in range(2, 2503)))
    talk.control.fault("GET", "/query/", times=9, status=400, body='[{"message":"x","errorCode":"INVALID_QUERY_LOCATOR"}]')
    pages = talk.connector.reading().pull(talk.client, talk.config, "accounts", "", now())
    assert 0 < len(next(pages).items) < 2502
    with pytest.raises(RetryLater):
        next(pages)


def hidden(talk: Talk, *names: str) -> None:
    """The org does not have these objects and fields, or hides them from the integration user."""
    talk.control.load("Hidden", *({"Id": name} for name in names))


def probed(talk: Talk, **settings: str) -> dict[str, tuple[bool, str]]:
    config = Config("other", talk.config.base_url, {**talk.config.settings, **settings})
    assert talk.connector.probe is not None
    talk.connector.check(talk.client, config)
    return {each.name: (each.works, each.said) for each in talk.connector.probe(talk.client, config)}


OPTIONAL = ("Account.OwnerId", "Account.Type", "Account.MasterRecordId", "Contract.ActivatedDate", "Opportunity.ContractId")


def test_fields_that_the_org_hides_are_left_out_and_said(talk: Talk) -> None:
    hidden(talk, *OPTIONAL, "Account.Legal_Entity__c")
    facts = {kind: fact for (kind, _), fact in everything(talk).items()}
    assert facts["customer"].fields["name"] == "Customer 1"
    assert facts["customer"].fields["legal_entity"] is None
    assert facts["contract"].fields["activated_at"] is None
    assert facts["opportunity"].refs == pointing("opportunity", {"customer": f"{talk.config.slug}:{ACCOUNT}"})
    told = probed(talk)
    assert {name: works for name, (works, _) in told.items()} == dict.fromkeys(("accounts", "contracts", "opportunities"), True)
    assert told["accounts"][1].startswith("without Type, Owner.Name, MasterRecordId, Legal_Entity__c")
    assert told["contracts"][1].startswith("without ActivatedDate")
    assert told["opportunities"][1].startswith("without ContractId")


def test_an_org_that_shows_everything_lacks_nothing(talk: Talk) -> None:
    assert probed(talk) == dict.fromkeys(("accounts", "contracts", "opportunities"), (True, ""))


def test_a_field_that_is_hidden_later_costs_one_refused_query(talk: Talk) -> None:
    assert talk.facts("opportunities")
    hidden(talk, "Opportunity.ContractId")
    assert [fact.fields["name"] for fact in talk.facts("opportunities").values()] == ["Renewal 2027"]
    assert talk.calls("GET", "/queryAll") == 3
    assert talk.calls("GET", "/Opportunity/describe") == 2


@pytest.mark.parametrize(
    ("name", "stream", "says"),
    [
        ("Contract", "contracts", "NOT_FOUND: The requested resource does not exist"),
        ("Contract.ContractNumber", "contracts", "no field ContractNumber of Contract"),
        ("Opportunity.IsWon", "opportunities", "no field IsWon of Opportunity"),
    ],
)
def test_what_a_stream_cannot_be_without_is_named(talk: Talk, name: str, stream: str, says: str) -> None:
    hidden(talk, name)
    with pytest.raises(Refused, match=says):
        talk.pull(stream)
    told = probed(talk)
    assert [each for each, (works, _) in told.items() if not works] == [stream]
    assert says in told[stream][1]


def test_an_org_with_one_currency_needs_the_setting_that_names_it(talk: Talk) -> None:
    hidden(talk, *(f"{name}.CurrencyIsoCode" for name in ("Account", "Contract", "Opportunity")))
    told = probed(talk)
    assert not any(works for works, _ in told.values())
    assert "the setting Currency must name the org's one" in told["accounts"][1]
    talk.config.settings["currency"] = "JPY"  # type: ignore[index]
    assert talk.facts("opportunities")[("opportunity", ids.full("006550000000001", "t"))].fields["amount"] == Money.parse(
        "14850", "JPY"
    )


def test_a_record_that_names_its_currency_has_that_one_whatever_the_setting_says(talk: Talk) -> None:
    talk.config.settings["currency"] = "JPY"  # type: ignore[index]
    assert {fact.fields["currency"] for fact in talk.facts("accounts").values()} == {"EUR"}


def test_no_field_of_the_legal_entity_is_asked_for_unless_one_is_declared(talk: Talk) -> None:
    declared = {setting.name: setting for setting in talk.connector.settings}["legal_entity_field"]
    assert (declared.default, declared.required) == ("", False)
    del talk.config.settings["legal_entity_field"]  # type: ignore[attr-defined]
    assert [fact.fields["legal_entity"] for fact in talk.facts("accounts").values()] == [None]
    asked = [call for call in talk.control.get("requests") if "/queryAll" in call["path"]]
    assert asked
    assert not any("Legal_Entity__c" in str(call) for call in asked)


def test_a_declared_field_of_another_crms_id_is_needed_and_a_field_name_is_checked(talk: Talk) -> None:
    told = probed(talk, same_customer_connection="other", same_customer_field="Nothing__c")
    assert told["accounts"] == (False, "Salesforce shows no field Nothing__c of Account to the integration user.")
    told = probed(talk, legal_entity_field="Id FROM User--")
    assert told["accounts"] == (False, "A declared field of the account is no Salesforce field name.")


def test_a_query_that_is_refused_is_told_in_the_vendors_words(talk: Talk) -> None:
    body = '[{"message":"\\nSELECT Id\\n^\\nERROR at Row:1:Column:1\\nunexpected token: SELECT","errorCode":"MALFORMED_QUERY"}]'
    talk.control.fault("GET", "/queryAll", times=9, status=400, body=body)
    with pytest.raises(Refused) as refused:
        talk.pull("accounts")
    assert refused.value.reason.endswith("Account: MALFORMED_QUERY: unexpected token: SELECT")
