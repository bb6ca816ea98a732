"""The smallest connector, walked from an HTTP delivery and from a page of a listing to the record in the ledger."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client

from revops.ledger.models import SourceRecord
from revops.people.actors import System
from sync import connections
from sync.applying import drain
from sync.connectors import CONNECTORS
from sync.intake import refusals
from sync.models import Connection, Delivery, DeliveryState
from sync.pull import poll
from tests.sync.connectors.talking import SETTINGS
from tests.sync.connectors.tallybook import TALLYBOOK

TOKEN, SECRET = SETTINGS["tallybook"]["api_token"], SETTINGS["tallybook"]["webhook_secret"]


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def invoice(number: int, **changes: object) -> dict[str, object]:
    return {
        "id": f"T-{number}", "revision": 1, "changed_at": f"2026-11-{number % 28 + 1:02d}T08:00:00+00:00", "status": "sent",
        "currency": "EUR", "total": 100 + number, "settled": 0, "customer": "C-1", **changes,
    }  # fmt: skip


@dataclass
class Tallybook:
    """The vendor: invoices in pages of ten, by its own protocol. `loops`: every page names the same next page."""

    invoices: list[dict[str, object]] = field(default_factory=list)
    loops: bool = False
    url: str = ""

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, object]:
        if path != "/v1/invoices":
            found = [each for each in self.invoices if path == f"/v1/invoices/{each['id']}"]
            return (200, found[0]) if found else (404, {})
        since, start = query.get("since", ""), int(query.get("cursor") or 0)
        rows = sorted(
            (each for each in self.invoices if str(each["changed_at"]) > since), key=lambda each: str(each["changed_at"])
        )
        page: dict[str, object] = {"invoices": rows[start : start + 10]}
        if self.loops or start + 10 < len(rows):
            page["next"] = "10" if self.loops else str(start + 10)
        return 200, page


@pytest.fixture
def vendor() -> Iterator[Tallybook]:
    book = Tallybook()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            known = self.headers["authorization"] == f"Bearer {TOKEN}"
            status, body = book.answer(parts.path, dict(parse_qsl(parts.query))) if known else (401, {})
            raw = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing on the terminal."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        book.url = f"http://127.0.0.1:{server.server_port}"
        yield book
        server.shutdown()


@pytest.fixture
def source(vendor: Tallybook, transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.setitem(CONNECTORS, TALLYBOOK.slug, TALLYBOOK)
    return connections.connect(
        slug="tallybook", vendor="tallybook", base_url=vendor.url, values=SETTINGS["tallybook"], started=True,
        acting_user=System("tests"),
    )  # fmt: skip


def pushed(client: Client, body: dict[str, object], secret: str = SECRET) -> int:
    raw, stamp = json.dumps(body).encode(), str(int(now().timestamp()))
    signature = hmac.new(secret.encode(), stamp.encode() + b"." + raw, hashlib.sha256).hexdigest()
    head = {"X-Tallybook-Signature": f"{stamp}.{signature}"}
    return client.post("/intake/tallybook/", raw, content_type="application/json", headers=head).status_code


def record(external_id: str) -> SourceRecord:
    return SourceRecord.objects.get(object_type="invoice", external_id=external_id)


def test_a_signed_delivery_becomes_a_record_and_its_copy_none(source: Connection, client: Client) -> None:
    change: dict[str, object] = {"id": "chg-1", "invoice": invoice(7, revision=2, settled=107, status="settled")}
    assert pushed(client, change) == 202
    assert pushed(client, change) == 202
    drain.process_all(now())
    (delivery,) = Delivery.objects.all()
    assert (delivery.state, delivery.copies) == (DeliveryState.APPLIED, 2)
    found = record("T-7")
    assert found.fields["status"] == "paid"
    assert found.fields["amount_paid"] == {"amount": "107.00", "currency": "EUR"}


def test_a_forged_delivery_is_refused_and_not_kept(source: Connection, client: Client) -> None:
    assert pushed(client, {"id": "chg-1", "invoice": invoice(7)}, secret="another") == 401
    assert not Delivery.objects.exists()
    refusals.write()  # what was turned away is counted in this process


@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ({"total": "107"}, "change.invoice.total should be a number and is a text"),
        ({"total": True}, "change.invoice.total should be a number and is true or false"),
        ({"revision": 1.5}, "change.invoice.revision should be a whole number and is a number"),
        ({"customer": ""}, "change.invoice.customer should be a text that is not empty and is a text"),
        ({"status": "pawned"}, "invoice.status holds a word that we do not know"),
    ],
)
def test_what_does_not_fit_is_a_dead_letter_that_names_the_field(
    source: Connection, client: Client, wrong: dict[str, object], path: str
) -> None:
    assert pushed(client, {"id": "chg-1", "invoice": invoice(7, **wrong)}) == 202
    drain.process_all(now())
    (delivery,) = Delivery.objects.all()
    assert delivery.state == DeliveryState.QUARANTINED
    assert path in delivery.reason


def test_every_page_of_a_listing_becomes_records_and_the_next_pull_brings_what_is_new(
    source: Connection, vendor: Tallybook
) -> None:
    vendor.invoices = [invoice(number) for number in range(25)]
    first = poll.pull_now("tallybook", "invoices")
    assert (first.pages, first.stored, first.done, first.problem) == (3, 25, True, "")
    drain.process_all(now())
    assert SourceRecord.objects.filter(object_type="invoice").count() == 25
    vendor.invoices.append(invoice(99, changed_at="2026-11-30T08:00:00+00:00"))
    again = poll.pull_now("tallybook", "invoices")
    assert (again.pages, again.stored) == (1, 1)


def test_a_listing_that_leads_in_a_circle_ends_with_the_reason(source: Connection, vendor: Tallybook) -> None:
    vendor.invoices, vendor.loops = [invoice(number) for number in range(25)], True
    pulled = poll.pull_now("tallybook", "invoices")
    assert pulled.problem == "Tallybook's list of invoices does not advance: a page leads back to where it has been."
    assert pulled.pages == 1
    assert Connection.objects.get(pk="tallybook").last_problem == f"Reading invoices: {pulled.problem}"


def test_a_wrong_token_is_said(source: Connection, vendor: Tallybook) -> None:
    connections.change_connection("tallybook", values={"api_token": "another"}, acting_user=System("tests"))
    pulled = poll.pull_now("tallybook", "invoices")
    assert "HTTP 401" in pulled.problem
    assert TOKEN not in pulled.problem


def test_the_readme_says_how_many_lines_it_takes() -> None:
    """Lines that are not blank, of every file of the folder."""
    folder = Path(__file__).parent / "tallybook"
    lines = [line for path in folder.glob("*.py") for line in path.read_text().splitlines() if line.strip()]
    assert f"in {len(lines)} lines." in (Path(__file__).parents[3] / "README.md").read_text()
    assert len(lines) < 120
