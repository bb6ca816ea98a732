"""The Gainsight connector against the simulator in its own process: reading, and holding a renewal exactly once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import requests

from revops.errors import Rejected
from revops.ledger.unread import Unread
from revops.money import Money
from revops.postings.changes import read_change
from revops.reference import Ref
from sync.vendor.contract import Call, Config, Receipt, Refused, RetryLater, Unknown
from sync.vendor.http import HttpClient
from tests.pointing import pointing
from tests.sync.connectors.talking import FAST, Talk, a_credit_memo, talking

COMPANY = "1P02COMPANY00000000000000000000000001"
WRITE_PATH = "/v1/data/objects/gs_opportunity"


def renewal(number: int, **more: Any) -> dict[str, Any]:
    return {
        "Gsid": f"1P06RENEWAL{number:025d}",
        "Name": f"Renewal {number}",
        "CompanyId": COMPANY,
        "Type": "Renewal",
        "RenewalStage": "In Progress",
        "CloseDate": "2026-12-31",
        "TargetAmount": "1000.10",
        "ForecastAmount": 900,
        "CurrencyIsoCode": "EUR",
        "ExternalId": "006q000000HddohAAB",
        "CreatedDate": "2026-01-01T00:00:00Z",
        "ModifiedDate": f"2026-03-0{number}T00:00:00Z",
    } | more


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Talk]:
    with talking("gainsight", tmp_path) as talk:
        talk.control.load(
            "company",
            {
                "Gsid": COMPANY,
                "Name": "Northwind",
                "SfdcAccountId": "0015500000Xyy06",
                "Arr": "998765.00000000000",
                "CurrencyIsoCode": "EUR",
                "Stage": "Launched",
                "RenewalDate": "2026-12-31",
                "CreatedDate": "2026-01-01T00:00:00Z",
                "ModifiedDate": "2026-03-01T00:00:00Z",
            },
        )
        talk.control.load("gs_opportunity", *(renewal(n) for n in range(1, 5)), renewal(5, ModifiedDate=None))
        talk.control.load(
            "call_to_action",
            {
                "Gsid": "1S01CTA1",
                "Name": "Risk",
                "CompanyId": COMPANY,
                "IsClosed": False,
                "StatusId": "New",
                "PriorityId": "High",
                "TypeId": "Risk",
                "DueDate": "2026-04-01",
                "ModifiedDate": "2026-03-01T00:00:00Z",
            },
        )
        yield with_stage_items(talk)


def with_stage_items(talk: Talk) -> Talk:
    """The pick-list items, as an operator copies them from what `check` lists."""
    said = talk.connector.check(talk.client, talk.config).partition("stages: ")[2].rstrip(".")
    items = dict(part.split(" = ") for part in said.split(", "))
    settings = {
        **talk.config.settings,
        "stage_on_hold_item": items["On Hold"],
        "stage_in_progress_item": items["In Progress"],
    }
    return replace(talk, config=replace(talk.config, settings=settings))


def settings(talk: Talk, **values: Any) -> None:
    talk.control.change(collection="settings", object={"id": "settings"} | values)


# -- reading --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["auto", "list", "records"])
def test_every_stream_gives_its_facts_in_either_shape(talk: Talk, shape: str) -> None:
    settings(talk, data_shape=shape)
    facts = {key: fact for stream in talk.connector.streams for key, fact in talk.facts(stream.name).items()}
    company = facts[("customer", COMPANY)]
    assert company.refs == pointing("customer", {"same_as": "crm:0015500000Xyy06AAB"})
    assert company.fields["arr"] == Money(Decimal(998765), "EUR")
    assert company.fields["stage"] == "Launched"
    assert company.fields["renewal_on"].isoformat() == "2026-12-31"  # type: ignore[union-attr]
    first = facts[("renewal", renewal(1)["Gsid"])]
    assert first.fields["stage"] == "in_progress"
    assert first.refs == pointing(
        "renewal", {"customer": f"{talk.config.slug}:{COMPANY}", "opportunity": "crm:006q000000HddohAAB"}
    )
    assert len([key for key in facts if key[0] == "renewal"]) == 5  # also the one that was never modified
    assert facts[("call_to_action", "1S01CTA1")].fields["status"] == "New"


@pytest.mark.parametrize("empty", ["auto", "failure_200", "failure_400"])
def test_nothing_found_has_three_shapes_and_is_no_error(talk: Talk, empty: str) -> None:
    settings(talk, empty=empty)
    assert talk.items("deletions") == []
    assert talk.read("renewal", "1P06NOTTHERE") is None


@pytest.mark.parametrize("hours", [-11, 0, 14])
def test_a_change_is_found_whatever_zone_the_tenant_reads_filters_in(talk: Talk, hours: int) -> None:
    settings(talk, zone_hours=hours)
    watermark = talk.pull("renewals")[-1].watermark
    known = {item.dedup_key for item in talk.items("renewals", watermark)}
    talk.control.change(collection="gs_opportunity", id=renewal(2)["Gsid"], set={"RenewalStage": "Closed Won"}, event=None)
    fresh = [item for item in talk.items("renewals", watermark) if item.dedup_key not in known]
    assert [fact.fields["stage"] for item in fresh for fact in talk.said(item)] == ["won"]


def test_pages_go_on_by_id_and_show_each_record_once(talk: Talk) -> None:
    many = [renewal(1) | {"Gsid": f"1P07MANY{n:028d}"} for n in range(2300)]
    talk.control.load("gs_opportunity", *many)
    pages = talk.pull("renewals")
    ids = [item.dedup_key.split(":")[1] for page in pages for item in page.items]
    assert [page.done for page in pages] == [False, False, True]
    assert len(ids) == len(set(ids)) == 2305
    assert pages[0].watermark.startswith("load ")
    resumed = talk.pull("renewals", pages[1].watermark)
    assert len([item for page in resumed for item in page.items]) == 305


def test_a_company_that_was_deleted_is_a_tombstone(talk: Talk) -> None:
    at = {"RecordId": COMPANY, "DeletedOn": "2026-11-20T07:17:16Z", "ObjectName": "Company"}
    talk.control.load("record_delete_log", at)
    facts = talk.facts("deletions")
    assert [(key, fact.deleted) for key, fact in facts.items()] == [(("customer", COMPANY), True)]


def test_a_field_that_the_tenant_dropped_stops_the_stream_with_its_name(talk: Talk) -> None:
    settings(talk, dropped_fields={"company": ["SfdcAccountId"]})
    talk.client.forget("metadata:company")
    with pytest.raises(Refused) as refused:
        talk.pull("companies")
    assert "SfdcAccountId" in refused.value.reason


def test_an_optional_field_that_the_tenant_does_not_have_is_not_asked_for(talk: Talk) -> None:
    settings(talk, dropped_fields={"company": ["Arr"]})
    talk.client.forget("metadata:company")
    assert talk.facts("companies")[("customer", COMPANY)].fields["arr"] is None


@pytest.mark.parametrize("options", ["given", "by category"])
def test_labels_come_with_describe_or_by_the_category_that_it_names(talk: Talk, options: str) -> None:
    """Beside the category's id stands its label, which is one word for a field such as Stage; no address takes it."""
    if options == "by category":
        _, described = described_by_the_vendor(talk)
        for field in described["data"][0]["fields"]:
            field["options"] = []
        talk.control.fault("POST", "/describe", times=1, status=200, body=json.dumps(described))
    talk.client.forget("metadata:company")
    assert talk.facts("companies")[("customer", COMPANY)].fields["stage"] == "Launched"
    asked = [call["path"] for call in talk.control.get("requests") if "/dropdowns/" in call["path"]]
    assert bool(asked) == (options == "by category")
    assert all(path.rpartition("/")[2].startswith("1I00") for path in asked)


def described_by_the_vendor(talk: Talk) -> tuple[int, Any]:
    """What describe answers about companies."""
    token = talk.client.remembered("token")
    body = {"objectNames": ["company"], "populatePickListOptions": "true"}
    answer = requests.post(
        f"{talk.config.base_url}/v1/meta/services/objects/describe",
        json=body,
        headers={"Authorization": f"Bearer {token}"},
        timeout=5,
    )
    return answer.status_code, answer.json()


def test_a_renewal_at_a_stage_of_the_tenants_own_is_read_but_for_its_stage(talk: Talk) -> None:
    talk.control.load("gs_opportunity", renewal(6, RenewalStage="Legal Review"), renewal(7, RenewalStage="ON-HOLD"))
    talk.client.forget("metadata:gs_opportunity")
    facts = talk.facts("renewals")
    kept = facts[("renewal", renewal(6)["Gsid"])]
    assert kept.unread == {"stage": Unread("Legal Review", "value_unknown")}
    unknown = kept.fields
    assert unknown.keys().isdisjoint({"stage", "held", "is_closed"})
    assert unknown["target_amount"] == Money.parse("1000.10", "EUR")
    spelt = facts[("renewal", renewal(7)["Gsid"])].fields
    assert (spelt["stage"], spelt["held"], spelt["is_closed"]) == ("on_hold", True, False)


def probed(talk: Talk, **values: str) -> dict[str, tuple[bool, str]]:
    config = Config("other", talk.config.base_url, {**talk.config.settings, **values})
    assert talk.connector.probe is not None
    return {each.name: (each.works, each.said) for each in talk.connector.probe(talk.client, config)}


STREAMS = ("companies", "renewals", "ctas", "deletions: record_delete_log", "deletions: record_delete_log_high_volume")
CHANGES = ("hold_renewal", "release_renewal")
NOT_TRIED = "the write itself is not tried: it would change a renewal"


def test_every_object_and_change_is_tried_and_nothing_is_written(talk: Talk) -> None:
    assert probed(talk) == dict.fromkeys(STREAMS, (True, "")) | dict.fromkeys(CHANGES, (True, NOT_TRIED))
    assert writes(talk) == 0


def test_what_a_tenant_lacks_is_told_for_each_stream_and_change(talk: Talk) -> None:
    talk.control.load("gs_opportunity", renewal(6, RenewalStage="Legal Review"))
    settings(
        talk,
        dropped_fields={"gs_opportunity": ["HoldReference__gc", "ExternalId"], "company": ["SfdcAccountId"]},
        fixed_fields={"gs_opportunity": ["RenewalStage"]},
    )
    told = probed(talk)
    assert told["companies"] == (False, "Gainsight's company has no field SfdcAccountId any more.")
    assert told["renewals"] == (
        True,
        "without ExternalId, HoldReference__gc, which Gainsight does not describe; "
        "these stages are none that the ledger knows: Legal Review",
    )
    assert told["ctas"] == (True, "")
    for change in CHANGES:
        assert told[change] == (False, "Gainsight's gs_opportunity has no field HoldReference__gc.")
    settings(talk, fixed_fields={"gs_opportunity": ["RenewalStage"]})
    assert probed(talk)["hold_renewal"] == (False, "Gainsight does not let RenewalStage of gs_opportunity be updated.")


def test_what_a_connection_does_not_say_is_told_for_each_change(talk: Talk) -> None:
    told = probed(talk, hold_reason_field="", stage_in_progress_item="")
    assert told["hold_renewal"] == (False, "The connection does not say which field of a renewal takes a hold's reason.")
    assert not told["release_renewal"][0]
    told = probed(talk, stage_in_progress_item=talk.config.get("stage_on_hold_item"))
    assert told["hold_renewal"][0]
    assert told["release_renewal"] == (False, "The configured pick-list item is not 'In Progress' in Gainsight.")


@pytest.mark.parametrize("setting", ["hold_reason_field", "hold_reference_field"])
def test_without_the_field_that_it_writes_no_hold_is_composed(talk: Talk, setting: str) -> None:
    assert {s.default for s in talk.connector.settings if s.name == setting} == {""}
    bare = replace(talk, config=replace(talk.config, settings={**talk.config.settings, setting: ""}))
    with pytest.raises(Refused, match=f"a hold's {setting.split('_')[1]}") as refused:
        composed(bare)
    assert refused.value.code == "setting_missing"


def test_a_holds_reason_and_its_reference_do_not_share_a_field(talk: Talk) -> None:
    for wrong in ({"hold_reason_field": "HoldReference__gc"}, {"hold_reference_field": "RenewalStage"}):
        with pytest.raises(Refused, match="a field of their own each"):
            composed(replace(talk, config=replace(talk.config, settings={**talk.config.settings, **wrong})))
    assert probed(talk, started_field="CloseDate")["renewals"] == (True, "")


def test_a_field_that_the_tenant_does_not_have_is_named_before_anything_is_sent(talk: Talk) -> None:
    call = composed(talk)
    settings(talk, dropped_fields={"gs_opportunity": ["HoldReason__gc"]})
    talk.client.forget("metadata:gs_opportunity")
    with pytest.raises(Refused, match="no field HoldReason__gc") as refused:
        post(talk, call)
    assert refused.value.code == "field_missing"
    assert talk.calls("PUT", WRITE_PATH) == 0


def test_a_token_that_was_forgotten_is_renewed_once(talk: Talk) -> None:
    settings(talk, forget_tokens=True)
    assert talk.facts("companies")
    assert talk.calls("POST", "/oauth/token") == 2


def test_wrong_credentials_are_refused(talk: Talk) -> None:
    config = Config("wrong", talk.config.base_url, {**talk.config.settings, "client_secret": "wrong"})
    with HttpClient(config, allow_loopback=True, limits=FAST) as client, pytest.raises(Refused):
        talk.connector.check(client, config)


def test_the_minute_window_is_later(talk: Talk) -> None:
    settings(talk, minute_limit=0)
    with pytest.raises(RetryLater):
        talk.pull("companies")


# -- holding --------------------------------------------------------------------------------------------------------

RENEWAL = renewal(1)["Gsid"]


def composed(talk: Talk, operation: str = "hold_renewal", key: str = "rvo-2-1", **over: Any) -> Call:
    stage = "in_progress" if operation == "hold_renewal" else "on_hold"
    stored = {"renewal": ref(RENEWAL), "reason": "The amendment is not billed yet", "from_stage": stage, **over}
    return talk.connector.writing().compose(talk.config, key, read_change({"change": operation, **stored}))


def ref(key: object) -> dict[str, object]:
    return {"system": "gainsight", "object_type": "renewal", "id": key}


def post(talk: Talk, call: Call) -> Receipt:
    return talk.connector.writing().post(talk.client, talk.config, call)


def found(talk: Talk, call: Call) -> Receipt | None:
    return talk.connector.writing().find_posted(talk.client, talk.config, call)


def writes(talk: Talk) -> int:
    """How often the vendor's own ledger changed the renewal: the judge."""
    return sum(1 for effect in talk.effects() if effect["collection"] == "gs_opportunity")


def test_a_renewal_is_held_once_and_released(talk: Talk) -> None:
    call = composed(talk)
    assert found(talk, call) is None
    receipt = post(talk, call)
    assert (receipt.object_type, receipt.external_id) == ("renewal", RENEWAL)
    assert post(talk, call).external_id == RENEWAL
    assert writes(talk) == 1
    held = talk.read("renewal", RENEWAL)
    assert held is not None
    assert (held.fields["stage"], held.fields["held"]) == ("on_hold", True)
    assert held.fields["hold_reason"] == "The amendment is not billed yet"
    assert held.refs["change"] == (Ref.posting("rvo-2-1"),)
    post(talk, composed(talk, "release_renewal", "rvo-2-2"))
    released = talk.read("renewal", RENEWAL)
    assert released is not None
    assert released.fields["stage"] == "in_progress"
    assert writes(talk) == 2


@pytest.mark.parametrize(
    "fault",
    [
        {"reset": "after"},
        {"after_effect": True, "status": 500, "body": "{}"},
        {"after_effect": True, "status": 200, "body": "<html>log in</html>"},
        {"after_effect": True, "status": 200, "body": '{"result":true,"data":{"count":0,"errors":null,"records":[]}}'},
        {"after_effect": True, "delay_seconds": 4},
    ],
    ids=["reset", "500", "login-page", "count-0", "silence"],
)
def test_an_unclear_answer_after_the_effect_is_unknown_then_found(talk: Talk, fault: dict[str, Any]) -> None:
    call = composed(talk)
    talk.control.fault("PUT", WRITE_PATH, times=1, **fault)
    with pytest.raises(Unknown):
        post(talk, call)
    assert found(talk, call) is not None
    post(talk, call)
    assert writes(talk) == 1


def test_an_unclear_answer_without_effect_is_unknown_then_absent(talk: Talk) -> None:
    call = composed(talk)
    talk.control.fault("PUT", WRITE_PATH, times=1, reset="before")
    with pytest.raises(Unknown):
        post(talk, call)
    assert found(talk, call) is None
    post(talk, call)
    assert writes(talk) == 1


def test_too_many_requests_leaves_the_outcome_open(talk: Talk) -> None:
    call = composed(talk)
    talk.control.fault("PUT", WRITE_PATH, times=1, status=429, body="{}")
    with pytest.raises(Unknown):
        post(talk, call)
    assert writes(talk) == 0


def test_a_refusal_inside_a_200_is_refused(talk: Talk) -> None:
    body = '{"result":false,"errorCode":"GSOBJ_1002","errorDesc":"Secret Corp","requestId":"x","data":null}'
    talk.control.fault("PUT", WRITE_PATH, times=1, status=200, body=body)
    with pytest.raises(Refused) as refused:
        post(talk, composed(talk))
    assert "GSOBJ_1002" in refused.value.reason
    assert "Secret Corp" not in refused.value.reason
    assert writes(talk) == 0


def test_a_read_that_lags_is_unknown(talk: Talk) -> None:
    call = composed(talk)
    talk.control.fault("PUT", WRITE_PATH, times=1, read_lag_seconds=30)
    with pytest.raises(Unknown):
        post(talk, call)
    assert writes(talk) == 1


def test_a_renewal_that_somebody_moved_meanwhile_is_left_alone(talk: Talk) -> None:
    call = composed(talk)
    talk.control.change(collection="gs_opportunity", id=RENEWAL, set={"RenewalStage": "Closed Won"}, event=None)
    with pytest.raises(Refused) as refused:
        post(talk, call)
    assert refused.value.code == "changed_meanwhile"
    assert writes(talk) == 0


def test_our_reference_with_another_stage_is_refused(talk: Talk) -> None:
    call = composed(talk)
    post(talk, call)
    talk.control.change(collection="gs_opportunity", id=RENEWAL, set={"RenewalStage": "Closed Lost"}, event=None)
    with pytest.raises(Refused) as refused:
        found(talk, call)
    assert refused.value.code == "posted_differs"


def test_a_pick_list_item_that_means_something_else_is_refused(talk: Talk) -> None:
    settings = {**talk.config.settings, "stage_on_hold_item": talk.config.get("stage_in_progress_item")}
    wrong = replace(talk, config=replace(talk.config, settings=settings))
    with pytest.raises(Refused) as refused:
        post(wrong, composed(wrong))
    assert refused.value.code == "setting_invalid"
    assert writes(talk) == 0


@pytest.mark.parametrize(
    "over",
    [
        {"renewal": ref("../company/1")},
        {"renewal": ref(None)},
        {"renewal": None},
        {"reason": ""},
        {"reason": "x" * 251},
        {"reason": "two\nlines"},
        {"from_stage": "on_hold"},
        {"from_stage": "somewhere"},
        {"from_stage": None},
    ],
)
def test_what_cannot_be_sent_is_refused_by_the_change_or_by_the_connector(talk: Talk, over: dict[str, Any]) -> None:
    with pytest.raises((Refused, Rejected)):
        composed(talk, **over)


def test_without_the_pick_list_item_nothing_is_composed(talk: Talk) -> None:
    bare = replace(talk, config=Config("bare", talk.config.base_url, {}))
    with pytest.raises(Refused):
        composed(bare)
    with pytest.raises(Refused):
        talk.connector.writing().compose(talk.config, "rvo-1", a_credit_memo(talk.config.slug))
