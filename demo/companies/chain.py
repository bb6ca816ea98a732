"""A company's customers through its four systems: account, contract, subscription, invoice, payment. What differs from company to
company (which fields hold whose ids, when who posts, what is not there) its own class says. Pure."""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo

from demo.companies.billing import Billing, Line
from demo.companies.crm import Crm, Success, day_ms
from demo.companies.draw import Draw
from demo.companies.erp import PERIODS, Document, Erp
from demo.companies.situations import Thing
from demo.companies.story import Json, Story
from demo.companies.stripe_shapes import later

DAY, HOUR, MINUTE, SECOND = (dt.timedelta(**{unit: 1}) for unit in ("days", "hours", "minutes", "seconds"))


@dataclass(frozen=True, slots=True)
class Customer:
    """Its ids in the four systems. `currency`: ISO code."""

    name: str
    account: str
    company: str
    customer: str
    entity: str
    currency: str


@dataclass(slots=True)
class Deal:
    """A contract and what bills it. `unit`: the price of one a cycle, in minor units; `months`: of a cycle."""

    of: Customer
    number: str
    contract: str
    opportunity: str
    subscription: str
    unit: int
    quantity: int
    months: int
    by_invoice: bool

    def beside(self, sold: tuple[str, str, str], customer: str, subscription: str, unit: int) -> Deal:
        """Another contract of the account, which another of billing's customers pays. `sold`: number, contract, opportunity."""
        of = replace(self.of, customer=customer)
        return Deal(of, *sold, subscription, unit, 1, self.months, self.by_invoice)

    @property
    def cycle(self) -> int:
        return self.unit * self.quantity


@dataclass(slots=True)
class Billed:
    """An invoice of billing, and the ERP's."""

    invoice: str
    document: Document

    def things(self) -> tuple[Thing, Thing]:
        return ("stripe", "invoice", self.invoice), ("netsuite", "invoice", self.document.id)


def thing(kind: str, document: Document) -> Thing:
    return "netsuite", kind, document.id


class Chain(abc.ABC):
    """The systems of one company, in one story. All moments are moved by the same days and minutes.

    `prefix`: of billing's invoice numbers; `zone`: of the books; `subsidiary`: None without OneWorld; `lock_on`, `close_on`: the
    working day of the next month on which receivables are locked and the month is closed.
    """

    prefix: str
    zone: ZoneInfo
    subsidiary: str | None = None
    lock_on, close_on = 3, 5
    orders = False
    """Whether the CRM's orders go to the ERP."""
    abroad: tuple[str, ...] = ("USD",)
    """The currencies of neighbours."""

    def __init__(self, draw: Draw, days: Sequence[int], connected: dt.datetime) -> None:
        self.draw = draw
        self.moved = dt.timedelta(days=draw.one_of(days), minutes=draw.between(0, 40))
        self.story = Story(draw, connected)
        self.crm = Crm(self.story, draw)
        self.success = Success(self.story, draw)
        self.billing = Billing(self.story, draw, self.prefix)
        self.erp = Erp(self.story, draw, self.zone, self.subsidiary)
        self.customers: list[Customer] = []
        self._calendar()

    # --- what each company says -------------------------------------------------------------------------------------------

    def account_fields(self, customer: str, entity: str) -> Json:
        """Of the CRM's account. `customer`: billing's; `entity`: the ERP's."""
        return {}

    @abc.abstractmethod
    def billing_metadata(self, account: str, entity: str) -> Json:
        """Of billing's customer."""

    @abc.abstractmethod
    def entity_columns(self, account: str, entity: str, customer: str) -> Json:
        """Of the ERP's customer."""

    def success_fields(self, arr: int, renewal: dt.date | None) -> Json:
        """Of the company in customer success. `arr`: whole dollars a year."""
        return {"Arr": arr, "RenewalDate": day_ms(renewal)}

    def success_id(self, account: str) -> str:
        """The account's id as customer success writes it."""
        return account

    def success_at(self, at: dt.datetime) -> dt.datetime:
        """When customer success shows what the CRM has since then."""
        return at + 30 * MINUTE

    def contract_fields(self, annual: int) -> Json:
        """Of the CRM's contract. `annual`: cents a year."""
        return {}

    @abc.abstractmethod
    def subscription_metadata(self, number: str, won: str) -> Json:
        """`number`: of the contract; `won`: the opportunity."""

    def posted_at(self, finalized: dt.datetime) -> dt.datetime:
        """When the ERP has an invoice that billing has finalized then."""
        return finalized + self.draw.minutes(3, 18)

    @abc.abstractmethod
    def invoice_columns(self, invoice: str, number: str) -> Json:
        """Of the ERP's invoice. `invoice`: billing's; `number`: of the contract, empty without one."""

    @abc.abstractmethod
    def payment_columns(self, charge: str) -> Json:
        """Of the ERP's payment by a charge of billing."""

    @abc.abstractmethod
    def credit_columns(self, note: str) -> Json:
        """Of the ERP's credit memo of a credit note of billing."""

    def when_posted(self, at: dt.datetime, invoice: str, document: Document) -> None:  # noqa: B027 - most companies write nothing back
        """What an integration writes back into billing."""

    def when_subscribed(self, at: dt.datetime, contract: str, subscription: str) -> None:  # noqa: B027 - most companies write nothing
        """What is written into the CRM when billing begins."""

    def accounts(self) -> list[str]:
        return [each.account for each in self.customers]

    def at(self, moment: str) -> dt.datetime:
        """`2026-11-03T14:00`, which is UTC, moved."""
        return dt.datetime.fromisoformat(moment).replace(tzinfo=dt.UTC) + self.moved

    def _calendar(self) -> None:
        start = dt.datetime(2026, 1, 1, tzinfo=self.zone)
        if self.subsidiary is not None:
            self.erp.entity(start, "Operating company")
        for month in PERIODS:
            if not f"{self.story.connected - 62 * DAY:%Y-%m}" <= month <= "2026-12":
                continue
            self.erp.period(start, month)
            following = later(dt.datetime.fromisoformat(f"{month}-01T18:00").replace(tzinfo=self.zone), 1)
            for number, closed in ((self.lock_on, False), (self.close_on, True)):
                self.erp.period(working_day(following, number), month, locked=True, closed=closed)

    # --- customers and contracts ----------------------------------------------------------------------------------------

    def customer(self, name: str = "", *, currency: str = "USD", entity: str = "", account: str = "", **columns: Any) -> Customer:
        """A customer since before the systems were connected. `columns`: of the ERP's, above the company's own."""
        name, at = name or self.draw.name(), self.story.connected - 700 * DAY
        entity = entity or str(self.draw.number("customer", 4400))
        account, customer = account or self.draw.salesforce("001"), self.draw.stripe("cus")
        self.crm.account(at, name, id=account, currency=currency, **self.account_fields(customer, entity))
        counted = self.success_fields(0, None)
        company = self.success.company(self.success_at(at), name, self.success_id(account), **counted)
        self.billing.customer(
            at + 5 * MINUTE, name, self.billing_metadata(account, entity), currency=currency.lower(), id=customer
        )
        self.erp.customer(
            at + 9 * MINUTE, name, currency=currency, id=entity, **(self.entity_columns(account, entity, customer) | columns)
        )
        made = Customer(name, account, company, customer, entity, currency)
        self.customers.append(made)
        return made

    def counts(self, at: dt.datetime, of: Customer, arr: int, renewal: dt.date | None) -> None:
        """Customer success has these from the next time on that it looks."""
        self.success.change(self.success_at(at), of.company, **self.success_fields(arr, renewal))

    def contract(
        self, of: Customer, start: dt.datetime, months: int, amount: int, *, signed: dt.datetime | None = None,
        kind: str = "New Business",
    ) -> tuple[str, str, str]:  # fmt: skip
        """A won opportunity of that many cents in all, its contract and the order that goes to the ERP. Returns the number, the
        contract and the opportunity."""
        at = signed or start - 12 * DAY
        number = f"{self.draw.number('contract', 1500, 90):08d}"
        first = start.date()
        last = later(start, months).date() - DAY
        own = self.contract_fields(amount * 12 // months)
        contract = self.crm.contract(at, of.account, number, first, last, currency=of.currency, **own)
        won = self.crm.opportunity(at, of.account, contract, amount // 100, at.date(), currency=of.currency, kind=kind)
        if self.orders:
            self.erp.document(at + 8 * MINUTE, "SalesOrd", of.entity, amount, currency=of.currency, on=at.date())
        return number, contract, won

    def deal(
        self, of: Customer, start: dt.datetime, unit: int, *, quantity: int = 1, months: int = 1, by_invoice: bool = True,
        term: int = 12, signed: dt.datetime | None = None, booked: int | None = None, told: str | None = None,
    ) -> Deal:  # fmt: skip
        """A contract over `term` months, billed each `months` (1 or 12). `booked`: what the CRM holds a cycle, if another;
        `told`: the contract's number that billing is told, if another."""
        cycle = unit * quantity if booked is None else booked
        number, contract, won = self.contract(of, start, term, cycle * (term // months), signed=signed)
        arr = in_dollars(cycle * (12 // months), of.currency)
        self.counts((signed or start - 12 * DAY) + HOUR, of, arr, later(start, term).date() - DAY)
        number = number if told is None else told
        subscription = self.subscribe(of, start, number, won, unit, quantity=quantity, months=months, by_invoice=by_invoice)
        self.when_subscribed(start + 2 * MINUTE, contract, subscription)
        return Deal(of, number, contract, won, subscription, unit, quantity, months, by_invoice)

    def subscribe(
        self, of: Customer, start: dt.datetime, number: str, won: str, unit: int, *, quantity: int = 1, months: int = 1,
        by_invoice: bool = True, currency: str = "",
    ) -> str:  # fmt: skip
        return self.billing.subscription(
            start, of.customer, unit, quantity=quantity, metadata=self.subscription_metadata(number, won),
            currency=(currency or of.currency).lower(), interval="year" if months == 12 else "month", by_invoice=by_invoice,
        )  # fmt: skip

    # --- bills ----------------------------------------------------------------------------------------------------------

    def claim(
        self, deal: Deal, start: dt.datetime, *, finalized: dt.datetime | None = None, cycle: int | None = None, tax: int = 0,
        extra: tuple[Line, ...] = (),
    ) -> str:  # fmt: skip
        """Billing's invoice of the cycle that begins at `start`; finalized an hour after it unless said otherwise."""
        end = later(start, deal.months)
        amount = deal.cycle if cycle is None else cycle
        line = Line(amount, start, end, deal.quantity, deal.subscription)
        self.billing.renew_period(start + SECOND, deal.subscription, start, end)
        return self.billing.invoice(
            finalized or start + HOUR, deal.of.customer, (*extra, line), tax=tax, by_invoice=deal.by_invoice,
            currency=str(self.billing.objects[deal.subscription]["currency"]),
        )  # fmt: skip

    def post(
        self, deal: Deal, invoice: str, at: dt.datetime | None = None, *, entity: str = "", on: dt.date | None = None,
        total: int | None = None, **columns: str | None,
    ) -> Document:  # fmt: skip
        """The ERP's copy of an invoice, when it comes there. `columns`: above the company's own."""
        body = self.billing.objects[invoice]
        finalized = dt.datetime.fromtimestamp(body["status_transitions"]["finalized_at"], dt.UTC)
        at = at or self.posted_at(finalized)
        document = self.erp.document(
            at, "CustInvc", entity or deal.of.entity, body["total"] if total is None else total,
            currency=body["currency"].upper(), on=on or self.erp.day(finalized),
            **(self.invoice_columns(invoice, deal.number) | columns),
        )  # fmt: skip
        self.when_posted(at + 20 * SECOND, invoice, document)
        return document

    def bill(self, deal: Deal, start: dt.datetime) -> Billed:
        """The cycle's invoice in both systems; paid a minute later where a card is charged."""
        invoice = self.claim(deal, start)
        if not deal.by_invoice:
            self.billing.pay(start + HOUR + MINUTE, invoice)
        billed = Billed(invoice, self.post(deal, invoice))
        if not deal.by_invoice:
            booked = self.posted_at(start + HOUR + MINUTE) + 20 * MINUTE
            self.receive(billed.document, booked, billed.document.total)
        return billed

    def settle(self, billed: Billed, at: dt.datetime, *, booked: dt.datetime | None = None, charge: str = "ch") -> Document:
        """Paid through billing, and the connector's payment in the ERP some minutes after. Returns that payment."""
        amount = self.billing.objects[billed.invoice]["amount_remaining"]
        self.billing.pay(at, billed.invoice)
        return self.receive(billed.document, booked or self.posted_at(at), amount, charge=charge)

    def receive(self, document: Document, at: dt.datetime, amount: int, *, charge: str = "ch") -> Document:
        return self.erp.pay(at, document, amount, **self.payment_columns(self.draw.stripe(charge)))

    def credit(self, document: Document, at: dt.datetime, note: str, amount: int) -> Document:
        return self.erp.credit(at, document, amount, **self.credit_columns(note))

    def yearly(
        self, at: dt.datetime, cents: int, *, by_invoice: bool = True, currency: str = "USD", number: str | None = None
    ) -> tuple[Deal, str]:
        """A new customer whose first yearly invoice is finalized at that moment. Not posted. `number`: of the contract as billing
        holds it, where it is another; empty: none."""
        start = at - HOUR
        signed = self.story.connected - 3 * DAY
        deal = self.deal(
            self.customer(currency=currency), start, cents, months=12, by_invoice=by_invoice, signed=signed, told=number
        )
        return deal, self.claim(deal, start, finalized=at)

    def neighbours(self, last: dt.datetime) -> None:
        for _ in range(self.draw.one_of((1, 1, 2, 3))):
            start = dt.datetime(2026, self.draw.between(1, 6), 1, self.draw.between(0, 20), tzinfo=dt.UTC)
            by_card = self.draw.happens(60)
            deal = self.deal(
                self.customer(currency=self.draw.one_of(self.abroad)), start, self.draw.cents(20_000, 900_000),
                quantity=self.draw.between(1, 3), by_invoice=not by_card,
            )  # fmt: skip
            self.run(deal, later(start, 12), last)

    def run(self, deal: Deal, until: dt.datetime, last: dt.datetime) -> None:
        """Every cycle of a deal before `until` and `last`, from the last before the connection on; all paid in time."""
        subscription = self.billing.objects[deal.subscription]
        start = dt.datetime.fromtimestamp(subscription["start_date"], dt.UTC)
        cycles = [later(start, number * deal.months) for number in range(36)]
        first = max(start, self.story.connected - 40 * DAY)
        for cycle in cycles:
            if first <= cycle < min(until, last - 2 * HOUR):
                billed = self.bill(deal, cycle)
                if deal.by_invoice:
                    self.settle(billed, cycle + HOUR + self.draw.between(9, 21) * DAY)


def in_dollars(cents: int, currency: str) -> int:
    """What customer success holds of an amount: whole US dollars, pounds at the fixed rate of 1.27."""
    return cents // 100 if currency == "USD" else cents * 127 // 10_000


def working_day(first: dt.datetime, number: int) -> dt.datetime:
    """The nth Monday-to-Friday of a month that begins on that day."""
    days = [first + place * DAY for place in range(14)]
    return [day for day in days if day.weekday() < 5][number - 1].astimezone(dt.UTC)
