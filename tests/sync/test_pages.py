"""Deliveries, dead letters, replay and connections, through their pages."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from django.test import Client

from revops import strict_json
from revops.audit.models import ActionRecord
from revops.ledger.models import SourceRecord
from sync.models import Delivery, DeliveryState, Replay
from sync.surface.pages import shown_body
from tests import guards
from tests.factories import PASSWORD, dead_letter, person
from tests.revops import world
from tests.sync.connectors.test_recordings import RECORDINGS, load

pytestmark = pytest.mark.django_db


@pytest.fixture
def sign_in(settings: object) -> Callable[..., Client]:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # type: ignore[attr-defined]

    def make(name: str, *roles: str) -> Client:
        client = Client()
        client.force_login(person(name, *roles))
        return client

    return make


@pytest.fixture
def dead() -> list[Delivery]:
    """Three dead letters of one cause and one of another, with a secret in a body."""
    world.systems()
    made = []
    for number in range(4):
        body = json.dumps({"id": number, "password": "hunter2", "amount": 12.30}).replace("12.3}", "12.30}").encode()
        code = "misunderstood" if number < 3 else "key_conflict"
        made.append(dead_letter("netsuite", f"k{number}", body, code=code, trace="a" * 32))
    return made


def test_dead_letters_are_grouped_by_cause(dead: list[Delivery], sign_in: Callable[..., Client]) -> None:
    client = sign_in("farid", "finance_analyst")
    page = client.get("/deliveries/dead/").content.decode()
    assert "Preview replay of 3" in page
    assert "Preview replay of 1" in page
    assert "The total is missing." in page
    assert 'id="count-deliveries">4<' in page


def test_lists_filter_by_state_connection_and_trace(dead: list[Delivery], sign_in: Callable[..., Client]) -> None:
    client = sign_in("farid", "finance_analyst")
    assert client.get("/deliveries/?state=quarantined").content.count(b"data-row ") == 4
    assert client.get("/deliveries/?code=key_conflict").content.count(b"data-row ") == 1
    assert client.get("/deliveries/?trace=" + "a" * 32).content.count(b"data-row ") == 4
    assert b"No delivery fits" in client.get("/deliveries/?connection=nobody").content


def test_the_body_is_shown_exactly_but_for_its_secrets(dead: list[Delivery], sign_in: Callable[..., Client]) -> None:
    page = sign_in("farid", "finance_analyst").get(f"/deliveries/{dead[0].pk}/").content.decode()
    assert "hunter2" not in page
    assert "***" in page
    assert "12.30" in page
    assert dead[0].digest in page


@pytest.mark.parametrize(
    ("body", "shown"),
    [(b"\xff\xfe", "ff fe"), (b"plain sk_live_abcdefgh", "plain ***"), (b"[1.10, 1e5, -0]", "1.10"), (b"[[" * 3000, "[[")],
)
def test_any_body_can_be_shown(body: bytes, shown: str) -> None:
    text, note = shown_body(body)
    assert shown in text
    assert note


def test_a_replay_is_previewed_given_a_reason_and_followed(dead: list[Delivery], sign_in: Callable[..., Client]) -> None:
    client = sign_in("farid", "finance_analyst")
    chosen = {"delivery": [dead[0].pk, dead[1].pk]}
    preview = client.post("/deliveries/replay/preview/", chosen).content.decode()
    assert "Replay 2 deliveries" in preview
    assert "Still not usable" in preview
    assert Delivery.objects.filter(state=DeliveryState.QUARANTINED).count() == 4
    assert client.post("/deliveries/replay/", chosen).status_code == 422
    client.post("/deliveries/replay/", {**chosen, "reason": "field was added"})
    assert Delivery.objects.filter(state=DeliveryState.PENDING).count() == 2
    assert ActionRecord.objects.get(verb="delivery.replay").reason == "field was added"
    progress = client.get("/deliveries/replay/progress/").content.decode()
    assert "0 of 2 done" in progress
    assert 'hx-trigger="every 2s"' in progress
    with guards.down():
        Delivery.objects.filter(pk=dead[0].pk).update(state=DeliveryState.APPLIED)
        Delivery.objects.filter(pk=dead[1].pk).update(state=DeliveryState.QUARANTINED)
    done = client.get("/deliveries/replay/progress/", headers={"HX-Request": "true"}).content.decode()
    assert "All 2 done" in done
    assert "every 2s" not in done
    assert "dead letters again" in done


def test_all_of_one_cause_can_be_replayed(dead: list[Delivery], sign_in: Callable[..., Client]) -> None:
    client = sign_in("farid", "finance_analyst")
    query = "state=quarantined&code=misunderstood"
    client.post("/deliveries/replay/", {"query": query, "reason": "mended"})
    assert Delivery.objects.filter(state=DeliveryState.PENDING).count() == 3
    assert client.post("/deliveries/replay/preview/", {}).status_code == 422


def test_readers_see_and_do_not_replay(dead: list[Delivery], sign_in: Callable[..., Client]) -> None:
    client = sign_in("aurelio", "auditor")
    assert b"Preview replay" not in client.get("/deliveries/?state=quarantined").content
    assert client.post("/deliveries/replay/", {"delivery": [dead[0].pk], "reason": "x"}).status_code == 404
    assert sign_in("carla", "cs_analyst").get(f"/deliveries/{dead[0].pk}/").status_code == 404


def test_connections_show_no_secret(sign_in: Callable[..., Client]) -> None:
    world.systems(private_key="-----BEGIN TOP SECRET-----")
    page = sign_in("ada", "admin").get("/connections/netsuite/").content.decode()
    assert "demo-client-id" in page
    assert "TOP SECRET" not in page
    assert PASSWORD not in page


def test_a_replay_is_stopped_by_a_button(dead: list[Delivery], sign_in: Callable[..., Client]) -> None:
    client = sign_in("farid", "finance_analyst")
    client.post("/deliveries/replay/", {"delivery": [dead[0].pk, dead[1].pk], "reason": "mended"})
    run = Replay.objects.get()
    page = client.get(f"/deliveries/replays/{run.pk}/").content.decode()
    assert "Stop what is not yet replayed" in page
    reader = sign_in("aurelio", "auditor")
    assert "Stop what is not yet replayed" not in reader.get(f"/deliveries/replays/{run.pk}/").content.decode()
    assert reader.post(f"/deliveries/replays/{run.pk}/cancel/").status_code == 404
    stopped = client.post(f"/deliveries/replays/{run.pk}/cancel/", follow=True).content.decode()
    assert "2 deliveries are what they were" in stopped
    assert "Stopped by" in stopped
    assert Delivery.objects.filter(state=DeliveryState.QUARANTINED).count() == 4
    assert client.post(f"/deliveries/replays/{run.pk}/cancel/").status_code == 409
    assert "stopped, 2 taken back" in client.get("/deliveries/dead/").content.decode()
    assert client.get("/deliveries/replays/999/").status_code == 404


def test_what_a_system_said_of_its_customers_is_for_who_reads_the_ledger(
    dead: list[Delivery], sign_in: Callable[..., Client]
) -> None:
    reader, admin = sign_in("finance", "finance_analyst"), sign_in("admin", "admin")
    for one in dead:
        path = f"/deliveries/{one.pk}/"
        assert "12.30" in reader.get(path).content.decode()
        shown = admin.get(path).content.decode()
        assert "12.30" not in shown
        assert one.digest in shown, "where it stands is an administrator's business"


def test_a_preview_names_no_customer_to_who_may_see_none(sign_in: Callable[..., Client]) -> None:
    world.systems()
    account, _ = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    customers = SourceRecord.objects.filter(object_type="customer", account=account)
    ids = dict(customers.values_list("system_id", "external_id"))
    recording = load(next(path for path in RECORDINGS if (path.parent.name, path.stem) == ("netsuite", "customer")))[3]
    stored = Delivery.objects.create(
        connection_id="netsuite", kind="read", object_type="customer", dedup_key="again", digest="d", state="applied",
        body=strict_json.dump({"row": {**recording["body"]["row"], "id": ids["netsuite"], "externalid": ids["salesforce"]}}),
    )  # fmt: skip
    pages = {
        role: sign_in(role, role).post("/deliveries/replay/preview/", {"delivery": stored.pk}).content.decode()
        for role in ("admin", "finance_analyst")
    }
    assert account.name in pages["finance_analyst"]
    assert account.name not in pages["admin"]
