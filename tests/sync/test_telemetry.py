"""What operators are told of the inbox and of the workers, as they ask for it: over HTTP, from rows as they lie there."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from prometheus_client.parser import text_string_to_metric_families

from revops.ledger.models import DueAccount
from revops.people.actors import System
from revops.postings.models import ChangePlan, Posting
from sync.applying.drain import process_all
from sync.connections import pause, stop_posting
from sync.intake import inbox, refusals
from sync.models import Connection, Delivery, Heartbeat, Watermark
from tests import guards
from tests.accounts import as_owner
from tests.factories import an_account
from tests.revops import world
from tests.sync.stripe_sender import event, headers, rendered


def figures(client: Client) -> dict[str, dict[tuple[str, ...], float]]:
    """Every sample of /metrics: name -> label values in alphabetical order of their labels -> value."""
    text = client.get("/metrics").content.decode()
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = tuple(value for _, value in sorted(sample.labels.items()))
            found.setdefault(sample.name, {})[key] = sample.value
    return found


def post(client: Client, body: bytes, **signed: Any) -> int:
    sent = headers(body, **signed)
    answer = client.post(
        "/intake/stripe/", body, content_type=sent["Content-Type"], headers={"Stripe-Signature": sent["Stripe-Signature"]}
    )
    return answer.status_code


def ago(seconds: float) -> dt.datetime:
    return dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds)


def silence(client: Client) -> list[str]:
    answer = client.get("/readyz")
    assert answer.status_code == 200  # whatever the workers do, the web can serve
    found: list[str] = answer.json()["silent"]
    return found


@pytest.fixture(autouse=True)
def _no_other_work(stripe: Connection) -> None:
    Watermark.objects.update(next_attempt_at=ago(-86400))


# --- the inbox ------------------------------------------------------------------------------------------------------------


def test_conservation_can_be_read_from_the_figures(client: Client, stripe: Connection) -> None:
    bodies = [rendered(event(number)) for number in range(6)]
    for body in [*bodies, bodies[0], bodies[0], bodies[1]]:
        assert post(client, body) == 202
    assert post(client, bodies[0], secret="whsec_of_somebody_else") == 401
    process_all(dt.datetime.now(dt.UTC))
    assert post(client, rendered(event(7, type="account.updated"))) == 202
    process_all(dt.datetime.now(dt.UTC))
    assert post(client, rendered(event(8))) == 202
    refusals.write()

    found = figures(client)
    states = {key[1]: value for key, value in found["revops_deliveries"].items() if key[0] == "stripe"}
    assert states == {"applied": 6, "ignored": 1, "pending": 1, "superseded": 0, "quarantined": 0}
    assert found["revops_deliveries_received_total"][("stripe",)] == sum(states.values()) == Delivery.objects.count()
    assert found["revops_delivery_copies_total"][("stripe",)] == 3
    assert found["revops_intake_refused_total"][("stripe", "401")] == 1
    whole = inbox.conservation()
    assert whole.holds
    assert (whole.received, whole.copies, whole.pending) == (8, 3, 1)


def test_a_delivery_in_no_known_state_breaks_the_sum(stripe: Connection) -> None:
    inbox.accept(_handle(stripe), kind="event", dedup_key="k", body=b"{}")
    assert inbox.conservation().holds
    with guards.down():
        Delivery.objects.update(state="mislaid")
    assert not inbox.conservation().holds


def _handle(stripe: Connection) -> Any:
    from sync import connections

    return connections.handle_of(stripe)


def test_ages_and_connections(client: Client, stripe: Connection) -> None:
    inbox.accept(_handle(stripe), kind="event", dedup_key="k", body=b"{}")
    with guards.down():
        Delivery.objects.update(received_at=ago(500))
    stop_posting("stripe", reason="tests", acting_user=System("tests"))
    Watermark.objects.create(connection=stripe, stream="one", attempts=3, next_attempt_at=ago(-3600))
    found = figures(client)
    assert 499 <= found["revops_delivery_pending_oldest_seconds"][("stripe",)] < 560
    assert found["revops_connection_posting_enabled"][("stripe",)] == 0
    assert found["revops_connection_active"][("stripe",)] == 1
    assert found["revops_stream_failures"][("stripe", "one")] == 3


def test_the_inbox_is_counted_from_indexes(stripe: Connection) -> None:
    """However long the bodies are: a scrape may not read them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO sync_delivery (connection_id, kind, object_type, dedup_key, body, digest, headers, trace_id,
                                       copies, state, reason, reason_code, attempts, fence, replays)
            SELECT 'stripe', 'event', '', 'k' || n, convert_to(repeat(md5(n::text), 30), 'UTF8'), 'd', '{}', '', 1,
                   CASE WHEN n % 100 = 0 THEN 'pending' ELSE 'applied' END, '', '', 0, 0, 0
              FROM generate_series(1, 20000) n
            """
        )
        with as_owner():
            cursor.execute("VACUUM ANALYZE sync_delivery")
        with CaptureQueriesContext(connection) as asked:
            assert inbox.conservation().pending == 200
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + str(asked.captured_queries[0]["sql"]))
        plan = cursor.fetchone()[0][0]["Plan"]
        cursor.execute("SELECT sum(pg_relation_size(relid)) / 8192 FROM pg_partition_tree('sync_delivery')")
        pages = cursor.fetchone()[0]
    assert pages > 2000
    assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < pages / 4


# --- the workers --------------------------------------------------------------------------------------------------------


def waiting(stripe: Connection, seconds: float, **fields: Any) -> Delivery:
    row = inbox.accept(_handle(stripe), kind="event", dedup_key=f"k{Delivery.objects.count()}", body=b"{}")
    with guards.down():
        Delivery.objects.filter(pk=row.id).update(received_at=ago(seconds), next_attempt_at=ago(seconds), **fields)
    return Delivery.objects.get(pk=row.id)


@pytest.mark.parametrize(
    ("waited", "beat", "silent"),
    [
        (300, 300, True),  # work waits and nobody has done any
        (300, None, True),  # nobody was ever heard of
        (300, 20, False),  # there is more than can be done at once, but it moves
        (20, 4000, False),  # nothing was to be done for an hour, and now there is
        (None, 4000, False),  # nothing is to be done
    ],
)
def test_silent_is_who_does_nothing_while_work_waits(
    client: Client, stripe: Connection, waited: float | None, beat: float | None, silent: bool
) -> None:
    Heartbeat.objects.create(name="sweep", beat_at=ago(1))
    if beat is not None:
        Heartbeat.objects.create(name="apply", beat_at=ago(beat))
    if waited is not None:
        waiting(stripe, waited)
    assert silence(client) == (["apply"] if silent else [])
    found = figures(client)
    assert found["revops_worker_silent"][("apply",)] == int(silent)
    assert found["revops_trouble"][("silent_apply",)] == int(silent)
    if beat is not None:
        assert beat - 1 <= found["revops_worker_beat_age_seconds"][("apply",)] <= beat + 60


def test_each_kind_of_work_has_its_worker(client: Client, stripe: Connection) -> None:
    Heartbeat.objects.create(name="sweep", beat_at=ago(1))
    row = waiting(stripe, 120, reason_code="reread")
    assert silence(client) == ["intake"]
    with guards.down():
        Delivery.objects.filter(pk=row.pk).update(state="ignored")
    Watermark.objects.create(connection=stripe, stream="customers", next_attempt_at=ago(90))
    assert silence(client) == ["intake"]
    pause("stripe", reason="tests", acting_user=System("tests"))
    assert silence(client) == []
    DueAccount.objects.create(account=an_account(), next_attempt_at=ago(90))
    assert silence(client) == ["apply"]
    assert figures(client)["revops_accounts_due"][()] == 1


def test_a_released_posting_that_nobody_sends(client: Client, stripe: Connection) -> None:
    Heartbeat.objects.create(name="sweep", beat_at=ago(1))
    world.systems()
    Watermark.objects.update(next_attempt_at=ago(-86400))
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    plan = world.credit_plan(world.person("maker", "finance_analyst"), case)
    _release(plan)
    assert silence(client) == []
    Posting.objects.update(next_attempt_at=ago(90))
    plan = ChangePlan.objects.get(pk=plan.pk)
    with transaction.atomic():
        plan.released_at = ago(7300)
        plan.save()
    assert silence(client) == ["posting"]
    Heartbeat.objects.create(name="posting", beat_at=ago(1))
    assert client.get("/readyz").json()["warnings"] == ["An approved change has waited to reach its system for 2 h."]
    found = figures(client)
    assert found["revops_trouble"][("overdue_posting",)] == 1
    assert found["revops_postings"][("released", "netsuite")] == 1
    assert found["revops_cases_open"][("invoice_amount_mismatch",)] == 1


def _release(plan: Any) -> None:
    from revops.approvals.actions import approve, submit_plan

    submit_plan(plan, acting_user=plan.maker)
    fresh = world.fresh(plan)
    checker = world.person("checker", "approver")
    approve(fresh, digest=fresh.digest, meaning="Agreed", step_up=world.proof(checker), acting_user=checker)
    assert world.fresh(plan).state == "released"


def test_the_sweeper_is_missed_after_a_minute(client: Client, stripe: Connection) -> None:
    assert silence(client) == []  # a fresh installation: nothing waits, nobody was heard of yet
    waiting(stripe, 120)
    assert silence(client) == ["sweep", "apply"]
    Heartbeat.objects.create(name="apply", beat_at=ago(1))
    Heartbeat.objects.create(name="sweep", beat_at=ago(90))
    assert silence(client) == ["sweep"]
    assert client.get("/readyz").json()["warnings"] == ["Waiting work is not picked up again for 1 min."]
    Heartbeat.objects.filter(name="sweep").update(beat_at=ago(3))
    assert silence(client) == []


def test_nothing_waits_longer_than_its_limit_without_a_word(client: Client, stripe: Connection) -> None:
    """Also when every worker is well: a delivery that is tried again and again, an account that cannot be looked at."""
    for name in ("sweep", "apply"):
        Heartbeat.objects.create(name=name, beat_at=ago(1))
    row = waiting(stripe, 1000)
    Delivery.objects.update(next_attempt_at=ago(-60))
    assert client.get("/readyz").json()["warnings"] == ["A delivery has waited to be applied for 16 min."]
    assert figures(client)["revops_trouble"][("overdue_delivery",)] == 1
    Delivery.objects.filter(pk=row.pk).update(replays=1, next_attempt_at=ago(5))  # put back to the start a moment ago
    assert client.get("/readyz").json()["warnings"] == []
    with guards.down():
        Delivery.objects.update(received_at=ago(100), replays=0)
    assert client.get("/readyz").json()["warnings"] == []
    assert figures(client)["revops_trouble"][("overdue_delivery",)] == 0


def test_whether_work_moves_is_one_cheap_question(client: Client, stripe: Connection) -> None:
    from sync.workers.telemetry import read_work_state

    with CaptureQueriesContext(connection) as asked:
        read_work_state()
    assert len(asked) == 1
