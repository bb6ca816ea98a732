"""A NetSuite account on this computer: OAuth 2.0 M2M, SuiteQL, the record service and SuiteScript hints.

Demo credentials (fixed, worth nothing outside a rehearsal):

- account `1234567_SB1`, client id `demo-client-id`, certificate id (`kid`) `demo-certificate`;
- private key: `tokens.demo_private_key_pem()`, EC P-256, sign with ES256;
- hints are signed with `demo-netsuite-hint-secret` unless the command line gives another secret.

Environment: `NETSUITE_CLIENT_ID`, `NETSUITE_CERTIFICATE_ID`, `NETSUITE_PUBLIC_KEY_FILE` (PEM, key or certificate).

Settings that a rehearsal may turn while it runs, as one object of the collection `settings` (id `settings`) sent to
``/_sim/change``: `concurrency` (calls at once, default 5), `token_seconds` (real lifetime of a token, default 3600),
`forget_tokens` (true: all tokens stop now), `hidden_tables` (SuiteQL tables this role does not have),
`utc_offset_hours` (the account's zone, default 0: SuiteQL's clock is then UTC), `tax_percent` (tax that the account adds to the
lines of a sale, default 0), `applies_when_created` (false: the apply lines of a new credit memo or payment are not followed),
`mandatory` (fields without which no credit memo is made, such as `location`).

Collections of the control API are the SuiteQL tables, with their column names; dates ``2026-03-01``, moments ISO UTC,
flags T / F, amounts as text or decimals. Rows of `transaction` and `customer` need an id, lines their transaction and
line number. A `nexttransactionlinelink` of type Payment that is sent to ``/_sim/change`` also settles the two documents.

Known gaps: no tax codes, no multi-book, no revenue arrangements, no RESTlets, no batch calls, no OAuth 1.0a.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal

from demo.simulators.netsuite import jobs, tables
from demo.simulators.netsuite.booking import Booking
from demo.simulators.netsuite.documents import BY_CODE, PAYMENT, ROOT, TYPES, Reader, amount, status_rows
from demo.simulators.netsuite.errors import problem
from demo.simulators.netsuite.ledger import ADJUSTMENT_ITEM, BOOK, RECEIVABLES, REVENUE, TAXES, UNDEPOSITED
from demo.simulators.netsuite.records import Records
from demo.simulators.netsuite.suiteql import SuiteQL
from demo.simulators.netsuite.tokens import Tokens, load_public_key
from demo.simulators.vendor import DEFAULT, Collection, Halt, Json, Request, Response, route

ACCOUNT = "1234567_SB1"
CLIENT_ID = "demo-client-id"
CERTIFICATE_ID = "demo-certificate"
HINT_SECRET = "demo-netsuite-hint-secret"

TOKEN_PATH = "/services/rest/auth/oauth2/v1/token"
SUITEQL_PATH = "/services/rest/query/v1/suiteql"

_HINTED = {"customer": "customer", "accountingperiod": "accountingPeriod"}
_OWNERS = {"transactionline": "transaction", "transactionaccountingline": "transaction", "nexttransactionlinelink": "nextdoc"}


class Vendor(Records):
    """See the package's docstring."""

    name = "netsuite"
    collections = (
        *tables.COLLECTIONS, Collection("settings", internal=True), Collection("asyncjobs", internal=True),
    )  # fmt: skip
    default_secret = HINT_SECRET
    concurrency = 5

    def setup(self) -> None:
        """Tables, reference data, credentials."""
        with self.store.transaction():
            tables.create_tables(self.store.run)
            self._plant()
        self.reader = Reader(self.store)
        self.booking = Booking(self.store, self.reader)
        self.suiteql = SuiteQL(self.store.path, self.store.clock)
        self.tokens = Tokens(
            os.environ.get("NETSUITE_CLIENT_ID", CLIENT_ID), os.environ.get("NETSUITE_CERTIFICATE_ID", CERTIFICATE_ID),
            load_public_key(os.environ.get("NETSUITE_PUBLIC_KEY_FILE")), self.store.clock,
        )  # fmt: skip
        self._busy = 0
        self._gate = threading.Lock()
        settings = self.store.get("settings", "settings")
        if settings:
            self._follow(settings)

    def _plant(self) -> None:
        for row in status_rows():
            self.store.put("transactionstatus", tables.row_of("transactionstatus", row))
        planted: list[tuple[str, Json]] = [
            ("accountingbook", {"id": BOOK, "name": "Primary Accounting Book", "isprimary": "T"}),
            ("item", {"id": ADJUSTMENT_ITEM, "itemid": "Billing adjustment", "itemtype": "NonInvtPart",
                      "isinactive": "F", "incomeaccount": REVENUE}),
            ("account", {"id": RECEIVABLES, "acctnumber": "1100", "accttype": "AcctRec",
                         "accountsearchdisplayname": "1100 Accounts Receivable", "fullname": "Accounts Receivable"}),
            ("account", {"id": UNDEPOSITED, "acctnumber": "1499", "accttype": "OthCurrAsset",
                         "accountsearchdisplayname": "1499 Undeposited Funds", "fullname": "Undeposited Funds"}),
            ("account", {"id": REVENUE, "acctnumber": "4000", "accttype": "Income",
                         "accountsearchdisplayname": "4000 Revenue", "fullname": "Revenue"}),
            ("account", {"id": TAXES, "acctnumber": "2200", "accttype": "OthCurrLiab",
                         "accountsearchdisplayname": "2200 Sales Taxes Payable", "fullname": "Sales Taxes Payable"}),
        ]  # fmt: skip
        for table, row in planted:
            if self.store.get(table, str(row["id"])) is None:
                self.store.put(table, tables.row_of(table, row))

    def _follow(self, settings: Json) -> None:
        self.concurrency = int(settings.get("concurrency", type(self).concurrency))
        self.tokens.lifetime_seconds = float(settings.get("token_seconds", 3600))
        self.suiteql.hidden = frozenset(settings.get("hidden_tables", ()))
        self.suiteql.offset = timedelta(hours=float(settings.get("utc_offset_hours", 0)))
        self.booking.ledger.tax_percent = Decimal(str(settings.get("tax_percent", 0)))
        self.booking.applies_when_created = bool(settings.get("applies_when_created", True))
        self.booking.mandatory = frozenset(settings.get("mandatory", ()))
        if settings.get("forget_tokens"):
            self.tokens.forget()

    # -- the frame's hooks ----------------------------------------------------------------------------------------

    def admit(self, request: Request) -> Response | None:
        """Bearer token, then one of the account's few slots. Over the limit: 429 without Retry-After."""
        if request.path == TOKEN_PATH:
            return None
        if not self.tokens.knows(request.headers.get("Authorization")):
            return problem(401, "Invalid login attempt. For more details, see the Login Audit Trail.", "INVALID_LOGIN")
        with self._gate:
            if self._busy >= self.concurrency:
                return problem(429, "Concurrent request limit exceeded. Request blocked.", "CONCURRENCY_LIMIT_EXCEEDED")
            self._busy += 1
        request.notes["slot"] = True
        return None

    def release(self, request: Request) -> None:
        """Give the slot back."""
        if request.notes.pop("slot", False):
            with self._gate:
                self._busy -= 1

    def around(self, request: Request, handle: Callable[[], Response]) -> Response:
        """`Prefer: respond-async` turns a write into a job; its idempotency key counts only there."""
        if "respond-async" not in request.headers.get("Prefer", ""):
            return handle()
        return jobs.run(self.store, self.base_url, request, handle)

    def effect_key(self, request: Request) -> str | None:
        """The external id that the caller gave its record."""
        if "/eid:" in request.path:
            return request.path.partition("/eid:")[2].partition("/")[0]
        if request.method in ("POST", "PATCH") and request.path.startswith(ROOT) and request.body:
            try:
                body = request.json()
            except ValueError:
                return None
            found = body.get("externalId") if isinstance(body, dict) else None
            return str(found) if found else None
        return None

    def trouble(self, request: Request, status: int, message: str) -> Response:
        """NetSuite's body for a bare status."""
        return problem(status, message)

    def sign(self, body: bytes, secret: str, at: int) -> Mapping[str, str]:
        """Our SuiteScript's contract: hex HMAC-SHA256 over `<unix seconds>.<raw body>`."""
        signature = hmac.new(secret.encode(), str(at).encode() + b"." + body, hashlib.sha256).hexdigest()
        return {"X-Netsuite-Timestamp": str(at), "X-Netsuite-Signature": signature}

    def loading(self, collection: str, document: Json) -> Json:
        """A loaded row in the form the tables keep. Raises ValueError for unknown columns and taken external ids."""
        if collection not in tables.COLUMNS:
            return document
        row = tables.row_of(collection, document)
        if collection == "transaction" and row.get("externalid"):
            kind = BY_CODE.get(str(row.get("type")))
            other = self.reader.locate(kind, f"eid:{row['externalid']}") if kind else None
            if other is not None and other["id"] != row["id"]:
                raise ValueError(f"external id {row['externalid']} belongs to transaction {other['id']}")
        return row

    def change(self, collection: str, before: Json | None, after: Json | None, event: str | None = DEFAULT) -> Json:
        """A change made in the account, not through the API: stamped, stored, hinted at as our SuiteScript would."""
        if collection in ("settings", "asyncjobs"):
            body = self.store.put(collection, after or {"id": "settings"})
            self._follow(body)
            return body
        now = self.booking.stamp()
        if after is None:
            assert before is not None
            return self._removed(collection, before, event, now)
        if before is None and "id" in tables.COLUMNS.get(collection, {}) and after.get("id") is None:
            after = after | {"id": self.booking.next_id(collection)}
        if collection == "nexttransactionlinelink" and after.get("linktype") == PAYMENT:
            self._settle(after, now)
            row = tables.row_of(collection, after)
        else:
            row = self._stamped(collection, before, after, now)
            self.store.put(collection, self.loading(collection, row))
        self._hint(collection, row, "create" if before is None else "edit", event, now)
        return row

    def _stamped(self, collection: str, before: Json | None, after: Json, now: str) -> Json:
        row = tables.row_of(collection, after)
        if "lastmodifieddate" in tables.COLUMNS[collection]:
            untouched = row.get("lastmodifieddate") == (before or {}).get("lastmodifieddate")
            row["lastmodifieddate"] = now if untouched else row.get("lastmodifieddate", now)
        return row

    def _settle(self, link: Json, now: str) -> None:
        payer = self.store.get("transaction", str(link["nextdoc"]))
        if payer is None:
            raise ValueError(f"no transaction {link['nextdoc']}")
        try:
            wanted = amount(link.get("foreignamount"))
            self.booking.applications.set_amount(payer, int(link["previousdoc"]), wanted, now)
        except Halt as halt:
            raise ValueError(bytes(halt.response.body).decode()) from halt

    def _removed(self, collection: str, before: Json, event: str | None, now: str) -> Json:
        if collection == "nexttransactionlinelink":
            self._settle(before | {"foreignamount": Decimal(0)}, now)
            return before
        kind = BY_CODE.get(str(before.get("type"))) if collection == "transaction" else None
        if kind is not None:
            try:
                self.booking.remove(kind, before)
            except Halt as halt:
                raise ValueError(bytes(halt.response.body).decode()) from halt
        else:
            self.store.remove(collection, str(before.get("_key", before.get("id"))))
            if collection == "customer":
                self.booking.note_deletion(TYPES["customer"], before["id"], str(before.get("entityid")))
        self._hint(collection, before, "delete", event, now)
        return before

    def hint(self, collection: str, row: Json, what: str) -> None:
        """Queue the SuiteScript hint of a record written through the API."""
        self._hint(collection, row, what, DEFAULT, self.booking.stamp())

    def _hint(self, collection: str, row: Json, what: str, event: str | None, now: str) -> None:
        """Queue the SuiteScript hint for a record or the owner of a line; nothing when `event` is None."""
        if event is None:
            return
        owner = _OWNERS.get(collection)
        if owner is not None:
            changed = self.store.get("transaction", str(row[owner]))
            if changed is None:
                return
            if collection == "transactionline":
                changed = self.store.put("transaction", changed | {"lastmodifieddate": now})
            collection, row, what = "transaction", changed, "edit"
        kind = BY_CODE.get(str(row.get("type"))) if collection == "transaction" else None
        name = kind.rest if kind else _HINTED.get(collection)
        if name is not None:
            body = {"type": name, "id": str(row["id"]), "event": what if event == DEFAULT else event, "at": now,
                    "nonce": str(uuid.uuid4())}  # fmt: skip
            self.deliver(name, body)

    # -- token, queries, limits -----------------------------------------------------------------------------------

    @route("POST", TOKEN_PATH, reads=True)
    def token(self, request: Request) -> Response:
        """OAuth 2.0 client credentials."""
        return self.tokens.grant(request, self.base_url + TOKEN_PATH)

    @route("POST", SUITEQL_PATH, reads=True)
    def query(self, request: Request) -> Response:
        """SuiteQL."""
        return self.suiteql.answer(request, self.base_url + SUITEQL_PATH)

    @route("GET", "/services/rest/async/v1/job/{job}")
    @route("GET", "/services/rest/async/v1/job/{job}/{rest:path}")
    def job(self, request: Request, job: str, rest: str = "") -> Response:
        """An asynchronous job, its task, the task's result."""
        return jobs.answer(self.store, self.base_url, job, rest)
