"""Salesforce: accounts, contracts and opportunities of the CRM, polled. We read only.

Truth is `SystemModstamp`: windows ordered by (stamp, id) that reach ten minutes back, because a row is stamped before its
transaction commits. `queryAll` brings the deleted rows too. A deleted account may be the loser of a merge; here it becomes a
tombstone, and the survivor comes as its own row.

Never: a write; a token sent to a host other than the connection's own.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from urllib.parse import urlencode, urlsplit

from revops.errors import Rejected
from revops.ledger.facts import Fact, Value
from revops.money import Money
from sync.vendor import fields as payload
from sync.vendor import strict_json
from sync.vendor.contract import (
    Call,
    Client,
    Config,
    Incoming,
    Item,
    Misunderstood,
    NotAuthentic,
    Operation,
    Page,
    Receipt,
    Refused,
    Reread,
    Response,
    RetryLater,
    Setting,
    Stream,
    Unreadable,
)
from sync.vendor.fields import Payload

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105 - an address
TOKEN_SECONDS = 3000  # the answer says no lifetime; a 401 renews it earlier
OVERLAP_SECONDS = 600
BEGINNING = "1990-01-01T00:00:00Z"
CONTRACT_STATUS = {"Draft": "draft", "InApproval": "in_approval", "Activated": "activated"}

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}", re.ASCII)
_VERSION = re.compile(r"[0-9]{2}\.0", re.ASCII)
_COMMON = ("Id", "IsDeleted", "SystemModstamp")
_OBJECTS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "customer": ("Account", ("Name", "Type", "Owner.Name", "MasterRecordId")),
    "contract": (
        "Contract",
        ("AccountId", "ContractNumber", "StatusCode", "StartDate", "EndDate", "ContractTerm", "ActivatedDate"),
    ),
    "opportunity": (
        "Opportunity",
        ("AccountId", "ContractId", "Name", "Type", "StageName", "IsClosed", "IsWon", "Amount", "CloseDate"),
    ),
}
_STREAMS = {"accounts": "customer", "contracts": "contract", "opportunities": "opportunity"}


class Salesforce:
    """See `sync.vendor.contract.Connector`."""

    slug = "salesforce"
    label = "Salesforce"
    role = "crm"
    settings: tuple[Setting, ...] = (
        Setting("client_id", "Consumer key", help="Of an external client app with the client credentials flow."),
        Setting("client_secret", "Consumer secret", sensitive=True),
        Setting("api_version", "API version", default="67.0"),
        Setting("currency", "Currency", required=False, help="Only for orgs without multiple currencies: their one."),
        Setting("legal_entity_field", "Field of the legal entity", required=False, default="Legal_Entity__c"),
        Setting("renewal_types", "Opportunity types that are renewals", default="Renewal", help="Separated by ;"),
    )
    streams: tuple[Stream, ...] = tuple(
        Stream(name, (object_type,), overlap_seconds=OVERLAP_SECONDS, every_seconds=60) for name, object_type in _STREAMS.items()
    )
    operations: tuple[Operation, ...] = ()
    pushes = False
    content_types: tuple[str, ...] = ()

    # -- what comes in -----------------------------------------------------------------------------------------
    def verify(self, incoming: Incoming, config: Config, now: dt.datetime) -> None:
        raise NotAuthentic("Salesforce is polled; it pushes nothing to us.", "no_push")

    def dedup_key(self, incoming: Incoming) -> str:
        raise Unreadable("Salesforce is polled; it pushes nothing to us.", "no_push")

    def content_digest(self, body: bytes) -> str:
        return hashlib.sha256(body).hexdigest()

    def translate(self, incoming: Incoming, config: Config) -> Sequence[Fact | Reread]:
        body = payload.message(incoming.body)
        translator = _TRANSLATORS.get(incoming.object_type)
        if incoming.kind != "read" or translator is None:
            raise Misunderstood("A read of a kind of object that this connector does not read.", "object_unknown")
        row = Payload(f"Salesforce {_OBJECTS[incoming.object_type][0]}", body)
        at = _stamp(row, "SystemModstamp")
        identity = payload.salesforce_id(row.text("Id"), row.where("Id"))
        deleted = row.flag("IsDeleted")
        try:
            fields, refs = ({}, {}) if deleted else translator(row, config)
            return [Fact(incoming.object_type, identity, _iso(at), at, fields, refs, deleted)]
        except Rejected as error:
            raise Misunderstood(f"A fact cannot be kept: {error.message}", error.code) from None

    # -- reading -----------------------------------------------------------------------------------------------
    def pull(self, client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
        """Watermark: the latest SystemModstamp seen, ISO 8601 with Z."""
        object_type = _STREAMS[stream]
        since = _iso_seconds(payload.instant(watermark, "watermark") - _OVERLAP) if watermark else BEGINNING
        where = f"SystemModstamp >= {since} ORDER BY SystemModstamp, Id"
        answer = self._query(client, config, object_type, where)
        while True:
            page = _page(answer)
            items = tuple(_item(object_type, row) for row in page.children("records"))
            stamps = [_iso(_stamp(row, "SystemModstamp")) for row in page.children("records")]
            watermark = max([watermark, *stamps])
            done = page.flag("done")
            yield Page(items, watermark, done=done)
            if done:
                return
            answer = self._get(client, config, page.text("nextRecordsUrl"), None)
            if answer.status != 200:  # a locator lives about two days; what came so far is kept
                raise RetryLater(f"The rest of the answer is gone: {_error_code(answer)}", 5, "locator_gone")

    def read(self, client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
        if object_type not in _OBJECTS:
            raise Misunderstood("A read of something that this connector does not read.", "object_unknown")
        identity = payload.salesforce_id(external_id, "id")
        page = _page(self._query(client, config, object_type, f"Id = '{identity}'"))
        return next((_item(object_type, row) for row in page.children("records")), None)

    def check(self, client: Client, config: Config) -> str:
        page = _page(self._query(client, config, "customer", "SystemModstamp >= 2999-01-01T00:00:00Z"))
        return f"Salesforce answers with API version {_version(config)}; query done: {page.flag('done')}."

    def _query(self, client: Client, config: Config, object_type: str, where: str) -> Response:
        name, fields = _OBJECTS[object_type]
        extra = [] if config.get("currency") else ["CurrencyIsoCode"]
        entity = config.get("legal_entity_field", "Legal_Entity__c")
        if object_type == "customer" and entity:
            if not _FIELD.fullmatch(entity):
                raise Refused("The field of the legal entity is no Salesforce field name.", "setting_invalid")
            extra.append(entity)
        soql = f"SELECT {', '.join([*_COMMON, *fields, *extra])} FROM {name} WHERE {where}"  # noqa: S608 - values are checked
        answer = self._get(client, config, f"/services/data/v{_version(config)}/queryAll", {"q": soql})
        if answer.status != 200:
            raise Refused(f"Salesforce refuses a query of {name}: {_error_code(answer)}", "query_refused")
        return answer

    def _get(self, client: Client, config: Config, path: str, params: Mapping[str, str] | None) -> Response:
        for attempt in ("first", "renewed"):
            head = {"Authorization": f"Bearer {self._token(client, config)}"}
            answer = client.request("GET", path, headers=head, params=params)
            if answer.status != 401:
                break
            client.forget("token")
            if attempt == "renewed":
                raise Refused("Salesforce does not accept the token of this app.", "credentials_refused")
        if answer.status == 403:
            if _error_code(answer) == "REQUEST_LIMIT_EXCEEDED":
                raise RetryLater("The org's daily total of calls is used up.", 3600, "vendor_busy")
            raise Refused("The integration user may not read this in Salesforce.", "permission_missing")
        return answer

    @staticmethod
    def _token(client: Client, config: Config) -> str:
        token = client.remembered("token")
        if token is not None:
            return token
        form = {
            "grant_type": "client_credentials",
            "client_id": config.get("client_id"),
            "client_secret": config.get("client_secret"),
        }
        head = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = client.request("POST", TOKEN_PATH, headers=head, content=urlencode(form).encode(), safe=True)
        if answer.status != 200:
            raise Refused(f"Salesforce gives no token (HTTP {answer.status}).", "credentials_refused")
        made = answer.json()
        body = Payload("token", made if isinstance(made, dict) else {})
        try:
            token, instance = body.text("access_token"), urlsplit(body.text("instance_url"))
        except (Misunderstood, ValueError):
            raise RetryLater("Salesforce's token answer is unreadable.", 60, "unreadable_answer") from None
        own = urlsplit(config.base_url)
        if (instance.scheme, instance.netloc.lower()) != (own.scheme, own.netloc.lower()):
            raise Refused("Salesforce names another host for this org: use it as the base URL.", "address_refused")
        client.remember("token", token, TOKEN_SECONDS)
        return token

    # -- writing: not in this version --------------------------------------------------------------------------
    def compose(self, config: Config, operation: str, key: str, params: Mapping[str, object]) -> Call:
        raise Refused("Nothing is posted to Salesforce in this version.", "operation_unknown")

    def post(self, client: Client, config: Config, call: Call) -> Receipt:
        raise Refused("Nothing is posted to Salesforce in this version.", "operation_unknown")

    def find_posted(self, client: Client, config: Config, call: Call) -> Receipt | None:
        raise Refused("Nothing is posted to Salesforce in this version.", "operation_unknown")


_OVERLAP = dt.timedelta(seconds=OVERLAP_SECONDS)

Said = tuple[dict[str, Value], dict[str, str]]


def _customer(row: Payload, config: Config) -> Said:
    kind = row.maybe_text("Type")
    fields: dict[str, Value] = {
        "name": row.text("Name"),
        "currency": _currency(row, config),
        "legal_entity": row.maybe_text(config.get("legal_entity_field", "Legal_Entity__c")),
        "status": kind.lower() if kind else None,
        "owner_name": row.maybe_child("Owner").maybe_text("Name"),
    }
    return fields, {"crm_account": payload.salesforce_id(row.text("Id"), row.where("Id"))}


def _contract(row: Payload, config: Config) -> Said:
    fields: dict[str, Value] = {
        "number": row.text("ContractNumber"),
        "status": row.choice("StatusCode", CONTRACT_STATUS),
        "start_on": _day(row, "StartDate"),
        "end_on": _day(row, "EndDate"),
        "term_months": row.maybe_whole("ContractTerm"),
        "activated_at": _stamp(row, "ActivatedDate") if row.has("ActivatedDate") else None,
        "currency": _currency(row, config),
    }
    return fields, _refs(row, customer="AccountId")


def _opportunity(row: Payload, config: Config) -> Said:
    kind = row.maybe_text("Type")
    renewals = {name.strip() for name in config.get("renewal_types", "Renewal").split(";")}
    amount = row.maybe_number("Amount")
    fields: dict[str, Value] = {
        "name": row.maybe_text("Name"),
        "kind": "renewal" if kind in renewals else re.sub(r"\W+", "_", kind.lower()) if kind else None,
        "stage": row.text("StageName"),
        "is_closed": row.flag("IsClosed"),
        "is_won": row.flag("IsWon"),
        "amount": _money(row, config) if amount is not None else None,
        "close_on": _day(row, "CloseDate"),
    }
    return fields, _refs(row, customer="AccountId", contract="ContractId")


_TRANSLATORS: Mapping[str, Callable[[Payload, Config], Said]] = {
    "customer": _customer,
    "contract": _contract,
    "opportunity": _opportunity,
}


def _currency(row: Payload, config: Config) -> str:
    return config.get("currency") or row.text("CurrencyIsoCode")


def _money(row: Payload, config: Config) -> Money:
    return payload.money(row.number("Amount"), _currency(row, config), row.where("Amount"))


def _day(row: Payload, field: str) -> dt.date | None:
    return payload.day(row.text(field), row.where(field)) if row.has(field) else None


def _refs(row: Payload, **fields: str) -> dict[str, str]:
    found = {role: row.maybe_text(field) for role, field in fields.items()}
    return {role: payload.salesforce_id(value, row.where(fields[role])) for role, value in found.items() if value}


def _stamp(row: Payload, field: str) -> dt.datetime:
    """`2020-10-22T21:03:23.000+0000`, with or without the colon."""
    text = row.text(field)
    if not _STAMP.fullmatch(text):
        raise row.misunderstood(field, "a date and time")
    return payload.instant(re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text), row.where(field))


def _iso(at: dt.datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _iso_seconds(at: dt.datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _version(config: Config) -> str:
    version = config.get("api_version", "67.0")
    if not _VERSION.fullmatch(version):
        raise Refused("The API version must be written like 67.0.", "setting_invalid")
    return version


def _page(answer: Response) -> Payload:
    body = answer.json()
    page = Payload("Salesforce answer", body if isinstance(body, dict) else {})
    if not isinstance(page.data.get("records"), list) or not isinstance(page.data.get("done"), bool):
        raise RetryLater("Salesforce's answer is no page of records.", 60, "unreadable_answer")
    return page


def _item(object_type: str, row: Payload) -> Item:
    record = {name: value for name, value in row.data.items() if name != "attributes"}
    digest = strict_json.content_digest(record)[:32]
    key = f"{object_type}:{record.get('Id')}:{record.get('SystemModstamp')}:{digest}"
    return Item(object_type, key, strict_json.dump(record))


def _error_code(answer: Response) -> str:
    try:
        body = strict_json.parse(answer.body)
    except strict_json.StrictJsonError:
        return f"HTTP {answer.status}"
    first = body[0] if isinstance(body, list) and body else body
    return payload.word(first.get("errorCode") or first.get("error")) if isinstance(first, dict) else f"HTTP {answer.status}"
