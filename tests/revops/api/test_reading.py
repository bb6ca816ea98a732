"""What the API shows: pages, filters, the ledger at a moment, deliveries and connections without secrets."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from revops.accounts.models import Account
from revops.audit.models import ActionRecord
from revops.people.models import Role
from sync.models import Delivery, DeliveryState
from tests.revops import world
from tests.revops.api.caller import Caller, Company, body, code, dead_letter, errors

FIN, AUD, ADM = Role.FINANCE_ANALYST, Role.AUDITOR, Role.ADMIN


def results(caller: Caller, path: str) -> list[dict[str, Any]]:
    answer = caller.get(path)
    assert answer.status_code == 200, answer.content
    found: list[dict[str, Any]] = body(answer)["results"]
    return found


# --- pages -----------------------------------------------------------------------------------------------------------


def every_page(caller: Caller, path: str) -> list[int]:
    """The ids of all pages, following `next` as it is given."""
    ids: list[int] = []
    where: str | None = path
    while where:
        answer = caller.get(where)
        page = body(answer)
        assert answer.status_code == 200, page
        ids += [row["id"] for row in page["results"]]
        where = page["next"].removeprefix("http://testserver") if page["next"] else None
    return ids


@pytest.mark.parametrize("path", ["records/", "audit/", "accounts/", "deliveries/"])
def test_following_next_shows_every_row_once(company: Company, path: str) -> None:
    caller = company[AUD]
    for number in range(7):
        Account.objects.create(name=f"Account {number}")
    at_once = [row["id"] for row in results(caller, f"{path}?page_size=200")]
    assert len(at_once) > 1
    assert every_page(caller, f"{path}?page_size=2") == at_once
    assert at_once == sorted(at_once, reverse=path != "accounts/")


def test_a_row_that_comes_in_between_moves_no_page(company: Company) -> None:
    caller = company[AUD]
    first = body(caller.get("deliveries/?page_size=1"))
    before = [row["id"] for row in results(caller, "deliveries/")]
    dead_letter(2)
    second = body(caller.get(first["next"].removeprefix("http://testserver")))
    assert [row["id"] for row in (*first["results"], *second["results"])] == before
    back = body(caller.get(second["previous"].removeprefix("http://testserver")))
    assert back["results"][-1]["id"] == first["results"][0]["id"]


LISTS = ["accounts/", "records/", "cases/", "change-plans/", "postings/", "audit/", "deliveries/", "connections/"]


@pytest.mark.parametrize("path", LISTS)
def test_a_page_costs_the_same_however_many_rows(company: Company, path: str) -> None:
    caller = company[AUD]

    def asked() -> int:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            results(caller, path)
        return len(queries)

    asked()
    before = asked()
    for number in range(3):
        dead_letter(number + 10)
        Account.objects.create(name=f"Another {number}")
        world.credit_plan(company.people[FIN], company.case, f"{number + 1}.00")
    assert asked() == before <= 10


# --- accounts and ledger ---------------------------------------------------------------------------------------------


def test_accounts_are_found_by_a_part_of_their_name(company: Company) -> None:
    caller = company[Role.CS_ANALYST]
    Account.objects.create(name="100% Pure_Water")
    assert [row["name"] for row in results(caller, "accounts/?search=hAld")] == ["Halden"]
    assert [row["name"] for row in results(caller, "accounts/?search=0%25")] == ["100% Pure_Water"]
    assert [row["name"] for row in results(caller, "accounts/?search=e_W")] == ["100% Pure_Water"]
    assert results(caller, "accounts/?search=%25%25") == []
    (account,) = results(caller, "accounts/?search=Halden")
    assert ("salesforce", world.CRM_ID) in {(link["system"], link["customer_id"]) for link in account["links"]}
    assert {link["system"]: link["customer_id"] for link in account["links"]}["netsuite"] == world.CUSTOMER
    assert body(caller.get(f"accounts/{account['id']}/")) == account


def test_the_ledger_says_money_exactly_and_as_text(company: Company) -> None:
    answer = company[FIN].get(f"accounts/{company.case.account_id}/ledger/")
    shown = json.loads(answer.content, parse_float=lambda text: pytest.fail(f"a float on the wire: {text}"))
    (invoice,) = [r for r in shown["records"] if (r["system"], r["object_type"]) == ("netsuite", "invoice")]
    assert invoice["fields"]["total"] == {"amount": "1000.00", "currency": "USD"}
    assert invoice["role"] == "erp"
    lines = {line["system"]: line for line in shown["statement"]}
    assert lines["netsuite"]["debit"] == {"amount": "1000.00", "currency": "USD"}
    assert lines["netsuite"]["credit"] is None
    assert lines["stripe"]["balance"] == {"amount": "880.00", "currency": "USD"}


def test_the_ledger_as_of_a_day_and_as_known_then(company: Company) -> None:
    caller, path = company[FIN], f"accounts/{company.case.account_id}/ledger/"

    def totals(query: str) -> list[str]:
        found = body(caller.get(f"{path}?{query}"))["records"]
        return [r["fields"]["total"]["amount"] for r in found if (r["system"], r["object_type"]) == ("netsuite", "invoice")]

    learned = world.now()
    company.record.refresh_from_db()
    world.say("netsuite", world.entered(world.usd("880.00")))
    assert totals("") == ["880.00"]
    assert totals(f"known_at={learned:%Y-%m-%dT%H:%M:%S.%fZ}") == ["1000.00"]
    assert totals(f"as_of={world.days_ago(4):%Y-%m-%dT%H:%M:%SZ}") == []
    assert totals("as_of=2020-01-01T00:00:00%2B02:00") == []


@pytest.mark.parametrize(
    "moment",
    [
        "yesterday", "2026-11-23", "2026-11-23T14:05:00", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00",
        "9999-12-31T23:59:59-14:00", "%00", "2026-11-23T14:05:00Z%00", "1e400", "x" * 5000,
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["as_of", "known_at"])
def test_a_moment_that_cannot_be_meant(company: Company, name: str, moment: str) -> None:
    answer = company[FIN].get(f"accounts/{company.case.account_id}/ledger/?{name}={moment}")
    assert code(answer) == (400, "invalid")
    assert set(errors(answer)) == {name}


def test_the_first_and_the_last_moment_are_moments(company: Company) -> None:
    for moment in ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"):
        assert company[FIN].get(f"accounts/{company.case.account_id}/ledger/?as_of={moment}").status_code == 200


def test_records_and_their_versions(company: Company) -> None:
    caller = company[FIN]
    world.say("netsuite", world.entered(world.usd("990.00")))
    found = results(caller, "records/?system=netsuite&object_type=invoice&external_id=700")
    assert [row["fields"]["total"]["amount"] for row in found] == ["990.00"]
    assert body(caller.get(f"records/{found[0]['id']}/")) == found[0]
    versions = results(caller, f"records/{found[0]['id']}/entries/")
    assert [(e["arrival"], e["fields"]["total"]["amount"]) for e in versions] == [("newer", "990.00"), ("first", "1000.00")]
    account = company.case.account_id
    assert {row["account"] for row in results(caller, f"records/?account={account}&page_size=200")} == {account}
    assert {row["account"] for row in results(caller, "records/?unlinked=true&page_size=200")} <= {None}
    assert len(results(caller, "records/?object_type=invoice&object_type=customer")) == 6


# --- cases, plans, audit ---------------------------------------------------------------------------------------------


def test_a_case_is_shown_with_its_evidence_and_version(company: Company) -> None:
    answer = company[Role.APPROVER].get(f"cases/{company.case.pk}/")
    shown = body(answer)
    assert answer["ETag"] == f'"v{shown["row_version"]}"'
    assert (shown["rule"], shown["severity"], shown["owner"]) == ("invoice_amount_mismatch", "High", None)
    assert shown["money_at_risk"] == {"amount": "120.00", "currency": "USD"}
    assert shown["evidence"]["differences"]


def test_filters_narrow(company: Company) -> None:
    caller, case = company[FIN], company.case
    assert [c["id"] for c in results(caller, "cases/?status=open&status=snoozed&team=finance")] == [case.pk]
    assert [c["id"] for c in results(caller, f"cases/?rule=invoice_amount_mismatch&account={case.account_id}")] == [case.pk]
    for none in ("cases/?status=closed", "cases/?team=customer_success", "cases/?rule=invoice_not_posted", "cases/?account=0"):
        assert results(caller, none) == []
    assert [p["id"] for p in results(caller, f"change-plans/?state=submitted&case={case.pk}")] == [company.plan.pk]
    assert results(caller, "change-plans/?state=draft") == []
    assert [p["id"] for p in results(caller, f"postings/?state=planned&plan={company.plan.pk}")] == [company.posting.pk]
    assert results(caller, "postings/?state=posted") == []


def test_a_plan_shows_what_will_be_signed_and_sent(company: Company) -> None:
    shown = body(company[Role.APPROVER].get(f"change-plans/{company.plan.pk}/"))
    assert shown["digest"] == company.plan.digest
    assert shown["moves"] == {"amount": "100.00", "currency": "USD"}
    assert [(c["role"], c["sequence"]) for c in shown["checkpoints"]] == [("approver", 1)]
    (posting,) = shown["postings"]
    assert (posting["key"], posting["method"]) == (company.posting.key, "POST")
    assert posting["body_digest"] == company.posting.body_digest
    assert {"headers", "body", "params", "fence"}.isdisjoint(posting)


def test_the_audit_log_is_read_by_its_filters(company: Company) -> None:
    caller = company[AUD]
    (submitted,) = results(caller, f"audit/?subject=changeplan:{company.plan.pk}&verb=plan.submit")
    assert submitted["actor_label"] == "finance_analyst@example.com"
    assert {row["case_id"] for row in results(caller, f"audit/?case={company.case.pk}")} == {company.case.pk}
    assert results(caller, f"audit/?account={company.case.account_id}&actor=nobody@example.com") == []
    assert len(results(caller, "audit/?page_size=200")) == ActionRecord.objects.count()


def test_an_action_carries_the_id_of_its_request(company: Company) -> None:
    answer = company[FIN].post(f"cases/{company.case.pk}/notes/", {"text": "Called"})
    assert ActionRecord.objects.get(verb="case.comment").request_id == answer["X-Request-Id"]


def test_a_caller_cannot_make_an_action_look_like_part_of_another_request(company: Company) -> None:
    first = company[FIN].post(f"cases/{company.case.pk}/notes/", {"text": "Called"})["X-Request-Id"]
    answer = company[FIN].post(f"cases/{company.case.pk}/notes/", {"text": "Again"}, X_Request_Id=first)
    assert answer["X-Request-Id"] != first
    assert ActionRecord.objects.filter(verb="case.comment", request_id=first).count() == 1


def test_instants_are_utc_whatever_the_reader_set(company: Company) -> None:
    user = company.people[FIN]
    user.time_zone = "Asia/Tokyo"
    user.save()
    caller = Caller(user)
    caller.client.force_login(user)  # the pages would show Tokyo's time
    shown = dt.datetime.fromisoformat(body(caller.get(f"cases/{company.case.pk}/"))["opened_at"])
    assert (shown.utcoffset(), shown) == (dt.timedelta(0), company.case.opened_at)


# --- deliveries and connections --------------------------------------------------------------------------------------


def test_i59_dead_letters_are_listed_without_what_they_carried(company: Company) -> None:
    answer = company[ADM].get("deliveries/?state=quarantined&connection=netsuite")
    (shown,) = body(answer)["results"]
    assert (shown["id"], shown["reason_code"]) == (company.delivery.pk, "key_conflict")
    assert shown["conflicts_with"] != shown["id"]
    single = company[ADM].get(f"deliveries/{company.delivery.pk}/")
    for secret in (b"body-content", b"never shown", b"X-Secret"):
        assert secret not in answer.content + single.content
    assert results(company[ADM], "deliveries/?state=applied") == []
    assert len(results(company[ADM], f"deliveries/?trace_id={company.delivery.trace_id}")) == 1


def test_a_replay_puts_it_back_once_and_says_who_asked(company: Company) -> None:
    caller, path = company[ADM], f"deliveries/{company.delivery.pk}/replay/"
    answer = caller.post(path, {"reason": "The right one"})
    assert (answer.status_code, body(answer)["state"], body(answer)["replays"]) == (202, "pending", 1)
    action = ActionRecord.objects.get(verb="delivery.replay")
    assert (action.actor_label, action.reason) == ("admin@example.com", "The right one")
    assert code(caller.post(path, {"reason": "The right one"})) == (422, "delivery_pending")
    assert code(caller.post("deliveries/999999/replay/", {"reason": "x"})) == (404, "not_found")
    assert Delivery.objects.get(pk=company.delivery.pk).state == DeliveryState.PENDING


def test_i59_connections_show_no_secret(company: Company) -> None:
    answer = company[ADM].get("connections/")
    shown, _ = body(answer)["results"]
    assert set(shown) == {
        "slug", "name", "role", "vendor", "base_url", "active", "posting_enabled", "last_problem", "last_problem_at",
        "circuit",
    }  # fmt: skip
    for secret in (b"unused", b"demo-client-id", b"private_key", b"secret"):
        assert secret not in answer.content
