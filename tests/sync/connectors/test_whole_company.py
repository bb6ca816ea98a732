"""A whole rehearsal company in four simulators: every object is understood, and they refer to one another."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest

from demo.rehearsal.load import load
from demo.rehearsal.wire import Wire
from revops.ledger.facts import Fact
from sync.connectors.netsuite import queries
from tests.sync.connectors.shapes import TABLES, keys_of
from tests.sync.connectors.talking import Talk, now, talking

ACCOUNTS = 40


@pytest.mark.slow
def test_every_object_is_understood_and_refers_to_what_the_others_have(tmp_path: Path) -> None:
    with ExitStack() as open_until_the_end:
        talks: dict[str, Talk] = {}
        for vendor in ("salesforce", "gainsight", "stripe", "netsuite"):
            (tmp_path / vendor).mkdir()
            talks[vendor] = open_until_the_end.enter_context(talking(vendor, tmp_path / vendor))
        wires = {vendor: Wire(vendor, talk.config.base_url) for vendor, talk in talks.items()}
        for wire in wires.values():
            open_until_the_end.callback(wire.close)
        load(wires, 7, ACCOUNTS, now())
        said: dict[str, dict[tuple[str, str], Fact]] = {}
        for vendor, talk in talks.items():
            said[vendor] = {key: fact for stream in talk.connector.streams for key, fact in talk.facts(stream.name).items()}
    crm = {key[1] for key in said["salesforce"] if key[0] == "customer"}
    assert len(crm) == ACCOUNTS
    for vendor in ("gainsight", "stripe", "netsuite"):
        counted = Counter(key[0] for key in said[vendor])
        assert counted["customer"] == ACCOUNTS
        referred = {target.id for fact in said[vendor].values() for target in fact.refs.get("same_as", ())}
        assert referred <= crm
        assert len(referred) > ACCOUNTS // 2
    billed = {key[1] for key in said["stripe"] if key[0] == "invoice"}
    entered = {target.id for fact in said["netsuite"].values() for target in fact.refs.get("copy_of", ())}
    assert len(billed & entered) > len(billed) // 2


COLUMNS_BEYOND_THE_SAMPLES = {
    ("customer", "externalid"),
    ("transaction", "externalid"),
    ("transaction", "lastmodifieddate"),
    ("transaction", "otherrefnum"),
    ("transaction", "tranid"),
}
"""Columns that the vendor's documents name and the sample files, one customer's extract, do not have."""


@pytest.mark.parametrize(
    ("query", "files"),
    [
        (queries.TRANSACTIONS, {"t": "transaction", "l": "transaction_line", "c": "currency"}),
        (queries.PERIODS, {"t": "accounting_period"}),
        (queries.RATES, {"t": "consolidated_exchange_rate", "p": "accounting_period", "f": "currency", "b": "currency"}),
        (queries.ENTITIES, {"t": "subsidiary", "c": "currency"}),
        (
            queries.CUSTOMERS,
            {"t": "customer", "c": "currency", "s": "customer_subsidiary_relationship", "u": "subsidiary"},
        ),
    ],
)
def test_the_queries_ask_for_columns_that_the_tables_have(query: str, files: dict[str, str]) -> None:
    asked = {(files[alias], column) for alias, column in re.findall(r"\b([a-z])\.([a-z]+)\b", query)}
    known = {(table, column) for table in set(files.values()) for column in keys_of(TABLES.format(table))}
    assert asked - known <= COLUMNS_BEYOND_THE_SAMPLES
