"""Payment intents, and the invoice payments that tie them to invoices."""

from __future__ import annotations

from demo.simulators.stripe.account import PAGING, Account
from demo.simulators.stripe.parameters import Invalid, Refused
from demo.simulators.vendor import Json, Request, Response, route

PAID_WITH = ("payment_intent", "payment_record")
"""What invoice payments can be listed by."""


class Payments(Account):
    """`/v1/payment_intents`, `/v1/invoice_payments`."""

    @route("POST", "/v1/payment_intents")
    def create_payment_intent(self, request: Request) -> Response:
        """Unconfirmed it waits for a payment method; `confirm=true` succeeds."""
        params = self.params(request).only("amount", "currency", "customer", "confirm", "metadata", "payment_method")
        amount = params.integer("amount")
        if amount is None or amount <= 0:
            raise Invalid("This value must be greater than or equal to 1.", "amount", "parameter_invalid_integer")
        if customer := params.text("customer"):
            self.find("customers", customer, "customer")
        currency = params.required("currency").lower()
        intent = self.intent(amount, currency, customer, params.flag("confirm"), params.metadata())
        return self.show(intent, params)

    @route("GET", "/v1/invoice_payments")
    def list_invoice_payments(self, request: Request) -> Response:
        """Filters: invoice, status, `payment[type]` (no charges) with `payment[payment_intent]` or `payment[payment_record]`."""
        params = self.params(request).only(*PAGING, "invoice", "status", "payment")
        if params.text("status"):
            params.one_of("status", ("canceled", "open", "paid"), "")
        if payment := params.inner("payment"):
            payment.only("type", *PAID_WITH).required("type")
            params.values["payment_type"] = payment.one_of("type", PAID_WITH, "")
            params.values |= {name: payment.text(name) for name in PAID_WITH}
        return self.filtered("invoice_payments", params, "invoice", "status", "payment_type", *PAID_WITH)

    # -- for invoices ---------------------------------------------------------------------------------------------

    def intent(self, amount: int, currency: str, customer: str | None, succeeded: bool, metadata: Json) -> Json:
        """Make a payment intent, succeeded or waiting; amounts in minor units."""
        intent = self.new(
            "pi",
            "payment_intent",
            amount=amount,
            amount_capturable=0,
            amount_received=0,
            currency=currency,
            customer=customer,
            status="requires_payment_method",
            latest_charge=None,
            last_payment_error=None,
            cancellation_reason=None,
            canceled_at=None,
            capture_method="automatic",
            metadata=metadata,
        )
        intent = self.change("payment_intents", None, intent)
        if not succeeded:
            return intent
        return self.change("payment_intents", intent, intent | {"status": "succeeded", "amount_received": amount})

    def unspent(self, intent: Json) -> int:
        """How much of an intent is attached to no invoice yet, in minor units."""
        rows = self.store.select("invoice_payments", "payment_intent = ? AND status != 'canceled'", [intent["id"]])
        return int(intent["amount"] - sum(row["amount_requested"] for row in rows))

    def attach(self, invoice: Json, intent: Json, amount: int, *, is_default: bool) -> Json:
        """Record that an intent pays (or will pay) so much of an invoice. The default one is Stripe's own, for this invoice."""
        if intent["currency"] != invoice["currency"]:
            raise Refused("The payment has another currency than the invoice.", param="payment_intent")
        paid = intent["status"] == "succeeded"
        payment = self.new(
            "inpay",
            "invoice_payment",
            amount_paid=amount if paid else None,
            amount_requested=amount,
            currency=invoice["currency"],
            invoice=invoice["id"],
            is_default=is_default,
            payment={"type": "payment_intent", "payment_intent": intent["id"]},
            status="paid" if paid else "open",
            status_transitions={"canceled_at": None, "paid_at": self.now() if paid else None},
        )
        return self.change("invoice_payments", None, payment)
