"""A system is connected by people: added, tested, started, paused, given other secrets, and posted to by two; in the browser,
over the API and by the command alike."""

from __future__ import annotations

import datetime as dt
import html
import io
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import Tags, run_checks
from django.core.management import CommandError, call_command
from django.test import Client

from demo.simulators.netsuite.tokens import demo_private_key_pem
from launch.embedded import free_port
from revops.audit.models import ActionRecord
from revops.errors import Rejected
from revops.history import write_history
from revops.installation.kind import mark_database
from revops.people.actors import System
from revops.people.models import User
from sync import connections
from sync.applying.drain import process_all
from sync.connections import client_for
from sync.models import Connection, Delivery, PostingProposal, Watermark
from sync.pull import poll
from sync.vendor.contract import Refused
from tests import guards
from tests.demo.simulators.control import Control, simulator
from tests.factories import PASSWORD, person
from tests.revops import world
from tests.revops.api.caller import Caller, body, code
from tests.revops.attacker import refusal_of
from tests.sync import stripe_sender

pytestmark = pytest.mark.django_db(transaction=True)
TESTS = System("tests")
WHY = {"reason": "because"}
PROOF = {"proof": PASSWORD}
GIVEN = {
    "client_id": "demo-client-id",
    "certificate_id": "demo-certificate",
    "private_key": demo_private_key_pem(),
    "webhook_secret": "hint-secret-of-the-tests",
    "currency_ids": "USD=1, EUR=2, JPY=3",
    "credit_item_id": "9001",
    "legal_entities": "1=US",
}
SECRETS = ("BEGIN PRIVATE KEY", "BEGIN RSA PRIVATE KEY", "hint-secret", "another-secret")


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture
def sign_in() -> Callable[..., Client]:
    def make(name: str, *roles: str) -> Client:
        client = Client()
        client.force_login(User.objects.filter(username=f"{name}@example.com").first() or person(name, *roles))
        return client

    return make


@pytest.fixture
def rehearsal() -> None:
    """The database is marked, as its first person marks it."""
    mark_database(acting_user=TESTS)


@pytest.fixture
def ada(sign_in: Callable[..., Client]) -> Client:
    return sign_in("ada", "admin")


@pytest.fixture
def cora(sign_in: Callable[..., Client]) -> Client:
    return sign_in("cora", "controller")


@pytest.fixture
def erp(ada: Client, netsuite: Control) -> Connection:
    """The ERP, connected by a form and not started."""
    books(netsuite)
    answer = ada.post("/connect/netsuite/", form(netsuite.url) | PROOF)
    assert answer.status_code == 302, answer.content.decode()
    return Connection.objects.get(pk="netsuite")


def form(url: str, slug: str = "netsuite", **over: str) -> dict[str, str]:
    return {"slug": slug, "label": "The ERP", "base_url": url, **GIVEN, **over}


def books(netsuite: Control) -> None:
    """One company in the ERP."""
    netsuite.load("currency", {"id": 1, "name": "US Dollar", "symbol": "USD", "currencyprecision": 2})
    netsuite.load("subsidiary", {"id": 1, "name": "Meridian Inc", "currency": 1})


def everything_written() -> str:
    rows = [*ActionRecord.objects.values(), *Connection.history.values(), *PostingProposal.history.values()]
    return json.dumps(rows, default=str)


def page_of(client: Client, slug: str = "netsuite") -> str:
    return client.get(f"/connections/{slug}/").content.decode()


def version(slug: str = "netsuite") -> int:
    return Connection.objects.get(pk=slug).row_version


def is_on(slug: str = "netsuite") -> bool:
    return Connection.objects.get(pk=slug).posting_enabled


# --- adding and testing --------------------------------------------------------------------------------------------------


def test_i59_a_form_adds_a_connection_that_is_neither_read_nor_posted_to(ada: Client, erp: Connection) -> None:
    drawn = ada.get("/connect/netsuite/").content.decode()
    assert re.search(r'<input type="password" name="webhook_secret"', drawn)
    assert (erp.active, erp.posting_enabled, erp.system.label) == (False, False, "The ERP")
    assert poll.pull_due(0.5) == []
    shown = page_of(ada)
    assert "Not started" in shown
    assert "demo-client-id" in shown
    assert "http://testserver/intake/netsuite/" in shown, "to enter at the vendor"
    for words in SECRETS:
        assert words not in shown + everything_written()
    ada.post("/connections/netsuite/start/", {"version": str(version())})
    assert {pulled.stream for pulled in poll.pull_due(20.0)} == set(poll.streams_of("netsuite"))
    assert Watermark.objects.filter(read_at__isnull=False).exists()
    verbs = set(ActionRecord.objects.filter(subject="connection:netsuite").values_list("verb", flat=True))
    assert verbs == {"connection.create", "connection.resume"}


def test_adding_asks_for_a_fresh_proof_and_says_what_is_wrong(ada: Client) -> None:
    for over, words in (
        ({}, "Prove once more that it is you"),
        ({"proof": "wrong"}, "This is not your password"),
        (PROOF | {"slug": "The ERP"}, "small letters"),
        (PROOF | {"base_url": "ftp://x"}, "must start with https"),
        (PROOF | {"client_id": ""}, "Give Client id"),
    ):
        answer = ada.post("/connect/netsuite/", form("http://127.0.0.1:1099") | over)
        assert answer.status_code in {403, 422}
        assert words.lower() in answer.content.decode().lower()
    assert not Connection.objects.exists()


def test_a_test_says_who_we_are_there_and_keeps_nothing(rehearsal: None, ada: Client, netsuite: Control) -> None:
    books(netsuite)
    htmx = {"HX-Request": "true"}
    good = ada.post("/connect/netsuite/try/", form(netsuite.url), headers=htmx).content.decode()
    assert "It answers." in good
    assert "Meridian Inc" in good
    assert "<form" not in good, "the form beside it keeps what was typed"
    bad = ada.post("/connect/netsuite/try/", form(netsuite.url, client_id="nobody"), headers=htmx).content.decode()
    assert "NetSuite gives no token" in bad
    away = ada.post("/connect/netsuite/try/", form(f"http://127.0.0.1:{free_port()}")).content.decode()
    assert "no connection" in away
    assert not Connection.objects.exists()
    lines = ActionRecord.objects.filter(verb="connection.try").order_by("id")
    assert [line.after["good"] for line in lines] == [True, False, False]
    assert not [words for words in SECRETS if words in everything_written()]


def test_a_saved_connection_is_tested_and_read_at_once(ada: Client, erp: Connection) -> None:
    assert "It answers." in ada.post("/connections/netsuite/try/").content.decode()
    assert ada.post("/connections/netsuite/read/").status_code == 409, "not before it is started"
    ada.post("/connections/netsuite/start/", {"version": str(version())})
    Watermark.objects.update(next_attempt_at=now() + dt.timedelta(hours=1))
    assert poll.pull_due(0.5) == []
    ada.post("/connections/netsuite/read/")
    assert len(poll.pull_due(20.0)) == len(poll.streams_of("netsuite"))
    part = ada.get("/connections/netsuite/streams/", headers={"HX-Request": "true"}).content.decode()
    assert "not to its end yet" not in part
    assert "every 3s" not in part, "nothing is read any more"


@pytest.fixture
def billing(tmp_path: Path) -> Iterator[tuple[Control, dict[str, str]]]:
    """A billing system whose key may not read credit notes, and the settings with which it is reached."""
    with simulator("stripe", tmp_path) as control:
        control.load("restricted", {"id": "credit_notes", "permission": "rak_credit_note_read"})
        yield control, {"api_key": "sk_test_rehearsal", "webhook_secret": "whsec_another-secret"}


REFUSED = "Stripe does not let this key read /v1/credit_notes: it lacks the permission rak_credit_note_read."


def test_a_test_says_of_each_part_what_works_and_what_is_missing(
    rehearsal: None, ada: Client, billing: tuple[Control, dict[str, str]]
) -> None:
    control, given = billing
    typed = {"slug": "stripe", "label": "Billing", "base_url": control.url, **given}
    page = ada.post("/connect/stripe/try/", typed, headers={"HX-Request": "true"}).content.decode()
    assert "It does not work yet." in page
    assert "Refused: 1 of 9 parts." in page
    assert page.count("works</") == 8
    assert page.count("refused</") == 1
    assert REFUSED in html.unescape(page)
    tried = Caller(User.objects.get(username="ada@example.com")).post(
        "connectors/stripe/try/", {"base_url": control.url, "settings": given}
    )
    found = {part["name"]: (part["works"], part["said"]) for part in body(tried)["parts"]}
    assert body(tried)["good"] is False
    assert [name for name, (works, _) in found.items() if not works] == ["events: credit_notes"]
    assert found["events: credit_notes"] == (False, REFUSED)
    assert found["events: customers"] == (True, "")
    last = ActionRecord.objects.filter(verb="connection.try").order_by("id").last()
    assert last is not None
    assert last.after == {"good": False, "refused": ["events: credit_notes"]}


def test_the_command_says_it_too(
    rehearsal: None, ada: Client, billing: tuple[Control, dict[str, str]], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    control, given = billing
    words = ["add", "stripe", "stripe", "--base-url", control.url, "--secret", "api_key", "--secret", "webhook_secret", "--try"]
    typed = (PASSWORD, given["api_key"], given["webhook_secret"])
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
    with pytest.raises(CommandError, match="test mode"):
        call_command("connections", "--as", "ada@example.com", *words, stdout=out)
    lines = {line[:50].strip(): line[51:] for line in out.getvalue().splitlines()}
    assert lines["events: credit_notes"] == f"REFUSED: {REFUSED}"
    assert lines["events: invoices"] == "works"


def test_a_vendor_that_stops_answering_is_told_with_what_was_found(
    rehearsal: None, ada: Client, billing: tuple[Control, dict[str, str]]
) -> None:
    control, given = billing
    control.fault("GET", "/v1/invoices", times=9, status=503, body="{}")
    settings = {"base_url": control.url, "settings": given}
    tried = body(Caller(User.objects.get(username="ada@example.com")).post("connectors/stripe/try/", settings))
    assert tried["good"] is False
    assert "503" in tried["said"]
    assert [part["name"] for part in tried["parts"]] == ["events", "events: customers", "events: subscriptions"]


# --- pausing -------------------------------------------------------------------------------------------------------------


def delivered(client: Client, number: int, secret: str = stripe_sender.SECRET) -> int:
    raw = stripe_sender.rendered(stripe_sender.event(number))
    head = stripe_sender.headers(raw, secret=secret)
    kind = head.pop("Content-Type")
    return client.post("/intake/stripe/", raw, content_type=kind, headers=head).status_code


def test_a_paused_connection_loses_no_delivery(ada: Client, stripe: Connection, client: Client) -> None:
    assert ada.post("/connections/stripe/pause/", {"reason": ""}).status_code == 422
    ada.post("/connections/stripe/pause/", WHY)
    assert poll.pull_due(0.5) == []
    assert delivered(client, 1) == 202
    assert not process_all(now())
    assert Delivery.objects.get().state == "pending"
    ada.post("/connections/stripe/start/", {"version": str(version("stripe"))})
    assert process_all(now())
    assert Delivery.objects.get().state == "applied"


# --- secrets -------------------------------------------------------------------------------------------------------------


def replace(client: Client, value: str, hours: int = 24, slug: str = "stripe", name: str = "webhook_secret") -> Any:
    given = {"value": value, "overlap_hours": str(hours), "version": str(version(slug)), **PROOF}
    return client.post(f"/connections/{slug}/secrets/{name}/", given)


def test_w2_a_signing_secret_is_replaced_and_no_delivery_is_lost(ada: Client, stripe: Connection, client: Client) -> None:
    assert replace(ada, "another-secret").status_code == 302
    assert (delivered(client, 1), delivered(client, 2, "another-secret"), delivered(client, 3, "a third")) == (202, 202, 401)
    assert "are taken as well, until" in page_of(ada, "stripe")
    assert replace(ada, "a-third-secret").status_code == 409, "while the first one is good"
    with guards.down():
        gone = (now() - dt.timedelta(seconds=1)).isoformat()
        Connection.objects.update(former_until={"webhook_secret": gone})
    connections.forget_handles()
    assert (delivered(client, 4), delivered(client, 5, "another-secret")) == (401, 202)
    assert "are taken as well" not in page_of(ada, "stripe")
    assert not [words for words in (stripe_sender.SECRET, *SECRETS) if words in everything_written() + page_of(ada, "stripe")]


def test_the_former_secret_is_ended_by_hand_or_not_kept(ada: Client, stripe: Connection, client: Client) -> None:
    replace(ada, "another-secret")
    assert ada.post("/connections/stripe/secrets/webhook_secret/end/").status_code == 302
    assert (delivered(client, 1), delivered(client, 2, "another-secret")) == (401, 202)
    replace(ada, "a-third-secret", hours=0)
    assert (delivered(client, 3, "another-secret"), delivered(client, 4, "a-third-secret")) == (401, 202)
    assert ada.post("/connections/stripe/secrets/webhook_secret/end/").status_code == 409


def test_i59_replacing_takes_a_proof_and_a_former_secret_is_sealed_again(ada: Client, stripe: Connection, settings: Any) -> None:
    given = {"value": "another-secret", "overlap_hours": "24", "version": str(version("stripe"))}
    assert ada.post("/connections/stripe/secrets/webhook_secret/", given).status_code == 403
    replace(ada, "another-secret")
    settings.REVOPS_ENCRYPTION_KEYS = [b"n" * 32, *settings.REVOPS_ENCRYPTION_KEYS]
    assert connections.reseal_connection("stripe", acting_user=TESTS)
    settings.REVOPS_ENCRYPTION_KEYS = settings.REVOPS_ENCRYPTION_KEYS[:1]
    config = connections.config_of(Connection.objects.get(pk="stripe"))
    assert config.accepted("webhook_secret", now()) == ("another-secret", stripe_sender.SECRET)


def test_secrets_that_no_key_opens_are_entered_again(ada: Client, erp: Connection, settings: Any) -> None:
    settings.REVOPS_ENCRYPTION_KEYS = [b"n" * 32]
    assert "not set" in page_of(ada)
    assert "cannot be decrypted" in ada.post("/connections/netsuite/try/").content.decode()
    plain = {name: value for name, value in GIVEN.items() if name not in {"private_key", "webhook_secret"}}
    entered = {**plain, "label": "The ERP", "base_url": erp.base_url, "version": str(version()), **PROOF}
    assert "needs Private key" in ada.post("/connections/netsuite/change/", entered).content.decode()
    connections.change_connection("netsuite", values=GIVEN, acting_user=TESTS)
    assert "It answers." in ada.post("/connections/netsuite/try/").content.decode()


def test_h8_the_second_of_two_people_who_change_one_connection_is_told(ada: Client, erp: Connection, sign_in: Any) -> None:
    bo = sign_in("bo", "admin")
    seen = str(version())
    change = {"label": "Our ERP", "base_url": erp.base_url, "version": seen, **PROOF}
    plain = {name: value for name, value in GIVEN.items() if name not in {"private_key", "webhook_secret"}}
    assert ada.post("/connections/netsuite/change/", {**plain, **change}).status_code == 302
    second = bo.post("/connections/netsuite/change/", {**plain, **change, "label": "Their ERP"})
    assert second.status_code == 409
    assert "was changed in the meantime" in second.content.decode()
    assert "Their ERP" in second.content.decode(), "what was typed is kept"
    assert Connection.objects.get(pk="netsuite").system.label == "Our ERP"
    assert bo.post("/connections/netsuite/start/", {"version": seen}).status_code == 409
    stale = {"value": "another-secret", "overlap_hours": "24", "version": seen, **PROOF}
    shown = bo.post("/connections/netsuite/secrets/webhook_secret/", stale)
    assert shown.status_code == 409
    assert f'name="version" value="{version()}"' in shown.content.decode(), "from what is shown now one may go on"


# --- posting -------------------------------------------------------------------------------------------------------------


def propose(client: Client, slug: str = "netsuite") -> PostingProposal:
    client.post(f"/connections/{slug}/posting/propose/", {**WHY, "version": str(version(slug)), **PROOF})
    return PostingProposal.objects.get(state="waiting")


def test_i61_posting_is_switched_on_by_two_and_off_by_one(ada: Client, cora: Client, erp: Connection, sign_in: Any) -> None:
    proposal = propose(ada)
    assert "because" in ada.get("/connections/").content.decode()
    confirm = f"/posting-proposals/{proposal.pk}/confirm/"
    assert ada.post(confirm, PROOF).status_code == 403, "not by who proposed it"
    assert cora.post(confirm).status_code == 403, "not without a proof"
    assert sign_in("aurelio", "auditor").post(confirm, PROOF).status_code == 404
    assert not is_on()
    cora.post(confirm, PROOF)
    assert is_on()
    assert cora.post(confirm, PROOF).status_code == 409
    assert ada.post("/connections/netsuite/posting/stop/", {"reason": " "}).status_code == 422
    ada.post("/connections/netsuite/posting/stop/", WHY)
    assert not is_on()
    line = ActionRecord.objects.get(verb="connection.confirm_posting")
    assert (line.actor_label, line.after) == ("cora@example.com", {"posting_enabled": True})
    assert "ada@example.com" in str(line.summary)


def test_what_a_posting_needs_is_there_before_posting_is_proposed(ada: Client, cora: Client, erp: Connection) -> None:
    assert "Item of credit memos (needed to post)" in ada.get("/connect/netsuite/").content.decode()
    connections.change_connection("netsuite", values={"credit_item_id": ""}, acting_user=TESTS)
    asked = {**WHY, "version": str(version()), **PROOF}
    refused = ada.post("/connections/netsuite/posting/propose/", asked)
    assert "Before anything is posted, Oracle NetSuite needs Item of credit memos." in refused.content.decode()
    assert not PostingProposal.objects.exists()
    assert not is_on()


@pytest.mark.parametrize("who", ["ada", "cora"])
def test_a_proposal_is_refused_or_withdrawn(who: str, ada: Client, cora: Client, erp: Connection) -> None:
    proposal = propose(ada)
    {"ada": ada, "cora": cora}[who].post(f"/posting-proposals/{proposal.pk}/refuse/")
    proposal.refresh_from_db()
    assert (proposal.state, is_on()) == ("withdrawn" if who == "ada" else "refused", False)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE sync_connection SET posting_enabled = true",
        "UPDATE sync_connection SET posting_enabled = true, base_url = 'https://elsewhere.example'",
        "UPDATE sync_postingproposal SET state = 'confirmed', decided_by_id = proposed_by_id, decided_at = now()",
        "UPDATE sync_postingproposal SET base_url = 'https://elsewhere.example'",
        "DELETE FROM sync_postingproposal",
    ],
)
def test_i61_the_database_lets_nobody_post_alone(statement: str, ada: Client, erp: Connection) -> None:
    propose(ada)
    assert refusal_of(statement)


def test_i61_a_confirmation_of_before_lets_nobody_post_again(ada: Client, cora: Client, erp: Connection) -> None:
    cora.post(f"/posting-proposals/{propose(ada).pk}/confirm/", PROOF)
    ada.post("/connections/netsuite/posting/stop/", WHY)
    assert "two persons" in refusal_of("UPDATE sync_connection SET posting_enabled = true")


COMPANY = {"acting_user": TESTS, "slug": "netsuite", "vendor": "netsuite", "values": GIVEN}


@pytest.fixture
def elsewhere() -> Connection:
    """An ERP that is no simulator, posted to by two people."""
    connections.connect(base_url="https://1234.suitetalk.api.netsuite.com", **COMPANY)  # type: ignore[arg-type]
    world.allow_posting("netsuite")
    return Connection.objects.get(pk="netsuite")


@pytest.mark.parametrize(
    ("change", "stops"),
    [
        ({"base_url": "https://5678.suitetalk.api.netsuite.com", "values": {"private_key": GIVEN["private_key"]}}, True),
        ({"values": {"client_id": "another-app"}}, True),
        ({"values": {"currency_ids": "USD=2, EUR=1, JPY=3"}}, True),
        ({"values": {"private_key": "another key"}}, False),
        ({"values": {"webhook_secret": "another"}}, False),
        ({"values": {"time_zone": "Asia/Tokyo"}}, False),
        ({"label": "Our ERP"}, False),
    ],
)
def test_i61_what_steers_postings_is_confirmed_anew(change: dict[str, Any], stops: bool, elsewhere: Connection) -> None:
    connections.change_connection("netsuite", acting_user=TESTS, **change)
    assert is_on() is not stops
    line = ActionRecord.objects.filter(verb="connection.change").latest("id")
    assert ("posting is off until a second person confirms" in str(line.summary)) is stops
    assert ("posting_enabled" in line.after) is stops


def test_i61_a_change_overtakes_what_was_proposed(ada: Client, cora: Client, elsewhere: Connection) -> None:
    ada.post("/connections/netsuite/posting/stop/", WHY)
    proposal = propose(ada)
    connections.change_connection("netsuite", values={"client_id": "another-app"}, acting_user=TESTS)
    assert cora.post(f"/posting-proposals/{proposal.pk}/confirm/", PROOF).status_code == 409
    proposal.refresh_from_db()
    assert (proposal.state, is_on()) == ("overtaken", False)


def test_i59_another_address_is_not_given_the_secrets_of_the_one_before(ada: Client, erp: Connection, netsuite: Control) -> None:
    """Whoever may change an address cannot have what they cannot see sent to themselves, by saving or by testing."""
    asked = len(netsuite.get("requests"))
    plain = {name: value for name, value in GIVEN.items() if name not in {"private_key", "webhook_secret"}}
    moved = {**plain, "label": "The ERP", "base_url": "https://attacker.example", "version": str(version()), **PROOF}
    for where in ("change/", "change/try/"):
        answer = ada.post(f"/connections/netsuite/{where}", moved)
        assert answer.status_code == 422
        assert "Enter Private key again" in answer.content.decode()
    assert Connection.objects.get(pk="netsuite").base_url == erp.base_url
    assert len(netsuite.get("requests")) == asked


# --- a company's database ------------------------------------------------------------------------------------------------


def test_i60_outside_a_rehearsal_nothing_reaches_this_machine(settings: Any) -> None:
    settings.REVOPS_DEMO = False
    with pytest.raises(Rejected, match="must start with https"):
        connections.connect(base_url="http://127.0.0.1:8123", **COMPANY)  # type: ignore[arg-type]
    row = connections.connect(base_url="https://erp.example", **COMPANY)  # type: ignore[arg-type]
    with guards.down():
        Connection.objects.filter(pk=row.pk).update(base_url="http://127.0.0.1:8123", active=True)
        write_history(Connection, ["netsuite"])
    row.refresh_from_db()
    with pytest.raises(Refused, match="must start with https"):
        client_for(row)
    (told,) = [found for found in run_checks(tags=[Tags.database], databases=["default"]) if found.id == "revops.W002"]
    assert "netsuite" in told.msg
    assert poll.pull_now("netsuite", poll.streams_of("netsuite")[0]).problem == "The base URL must start with https."


def test_an_empty_company_is_led_to_its_first_connection(settings: Any, ada: Client, sign_in: Any) -> None:
    settings.REVOPS_DEMO = False
    assert "Add a connection" in ada.get("/", follow=True).content.decode()
    assert "Add the first connection" in ada.get("/connections/").content.decode()
    assert "Connections are added by" in sign_in("aurelio", "auditor").get("/connections/").content.decode()
    connections.connect(base_url="https://erp.example", **COMPANY)  # type: ignore[arg-type]
    assert ada.get("/")["Location"] != "/first-steps/"


# --- the API and the command ---------------------------------------------------------------------------------------------


def test_programs_do_the_same(rehearsal: None, netsuite: Control) -> None:
    books(netsuite)
    ada, cora = person("ada", "admin"), person("cora", "controller")
    admin, controller = Caller(ada), Caller(cora)
    new = {"slug": "erp", "vendor": "netsuite", "base_url": netsuite.url, "settings": GIVEN}
    declared = next(each for each in body(admin.get("connectors/")) if each["vendor"] == "netsuite")
    assert {each["name"] for each in declared["settings"] if each["required"] and not each["default"]} <= set(GIVEN)
    assert [each["name"] for each in declared["settings"] if each["posts"]] == ["credit_item_id"]
    tried = admin.post("connectors/netsuite/try/", {"base_url": netsuite.url, "settings": GIVEN})
    assert body(tried)["good"] is True
    assert body(tried)["said"].startswith("NetSuite answers; the role sees 1 subsidiary: Meridian Inc. Reading works: ")
    assert code(admin.post("connections/", new)) == (403, "step_up_missing")
    made = admin.proven().post("connections/", new)
    assert (made.status_code, body(made)["active"]) == (201, False)
    assert not [words for words in SECRETS if words in made.content.decode()]
    assert code(admin.patch("connections/erp/", {"name": "ERP"}, match='"v0"')) == (412, "changed")
    changed = admin.patch("connections/erp/", {"settings": {"webhook_secret": "another-secret"}}, match=made["ETag"])
    (secret,) = [each for each in body(changed)["settings"] if each["name"] == "webhook_secret"]
    assert (secret["is_set"], secret["value"], bool(secret["former_until"])) == (True, "", True)
    assert admin.post("connections/erp/secrets/end/", {"name": "webhook_secret"}).status_code == 200
    assert body(admin.post("connections/erp/start/"))["active"] is True
    assert admin.post("connections/erp/read/").status_code == 200
    proposed = admin.post("connections/erp/posting/propose/", WHY)
    assert proposed.status_code == 202
    where = f"posting-proposals/{body(proposed)['id']}/confirm/"
    assert code(admin.post(where)) == (403, "own_proposal")
    assert body(controller.proven().post(where))["state"] == "confirmed"
    assert body(admin.get("connections/erp/"))["posting_enabled"] is True
    assert body(admin.post("connections/erp/posting/stop/", WHY))["posting_enabled"] is False
    assert code(admin.post("connections/erp/pause/", {})) == (400, "invalid")
    assert body(admin.post("connections/erp/pause/", WHY))["active"] is False
    limits = body(admin.get("connections/erp/"))["limits"]
    assert limits == [], "NetSuite declares none"


def command(*words: str, typed: tuple[str, ...] = (), monkeypatch: pytest.MonkeyPatch) -> str:
    out = io.StringIO()
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in typed)))
    call_command("connections", *words, stdout=out)
    return out.getvalue()


def test_the_command_does_the_same_as_one_of_them(
    rehearsal: None, netsuite: Control, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    person("ada", "admin"), person("cora", "controller")
    (tmp_path / "key.pem").write_text(GIVEN["private_key"])
    plain = [f"{name}={value}" for name, value in GIVEN.items() if name not in {"private_key", "webhook_secret"}]
    given = ["--base-url", netsuite.url, "--secret-file", f"private_key={tmp_path / 'key.pem'}", "--secret", "webhook_secret"]
    add = ["--as", "ada@example.com", "add", "erp", "netsuite", *given, *(word for pair in plain for word in ("--set", pair))]

    def run(*words: str, typed: tuple[str, ...] = (PASSWORD,)) -> str:
        return command(*words, typed=typed, monkeypatch=monkeypatch)

    with pytest.raises(CommandError, match="Say as whom"):
        run("start", "erp")
    with pytest.raises(CommandError, match="not your password"):
        run(*add, typed=("wrong", GIVEN["webhook_secret"]))
    assert "NetSuite answers" in run(*add, "--try", typed=(PASSWORD, GIVEN["webhook_secret"]))
    assert "connected as erp" in run(*add, typed=(PASSWORD, GIVEN["webhook_secret"]))
    assert connections.config_of(Connection.objects.get(pk="erp")).get("webhook_secret") == GIVEN["webhook_secret"]
    assert "NetSuite answers" in run("--as", "ada@example.com", "test", "erp")
    run("--as", "ada@example.com", "start", "erp")
    assert "streams are read now" in run("--as", "ada@example.com", "read", "erp")
    proposed = run("--as", "ada@example.com", "propose-posting", "erp", "--reason", "Go live")
    number = re.findall(r"\d+", proposed)[0]
    assert number in run("proposals")
    with pytest.raises(CommandError, match="another person confirms"):
        run("--as", "ada@example.com", "confirm", number)
    assert "is on" in run("--as", "cora@example.com", "confirm", number)
    shown = run("show", "erp")
    assert "posting on" in shown
    assert "webhook_secret           set" in shown
    assert not [words for words in SECRETS if words in shown + everything_written()]
    assert "netsuite" in run("list")
    with pytest.raises(CommandError, match="not found"):
        run("--as", "cora@example.com", "pause", "erp", "--reason", "no")


def test_how_much_of_a_limit_is_used_is_told_or_unknown(ada: Client, stripe: Connection, settings: Any) -> None:
    from sync.connections.handles import quota_for

    quota = quota_for(connections.connector_of(stripe), connections.config_of(stripe))
    assert quota is not None
    for _ in range(3):
        quota.take("GET", "/v1/events")
    found = re.search(r"(\d+) of 25 in 1 second used", page_of(ada, "stripe"))
    assert found is not None
    assert int(found[1]) <= 3
    connections.handles._redis.cache_clear()
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    try:
        assert "unknown: Redis does not answer" in page_of(ada, "stripe")
    finally:
        connections.handles._redis.cache_clear()
