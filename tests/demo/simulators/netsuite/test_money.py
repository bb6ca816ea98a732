"""Records and money: what a credit memo and a payment do, and what is refused."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.demo.simulators.netsuite.account import Account, credit_memos, reason


def test_record_shows_the_same_row_as_suiteql(account: Account) -> None:
    invoice = account.read("invoice/eid:in_700")
    assert invoice["id"] == "700"
    assert (invoice["total"], invoice["amountRemaining"], invoice["amountPaid"]) == (Decimal("1190.50"),) * 2 + (0,)
    assert invoice["status"] == {"id": "A", "refName": "Open"}
    assert invoice["entity"]["externalId"] == "001000000000001AAA"
    assert "items" not in invoice["item"]
    lines = account.read("invoice/700?expandSubResources=true")["item"]["items"]
    assert [line["amount"] for line in lines] == [Decimal("1190.50")]
    assert set(account.read("invoice/700?fields=total")) == {"links", "id", "total"}
    assert reason(account.record("GET", "invoice/eid:nope"))[:2] == (404, "NONEXISTENT_ID")
    assert account.record("GET", "creditMemo/700").status_code == 404


def test_credit_memo_settles_the_invoice_to_the_cent(account: Account) -> None:
    answer = account.credit("190.50")
    assert (answer.status_code, answer.content) == (204, b"")
    memo = account.read("creditMemo/" + answer.headers["Location"].rsplit("/", 1)[1])
    assert (memo["total"], memo["applied"], memo["unapplied"]) == (Decimal("190.50"), Decimal("190.50"), 0)
    assert (memo["status"]["id"], memo["externalId"], memo["createdFrom"]["id"]) == ("B", "rvo-1", "700")
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1000.00")
    link = "SELECT previousdoc, nextdoc, linktype FROM nexttransactionlink"
    expected = {"previousdoc": "700", "nextdoc": memo["id"], "linktype": "Payment"}
    assert account.rows(link) == [expected]
    lines = "SELECT previousdoc, nextdoc, linktype, foreignamount FROM {}transactionlinelink"
    assert (
        account.rows(lines.format("next")) == [expected | {"foreignamount": "190.50"}] == account.rows(lines.format("previous"))
    )
    assert account.rows("SELECT foreignamountunpaid FROM transactionline WHERE transaction = 700 AND mainline = 'T'") == [
        {"foreignamountunpaid": "1000.00"}
    ]


def test_ledger_of_a_credit_memo_balances_in_base_currency(account: Account) -> None:
    items = {"items": [{"item": {"id": "9001"}, "amount": amount} for amount in ("33.33", "33.33", "33.34")]}
    assert account.credit("", item=items).status_code == 204
    sides = account.rows(
        "SELECT debit, credit, amount FROM transactionaccountingline WHERE transaction = 701 ORDER BY transactionline"
    )
    assert sum(Decimal(side["amount"]) for side in sides) == 0
    assert sides[0]["credit"] == "91.73"
    assert sum(Decimal(side.get("debit", "0")) for side in sides) == Decimal("91.73")


def test_full_credit_closes_and_taking_it_back_opens_again(account: Account) -> None:
    account.credit("1190.50")
    assert account.read("invoice/700")["status"]["id"] == "B"
    body = {"apply": {"items": [{"doc": {"id": "700"}, "apply": False}]}}
    assert account.record("PATCH", "creditMemo/eid:rvo-1", body).status_code == 204
    invoice = account.read("invoice/700")
    assert (invoice["status"]["id"], invoice["amountRemaining"]) == ("A", Decimal("1190.50"))
    assert account.read("creditMemo/eid:rvo-1")["status"]["id"] == "A"
    assert account.rows("SELECT previousdoc FROM nexttransactionlink") == []


def test_the_apply_list_has_what_else_the_customer_owes(account: Account) -> None:
    body = {"entity": {"id": "50"}, "tranDate": "2026-03-05", "exchangeRate": "0.9",
            "item": {"items": [{"item": {"id": "9001"}, "amount": "12.30"}]}}  # fmt: skip
    assert account.record("PUT", "invoice/eid:in_701", body).status_code == 204
    account.credit("190.50")
    lines = account.read("creditMemo/eid:rvo-1?expandSubResources=true")["apply"]["items"]
    assert [(line["doc"]["id"], line["apply"], line["amount"]) for line in lines] == [
        ("700", True, Decimal("190.50")), ("701", False, 0),
    ]  # fmt: skip


def test_over_application_is_refused_and_leaves_nothing(account: Account) -> None:
    apply = {"items": [{"doc": {"id": "700"}, "apply": True, "amount": "1190.51"}]}
    status, code, _ = reason(account.credit("2000.00", apply=apply))
    assert (status, code) == (400, "USER_ERROR")
    assert credit_memos(account) == []
    apply["items"][0]["amount"] = "1190.50"
    assert account.credit("1190.49", apply=apply).status_code == 400
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1190.50")
    assert account.credit("1190.50", apply=apply).status_code == 204


def test_payment_applies_and_cannot_be_used_twice(account: Account) -> None:
    body = {
        "externalId": "pi_1", "customer": {"id": "50"}, "payment": "100.10", "currency": {"id": "1"},
        "exchangeRate": "0.9", "tranDate": "2026-03-20", "apply": {"items": [{"doc": {"id": "700"}, "amount": "100.10"}]},
    }  # fmt: skip
    assert account.record("POST", "customerPayment", body).status_code == 204
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1090.40")
    payment = account.read("customerPayment/eid:pi_1?expandSubResources=true")
    assert (payment["payment"], payment["unapplied"]) == (Decimal("100.10"), 0)
    assert payment["apply"]["items"][0]["doc"]["id"] == "700"
    more = {"apply": {"items": [{"doc": {"id": "700"}, "amount": "100.11"}]}}
    assert account.record("PATCH", "customerPayment/eid:pi_1", more).status_code == 400
    assert account.record("DELETE", "invoice/700").status_code == 400
    assert account.record("DELETE", "customerPayment/eid:pi_1").status_code == 204
    assert account.read("invoice/700")["amountRemaining"] == Decimal("1190.50")
    assert account.rows("SELECT type, name FROM deletedrecord") == [{"type": "CustomerPayment", "name": "PYMT701"}]


def test_transform_without_replace_appends_lines(account: Account) -> None:
    body = {"externalId": "rvo-2", "tranDate": "2026-03-15", "item": {"items": [{"item": {"id": "9001"}, "amount": 5}]}}
    assert account.record("POST", "invoice/700/!transform/creditMemo", body).status_code == 204
    assert account.read("creditMemo/eid:rvo-2")["total"] == Decimal("1195.50")


def test_transform_keeps_taxes_credits_and_their_accounts(account: Account) -> None:
    lines = [("700.00", None, "400", "F"), ("-200.00", "9001", "400", "F"), ("95.00", None, "2200", "T")]
    account.load(
        ("transaction", {"id": 710, "type": "CustInvc", "status": "A", "entity": 50, "currency": 1, "exchangerate": "1",
                         "trandate": "2026-03-02", "postingperiod": 215, "foreigntotal": "595.00"}),
        ("transactionline", {"transaction": 710, "id": 0, "mainline": "T", "subsidiary": 2, "foreignamount": "595.00"}),
        *[("transactionline", {"transaction": 710, "id": n, "mainline": "F", "taxline": tax, "item": item,
                               "foreignamount": str(-Decimal(value)), "expenseaccount": ledger})
          for n, (value, item, ledger, tax) in enumerate(lines, 1)],
    )  # fmt: skip
    body = {"externalId": "rvo-5", "tranDate": "2026-03-15"}
    assert account.record("POST", "invoice/710/!transform/creditMemo", body).status_code == 204
    memo = account.read("creditMemo/eid:rvo-5")
    assert (memo["total"], memo["taxTotal"], memo["subtotal"]) == (Decimal("595.00"), Decimal("95.00"), Decimal("500.00"))
    booked = account.rows(
        "SELECT a.account, a.amount FROM transactionaccountingline a WHERE a.transaction = ? ORDER BY a.transactionline",
        memo["id"],
    )
    assert [(row["account"], row["amount"]) for row in booked] == [
        ("119", "-595.00"), ("400", "700.00"), ("400", "-200.00"), ("2200", "95.00"),
    ]  # fmt: skip
    assert account.read("invoice/710")["amountRemaining"] == 0


def test_external_id_is_unique_within_its_type(account: Account) -> None:
    assert account.credit("10.00").status_code == 204
    status, _, detail = reason(account.credit("10.00"))
    assert status == 400
    assert "This record already exists" in detail
    assert len(credit_memos(account)) == 1
    assert reason(account.credit("1.00", key="a|b"))[1] == "INVALID_CONTENT"
    payment = {"externalId": "rvo-1", "customer": {"id": "50"}, "payment": 1, "exchangeRate": 1, "tranDate": "2026-03-15"}
    assert account.record("POST", "customerPayment", payment).status_code == 204


@pytest.mark.parametrize("lock", ["closed", "alllocked", "arlocked"])
def test_closed_or_locked_period_is_refused(account: Account, lock: str) -> None:
    account.change(collection="accountingperiod", id="214", set={"closed": "F", lock: "T"})
    status, code, detail = reason(account.credit("10.00", tranDate="2026-02-10"))
    assert (status, code) == (400, "INVALID_CONTENT")
    assert "Feb 2026" in detail
    assert reason(account.credit("10.00", postingPeriod={"id": "214"}))[1] == "INVALID_CONTENT"
    account.change(collection="accountingperiod", id="214", set={lock: "F"})
    assert account.credit("10.00", tranDate="2026-02-10").status_code == 204


def test_document_in_a_period_locked_later_cannot_be_changed(account: Account) -> None:
    account.credit("10.00")
    account.change(collection="accountingperiod", id="215", set={"arlocked": "T"})
    assert account.record("PATCH", "creditMemo/eid:rvo-1", {"memo": "x"}).status_code == 400
    account.change(collection="accountingperiod", id="215", set={"allownonglchanges": "T"})
    assert account.record("PATCH", "creditMemo/eid:rvo-1", {"memo": "x"}).status_code == 204
    assert account.record("PATCH", "creditMemo/eid:rvo-1", {"tranDate": "2026-03-16"}).status_code == 400
    assert account.record("DELETE", "creditMemo/eid:rvo-1").status_code == 400


def test_misspelt_field_is_an_error_or_dropped(account: Account) -> None:
    status, code, detail = reason(account.credit("10.00", mmemo="x"))
    assert (status, code, "mmemo" in detail) == (400, "INVALID_CONTENT", True)
    body = {"externalId": "rvo-3", "tranDate": "2026-03-15", "mmemo": "x"}
    answer = account.record("POST", "invoice/700/!transform/creditMemo", body,
                            X_NetSuite_PropertyNameValidation="Warning")  # fmt: skip
    assert answer.status_code == 204
    assert "mmemo" in answer.headers["Warning"]


def test_journal_must_balance(account: Account) -> None:
    account.load(("account", {"id": 600, "fullname": "Rent"}))
    lines = [{"account": {"id": "600"}, "debit": "10.00"}, {"account": {"id": "400"}, "credit": "9.99"}]
    body = {
        "externalId": "je-1", "subsidiary": {"id": "2"}, "currency": {"id": "2"}, "tranDate": "2026-03-31",
        "line": {"items": lines},
    }  # fmt: skip
    assert "not in balance" in reason(account.record("POST", "journalEntry", body))[2]
    lines[1]["credit"] = "10.00"
    assert account.record("POST", "journalEntry", body).status_code == 204
    shown = account.read("journalEntry/eid:je-1?expandSubResources=true")["line"]["items"]
    assert [(line.get("debit"), line.get("credit")) for line in shown] == [(Decimal("10.00"), None), (None, Decimal("10.00"))]


def test_put_by_external_id_creates_then_updates(account: Account) -> None:
    body = {"entity": {"id": "50"}, "tranDate": "2026-03-05", "exchangeRate": "0.9",
            "item": {"items": [{"item": {"id": "9001"}, "amount": "12.30"}]}}  # fmt: skip
    assert account.record("PUT", "invoice/eid:in_701", body).status_code == 204
    assert account.record("PUT", "invoice/eid:in_701?replace=item", body | {"memo": "again"}).status_code == 204
    invoice = account.read("invoice/eid:in_701")
    assert (invoice["memo"], invoice["total"]) == ("again", Decimal("12.30"))
    assert account.record("PATCH", "invoice/eid:in_701", {"item": body["item"]}).status_code == 204
    assert account.read("invoice/eid:in_701")["total"] == Decimal("24.60")


def test_customer_and_collection(account: Account) -> None:
    body = {"companyName": "Beta", "externalId": "001000000000002AAA", "subsidiary": {"id": "2"}, "currency": {"id": "1"}}
    answer = account.record("POST", "customer", body)
    assert answer.status_code == 204
    beta = account.read("customer/eid:001000000000002AAA")
    assert (beta["companyName"], beta["subsidiary"]["id"]) == ("Beta", "2")
    relation = "SELECT subsidiary FROM customersubsidiaryrelationship WHERE entity = ? AND isprimarysub = 'T'"
    assert account.rows(relation, beta["id"]) == [{"subsidiary": "2"}]
    listed = account.read('customer?q=companyName IS "Beta"')
    assert [set(item) for item in listed["items"]] == [{"links", "id"}]
    assert listed["totalResults"] == 1
    assert reason(account.record("GET", 'customer?q=dateCreated AFTER "2026-01-01"'))[2] == "Unparseable date: 2026-01-01"
    assert account.read("customer/50")["balance"] == Decimal("1190.50")
    assert account.record("POST", "accountingPeriod", {}).status_code == 405
