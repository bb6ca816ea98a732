"""Declared fields are asked for by the reads and by the check of a connection, and said where the vendor does not have them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from demo.simulators.netsuite.tokens import demo_private_key_pem
from revops.reference import Ref
from sync.connectors import ID_FORMS, ID_TYPES
from sync.connectors.netsuite import NETSUITE
from sync.connectors.salesforce import ids
from sync.vendor.contract import Config, Incoming, Refused
from sync.vendor.http import HttpClient
from tests.pointing import pointing
from tests.sync.connectors.talking import FAST, SETTINGS, Talk, now, talking
from tests.sync.connectors.test_netsuite_talks import company
from tests.sync.misbehaving import Server

pytestmark = pytest.mark.outside

ACCOUNT = ids.full("001550000000001", "test")
CONTRACT = ids.full("800550000000001", "test")
STAMP = "2026-03-01T00:00:00.000+0000"


def checked(talk: Talk) -> str:
    """What the check and the probes of a connection say."""
    probe = talk.connector.probe
    said = [talk.connector.check(talk.client, talk.config)]
    said += [f"{each.name}: {each.said}" for each in probe(talk.client, talk.config)] if probe else []
    return "\n".join(said)


# -- NetSuite -----------------------------------------------------------------------------------------------------


def test_netsuites_check_names_a_declared_field_that_the_account_does_not_have(tmp_path: Path) -> None:
    own = {"crm_id_field": "custentity_none", "end_customer_field": "custbody_none"}
    with talking("netsuite", tmp_path, **own) as talk:
        for collection, row in company():
            talk.control.load(collection, row)
        said = checked(talk)
    assert "customers (Unknown identifier 't.custentity_none'" in said
    assert "transactions (Unknown identifier 't.custbody_none'" in said
    assert "Reading works: entities, periods, rates, deletions." in said


def test_a_customer_that_is_read_alone_brings_its_custom_fields() -> None:
    row = {
        "id": "50", "entityid": "C50", "companyname": "Northwind", "isinactive": "F", "currency": "EUR",
        "modified": "2026-03-02 08:00:00", "custentity_sfdc": "SFDC:0015500000Xyy06", "custentity_pay": "cus_A", "links": [],
    }  # fmt: skip
    page = json.dumps({"items": [row], "hasMore": False, "count": 1})
    vendor = Server(*(
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()
        for body in ('{"access_token": "first", "expires_in": "3600"}', page)
    ))  # fmt: skip
    own = {
        "crm_id_field": "custentity_sfdc", "crm_id_pattern": "SFDC:{id}", "billing_customer_field": "custentity_pay",
        "one_world": "no", "private_key": demo_private_key_pem(), "billing_id_kinds": "stripe", "crm_id_form": "salesforce",
    }  # fmt: skip
    config = Config("erp", f"http://127.0.0.1:{vendor.port}", {**SETTINGS["netsuite"], **own}, ID_FORMS, id_types=ID_TYPES)
    with HttpClient(config, allow_loopback=True, limits=FAST) as client:
        item = NETSUITE.reading().read(client, config, "customer", "50")
    vendor.close()
    assert item is not None
    asked = vendor.requests[-1].decode()
    assert asked.count("t.custentity_sfdc") == asked.count("t.custentity_pay") == 1
    (fact,) = NETSUITE.translate(Incoming("read", item.body, received_at=now(), object_type="customer"), config)
    assert getattr(fact, "refs", {}) == {
        "same_as": (Ref("billing", "customer", "cus_A"), Ref("crm", "customer", "0015500000Xyy06AAB"))
    }


def test_a_netsuite_connection_that_declares_nothing_reads_every_stream(tmp_path: Path) -> None:
    declared = ("legal_entities", "credit_item_id", "crm_connection", "billing_connection", "contract_number_field")
    bare = dict.fromkeys((*declared, "order_annual_field"), "") | {"one_world": "no"}
    with talking("netsuite", tmp_path, **bare) as talk:
        for collection, row in company():
            talk.control.load(collection, row)
        hidden = ["subsidiary", "customersubsidiaryrelationship"]
        talk.control.change(collection="settings", object={"id": "settings", "hidden_tables": hidden})
        facts = {key: fact for stream in talk.connector.streams for key, fact in talk.facts(stream.name).items()}
        slug = talk.config.slug
    assert {("customer", "50"), ("invoice", "700"), ("accounting_period", "215")} <= facts.keys()
    assert facts[("customer", "50")].refs == {}
    assert facts[("invoice", "700")].refs == pointing("invoice", {"customer": f"{slug}:50"})
    assert not any(fact.unread for fact in facts.values())


# -- Stripe -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("wanted", "number"), [("yes", "ch_7"), ("no", None)])
def test_stripes_payments_bear_their_charge_where_the_connection_asks_for_it(
    tmp_path: Path, wanted: str, number: str | None
) -> None:
    with talking("stripe", tmp_path, payment_charges=wanted) as talk:
        talk.control.load("payment_intents", {
            "id": "pi_7", "object": "payment_intent", "created": 1772000000, "status": "succeeded", "latest_charge": "ch_7",
            "customer": None,
        })  # fmt: skip
        talk.control.load("invoice_payments", {
            "id": "inpay_7", "object": "invoice_payment", "created": 1772000000, "status": "paid", "currency": "eur",
            "amount_paid": 1000, "amount_requested": 1000, "invoice": "in_7", "is_default": True,
            "payment": {"type": "payment_intent", "payment_intent": "pi_7"},
            "status_transitions": {"paid_at": 1772000000, "canceled_at": None},
        })  # fmt: skip
        listed, alone = talk.facts("events")[("payment", "pi_7")], talk.read("payment", "pi_7")
    assert alone is not None
    assert (listed.fields.get("number"), alone.fields.get("number")) == (number, number)


# -- Salesforce ---------------------------------------------------------------------------------------------------

TIES = {
    "erp_connection": "erp", "erp_customer_field": "ERP_No__c", "erp_customer_form": "NS-{id}",
    "billing_connection": "billing", "billing_customer_field": "Pay_Id__c", "subscription_field": "Billing_Sub_Id__c",
    "contract_number_field": "Legacy__c, ContractNumber", "contract_status_words": "Live=activated", "arr_field": "ARR__c",
    "legal_entity_field": "",
}  # fmt: skip
OWN = ("Account.ERP_No__c", "Account.Pay_Id__c", "Contract.Billing_Sub_Id__c", "Contract.Legacy__c")


def test_salesforces_declared_fields_are_described_and_asked_for_once(tmp_path: Path) -> None:
    with talking("salesforce", tmp_path, **TIES) as talk:
        talk.control.load("CustomField", {"Id": "Account.ARR__c", "type": "double"}, *({"Id": name} for name in OWN))
        common = {"CurrencyIsoCode": "USD", "SystemModstamp": STAMP}
        talk.control.load("Account", {
            "Id": ACCOUNT, "Name": "Halden", "ERP_No__c": "NS-5512", "Pay_Id__c": "cus_A", "ARR__c": 30000.0, **common,
        })  # fmt: skip
        talk.control.load("Contract", {
            "Id": CONTRACT, "AccountId": ACCOUNT, "ContractNumber": "00002210", "Status": "Live", "StatusCode": "Activated",
            "Billing_Sub_Id__c": "sub_7", "Legacy__c": "FB/2019/0388", **common,
        })  # fmt: skip
        assert "without ERP_No__c" not in checked(talk)
        account, contract = talk.read("customer", ACCOUNT), talk.facts("contracts")[("contract", CONTRACT)]
        asked = [str(call) for call in talk.control.get("requests") if "/queryAll" in call["path"]]
    assert account is not None
    assert account.refs["known_as"] == (Ref("billing", "customer", "cus_A"), Ref("erp", "customer", "5512"))
    assert str(account.fields["arr"]) == "30000.00 USD"
    assert contract.refs["subscription"] == (Ref("billing", "subscription", "sub_7"),)
    assert (contract.fields["number"], contract.fields["status"]) == ("FB/2019/0388", "activated")
    assert asked
    assert all(call.count(name.partition(".")[2]) <= 1 for call in asked for name in (*OWN, "X.ContractNumber"))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"erp_customer_field": "Nothing__c"}, "accounts: Salesforce shows no field Nothing__c of Account"),
        ({"billing_customer_field": "Nothing__c"}, "accounts: Salesforce shows no field Nothing__c of Account"),
        ({"subscription_field": "Nothing__c"}, "contracts: Salesforce shows no field Nothing__c of Contract"),
        ({"contract_number_field": "Nothing__c"}, "contracts: Salesforce shows no field Nothing__c of Contract"),
        ({"arr_field": "Nothing__c"}, "accounts: without Nothing__c"),
    ],
)
def test_salesforces_check_says_which_declared_field_is_not_there(tmp_path: Path, settings: dict[str, str], said: str) -> None:
    with talking("salesforce", tmp_path, legal_entity_field="", **settings) as talk:
        assert said in checked(talk)


# -- Gainsight ----------------------------------------------------------------------------------------------------


def test_gainsights_declared_fields_replace_the_standard_ones_and_are_said_where_they_are_not_there(tmp_path: Path) -> None:
    own = {"arr_field": "Nothing__gc", "renewal_date_field": "CustomerLifetimeInMonths", "stage_words": "Closed Won=lost"}
    with talking("gainsight", tmp_path, **own) as talk:
        talk.control.load("company", {
            "Gsid": "1P02COMPANY00000000000000000000000001", "Name": "Northwind", "SfdcAccountId": "0015500000Xyy06",
            "Arr": "998765.00", "RenewalDate": "2026-12-31", "ModifiedDate": "2026-03-01T00:00:00Z",
        })  # fmt: skip
        assert "companies: without Nothing__gc" in checked(talk)
        (item,) = talk.items("companies")
    record = json.loads(item.body)["record"]
    assert record["SfdcAccountId"] == "0015500000Xyy06"
    assert {"Arr", "RenewalDate", "Nothing__gc"} & record.keys() == set()
    with talking("gainsight", tmp_path / "other", crm_id_field="Nothing__gc") as talk, pytest.raises(Refused) as refused:
        talk.pull("companies")
    assert (refused.value.code, "Nothing__gc" in refused.value.reason) == ("field_missing", True)
