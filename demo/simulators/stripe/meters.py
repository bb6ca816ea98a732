"""Usage: meters and their events. Values travel as text."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from demo.simulators.stripe.account import DAY_SECONDS, PAGING, Account, new_id
from demo.simulators.stripe.parameters import Invalid
from demo.simulators.vendor import Json, Request, Response, route


class Meters(Account):
    """`/v1/billing/meters`, `/v1/billing/meter_events`."""

    @route("GET", "/v1/billing/meters")
    def list_meters(self, request: Request) -> Response:
        """All meters."""
        return self.listing("meters", self.params(request).only(*PAGING), url="/v1/billing/meters")

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

    @route("GET", "/v1/billing/meters/{id}")
    def retrieve_meter(self, request: Request, id: str) -> Response:
        """One meter."""
        return self.show(self.find("meters", id), self.params(request))

    @route("GET", "/v1/billing/meters/{id}/event_summaries")
    def summarise(self, request: Request, id: str) -> Response:
        """One summary over `[start_time, end_time)` for one customer."""
        params = self.params(request).only(*PAGING, "customer", "start_time", "end_time", "value_grouping_window")
        meter = self.find("meters", id)
        start, end = int(params.required("start_time")), int(params.required("end_time"))
        found = self.store.select(
            "meter_events",
            "event_name = ? AND customer = ? AND timestamp >= ? AND timestamp < ?",
            [meter["event_name"], params.required("customer"), start, end],
        )
        total = sum((Decimal(event["payload"]["value"]) for event in found), Decimal(0))
        summary: Json = {"id": new_id("mtrusg"), "object": "billing.meter_event_summary", "livemode": False}
        summary |= {"aggregated_value": total, "start_time": start, "end_time": end, "meter": id}
        url = f"/v1/billing/meters/{id}/event_summaries"
        return Response.of({"object": "list", "url": url, "has_more": False, "data": [summary] if found else []})

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
