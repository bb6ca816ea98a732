"""The whole story, through HTTP only: deliveries in, the API for people, the simulators' own ledgers as judge.

One product is started for all of it, as a user would start it, with a company that no other test uses.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest
import redis
from playwright.sync_api import sync_playwright

from tests.browser.conftest import CHROMIUM, FLAGS
from tests.journeys.product import HERO, Product
from tests.launch.test_up import none_left
from tests.launch.test_up import until as until_so

pytestmark = [pytest.mark.timeout(1200), pytest.mark.slow]

STORY = ("renewal_before_amendment", "invoice_before_contract", "close_on_stale_subscription", "invoice_amount_mismatch",
         "invoice_not_posted")  # fmt: skip


def until(true: Callable[[], bool], what: str, timeout_seconds: float) -> None:
    """Ask once a second, as a polite program does: the API limits how often."""
    until_so(true, what, timeout_seconds, every_seconds=1.0)


def hero_case(product: Product, rule: str, status: str = "open") -> dict[str, Any]:
    """The hero's case of that rule, once its chapter has been played."""
    until(lambda: bool(product.cases(rule, account=HERO, status=status)), f"a case {rule} of {HERO}", 180)
    return product.cases(rule, account=HERO, status=status)[0]


def record(case: dict[str, Any], system: str) -> str:
    """The id of the case's record in that system."""
    found: str = next(row["external_id"] for row in case["evidence"]["records"] if row["system"] == system)
    return found


def propose_credit_memo(product: Product, case: dict[str, Any]) -> dict[str, Any]:
    status, plan = product.call(
        "finance", "POST", "change-plans/",
        {
            "kind": "credit_memo", "case": case["id"], "reason": "The ERP carries a line that billing never issued.",
            "inputs": {
                "invoice_id": record(case, "netsuite"), "amount": case["money_at_risk"],
                "on": dt.datetime.now(dt.UTC).date().isoformat(), "memo": f"Correction of {case['code']}",
            },
        },
    )  # fmt: skip
    assert status == 201, plan
    return dict(plan)


def credit_memo_case(product: Product) -> dict[str, Any]:
    """An open amount mismatch, not the hero's, on which the ERP stands above billing and at least that much is still open."""
    found: list[dict[str, Any]] = []

    def there_is_one() -> bool:
        found.extend(case for case in product.cases("invoice_amount_mismatch") if _can_be_credited(case))
        return bool(found)

    until(there_is_one, "a mismatch that a credit memo corrects", 180)
    return found[0]


def _can_be_credited(case: dict[str, Any]) -> bool:
    if HERO in case["account_name"] or case["sentence"]["code"] != "invoice_amount_mismatch.above":
        return False
    values = {
        value["system"]: value["value"]
        for line in case["evidence"]["differences"] if line["field"] == "amount_remaining"
        for value in line["values"]
    }  # fmt: skip
    return Decimal(values["netsuite"]["amount"]) >= Decimal(case["money_at_risk"]["amount"])


def pass_checkpoints(product: Product, plan: dict[str, Any], *, in_browser: bool = False) -> None:
    """Submit as finance; every checkpoint is signed by the person whose role it asks for, by API or in a browser."""
    number = plan["id"]
    status, submitted = product.call("finance", "POST", f"change-plans/{number}/submit/")
    assert (status, submitted["state"]) == (200, "submitted"), submitted
    for checkpoint in submitted["checkpoints"]:
        if in_browser:
            sign_on_a_phone(product, checkpoint["role"], submitted["code"])
            continue
        proof = {"proof": "made-up-company-2026"}
        assert product.call(checkpoint["role"], "POST", "step-up/", proof)[0] == 200
        status, answer = product.call(
            checkpoint["role"], "POST", f"change-plans/{number}/approve/",
            {"digest": submitted["digest"], "meaning": "I checked both documents and approve the credit."},
        )  # fmt: skip
        assert status == 200, answer


def sign_on_a_phone(product: Product, who: str, code: str) -> None:
    """Approve the plan as a person does: from the approvals list, at phone width, with the password as a fresh factor.

    In a thread of its own: the browser tests of the same run may keep an event loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(_sign_on_a_phone, product, who, code).result(timeout=90)


def _sign_on_a_phone(product: Product, who: str, code: str) -> None:
    with sync_playwright() as program:
        browser = program.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 390, "height": 844})
        page.goto(f"http://127.0.0.1:{product.port}/sign-in/")
        page.fill("#username", f"{who}@rehearsal.example")
        page.fill("#password", "made-up-company-2026")
        page.click("form button.main")
        page.goto(f"http://127.0.0.1:{product.port}/approvals/")
        page.click(f"a[href*='/approvals/{code}/']")
        page.click("summary:has-text('Approve and sign')")
        page.fill("#a-proof", "made-up-company-2026")
        page.click(f"button:has-text('Approve and sign {code}')")
        page.wait_for_load_state("networkidle")
        browser.close()


def test_the_five_exceptions_of_the_day_are_found(product: Product) -> None:
    found = {rule: hero_case(product, rule, status="") for rule in STORY}  # tests run in any order: some may have ended
    assert found["renewal_before_amendment"]["team"] == "customer_success"
    assert {"stripe", "netsuite"} <= set(found["close_on_stale_subscription"]["systems"])
    assert found["invoice_before_contract"]["sentence"]["params"]["state"]["word"] in ("in_approval", "draft", "unknown")


def test_a_held_renewal_closes_its_case_by_the_vendors_own_record(product: Product) -> None:
    case = hero_case(product, "renewal_before_amendment")
    renewal = record(case, "gainsight")
    status, plan = product.call(
        "cs", "POST", "change-plans/",
        {
            "kind": "hold_renewal", "case": case["id"], "reason": "The amendment is not finished in billing.",
            "inputs": {"renewal_id": renewal, "hold_reason": "Wait for the amendment."},
        },
    )  # fmt: skip
    assert status == 201, plan
    assert plan["checkpoints"] == []
    status, submitted = product.call("cs", "POST", f"change-plans/{plan['id']}/submit/")
    assert status == 200, submitted
    until(lambda: product.plan(plan["id"])["state"] == "confirmed", "the hold is confirmed", 90)
    until(lambda: product.get("cs", f"cases/{case['id']}/")["status"] == "closed", "the case is closed", 60)
    assert product.simulator("gainsight", f"objects/gs_opportunity/{renewal}")["HoldReference__gc"] == plan["postings"][0]["key"]


def test_a_credit_memo_is_signed_by_somebody_else_and_reaches_the_erp_once(product: Product) -> None:
    case = hero_case(product, "invoice_amount_mismatch")
    plan = propose_credit_memo(product, case)
    key = plan["postings"][0]["key"]
    assert plan["checkpoints"] == []  # named when it is submitted
    body = {"digest": plan["digest"], "meaning": "My own."}
    status, refused = product.call("finance", "POST", f"change-plans/{plan['id']}/approve/", body)
    assert (status, refused["code"]) == (404, "not_found")
    pass_checkpoints(product, plan, in_browser=True)
    until(lambda: product.plan(plan["id"])["state"] == "confirmed", "the credit memo is confirmed", 120)
    until(lambda: product.get("finance", f"cases/{case['id']}/")["status"] == "closed", "the case is closed", 60)
    memos = product.effects(key)
    assert len(memos) == 1
    makers = {decision["decided_by"] for decision in product.plan(plan["id"])["decisions"]}
    assert makers
    assert "finance@rehearsal.example" not in makers
    verbs = {row["verb"] for row in product.get("auditor", f"audit/?case={case['id']}&page_size=200")["results"]}
    assert {"case.open", "plan.compose", "case.close"} <= verbs


def test_i34_a_posting_worker_killed_between_sending_and_recording_posts_once(product: Product) -> None:
    plan = propose_credit_memo(product, credit_memo_case(product))
    key = plan["postings"][0]["key"]
    product.simulator("netsuite", "deliveries", {"paused": True}, method="PUT")  # no word of it but by asking
    fault = {"match": {"method": "POST", "path": "creditMemo"}, "times": 1, "delay_seconds": 20, "after_effect": True}
    product.simulator("netsuite", "faults", fault | {"read_lag_seconds": 15})
    pass_checkpoints(product, plan)
    until(lambda: len(product.effects(key)) == 1, "NetSuite has the credit memo and has not answered", 60)
    assert product.plan(plan["id"])["postings"][0]["state"] == "sending"
    product.kill("-Q posting")
    product.simulator("netsuite", "deliveries", {"paused": False}, method="PUT")
    until(lambda: product.plan(plan["id"])["state"] == "confirmed", "the credit memo is confirmed", 200)
    assert len(product.effects(key)) == 1


def test_i45_emptying_redis_in_the_middle_loses_nothing(product: Product) -> None:
    """Every one of twenty renamings arrives although the bell is silenced after each: the ledger knows each new name."""
    client = redis.Redis.from_url(product.environment["REDIS_URL"])
    names: dict[str, str] = {}
    for number, row in enumerate(product.simulator("stripe", "objects/customers?limit=20")["objects"]):
        names[row["id"]] = f"Renamed {number} while Redis forgot"
        change = {"collection": "customers", "id": row["id"], "set": {"name": names[row["id"]]}, "event": "customer.updated"}
        product.simulator("stripe", "change", change)
        client.flushall()
    assert len(names) == 20

    def unknown() -> set[str]:
        heard = product.get("finance", "records/?system=stripe&object_type=customer&page_size=200")["results"]
        return set(names.values()) - {row["fields"].get("name") for row in heard}

    until(lambda: not unknown(), "every new name is in the ledger", 60)
    none_left(lambda: product.get("finance", "deliveries/?state=pending")["results"], 60, every_seconds=1.0)


def test_everything_planted_is_found_and_nothing_else(product: Product) -> None:
    checked = product.manage("demo", "--check", "--wait", "100")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "missed 0 false 0" in checked.stdout
