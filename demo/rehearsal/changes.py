"""What can happen to a customer: a bill is issued, paid, credited, posted in the ERP; seats change in mid-term.

Every function adds to the story in a consistent way: what billing does is copied to the ERP in due time.
"""

from __future__ import annotations

import datetime as dt
import itertools
import random
from dataclasses import dataclass, field

from demo.rehearsal.ids import salesforce_id, stripe_id
from demo.rehearsal.story import Amendment, Bill, Contract, Copy, Credit, Customer, Line, Payment, Subscription

MINUTE, HOUR, DAY = dt.timedelta(minutes=1), dt.timedelta(hours=1), dt.timedelta(days=1)


@dataclass
class Numbers:
    """Counters of the whole company."""

    transactions: itertools.count[int] = field(default_factory=lambda: itertools.count(10_001))
    contracts: itertools.count[int] = field(default_factory=lambda: itertools.count(1_001))


@dataclass
class Teller:
    """Tells one customer's story up to `anchor`; all chance comes from `rng`."""

    customer: Customer
    anchor: dt.datetime
    rng: random.Random
    numbers: Numbers

    def seconds(self, low: dt.timedelta, high: dt.timedelta) -> dt.timedelta:
        """A whole number of seconds between the two."""
        return dt.timedelta(seconds=self.rng.randint(int(low.total_seconds()), int(high.total_seconds())))

    # -- contracts ------------------------------------------------------------------------------------------------

    def contract(self, kind: str, start: dt.datetime, months: int) -> Contract:
        """Signed and activated some days before it starts."""
        activated = start - self.seconds(12 * HOUR, 9 * DAY)
        contract = Contract(
            id=salesforce_id(self.rng, "800"),
            number=f"C-{next(self.numbers.contracts):08d}",
            kind=kind,
            start=start.date(),
            months=months,
            created=activated - self.seconds(2 * DAY, 30 * DAY),
            activated=activated,
        )
        self.customer.contracts.append(contract)
        return contract

    def contract_at(self, moment: dt.datetime) -> Contract:
        """The main contract in force (amendments have their own)."""
        main = [c for c in self.customer.contracts if c.kind != "Amendment" and c.start <= moment.date()]
        return max(main, key=lambda c: c.start)

    # -- bills ----------------------------------------------------------------------------------------------------

    def bill(
        self,
        reason: str,
        created: dt.datetime,
        lines: list[Line],
        *,
        finalized: dt.datetime | None,
        subscription: Subscription | None = None,
        contract: Contract | None = None,
        note: str = "",
    ) -> Bill:
        """A bill in billing alone; `post` copies it to the ERP."""
        bill = Bill(
            id=stripe_id(self.rng, "in"),
            reason=reason,
            created=created,
            finalized=finalized,
            lines=lines,
            tax_rate=self.customer.tax_rate,
            subscription=subscription,
            contract=contract.number if contract else None,
            days_due=self.rng.choice((14, 30, 30, 30, 45)),
            note=note,
        )
        self.customer.bills.append(bill)
        return bill

    def service(self, text: str, amount: int, at: dt.datetime) -> Line:
        """A one-off line with its invoice item; minor units before tax."""
        return Line(
            stripe_id(self.rng, "il"), "service", text, amount, at, at, 1, None,
            invoice_item=stripe_id(self.rng, "ii"), made=at,
        )  # fmt: skip

    def post(self, bill: Bill, lag: dt.timedelta | None = None) -> Copy | None:
        """Copy a finalised bill to the ERP; None when that moment is still to come."""
        if bill.finalized is None or bill.total <= 0:
            return None
        at = bill.finalized + (lag or self.seconds(20 * MINUTE, 8 * HOUR))
        if at > self.anchor - MINUTE:
            return None
        bill.copy = Copy(next(self.numbers.transactions), at, contract_number=bill.contract)
        return bill.copy

    def pay(self, bill: Bill, amount: int, at: dt.datetime) -> Payment | None:
        """Money for a bill, entered in the ERP some hours later when the ERP knows the bill."""
        if at > self.anchor - MINUTE or amount <= 0:
            return None
        payment = Payment(stripe_id(self.rng, "inpay"), stripe_id(self.rng, "pi"), amount, at)
        bill.payments.append(payment)
        if bill.copy is not None:
            entered = max(at + self.seconds(2 * HOUR, 30 * HOUR), bill.copy.at + HOUR)
            if entered < self.anchor - MINUTE:
                payment.erp_id, payment.erp_at = next(self.numbers.transactions), entered
        return payment

    def credit(self, bill: Bill, amount: int, at: dt.datetime, *, mirrored: bool = True) -> Credit:
        """A credit note on an open bill, mirrored in the ERP within three hours."""
        credit = Credit(stripe_id(self.rng, "cn"), stripe_id(self.rng, "cnli"), amount, at)
        bill.credits.append(credit)
        if mirrored and bill.copy is not None:
            credit.erp_id = next(self.numbers.transactions)
            credit.erp_at = max(at, bill.copy.at) + self.seconds(30 * MINUTE, 3 * HOUR)
        return credit

    def settle(self, bill: Bill) -> None:
        """How an ordinary bill is paid: mostly in full around its due date, sometimes in parts, rarely only when somebody has
        called; what is younger than that is still open."""
        if bill.finalized is None or bill.voided or bill.total <= 0:
            return
        chance = self.rng.random()
        days = min(70.0, max(2.0, self.rng.gauss(bill.days_due - 3, 9)))
        at = bill.finalized + dt.timedelta(seconds=int(days * 86_400))
        reminded = bill.finalized + bill.days_due * DAY + self.seconds(12 * DAY, 30 * DAY)
        remaining = bill.remaining(self.anchor)
        if chance < 0.04:
            if reminded < self.anchor:
                self.pay(bill, remaining, reminded)
            return
        if chance < 0.11:
            part = remaining * self.rng.randint(30, 70) // 100
            self.pay(bill, part, at)
            if chance < 0.075:
                if max(at, reminded) + DAY < self.anchor:
                    self.pay(bill, remaining - part, max(at, reminded) + DAY)
                return
            at, remaining = at + self.seconds(5 * DAY, 25 * DAY), remaining - part
        self.pay(bill, remaining, at)

    # -- amendments -----------------------------------------------------------------------------------------------

    def amend(
        self, subscription: Subscription, at: dt.datetime, after: int, billed: str, reach: dt.timedelta = HOUR
    ) -> Amendment:
        """Change the seats at a moment. `billed`: `now` (an invoice of its own), `later` (the next cycle), `draft` (an
        invoice not yet final), `pending` (not at all). The ERP's order follows within some hours. Raises ValueError for a
        moment after the anchor, when nothing can have happened yet: such an amendment would be left unfinished."""
        if at + (reach if billed == "now" else dt.timedelta(0)) > self.anchor:
            raise ValueError(f"an amendment of {at} is told as of {self.anchor}")
        before = subscription.seats(at)
        _, end = subscription.period(at)
        contract = self.contract("Amendment", at, max(1, subscription.contract.months // 2))
        lines = self._prorations(subscription, at, before, after, end)
        change = Amendment(at, before, after, contract, lines)
        subscription.amendments.append(change)
        subscription.amendments.sort(key=lambda one: one.at)
        if billed in ("now", "draft"):
            final = at + reach if billed == "now" else None
            change.bill = self.bill(
                "subscription_update", at, lines, finalized=final, subscription=subscription, contract=contract
            )
        subscription.order.touched = max(subscription.order.touched, at + self.seconds(20 * MINUTE, 5 * HOUR))
        subscription.order.touched = min(subscription.order.touched, self.anchor - MINUTE)
        return change

    def _prorations(self, subscription: Subscription, at: dt.datetime, before: int, after: int, end: dt.datetime) -> list[Line]:
        start, _ = subscription.period(at)
        left, whole = int((end - at).total_seconds()), int((end - start).total_seconds())
        unit = int(subscription.price.unit)
        lines = []
        for text, seats, sign in (("Unused time on", before, -1), ("Remaining time on", after, 1)):
            lines.append(
                Line(
                    id=stripe_id(self.rng, "il"),
                    kind="proration",
                    text=f"{text} {seats} x {subscription.plan.label} after {at:%d %b %Y}",
                    amount=sign * ((unit * seats * left + whole // 2) // whole),
                    start=at,
                    end=end,
                    quantity=seats,
                    price=subscription.price,
                    item=subscription.item,
                    invoice_item=stripe_id(self.rng, "ii"),
                    made=at,
                )
            )
        return lines
