"""From what came in to settings in force: by the command and on the page, by a person who may; and how much is tied is told."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.test.utils import CaptureQueriesContext

from revops.accounts.models import AccountLink
from revops.audit.models import ActionRecord
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.people.actors import System
from sync import connections
from sync.applying.drain import process_all
from sync.connectors.salesforce import ids
from sync.intake import inbox
from sync.mapping.coverage import Covered, Tie, coverage
from sync.models import Connection, Delivery, DeliveryState, Replay
from sync.vendor.fields import item_of
from tests.factories import PASSWORD, person
from tests.revops.world import ERP_GIVEN

pytestmark = pytest.mark.django_db(transaction=True)
CRM = [ids.full(f"0015f00002k{number:04d}", "id") for number in range(25)]
GIVEN: Mapping[str, Mapping[str, str]] = {
    "salesforce": {"client_id": "c", "client_secret": "s"},
    "stripe": {"api_key": "rk_test_very_secret", "webhook_secret": "whsec_very_secret"},
    "netsuite": ERP_GIVEN | {"private_key": "none"},
}
WHY = "as our administrator told us"
COMMAND = ["--as", "ada@example.com", "--reason", WHY]


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def sign_in() -> Callable[..., Client]:
    def make(name: str, *roles: str) -> Client:
        client = Client()
        client.force_login(person(name, *roles))
        return client

    return make


def arrives(slug: str, object_type: str, *bodies: Mapping[str, object]) -> None:
    """What was read, stored and applied as the workers do it."""
    handle = connections.handle_of(Connection.objects.get(pk=slug))
    items = [item_of(object_type, f"{object_type}-{number}", body) for number, body in enumerate(bodies)]
    inbox.store_page(handle, inbox.arrived(items))
    process_all(dt.datetime.now(dt.UTC))


def crm_account(identity: str) -> dict[str, object]:
    return {
        "Id": identity, "IsDeleted": False, "SystemModstamp": "2026-11-01T08:00:00.000+0000", "Name": f"Customer {identity}",
        "Type": "Customer", "CurrencyIsoCode": "USD", "MasterRecordId": None,
    }  # fmt: skip


def billing_customer(number: int, **metadata: str) -> dict[str, object]:
    customer = {
        "id": f"cus_{number}A", "object": "customer", "balance": 0, "created": 1736499600, "currency": "usd", "livemode": False,
        "delinquent": False, "email": None, "name": f"Customer {number}", "metadata": metadata,
    }  # fmt: skip
    return {"read_at": 1793521800, "object": customer}


def erp_invoice(number: int, **own: str) -> dict[str, object]:
    row = {
        "id": str(9000 + number), "tranid": f"INV{number}", "type": "CustInvc", "status": "A", "entity": "50", "currency": "USD",
        "trandate": "2026-11-10", "duedate": "2026-12-10", "modified": "2026-11-11 06:00:00", "postingperiod": "225",
        "foreignamount": "10.00", "foreignamountpaid": "0", "foreignamountunpaid": "10.00", **own,
    }  # fmt: skip
    return {"transaction": row, "applications": []}


@pytest.fixture
def company() -> None:
    """A CRM with 25 customers, and billing whose customers carry the CRM's id under a key that nobody has told us."""
    for slug, values in GIVEN.items():
        connections.connect(
            slug=slug, vendor=slug, base_url="http://127.0.0.1:1099", values=values, acting_user=System("tests"), started=True
        )
    connections.change_connection("stripe", values={"crm_connection": ""}, acting_user=System("tests"))
    arrives("salesforce", "customer", *(crm_account(identity) for identity in CRM))
    arrives("stripe", "customer", *(billing_customer(n, sfid=CRM[n], plan="gold") for n in range(22)), billing_customer(23))


def mapping(monkeypatch: pytest.MonkeyPatch, *words: str, typed: str = PASSWORD) -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    call_command("mapping", *words, stdout=out)
    return out.getvalue()


def linked(slug: str = "stripe") -> int:
    return AccountLink.objects.filter(system=slug).count()


# --- the command ------------------------------------------------------------------------------------------------------


def test_the_command_shows_settings_proposals_and_what_is_tied(company: None, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = mapping(monkeypatch, "stripe").splitlines()
    assert "    crm_id_key               salesforce_account_id (by default)" in lines
    assert "    crm_id_key = sfid: 22 of 22 values name something in salesforce (23 objects)" in lines
    assert f"        {CRM[0]} is the customer {CRM[0]}" in lines
    assert "    0.0 % of customers tied to an account (0 of 23); 23 not: 23 belong to none" in lines
    assert "secret" not in "".join(lines)


def test_what_is_accepted_is_written_by_the_person_and_what_came_in_is_translated_anew(
    company: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    person("ada", "admin")
    assert linked() == 0
    before = LedgerEntry.objects.filter(record__system="stripe").count()
    told = mapping(monkeypatch, "stripe", "--accept", "crm_id_key", *COMMAND)
    assert "crm_id_key = sfid" in told
    assert "crm_connection = salesforce" in told
    assert "23 deliveries are translated anew" in told
    action = ActionRecord.objects.filter(verb="connection.change").latest("id")
    assert (str(action.actor), action.reason) == ("ada@example.com", WHY)
    process_all(dt.datetime.now(dt.UTC))
    assert linked() == 22
    assert not Delivery.objects.filter(state=DeliveryState.PENDING).exists(), "nothing is asked of the vendor again"
    assert LedgerEntry.objects.filter(record__system="stripe").count() == before + 22
    assert "22 of 23" in mapping(monkeypatch, "stripe")
    assert ", in force" in mapping(monkeypatch, "stripe")


def test_another_setting_later_translates_it_anew_again(company: None, monkeypatch: pytest.MonkeyPatch) -> None:
    person("ada", "admin")
    mapping(monkeypatch, "stripe", "--accept-all", *COMMAND)
    process_all(dt.datetime.now(dt.UTC))
    again = ["crm_id_key", "sfid"]
    for value in ("plan", "sfid"):
        connections.change_connection("stripe", values={again[0]: value, "crm_id_form": "plain"}, acting_user=System("tests"))
        call_command("replay", "--connection", "stripe", "--everything", stdout=io.StringIO())
        process_all(dt.datetime.now(dt.UTC))
        refs = SourceRecord.objects.get(system="stripe", external_id="cus_3A").refs
        assert refs["same_as"][0]["id"] == {"plan": "gold", "sfid": CRM[3]}[value]


def test_a_replay_of_what_says_the_same_writes_nothing(company: None) -> None:
    before = LedgerEntry.objects.count()
    call_command("replay", "--connection", "stripe", "--everything", stdout=io.StringIO())
    process_all(dt.datetime.now(dt.UTC))
    assert LedgerEntry.objects.count() == before


@pytest.mark.parametrize(
    ("words", "typed", "sentence"),
    [
        (["stripe", "--accept", "crm_id_key"], PASSWORD, "Say as whom"),
        (["stripe", "--accept", "crm_id_key", *COMMAND], "wrong", "not your password"),
        (["stripe", "--accept", "contract_number_key", *COMMAND], PASSWORD, "Nothing is proposed for contract_number_key"),
        (["stripe", "--accept", "crm_id_key=plan", *COMMAND], PASSWORD, "Nothing is proposed for crm_id_key=plan"),
        (["salesforce", "--accept-all", *COMMAND], PASSWORD, "Nothing is proposed by 95 %"),
        (["nowhere"], PASSWORD, "no connection named nowhere"),
        (["stripe", "--accept-all", "--as", "cora@example.com"], PASSWORD, "not found"),
    ],
)
def test_what_the_command_refuses(
    company: None, monkeypatch: pytest.MonkeyPatch, words: list[str], typed: str, sentence: str
) -> None:
    person("ada", "admin"), person("cora", "controller")
    with pytest.raises(CommandError, match=sentence):
        mapping(monkeypatch, *words, typed=typed)
    assert "crm_id_key" not in Connection.objects.get(pk="stripe").settings
    assert not Replay.objects.exists()


def test_all_are_accepted_but_the_ambiguous_ones(company: None, monkeypatch: pytest.MonkeyPatch) -> None:
    person("ada", "admin")
    arrives("stripe", "customer", *(billing_customer(30 + n, sfid=CRM[n], parent=CRM[0]) for n in range(24)))
    assert "crm_id_key = sfid: 46 of 46 values name something in salesforce; 23 ambiguous" in mapping(monkeypatch, "stripe")
    with pytest.raises(CommandError, match="without ambiguity"):
        mapping(monkeypatch, "stripe", "--accept-all", *COMMAND)
    assert "crm_id_key = sfid" in mapping(monkeypatch, "stripe", "--accept", "crm_id_key=sfid", *COMMAND)


def test_what_could_not_be_read_counts_as_what_came_in(company: None, monkeypatch: pytest.MonkeyPatch) -> None:
    person("ada", "admin")
    connections.change_connection(
        "stripe", values={"crm_connection": "salesforce", "crm_id_key": "plan"}, acting_user=System("tests")
    )
    arrives("stripe", "customer", billing_customer(24, sfid=CRM[24], plan="silver"))
    assert SourceRecord.objects.filter(system="stripe", unread__has_key="same_as").count() == 1
    assert "crm_id_key = sfid: 23 of 23 values" in mapping(monkeypatch, "stripe")
    mapping(monkeypatch, "stripe", "--accept-all", *COMMAND)
    process_all(dt.datetime.now(dt.UTC))
    assert linked() == 23
    assert not SourceRecord.objects.filter(unread__has_key="same_as").exists()


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_shows_it_and_uses_it_for_who_may(company: None, sign_in: Callable[..., Client]) -> None:
    ada, aurelio = sign_in("ada", "admin"), sign_in("aurelio", "auditor")
    assert 'hx-get="/connections/stripe/ties/"' in ada.get("/connections/stripe/").content.decode()
    part = ada.get("/connections/stripe/ties/", headers={"HX-Request": "true"}).content.decode()
    assert "22 of 22 values name something" in part
    assert "Use this: sfid" in part
    assert "23 not: 23 belong to none" in part
    assert "Use this" not in aurelio.get("/connections/stripe/ties/").content.decode()
    form = {"setting": "crm_id_key", "value": "sfid", "version": Connection.objects.get(pk="stripe").row_version, "reason": WHY}
    where = "/connections/stripe/ties/accept/"
    assert aurelio.post(where, form | {"proof": PASSWORD}).status_code == 404
    refused = ada.post(where, form)
    assert refused.status_code in (400, 403, 422)
    assert ada.post(where, form | {"proof": PASSWORD, "reason": ""}).status_code == 422
    assert ada.post(where, form | {"proof": PASSWORD, "version": "999"}).status_code == 409
    assert ada.post(where, form | {"proof": PASSWORD, "value": "plan"}).status_code == 409
    assert "crm_id_key" not in Connection.objects.get(pk="stripe").settings
    done = ada.post(where, form | {"proof": PASSWORD}, follow=True).content.decode()
    assert "23 deliveries are translated anew" in done
    process_all(dt.datetime.now(dt.UTC))
    assert linked() == 22
    after = ada.get("/connections/stripe/ties/").content.decode()
    assert "in force" in after
    assert "Use this: sfid" not in after
    action = ActionRecord.objects.filter(verb="connection.change").latest("id")
    assert (str(action.actor), action.reason) == ("ada@example.com", WHY)


def test_a_page_without_script_shows_all_of_it(company: None, sign_in: Callable[..., Client]) -> None:
    page = sign_in("ada", "admin").get("/connections/stripe/ties/").content.decode()
    assert "How it is tied to the others" in page
    assert "Use this: sfid" in page
    assert page.count("cus_") > 19, "the first twenty that are not tied"
    assert "very_secret" not in page


# --- coverage ---------------------------------------------------------------------------------------------------------


def bill(number: int, status: str = "open") -> dict[str, object]:
    invoice = {
        "id": f"in_{number}A", "object": "invoice", "status": status, "number": f"FB-{number}", "currency": "usd",
        "customer": "cus_1A", "total": 1000, "amount_due": 1000, "amount_paid": 0, "amount_remaining": 1000,
        "subtotal": 1000, "created": 1793521800,
        "pre_payment_credit_notes_amount": 0, "post_payment_credit_notes_amount": 0, "due_date": None, "effective_at": 1793521800,
        "billing_reason": "manual", "description": None, "parent": None, "metadata": {}, "total_excluding_tax": 1000,
        "status_transitions": {"finalized_at": 1793521800}, "lines": {"object": "list", "data": [], "has_more": False},
    }  # fmt: skip
    return {"read_at": 1793521800, "object": invoice}


def told(slug: str) -> dict[str, str]:
    return {str(each.tie.label): str(each) for each in coverage(Connection.objects.select_related("system").get(pk=slug))}


def test_coverage_counts_what_is_tied_and_says_what_is_not(company: None) -> None:
    arrives("stripe", "invoice", *(bill(n) for n in range(30)), bill(98, "draft"))
    arrives(
        "netsuite", "invoice",
        *(erp_invoice(n, externalid=f"in_{n}A") for n in range(27)), erp_invoice(50, externalid="in_none"), erp_invoice(51),
    )  # fmt: skip
    assert told("netsuite")["invoices tied to billing"] == (
        "93.1 % of invoices tied to billing (27 of 29); 2 not: 1 name nothing, 1 name what is not known"
    )
    assert told("stripe")["invoices tied to the ERP"] == (
        "90.0 % of invoices tied to the ERP (27 of 30); 3 not: 3 are named by nothing"
    )
    assert told("netsuite")["payments tied to billing"] == "no payments tied to billing: there are none"
    erp = next(each for each in coverage(Connection.objects.get(pk="netsuite")) if each.tie.label == "invoices tied to billing")
    assert [(each.label, each.astray) for each in erp.untied] == [("INV51", False), ("INV50", True)]


def test_contracts_are_named_by_their_number(company: None) -> None:
    contract = {
        "Id": "8005f000000AbCd", "IsDeleted": False, "SystemModstamp": "2026-11-01T08:00:00.000+0000", "AccountId": CRM[0],
        "ContractNumber": "00001873", "StatusCode": "Activated", "CurrencyIsoCode": "USD",
    }  # fmt: skip
    arrives("salesforce", "contract", contract)
    connections.change_connection("netsuite", values={"contract_number_field": "otherrefnum"}, acting_user=System("tests"))
    arrives("netsuite", "invoice", erp_invoice(1, otherrefnum="00001873"), erp_invoice(2, otherrefnum="PO 7"), erp_invoice(3))
    assert told("netsuite")["invoices that name a contract"] == (
        "33.3 % of invoices that name a contract (1 of 3); 2 not: 1 name nothing, 1 name what is not known"
    )


def test_coverage_asks_the_same_number_of_queries_whatever_there_is(company: None) -> None:
    from django.db import connection

    row = Connection.objects.select_related("system").get(pk="netsuite")
    counts = []
    for start in (0, 20):
        arrives("netsuite", "invoice", *(erp_invoice(start + n, externalid=f"in_{n}A") for n in range(20)))
        with CaptureQueriesContext(connection) as asked:
            coverage(row)
        counts.append(len(asked))
    assert counts == [2, 2]


def test_at_most_twenty_are_listed(company: None) -> None:
    row = Connection.objects.select_related("system").get(pk="stripe")
    customers = coverage(row)[0]
    assert (customers.missing, len(customers.untied)) == (23, 20)


@pytest.mark.parametrize(
    ("tied", "total", "share"), [(0, 0, "0.0 %"), (964, 1000, "96.4 %"), (1999, 2000, "99.9 %"), (5, 5, "100.0 %")]
)
def test_a_share_is_never_rounded_up(tied: int, total: int, share: str) -> None:
    assert Covered(Tie("invoice", "invoices tied to billing", "copy_of"), total, tied, 0, ()).share == share
