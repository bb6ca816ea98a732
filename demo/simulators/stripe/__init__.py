"""Stripe Billing, as its reference describes it (API 2026-10-28.endive), with a ledger of its own.

Demo credentials: secret key `sk_test_rehearsal` (`STRIPE_SIM_KEY` overrides), webhook secret `whsec_rehearsal`.
`STRIPE_SIM_REQUESTS_PER_SECOND` (default 1000, 0 means no limit) is the account's rate limit; beyond it the answer is
429 without `Retry-After`. A fault with `"stored": true` and status 500 is the failure that Stripe keeps under the
idempotency key and replays. Load `{"collection": "restricted", "object": {"id": "credit_notes", "permission":
"rak_credit_note_read"}}` and the key may not read that resource.

One module a resource family: `customers` (customers, products, prices), `subscriptions` (items, proration, cancel),
`invoices` (invoices, invoice items), `payments` (invoice payments, payment intents), `credit_notes`, `events`,
`meters`. `account` holds what all of them share: keys, idempotency, lists, errors, expansion, events.

Amounts are integers in the currency's minor unit; times are Unix seconds UTC. Left out: tax, discounts, tiers,
test clocks, refunds, charges, schedules, entitlements, search, v2 endpoints.
"""

from demo.simulators.stripe.credit_notes import CreditNotes
from demo.simulators.stripe.customers import Customers
from demo.simulators.stripe.events import Events
from demo.simulators.stripe.invoices import Invoices
from demo.simulators.stripe.meters import Meters
from demo.simulators.stripe.payments import Payments
from demo.simulators.stripe.subscriptions import Subscriptions


class Vendor(Customers, Subscriptions, CreditNotes, Invoices, Payments, Events, Meters):
    """The whole account."""


__all__ = ["Vendor"]
