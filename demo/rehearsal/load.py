"""Carrying the company over to the simulators, once. Nothing is announced: history arrives without webhooks."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from demo.rehearsal import billing, crm, erp, events, key, success
from demo.rehearsal.company import imagine
from demo.rehearsal.story import Company
from demo.rehearsal.wire import Wire

Document = tuple[str, dict[str, Any]]
OnLoaded = Callable[[str, int, int], None]
"""(vendor, objects carried over so far, of how many)."""


class OtherCompany(Exception):
    """The simulators hold another rehearsal company; the text says what to do."""


@dataclass
class Loaded:
    """What was carried over: objects by vendor and collection; `fresh` is false when all of it was there before."""

    anchor: dt.datetime
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    planted: int = 0
    fresh: bool = True

    @property
    def total(self) -> int:
        return sum(sum(counts.values()) for counts in self.counts.values())


def documents(company: Company) -> dict[str, list[Document]]:
    """Everything each vendor gets, in loading order."""
    return {
        "salesforce": list(crm.documents(company)),
        "stripe": list(itertools.chain(billing.documents(company), events.documents(company))),
        "netsuite": list(erp.documents(company)),
        "gainsight": list(success.documents(company)),
    }


def load(wires: Mapping[str, Wire], seed: int, accounts: int, now: dt.datetime, progress: OnLoaded | None = None) -> Loaded:
    """Load the company of (seed, accounts) as of `now`, unless it is there. A load that was cut off is done again with its
    own anchor time. Raises OtherCompany when another one is there, or objects that no rehearsal brought."""
    keeper = wires["stripe"]
    there = key.find(keeper.key(), key.COMPANY)
    anchor = now.astimezone(dt.UTC).replace(microsecond=0)
    if there is not None:
        anchor = dt.datetime.fromisoformat(there["anchor"])
        if (there["seed"], there["accounts"]) != (seed, accounts):
            raise OtherCompany(
                f"These simulators hold the company of seed {there['seed']} with {there['accounts']} accounts. "
                "For another one start them with another data folder."
            )
        if there["state"] == "loaded":
            return Loaded(anchor, there["counts"], there["planted"], fresh=False)
    elif keeper.health()["objects"].get("customers"):
        raise OtherCompany("The Stripe simulator has customers of its own. Start the simulators with an empty data folder.")
    company = imagine(seed, accounts, anchor)
    mark = {"id": key.COMPANY, "seed": seed, "accounts": accounts, "anchor": anchor.isoformat(), "state": "loading"}
    keeper.store_key([mark])
    loaded = Loaded(anchor)
    for vendor, listed in documents(company).items():
        done = 0
        for collection, _ in listed:
            counts = loaded.counts.setdefault(vendor, {})
            counts[collection] = counts.get(collection, 0) + 1
        for carried in wires[vendor].load(listed):
            done += carried
            if progress is not None:
                progress(vendor, done, len(listed))
    entries = list(key.entries(company))
    loaded.planted = sum(1 for one in entries if one["ripens_at"] is None)
    keeper.store_key([*entries, mark | {"state": "loaded", "counts": loaded.counts, "planted": loaded.planted}])
    return loaded


def lines(company: Company) -> Iterator[bytes]:
    """Every document and the key as JSON lines: what two equal companies have byte for byte in common."""
    from demo.simulators.store import dumps

    for vendor, listed in documents(company).items():
        for collection, value in listed:
            yield dumps([vendor, collection, value]).encode()
    for one in key.entries(company):
        yield dumps(one).encode()
