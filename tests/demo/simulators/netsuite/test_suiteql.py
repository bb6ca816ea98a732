"""SuiteQL: what it answers, how it pages, what it refuses."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from demo.simulators import netsuite
from demo.simulators.netsuite import tables
from tests.demo.simulators.netsuite.account import Account, reason
from tests.sync.connectors import shapes


def test_suiteql_needs_prefer_transient(account: Account) -> None:
    answer = account.http.post(account.url + netsuite.SUITEQL_PATH, json={"q": "SELECT id FROM customer"}, timeout=5)
    assert answer.status_code == 400
    assert answer.json()["o:errorDetails"][0]["o:errorHeader"] == "Prefer"


def test_suiteql_speaks_text_and_leaves_nulls_out(account: Account) -> None:
    query = """SELECT t.ID, t.status, t.trandate, t.memo, t.foreigntotal,
                      TO_CHAR(t.lastmodifieddate, 'YYYY-MM-DD HH24:MI:SS') AS lm, BUILTIN.DF(t.entity) AS customer,
                      BUILTIN.DF(t.status) AS status_name, NVL(t.memo, 'none') AS note
               FROM transaction t WHERE t.lastmodifieddate >= TO_TIMESTAMP(?, 'YYYY-MM-DD HH24:MI:SS')
               AND t.type = ? ORDER BY t.lastmodifieddate, t.id"""
    assert account.rows(query, "2026-03-01 00:00:00", "CustInvc") == [
        {
            "id": "700", "status": "A", "trandate": "3/2/2026", "foreigntotal": "1190.50", "lm": "2026-03-02 08:00:00",
            "customer": "Acme", "status_name": "Invoice : Open", "note": "none",
        }
    ]  # fmt: skip
    assert account.rows(query, "2026-03-02 08:00:01", "CustInvc") == []


@pytest.mark.parametrize(
    ("condition", "params", "found"),
    [
        ("t.status = 'CustInvc:A'", [], 1),
        ("t.status IN (?, ?)", ["CustInvc:A", "CustInvc:B"], 1),
        ("t.status = 'CustInvc:B'", [], 0),
        ("t.trandate >= '3/2/2026'", [], 1),
        ("t.trandate > ?", ["3/2/2026"], 0),
        ("t.trandate = TO_DATE('2026-03-02', 'YYYY-MM-DD')", [], 1),
        ("t.foreigntotal > 200", [], 1),
        ("t.foreigntotal = 1190.5", [], 1),
        ("t.id > ?", ["699"], 1),
        ("t.id > ?", [700], 0),
        ("t.lastmodifieddate > SYSDATE - 7", [], 0),
        ("EXISTS (SELECT 1 FROM transactionline tl WHERE tl.transaction = t.id AND tl.mainline = 'T')", [], 1),
    ],
)
def test_suiteql_conditions(account: Account, condition: str, params: list[Any], found: int) -> None:
    assert len(account.rows(f"SELECT t.id FROM transaction t WHERE {condition}", *params)) == found


def test_suiteql_sums_exactly(account: Account) -> None:
    account.load(*[
        ("transactionline", {"transaction": 700, "id": n, "uniquekey": n, "mainline": "F", "foreignamount": "0.1"})
        for n in range(10, 13)
    ])  # fmt: skip
    query = "SELECT SUM(foreignamount) AS total FROM transactionline WHERE id >= 10"
    assert account.rows(query) == [{"total": "0.3"}]
    assert account.rows(query + " HAVING SUM(foreignamount) <> 0.3") == []
    assert account.rows(query + " HAVING SUM(foreignamount) > 1 OR SUM(NVL(rate, 0)) > 0 OR ABS(SUM(foreignamount)) > 1") == []


def test_suiteql_pages_by_multiples_of_limit(account: Account) -> None:
    account.load(*[("customer", {"id": n, "entityid": f"C{n}"}) for n in range(1000, 1025)])
    query = "SELECT id FROM customer ORDER BY id"
    seen: list[str] = []
    for offset in (0, 10, 20):
        body = account.sql(query, limit=10, offset=offset).json()
        assert (body["totalResults"], body["offset"]) == (26, offset)
        assert body["hasMore"] == (offset < 20) == any(link["rel"] == "next" for link in body["links"])
        assert body["count"] == len(body["items"])
        seen += [item["id"] for item in body["items"]]
    assert seen == ["50", *map(str, range(1000, 1025))]
    assert reason(account.sql(query, limit=10, offset=5))[:2] == (400, "INVALID_PARAMETER")
    assert account.sql(query, limit=1001).status_code == 400


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT id FROM nosuchtable", "'nosuchtable' was not found"),
        ("SELECT nosuchcolumn FROM customer c", "Unknown identifier 'nosuchcolumn'"),
        ("DELETE FROM customer", "only SELECT"),
        ("SELECT id FROM customer LIMIT 5", "unsupported"),
        ("SELECT id FROM customer; SELECT 1", "unsupported"),
        ("SELECT * FROM ns_customer", "Invalid search type"),
        ("SELECT sim_key FROM customer", "Invalid search type"),
    ],
)
def test_suiteql_refuses(account: Account, query: str, text: str) -> None:
    status, code, detail = reason(account.sql(query))
    assert (status, code) == (400, "INVALID_PARAMETER")
    assert text in detail


KEPT_ONLY = [
    (table, column) for table in tables.COLUMNS for column in set(tables.COLUMNS[table]) - set(tables.PUBLISHED.get(table, {}))
]


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("nexttransactionlink", "foreignamount"),
        ("nexttransactionlink", "lastmodifieddate"),
        ("deletedrecord", "recordtype"),
        ("consolidatedexchangerate", "lastmodifieddate"),
        ("customersubsidiaryrelationship", "primarycurrency"),
        ("systemnote", "id"),
        *sorted(KEPT_ONLY),
    ],
)
def test_what_no_published_list_names_cannot_be_asked_for(account: Account, table: str, column: str) -> None:
    status, code, detail = reason(account.sql(f"SELECT t.{column} FROM {table} t"))
    assert (status, code) == (400, "INVALID_PARAMETER")
    assert (f"Unknown identifier 't.{column}'" if table in tables.PUBLISHED else f"Record '{table}' was not found") in detail


def test_the_tables_show_the_published_columns_and_no_others(account: Account) -> None:
    for table, columns in tables.PUBLISHED.items():
        names = ", ".join(f"t.{name}" for name in columns)
        assert account.sql(f"SELECT {names} FROM {table} t").status_code == 200, table


def test_the_columns_that_only_the_seeds_list_stand_in_the_seeds() -> None:
    listed = json.loads((Path(shapes.__file__).parent / "netsuite.json").read_text())
    seeds = {Path(name).stem.removeprefix("netsuite2_").removesuffix("_data").replace("_", ""): set(found[""])
             for name, found in listed.items() if name.endswith(".csv")}  # fmt: skip
    published = tomllib.loads((Path(tables.__file__).parent / "published.toml").read_text())
    checked = [table for table, found in published.items() if found["lists"] == ["seeds"] and table in seeds]
    assert {"currency", "customer", "customersubsidiaryrelationship", "subsidiary"} <= set(checked)
    for table in checked:
        assert set(tables.PUBLISHED[table]) <= seeds[table], table


def test_hidden_table_looks_like_a_missing_one(account: Account) -> None:
    assert account.sql("SELECT id FROM accountingbook").status_code == 200
    account.change(collection="settings", object={"id": "settings", "hidden_tables": ["accountingbook"]})
    assert "was not found" in reason(account.sql("SELECT id FROM accountingbook"))[2]


def test_a_bulk_load_is_strict(account: Account) -> None:
    rows = [
        ("transaction", {"id": n, "type": "CustInvc", "status": "B", "entity": 50, "currency": 1, "externalid": f"in_{n}",
                         "foreigntotal": "10.00", "lastmodifieddate": "2026-01-05T00:00:00Z"})
        for n in range(10_000, 12_000)
    ]  # fmt: skip
    assert account.load(*rows).json() == {"loaded": 2_000}
    assert account.rows("SELECT COUNT(*) AS n FROM transaction") == [{"n": "2001"}]
    assert account.load(("transaction", {"id": 9, "nonsense": 1})).status_code == 400
    assert account.load(("transaction", {"id": 9, "type": "CustInvc", "externalid": "in_700"})).status_code == 400
