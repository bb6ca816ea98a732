"""What happened to one customer, before any vendor writes it down. Pure values.

Times are aware UTC with whole seconds; amounts are whole minor units of the customer's currency. `plants` turns these into
contradictions by changing one system's side (the `erp` parts, a contract's state) after the consistent story is told.
"""

from __future__ import annotations

import calendar
import datetime as dt
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from demo.rehearsal.catalogue import Entity, Plan, Price, Rhythm


def add_months(moment: dt.datetime, months: int) -> dt.datetime:
    """The same day and time some months on, or the last day of a shorter month."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    day = min(moment.day, calendar.monthrange(year, month + 1)[1])
    return moment.replace(year=year, month=month + 1, day=day)


@dataclass
class Contract:
    """A Salesforce contract. `status` is the platform's status code; `known` False: Salesforce never heard of it."""

    id: str
    number: str
    kind: str
    start: dt.date
    months: int
    created: dt.datetime
    activated: dt.datetime | None
    status: str = "Activated"
    known: bool = True


@dataclass
class Line:
    """One line of a bill. `kind`: licensed, metered, proration or service. `item` is Stripe's subscription item."""

    id: str
    kind: str
    text: str
    amount: int
    start: dt.datetime
    end: dt.datetime
    quantity: int
    price: Price | None
    item: str | None = None
    invoice_item: str | None = None
    credits: tuple[str, str] | None = None
    """For the negative proration: the invoice and line that it gives back."""
    made: dt.datetime | None = None
    """When its invoice item came to be."""


@dataclass
class Payment:
    """Money that arrived, and its copy in the ERP (None: the ERP has not got it)."""

    id: str
    intent: str
    amount: int
    at: dt.datetime
    erp_id: int | None = None
    erp_at: dt.datetime | None = None


@dataclass
class Credit:
    """A credit note while the invoice was open, and its copy in the ERP."""

    id: str
    line: str
    amount: int
    at: dt.datetime
    erp_id: int | None = None
    erp_at: dt.datetime | None = None


@dataclass
class Copy:
    """The ERP's copy of an invoice. `extra` is what its total has more than billing's (planted or rounding)."""

    id: int
    at: dt.datetime
    extra: int = 0
    extra_text: str = ""
    contract_number: str | None = None
    touched: dt.datetime | None = None


@dataclass
class Bill:
    """An invoice. `reason` in Stripe's words; `contract` None: a one-off without a contract."""

    id: str
    reason: str
    created: dt.datetime
    finalized: dt.datetime | None
    lines: list[Line]
    tax_rate: Decimal
    subscription: Subscription | None
    contract: str | None
    days_due: int = 30
    number: str | None = None
    payments: list[Payment] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    voided: dt.datetime | None = None
    uncollectible: dt.datetime | None = None
    copy: Copy | None = None
    note: str = ""

    @property
    def subtotal(self) -> int:
        return sum(line.amount for line in self.lines)

    def line_tax(self, line: Line) -> int:
        """Tax of one line, rounded half to even."""
        return int((line.amount * self.tax_rate).quantize(Decimal(1), ROUND_HALF_EVEN))

    @property
    def tax(self) -> int:
        return sum(self.line_tax(line) for line in self.lines)

    @property
    def total(self) -> int:
        return self.subtotal + self.tax

    @property
    def due(self) -> dt.datetime:
        return (self.finalized or self.created) + dt.timedelta(days=self.days_due)

    def paid(self, at: dt.datetime) -> int:
        return sum(payment.amount for payment in self.payments if payment.at <= at)

    def credited(self, at: dt.datetime) -> int:
        return sum(credit.amount for credit in self.credits if credit.at <= at)

    def remaining(self, at: dt.datetime) -> int:
        return self.total - self.paid(at) - self.credited(at)

    def settled_at(self) -> dt.datetime | None:
        """When nothing remained to be paid; None while something does."""
        if self.finalized is None or self.voided is not None:
            return None
        moments = [self.finalized, *(p.at for p in self.payments), *(c.at for c in self.credits)]
        return next((moment for moment in sorted(moments) if self.remaining(moment) <= 0), None)

    def status(self, at: dt.datetime) -> str:
        """Stripe's status at a moment."""
        if self.finalized is None or at < self.finalized:
            return "draft"
        if self.voided is not None and self.voided <= at:
            return "void"
        settled = self.settled_at()
        if settled is not None and settled <= at:
            return "paid"
        return "uncollectible" if self.uncollectible is not None and self.uncollectible <= at else "open"


@dataclass
class Amendment:
    """A change of seats in mid-term. `bill` None: its prorations still wait for an invoice."""

    at: dt.datetime
    before: int
    after: int
    contract: Contract
    lines: list[Line]
    bill: Bill | None = None


@dataclass
class Order:
    """The ERP's copy of a subscription. `annual` overrides the amount a year (stale); None: current."""

    id: int
    created: dt.datetime
    touched: dt.datetime
    annual: int | None = None


@dataclass
class Subscription:
    """A Stripe subscription. `quantity` is what it started with; amendments change it."""

    id: str
    item: str
    plan: Plan
    price: Price
    rhythm: Rhythm
    started: dt.datetime
    quantity: int
    contract: Contract
    order: Order
    usage_item: str | None = None
    usage_price: Price | None = None
    ended: dt.datetime | None = None
    amendments: list[Amendment] = field(default_factory=list)

    def seats(self, at: dt.datetime) -> int:
        return next((change.after for change in reversed(self.amendments) if change.at <= at), self.quantity)

    def annual(self, at: dt.datetime) -> int:
        """Recurring amount a year without tax and usage, minor units."""
        return int(self.price.unit) * self.seats(at) * (12 // self.rhythm.months)

    def period(self, at: dt.datetime) -> tuple[dt.datetime, dt.datetime]:
        """The billing period that holds a moment."""
        count = 0
        while add_months(self.started, (count + 1) * self.rhythm.months) <= at:
            count += 1
        months = self.rhythm.months
        return add_months(self.started, count * months), add_months(self.started, (count + 1) * months)


@dataclass
class Renewal:
    """A renewal in customer success with its opportunity in the CRM. `stage` is the label of Gainsight's picklist."""

    gsid: str
    opportunity: str
    name: str
    closes: dt.date
    stage: str
    target: int
    created: dt.datetime
    touched: dt.datetime
    started: dt.date | None = None
    hold_reason: str | None = None


@dataclass
class Customer:
    """One customer with everything that belongs to it. `erp` is NetSuite's customer id."""

    number: int
    entity: Entity
    name: str
    industry: str
    crm: str
    gsid: str
    stripe: str
    erp: int
    prefix: str
    tax_rate: Decimal
    joined: dt.datetime
    owner: int
    contracts: list[Contract] = field(default_factory=list)
    subscriptions: list[Subscription] = field(default_factory=list)
    bills: list[Bill] = field(default_factory=list)
    renewals: list[Renewal] = field(default_factory=list)
    calls: list[tuple[str, str, dt.datetime, bool]] = field(default_factory=list)
    """Calls to action: (name, kind, due, closed)."""
    marks: set[str] = field(default_factory=set)
    """What is special about it: names of noise and of planted rules."""

    @property
    def subscription(self) -> Subscription:
        return self.subscriptions[0]

    def pending(self) -> list[Amendment]:
        """Amendments that billing has not finished."""
        return [
            change
            for subscription in self.subscriptions
            for change in subscription.amendments
            if change.bill is None or change.bill.finalized is None
        ]

    def changed(self) -> dt.datetime:
        """When anything about the customer itself last changed."""
        return max([self.joined, *(s.ended for s in self.subscriptions if s.ended)])


@dataclass
class Planted:
    """One contradiction of the answer key. `subjects`: (vendor, object type, native id) that the finding is about; `amount`
    in minor units. `ripens`: it is still silent and becomes one at this moment unless somebody acts."""

    rule: str
    customer: Customer
    subjects: list[tuple[str, str, str]]
    amount: int
    why: str
    settled_when: dict[str, str]
    ripens: dt.datetime | None = None


@dataclass
class Company:
    """The whole rehearsal company at its anchor time."""

    seed: int
    anchor: dt.datetime
    customers: list[Customer]
    planted: list[Planted] = field(default_factory=list)
