"""Holding and releasing a renewal. Gainsight has no version to lock on and no key of its own, so we search first.

The order of things: look for our reference, read the renewal and compare it with what was approved, check that the configured
pick-list item is the one we mean, send, read back, compare. A lost-update window of one call remains between reading and
sending. Once the request may have left, every doubt is `Unknown`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial

from revops import strict_json
from revops.postings.changes import Change, HoldRenewal, ReleaseRenewal
from revops.sentences import Word, template
from sync.connectors.gainsight.auth import Failed, Session
from sync.connectors.gainsight.models import HOLD_FIELDS, RENEWAL_STAGE
from sync.connectors.gainsight.objects import metadata, query
from sync.connectors.gainsight.translate import stage_of
from sync.vendor import fields as payload
from sync.vendor.contract import (
    VENDOR_REFUSED,
    Call,
    Client,
    Config,
    Misunderstood,
    Operation,
    Probed,
    Receipt,
    Refused,
    RetryLater,
    Unknown,
    probed,
)
from sync.vendor.fields import Payload

HOLD = template("gainsight.hold_renewal", "Put on hold renewal {renewal}: {reason}")
RELEASE = template("gainsight.release_renewal", "Release renewal {renewal}: {reason}")
SET_BACK = template("gainsight.set_back", "Set the renewal stage back to {stage}.")

PATH = "/v1/data/objects/gs_opportunity?keys=Gsid"
OPERATIONS: tuple[Operation, ...] = (
    Operation(HoldRenewal, "search_first", read_lag_seconds=60),
    Operation(ReleaseRenewal, "search_first", read_lag_seconds=60),
)

StageChange = HoldRenewal | ReleaseRenewal

_TARGETS: Mapping[type[StageChange], tuple[str, str]] = {
    HoldRenewal: ("On Hold", "stage_on_hold_item"),
    ReleaseRenewal: ("In Progress", "stage_in_progress_item"),
}
"""The stage that a change moves to, in Gainsight's words, and the setting that names that stage's pick-list item."""
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}", re.ASCII)
_KEY = re.compile(r"[A-Za-z0-9_-]{1,100}", re.ASCII)
_GSID = re.compile(r"[A-Za-z0-9]{4,60}", re.ASCII)
_OURS = frozenset(RENEWAL_STAGE.values())


def _target(change: Change) -> tuple[StageChange, str, str]:
    """The change, the stage that it moves to in Gainsight's words, and the setting that names that stage's pick-list item."""
    if not isinstance(change, (HoldRenewal, ReleaseRenewal)):
        raise Refused("This connector does not offer that change.", "operation_unknown")
    return change, *_TARGETS[type(change)]


def _item(config: Config, label: str, setting: str) -> str:
    item = config.get(setting)
    if not _GSID.fullmatch(item):
        raise Refused(f"The connection does not say which pick-list item is '{label}'.", "setting_missing")
    return item


def _own_fields(config: Config) -> list[str]:
    """The fields for a hold's reason and its reference, which the tenant's administrator made, as the connection names them."""
    names = [config.get(setting) for setting in HOLD_FIELDS]
    for name, what in zip(names, ("reason", "reference"), strict=True):
        if not _FIELD.fullmatch(name):
            raise Refused(f"The connection does not say which field of a renewal takes a hold's {what}.", "setting_missing")
    if len({"Gsid", "RenewalStage", *names}) != 4:
        raise Refused("A hold's reason and its reference need a field of their own each.", "setting_invalid")
    return names


def compose(config: Config, key: str, change: Change) -> Call:
    wanted, label, setting = _target(change)
    renewal, reason, stage = wanted.renewal.id, wanted.reason, wanted.from_stage
    if not _KEY.fullmatch(key):
        raise Refused("A hold reference has letters, digits, _ and - only.", "key_invalid")
    if not _GSID.fullmatch(renewal):
        raise Refused("The renewal needs a Gainsight id.", "parameter_invalid")
    if not 0 < len(reason) <= 250 or not reason.isprintable():
        raise Refused("The reason must be one line of 1 to 250 characters.", "parameter_invalid")
    if stage not in _OURS or stage == RENEWAL_STAGE[label]:
        raise Refused("from_stage must be the present stage, and another than the new one.", "parameter_invalid")
    item = _item(config, label, setting)
    record = {"Gsid": renewal, "RenewalStage": item, **dict(zip(_own_fields(config), (reason, key), strict=True))}
    summary = HOLD if isinstance(wanted, HoldRenewal) else RELEASE
    return Call(
        change=change,
        method="PUT",
        path=PATH,
        headers={"Content-Type": "application/json"},
        body=strict_json.dump({"records": [record]}),
        key=key,
        summary=summary(renewal=wanted.renewal, reason=reason),
        before={"stage": Word(stage)},
        after={"stage": Word(RENEWAL_STAGE[label]), "hold_reason": reason, "hold_reference": key},
        reverse=SET_BACK(stage=Word(stage)),
    )


def post(client: Client, config: Config, call: Call) -> Receipt:
    return _post(Session(client, config), call)


def find_posted(client: Client, config: Config, call: Call) -> Receipt | None:
    return _find(Session(client, config), call)


def _post(session: Session, call: Call) -> Receipt:
    """Raises `RetryLater` before anything was sent, `Refused` for a no, `Unknown` for every doubt after sending."""
    record = _read(session, call)
    if record is None:
        raise Refused("Gainsight does not have this renewal.", "object_missing")
    if (done := _evidence(session, call, record)) is not None:
        return done
    present = _stage(session, record.text("RenewalStage"))
    change, label, _setting = _target(call.change)
    if present != change.from_stage:
        raise Refused("The renewal's stage was changed since this was approved.", "changed_meanwhile")
    if _stage(session, _sent(call).text("RenewalStage")) != RENEWAL_STAGE[label]:
        raise Refused(f"The configured pick-list item is not '{label}' in Gainsight.", "setting_invalid")
    try:
        _check_written(session.call(call.method, call.path, call.body, safe=False))
    except Failed as failure:
        reason = f"Gainsight refused the change: {payload.word(failure.code)}"
        if failure.code == "GSOBJ_1003" or failure.status >= 500:
            raise Unknown(reason, "answer_unclear") from None
        raise Refused(reason, VENDOR_REFUSED) from None
    try:
        after = _read(session, call)
        receipt = _evidence(session, call, after) if after is not None else None
    except RetryLater as error:
        raise Unknown(f"Sent, and not yet read back: {error.reason}", error.code) from None
    if receipt is None:
        raise Unknown("Gainsight accepted the change and does not show it yet.", "not_visible_yet")
    return receipt


def probe(client: Client, config: Config) -> Iterator[Probed]:
    """What each change needs, as far as describe tells. The write itself is not tried: it would change a renewal."""
    session = Session(client, config)
    for operation, change in (("hold_renewal", HoldRenewal), ("release_renewal", ReleaseRenewal)):
        yield probed(operation, partial(_try, session, *_TARGETS[change]))


def _try(session: Session, label: str, setting: str) -> str:
    names = ["RenewalStage", *_own_fields(session.config)]
    _require(session, names)
    if fixed := [name for name in names if name in metadata(session, "gs_opportunity").fixed]:
        raise Refused(f"Gainsight does not let {', '.join(fixed)} of gs_opportunity be updated.", "permission_missing")
    item = _item(session.config, label, setting)
    if _stage(session, item) != RENEWAL_STAGE[label]:
        raise Refused(f"The configured pick-list item is not '{label}' in Gainsight.", "setting_invalid")
    return "the write itself is not tried: it would change a renewal"


def _require(session: Session, names: Iterable[str]) -> None:
    """Every one of these fields is there. Raises `Refused("field_missing")`."""
    known = metadata(session, "gs_opportunity").fields
    if missing := [name for name in names if name not in known]:
        raise Refused(f"Gainsight's gs_opportunity has no field {', '.join(missing)}.", "field_missing")


def _find(session: Session, call: Call) -> Receipt | None:
    """The renewal when it bears our reference; `Refused` when it does and its stage is another."""
    record = _read(session, call)
    return _evidence(session, call, record) if record is not None else None


def _read(session: Session, call: Call) -> Payload | None:
    sent = _sent(call)
    _require(session, sent.data)
    select = (*sent.data, "ModifiedDate")
    rows = query(session, "gs_opportunity", select, [("Gsid", "EQ", [sent.text("Gsid")])], order=["Gsid"])
    return Payload("gs_opportunity", rows[0]) if rows else None


def _sent(call: Call) -> Payload:
    body = strict_json.parse(call.body)
    return next(Payload("call", body if isinstance(body, dict) else {}).children("records"))


def _stage(session: Session, item: str) -> str:
    label = metadata(session, "gs_opportunity").items.get("RenewalStage", {}).get(item, item)
    return stage_of(label, session.config) or ""


def _evidence(session: Session, call: Call, record: Payload) -> Receipt | None:
    sent = _sent(call)
    reference_field = [name for name, value in sent.data.items() if value == call.key][-1]
    if record.maybe_text(reference_field) != call.key:
        return None
    wanted, found = sent.text("RenewalStage"), record.maybe_text("RenewalStage") or ""
    if found != wanted and _stage(session, found) != _stage(session, wanted):
        raise Refused("The renewal bears our reference with another stage.", "posted_differs")
    return Receipt(record.text("Gsid"), "renewal", strict_json.dump(record.data))


def _check_written(data: object) -> None:
    """`count` must be one and `errors` empty; anything else does not tell."""
    written = Payload("answer", data if isinstance(data, dict) else {})
    try:
        fine = written.whole("count") == 1 and not written.data.get("errors")
    except Misunderstood:
        fine = False
    if not fine:
        raise Unknown("Gainsight does not say that exactly one record was changed.", "answer_unclear")
