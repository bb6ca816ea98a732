"""Carrying the steps of a situation in through the product's own ways, and reading what they left behind.

An event is signed and posted to the intake. A read is stored as a pull stores its page. Both are then applied as the workers do,
and at the end the rules run at the situation's `now`. No vendor is there: when the product wants to read an object again, the
read of that object that comes in a later step is the answer, at that step; until then the delivery waits. Where the product runs
beside it, its workers are rung for and find nothing to do.
"""

from __future__ import annotations

import datetime as dt
import json
import secrets
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal

from django.db import transaction
from django.test import Client as WebClient

from demo.playback.compare import DeadLetter, Kept, OpenCase, Played
from demo.playback.database import Copy
from demo.playback.proposing import accepted
from demo.playback.signing import SIGNS
from demo.playback.situation import Amount, Given, NotPlayable, Situation, Step, Thing
from revops.accounts.models import AccountLink
from revops.cases.models import LIVE_STATUSES, ExceptionCase
from revops.detection.run import detect_due, mark_expected
from revops.errors import Rejected
from revops.ledger.facts import decode_fields
from revops.ledger.freshness import read_through
from revops.ledger.models import DueAccount, SourceRecord, SourceSystem, SystemRole
from revops.ledger.types import TYPES
from revops.money import Money
from revops.people.actors import System
from sync import connections
from sync.applying.apply import Translation, translate
from sync.applying.claims import REREAD
from sync.applying.drain import process_all
from sync.connections.handles import config_for
from sync.connectors import CONNECTORS
from sync.intake import inbox
from sync.mapping.accept import values_of
from sync.mapping.declared import NAMING
from sync.models import Connection, Delivery, DeliveryState
from sync.vendor.contract import Client, Config, Incoming, Item, Page, RetryLater, Setting, Stream
from sync.vendor.fields import item_of

ACTOR = System("playback")
NOBODY = "http://127.0.0.1:1099"
"""The address of every connection. Nobody answers there, and nobody is asked."""
DELETION = "deletion"
"""What some vendors are read for beside their objects: that one is gone."""
ROUNDS_MAX = 20
"""How often the rules run at most, for accounts that are marked again while they run."""


def play(situation: Situation, copy: Copy) -> Played:
    """Play all steps into the database that Django's connection goes to, and say what is there at `now`.

    Raises `NotPlayable` for a connection or a setting that is not known, a step that its connection cannot take, and a record's
    field that is not declared.
    """
    _check_fields(situation)
    given, ties = given_to(situation)
    now = situation.expected.now.astimezone(dt.UTC)
    failures: list[str] = []
    with _no_vendor(given) as vendors:
        secret_of = {slug: _connect(slug, one, given) for slug, one in given.items()}
        for number, step in enumerate(situation.steps):
            at = situation.received_at(number)
            copy.receive_at(at)
            if step.kind == "event":
                failures += _push(number, step, given[step.connection].connector, secret_of[step.connection])
                process_all(_not_ahead(at))
            else:
                _read(number, step, vendors, at, copy)
    for slug in given:
        types = {each for stream in connections.connector_of(_row(slug)).streams for each in stream.object_types}
        read_through(slug, types, now)
    _detect(now)
    failures += [f"the rules failed on an account: {due.last_error}" for due in DueAccount.objects.exclude(last_error="")]
    return replace(_left_behind(situation), failures=failures, ties=ties)


# --- connections ------------------------------------------------------------------------------------------------------


def given_to(situation: Situation) -> tuple[Mapping[str, Given], list[str]]:
    """The connections of a situation, by name, with the slug of their connector and their settings filled in; and a sentence for
    each setting that its steps propose and that no default says.

    With `connections.json`: those that it names and those of the steps. Without: one of each vendor and those of the steps, tied
    to each other as the steps propose. Raises `NotPlayable`.
    """
    named = situation.given if situation.given is not None else {slug: Given() for slug in CONNECTORS}
    stated = situation.expected.settings
    names = dict.fromkeys([*named, *stated, *(step.connection for step in situation.steps)])
    vendors = {name: named[name].connector if name in named and named[name].connector else name for name in names}
    for name, vendor in vendors.items():
        if vendor not in CONNECTORS:
            raise NotPlayable(
                f"There is no connector {vendor} for the connection {name}. Say in connections.json which it has: "
                f'{{"{name}": {{"connector": "stripe"}}}}. There are {", ".join(CONNECTORS)}.'
            )
    own = {name: {**(named[name].settings if name in named else {}), **_by_name(stated.get(name, {}))} for name in vendors}
    if situation.given is not None:
        fixed = {name: _AS_REHEARSED.get(vendor, {}) for name, vendor in vendors.items()}
        return {name: _given(name, vendors, own[name], fixed[name]) for name in vendors}, []
    plain = {name: _given(name, vendors, own[name], {}) for name in vendors}
    configs = {name: config_for(CONNECTORS[one.connector], name, NOBODY, one.settings) for name, one in plain.items()}
    found, told = {}, []
    for name, best in accepted(situation.steps, configs, vendors).items():
        ties = {setting: each for setting, each in best.items() if setting not in own[name]}
        meant = {
            key: value for each in ties.values() for key, value in values_of(each, CONNECTORS[vendors[name]], vendors).items()
        }
        found[name] = _given(name, vendors, own[name], meant)
        told += [f"{name}: {each}" for each in ties.values() if configs[name].get(each.setting) != each.value]
    return {**plain, **found}, told


def _given(name: str, vendors: Mapping[str, str], own: Mapping[str, str], ties: Mapping[str, str]) -> Given:
    return Given(connector=vendors[name], settings=settings_of(name, vendors, own, ties))


def settings_of(name: str, vendors: Mapping[str, str], own: Mapping[str, str], ties: Mapping[str, str]) -> dict[str, str]:
    """The settings of one connection: what it was given (`own`), above how it is tied to the others (`ties`), above what fits
    the connections beside it and the payloads of the rehearsal, above its connector's defaults. `vendors`: every connection's
    connector. The one place where this is decided.

    Raises `NotPlayable` for a setting that the connector does not declare.
    """
    connector = CONNECTORS[vendors[name]]
    declared = {setting.name: setting for setting in connector.settings}
    if unknown := [each for each in own if each not in declared]:
        raise NotPlayable(f"{connector.label} has no setting {unknown[0]}. It has {', '.join(declared)}.")
    beside = {name: _only(name.removesuffix("_connection"), vendors) for name in NAMING}
    fitting = {**beside, **_FITTING.get(connector.slug, {})}
    return {
        **{each: _placeholder(setting) for each, setting in declared.items() if setting.required and not setting.default},
        **{each: value for each, value in {**fitting, **ties}.items() if each in declared and value},
        **own,
    }


_FITTING: Mapping[str, Mapping[str, str]] = {
    "salesforce": {"legal_entity_field": "Legal_Entity__c"},
    "netsuite": {"currency_ids": "USD=1, EUR=2, JPY=3", "legal_entities": "1=US, 2=DE, 3=JP"},
}
"""What the payloads of the rehearsal keep where, by connector."""
_AS_REHEARSED: Mapping[str, Mapping[str, str]] = {"stripe": {"contract_number_key": "contract_number"}}
"""How connections are tied where the folder says which there are, and nothing of that."""


def _placeholder(setting: Setting) -> str:
    """For what only matters to calls, of which there are none, and for what signs deliveries."""
    return secrets.token_urlsafe(24) if setting.sensitive else "playback"


def _only(role: str, vendors: Mapping[str, str]) -> str:
    """The connection of that role, where there is one and no second."""
    found = [name for name, vendor in vendors.items() if CONNECTORS[vendor].role == role]
    return found[0] if len(found) == 1 else ""


def _by_name(stated: Mapping[str, str]) -> dict[str, str]:
    """Settings by their declared names; people write spaces."""
    return {name.replace(" ", "_"): value for name, value in stated.items()}


def _connect(slug: str, given: Given, every: Mapping[str, Given]) -> str:
    """Make the connection; returns the secret that signs its deliveries."""
    for name in NAMING:
        other = given.settings.get(name)
        if other and other not in every:
            raise NotPlayable(f"{name} of {slug} names {other}, which is no connection of this situation.")
    try:
        connections.connect(
            slug=slug, vendor=given.connector, base_url=NOBODY, values=given.settings, acting_user=ACTOR, started=True
        )
    except Rejected as refused:
        raise NotPlayable(f"The connection {slug} cannot be made: {refused.message}") from None
    signs = [setting.name for setting in CONNECTORS[given.connector].settings if setting.signs]
    return given.settings[signs[0]] if signs else ""


def _row(slug: str) -> Connection:
    return Connection.objects.get(pk=slug)


# --- what comes in ----------------------------------------------------------------------------------------------------


def _push(number: int, step: Step, vendor: str, secret: str) -> list[str]:
    """Sign and post an event. Returns a sentence when it was not taken."""
    if CONNECTORS[vendor].pushes is None or vendor not in SIGNS:
        raise NotPlayable(f"Step {number + 1}: nobody knows how {vendor} signs an event. Give it as a read.")
    body = step.body.encode() if isinstance(step.body, str) else rendered(step.body).encode()
    answer = WebClient(SERVER_NAME="127.0.0.1").post(
        f"/intake/{step.connection}/",
        body,
        content_type="application/json",
        headers=SIGNS[vendor](body, secret, int(time.time())),
    )
    if answer.status_code == 202:
        return []
    return [
        f"step {number + 1}, an event of {step.connection}, was answered with {answer.status_code}: {answer.content.decode()}"
    ]


def rendered(value: object, indent: int = 0) -> str:
    """JSON with two spaces of indentation and the keys in their order; a number has the digits that it came with."""
    inner = "  " * (indent + 1)
    if isinstance(value, Mapping) and value:
        lines = [f"{inner}{json.dumps(key)}: {rendered(part, indent + 1)}" for key, part in value.items()]
        return "{\n" + ",\n".join(lines) + "\n" + "  " * indent + "}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(inner + rendered(part, indent + 1) for part in value) + "\n" + "  " * indent + "]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value)


def _read(number: int, step: Step, vendors: Mapping[str, Vendor], at: dt.datetime, copy: Copy) -> None:
    """Store what was read, apply it, and let it answer what waits to be read again."""
    assert not isinstance(step.body, str), "the format refuses it"
    handle = connections.handle_of(_row(step.connection))
    readable = [*dict.fromkeys(each for stream in handle.connector.streams for each in stream.object_types), DELETION]
    if step.object_type not in readable:
        reads = ", ".join(readable)
        raise NotPlayable(f"Step {number + 1}: {handle.connector.label} is not read for a {step.object_type}. It is for {reads}.")
    item = item_of(step.object_type, f"step-{number + 1}", step.body)
    waits = Delivery.objects.filter(connection=step.connection, state=DeliveryState.PENDING, reason_code=REREAD)
    with transaction.atomic():
        inbox.store_page(handle, inbox.arrived([item]))
    process_all(_not_ahead(at))
    said = translate(_incoming(item, at), handle.connector, handle.config)
    if not isinstance(said, Translation) or not waits.exists():
        return
    vendor = vendors[step.connection]
    vendor.shows = {(handle.slug, fact.object_type, fact.external_id): item for fact in said.facts}
    copy.read_again_at_once(step.connection)
    process_all(_not_ahead(at))
    vendor.shows = {}


def _incoming(item: Item, at: dt.datetime) -> Incoming:
    return Incoming(item.kind, item.body, received_at=at, object_type=item.object_type)


def _not_ahead(at: dt.datetime) -> dt.datetime:
    """That moment, or this one where it is yet to come: what waits in a queue waits by the clock of the database."""
    return min(at, dt.datetime.now(dt.UTC))


@dataclass(slots=True)
class Vendor:
    """Stands where the vendor of a connector is read. It shows what the step at hand has read (connection, object type and id ->
    item); anything else it does not know now."""

    STREAMS: tuple[Stream, ...]
    shows: dict[tuple[str, str, str], Item] = field(default_factory=dict)

    def pull(self, *_asked: object) -> Iterator[Page]:
        """Raises `RetryLater`: there is nothing to be read but what steps bring."""
        raise RetryLater("There is no vendor to be read in a playback.")

    def read(self, _client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
        """The object as the step at hand has it. Raises `RetryLater` for any other."""
        found = self.shows.get((config.slug, object_type, external_id))
        if found is None:
            raise RetryLater(f"No step shows the {object_type} {external_id} yet.", 1)
        return found


@contextmanager
def _no_vendor(given: Mapping[str, Given]) -> Iterator[dict[str, Vendor]]:
    """Inside, connectors read what steps show and call nobody. Gives the stand-in of each connection."""
    before = dict(CONNECTORS)
    vendors = {}
    for slug, connector in before.items():
        shown = Vendor(tuple(connector.streams))
        CONNECTORS[slug] = replace(connector, reads=shown)
        vendors[slug] = shown
    try:
        yield {name: vendors[one.connector] for name, one in given.items()}
    finally:
        CONNECTORS.update(before)
        connections.forget_handles()


# --- at the end -------------------------------------------------------------------------------------------------------


def _detect(now: dt.datetime) -> None:
    """Run the rules on every account that is due, and on those whose expectations are."""
    for _ in range(ROUNDS_MAX):
        if not detect_due(limit=100, now=now) and not mark_expected(now=now):
            return


def _left_behind(situation: Situation) -> Played:
    accounts = _crm_ids()
    cases = [
        OpenCase(
            rule=case.rule,
            sentence=str(case.sentence),
            amount=_amount(Money.from_minor(case.amount_minor, case.currency)),
            objects=frozenset(
                Thing(each["system"], each["object_type"], each["external_id"]) for each in case.evidence.get("records", [])
            ),
            accounts=accounts.get(case.account_id or 0, frozenset()),
        )
        for case in ExceptionCase.objects.filter(status__in=LIVE_STATUSES).order_by("pk")
    ]
    records = {}
    for wanted in situation.expected.records:
        thing = wanted.object
        row = SourceRecord.objects.filter(system=thing.system, object_type=thing.object_type, external_id=thing.id).first()
        if row is not None:
            fields = decode_fields(row.object_type, row.fields)
            records[thing] = Kept(fields, row.deleted, accounts.get(row.account_id or 0, frozenset()))
    dead = Delivery.objects.filter(state=DeliveryState.QUARANTINED).order_by("pk")
    waiting = Delivery.objects.filter(state=DeliveryState.PENDING).order_by("pk")
    return Played(
        cases=cases,
        records=records,
        dead_letters=[DeadLetter(str(each.connection_id), each.reason_code, each.reason) for each in dead],
        waiting=[f"a delivery of {each.connection_id} waits: {each.reason or 'not applied yet'}" for each in waiting],
    )


def _amount(money: Money) -> Amount:
    return Amount(money.amount, money.currency)


def _crm_ids() -> dict[int, frozenset[str]]:
    """Account -> the ids of its customers in every CRM."""
    crms = list(SourceSystem.objects.filter(role=SystemRole.CRM).values_list("slug", flat=True))
    found: dict[int, set[str]] = {}
    links = AccountLink.objects.filter(system__in=crms).exclude(basis=AccountLink.Basis.REFUSED)
    for account_id, customer_id in links.values_list("account_id", "customer_id"):
        found.setdefault(account_id, set()).add(customer_id)
    return {account: frozenset(ids) for account, ids in found.items()}


def _check_fields(situation: Situation) -> None:
    """A misspelt field would be unknown for ever, and agree with null."""
    for record in situation.expected.records:
        declared = TYPES.get(record.object.object_type)
        if declared is None:
            kinds = ", ".join(sorted(TYPES))
            raise NotPlayable(f"{record.object}: no object type is called {record.object.object_type}. There are {kinds}.")
        for name in record.fields:
            if name not in declared.fields:
                raise NotPlayable(f"{record.object}: {declared.code} has no field {name}. It has {', '.join(declared.fields)}.")
