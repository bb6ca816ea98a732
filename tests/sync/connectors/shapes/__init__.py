"""Which keys the vendors' published payloads have: names only, taken from public samples.

One file a vendor: sample -> place in it (empty: its top) -> the keys that stand there, or the columns of a table. Made by
`python -m tests.sync.connectors.shapes SAMPLES` from a folder of samples, for every sample that a recording names and every table
that the queries read.
"""

from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RECORDINGS = HERE.parent / "recordings"
TABLES = "netsuite/suiteql_tables/netsuite2_{}_data.csv"
READ_TABLES = (
    "accounting_period",
    "consolidated_exchange_rate",
    "currency",
    "customer",
    "customer_subsidiary_relationship",
    "subsidiary",
    "transaction",
    "transaction_line",
)
"""The tables that the NetSuite connector's queries read."""


def at(value: Any, place: str) -> Any:
    """What stands at a place such as `data.records.0`."""
    for step in filter(None, place.split(".")):
        value = value[int(step)] if isinstance(value, list) else value[step]
    return value


def keys_of(sample: str, place: str = "") -> set[str]:
    """The keys that the vendor's sample has there. Raises KeyError for one that is not kept: make the files again."""
    kept = json.loads((HERE / f"{sample.partition('/')[0]}.json").read_text())
    return set(kept[sample][place])


def named() -> set[tuple[str, str]]:
    """(sample, place) of every recording that has one, and of every table that is read."""
    found = {(TABLES.format(table), "") for table in READ_TABLES}
    for path in RECORDINGS.rglob("*.json"):
        recording = json.loads(path.read_text())
        if "sample" in recording:
            found.add((recording["sample"]["file"], recording["sample"].get("sample_at", "")))
    return found


def read(samples: Path, sample: str, place: str) -> list[str]:
    """The keys of one sample, sorted."""
    path = samples / sample
    if path.suffix == ".csv":
        with path.open(newline="") as rows:
            return sorted(next(csv.reader(rows)))
    return sorted(at(json.loads(path.read_text()), place))


def make(samples: Path, into: Path = HERE) -> None:
    """Write one file a vendor."""
    made: dict[str, dict[str, dict[str, list[str]]]] = defaultdict(lambda: defaultdict(dict))
    for sample, place in sorted(named()):
        made[sample.partition("/")[0]][sample][place] = read(samples, sample, place)
    for vendor, shapes in made.items():
        (into / f"{vendor}.json").write_text(json.dumps(shapes, indent=1, sort_keys=True) + "\n")
