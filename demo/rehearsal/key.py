"""The answer key: what was planted, kept by the Stripe simulator and never read by the application.

An entry: `id`; `rule`; `account` (Salesforce id); `subjects`: [vendor, object type, native id] of what the finding is about;
`systems`: the same by vendor; `amount` (decimal text) with `currency`; `why`; `planted_at` (ISO UTC); `settled_when`: what ends
it; `ripens_at`: null, or the moment from which it is a contradiction unless somebody acts before. Documents whose id starts
with `rehearsal:` are bookkeeping: which company was loaded, and where the story stands.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any

from demo.rehearsal.story import Company, Customer, Planted

Json = dict[str, Any]
COMPANY = "rehearsal:company"
PLAY = "rehearsal:play"


def entry(
    rule: str, account: str, subjects: Iterable[tuple[str, str, str]], *, amount: Decimal, currency: str, why: str,
    planted_at: dt.datetime, settled_when: dict[str, str], ripens_at: dt.datetime | None = None,
) -> Json:  # fmt: skip
    """One entry; its id follows from the rule and the subjects."""
    listed = [list(subject) for subject in subjects]
    systems: dict[str, dict[str, str]] = {}
    for vendor, object_type, id in listed:
        systems.setdefault(vendor, {})[object_type] = id
    return {
        "id": ":".join([rule, *(subject[2] for subject in listed)]), "rule": rule, "account": account, "subjects": listed,
        "systems": systems, "amount": f"{amount:f}", "currency": currency, "why": why, "planted_at": _iso(planted_at),
        "settled_when": settled_when, "ripens_at": _iso(ripens_at) if ripens_at else None,
    }  # fmt: skip


def entries(company: Company) -> Iterator[Json]:
    """The key of a freshly imagined company."""
    for planted in company.planted:
        yield of(planted, company.anchor)


def of(planted: Planted, at: dt.datetime) -> Json:
    """An entry from the story's own form."""
    customer: Customer = planted.customer
    amount = Decimal(planted.amount).scaleb(-customer.entity.places)
    return entry(
        planted.rule, customer.crm, planted.subjects, amount=amount, currency=customer.entity.currency, why=planted.why,
        planted_at=at, settled_when=planted.settled_when, ripens_at=planted.ripens,
    )  # fmt: skip


def contradictions(documents: Iterable[Json]) -> list[Json]:
    """The entries among the documents of the key."""
    return [document for document in documents if not str(document["id"]).startswith("rehearsal:")]


def find(documents: Iterable[Json], id: str) -> Json | None:
    """A document by its id."""
    return next((document for document in documents if document["id"] == id), None)


def _iso(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
