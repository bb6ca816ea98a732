"""Salesforce's records as its queries answer them, and Gainsight's companies. Pure.

Amounts are whole numbers of major units; days are dates; moments are UTC.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from demo.companies.draw import Draw
from demo.companies.story import Change, Json, Story, unix

_SOON = dt.timedelta(seconds=75)
_STATUS_CODES = {"Draft": "Draft", "In Approval Process": "InApproval", "Activated": "Activated"}


def _stamp(at: dt.datetime) -> str:
    return at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


@dataclass
class Crm:
    """The company's org. `account_fields`, `contract_fields`: what its own fields hold of a new record, by name."""

    story: Story
    draw: Draw
    rows: dict[str, tuple[str, Json]] = field(default_factory=dict)

    def _tell(self, at: dt.datetime, id: str) -> None:
        object_type, row = self.rows[id]
        row["SystemModstamp"] = _stamp(at)
        self.story.tell(Change(at, "salesforce", object_type, id, row, arrives=_SOON))

    def _add(self, at: dt.datetime, object_type: str, id: str, row: Json) -> str:
        self.rows[id] = (object_type, {"Id": id, "IsDeleted": False, "SystemModstamp": "", **row})
        self._tell(at, id)
        return id

    def change(self, at: dt.datetime, id: str, **fields: Any) -> None:
        """Fields of a record, and that it was changed."""
        self.rows[id][1].update(fields)
        self._tell(at, id)

    def account(self, at: dt.datetime, name: str, *, id: str = "", currency: str = "USD", **own: Any) -> str:
        row = {
            "Name": name, "Type": "Customer", "Owner": {"Name": self.draw.owner()}, "MasterRecordId": None,
            "CurrencyIsoCode": currency, **own,
        }  # fmt: skip
        return self._add(at, "customer", id or self.draw.salesforce("001"), row)

    def contract(
        self, at: dt.datetime, account: str, number: str, start: dt.date, end: dt.date, *, currency: str = "USD",
        status: str = "Activated", **own: Any,
    ) -> str:  # fmt: skip
        """`status`: the label; the code that is read is Salesforce's own word for it."""
        months = (end.year - start.year) * 12 + end.month - start.month + (1 if end.day >= 28 else 0)
        row = {
            "AccountId": account, "ContractNumber": number, "StatusCode": _STATUS_CODES[status], "StartDate": start.isoformat(),
            "EndDate": end.isoformat(), "ContractTerm": max(months, 1),
            "ActivatedDate": _stamp(at) if status == "Activated" else None, "CurrencyIsoCode": currency, **own,
        }  # fmt: skip
        return self._add(at, "contract", self.draw.salesforce("800"), row)

    def opportunity(
        self, at: dt.datetime, account: str, contract: str | None, amount: int, close: dt.date, *, stage: str = "Closed Won",
        won: bool | None = True, currency: str = "USD", kind: str = "New Business", **own: Any,
    ) -> str:  # fmt: skip
        """`won`: None while it is open."""
        row = {
            "AccountId": account, "ContractId": contract, "Name": f"{kind} {close.year}", "Type": kind, "StageName": stage,
            "IsClosed": won is not None, "IsWon": bool(won), "Amount": amount, "CloseDate": close.isoformat(),
            "CurrencyIsoCode": currency, **own,
        }  # fmt: skip
        return self._add(at, "opportunity", self.draw.salesforce("006"), row)


@dataclass
class Success:
    """The company's Gainsight tenant. What is changed at a moment is seen when the tenant is read soon after it."""

    story: Story
    draw: Draw
    rows: dict[str, Json] = field(default_factory=dict)

    def company(self, at: dt.datetime, name: str, account: str, **own: Any) -> str:
        """`account`: the CRM's id as the tenant writes it; `own`: what it counts, in the fields where the tenant keeps it."""
        gsid = self.draw.gainsight()
        self.rows[gsid] = {
            "Gsid": gsid, "Name": name, "SfdcAccountId": account, "ModifiedDate": 0, "CreatedDate": unix(at) * 1000, "Arr": None,
            "CurrencyIsoCode": "USD", "RenewalDate": None, "Stage": None, "Status": None,
            "Csm__gr.Name": self.draw.owner(), **own,
        }  # fmt: skip
        self.change(at, gsid)
        return gsid

    def change(self, at: dt.datetime, gsid: str, **fields: Any) -> None:
        row = self.rows[gsid]
        row.update(fields)
        row["ModifiedDate"] = unix(at) * 1000
        body = {"record": row, "labels": {}}
        self.story.tell(Change(at, "gainsight", "customer", gsid, body, arrives=dt.timedelta(minutes=4)))


def day_ms(day: dt.date | None) -> int | None:
    """A date as Gainsight writes it: milliseconds at its midnight in UTC."""
    return None if day is None else unix(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)) * 1000
