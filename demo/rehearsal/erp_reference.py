"""NetSuite's reference data: subsidiaries, currencies, accounts, items, terms, accounting periods, exchange rates. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from demo.rehearsal import catalogue
from demo.rehearsal.ids import seeded
from demo.rehearsal.names import people
from demo.rehearsal.story import add_months

Json = dict[str, Any]
Document = tuple[str, Json]

RECEIVABLES, UNDEPOSITED, REVENUE, USAGE_REVENUE, SERVICE_REVENUE = 119, 122, 400, 401, 402
FIRST_PERIOD, FIRST_YEAR, FIRST_RATE = 201, 101, 1


def income_account(item: int) -> int:
    """The revenue account of an item."""
    return {catalogue.USAGE_ITEM: USAGE_REVENUE, catalogue.SERVICE_ITEM: SERVICE_REVENUE}.get(item, REVENUE)


class Periods:
    """36 months: two years back, the running month, eleven ahead. Months before the last one are closed; the last one is
    being closed (receivables locked); the running month is open."""

    def __init__(self, anchor: dt.datetime) -> None:
        self.anchor = anchor
        self.current = anchor.replace(day=1, hour=0, minute=0, second=0)
        self.first = add_months(self.current, -24)
        self.starts = [add_months(self.first, count) for count in range(36)]

    def at(self, moment: dt.datetime) -> int:
        """The internal id of the period that holds a moment; the first one for anything earlier."""
        months = (moment.year - self.first.year) * 12 + moment.month - self.first.month
        return FIRST_PERIOD + min(35, max(0, months))

    def documents(self) -> Iterator[Document]:
        """Years, then months. Quarters are left out."""
        years = sorted({start.year for start in self.starts})
        for place, year in enumerate(years):
            row = self._row(FIRST_YEAR + place, f"FY {year}", (dt.date(year, 1, 1), dt.date(year, 12, 31)), self.first)
            yield "accountingperiod", row | {"isyear": "T", "isposting": "F"}
        for place, start in enumerate(self.starts):
            end = (add_months(start, 1) - dt.timedelta(days=1)).date()
            closed, closing = start < add_months(self.current, -1), start == add_months(self.current, -1)
            changed = add_months(start, 1) + dt.timedelta(days=7) if closed else self.first
            if closing:
                changed = self.current + min(dt.timedelta(days=3), (self.anchor - self.current) / 2)
                changed = min(changed, self.anchor - dt.timedelta(hours=6))  # on the first of a month: the evening before
            row = self._row(FIRST_PERIOD + place, f"{start:%b %Y}", (start.date(), end), changed)
            locks = dict.fromkeys(("closed", "alllocked", "arlocked", "aplocked", "payrolllocked"), "T") if closed else {}
            locks |= {"closedondate": changed.date().isoformat()} if closed else {}
            locks |= {"arlocked": "T"} if closing else {}
            yield "accountingperiod", row | {"parent": FIRST_YEAR + years.index(start.year)} | locks

    @staticmethod
    def _row(id: int, name: str, span: tuple[dt.date, dt.date], changed: dt.datetime) -> Json:
        return {
            "id": id, "periodname": name, "startdate": span[0].isoformat(), "enddate": span[1].isoformat(), "isadjust": "F",
            "isquarter": "F", "isyear": "F", "isposting": "T", "isinactive": "F", "closed": "F", "closedondate": None,
            "alllocked": "F", "arlocked": "F", "aplocked": "F", "payrolllocked": "F", "allownonglchanges": "T",
            "lastmodifieddate": changed.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }  # fmt: skip


def reference_documents(periods: Periods) -> Iterator[Document]:
    """Everything that transactions refer to, in an order in which references resolve."""
    since = periods.first.strftime("%Y-%m-%dT%H:%M:%SZ")
    for entity in catalogue.ENTITIES:
        names = {"USD": ("US Dollar", "$", "1"), "EUR": ("Euro", "€", "1.09"), "JPY": ("Japanese Yen", "¥", "0.0066")}
        name, symbol, rate = names[entity.currency]
        yield "currency", {
            "id": entity.currency_id, "name": name, "symbol": entity.currency, "displaysymbol": symbol,
            "currencyprecision": entity.places, "exchangerate": rate, "isbasecurrency": "T" if entity.subsidiary == 1 else "F",
            "isinactive": "F", "lastmodifieddate": since,
        }  # fmt: skip
    for entity in catalogue.ENTITIES:
        yield "subsidiary", {
            "id": entity.subsidiary, "name": entity.name, "fullname": entity.name, "legalname": entity.name,
            "parent": None if entity.subsidiary == 1 else 1, "currency": entity.currency_id, "country": entity.country,
            "iselimination": "F", "isinactive": "F", "externalid": entity.code, "fiscalcalendar": 1, "tranprefix": entity.code,
            "lastmodifieddate": since,
        }  # fmt: skip
    accounts = (
        (catalogue.TAX_ITEM, "2200", "Sales Tax Payable", "OthCurrLiab"),
        (USAGE_REVENUE, "4010", "Usage Revenue", "Income"),
        (SERVICE_REVENUE, "4020", "Service Revenue", "Income"),
    )
    for id, code, name, kind in accounts:
        yield "account", {
            "id": id, "acctnumber": code, "accountsearchdisplayname": f"{code} {name}", "fullname": name, "accttype": kind,
            "isinactive": "F", "eliminate": "F", "lastmodifieddate": since,
        }  # fmt: skip
    items = [(plan.item, plan.label) for plan in catalogue.PLANS]
    items += [(catalogue.USAGE_ITEM, "Meridian platform calls"), (catalogue.SERVICE_ITEM, "Professional services")]
    for id, name in items:
        yield "item", {
            "id": id, "itemid": name, "fullname": name, "displayname": name, "itemtype": "Service",
            "incomeaccount": income_account(id), "isinactive": "F", "lastmodifieddate": since,
        }  # fmt: skip
    for id, days in ((1, 30), (2, 14), (3, 45)):
        yield "term", {"id": id, "name": f"Net {days}", "daysuntilnetdue": days, "isinactive": "F"}
    for number, (name, email) in enumerate(people(), 1):
        first, _, last = name.partition(" ")
        yield "employee", {
            "id": number, "entityid": name, "firstname": first, "lastname": last, "email": email, "isinactive": "F",
            "subsidiary": 1,
        }  # fmt: skip
    yield from periods.documents()
    yield from _rates(periods)


def _rates(periods: Periods) -> Iterator[Document]:
    """To the group's dollar, for every month up to the running one: a slow random walk, the same in every company."""
    level = {"EUR": Decimal("1.0800"), "JPY": Decimal("0.006700")}
    number = FIRST_RATE
    for place, start in enumerate(periods.starts):
        if start > periods.current:
            break
        rng = seeded("rates", start.year, start.month)
        for entity in catalogue.ENTITIES:
            rate = Decimal(1)
            if entity.currency != "USD":
                places = 4 if entity.currency == "EUR" else 6
                rate = round(level[entity.currency] * (1000 + rng.randint(-14, 14)) / 1000, places)
                level[entity.currency] = rate
            yield "consolidatedexchangerate", {
                "id": number, "postingperiod": FIRST_PERIOD + place, "fromcurrency": entity.currency_id, "tocurrency": 1,
                "fromsubsidiary": entity.subsidiary, "tosubsidiary": 1, "accountingbook": 1, "currentrate": f"{rate:f}",
                "averagerate": f"{rate:f}", "historicalrate": f"{rate:f}",
            }  # fmt: skip
            number += 1
