"""The event log: 30 days of snapshots, the only way to read what changed."""

from __future__ import annotations

from demo.simulators.stripe.account import DAY_SECONDS, PAGING, Account
from demo.simulators.stripe.parameters import Invalid
from demo.simulators.vendor import Request, Response, route

HORIZON_SECONDS = 30 * DAY_SECONDS


class Events(Account):
    """`/v1/events`."""

    @route("GET", "/v1/events")
    def list_events(self, request: Request) -> Response:
        """`type` (one `*` allowed) or `types[]` (at most 20), `created[..]`, `delivery_success`, cursors."""
        params = self.params(request).only(*PAGING, "type", "types", "delivery_success")
        where, values = ["created > ?"], [self.now() - HORIZON_SECONDS]
        kind, kinds = params.text("type"), params.values.get("types") or []
        if kind and kinds:
            raise Invalid("You may only specify one of these parameters: type, types.", "types")
        if not isinstance(kinds, list) or len(kinds) > 20:
            raise Invalid("types takes at most 20 event names.", "types")
        arguments: list[object] = list(values)
        if kind:
            where.append("type GLOB ?")
            arguments.append(kind)
        if kinds:
            where.append(f"type IN ({', '.join('?' * len(kinds))})")
            arguments += kinds
        if "delivery_success" in params:
            where.append("pending_webhooks = 0" if params.flag("delivery_success") else "pending_webhooks > 0")
        return self.listing("events", params, " AND ".join(where), tuple(arguments))
