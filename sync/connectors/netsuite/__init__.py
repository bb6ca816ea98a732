"""Oracle NetSuite: the ERP's transactions, customers, accounting periods, exchange rates and subsidiaries; it takes our
credit memos.

Truth is SuiteQL, read by windows over `lastmodifieddate` that reach two hours back, keyed by (stamp, id). A hint from our
own SuiteScript only says where to look. Writes are create-only, under our key as external id.

Never: an offset over changing data; an update of a posted document.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping, Sequence
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from revops.errors import Rejected
from revops.ledger.facts import Fact
from sync.connectors.netsuite import posting, queries
from sync.connectors.netsuite.session import Session
from sync.connectors.netsuite.translation import OBJECT_TYPES, TRANSLATORS, Account
from sync.vendor import fields as payload
from sync.vendor import strict_json
from sync.vendor.contract import (
    NEVER,
    Call,
    Client,
    Config,
    Ignored,
    Incoming,
    Item,
    Misunderstood,
    NotAuthentic,
    Operation,
    Page,
    Receipt,
    Refused,
    Reread,
    Setting,
    Stream,
    Unreadable,
)
from sync.vendor.fields import Payload

WINDOW_SECONDS = 300
OVERLAP_SECONDS = 2 * 3600
BEGINNING = "1990-01-01 00:00:00"

HINTED = {
    "invoice": "invoice",
    "creditMemo": "credit_memo",
    "customerPayment": "payment",
    "salesOrder": "subscription",
    "customer": "customer",
    "accountingPeriod": "accounting_period",
}
_TYPES = {object_type: code for code, object_type in OBJECT_TYPES.items()}
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_SIGNATURE = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_STAMP = re.compile(r"[0-9]{10}", re.ASCII)
_NONCE = re.compile(r"[A-Za-z0-9-]{16,64}", re.ASCII)


class NetSuite:
    """See `sync.vendor.contract.Connector`."""

    slug = "netsuite"
    label = "Oracle NetSuite"
    role = "erp"
    settings: tuple[Setting, ...] = (
        Setting("client_id", "Client id", help="Of the integration record, OAuth 2.0 client credentials."),
        Setting("certificate_id", "Certificate id", help="As NetSuite shows it after the certificate was uploaded."),
        Setting("private_key", "Private key", sensitive=True, help="The certificate's RSA key, PEM."),
        Setting("webhook_secret", "Hint secret", sensitive=True, help="Shared with the SuiteScript that sends hints."),
        Setting("currency_ids", "Currency ids", help="ISO code = internal id, such as USD=1, EUR=2, JPY=3."),
        Setting("legal_entities", "Subsidiary codes", required=False, help="Internal id = our code, such as 1=US, 2=DE."),
        Setting("credit_item_id", "Item of credit memos", default="9001"),
        Setting("time_zone", "Time zone of SuiteQL", default="UTC", help="IANA name; compare one lastmodifieddate with the UI."),
        Setting("accounting_book", "Primary accounting book", default="1"),
    )
    streams: tuple[Stream, ...] = (
        Stream("entities", ("legal_entity",), overlap_seconds=0, every_seconds=3600),
        Stream("periods", ("accounting_period",), overlap_seconds=0, every_seconds=300),
        Stream("rates", ("exchange_rate",), overlap_seconds=0, every_seconds=6 * 3600),
        Stream("customers", ("customer",), overlap_seconds=OVERLAP_SECONDS, every_seconds=120),
        Stream("transactions", tuple(OBJECT_TYPES.values()), overlap_seconds=OVERLAP_SECONDS, every_seconds=60),
        Stream("deletions", (), overlap_seconds=OVERLAP_SECONDS, every_seconds=300),
    )
    operations: tuple[Operation, ...] = (
        Operation(posting.CREATE_CREDIT_MEMO, "credit_memo", "unique_external_id", read_lag_seconds=30),
    )
    pushes = True
    content_types: tuple[str, ...] = ("application/json",)

    # -- what comes in -----------------------------------------------------------------------------------------
    def verify(self, incoming: Incoming, config: Config, now: dt.datetime) -> None:
        stamp = incoming.headers.get("x-netsuite-timestamp", "")
        signature = incoming.headers.get("x-netsuite-signature", "")
        if not _STAMP.fullmatch(stamp) or not _SIGNATURE.fullmatch(signature):
            raise NotAuthentic("The timestamp or the signature is missing or malformed.", "signature_missing")
        if abs(int(now.timestamp()) - int(stamp)) > WINDOW_SECONDS:
            raise NotAuthentic("The signature is too old or from the future.", "signature_time")
        signed = stamp.encode() + b"." + incoming.body
        for secret in config.get("webhook_secret").split():
            expected = hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
            if hmac.compare_digest(expected, signature.lower()):
                return
        raise NotAuthentic("The signature does not match.", "signature_wrong")

    def dedup_key(self, incoming: Incoming) -> str:
        nonce = payload.peek(incoming.body).get("nonce")
        if not isinstance(nonce, str) or not _NONCE.fullmatch(nonce):
            raise Unreadable("The hint has no nonce.")
        return f"hint:{nonce}"

    def content_digest(self, body: bytes) -> str:
        return hashlib.sha256(body).hexdigest()

    def translate(self, incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
        body = Payload("hint" if incoming.kind == "hint" else "body", payload.message(incoming.body))
        if incoming.kind != "read":
            return [self._hinted(body)]
        translator = TRANSLATORS.get(incoming.object_type)
        if translator is None:
            raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
        try:
            return [translator(body, self._account(config, incoming.received_at))]
        except Rejected as error:
            raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None

    @staticmethod
    def _hinted(hint: Payload) -> Reread:
        kind, identity = hint.text("type"), hint.text("id")
        if kind not in HINTED:
            raise Ignored(f"Hints about {payload.word(kind)} say nothing that the ledger keeps.", "event_type")
        if not _ID.fullmatch(identity):
            raise hint.misunderstood("id", "an internal id")
        return Reread(HINTED[kind], identity)

    @staticmethod
    def _account(config: Config, read_at: dt.datetime = NEVER) -> Account:
        try:
            zone = ZoneInfo(config.get("time_zone", "UTC"))
        except (ZoneInfoNotFoundError, ValueError):
            raise Misunderstood("The connection's time zone is no IANA name.", "setting_invalid") from None
        return Account(zone, read_at, posting.pairs(config.get("legal_entities")))

    # -- reading -----------------------------------------------------------------------------------------------
    def pull(self, client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
        """Watermark: the latest stamp seen, in SuiteQL's own text; for lists without stamps the day of reading."""
        session = Session(client, config)
        if stream in {"entities", "periods", "rates"}:
            yield self._whole(session, stream, now)
            return
        query, column, id_column = {
            "transactions": (queries.TRANSACTIONS, "t.lastmodifieddate", "t.id"),
            "customers": (queries.CUSTOMERS, "t.lastmodifieddate", "t.id"),
            "deletions": (queries.DELETIONS, "t.deleteddate", "t.recordid"),
        }[stream]
        since, after = _earlier(watermark, OVERLAP_SECONDS), None
        while True:
            rows, more = session.rows(queries.window(query, column, id_column, since, after))
            if rows:
                last = Payload("SuiteQL row", rows[-1])
                since, after = last.text("modified"), int(last.text("id"))
                watermark = max(watermark, since)
            yield Page(tuple(self._items(session, stream, rows)), watermark, done=not more)
            if not more or not rows:
                return

    def _items(self, session: Session, stream: str, rows: list[dict[str, object]]) -> Iterator[Item]:
        if stream == "transactions":
            yield from self._transactions(session, rows)
            return
        object_type = {"customers": "customer", "deletions": "deletion"}[stream]
        for row in rows:
            yield _item(object_type, row, {"row": row})

    def _transactions(self, session: Session, rows: list[dict[str, object]]) -> Iterator[Item]:
        """Each transaction with its applications; invoices to which one of these was applied come along, for an application
        does not always stamp the invoice."""
        if not rows:
            return
        ids = {int(Payload("SuiteQL row", row).text("id")): row for row in rows}
        to_others = session.rows_for(lambda part: queries.applications("nextdoc", part), ids)
        touched = {int(str(link["previousdoc"])) for link in to_others} - set(ids)
        found = session.rows_for(lambda part: queries.among(queries.TRANSACTIONS, part), touched)
        ids |= {int(Payload("SuiteQL row", row).text("id")): row for row in found}
        to_these = session.rows_for(lambda part: queries.applications("previousdoc", part), ids)
        for identity, row in ids.items():
            by_role = to_these if row.get("type") == "CustInvc" else to_others
            role = "previousdoc" if row.get("type") == "CustInvc" else "nextdoc"
            links = sorted((link for link in by_role if link.get(role) == str(identity)), key=strict_json.dump)
            object_type = OBJECT_TYPES.get(str(row.get("type")), "invoice")
            yield _item(object_type, row, {"transaction": row, "applications": links})

    def _whole(self, session: Session, stream: str, now: dt.datetime) -> Page:
        query, object_type = {
            "entities": (queries.ENTITIES, "legal_entity"),
            "periods": (queries.PERIODS, "accounting_period"),
            "rates": (queries.RATES, "exchange_rate"),
        }[stream]
        rows = session.all_rows((f"{query} ORDER BY t.id", []))
        if stream == "rates":
            book = session.config.get("accounting_book", "1")
            rows = [row for row in rows if row.get("accountingbook", book) == book]
        return Page(tuple(_listed(object_type, row, now) for row in rows), now.date().isoformat(), done=True)

    def read(self, client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
        if not _ID.fullmatch(external_id):
            raise Misunderstood("A read of something that NetSuite does not have.", "object_unknown")
        session = Session(client, config)
        query = {
            "customer": queries.CUSTOMERS,
            "accounting_period": queries.PERIODS,
            "legal_entity": queries.ENTITIES,
        }.get(object_type, queries.TRANSACTIONS if object_type in _TYPES else "")
        if not query:
            raise Misunderstood("A read of something that NetSuite does not have.", "object_unknown")
        rows = session.all_rows(queries.among(query, [int(external_id)]))
        if object_type not in _TYPES:
            return _item(object_type, rows[0], {"row": rows[0]}) if rows else None
        items = self._transactions(session, [row for row in rows if row.get("type") == _TYPES[object_type]])
        return next((item for item in items if item.object_type == object_type), None)

    def check(self, client: Client, config: Config) -> str:
        self._account(config)
        rows = Session(client, config).all_rows((f"{queries.ENTITIES} ORDER BY t.id", []))
        names = ", ".join(str(row.get("name", "")) for row in rows)
        return f"NetSuite answers; the role sees {len(rows)} subsidiaries: {names[:300]}."

    # -- writing -----------------------------------------------------------------------------------------------
    def compose(self, config: Config, operation: str, key: str, params: Mapping[str, object]) -> Call:
        if operation != posting.CREATE_CREDIT_MEMO:
            raise Refused("This connector does not offer that operation.", "operation_unknown")
        return posting.compose_credit_memo(config, key, params)

    def post(self, client: Client, config: Config, call: Call) -> Receipt:
        return posting.post_credit_memo(Session(client, config), call)

    def find_posted(self, client: Client, config: Config, call: Call) -> Receipt | None:
        return posting.find_credit_memo(Session(client, config), call)


def _item(object_type: str, row: Mapping[str, object], body: Mapping[str, object]) -> Item:
    digest = strict_json.content_digest(body)[:32]
    return Item(object_type, f"{object_type}:{row.get('id')}:{row.get('modified')}:{digest}", strict_json.dump(body))


def _listed(object_type: str, row: Mapping[str, object], now: dt.datetime) -> Item:
    """A row of a whole list. One without a stamp (rates never have any) is kept once a day for each content, so that a value
    that went and came back is seen again."""
    if row.get("modified"):
        return _item(object_type, row, {"row": row})
    body = {"row": row, "read_on": now.astimezone(dt.UTC).date().isoformat()}
    digest = strict_json.content_digest(body)[:32]
    return Item(object_type, f"{object_type}:{row.get('id')}:{body['read_on']}:{digest}", strict_json.dump(body))


def _earlier(stamp: str, seconds: int) -> str:
    if not stamp:
        return BEGINNING
    naive = dt.datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007 - SuiteQL's own zone, kept as it is
    return (naive - dt.timedelta(seconds=seconds)).strftime("%Y-%m-%d %H:%M:%S")
