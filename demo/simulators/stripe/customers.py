"""Customers, products and prices."""

from __future__ import annotations

import secrets

from demo.simulators.stripe.account import PAGING, Account
from demo.simulators.stripe.parameters import Params
from demo.simulators.vendor import Json, Request, Response, route

_CUSTOMER_TEXTS = ("name", "business_name", "individual_name", "email", "description", "phone", "tax_exempt")


class Customers(Account):
    """`/v1/customers`, `/v1/products`, `/v1/prices`."""

    @route("GET", "/v1/customers")
    def list_customers(self, request: Request) -> Response:
        """Deleted customers are left out."""
        return self.filtered("customers", self.params(request).only(*PAGING, "email"), "email", where="deleted IS NULL")

    @route("POST", "/v1/customers")
    def create_customer(self, request: Request) -> Response:
        """Balance is in minor units; negative means that the customer has credit."""
        params = self.params(request).only(*_CUSTOMER_TEXTS, "address", "balance", "metadata", "invoice_prefix")
        address = params.inner("address")
        customer = self.new(
            "cus",
            "customer",
            balance=params.integer("balance") or 0,
            address=address.values if address else None,
            currency=None,
            delinquent=False,
            discount=None,
            invoice_prefix=params.text("invoice_prefix") or secrets.token_hex(4).upper(),
            next_invoice_sequence=1,
            test_clock=None,
            **{name: params.text(name) for name in _CUSTOMER_TEXTS},
        )
        customer["tax_exempt"] = customer["tax_exempt"] or "none"
        customer["metadata"] = params.metadata()
        return self.show(self.change("customers", None, customer), params)

    @route("POST", "/v1/customers/{id}")
    def update_customer(self, request: Request, id: str) -> Response:
        """Metadata merges; an empty text clears a value."""
        params = self.params(request).only(*_CUSTOMER_TEXTS, "metadata")
        before = self.find("customers", id)
        after = before | {name: params.text(name) for name in _CUSTOMER_TEXTS if name in params}
        after["metadata"] = params.metadata(before.get("metadata"))
        return self.show(self.change("customers", before, after), params)

    @route("DELETE", "/v1/customers/{id}")
    def delete_customer(self, request: Request, id: str) -> Response:
        """Deletion cancels the subscriptions at once."""
        before = self.find("customers", id)
        for subscription in self.store.select("subscriptions", "customer = ? AND status != 'canceled'", [id]):
            ended = {"status": "canceled", "canceled_at": self.now(), "ended_at": self.now()}
            self.change("subscriptions", subscription, subscription | ended)
        self.change("customers", before, before | {"deleted": True})
        return Response.of({"id": id, "object": "customer", "deleted": True})

    # -- catalogue ------------------------------------------------------------------------------------------------

    @route("POST", "/v1/products")
    def create_product(self, request: Request) -> Response:
        """Only the members this account uses."""
        params = self.params(request).only("name", "description", "metadata")
        product = self.new("prod", "product", active=True, name=params.required("name"))
        product |= {"description": params.text("description"), "metadata": params.metadata(), "updated": self.now()}
        return self.show(self.change("products", None, product), params)

    @route("POST", "/v1/prices")
    def create_price(self, request: Request) -> Response:
        """`unit_amount` in minor units; immutable afterwards."""
        names = ("currency", "product", "unit_amount", "recurring", "lookup_key", "metadata")
        params = self.params(request).only(*names)
        self.find("products", params.required("product"), "product")
        params.required("unit_amount")
        amount = params.integer("unit_amount")
        price = self.new(
            "price",
            "price",
            active=True,
            billing_scheme="per_unit",
            currency=params.required("currency").lower(),
            lookup_key=params.text("lookup_key"),
            product=params.text("product"),
            recurring=_recurring(params),
            tiers_mode=None,
            unit_amount=amount,
            unit_amount_decimal=str(amount),
        )
        price |= {"type": "recurring" if price["recurring"] else "one_time", "metadata": params.metadata()}
        return self.show(self.change("prices", None, price), params)


def _recurring(params: Params) -> Json | None:
    recurring = params.inner("recurring")
    if recurring is None:
        return None
    recurring.only("interval", "interval_count", "usage_type", "meter")
    return {
        "interval": recurring.one_of("interval", ("day", "week", "month", "year"), "month"),
        "interval_count": recurring.integer("interval_count") or 1,
        "usage_type": recurring.one_of("usage_type", ("licensed", "metered"), "licensed"),
        "meter": recurring.text("meter"),
        "trial_period_days": None,
    }
