"""Connecting a system, changing what a connection is given, and noting what went wrong with it.

A change of what steers postings (the address, and settings whose connector says so) switches posting off until a second person
confirms it anew (`proposals`); and another address is given no secret that was entered for the one before.

Never: a secret in the audit log or in the history.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from revops.audit import log as audit
from revops.errors import Conflict, NotAllowed, Rejected
from revops.installation.kind import mark_database
from revops.ledger.coverage import Coverage
from revops.ledger.due import mark_due_everywhere
from revops.ledger.habits import ORDINARY
from revops.ledger.models import SourceSystem
from revops.people.actors import System
from revops.sentences import Word, template
from sync.connections.change import SEALED_AGAIN, Change
from sync.connections.envelope import seal, sealed_with_newest_key, secrets_of
from sync.connections.handles import connector_of, forget_handles
from sync.connections.proposals import overtake
from sync.connections.rows import REASON_LENGTH_MAX, database_now, locked, require_manager, require_proof, save
from sync.connections.values import known_vendor, origin_of, sorted_values
from sync.models import Connection, Watermark
from sync.vendor.habits import declared_habits

CONNECTED = template("connection.connected", "Connected {vendor} as {system}")
FORMER_ENDED = template("connection.former_ended", "The former {name} of the connection {system} is good no more")

if TYPE_CHECKING:
    from revops.identity.models import StepUp
    from revops.people.models import User
    from sync.vendor.contract import Connector

SLUG = re.compile(r"[a-z][a-z0-9-]{1,58}")
LABEL_LENGTH_MAX = 80
OVERLAP_HOURS, OVERLAP_HOURS_MAX = 24, 30 * 24
"""How long a replaced signing secret stays good unless said otherwise, and at most."""


@transaction.atomic
def connect(
    *,
    slug: str,
    vendor: str,
    base_url: str,
    values: Mapping[str, str],
    acting_user: User | System,
    label: str = "",
    started: bool = False,
    on_trial: bool = False,
    step_up: StepUp | None = None,
) -> Connection:
    """Create a source system with its connection and the watermarks of its streams. Nothing is read yet, since what was read
    stays in the ledger for ever: somebody looks at it first, and starts it (`switches.resume`). Nothing is posted.

    `values` holds every declared setting, sensitive ones too. `on_trial`: what the rules find in it opens no case until somebody
    has looked, as it should be for a system that nobody here has seen. `started`: read from now on and posted to, for the
    simulators of a rehearsal. Raises `Rejected` (`slug`, `slug_taken`, `label_too_long`, `unknown_vendor`, `base_url`, and what
    `sorted_values` raises), and for a person as `require_proof` does.
    """
    require_proof(acting_user, step_up)
    mark_database(acting_user=acting_user)
    connector = known_vendor(vendor)
    if not SLUG.fullmatch(slug):
        raise Rejected("slug", "A connection's name is 2 to 59 lower-case letters, digits and hyphens.", field="slug")
    origin, given = origin_of(base_url), sorted_values(connector, values)
    row = Connection(
        system=_new_system(slug, connector, _label(label, connector), on_trial=on_trial),
        vendor=vendor,
        base_url=origin,
        settings=given.plain,
        secrets=seal(given.sensitive, slug),
        active=started,
        posting_enabled=started,
    )
    _keep_habits(row)
    if started and not (row.is_simulator and isinstance(acting_user, System)):
        raise NotAllowed("not_a_simulator", "Only a simulator of the rehearsal is started as it is made.")
    row.save(force_insert=True)
    Watermark.objects.bulk_create([Watermark(connection=row, stream=stream.name) for stream in connector.streams])
    audit.record(
        "connection.create",
        row,
        acting_user=acting_user,
        summary=CONNECTED(vendor=connector.label, system=slug),
        after={"base_url": row.base_url, "settings": given.plain, "secrets": sorted(given.sensitive)},
    )
    forget_handles()
    transaction.on_commit(forget_handles)
    return row


@transaction.atomic
def change_connection(
    slug: str,
    *,
    acting_user: User | System,
    base_url: str | None = None,
    values: Mapping[str, str] | None = None,
    label: str | None = None,
    row_version: int | None = None,
    overlap_hours: int = OVERLAP_HOURS,
    reason: str = "",
    step_up: StepUp | None = None,
) -> Connection:
    """Change what is given, keep the rest; a sensitive value replaces the old one, and every change seals with the newest key.

    A signing secret that is replaced stays good for `overlap_hours` (0: not at all). `row_version`: as the person saw it. Raises
    `Missing`, `Conflict` (`connection_changed`, `former_good`), `Rejected` as `connect` does, for a secret that another address
    is not given (`secret_needed`) and for `overlap_hours`, and for a person as `require_proof` does.
    """
    require_proof(acting_user, step_up)
    if not 0 <= overlap_hours <= OVERLAP_HOURS_MAX:
        raise Rejected("overlap_hours", f"The former secret is good for 0 to {OVERLAP_HOURS_MAX} hours.", field="overlap_hours")
    row = locked(slug, row_version)
    change = Change(row, connector_of(row), database_now())
    if label is not None:
        change.rename(_label(label, change.connector))
        row.system.save(update_fields=["label"])
    if base_url is not None:
        change.move(origin_of(base_url), values or {})
    change.give(values or {}, dt.timedelta(hours=overlap_hours))
    if change.steers and not row.is_simulator:
        overtake(row)
        if row.posting_enabled:
            change.note("posting_enabled", True, False)
            row.posting_enabled = False
    save(row)
    if _keep_habits(row):
        mark_due_everywhere(slug, now=change.now)
    if change.maps:
        _read_from_the_beginning(row)
    audit.record(
        "connection.change",
        row,
        acting_user=acting_user,
        summary=change.sentence(),
        reason=reason.strip()[:REASON_LENGTH_MAX],
        before=change.before,
        after=change.after,
    )
    return row


def note_coverage(slug: str, measured: Iterable[Coverage], *, now: dt.datetime) -> None:
    """How much of it is tied to the others, as it was measured now. Bookkeeping, no action: not audited."""
    told = [each.as_json() for each in measured]
    SourceSystem.objects.filter(pk=slug).update(coverage=told, coverage_at=now)


def _keep_habits(row: Connection) -> bool:
    """The system is as the settings say that the company works in it. Whether that is new."""
    habits = declared_habits(row.settings).as_json()
    if row.system.habits == habits or (row.system.habits == {} and habits == ORDINARY.as_json()):
        return False
    row.system.habits = habits
    row.system.save(update_fields=["habits"])
    return True


def _read_from_the_beginning(row: Connection) -> None:
    """A read that is under way ends without moving its watermark: it asks for the fields of before."""
    Watermark.objects.filter(connection=row).update(value="", fence=F("fence") + 1, next_attempt_at=Now())


@transaction.atomic
def end_former_secret(slug: str, name: str, *, acting_user: User | System) -> Connection:
    """A signing secret that was replaced is good no more, from now on. Raises `Missing`, `Conflict("former_over")`."""
    require_manager(acting_user)
    row = locked(slug)
    secrets, former = secrets_of(row)
    if former.pop(name, None) is None:
        raise Conflict("former_over", "There is no former value of it that is still good.")
    row.secrets = seal(secrets, slug, former)
    row.former_until = {each: found.until.isoformat() for each, found in former.items()}
    save(row)
    said = FORMER_ENDED(name=Word(name), system=slug)
    audit.record("connection.end_former_secret", row, acting_user=acting_user, summary=said, after={"secrets": [name]})
    return row


@transaction.atomic
def reseal_connection(slug: str, *, acting_user: User | System) -> bool:
    """Seal its secrets with the newest key; False when they are. Raises `Missing`, `Conflict("secrets_unreadable")`."""
    row = locked(slug)
    if sealed_with_newest_key(row):
        return False
    secrets, former = secrets_of(row)
    row.secrets = seal(secrets, slug, former)
    save(row)
    audit.record("connection.reseal", row, acting_user=acting_user, summary=SEALED_AGAIN(system=slug))
    return True


def slugs() -> list[str]:
    """The names of all connections, in order."""
    return [str(slug) for slug in Connection.objects.order_by("pk").values_list("pk", flat=True)]


def note_problem(slug: str, problem: str) -> None:
    """Show what went wrong last with this connection ("" = all is well again). Bookkeeping, no action: not audited."""
    found = Connection.objects.filter(pk=slug).exclude(last_problem=problem)
    if problem:
        found = Connection.objects.filter(pk=slug)
    found.update(last_problem=problem[:1000], last_problem_at=Now() if problem else None)


def _new_system(slug: str, connector: Connector, label: str, *, on_trial: bool) -> SourceSystem:
    """The source system of that name; one that is there without a connection keeps its label."""
    defaults = {"label": label, "role": connector.role, "vendor": connector.slug, "on_trial": on_trial}
    system, made = SourceSystem.objects.get_or_create(slug=slug, defaults=defaults)
    if not made and (system.vendor != connector.slug or Connection.objects.filter(system=system).exists()):
        raise Rejected("slug_taken", f"There is already a connection named {slug}.", field="slug")
    return system


def _label(label: str, connector: Connector) -> str:
    words = label.strip()
    if len(words) > LABEL_LENGTH_MAX:
        raise Rejected("label_too_long", f"A label has at most {LABEL_LENGTH_MAX} characters.", field="label")
    return words or connector.label
