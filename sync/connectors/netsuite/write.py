"""Posting credit memos: composed once, sent once, found again by their external id. The vendor keeps external ids unique.

The order of things: look for our key, check the period, send, read back, compare. A receipt is given only for a record that
bears our key with the amount, currency and customer that were approved. Once the request may have left, every doubt is
`Unknown`, never `RetryLater`.
"""

from __future__ import annotations

import re
from decimal import Decimal

from revops import strict_json
from revops.postings.changes import Change, CreateCreditMemo
from revops.reference import Ref
from revops.sentences import Param, template
from sync.connectors.netsuite.auth import Session, error_codes, error_text, is_own
from sync.connectors.netsuite.queries import PERIODS
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
    line = {"item": {"id": config.get("credit_item_id")}, "quantity": 1, "rate": money.amount, "amount": money.amount}
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
    after: dict[str, Param] = {"total": money, "applied_to_invoice": change.invoice, "date": on, "memo": memo}
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
    """The credit memo that bears our key, compared with what was approved."""
    return _read(session, call, f"eid:{call.key}")


def _read(session: Session, call: Call, address: str) -> Receipt | None:
    answer = session.call("GET", f"{CREDIT_MEMO_PATH}/{address}")
    if answer.status == 404:
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


def _compare(record: Payload, approved: object) -> None:
    """Equal key, customer, currency and amount, or `Refused("posted_differs")` naming what differs."""
    sent = Payload("call", approved if isinstance(approved, dict) else {})
    line = next(sent.child("item").children("items"))
    pairs_to_compare: list[tuple[str, object, object]] = [
        ("external id", record.text("externalId"), sent.text("externalId")),
        ("customer", record.child("entity").text("id"), sent.child("entity").text("id")),
        ("currency", record.child("currency").text("id"), sent.child("currency").text("id")),
        ("amount", abs(record.number("total")), Decimal(line.number("amount"))),
    ]
    different = [name for name, there, ours in pairs_to_compare if there != ours]
    if different:
        reason = f"NetSuite has a credit memo under our key with another {', '.join(different)}."
        raise Refused(reason, "posted_differs")


def _check_period(session: Session, call: Call) -> None:
    """Refuse before sending what a locked period would refuse: cheaper to read for the person who looks at it."""
    change = call.change
    assert isinstance(change, CreateCreditMemo), "composed here"
    if change.period is not None:
        rows = all_rows(session, (f"{PERIODS} AND t.id = ?", [change.period.id]))
    else:
        on = change.on.isoformat()
        day = "TO_DATE(?, 'YYYY-MM-DD')"
        rows = all_rows(session, (f"{PERIODS} AND t.startdate <= {day} AND t.enddate >= {day}", [on, on]))
    if not rows:
        raise Refused("NetSuite has no accounting period for this date.", "period_missing")
    for row in rows:
        locked = [name for name in ("closed", "alllocked", "arlocked") if row.get(name) != "F"]
        if locked:
            name = payload.word(str(row.get("periodname", "")).replace(" ", "-")).replace("-", " ")
            raise Refused(f"The accounting period {name} is not open for receivables.", "period_closed")
