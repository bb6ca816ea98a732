"""Posting credit memos: composed once, sent once, found again by their external id. The vendor keeps external ids unique.

The order of things: look for our key, check the period, send, read back, compare. A receipt is given only for a record that
bears our key and did what was approved: this customer and currency, this amount and no tax on it, all of it applied to this
invoice. Once the request may have left, every doubt is `Unknown`, never `RetryLater`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from revops import strict_json
from revops.postings.changes import Change, CreateCreditMemo
from revops.reference import Ref
from revops.sentences import Param, template
from sync.connectors.netsuite.auth import Session, error_codes, error_text, is_own
from sync.connectors.netsuite.queries import PERIODS, periods_at
from sync.connectors.netsuite.suiteql import all_rows
from sync.connectors.netsuite.translate import pairs
from sync.vendor import fields as payload
from sync.vendor.contract import (
    VENDOR_REFUSED,
    Call,
    Client,
    Config,
    Misunderstood,
    Operation,
    Receipt,
    Refused,
    Response,
    RetryLater,
    Unknown,
)
from sync.vendor.fields import Payload

CREATE = template(
    "netsuite.create_credit_memo", "Create a credit memo of {amount} for customer {customer} on invoice {invoice}, dated {on}"
)
VOID_IT = template("netsuite.void_credit_memo", "Void the credit memo in NetSuite: the invoice is open again by the same amount.")

RECORD_PATH = "/services/rest/record/v1"
CREDIT_MEMO_PATH = f"{RECORD_PATH}/creditMemo"

OPERATIONS: tuple[Operation, ...] = (Operation(CreateCreditMemo, "unique_external_id", read_lag_seconds=30),)

SEGMENTS = ("location", "class", "department")
"""What an account may demand of each credit memo; each is a setting of the connection."""

_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
_LOCATION = re.compile(r"(?:.*/)?creditMemo/([0-9]{1,18})/?(?:[?#].*)?", re.ASCII | re.IGNORECASE)
_DUPLICATE = re.compile(r"already exists|DUP_RCRD|duplicate|IDEMPOTENCY", re.IGNORECASE)


def compose(config: Config, key: str, change: Change) -> Call:
    if not isinstance(change, CreateCreditMemo):
        raise Refused("This connector does not offer that change.", "operation_unknown")
    return _credit_memo(config, key, change)


def post(client: Client, config: Config, call: Call) -> Receipt:
    return _post(Session(client, config), call)


def find_posted(client: Client, config: Config, call: Call) -> Receipt | None:
    return _find(Session(client, config), call)


def _credit_memo(config: Config, key: str, change: CreateCreditMemo) -> Call:
    if not _KEY.fullmatch(key):
        raise Refused("A NetSuite external id has letters, digits, _ and - only.", "key_invalid")
    invoice, customer, money, on, memo = _id(change.invoice), _id(change.customer), change.amount, change.on, change.memo
    currency = pairs(config.get("currency_ids")).get(money.currency)
    if not currency or not _ID.fullmatch(currency):
        raise Refused(f"The connection does not say which NetSuite currency {money.currency} is.", "currency_unknown")
    if len(memo) > 999 or not memo.isprintable():
        raise Refused("The memo must be one line of at most 999 characters.", "memo_invalid")
    item = config.get("credit_item_id")
    if not _ID.fullmatch(item):
        raise Refused("The connection does not say which NetSuite item a credit memo has.", "setting_missing")
    line = {"item": {"id": item}, "quantity": 1, "amount": money.amount}
    body: dict[str, object] = {
        "externalId": key,
        "entity": {"id": customer},
        "currency": {"id": currency},
        "tranDate": on.isoformat(),
        "memo": memo,
        "autoApply": False,
        "item": {"items": [line]},
        "apply": {"items": [{"doc": {"id": invoice}, "apply": True, "amount": money.amount}]},
    }
    for segment in SEGMENTS:
        if id := config.get(f"credit_{segment}_id"):
            if not _ID.fullmatch(id):
                raise Refused(f"The {segment} of credit memos is not a NetSuite internal id.", "setting_invalid")
            body[segment] = {"id": id}
    after: dict[str, Param] = {"total": money, "applied_to_invoice": change.invoice, "date": on, "memo": memo}
    if change.legal_entity is not None:
        body["subsidiary"] = {"id": _id(change.legal_entity)}
        after["subsidiary"] = change.legal_entity
    if change.period is not None:
        period = _id(change.period)
        body["postingPeriod"] = {"id": period}
        after["posting_period"] = change.period
    return Call(
        change=change,
        method="POST",
        path=CREDIT_MEMO_PATH,
        headers={"Content-Type": "application/json", "X-NetSuite-PropertyNameValidation": "Error"},
        body=strict_json.dump(body),
        key=key,
        summary=CREATE(amount=money, customer=change.customer, invoice=change.invoice, on=on),
        after=after,
        reverse=VOID_IT(),
    )


def _id(ref: Ref) -> str:
    if not _ID.fullmatch(ref.id):
        raise Refused(f"The {ref.object_type.replace('_', ' ')} needs a NetSuite internal id.", "parameter_invalid")
    return ref.id


def _post(session: Session, call: Call) -> Receipt:
    """Raises `RetryLater` before anything was sent, `Refused` for a no, `Unknown` for every doubt after sending."""
    found = _find(session, call)
    if found is not None:
        return found
    _check_period(session, call)
    answer = session.write(call.method, call.path, headers=call.headers, content=call.body)
    if answer.status not in {200, 201, 204}:
        return _not_created(session, call, answer)
    match = _LOCATION.fullmatch(answer.headers.get("location", ""))
    try:
        receipt = _read(session, call, match.group(1) if match else f"eid:{call.key}")
    except RetryLater as error:
        raise Unknown(f"Sent, and not yet read back: {error.reason}", error.code) from None
    if receipt is None:
        raise Unknown("NetSuite accepted the credit memo and does not show it yet.", "not_visible_yet")
    return receipt


def _not_created(session: Session, call: Call, answer: Response) -> Receipt:
    text = error_text(answer)
    if answer.status in {400, 409} and (_DUPLICATE.search(text) or "IDEMPOTENCY_ERROR" in error_codes(answer)):
        try:
            found = _find(session, call)
        except RetryLater as error:
            raise Unknown(f"NetSuite knows our key; looking it up failed: {error.reason}", error.code) from None
        if found is None:
            raise Unknown("NetSuite says that our key is taken and does not show the record yet.", "not_visible_yet")
        return found
    if 400 <= answer.status < 500 and answer.status not in {401, 408, 409} and is_own(answer):
        raise Refused(f"NetSuite refused the credit memo: {text}", VENDOR_REFUSED)
    raise Unknown(f"NetSuite's answer does not tell whether the credit memo exists: {text}", "answer_unclear")


def _find(session: Session, call: Call) -> Receipt | None:
    """The credit memo that bears our key, when it did what was approved."""
    return _read(session, call, f"eid:{call.key}")


def _read(session: Session, call: Call, address: str) -> Receipt | None:
    answer = read_memo(session, address)
    if is_missing(answer):
        return None
    if answer.status != 200:
        raise RetryLater(f"The credit memo cannot be read: {error_text(answer)}", 60, "lookup_failed")
    body = answer.json()
    try:
        record = Payload("creditMemo", body if isinstance(body, dict) else {})
        _compare(record, strict_json.parse(call.body))
        return Receipt(record.text("id"), "credit_memo", strict_json.dump(record.data))
    except Misunderstood as error:
        raise Refused(f"The credit memo under our key cannot be compared: {error.reason}", "posted_differs") from None


def read_memo(session: Session, address: str) -> Response:
    """The answer about the credit memo with an internal id or `eid:` and an external one. Raises as `Session.call`."""
    return session.call("GET", f"{CREDIT_MEMO_PATH}/{address}", params=[("expandSubResources", "true")])


def is_missing(answer: Response) -> bool:
    """Whether the answer to a look-up says that there is no such record."""
    return answer.status == 404 or (answer.status == 400 and "NONEXISTENT_ID" in error_codes(answer))


def _compare(record: Payload, approved: object) -> None:
    """Raises `Refused("posted_differs")`, which tells each way in which the record is not, or did not do, what was approved."""
    different = list(_differences(record, Payload("call", approved if isinstance(approved, dict) else {})))
    if different:
        raise Refused(f"The credit memo under our key in NetSuite {', '.join(different)}.", "posted_differs")


def _differences(record: Payload, sent: Payload) -> Iterator[str]:
    wanted = Decimal(next(sent.child("item").children("items")).number("amount"))
    invoice = next(sent.child("apply").children("items")).child("doc").text("id")
    if record.text("externalId") != sent.text("externalId"):
        yield "has another external id"
    for name, field in (("customer", "entity"), ("currency", "currency"), ("subsidiary", "subsidiary")):
        if sent.has(field) and record.child(field).text("id") != sent.child(field).text("id"):
            yield f"has another {name}"
    total, tax = abs(record.number("total")), abs(record.number("taxTotal")) if record.has("taxTotal") else Decimal(0)
    if total - tax != wanted:
        yield f"has the amount {total - tax} and not {wanted}"
    if tax:
        yield f"bears tax of {tax}, which NetSuite added: it is for {total} and not for {wanted}"
    lines = [line for line in record.child("apply").children("items") if line.has("apply") and line.flag("apply")]
    covered = sum((line.number("amount") for line in lines if line.child("doc").text("id") == invoice), Decimal(0))
    if covered != wanted:
        yield f"is applied to invoice {invoice} with {covered} and not with {wanted}"
    if record.number("applied") != covered:
        yield f"is applied with {record.number('applied')} in all"
    if record.number("unapplied"):
        yield f"has {record.number('unapplied')} that is not applied"


def _check_period(session: Session, call: Call) -> None:
    """Refuse before sending what a locked period would refuse: cheaper to read for the person who looks at it."""
    change = call.change
    assert isinstance(change, CreateCreditMemo), "composed here"
    if change.period is not None:
        rows = all_rows(session, (f"{PERIODS} AND t.id = ?", [change.period.id]))
    else:
        rows = all_rows(session, periods_at(change.on.isoformat()))
    if not rows:
        raise Refused("NetSuite has no accounting period for this date.", "period_missing")
    for row in rows:
        locked = [name for name in ("closed", "alllocked", "arlocked") if row.get(name) != "F"]
        if locked:
            name = payload.word(str(row.get("periodname", "")).replace(" ", "-")).replace("-", " ")
            raise Refused(f"The accounting period {name} is not open for receivables.", "period_closed")
