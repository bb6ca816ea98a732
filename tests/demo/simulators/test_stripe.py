"""The Stripe simulator under Stripe's own SDK, and the behaviours that its reference insists on."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from demo.simulators.server import Simulator
from demo.simulators.stripe import Vendor
from tests.demo.simulators.control import Control, Json, Receiver, eventually

KEY = "sk_test_rehearsal"
SECRET = "whsec_rehearsal"
HEADERS = {"Authorization": f"Bearer {KEY}"}
DAY = 86_400


class Clock:
    """Real time plus what a test adds."""

    ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(tmp_path: Path, clock: Clock) -> Iterator[Simulator]:
    with Simulator(Vendor, data=tmp_path, clock=clock) as running:
        yield running


@pytest.fixture
def control(simulator: Simulator) -> Control:
    return Control(simulator.url)


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Any]:
    with requests.Session() as session:
        http = stripe.RequestsClient(session=session)
        yield stripe.StripeClient(KEY, base_addresses={"api": simulator.url}, max_network_retries=0, http_client=http)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    taking = Receiver()
    yield taking
    taking.close()


def plan(client: Any, amount: int, interval: str = "month") -> Any:
    product = client.v1.products.create({"name": f"Plan {amount}"})
    recurring = {"interval": interval}
    return client.v1.prices.create({"product": product.id, "unit_amount": amount, "currency": "usd", "recurring": recurring})


def subscribe(client: Any, amount: int = 1000) -> Any:
    customer = client.v1.customers.create({"name": "Acme"})
    return client.v1.subscriptions.create(
        {
            "customer": customer.id,
            "items": [{"price": plan(client, amount).id, "quantity": 1}],
            "collection_method": "send_invoice",
            "days_until_due": 30,
            "metadata": {"contract_number": "C-00000001"},
        }
    )


def open_invoice(client: Any, *amounts: int) -> Any:
    customer = client.v1.customers.create({"name": "Acme"})
    draft = client.v1.invoices.create(
        {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 30, "currency": "eur"}
    )
    for amount in amounts:
        client.v1.invoice_items.create({"customer": customer.id, "invoice": draft.id, "amount": amount, "currency": "eur"})
    return client.v1.invoices.finalize_invoice(draft.id)


def middle(subscription: Any) -> int:
    item = subscription["items"].data[0]
    return int(item.current_period_start + item.current_period_end) // 2


# -- reading ------------------------------------------------------------------------------------------------------


def test_lists_are_newest_first_in_tens_with_id_cursors(client: Any, control: Control) -> None:
    control.load("customers", *({"id": f"cus_{n:02d}", "created": 1_760_000_000 + n // 2} for n in range(25)))
    first = client.v1.customers.list()
    assert (len(first.data), first.has_more, first.url) == (10, True, "/v1/customers")
    assert first.data[0].id == "cus_24"
    ids = [customer.id for customer in client.v1.customers.list().auto_paging_iter()]
    assert ids == [f"cus_{n:02d}" for n in reversed(range(25))]
    newer = client.v1.customers.list({"ending_before": "cus_20", "limit": 2})
    assert ([c.id for c in newer.data], newer.has_more) == (["cus_22", "cus_21"], True)
    since = client.v1.customers.list({"created": {"gte": 1_760_000_011, "lt": 1_760_000_012}})
    assert [c.id for c in since.data] == ["cus_23", "cus_22"]


def test_cancelled_subscriptions_need_status_all(client: Any) -> None:
    subscription = subscribe(client)
    assert subscription["items"].data[0].current_period_end > subscription.start_date
    assert "current_period_end" not in subscription.to_dict()
    client.v1.subscriptions.cancel(subscription.id)
    assert client.v1.subscriptions.list().data == []
    assert [s.status for s in client.v1.subscriptions.list({"status": "all"}).data] == ["canceled"]
    assert client.v1.subscriptions.retrieve(subscription.id).status == "canceled"


def test_embedded_lines_are_cut_and_paged(client: Any) -> None:
    invoice = open_invoice(client, *range(100, 113))
    assert (len(invoice.lines.data), invoice.lines.has_more) == (10, True)
    assert invoice.total == sum(range(100, 113))
    lines = client.v1.invoices.line_items.list(invoice.id, {"limit": 5}).auto_paging_iter()
    assert [line.amount for line in lines] == list(range(100, 113))


def test_expansion(client: Any) -> None:
    invoice = client.v1.invoices.pay(open_invoice(client, 500).id)
    plain = client.v1.invoices.retrieve(invoice.id).to_dict()
    assert isinstance(plain["customer"], str)
    assert "payments" not in plain
    assert "updated" not in plain
    full = client.v1.invoices.retrieve(invoice.id, {"expand": ["customer", "payments.data.payment.payment_intent"]})
    assert full.customer.name == "Acme"
    assert full.payments.data[0].payment.payment_intent.amount_received == 500
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded"):
        client.v1.invoices.retrieve(invoice.id, {"expand": ["nonsense"]})


@pytest.mark.parametrize(
    ("call", "status", "code"),
    [
        (lambda c: c.v1.invoices.retrieve("in_none"), 404, "resource_missing"),
        (lambda c: c.v1.customers.create({"nme": "x"}), 400, "parameter_unknown"),
        (lambda c: c.v1.customers.list({"limit": 101}), 400, "parameter_invalid_integer"),
        (lambda c: c.v1.customers.create({"balance": "1.5"}), 400, "parameter_invalid_integer"),
        (lambda c: c.v1.invoices.create({"customer": "cus_none"}), 400, "resource_missing"),
    ],
)
def test_refusals_speak_stripes_language(client: Any, call: Any, status: int, code: str) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        call(client)
    assert (refused.value.http_status, refused.value.code) == (status, code)
    assert str(refused.value.request_id).startswith("req_")


@pytest.mark.parametrize(("method", "path", "status"), [
    ("GET", "nothing", 404), ("GET", "nothing/x", 404), ("PUT", "customers/cus_1", 405), ("GET", "a/b/c/d/e", 404),
])  # fmt: skip
def test_unknown_addresses_and_methods_speak_stripes_language(control: Control, method: str, path: str, status: int) -> None:
    answer = requests.request(method, f"{control.url}/v1/{path}", headers=HEADERS, timeout=5)
    assert (answer.status_code, answer.json()["error"]["type"]) == (status, "invalid_request_error")


def test_keys_and_rate_limit(client: Any, simulator: Simulator) -> None:
    url = f"{simulator.url}/v1/customers"
    assert requests.get(url, auth=(KEY, ""), timeout=5).status_code == 200
    wrong = requests.get(url, headers={"Authorization": "Bearer sk_test_wrong"}, timeout=5)
    assert (wrong.status_code, "Invalid API Key" in wrong.text) == (401, True)
    vendor = simulator.vendor
    assert isinstance(vendor, Vendor)
    vendor.requests_per_second = 2
    answers = [requests.get(url, headers=HEADERS, timeout=5) for _ in range(4)]
    assert answers[-1].status_code == 429
    assert "Retry-After" not in answers[-1].headers
    with pytest.raises(stripe.RateLimitError):
        client.v1.customers.list()


# -- idempotency --------------------------------------------------------------------------------------------------


def test_the_same_key_replays_and_other_parameters_are_refused(client: Any, control: Control, clock: Clock) -> None:
    key = {"idempotency_key": "corr:1:1"}
    first = client.v1.customers.create({"name": "A"}, key)
    assert client.v1.customers.create({"name": "A"}, key).id == first.id
    with pytest.raises(stripe.IdempotencyError):
        client.v1.customers.create({"name": "B"}, key)
    assert [effect["key"] for effect in control.get("effects")] == ["corr:1:1"]
    clock.ahead = DAY + 1
    assert client.v1.customers.create({"name": "B"}, key).id != first.id


def test_a_stored_failure_is_replayed_but_a_validation_failure_is_not(client: Any, control: Control) -> None:
    control.fault("POST", "^/v1/customers", status=500, stored=True)
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            client.v1.customers.create({"name": "A"}, {"idempotency_key": "k1"})
    assert client.v1.customers.list().data == []
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.customers.create({"nme": "A"}, {"idempotency_key": "k2"})
    assert client.v1.customers.create({"name": "A"}, {"idempotency_key": "k2"}).name == "A"
    paid = client.v1.invoices.pay(open_invoice(client, 100).id)
    for _ in range(2):
        with pytest.raises(stripe.InvalidRequestError) as refused:
            client.v1.invoices.void_invoice(paid.id, None, {"idempotency_key": "k3"})
        assert refused.value.code == "invoice_already_paid"
    assert refused.value.headers
    assert refused.value.headers["Idempotent-Replayed"] == "true"


def test_a_key_in_use_is_409(client: Any, control: Control) -> None:
    control.fault("POST", "^/v1/customers", delay_seconds=1.0)

    def create() -> int:
        form = {"name": "A"}
        url = f"{control.url}/v1/customers"
        return requests.post(url, data=form, headers=HEADERS | {"Idempotency-Key": "k"}, timeout=5).status_code

    slow = threading.Thread(target=create)
    slow.start()
    eventually(lambda: control.get("faults")[0]["hits"])
    assert create() == 409
    slow.join()
    assert create() == 200
    assert len(client.v1.customers.list().data) == 1


# -- events and webhooks ------------------------------------------------------------------------------------------


def test_a_delivery_verifies_with_the_sdk_and_is_retried_until_2xx(client: Any, control: Control, receiver: Receiver) -> None:
    control.deliveries(url=receiver.url)
    receiver.answers = [500, 302, 0]
    customer = client.v1.customers.create({"name": "A"}, {"idempotency_key": "ours"})
    eventually(lambda: len(receiver.received) == 4)
    eventually(lambda: control.get("health")["undelivered"] == 0)
    assert len({body for _, body in receiver.received}) == 1
    for headers, body in receiver.received:
        event = stripe.Webhook.construct_event(body, headers["Stripe-Signature"], SECRET)
        assert (event.type, event.data.object.id) == ("customer.created", customer.id)
        assert event.request.idempotency_key == "ours"
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(body, headers["Stripe-Signature"], "whsec_other")
    kept = client.v1.events.list({"delivery_success": True}).data
    assert [(e.id, e.pending_webhooks) for e in kept] == [(event.id, 0)]
    delivery = control.get("deliveries")[0]
    assert (delivery["attempts"], delivery["status"]) == (4, "delivered")


def test_duplicates_pause_and_redelivery(client: Any, control: Control, receiver: Receiver) -> None:
    control.deliveries(url=receiver.url, duplicate=1.0, paused=True)
    client.v1.customers.create({"name": "A"})
    assert control.get("health")["undelivered"] == 1
    control.deliveries(paused=False)
    eventually(lambda: len(receiver.received) == 2)
    eventually(lambda: control.get("health")["undelivered"] == 0)
    control.deliveries(duplicate=0.0)
    ids = [delivery["id"] for delivery in control.get("deliveries")]
    requests.post(f"{control.url}/_sim/deliveries/redeliver", json={"ids": ids}, timeout=5).raise_for_status()
    eventually(lambda: len(receiver.received) == 3)


def test_events_are_snapshots_with_what_was_before(client: Any, control: Control, clock: Clock) -> None:
    customer = client.v1.customers.create({"name": "A", "metadata": {"x": "1", "y": "2"}})
    client.v1.customers.update(customer.id, {"name": "B", "metadata": {"x": ""}})
    control.change(collection="customers", id=customer.id, set={"name": "C"})
    engine, ours, created = client.v1.events.list({"types": ["customer.created", "customer.updated"]}).data
    assert (created.data.object.name, ours.data.object.name, engine.data.object.name) == ("A", "B", "C")
    assert ours.data.previous_attributes.to_dict() == {"name": "A", "metadata": {"x": "1"}}
    assert (engine.request.id, engine.request.idempotency_key) == (None, None)
    assert str(ours.request.id).startswith("req_")
    assert "previous_attributes" not in created.data.to_dict()
    assert client.v1.events.list({"type": "customer.*", "ending_before": created.id}).data[0].id == engine.id
    clock.ahead = 30 * DAY + 5
    assert client.v1.events.list().data == []


# -- money --------------------------------------------------------------------------------------------------------


def test_a_change_at_half_period_leaves_two_pending_items(client: Any) -> None:
    subscription = subscribe(client, 1000)
    item = subscription["items"].data[0]
    dearer = plan(client, 2000)
    change = {"items": [{"id": item.id, "price": dearer.id}], "proration_date": middle(subscription)}
    preview = client.v1.invoices.create_preview({"subscription": subscription.id, "subscription_details": change})
    assert preview.id.startswith("upcoming_in")
    assert [line.amount for line in preview.lines.data] == [-500, 1000, 2000]
    assert client.v1.invoice_items.list({"pending": True}).data == []
    updated = client.v1.subscriptions.update(subscription.id, change)
    assert [i.id for i in updated["items"].data] == [item.id]
    pending = client.v1.invoice_items.list({"pending": True}).data
    assert sorted((i.amount, i.proration, i.invoice) for i in pending) == [(-500, True, None), (1000, True, None)]
    credit = next(i for i in pending if i.amount < 0).to_dict()
    first = client.v1.invoices.retrieve(subscription.latest_invoice)
    assert credit["proration_details"]["credited_items"]["invoice_line_item_details"] == {
        "invoice": first.id,
        "invoice_line_items": [first.lines.data[0].id],
    }
    client.v1.subscriptions.cancel(subscription.id)
    assert client.v1.invoice_items.list({"pending": True}).data == []


def test_always_invoice_bills_at_once(client: Any) -> None:
    subscription = subscribe(client, 1000)
    change = {"id": subscription["items"].data[0].id, "quantity": 3}
    updated = client.v1.subscriptions.update(
        subscription.id,
        {"items": [change], "proration_behavior": "always_invoice", "proration_date": middle(subscription)},
    )
    invoice = client.v1.invoices.retrieve(updated.latest_invoice)
    assert (invoice.status, invoice.total, invoice.billing_reason) == ("open", 1000, "subscription_update")
    parent = invoice.parent.subscription_details
    assert (parent.subscription, parent.metadata.to_dict()) == (subscription.id, {"contract_number": "C-00000001"})
    line = invoice.lines.data[0].to_dict()
    assert line["parent"]["invoice_item_details"]["proration"] is True
    assert client.v1.invoice_items.list({"pending": True}).data == []


def test_a_downgrade_becomes_customer_balance(client: Any) -> None:
    subscription = subscribe(client, 3000)
    change = {"id": subscription["items"].data[0].id, "price": plan(client, 1000).id}
    updated = client.v1.subscriptions.update(
        subscription.id,
        {"items": [change], "proration_behavior": "always_invoice", "proration_date": middle(subscription)},
    )
    invoice = client.v1.invoices.retrieve(updated.latest_invoice)
    assert (invoice.status, invoice.total, invoice.amount_due, invoice.ending_balance) == ("paid", -1000, 0, -1000)
    assert client.v1.customers.retrieve(subscription.customer).balance == -1000


def test_no_item_id_adds_a_second_item_and_the_old_anchor_text_is_refused(client: Any) -> None:
    subscription = subscribe(client)
    extra = {"items": [{"price": plan(client, 700).id}], "proration_behavior": "none"}
    assert len(client.v1.subscriptions.update(subscription.id, extra)["items"].data) == 2
    with pytest.raises(stripe.InvalidRequestError, match="billing_cycle_anchor"):
        client.v1.subscriptions.update(subscription.id, {"billing_cycle_anchor": "now"})


def test_credit_note_on_an_open_invoice_and_back(client: Any, control: Control) -> None:
    invoice = open_invoice(client, 1000)
    wish = {"invoice": invoice.id, "amount": 300, "email_type": "none", "metadata": {"correction": "c1"}}
    preview = client.v1.credit_notes.preview({"invoice": invoice.id, "amount": 300})
    assert (preview.total, preview.type) == (300, "pre_payment")
    assert client.v1.credit_notes.list().data == []
    note = client.v1.credit_notes.create(wish, {"idempotency_key": "rvo-1"})
    assert (note.number, note.status, note.pre_payment_amount) == (f"{invoice.number}-CN-01", "issued", 300)
    after = client.v1.invoices.retrieve(invoice.id)
    assert (after.total, after.amount_due, after.amount_remaining) == (1000, 700, 700)
    with pytest.raises(stripe.InvalidRequestError, match="more than can be credited"):
        client.v1.credit_notes.create(wish | {"amount": 701})
    assert client.v1.credit_notes.void_credit_note(note.id).status == "void"
    assert client.v1.invoices.retrieve(invoice.id).amount_remaining == 1000
    by_key: list[Json] = [e for e in control.get("effects") if e["key"] == "rvo-1"]
    assert sorted((e["collection"], e["kind"]) for e in by_key) == [("credit_notes", "created"), ("invoices", "changed")]


def test_credit_after_payment_must_say_where_the_money_goes(client: Any) -> None:
    invoice = client.v1.invoices.pay(open_invoice(client, 1000).id)
    assert (invoice.status, invoice.amount_paid, invoice.amount_remaining) == ("paid", 1000, 0)
    with pytest.raises(stripe.InvalidRequestError, match="must be 400"):
        client.v1.credit_notes.create({"invoice": invoice.id, "amount": 400})
    line = {"type": "invoice_line_item", "invoice_line_item": invoice.lines.data[0].id, "amount": 400}
    note = client.v1.credit_notes.create({"invoice": invoice.id, "lines": [line], "credit_amount": 400})
    assert (note.type, note.post_payment_amount) == ("post_payment", 400)
    assert client.v1.customers.retrieve(invoice.customer).balance == -400
    assert client.v1.invoices.retrieve(invoice.id).post_payment_credit_notes_amount == 400
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.credit_notes.void_credit_note(note.id)


def test_the_invoice_state_machine(client: Any) -> None:
    voided = client.v1.invoices.void_invoice(open_invoice(client, 100).id)
    assert (voided.status, voided.status_transitions.voided_at > 0) == ("void", True)
    bad = client.v1.invoices.mark_uncollectible(open_invoice(client, 100).id)
    assert client.v1.invoices.pay(bad.id).status == "paid"
    outside = client.v1.invoices.pay(open_invoice(client, 100).id, {"paid_out_of_band": True})
    assert (outside.status, client.v1.invoice_payments.list({"invoice": outside.id}).data) == ("paid", [])
    for step in ("void_invoice", "mark_uncollectible", "finalize_invoice", "pay"):
        with pytest.raises(stripe.InvalidRequestError):
            getattr(client.v1.invoices, step)(voided.id)
    draft = client.v1.invoices.create({"customer": voided.customer})
    assert draft.number is None
    client.v1.invoices.delete(draft.id)
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.invoices.delete(voided.id)


def test_a_payment_leads_back_to_its_invoice(client: Any) -> None:
    invoice = client.v1.invoices.pay(open_invoice(client, 250).id)
    payment = client.v1.invoice_payments.list({"invoice": invoice.id, "status": "paid"}).data[0]
    intent = payment.payment.payment_intent
    assert payment.amount_paid == 250
    assert "invoice" not in client.v1.payment_intents.retrieve(intent).to_dict()
    found = client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent}})
    assert [p.id for p in found.data] == [payment.id]


def test_invoice_payments_are_listed_by_what_stripe_documents_and_nothing_else(client: Any) -> None:
    payments = client.v1.invoice_payments
    for wrong in ({"payment": {"type": "charge"}}, {"payment": {"type": "payment_record", "charge": "ch_1"}}, {"status": "due"}):
        with pytest.raises(stripe.InvalidRequestError):
            payments.list(wrong)
    assert payments.list({"payment": {"type": "payment_record", "payment_record": "obj_1"}}).data == []
    with pytest.raises(stripe.InvalidRequestError, match="Missing required param: payment"):
        payments.list({"payment": {"payment_intent": "pi_1"}})
    with pytest.raises(stripe.InvalidRequestError, match="unknown parameter: created"):
        client.v1.invoices.line_items.list(open_invoice(client, 100).id, {"created": 1})


def test_an_intent_pays_no_more_than_it_has_and_only_the_default_payment_is_the_invoices_own(client: Any) -> None:
    first, second = open_invoice(client, 300), open_invoice(client, 300)
    wish = {"amount": 500, "currency": first.currency, "customer": first.customer, "confirm": True}
    intent = client.v1.payment_intents.create(wish).id
    for billed in (first, second):
        client.v1.invoices.attach_payment(billed.id, {"payment_intent": intent})
    found = client.v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent}}).data
    assert sorted((each.amount_paid, each.is_default) for each in found) == [(200, False), (300, False)]
    paid = client.v1.invoices.pay(second.id)
    assert [each.is_default for each in client.v1.invoice_payments.list({"invoice": paid.id, "limit": 1}).data] == [True]


def test_a_restricted_key_is_told_which_permission_it_lacks(client: Any, control: Control) -> None:
    control.load("restricted", {"id": "customers", "permission": "rak_customer_read"})
    with pytest.raises(stripe.PermissionError, match="Having the 'rak_customer_read' permission would allow"):
        client.v1.customers.list()
    assert client.v1.invoices.list().data == []


def test_usage(client: Any) -> None:
    aggregation = {"default_aggregation": {"formula": "sum"}}
    client.v1.billing.meters.create({"display_name": "Calls", "event_name": "calls", **aggregation})
    usage = {"event_name": "calls", "payload": {"stripe_customer_id": "cus_1", "value": "25"}, "identifier": "u1"}
    client.v1.billing.meter_events.create(usage)
    with pytest.raises(stripe.InvalidRequestError, match="already exists"):
        client.v1.billing.meter_events.create(usage)
    with pytest.raises(stripe.InvalidRequestError, match="35 days"):
        client.v1.billing.meter_events.create(usage | {"identifier": "u2", "timestamp": 1_600_000_000})
