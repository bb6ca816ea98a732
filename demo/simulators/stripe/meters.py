"""Usage: meters and their events. Values travel as text."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from demo.simulators.stripe.account import DAY_SECONDS, Account, new_id
from demo.simulators.stripe.parameters import Invalid
from demo.simulators.vendor import Request, Response, route


class Meters(Account):
    """`/v1/billing/meters`, `/v1/billing/meter_events`."""

    @route("POST", "/v1/billing/meters")
    def create_meter(self, request: Request) -> Response:
        """Only sums are simulated."""
        names = ("display_name", "event_name", "default_aggregation", "customer_mapping", "value_settings")
        params = self.params(request).only(*names)
        meter = self.new(
            "mtr",
            "billing.meter",
            display_name=params.required("display_name"),
            event_name=params.required("event_name"),
            default_aggregation={"formula": "sum"},
            customer_mapping={"event_payload_key": "stripe_customer_id", "type": "by_id"},
            value_settings={"event_payload_key": "value"},
            status="active",
            status_transitions={"deactivated_at": None},
            updated=self.now(),
        )
        return self.show(self.change("meters", None, meter), params)

    @route("POST", "/v1/billing/meter_events")
    def create_meter_event(self, request: Request) -> Response:
        """`identifier` is unique; `timestamp` lies within 35 days back and 5 minutes ahead."""
        params = self.params(request).only("event_name", "payload", "identifier", "timestamp")
        name, payload = params.required("event_name"), params.inner("payload")
        if not self.store.count("meters", "event_name = ? AND status = 'active'", [name]):
            raise Invalid(f"No active meter found for event name '{name}'.", "event_name", "resource_missing")
        if payload is None:
            raise Invalid("Missing required param: payload.", "payload", "parameter_missing")
        try:
            Decimal(payload.required("value"))
        except InvalidOperation:
            raise Invalid("The value is not a number.", "payload[value]") from None
        at = params.integer("timestamp") or self.now()
        if not self.now() - 35 * DAY_SECONDS <= at <= self.now() + 300:
            raise Invalid("The timestamp must be within 35 days back and 5 minutes ahead.", "timestamp")
        identifier = params.text("identifier") or new_id("mtrevt")
        if self.store.get("meter_events", identifier):
            raise Invalid(f"An event already exists with identifier {identifier}.", "identifier")
        event = {"object": "billing.meter_event", "created": self.now(), "event_name": name, "identifier": identifier}
        event |= {"livemode": False, "payload": payload.values, "timestamp": at}
        return Response.of(self.store.put("meter_events", event))
