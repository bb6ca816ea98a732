"""The Salesforce simulator under simple-salesforce, and the behaviours that its reference insists on.

simple-salesforce always speaks https to the instance; `Loopback` is a session adapter that carries those requests
unchanged to the simulator's plain port.
"""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jwt
import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceAuthenticationFailed, SalesforceError, SalesforceMalformedRequest

from demo.simulators.salesforce import Vendor
from demo.simulators.salesforce.ids import add_months, id18
from demo.simulators.salesforce.schema import STANDARD_FIELDS
from demo.simulators.server import Simulator
from tests.demo.simulators.control import Control

CONSUMER: Any = {"consumer_key": "rehearsal-consumer-key", "consumer_secret": "rehearsal-consumer-secret"}
USER = "integration@meridian.example"


class Loopback(HTTPAdapter):
    """Sends every https request to one local http server."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        parts = urlsplit(str(request.url))
        request.url = self._url + parts.path + (f"?{parts.query}" if parts.query else "")
        return super().send(request, *args, **kwargs)


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(Vendor, data=tmp_path) as running:
        yield running


@pytest.fixture
def control(simulator: Simulator) -> Control:
    return Control(simulator.url)


@pytest.fixture
def session(simulator: Simulator) -> Iterator[requests.Session]:
    with requests.Session() as open_session:
        open_session.mount("https://", Loopback(simulator.url))
        yield open_session


@pytest.fixture
def org(session: requests.Session) -> Any:
    return Salesforce(**CONSUMER, domain="meridian.my", session=session, version="67.0")


def account(org: Any, name: str = "Acme", **fields: Any) -> str:
    return str(org.Account.create({"Name": name, "CurrencyIsoCode": "EUR", **fields})["id"])


def opportunity(org: Any, account_id: str, **fields: Any) -> str:
    wish = {"AccountId": account_id, "Name": "Renewal", "StageName": "Prospecting", "CloseDate": "2026-12-01"}
    return str(org.Opportunity.create(wish | fields)["id"])


def refused(call: Any) -> tuple[int, str]:
    with pytest.raises(SalesforceError) as error:
        call()
    content: Any = error.value.content
    return error.value.status, content[0]["errorCode"] if isinstance(content, list) else content


def names(answer: Any) -> list[str]:
    return [record["Name"] for record in answer["records"]]


# -- OAuth --------------------------------------------------------------------------------------------------------


def test_the_jwt_flow_with_the_orgs_own_key(session: requests.Session, simulator: Simulator, tmp_path: Path) -> None:
    key = tmp_path / "salesforce_jwt_key.pem"
    assert key.stat().st_mode & 0o077 == 0
    by_jwt = Salesforce(
        username=USER, consumer_key=CONSUMER["consumer_key"], privatekey_file=str(key), session=session, version="67.0"
    )
    assert by_jwt.limits()["DailyApiRequests"]["Max"] == 1_000_000
    claims = {"iss": CONSUMER["consumer_key"], "sub": USER, "aud": "https://login.salesforce.com"}
    wrong: list[dict[str, Any]] = [
        {"exp": int(time.time()) - 5}, {"exp": int(time.time()) + 3600}, {"aud": "https://example.com"},
        {"iss": "somebody"}, {"sub": "nobody@example.com"},
    ]  # fmt: skip
    for change in wrong:
        token = jwt.encode({"exp": int(time.time()) + 100} | claims | change, key.read_text(), "RS256")
        form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": token}
        answer = requests.post(f"{simulator.url}/services/oauth2/token", data=form, timeout=5)
        assert answer.status_code == 400, change
        assert set(answer.json()) == {"error", "error_description"}


def test_a_wrong_secret_and_a_lost_session(session: requests.Session, org: Any, control: Control) -> None:
    with pytest.raises(SalesforceAuthenticationFailed):
        Salesforce(consumer_key=CONSUMER["consumer_key"], consumer_secret="no", domain="x.my", session=session)
    url = f"{control.url}/services/data/v67.0/limits"
    answer = requests.get(url, headers={"Authorization": "Bearer nothing"}, timeout=5)
    assert (answer.status_code, answer.json()[0]["errorCode"]) == (401, "INVALID_SESSION_ID")
    held = {"Authorization": f"Bearer {org.session_id}"}
    assert "api-usage=" in requests.get(url, headers=held, timeout=5).headers["Sforce-Limit-Info"]
    revoke = {"token": org.session_id}
    assert requests.post(f"{control.url}/services/oauth2/revoke", data=revoke, timeout=5).status_code == 200
    assert requests.get(url, headers=held, timeout=5).status_code == 401
    org.limits()  # simple-salesforce fetches a new token by itself
    assert org.session_id != revoke["token"]


def test_versions_and_the_daily_limit(org: Any, simulator: Simulator) -> None:
    held = {"Authorization": f"Bearer {org.session_id}"}
    for version, status in (("30", 410), ("31", 200), ("67", 200), ("99", 404)):
        url = f"{simulator.url}/services/data/v{version}.0/limits"
        assert requests.get(url, headers=held, timeout=5).status_code == status
    vendor = simulator.vendor
    assert isinstance(vendor, Vendor)
    vendor.daily_requests = 1
    assert refused(org.limits) == (403, "REQUEST_LIMIT_EXCEEDED")


# -- SOQL ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def customers(org: Any, control: Control) -> Any:
    rows = [
        {"Id": id18(f"001Test0000000{n}"), "Name": name, "Type": kind, "CurrencyIsoCode": "JPY", "AnnualRevenue": worth,
         "SystemModstamp": f"2026-11-0{n}T10:00:00Z", "LastModifiedDate": f"2026-10-0{n}T10:00:00.000+0000"}
        for n, (name, kind, worth) in enumerate(
            [("Alpha", "Customer", 100), ("beta", "Customer", 200.5), ("Gamma_1", None, None), ("O'Neil", "Partner", 50)], 1
        )
    ]  # fmt: skip
    control.load("Account", *rows)
    return org


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("Name = 'ALPHA'", ["Alpha"]),
        ("Name = 'O\\'Neil'", ["O'Neil"]),
        ("Type = null", ["Gamma_1"]),
        ("Type != 'Customer'", ["Gamma_1", "O'Neil"]),
        ("Type NOT IN ('Customer', 'Other')", ["Gamma_1", "O'Neil"]),
        ("Name LIKE '%a'", ["Alpha", "beta"]),
        ("Name LIKE '%\\_1'", ["Gamma_1"]),
        ("AnnualRevenue >= 100 AND AnnualRevenue < 200.5", ["Alpha"]),
        ("(Name = 'beta' OR Name = 'Alpha') AND (NOT AnnualRevenue = 100)", ["beta"]),
        ("SystemModstamp >= 2026-11-02T10:00:00Z AND SystemModstamp < 2026-11-04T11:00:00+0100", ["beta", "Gamma_1"]),
        ("SystemModstamp > 2026-11-03T10:00:00.000+0000", ["O'Neil"]),
        ("Id IN ('001Test00000001')", ["Alpha"]),
        ("IsDeleted = false AND CurrencyIsoCode = 'JPY' AND CreatedDate < TODAY", ["Alpha", "beta", "Gamma_1", "O'Neil"]),
        ("SystemModstamp = LAST_N_DAYS:30000 AND SystemModstamp <= TODAY AND Name > 'b'", ["beta", "Gamma_1", "O'Neil"]),
        ("CreatedDate > TODAY", []),
        ("Name = ''", []),
    ],
)
def test_conditions_are_executed(customers: Any, where: str, expected: list[str]) -> None:
    assert names(customers.query(f"SELECT Name FROM Account WHERE {where} ORDER BY SystemModstamp, Id")) == expected


def test_order_limit_count_and_parents(customers: Any) -> None:
    ordered = customers.query("select name from account order by annualrevenue desc nulls last limit 2")
    assert names(ordered) == ["beta", "Alpha"]
    assert customers.query("SELECT COUNT() FROM Account WHERE Type = 'Customer'")["totalSize"] == 2
    opportunity(customers, "001Test00000001", Amount=139000.10, CurrencyIsoCode="JPY")
    soql = "SELECT Id, Amount, Account.Name, Contract.StartDate FROM Opportunity WHERE Account.Name = 'alpha'"
    found = customers.query(soql)["records"][0]
    assert (found["Account"]["Name"], found["Contract"]) == ("Alpha", None)
    assert found["attributes"]["type"] == "Opportunity"
    assert list(found)[1:] == ["Id", "Amount", "Account", "Contract"]


def test_an_object_may_be_called_like_a_keyword(org: Any) -> None:
    assert org.query("SELECT Id, Account.Name FROM Order ORDER BY EffectiveDate LIMIT 5")["records"] == []


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Nope FROM Account", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM Account WHERE", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Name = 'a' OR Name = 'b' AND Name = 'c'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE CreatedDate > '2026-01-01'", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE CreatedDate > 2026-01-01", "INVALID_FIELD"),
        ("SELECT Id FROM Account WHERE Name = 5", "INVALID_FIELD"),
        ("SELECT Id FROM Account; DROP TABLE c_Account", "MALFORMED_QUERY"),
        ("SELECT Id FROM Account WHERE Id = '001bad'", "INVALID_QUERY_FILTER_OPERATOR"),
        ("SELECT Owner.Profile.Name FROM Account", "MALFORMED_QUERY"),
    ],
)
def test_wrong_queries_are_refused(org: Any, soql: str, code: str) -> None:
    assert refused(lambda: org.query(soql)) == (400, code)


def test_pages_may_be_short_and_locators_end(org: Any, control: Control, simulator: Simulator) -> None:
    control.load("Account", *({"Name": f"A{n:04d}"} for n in range(900)))
    headers = {"Sforce-Query-Options": "batchSize=200"}
    soql = "SELECT Id, Name FROM Account ORDER BY Name"
    page = org.query(soql, headers=headers)
    found, sizes = names(page), [len(page["records"])]
    while not page["done"]:
        assert page["totalSize"] == 900
        assert "/query/" in page["nextRecordsUrl"]
        page = org.query_more(page["nextRecordsUrl"], identifier_is_url=True)
        found += names(page)
        sizes.append(len(page["records"]))
    assert found == [f"A{n:04d}" for n in range(900)]
    assert min(sizes[:-1]) < 200
    assert len(org.query_all(soql)["records"]) == 900
    assert refused(lambda: org.query_more("01gNothing-200")) == (400, "INVALID_QUERY_LOCATOR")


def test_the_recycle_bin_shows_in_query_all_only(org: Any, control: Control) -> None:
    gone = account(org, "Gone")
    here = account(org, "Here")
    control.change(collection="Account", id=gone, set={"IsDeleted": True, "MasterRecordId": id18("001Test00000001")})
    assert names(org.query("SELECT Name FROM Account")) == ["Here"]
    found = org.query("SELECT Name, MasterRecordId FROM Account WHERE IsDeleted = true", include_deleted=True)
    assert [(r["Name"], r["MasterRecordId"][:15]) for r in found["records"]] == [("Gone", "001Test00000001")]
    assert refused(lambda: org.Account.get(gone)) == (404, "ENTITY_IS_DELETED")
    start, end = datetime.now(UTC) - timedelta(days=1), datetime.now(UTC) + timedelta(days=1)
    stamp = (datetime.now(UTC) - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    control.change(collection="Account", id=gone, set={"SystemModstamp": stamp})
    assert [d["id"] for d in org.Account.deleted(start, end)["deletedRecords"]] == [gone]
    control.change(collection="Account", id=here, set={"SystemModstamp": stamp})
    assert org.Account.updated(start, end)["ids"] == [here]
    assert refused(lambda: org.Account.deleted(start - timedelta(days=15), end)) == (400, "INVALID_REPLICATION_DATE")
    control.change(collection="Account", id=gone, delete=True, event="purge")
    assert org.query("SELECT Id FROM Account WHERE IsDeleted = true", include_deleted=True)["totalSize"] == 0


# -- rows ---------------------------------------------------------------------------------------------------------


def test_create_read_update_delete(org: Any, control: Control) -> None:
    made = account(org, Legal_Entity__c="DE")
    assert made == id18(made[:15])
    assert org.Account.update(made[:15], {"Industry": "Steel"}) == 204
    row = org.Account.get(made)
    assert (row["Industry"], row["Legal_Entity__c"], row["IsDeleted"]) == ("Steel", "DE", False)
    assert row["SystemModstamp"].endswith(".000+0000")
    assert [(e["collection"], e["kind"]) for e in control.get("effects")] == [
        ("Account", "created"),
        ("Account", "changed"),
    ]
    assert org.Account.delete(made) == 204
    assert refused(lambda: org.Account.update(made, {"Industry": "x"})) == (404, "ENTITY_IS_DELETED")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"Name": "x", "Nope": 1}, "INVALID_FIELD"),
        ({"Industry": "x"}, "REQUIRED_FIELD_MISSING"),
        ({"Name": "x", "CreatedDate": "2026-01-01T00:00:00Z"}, "INVALID_FIELD_FOR_INSERT_UPDATE"),
        ({"Name": "x", "ParentId": "nonsense"}, "MALFORMED_ID"),
        ({"Name": "x", "ParentId": "001Test00000009"}, "INVALID_CROSS_REFERENCE_KEY"),
        ({"Name": "x", "AnnualRevenue": "12"}, "JSON_PARSER_ERROR"),
    ],
)
def test_wrong_fields_are_refused(org: Any, control: Control, fields: dict[str, Any], code: str) -> None:
    assert refused(lambda: org.Account.create(fields)) == (400, code)
    assert control.get("effects") == []


def test_upsert_by_external_id(org: Any, control: Control) -> None:
    key = "External_Key__c/ACME-1"
    assert refused(lambda: org.Account.upsert(f"{key}?updateOnly=true", {"Name": "x"})) == (404, "NOT_FOUND")
    assert [org.Account.upsert(key, {"Name": name}) for name in ("one", "two")] == [201, 200]
    assert org.Account.get_by_custom_id("External_Key__c", "acme-1")["Name"] == "two"
    assert org.Account.upsert(f"{key}?updateOnly=true", {"Name": "three"}) == 200
    assert refused(lambda: org.Account.upsert(key, {"Name": "x", "External_Key__c": "y"})) == (400, "INVALID_FIELD")
    assert refused(lambda: org.Account.create({"Name": "x", "External_Key__c": "acme-1"})) == (400, "DUPLICATE_VALUE")
    control.load("CustomField", {"Id": "Account.Region__c", "type": "string", "externalId": True})
    for name in ("a", "b"):
        account(org, name, Region__c="EMEA")
    with pytest.raises(SalesforceError) as many:
        org.Account.upsert("Region__c/EMEA", {"Name": "x"})
    assert (many.value.status, len(many.value.content)) == (300, 2)
    assert {e["key"] for e in control.get("effects") if e["kind"] == "changed"} == {"ACME-1"}


def test_if_unmodified_since(org: Any, control: Control) -> None:
    made = account(org)
    past = {"If-Unmodified-Since": "Tue, 10 Aug 2015 00:00:00 GMT"}
    later = {"If-Unmodified-Since": format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)}
    assert refused(lambda: org.Account.update(made, {"Name": "x"}, headers=past)) == (412, "PRECONDITION_FAILED")
    assert refused(lambda: org.Account.update(made, {"Name": "x"}, headers={"If-Unmodified-Since": "soon"}))[0] == 400
    assert org.Account.update(made, {"Name": "y"}, headers=later) == 204
    assert org.Account.get(made)["Name"] == "y"


def test_an_automated_change_moves_system_modstamp_alone(org: Any, control: Control) -> None:
    control.load("Account", {"Id": id18("001Test00000001"), "Name": "A", "LastModifiedDate": "2026-01-01T00:00:00Z"})
    control.change(collection="Account", id=id18("001Test00000001"), set={"Industry": "x"}, event="system")
    row = org.Account.get("001Test00000001")
    assert row["LastModifiedDate"] == "2026-01-01T00:00:00.000+0000"
    assert row["SystemModstamp"] > "2026-01-02"
    control.change(collection="Account", id=id18("001Test00000001"), set={"Industry": "y"})
    assert org.Account.get("001Test00000001")["LastModifiedDate"] > "2026-01-02"


# -- business rules -----------------------------------------------------------------------------------------------


def test_a_contract_activates_alone_and_for_good(org: Any) -> None:
    wish = {"AccountId": account(org), "StartDate": "2026-01-01", "ContractTerm": 12, "CurrencyIsoCode": "EUR"}
    assert refused(lambda: org.Contract.create(wish | {"Status": "Activated"})) == (400, "FAILED_ACTIVATION")
    made = org.Contract.create(wish)["id"]
    assert refused(lambda: org.Contract.update(made, {"EndDate": "2027-01-01"}))[1] == "INVALID_FIELD_FOR_INSERT_UPDATE"
    both = {"Status": "Activated", "SpecialTerms": "x"}
    assert refused(lambda: org.Contract.update(made, both)) == (400, "FAILED_ACTIVATION")
    org.Contract.update(made, {"Status": "In Approval Process"})
    assert org.Contract.get(made)["StatusCode"] == "InApproval"
    org.Contract.update(made, {"Status": "Activated"})
    row = org.Contract.get(made)
    assert (row["StatusCode"], row["EndDate"], row["ContractNumber"][:2]) == ("Activated", "2026-12-31", "C-")
    assert row["ActivatedDate"]
    assert refused(lambda: org.Contract.update(made, {"Status": "Draft"})) == (400, "FAILED_ACTIVATION")
    assert refused(lambda: org.Contract.delete(made)) == (400, "DELETE_FAILED")
    org.Contract.update(made, {"ContractTerm": 24})
    assert org.Contract.get(made)["EndDate"] == "2027-12-31"


def test_an_order_needs_a_product_and_its_accounts_contract(org: Any) -> None:
    ours, other = account(org), account(org, "Other")
    contract = org.Contract.create({"AccountId": other, "CurrencyIsoCode": "EUR"})["id"]
    wish = {"AccountId": ours, "EffectiveDate": "2026-01-01", "Status": "Draft", "CurrencyIsoCode": "EUR"}
    assert refused(lambda: org.Order.create(wish | {"ContractId": contract})) == (400, "FIELD_INTEGRITY_EXCEPTION")
    made = org.Order.create(wish)["id"]
    assert refused(lambda: org.Order.update(made, {"Status": "Activated"})) == (400, "FAILED_ACTIVATION")
    org.OrderItem.create({"OrderId": made, "Quantity": 3, "UnitPrice": 12.5})
    assert refused(lambda: org.Order.update(made, {"Status": "Activated", "PoNumber": "1"}))[1] == "FAILED_ACTIVATION"
    org.Order.update(made, {"Status": "Activated"})
    row = org.Order.get(made)
    assert (row["StatusCode"], row["TotalAmount"]) == ("Activated", 37.5)
    assert refused(lambda: org.Order.update(made, {"AccountId": other})) == (400, "FIELD_INTEGRITY_EXCEPTION")


def test_amount_is_ignored_on_an_opportunity_with_products(org: Any) -> None:
    made = opportunity(org, account(org), Amount=10)
    org.Opportunity.update(made, {"Amount": 20, "StageName": "Closed Won"})
    row = org.Opportunity.get(made)
    assert (row["Amount"], row["IsClosed"], row["IsWon"], row["Probability"]) == (20, True, True, 100)
    line = org.OpportunityLineItem.create({"OpportunityId": made, "Quantity": 2, "UnitPrice": 50.5})["id"]
    org.Opportunity.update(made, {"Amount": 999, "NextStep": "call"})
    row = org.Opportunity.get(made)
    assert (row["Amount"], row["NextStep"], row["HasOpportunityLineItem"]) == (101, "call", True)
    org.OpportunityLineItem.delete(line)
    assert org.Opportunity.get(made)["HasOpportunityLineItem"] is False


def test_describe(org: Any) -> None:
    fields = {field["name"]: field for field in org.Contract.describe()["fields"]}
    assert fields["AccountId"]["referenceTo"] == ["Account"]
    assert fields["EndDate"]["updateable"] is False
    assert [v["value"] for v in fields["Status"]["picklistValues"]] == ["Draft", "In Approval Process", "Activated"]
    assert refused(org.Nope.describe)[0] == 404


def test_the_standard_fields_are_the_published_ones(org: Any) -> None:
    """No more and no fewer than the data file lists, beside the fields that this org's administrator made."""
    published: dict[str, set[str]] = {}
    with STANDARD_FIELDS.open(newline="") as lines:
        for row in csv.DictReader(line for line in lines if not line.startswith("#")):
            published.setdefault(row["object"], set()).add(row["field"])
    for name, fields in published.items():
        described = {field["name"] for field in getattr(org, name).describe()["fields"] if not field["custom"]}
        assert described == fields


def test_a_field_that_is_unknown_or_hidden_refuses_the_whole_query_as_salesforce_words_it(org: Any, control: Control) -> None:
    account(org)
    control.load("Hidden", {"Id": "Account.Industry"}, {"Id": "Contract"})
    for field in ("Industry", "Nothing__c"):
        with pytest.raises(SalesforceMalformedRequest) as wrong:
            org.query(f"SELECT Id, {field} FROM Account")
        content: Any = wrong.value.content
        [said] = content
        shown = f"\nSELECT Id, {field} FROM Account\n{' ' * 11}^\nERROR at Row:1:Column:12\n"
        assert said["errorCode"] == "INVALID_FIELD"
        assert said["message"].startswith(f"{shown}No such column '{field}' on entity 'Account'. If you are attempting")
    assert "Industry" not in [field["name"] for field in org.Account.describe()["fields"]]
    assert refused(org.Contract.describe) == (404, "NOT_FOUND")
    assert refused(lambda: org.query("SELECT Id FROM Contract")) == (400, "INVALID_TYPE")


# -- faults -------------------------------------------------------------------------------------------------------


def test_a_create_that_was_cut_off_is_found_by_its_external_id(org: Any, control: Control) -> None:
    url = f"{control.url}/services/data/v67.0/sobjects/Account/External_Key__c/K-1"
    held = {"Authorization": f"Bearer {org.session_id}", "Content-Type": "application/json"}
    control.fault("PATCH", "K-1$", reset="after")
    with pytest.raises(requests.ConnectionError):
        requests.patch(url, data=json.dumps({"Name": "Once"}), headers=held, timeout=5)
    assert requests.patch(url, data=json.dumps({"Name": "Once"}), headers=held, timeout=5).json()["created"] is False
    assert names(org.query("SELECT Name FROM Account WHERE External_Key__c = 'K-1'")) == ["Once"]


def test_bare_statuses_speak_salesforce(org: Any, control: Control) -> None:
    made = account(org)
    control.fault("PATCH", "/Account/", status=400)
    assert refused(lambda: org.Account.update(made, {"Name": "x"})) == (400, "UNABLE_TO_LOCK_ROW")
    assert org.Account.update(made, {"Name": "x"}) == 204
    control.fault("GET", "/query", status=503)
    assert refused(lambda: org.query("SELECT Id FROM Account")) == (503, "SERVER_UNAVAILABLE")
    with pytest.raises(SalesforceMalformedRequest):
        org.query("nonsense")


@pytest.mark.parametrize(("start", "months", "end"), [
    ("2026-01-01", 12, "2026-12-31"), ("2024-02-29", 12, "2025-02-27"), ("2026-01-31", 1, "2026-02-27"),
])  # fmt: skip
def test_contract_ends(start: str, months: int, end: str) -> None:
    assert add_months(datetime.fromisoformat(start).date(), months).isoformat() == end


def test_id_suffix() -> None:
    assert id18("70130000001tcyI") == "70130000001tcyIAAQ"
    assert id18("70130000001tcyIAAQ") == "70130000001tcyIAAQ"
    for wrong in ("", "70130000001tcy", "70130000001tc I", "70130000001tcyIAA"):
        with pytest.raises(ValueError, match="malformed"):
            id18(wrong)
