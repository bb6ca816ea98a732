"""Each vendor's objects are right in themselves: ids have their vendor's form, documents add up, and who is billed is counted."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest

from demo.companies import COMPANIES
from demo.companies.situations import Situation
from tests.companies.made import Json, bodies, latest, made

SEEDS = (1, 2)
EACH = pytest.mark.parametrize(("company", "seed"), [(company, seed) for company in COMPANIES for seed in SEEDS])
PREFIXES = {
    "customer": "cus", "subscription": "sub", "invoice": "in", "invoice_payment": "inpay", "credit_note": "cn",
    "invoiceitem": "ii",
}  # fmt: skip


def crm_ids(situation: Situation) -> Iterator[str]:
    for kind in ("customer", "contract", "opportunity"):
        for record in bodies(situation, "salesforce", kind):
            yield record["Id"]
            yield from (record[name] for name in ("AccountId", "ContractId", "MasterRecordId") if record.get(name))


def is_salesforce_id(id: str) -> bool:
    """Whether the last three of 18 characters say which of the others are capital letters: bit by bit, from the last."""
    if not re.fullmatch(r"[0-9A-Za-z]{18}", id):
        return False
    bits = "".join("1" if "A" <= letter <= "Z" else "0" for letter in id[:15])
    told = [int(bits[start : start + 5][::-1], 2) for start in (0, 5, 10)]
    return id[15:] == "".join("ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"[number] for number in told)


@EACH
def test_ids_have_the_form_of_their_vendor(company: str, seed: int) -> None:
    for situation in made(company, seed):
        assert all(map(is_salesforce_id, crm_ids(situation))), situation.name
        assert all(re.fullmatch(r"1P02[0-9A-Z]{32}", id) for id in _companies(situation)), situation.name
        for kind, prefix in PREFIXES.items():
            assert all(re.fullmatch(f"{prefix}_[0-9A-Za-z]{{24}}", id) for id in latest(situation, "stripe", kind)), (
                situation.name
            )
        for kind in ("invoice", "payment", "credit_memo", "sales_order"):
            for body in bodies(situation, "netsuite", kind):
                assert re.fullmatch(r"[0-9]{4,7}", body["transaction"]["id"]), situation.name


def _companies(situation: Situation) -> Iterator[str]:
    return (body["record"]["Gsid"] for body in bodies(situation, "gainsight", "customer"))


@EACH
def test_no_id_is_of_two_kinds(company: str, seed: int) -> None:
    for situation in made(company, seed):
        kinds: dict[str, str] = {}
        for kind in ("invoice", "payment", "credit_memo", "sales_order"):
            for body in bodies(situation, "netsuite", kind):
                assert kinds.setdefault(body["transaction"]["id"], kind) == kind, situation.name


@EACH
def test_billings_invoices_add_up(company: str, seed: int) -> None:
    for situation in made(company, seed):
        for invoice in bodies(situation, "stripe", "invoice"):
            lines = sum(line["amount"] for line in invoice["lines"]["data"])
            discounts = sum(each["amount"] for each in invoice["total_discount_amounts"])
            taxes = sum(each["amount"] for each in invoice["total_taxes"])
            assert lines == invoice["subtotal"], situation.name
            assert lines - discounts + taxes == invoice["total"], situation.name
            assert invoice["amount_paid"] + invoice["amount_remaining"] == invoice["amount_due"], situation.name
            assert invoice["amount_due"] + invoice["pre_payment_credit_notes_amount"] == invoice["total"], situation.name
            assert (invoice["status"] == "draft") == (invoice["number"] is None), situation.name


@EACH
def test_the_erps_documents_add_up(company: str, seed: int) -> None:
    for situation in made(company, seed):
        for body in bodies(situation, "netsuite", "invoice"):
            row = body["transaction"]
            covered = sum((Decimal(link["foreignamount"]) for link in body["applications"]), Decimal(0))
            paid, unpaid = Decimal(row["foreignamountpaid"]), Decimal(row["foreignamountunpaid"])
            assert covered == paid, situation.name
            assert paid + unpaid == Decimal(row["foreignamount"]), situation.name
            assert row["status"] == ("V" if not Decimal(row["foreignamount"]) else "A" if unpaid else "B"), situation.name
        for kind in ("payment", "credit_memo"):
            for body in bodies(situation, "netsuite", kind):
                covers = sum((Decimal(link["foreignamount"]) for link in body["applications"]), Decimal(0))
                assert covers <= abs(Decimal(body["transaction"]["foreignamount"])), situation.name


REPEATED_HOUR = "2026-11-01 01:"
"""Clocks went back in New York: a stamp of that hour does not tell what came later."""


@EACH
def test_a_later_read_shows_no_earlier_state(company: str, seed: int) -> None:
    for situation in made(company, seed):
        seen: dict[str, str] = {}
        for kind in ("invoice", "payment", "credit_memo"):
            for body in bodies(situation, "netsuite", kind):
                row = body["transaction"]
                before = seen.get(row["id"], "")
                in_it = before.startswith(REPEATED_HOUR) and row["modified"].startswith(REPEATED_HOUR)
                assert before <= row["modified"] or in_it, situation.name
                seen[row["id"]] = row["modified"]


@EACH
def test_documents_lie_in_the_period_of_their_date(company: str, seed: int) -> None:
    for situation in made(company, seed):
        periods = {body["row"]["id"]: body["row"] for body in bodies(situation, "netsuite", "accounting_period")}
        for kind in ("invoice", "payment", "credit_memo"):
            for body in bodies(situation, "netsuite", kind):
                row = body["transaction"]
                period = periods.get(row["postingperiod"])
                assert period is None or period["startdate"] <= row["trandate"] <= period["enddate"], situation.name


@pytest.mark.parametrize("seed", SEEDS)
def test_customer_success_counts_what_is_billed_where_nothing_is_wrong(seed: int) -> None:
    """Of the tidy company, at the end of its practices; of dollars alone."""
    last: dict[str, Situation] = {}
    for situation in made("brightwater", seed):
        if "P" in situation.item:
            last[situation.item] = situation
    for situation in last.values():
        counted = {body["record"]["SfdcAccountId"]: body["record"]["Arr"] for body in bodies(situation, "gainsight", "customer")}
        for customer in latest(situation, "stripe", "customer").values():
            if customer["currency"] == "usd":
                billed = sum(map(_annual, _subscriptions(situation, customer["id"])))
                assert counted[customer["metadata"]["salesforce_account_id"]] * 100 == billed, situation.name


def _subscriptions(situation: Situation, customer: str) -> list[Json]:
    found = latest(situation, "stripe", "subscription").values()
    return [each for each in found if each["customer"] == customer and each["status"] == "active"]


def _annual(subscription: Json) -> int:
    item = subscription["items"]["data"][0]
    cycles = {"month": 12, "year": 1}[item["price"]["recurring"]["interval"]]
    return int(item["price"]["unit_amount"] * item["quantity"] * cycles)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_contract_of_the_tidy_company_is_walked_from_the_crm_to_the_erp_by_keys(seed: int) -> None:
    for situation in made("brightwater", seed):
        if situation.item != "1P7" or situation.state != "paid":
            continue
        numbers = {record["ContractNumber"] for record in bodies(situation, "salesforce", "contract")}
        subscriptions = latest(situation, "stripe", "subscription")
        invoices = latest(situation, "stripe", "invoice")
        copies = {body["transaction"]["externalid"] for body in bodies(situation, "netsuite", "invoice")}
        assert {each["metadata"]["salesforce_contract_number"] for each in subscriptions.values()} <= numbers
        assert {each["parent"]["subscription_details"]["subscription"] for each in invoices.values()} <= set(subscriptions)
        assert set(invoices) == copies
        return
    raise AssertionError("1P7 is not paid in any state")


def test_moments_of_the_books_have_no_zone() -> None:
    for situation in made("ferrobyte", 1):
        for body in bodies(situation, "netsuite", "invoice"):
            assert dt.datetime.fromisoformat(body["transaction"]["modified"]).tzinfo is None
