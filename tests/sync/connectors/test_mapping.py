"""Where ids, numbers and words of other systems stand is declared per connection: each setting, told by recordings that are
changed in one place; and connections that declare nothing."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import pytest

from revops import strict_json
from revops.ledger.facts import Fact
from revops.money import Money
from revops.reference import Ref
from sync.connectors import CONNECTORS
from sync.connectors.netsuite import queries, read
from sync.connectors.netsuite.check import tried
from sync.connectors.stripe.ids import type_of_id
from sync.vendor.contract import Config, Identified, Misunderstood, Reread
from sync.vendor.references import forms, judge_forms
from tests.sync.connectors.test_recordings import HERE, RECORDINGS, load, name_of

LONG = "0015500000Xyy06AAB"
SHORT = LONG[:15]


def told(name: str, settings: dict[str, str] | None = None, **over: Any) -> Fact:
    """The fact of the recording `vendor/name` under these settings, its record with other fields than recorded; a Stripe object's
    `metadata` is replaced as a whole."""
    connector, config, incoming, recording = load(HERE / f"{name}.json")
    body = copy.deepcopy(recording["body"])
    part = next((part for part in ("record", "row", "transaction") if part in body), "")
    record = body["data"]["object"] if "data" in body else body[part] if part else body
    record.update(over)
    config = dataclasses.replace(config, settings={**config.settings, **(settings or {})})
    (fact,) = connector.translate(dataclasses.replace(incoming, body=strict_json.dump(body)), config)
    assert isinstance(fact, Fact)
    return fact


def marked(fact: Fact, name: str) -> tuple[str, str]:
    """Why a field was not read, and what stands there."""
    assert name not in fact.fields
    assert name not in fact.refs
    return fact.unread[name].code, fact.unread[name].raw


# -- forms --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "text", "found"),
    [
        ("", "in_1", "in_1"),
        ("{id}", "  in_1 ", "in_1"),
        ("ST|{id}", "ST|in_1", "in_1"),
        ("ST|{id}", " st| in_1 ", "in_1"),
        ("ST|{id}", "in_1", None),
        ("ST|{id}", "ST|", None),
        ("Stripe: {id}", "Stripe:  in_1", "in_1"),
        ("Stripe: {id}", "Stripe:in_1", None),
        ("{id} renewal", "FB-000731 renewal", "FB-000731"),
        ("<{id}>", "<Ab>", "Ab"),
        ("<{id}>", "<", None),
        ("ST|{id}, Stripe: {id}, C{id}", "Stripe: in_1", "in_1"),
        ("C{id},{id}", "C2210", "2210"),
        ("C{id},{id}", "2210", "2210"),
        ("{id},C{id}", "C2210", "C2210"),
        ("SFDC:{id}", f"sfdc:{SHORT}", SHORT),
    ],
)
def test_the_first_form_that_fits_tells_the_id(declared: str, text: str, found: str | None) -> None:
    assert forms(declared).id_in(text) == found


@pytest.mark.parametrize("wrong", ["ST|", "{id}{id}", "{ID}", "ST|{id},", "{id}, id"])
def test_a_form_holds_the_id_once(wrong: str) -> None:
    assert judge_forms(wrong)
    with pytest.raises(Misunderstood) as refused:
        forms(wrong)
    assert refused.value.code == "setting_invalid"


# -- NetSuite: customers ------------------------------------------------------------------------------------------


def test_netsuite_keeps_the_crms_id_in_the_field_and_the_form_that_are_declared() -> None:
    declared = {"crm_id_field": "custentity_sfdc", "crm_id_pattern": "SFDC:{id}"}
    fact = told("netsuite/customer", declared, externalid="4711", custentity_sfdc=f"sfdc:{SHORT} ")
    assert fact.refs["same_as"] == (Ref("crm", "customer", LONG),)
    assert "same_as" not in told("netsuite/customer", {"crm_id_field": "none"}).refs
    other = told("netsuite/customer", declared, custentity_sfdc=SHORT)
    assert marked(other, "same_as") == ("form_unfit", SHORT)
    assert other.fields["name"] == "Northwind Traders GmbH", "the record is kept"
    assert marked(told("netsuite/customer", declared, custentity_sfdc="SFDC:12"), "same_as") == ("form_unfit", "SFDC:12")
    assert "same_as" not in told("netsuite/customer", declared).refs, "an empty field is no reference and no mark"


def test_netsuite_names_billings_customer_where_a_field_is_declared() -> None:
    declared = {"billing_customer_field": "custentity_pay", "billing_customer_form": "ST|{id}"}
    fact = told("netsuite/customer", declared, custentity_pay="ST|cus_A")
    assert fact.refs["same_as"] == (Ref("billing", "customer", "cus_A"), Ref("crm", "customer", LONG))
    assert told("netsuite/customer", declared, externalid=None, custentity_pay="ST|cus_A").refs["same_as"] == (
        Ref("billing", "customer", "cus_A"),
    )
    assert marked(told("netsuite/customer", declared, externalid=None, custentity_pay="ST|sub_A"), "same_as")[0] == "form_unfit"
    assert "same_as" not in told("netsuite/customer", {"crm_id_field": "none"}, custentity_pay="cus_A").refs


# -- NetSuite: transactions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "over", "found"),
    [
        ({"billing_id_field": "memo", "billing_id_form": "Stripe: {id}"}, {"memo": "stripe: in_7"}, "in_7"),
        ({"billing_id_field": "tranid"}, {"tranid": "in_7"}, "in_7"),
        ({"billing_id_field": "otherrefnum"}, {"otherrefnum": "in_7"}, "in_7"),
        ({"billing_id_field": "custbody_bill_key", "billing_id_form": "ST|{id}"}, {"custbody_bill_key": "ST|in_7"}, "in_7"),
        ({"billing_id_field": "custbody_a, custbody_b"}, {"custbody_b": "in_7"}, "in_7"),
        ({"billing_id_field": "externalid, memo", "billing_id_form": "Stripe: {id}, {id}"}, {"memo": "Stripe: in_7"}, "in_Nov"),
        ({"billing_id_field": "externalid,memo", "billing_id_form": "Stripe: {id}"}, {"memo": "Stripe: in_7"}, "in_7"),
        ({"billing_id_field": "none"}, {}, None),
        ({"billing_connection": ""}, {}, None),
        ({}, {"externalid": "B20261104-0017"}, None),
        ({}, {"externalid": "re_7"}, None),
        ({"billing_id_kinds": "plain"}, {"externalid": "B20261104-0017"}, "B20261104-0017"),
    ],
)
def test_netsuite_keeps_billings_id_where_it_is_declared(
    settings: dict[str, str], over: dict[str, str], found: str | None
) -> None:
    fact = told("netsuite/invoice_open", settings, **over)
    assert fact.refs.get("copy_of", ()) == ((Ref("billing", "invoice", found),) if found else ())
    assert fact.unread == {}


@pytest.mark.parametrize(
    ("settings", "over", "code"),
    [
        ({"billing_id_field": "custbody_bill_key", "billing_id_form": "ST|{id}"}, {"custbody_bill_key": "in_7"}, "form_unfit"),
        ({"billing_id_form": "ST|{id}"}, {}, "form_unfit"),
        ({"billing_id_field": "custbody_bill_key"}, {"custbody_bill_key": "B-17"}, "reference_invalid"),
        ({}, {"externalid": "sub_7"}, "reference_invalid"),
    ],
)
def test_what_is_no_id_where_one_is_declared_is_marked(settings: dict[str, str], over: dict[str, str], code: str) -> None:
    fact = told("netsuite/invoice_open", settings, **over)
    if settings or code == "form_unfit":
        assert marked(fact, "copy_of")[0] == code
    assert "copy_of" not in fact.refs
    assert fact.refs["customer"]


@pytest.mark.parametrize(
    ("document", "identity", "target"),
    [
        ("invoice_open", "in_7", Ref("billing", "invoice", "in_7")),
        ("credit_memo_mirrored", "cn_7", Ref("billing", "credit_memo", "cn_7")),
        ("credit_memo_mirrored", "in_7", Ref("billing", "invoice", "in_7")),
        ("payment_deposited", "pi_7", Ref("billing", "payment", "pi_7")),
        ("payment_deposited", "ch_7", Ref.numbered("billing", "payment", "ch_7")),
        ("payment_deposited", "py_7", Ref.numbered("billing", "payment", "py_7")),
    ],
)
def test_the_form_of_billings_id_tells_what_a_document_copies(document: str, identity: str, target: Ref) -> None:
    assert told(f"netsuite/{document}", externalid=identity).refs["copy_of"] == (target,)


def test_a_sales_order_names_its_subscription_where_the_id_is_declared() -> None:
    declared = {"billing_id_field": "custbody_sub", "billing_id_form": "ST|{id}"}
    fact = told("netsuite/sales_order", declared, externalid="4711", custbody_sub="ST|sub_7")
    assert fact.refs["subscription"] == (Ref("billing", "subscription", "sub_7"),)


def test_a_key_of_ours_is_never_billings_id() -> None:
    fact = told("netsuite/credit_memo_ours", {"billing_id_kinds": "plain"})
    assert "change" in fact.refs
    assert "copy_of" not in fact.refs


def test_the_contract_number_is_read_in_its_declared_form() -> None:
    declared = {"contract_number_field": "custbody_ctr_no", "contract_number_form": "C{id}, {id}"}
    for text in ("C2210", "2210", " c2210 "):
        fact = told("netsuite/invoice_open", declared, custbody_ctr_no=text)
        assert fact.refs["contract"] == (Ref.numbered("crm", "contract", "2210"),)
    unfit = told("netsuite/invoice_open", {"contract_number_form": "X-{id}"})
    assert marked(unfit, "contract") == ("form_unfit", "C-00001234")


def test_a_transaction_belongs_to_the_customer_who_uses_it_where_the_field_is_declared() -> None:
    declared = {"end_customer_field": "custbody_end_customer"}
    for document in ("invoice_open", "credit_memo_mirrored", "payment_deposited", "sales_order"):
        used = told(f"netsuite/{document}", declared, custbody_end_customer="6102")
        assert used.refs["customer"] == (Ref("recorded", "customer", "6102"),)
        payer = told(f"netsuite/{document}").refs["customer"]
        assert told(f"netsuite/{document}", declared).refs["customer"] == payer
        assert told(f"netsuite/{document}", custbody_end_customer="6102").refs["customer"] == payer


OWN_FIELDS = {
    "crm_id_field": "custentity_sfdc",
    "billing_customer_field": "custentity_pay",
    "billing_id_field": "custbody_key, custbody_ctr_no, memo",
    "contract_number_field": "custbody_ctr_no",
    "end_customer_field": "custbody_user",
    "order_annual_field": "custbody_arr",
    "order_term_field": "custbody_term",
}


@pytest.mark.parametrize("one_world", ["yes", "no"])
def test_each_declared_field_is_in_every_query_once(one_world: str) -> None:
    config = Config("erp", "https://erp.example", {**OWN_FIELDS, "one_world": one_world})
    wanted = {
        "transactions": ["custbody_arr", "custbody_ctr_no", "custbody_key", "custbody_term", "custbody_user", "memo"],
        "customers": ["custentity_pay", "custentity_sfdc", "externalid"],
    }
    for stream, names in wanted.items():
        texts = [read.windows(config)[stream][0], *(text for text, _ in tried(config)[stream] if "nexttransaction" not in text)]
        assert len(texts) == 3
        for text in texts:
            assert [text.split(" FROM ")[0].count(f"t.{name},") for name in names] == [1] * len(names)
    for custom in ([], ["custentity_a"]):
        assert queries.customers(custom, subsidiaries=False).count("custentity") == len(custom)


@pytest.mark.parametrize("setting", ["billing_id_field", "end_customer_field", "crm_id_field", "billing_customer_field"])
def test_a_name_that_is_no_field_reaches_no_query(setting: str) -> None:
    config = Config("erp", "https://erp.example", {setting: "id FROM transaction--"})
    with pytest.raises(Misunderstood) as refused:
        read.windows(config)
    assert refused.value.code == "setting_invalid"


# -- Stripe -------------------------------------------------------------------------------------------------------


def test_stripes_ids_tell_their_kind() -> None:
    kinds = {each: type_of_id(f"{each}_1Ab") for each in ("cus", "sub", "in", "ii", "cn", "pi", "inpay", "ch", "py", "re", "zz")}
    assert {each: found.object_type for each, found in kinds.items() if found} == {
        "cus": "customer", "sub": "subscription", "in": "invoice", "ii": "proration", "cn": "credit_memo", "pi": "payment",
        "inpay": "payment", "ch": "payment", "py": "payment", "re": "",
    }  # fmt: skip
    assert kinds["ch"] == Identified("payment", by="number")
    assert type_of_id("B20261104-0017") is type_of_id("in") is type_of_id(" in_1") is None


def test_stripes_metadata_is_read_under_the_declared_keys_and_forms() -> None:
    metadata = {"fx_crm": f"SFDC:{SHORT}", "fx_erp": "NS-5512", "entity": "US", "legal_entity": "DE"}
    declared = {
        "crm_id_key": "fx_crm", "crm_id_pattern": "SFDC:{id}", "legal_entity_key": "entity",
        "erp_connection": "erp", "erp_customer_key": "fx_erp", "erp_customer_form": "NS-{id}",
    }  # fmt: skip
    fact = told("stripe/customer_updated", declared, metadata=metadata)
    assert fact.refs == {"same_as": (Ref("crm", "customer", LONG),), "known_as": (Ref("erp", "customer", "5512"),)}
    assert fact.fields["legal_entity"] == "US"
    plain = told("stripe/customer_updated", metadata=metadata)
    assert (plain.refs, plain.fields["legal_entity"]) == ({}, "DE")
    unfit = told("stripe/customer_updated", declared, metadata={"fx_crm": SHORT, "fx_erp": "5512"})
    assert (marked(unfit, "same_as"), marked(unfit, "known_as")) == (("form_unfit", SHORT), ("form_unfit", "5512"))


def test_a_payment_bears_the_charge_that_its_own_object_or_its_read_payment_intent_names() -> None:
    assert "number" not in told("stripe/invoice_payment_paid").fields
    paid = told("stripe/invoice_payment_paid", payment={"type": "charge", "charge": "ch_7"})
    assert (paid.external_id, paid.fields["number"]) == ("inpay_1", "ch_7")
    intent = {"id": "pi_Nov", "object": "payment_intent", "latest_charge": "py_7"}
    expanded = told("stripe/invoice_payment_paid", payment={"type": "payment_intent", "payment_intent": intent})
    assert (expanded.external_id, expanded.fields["number"]) == ("pi_Nov", "py_7")
    unpaid = {"type": "payment_intent", "payment_intent": intent | {"latest_charge": None}}
    assert "number" not in told("stripe/invoice_payment_paid", payment=unpaid).fields
    connector, config, incoming, _ = load(HERE / "stripe" / "invoice_payment_paid.json")
    wanted = dataclasses.replace(config, settings={**config.settings, "payment_charges": "yes"})
    assert connector.translate(incoming, wanted) == [Reread("payment", "pi_Nov")], "an event does not name the charge"


@pytest.mark.parametrize("name", ["subscription_upgraded", "invoice_finalized"])
def test_stripes_contract_number_is_read_in_its_declared_form(name: str) -> None:
    declared = {"contract_number_key": "fx_ctr", "contract_number_form": "C{id}"}
    over: dict[str, Any] = {"metadata": {"fx_ctr": "C2210"}}
    if name == "invoice_finalized":
        over["parent"] = None
    assert told(f"stripe/{name}", declared, **over).refs["contract"] == (Ref.numbered("crm", "contract", "2210"),)
    over["metadata"] = {"fx_ctr": "2210"}
    assert marked(told(f"stripe/{name}", declared, **over), "contract") == ("form_unfit", "2210")


# -- Salesforce ---------------------------------------------------------------------------------------------------

TIES = {
    "erp_connection": "erp", "erp_customer_field": "ERP_No__c", "erp_customer_form": "NS-{id}",
    "billing_connection": "billing", "billing_customer_field": "Pay_Id__c", "subscription_field": "Billing_Sub_Id__c",
}  # fmt: skip


def test_an_account_names_the_customers_of_other_systems() -> None:
    fact = told("salesforce/account", TIES, ERP_No__c="NS-5512", Pay_Id__c=" cus_A")
    assert fact.refs["known_as"] == (Ref("billing", "customer", "cus_A"), Ref("erp", "customer", "5512"))
    assert told("salesforce/account", TIES, ERP_No__c="NS-5512").refs["known_as"] == (Ref("erp", "customer", "5512"),)
    assert told("salesforce/account", ERP_No__c="NS-5512", Pay_Id__c="cus_A").refs == {}
    assert marked(told("salesforce/account", TIES, ERP_No__c="5512"), "known_as") == ("form_unfit", "5512")


def test_a_deleted_account_still_names_them() -> None:
    gone = told("salesforce/account", TIES, IsDeleted=True, ERP_No__c="NS-5512")
    assert (gone.deleted, gone.refs["known_as"]) == (True, (Ref("erp", "customer", "5512"),))


def test_a_contract_names_billings_subscription_and_its_number_where_they_are_declared() -> None:
    assert told("salesforce/contract_activated", TIES, Billing_Sub_Id__c="sub_7").refs["subscription"] == (
        Ref("billing", "subscription", "sub_7"),
    )
    assert "subscription" not in told("salesforce/contract_activated", Billing_Sub_Id__c="sub_7").refs
    legacy = {"contract_number_field": "Legacy__c, ContractNumber", "contract_number_form": "C-0000{id}, {id}"}
    assert told("salesforce/contract_activated", legacy).fields["number"] == "1234"
    assert told("salesforce/contract_activated", legacy, Legacy__c="FB/2019/0388").fields["number"] == "FB/2019/0388"
    assert told("salesforce/contract_activated").fields["number"] == "C-00001234"


@pytest.mark.parametrize(
    ("label", "code", "found"),
    [
        ("Live", "Activated", "activated"),
        ("live ", "Whatever", "activated"),
        ("Ended", "Activated", "activated"),
        ("At legal", "Draft", "in_approval"),
        ("Draft", "Draft", "draft"),
        (None, "Terminated", "activated"),
    ],
)
def test_a_contracts_status_is_told_by_the_orgs_own_words_first(label: str | None, code: str, found: str) -> None:
    declared = {"contract_status_words": "Live=activated, Ended=activated, At legal=in_approval, Terminated=activated"}
    fact = told("salesforce/contract_activated", declared, Status=label, StatusCode=code)
    assert fact.fields["status"] == found


def test_a_status_that_nobody_declared_is_marked() -> None:
    unknown = told("salesforce/contract_activated", {"contract_status_words": "Live=activated"}, Status="Odd", StatusCode="Odd")
    assert marked(unknown, "status") == ("value_unknown", "Odd")
    assert told("salesforce/contract_activated", Status="Live", StatusCode="Activated").fields["status"] == "activated"


def test_an_accounts_recurring_amount_is_read_where_a_field_is_declared() -> None:
    fact = told("salesforce/account", {"arr_field": "ARR__c"}, ARR__c=30000)
    assert fact.fields["arr"] == Money.parse("30000.00", "EUR")
    assert "arr" not in told("salesforce/account", ARR__c=30000).fields
    assert marked(told("salesforce/account", {"arr_field": "ARR__c"}, ARR__c="much"), "arr") == ("field_changed", "much")


# -- Gainsight ----------------------------------------------------------------------------------------------------


def test_gainsights_company_is_read_by_the_declared_fields() -> None:
    declared = {
        "crm_id_field": "Crm__gc", "crm_id_pattern": "SFDC:{id}", "arr_field": "ARR_USD__gc",
        "renewal_date_field": "Renewal_On__gc",
    }  # fmt: skip
    over = {"Crm__gc": f"SFDC:{SHORT}", "ARR_USD__gc": 42000, "Renewal_On__gc": "2026-09-30", "SfdcAccountId": "001"}
    fact = told("gainsight/company", declared, **over)
    assert fact.refs["same_as"] == (Ref("crm", "customer", LONG),)
    assert fact.fields["arr"] == Money.parse("42000.00", "EUR")
    assert str(fact.fields["renewal_on"]) == "2026-09-30"
    nothing = told("gainsight/company", dict.fromkeys(("crm_id_field", "arr_field", "renewal_date_field"), "none"))
    assert (nothing.refs, nothing.fields["arr"], nothing.fields["renewal_on"]) == ({}, None, None)
    assert marked(told("gainsight/company", declared, **over | {"ARR_USD__gc": "much"}), "arr")[0] == "field_changed"


def test_gainsights_stages_are_told_by_the_tenants_own_words_first() -> None:
    name = "gainsight/renewal_at_a_stage_of_its_own"
    label = told(name).unread["stage"].raw
    fact = told(name, {"stage_words": f"{label.upper()} = in_progress, Dead=lost"})
    assert (fact.fields["stage"], fact.fields["is_closed"], fact.unread) == ("in_progress", False, {})
    assert told("gainsight/renewal_in_progress", {"stage_words": "In Progress=on_hold"}).fields["held"] is True


# -- without any declaration --------------------------------------------------------------------------------------

OF_OTHERS = ("same_as", "known_as", "contract", "copy_of", "opportunity")
"""Roles in which a record points to another system."""


@pytest.mark.parametrize("path", [path for path in RECORDINGS if path.parent.name != "tallybook"], ids=name_of)
def test_a_connection_that_declares_nothing_reads_everything_and_refers_to_nobody_elsewhere(path: Any) -> None:
    connector, config, incoming, _ = load(path)
    defaults = {setting.name: setting.default for setting in connector.settings if setting.default}
    secrets = {setting.name: config.get(setting.name) for setting in connector.settings if setting.sensitive}
    currency = {"currency": "EUR"} if connector.slug in ("salesforce", "gainsight") else {}
    for one_world in ("yes", "no"):
        bare = dataclasses.replace(config, settings={**defaults, **secrets, **currency, "one_world": one_world})
        for fact in connector.translate(incoming, bare):
            if isinstance(fact, Reread):
                continue
            systems = {target.system for targets in fact.refs.values() for target in targets}
            assert systems <= {config.slug, "revops"}
            mine = [role for role in OF_OTHERS if role in fact.refs and connector.slug != "salesforce"]
            assert mine == []


@pytest.mark.parametrize("slug", sorted(CONNECTORS))
def test_what_only_reads_by_a_mapping_is_optional_and_its_default_will_do(slug: str) -> None:
    for setting in CONNECTORS[slug].settings:
        if setting.judge is not None:
            assert not setting.required
            assert not (setting.default and setting.judge(setting.default))
