"""The Gainsight simulator over real HTTP on loopback: both dialects, both shapes, what it refuses and how."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

from demo.simulators import gainsight
from demo.simulators.server import Simulator

Json = dict[str, Any]
COMPANY = "1P02COMPANY00000000000000000000000001"
MARCH = 1_772_323_200_000
"""2026-03-01T00:00:00Z in epoch milliseconds."""


class Tenant:
    """A small client of the simulator; knows only what an outsider knows."""

    def __init__(self, simulator: Simulator) -> None:
        self.url = simulator.url
        self.http = requests.Session()
        self.http.headers["Accesskey"] = gainsight.ACCESS_KEY

    def load(self, *objects: tuple[str, Json]) -> requests.Response:
        lines = "\n".join(json.dumps({"collection": name, "object": body}) for name, body in objects)
        return requests.post(self.url + "/_sim/load", data=lines, timeout=30)

    def settings(self, **values: Any) -> None:
        wish: Json = {"collection": "settings", "object": {"id": "settings"} | values}
        requests.post(self.url + "/_sim/change", json=wish, timeout=5).raise_for_status()

    def post(self, path: str, body: Json) -> requests.Response:
        return self.http.post(self.url + path, json=body, timeout=10)

    def put(self, path: str, body: Json) -> requests.Response:
        return self.http.put(self.url + path, json=body, timeout=10)

    def query(self, object: str, select: list[str], *conditions: Json, **more: Any) -> list[Json]:
        expression = more.pop("expression", " AND ".join(c["alias"] for c in conditions))
        where = {"where": {"conditions": list(conditions), "expression": expression}} if conditions else {}
        answer = self.post(f"/v1/data/objects/query/{object}", {"select": select} | where | more)
        body = json.loads(answer.text, parse_float=Decimal)
        assert body["result"] is True, body
        data = body["data"]
        return list(data if isinstance(data, list) else data["records"])

    def names(self, *conditions: Json, **more: Any) -> list[str]:
        return [row["Name"] for row in self.query("gs_opportunity", ["Name"], *conditions, orderBy={"Name": "asc"}, **more)]


def condition(name: str, operator: str, *value: Any, alias: str = "A") -> Json:
    return {"name": name, "alias": alias, "operator": operator, "value": list(value)}


def failed(answer: requests.Response) -> tuple[int, str | None]:
    body = answer.json()
    assert body["result"] is False
    assert body["requestId"]
    return answer.status_code, body["errorCode"]


def renewal(number: int, **more: Any) -> tuple[str, Json]:
    return "gs_opportunity", {
        "Gsid": f"1P06RENEWAL{number:025d}", "Name": f"R{number}", "CompanyId": COMPANY, "RenewalStage": "In Progress",
        "CloseDate": "2026-03-01", "TargetAmount": "1000.10", "ForecastAmount": 900, "CurrencyIsoCode": "EUR",
        "ModifiedDate": f"2026-03-0{number}T00:00:00Z",
    } | more  # fmt: skip


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[Simulator]:
    with Simulator(gainsight.Vendor, 0, tmp_path) as running:
        yield running


@pytest.fixture
def tenant(simulator: Simulator) -> Tenant:
    tenant = Tenant(simulator)
    answer = tenant.load(
        ("gsuser", {"Gsid": "1P01USER1", "Name": "Cleo", "Email": "cleo@example.com"}),
        ("gsuser", {"Gsid": "1P01USER2", "Name": "Cleo", "Email": "cleo2@example.com"}),
        ("company", {"Gsid": COMPANY, "Name": "Acme", "SfdcAccountId": "001000000000001AAA", "Arr": "998765.00000000000",
                     "CurrencyIsoCode": "EUR", "Csm": "1P01USER1", "Stage": "Launched", "RenewalDate": "2026-03-01",
                     "ModifiedDate": "2026-03-01T00:00:00Z"}),
        *(renewal(n) for n in range(1, 6)),
        renewal(6, RenewalStage="On Hold", HoldReason__gc="unpaid", ForecastAmount=None, ModifiedDate=None),
    )  # fmt: skip
    assert answer.status_code == 200, answer.text
    return tenant


# -- who may come in ------------------------------------------------------------------------------------------------


def bearer(tenant: Tenant) -> requests.Response:
    return requests.post(tenant.url + gainsight.TOKEN_PATH, data={"grant_type": "client_credentials"}, timeout=5,
                         auth=(gainsight.CLIENT_ID, gainsight.CLIENT_SECRET))  # fmt: skip


def test_token_works_until_it_expires(tenant: Tenant) -> None:
    granted = bearer(tenant).json()
    assert (granted["token_type"], granted["expires_in"]) == ("Bearer", 86400)
    del tenant.http.headers["Accesskey"]
    tenant.http.headers["Authorization"] = "Bearer " + granted["access_token"]
    assert len(tenant.query("gs_opportunity", ["Gsid"])) == 6
    tenant.settings(forget_tokens=True)
    body = {"select": ["Gsid"]}
    assert failed(tenant.post("/v1/data/objects/query/company", body)) == (401, "GS_APIG_2401")


def test_wrong_credentials_have_their_own_answers(tenant: Tenant) -> None:
    path, body = tenant.url + "/v1/data/objects/query/company", {"select": ["Gsid"]}
    assert failed(requests.post(path, json=body, timeout=5)) == (400, "GSOBJ_1024")
    both = {"Accesskey": gainsight.ACCESS_KEY, "Authorization": "Bearer x"}
    assert failed(requests.post(path, json=body, headers=both, timeout=5)) == (400, "GSOBJ_1024")
    assert failed(requests.post(path, json=body, headers={"Accesskey": "x"}, timeout=5)) == (401, "GS_APIG_2401")
    wrong = requests.post(tenant.url + gainsight.TOKEN_PATH, auth=("a", "b"), timeout=5)
    assert wrong.status_code == 401
    tenant.settings(ip_refused=True)
    assert failed(tenant.post("/v1/data/objects/query/company", body)) == (401, "GS_APIG_2402")


def test_fixed_window_refuses_without_retry_after(tenant: Tenant) -> None:
    tenant.settings(minute_limit=3)
    answers = [tenant.post("/v1/data/objects/query/company", {"select": ["Gsid"]}) for _ in range(8)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 2
    assert "Retry-After" not in refused[0].headers
    assert refused[0].json()["result"] is False


# -- object query ---------------------------------------------------------------------------------------------------


def test_query_shows_epochs_lookups_exact_money_and_nulls(tenant: Tenant) -> None:
    select = ["Name", "Arr", "RenewalDate", "ModifiedDate", "Csm__gr.Email", "Industry", "Stage__gr.Name"]
    assert tenant.query("Company", select) == [
        {"Name": "Acme", "Arr": Decimal("998765.00000000000"), "RenewalDate": MARCH, "ModifiedDate": MARCH,
         "Csm__gr.Email": "cleo@example.com", "Industry": None, "Stage__gr.Name": "Launched"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("conditions", "expression", "expected"),
    [
        ([condition("Name", "EQ", "R2")], "A", ["R2"]),
        ([condition("Name", "NE", "R2")], "A", ["R1", "R3", "R4", "R5", "R6"]),
        ([condition("Name", "IN", "R2", "R4")], "A", ["R2", "R4"]),
        ([condition("Name", "CONTAINS", "r2")], "A", ["R2"]),
        ([condition("Name", "STARTS_WITH", "R"), condition("Name", "ENDS_WITH", "5", alias="B")], "A AND B", ["R5"]),
        ([condition("ModifiedDate", "GTE", "2026-03-04 00:00:00")], "A", ["R4", "R5"]),
        ([condition("ModifiedDate", "GT", "2026-03-04T00:00:00+00:00")], "A", ["R5"]),
        ([condition("ModifiedDate", "LTE", "03-02-2026")], "A", ["R1", "R2"]),
        ([condition("ModifiedDate", "BTW", "2026-03-02", "2026-03-03")], "A", ["R2", "R3"]),
        ([condition("ModifiedDate", "IS_NULL")], "A", ["R6"]),
        ([condition("ForecastAmount", "IS_NOT_NULL"), condition("ForecastAmount", "GT", 899.5, alias="B")], "A AND B",
         ["R1", "R2", "R3", "R4", "R5"]),
        ([condition("TargetAmount", "EQ", "1000.1")], "A", ["R1", "R2", "R3", "R4", "R5", "R6"]),
        ([condition("Name", "EQ", "R1"), condition("Name", "EQ", "R2", alias="B"), condition("Name", "EQ", "R3", alias="C")],
         "(A OR B) AND (B OR C)", ["R2"]),
        ([condition("Name", "EQ", "R1"), condition("Name", "EQ", "R2", alias="B"), condition("Name", "EQ", "R3", alias="C")],
         "A OR B AND C", ["R1"]),
        ([condition("CompanyId__gr.Name", "EQ", "Acme"), condition("Gsid", "EQ", "1P06RENEWAL" + "0" * 24 + "3", alias="B")],
         "A AND B", ["R3"]),
        ([condition("RenewalStage__gr.Name", "EQ", "On Hold")], "A", ["R6"]),
    ],
)  # fmt: skip
def test_query_conditions(tenant: Tenant, conditions: list[Json], expression: str, expected: list[str]) -> None:
    assert tenant.names(*conditions, expression=expression) == expected


def test_query_orders_and_pages_by_offset(tenant: Tenant) -> None:
    order = {"ModifiedDate": "desc", "Gsid": "asc"}
    pages = [tenant.query("gs_opportunity", ["Name"], orderBy=order, limit=4, offset=offset) for offset in (0, 4, 8)]
    assert [[row["Name"] for row in page] for page in pages] == [["R5", "R4", "R3", "R2"], ["R1", "R6"], []]


@pytest.mark.parametrize(
    ("object", "body", "code"),
    [
        ("company", {"select": ["Name", "NoSuchField"]}, "GSOBJ_1008"),
        ("company", {"select": []}, "GSOBJ_1008"),
        ("company", {"select": ["Csm__gr.NoSuchField"]}, "GSOBJ_1008"),
        ("nosuch", {"select": ["Name"]}, "OBJECT_NOT_FOUND"),
        ("company", {"select": ["Name"], "where": {"conditions": [condition("Name", "EQ", "x")], "expression": "B"}},
         "GSOBJ_1008"),
        ("company", {"select": ["Name"], "where": {"conditions": [{"name": "Name", "operator": "EQ", "value": "x"}]}},
         "GSOBJ_1008"),
        ("company", {"select": ["Name"], "where": {"conditions": [condition("ModifiedDate", "GTE", "soon")]}},
         "GSOBJ_1005"),
        ("company", {"select": ["Name"], "where": {"conditions": [condition("RenewalDate", "GTE", "soon")]}},
         "GSOBJ_1006"),
    ],
)  # fmt: skip
def test_query_refuses(tenant: Tenant, object: str, body: Json, code: str) -> None:
    assert failed(tenant.post(f"/v1/data/objects/query/{object}", body)) == (400, code)


def test_shapes_and_the_three_empties(tenant: Tenant) -> None:
    none = {"select": ["Name"], "where": {"conditions": [condition("Name", "EQ", "nobody")], "expression": "A"}}
    company, renewals = "/v1/data/objects/query/company", "/v1/data/objects/query/gs_opportunity"
    assert tenant.post(company, none).json()["data"] == []
    assert tenant.post(renewals, none).json()["data"] == {"records": []}
    tenant.settings(data_shape="records")
    assert tenant.post(company, {"select": ["Name"]}).json()["data"] == {"records": [{"Name": "Acme"}]}
    tenant.settings(data_shape="list")
    assert tenant.post(renewals, none).json()["data"] == []
    for status in (200, 400):
        tenant.settings(empty=f"failure_{status}")
        assert failed(tenant.post(company, none)) == (status, "GSOBJ_1011")


def test_tenant_zone_moves_dates_and_naive_values(tenant: Tenant) -> None:
    tenant.settings(zone_hours=9)
    assert tenant.query("company", ["RenewalDate"])[0]["RenewalDate"] == MARCH - 9 * 3_600_000
    assert tenant.names(condition("ModifiedDate", "GTE", "2026-03-04 09:00:00")) == ["R4", "R5"]
    assert tenant.names(condition("ModifiedDate", "GTE", "2026-03-04 09:00:01")) == ["R5"]


# -- metadata and picklists -----------------------------------------------------------------------------------------


def test_picklists_come_back_as_items_that_describe_and_dropdown_name(tenant: Tenant) -> None:
    item = tenant.query("gs_opportunity", ["RenewalStage"], condition("Name", "EQ", "R6"))[0]["RenewalStage"]
    assert item.startswith("1I00")
    answer = tenant.post(
        "/v1/meta/services/objects/describe", {"objectNames": ["gs_opportunity", "company"], "populatePickListOptions": "true"}
    ).json()
    assert [entry["objectName"] for entry in answer["data"]] == ["gs_opportunity", "company"]
    fields = {field["fieldName"]: field for field in answer["data"][0]["fields"]}
    assert {option["value"]: option["label"] for option in fields["RenewalStage"]["options"]}[item] == "On Hold"
    properties = fields["RenewalStage"]["meta"]["properties"]
    assert properties["PICKLIST_CATEGORY"] == "Renewal Stage"
    category = properties["PICKLIST_CATEGORY_ID"]
    dropdown = tenant.http.get(f"{tenant.url}/v1/meta/services/dropdowns/{category}", timeout=5).json()
    assert {child["gsid"]: child["name"] for child in dropdown["data"]["childItems"]}[item] == "On Hold"
    lookup = fields["CompanyId"]["meta"]
    assert (lookup["hasLookup"], lookup["lookupDetail"]["lookupObjects"]) == (True, [{"objectName": "company"}])


def test_dropped_field_leaves_describe_and_fails_queries(tenant: Tenant) -> None:
    tenant.settings(dropped_fields={"company": ["Arr"]})
    described = tenant.http.get(f"{tenant.url}/v1/meta/services/objects/company/describe?ic=false", timeout=5).json()
    assert "Arr" not in [field["fieldName"] for field in described["data"][0]["fields"]]
    assert failed(tenant.post("/v1/data/objects/query/company", {"select": ["Name", "Arr"]}))[0] == 400


# -- writes ---------------------------------------------------------------------------------------------------------


def test_update_by_gsid_moves_modified_date_and_keeps_the_rest(tenant: Tenant) -> None:
    gsid = "1P06RENEWAL" + "0" * 24 + "1"
    record = {"Gsid": gsid, "RenewalStage": "On Hold", "HoldReason__gc": "unpaid", "ForecastAmount": None}
    answer = tenant.put("/v1/data/objects/gs_opportunity?keys=Gsid", {"records": [record]}).json()
    assert answer["data"] == {"count": 1, "errors": None, "records": [{"Gsid": gsid}]}
    select = ["RenewalStage__gr.Name", "HoldReason__gc", "ForecastAmount", "TargetAmount", "ModifiedDate"]
    row = tenant.query("gs_opportunity", select, condition("Gsid", "EQ", gsid))[0]
    assert row.pop("ModifiedDate") > (time.time() - 60) * 1000
    assert row == {"RenewalStage__gr.Name": "On Hold", "HoldReason__gc": "unpaid", "ForecastAmount": None,
                   "TargetAmount": Decimal("1000.10")}  # fmt: skip


def test_keys_that_match_none_or_many(tenant: Tenant) -> None:
    path = "/v1/data/objects/gs_opportunity?keys=CurrencyIsoCode"
    assert failed(tenant.put(path, {"records": [{"CurrencyIsoCode": "CHF", "Name": "x"}]})) == (400, "GSOBJ_1011")
    missing = {"records": [{"Gsid": "1P06NOBODY", "Name": "x"}]}
    assert failed(tenant.put("/v1/data/objects/gs_opportunity?keys=Gsid", missing)) == (400, "GSOBJ_1004")
    everyone = {"records": [{"CurrencyIsoCode": "EUR", "Description": "x"}]}
    tenant.settings(many_matches="error")
    assert failed(tenant.put(path, everyone))[0] == 400
    tenant.settings(many_matches="all")
    assert tenant.put(path, everyone).json()["data"]["count"] == 6
    too_many = "/v1/data/objects/gs_opportunity?keys=Name,Type,Stage,ExternalId"
    assert failed(tenant.put(too_many, everyone))[0] == 400
    assert failed(tenant.put("/v1/data/objects/gs_opportunity", everyone))[0] == 400


def test_insert_caps_at_fifty_and_one_bad_record_refuses_all(tenant: Tenant) -> None:
    good = [{"Name": f"New {n}"} for n in range(50)]
    assert failed(tenant.post("/v1/data/objects/company", {"records": [*good, {"Name": "one more"}]}))[0] == 400
    bad = [*good[:2], {"Name": "Bad", "SfdcAccountId": "short"}]
    assert failed(tenant.post("/v1/data/objects/company", {"records": bad})) == (400, "GSOBJ_1002")
    assert len(tenant.query("company", ["Gsid"])) == 1
    tenant.settings(partial_writes=True)
    data = tenant.post("/v1/data/objects/company", {"records": bad}).json()["data"]
    assert (data["count"], [error["index"] for error in data["errors"]]) == (2, [2])
    tenant.settings()
    assert tenant.post("/v1/data/objects/company", {"records": good}).json()["data"]["count"] == 50
    stamps = tenant.query("company", ["ModifiedDate"], condition("Name", "IN", *[record["Name"] for record in good[2:]]))
    assert len(stamps) == 48
    assert failed(tenant.post("/v1/data/objects/company", {"records": [{"Arr": 1}]})) == (400, "GSOBJ_1007")
    long = {"records": [{"Name": "x" * 5000}]}
    assert failed(tenant.post("/v1/data/objects/company", long)) == (400, "GSOBJ_1001")


@pytest.mark.parametrize(
    ("rule", "email", "outcome"),
    [
        ({"multiMatchOption": "MARKASERROR", "onNoMatch": "ERROR"}, "Cleo", "refused"),
        ({"multiMatchOption": "FIRSTMATCH", "onNoMatch": "ERROR"}, "Cleo", "1P01USER1"),
        ({"multiMatchOption": "MARKASERROR", "onNoMatch": "ERROR"}, "Nobody", "refused"),
        ({"multiMatchOption": "MARKASERROR", "onNoMatch": "NULLABLE"}, "Nobody", None),
    ],
)
def test_lookups_pick_refuse_or_erase(tenant: Tenant, rule: Json, email: str, outcome: str | None) -> None:
    lookup = {"fields": {"OwnerName": "Name"}, "lookupField": "Gsid", "objectName": "gsuser"} | rule
    body = {"records": [{"Gsid": COMPANY, "OwnerName": email}], "lookups": {"Csm": lookup}}
    answer = tenant.put("/v1/data/objects/company?keys=Gsid", body)
    if outcome == "refused":
        assert answer.status_code == 400
        outcome = "1P01USER1"
    assert tenant.query("company", ["Csm"])[0]["Csm"] == outcome


def test_delete_is_logged_for_fifteen_days(tenant: Tenant, simulator: Simulator) -> None:
    assert tenant.http.delete(f"{tenant.url}/v1/data/objects/company/{COMPANY}", timeout=5).json()["result"] is True
    assert failed(tenant.http.delete(f"{tenant.url}/v1/data/objects/company/{COMPANY}", timeout=5)) == (400, "GSOBJ_1004")
    path, body = "/v1/data/objects/query/record_delete_log", {"select": ["RecordId", "DeletedOn", "ObjectName"]}
    found = tenant.post(path, body).json()["data"]["records"]
    assert [(row["RecordId"], row["ObjectName"]) for row in found] == [(COMPANY, "Company")]
    assert datetime.fromisoformat(found[0]["DeletedOn"]) > datetime.now(UTC) - timedelta(minutes=1)
    simulator.store.clock = lambda: time.time() + 15 * 86400 + 60
    assert tenant.post(path, body).json()["data"]["records"] == []
    assert failed(tenant.post(path + "_high_volume", body)) == (400, "OBJECT_NOT_FOUND")


def test_cta_dialect_from_birth_to_deletion(tenant: Tenant) -> None:
    record = {
        "referenceId": "1", "Name": "Unpaid", "CompanyId": COMPANY, "OwnerId": "1P01USER1", "type": "Risk", "status": "New",
        "priority": "High", "reason": "Billing", "DueDate": "2026-11-20", "OperationId__gc": "op-1",
    }  # fmt: skip
    made = tenant.post("/v2/cockpit/cta", {"requests": [{"record": record}]}).json()["data"]["records"][0]
    assert made["referenceId"] == "1"
    where = {"conditions": [{"fieldName": "DueDate", "value": ["2026-11-01"], "alias": "A", "operator": "GTE"}],
             "expression": "A"}  # fmt: skip
    wish = {"select": ["name", "CompanyId__gr.Name", "DueDate", "IsClosed", "StatusId__gr.Name"], "where": where,
            "pageSize": 10, "pageNumber": 1}  # fmt: skip
    assert tenant.post("/v2/cockpit/cta/list", wish).json()["data"] == [
        {"Gsid": made["Gsid"], "Name": "Unpaid", "CompanyId__gr.Name": "Acme", "DueDate": "2026-11-20T00:00:00Z",
         "IsClosed": False, "StatusId__gr.Name": "New"}
    ]  # fmt: skip
    assert tenant.post("/v2/cockpit/cta/list", wish | {"pageNumber": 2}).json()["data"] == []
    assert failed(tenant.post("/v2/cockpit/cta/list", {"select": ["NoSuchField"]})) == (200, "COCKPIT_5101")
    assert failed(tenant.post("/v2/cockpit/cta/list", {"pageSize": 1001})) == (200, "COCKPIT_5101")
    closing = {"requests": [{"record": {"Gsid": made["Gsid"], "status": "Closed Success"}}]}
    tenant.put("/v2/cockpit/cta", closing)
    assert tenant.query("call_to_action", ["IsClosed", "DueDate"]) == [{"IsClosed": True, "DueDate": 1_795_132_800_000}]
    tenant.http.delete(f"{tenant.url}/v1/data/objects/call_to_action/{made['Gsid']}", timeout=5)
    deleted = tenant.post("/v2/cockpit/cta/deleted/list", {"pageSize": 100, "pageNumber": 1}).json()
    assert (deleted["currentPageNum"], deleted["data"][0]["DueDate"]) == (1, "2026-11-20")


# -- what goes wrong, and hints -------------------------------------------------------------------------------------


def test_insert_that_commits_then_drops_the_connection_is_found_by_key(tenant: Tenant) -> None:
    wish: Json = {"match": {"method": "POST", "path": "/v1/data/objects/company$"}, "reset": "after"}
    requests.post(tenant.url + "/_sim/faults", json=wish, timeout=5).raise_for_status()
    with pytest.raises(requests.ConnectionError):
        tenant.post("/v1/data/objects/company", {"records": [{"Name": "Once"}]})
    assert len(tenant.query("company", ["Gsid"], condition("Name", "EQ", "Once"))) == 1
    effects = requests.get(tenant.url + "/_sim/effects", timeout=5).json()
    assert [(e["collection"], e["kind"]) for e in effects] == [("company", "created")]


def test_read_lag_shows_the_old_record_for_a_while(tenant: Tenant) -> None:
    tenant.settings(minute_limit=100_000)
    wish: Json = {"match": {"method": "PUT"}, "read_lag_seconds": 1}
    requests.post(tenant.url + "/_sim/faults", json=wish, timeout=5).raise_for_status()
    tenant.put("/v1/data/objects/company?keys=Gsid", {"records": [{"Gsid": COMPANY, "Name": "New name"}]})
    assert tenant.query("company", ["Name"]) == [{"Name": "Acme"}]
    deadline = time.monotonic() + 10
    while tenant.query("company", ["Name"]) != [{"Name": "New name"}]:
        assert time.monotonic() < deadline


def test_a_person_changes_a_renewal_and_the_hint_arrives_with_the_token(tenant: Tenant) -> None:
    heard: list[tuple[str | None, Json]] = []
    arrived = threading.Event()

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            heard.append((self.headers.get("X-Gainsight-Token"), body))
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()
            arrived.set()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        target = {"url": f"http://127.0.0.1:{server.server_address[1]}/hint"}
        requests.put(tenant.url + "/_sim/deliveries", json=target, timeout=5).raise_for_status()
        wish: Json = {"collection": "gs_opportunity", "id": "1P06RENEWAL" + "0" * 24 + "2", "set": {"RenewalStage": "On Hold"}}
        changed = requests.post(tenant.url + "/_sim/change", json=wish, timeout=5).json()
        assert arrived.wait(10)
    finally:
        server.shutdown()
        server.server_close()
    assert heard[0] == (
        gainsight.HINT_TOKEN,
        {"object": "gs_opportunity", "gsid": wish["id"], "modifiedDate": changed["ModifiedDate"]},
    )
    assert tenant.query("gs_opportunity", ["RenewalStage__gr.Name"], condition("Name", "EQ", "R2")) == [
        {"RenewalStage__gr.Name": "On Hold"}
    ]


def test_history_must_fit_the_schema(tenant: Tenant) -> None:
    assert tenant.load(("company", {"Gsid": "1P02X", "NoSuchField": 1})).status_code == 400
    assert tenant.load(("company", {"Gsid": "1P02X", "Arr": "a lot"})).status_code == 400
    many = [("company", {"Gsid": "1P02" + hashlib.md5(str(n).encode()).hexdigest(), "Name": f"C{n}"}) for n in range(5000)]
    started = time.monotonic()
    assert tenant.load(*many).status_code == 200
    assert time.monotonic() - started < 10
    assert len(tenant.query("company", ["Gsid"])) == 5000
    assert len(tenant.query("company", ["Gsid"], limit=5000, offset=5000)) == 1
