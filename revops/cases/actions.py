"""What people do to a case: assign, comment, snooze, wake, watch; and the views of the queue that they save.

The only write path of these columns besides `cases.lifecycle` (which opens, refreshes and closes by evidence). Each
action locks the row, compares `row_version` with the one the person saw, changes, and writes the action log, in one
transaction. Actions on many cases do so for all of them or for none, with one line of the log for each. Who may act on which
case is decided by the caller through `access`; who may never act at all (an inactive owner) is decided here.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import parse_qsl, urlencode

from django.db import IntegrityError, transaction

from revops.audit.log import record as audit
from revops.cases.models import CaseNote, CaseStatus, CaseWatch, ExceptionCase, SavedView
from revops.errors import Conflict, Missing, Rejected
from revops.people.actors import System
from revops.people.models import User
from revops.sentences import template

ASSIGNED = template("case.assigned", "assigned {case} to {owner}")
UNASSIGNED = template("case.unassigned", "took {case} off its owner")
COMMENTED = template("case.commented", "wrote a note on {case}")
SNOOZED = template("case.snoozed", "snoozed {case} until {until}")
WOKEN = template("case.woken", "woke {case}")
WATCHED = template("case.watched", "watches {case}")
UNWATCHED = template("case.unwatched", "no longer watches {case}")
VIEW_SAVED = template("view.saved", "saved the view {view}")
VIEW_CHANGED = template("view.changed", "changed the view {view}")
VIEW_DELETED = template("view.deleted", "deleted the view {view}")

NOTE_LENGTH_MAX = 10_000
VIEW_NAME_LENGTH_MAX = 60
SNOOZE_DAYS_MAX = 90
SAVED_VIEWS_MAX = 50
BULK_MAX = 500
"""At most so many cases in one action: each is a row lock, an update and a line of the log in one transaction."""
NAMED_MAX = 5
SAME_NOTE_SECONDS = 60
"""The same words by the same person within this time are one note: a double click must not write twice."""

_MENTION = re.compile(r"(?<![\w.@])@([A-Za-z0-9][A-Za-z0-9._+-]*(?:@[A-Za-z0-9.-]+[A-Za-z0-9])?)")


def _locked(case: ExceptionCase, row_version: int | None) -> ExceptionCase:
    """The row under lock. Raises `Conflict` when it is not the version the person saw, `Missing` when it is gone."""
    try:
        row = ExceptionCase.objects.select_for_update().get(pk=case.pk)
    except ExceptionCase.DoesNotExist:
        raise Missing("exception") from None
    if row_version is not None and row.row_version != row_version:
        raise Conflict("case_changed", f"{row.code} was changed in the meantime. Look at it as it is now, then decide again.")
    return row


def _save(row: ExceptionCase, *fields: str) -> None:
    row.row_version += 1
    row.save(update_fields=[*fields, "row_version"])


@transaction.atomic
def assign_case(
    case: ExceptionCase, *, owner: User | None, row_version: int | None, acting_user: User | System, remark: str = ""
) -> ExceptionCase:
    """Give the case to `owner`, or to nobody. Assigning to the present owner changes nothing.

    Raises `Conflict` (stale version), `Rejected("case_closed")`, `Rejected("owner_inactive")`.
    """
    return _assign(_locked(case, row_version), owner, acting_user, remark)


def _assign(row: ExceptionCase, owner: User | None, acting_user: User | System, remark: str) -> ExceptionCase:
    if row.status == CaseStatus.CLOSED:
        raise Rejected("case_closed", f"{row.code} is closed; it reopens by itself if the contradiction comes back.")
    if owner is not None and not owner.is_active:
        raise Rejected("owner_inactive", f"{owner.shown_name} no longer works here. Choose somebody else.", field="owner")
    if row.owner_id == (owner.pk if owner else None):
        return row
    before = row.owner.get_username() if row.owner else None
    row.owner = owner
    _save(row, "owner")
    audit(
        "case.assign",
        row,
        acting_user=acting_user,
        case_id=row.pk,
        account_id=row.account_id,
        reason=remark,
        summary=ASSIGNED(case=row.ref, owner=owner.shown_name) if owner else UNASSIGNED(case=row.ref),
        before={"owner": before},
        after={"owner": owner.get_username() if owner else None},
    )
    return row


@transaction.atomic
def assign_cases(
    picked: Mapping[int, int], *, owner: User | None, acting_user: User | System, remark: str = ""
) -> list[ExceptionCase]:
    """Give many cases to `owner`, or to nobody: all of them or none. `picked` maps row ids to the versions that were seen.

    Raises `Conflict("cases_changed")` naming those that changed, `Missing` when one is gone, `Rejected("bulk_limit")`,
    `Rejected("bulk_empty")` and what `assign_case` raises.
    """
    return _each(picked, lambda row: _assign(row, owner, acting_user, remark))


def _each(picked: Mapping[int, int], change: Callable[[ExceptionCase], ExceptionCase]) -> list[ExceptionCase]:
    """Lock all rows in the order of their ids, so that two of these never wait for each other; then change each."""
    if not picked:
        raise Rejected("bulk_empty", "Select at least one row first.")
    if len(picked) > BULK_MAX:
        raise Rejected("bulk_limit", f"At most {BULK_MAX} cases at once. Narrow the filter, then do the rest.")
    rows = list(
        ExceptionCase.objects.select_for_update(of=("self",)).select_related("owner").filter(pk__in=picked).order_by("pk")
    )
    if len(rows) != len(picked):
        raise Missing("exception")
    stale = [row.code for row in rows if row.row_version != picked[row.pk]]
    if stale:
        more = f" and {len(stale) - NAMED_MAX} more" if len(stale) > NAMED_MAX else ""
        raise Conflict(
            "cases_changed",
            f"{', '.join(stale[:NAMED_MAX])}{more} changed in the meantime. Nothing was done to any of the {len(picked)}: "
            "look at them as they are now, then decide again.",
        )
    return [change(row) for row in rows]


@transaction.atomic
def comment_on_case(
    case: ExceptionCase, *, text: str, acting_user: User, now: dt.datetime, mentions: Iterable[User] = ()
) -> CaseNote:
    """Add a note. `@name` (a sign-in address, or its part before the @) mentions a person, who then watches the case.

    Notes need no version: they change nothing that somebody else could have changed. Raises `Rejected` for an empty or
    overlong text. The same text by the same person within a minute is the note that is already there.
    """
    words = text.strip().replace("\x00", "")
    if not words:
        raise Rejected("note_empty", "Write the note first.", field="text")
    if len(words) > NOTE_LENGTH_MAX:
        raise Rejected("note_too_long", f"A note has at most {NOTE_LENGTH_MAX:,} characters.", field="text")
    row = _locked(case, None)
    again = CaseNote.objects.filter(
        case=row, author=acting_user, text=words, at__gte=now - dt.timedelta(seconds=SAME_NOTE_SECONDS)
    ).first()
    if again is not None:
        return again
    note = CaseNote.objects.create(case=row, author=acting_user, text=words)
    called = {user.pk: user for user in [*mentions, *_mentioned(words)] if user.is_active}
    note.mentions.set(called.values())
    for user in [acting_user, *called.values()]:
        CaseWatch.objects.get_or_create(case=row, user=user)
    audit(
        "case.comment",
        row,
        acting_user=acting_user,
        case_id=row.pk,
        account_id=row.account_id,
        summary=COMMENTED(case=row.ref),
        after={"note": note.pk, "mentions": sorted(user.get_username() for user in called.values())},
    )
    return note


def _mentioned(text: str) -> list[User]:
    """The people whom the text calls by `@name`; a name that fits several people calls nobody."""
    names = {match.rstrip(".").casefold() for match in _MENTION.findall(text)}
    if not names:
        return []
    found: dict[str, list[User]] = {}
    for user in User.objects.filter(is_active=True):
        address = user.get_username().casefold()
        for name in names & {address, address.partition("@")[0]}:
            found.setdefault(name, []).append(user)
    return [users[0] for users in found.values() if len(users) == 1]


@transaction.atomic
def snooze_case(
    case: ExceptionCase,
    *,
    until: dt.datetime,
    reason: str,
    row_version: int | None,
    acting_user: User,
    now: dt.datetime,
) -> ExceptionCase:
    """Put the case aside until then (aware). It wakes by itself, and at once when its facts change.

    Raises `Conflict`, `Rejected("snooze_reason")`, `Rejected("snooze_time")` (in the past or over 90 days),
    `Rejected("case_state")`.
    """
    _check_snooze(until, reason, now)
    return _snooze(_locked(case, row_version), until, reason, acting_user)


def _check_snooze(until: dt.datetime, reason: str, now: dt.datetime) -> None:
    if not reason.strip():
        raise Rejected("snooze_reason", "Say what you are waiting for.", field="reason")
    if until <= now or until > now + dt.timedelta(days=SNOOZE_DAYS_MAX):
        raise Rejected("snooze_time", f"Choose a time within the next {SNOOZE_DAYS_MAX} days.", field="until")


def _snooze(row: ExceptionCase, until: dt.datetime, reason: str, acting_user: User) -> ExceptionCase:
    if row.status not in (CaseStatus.OPEN, CaseStatus.SNOOZED):
        raise Rejected("case_state", f"{row.code} is {row.get_status_display().lower()}: there is nothing to put aside.")
    before = {"status": row.status, "snoozed_until": row.snoozed_until.isoformat() if row.snoozed_until else None}
    row.status, row.snoozed_until = CaseStatus.SNOOZED, until
    _save(row, "status", "snoozed_until")
    audit(
        "case.snooze",
        row,
        acting_user=acting_user,
        case_id=row.pk,
        account_id=row.account_id,
        reason=reason.strip(),
        summary=SNOOZED(case=row.ref, until=until),
        before=before,
        after={"status": row.status, "snoozed_until": until.isoformat()},
    )
    return row


@transaction.atomic
def snooze_cases(
    picked: Mapping[int, int], *, until: dt.datetime, reason: str, acting_user: User, now: dt.datetime
) -> list[ExceptionCase]:
    """Put many cases aside until then (aware): all of them or none. `picked` maps row ids to the versions that were seen.

    Raises what `snooze_case` and `assign_cases` raise.
    """
    _check_snooze(until, reason, now)
    return _each(picked, lambda row: _snooze(row, until, reason, acting_user))


@transaction.atomic
def wake_case(case: ExceptionCase, *, row_version: int | None, acting_user: User | System) -> ExceptionCase:
    """Bring a snoozed case back. Raises `Conflict`, `Rejected("case_state")` when it does not sleep."""
    row = _locked(case, row_version)
    if row.status != CaseStatus.SNOOZED:
        raise Rejected("case_state", f"{row.code} is not snoozed.")
    before = row.snoozed_until
    row.status, row.snoozed_until = CaseStatus.OPEN, None
    _save(row, "status", "snoozed_until")
    audit(
        "case.wake",
        row,
        acting_user=acting_user,
        case_id=row.pk,
        account_id=row.account_id,
        summary=WOKEN(case=row.ref),
        before={"snoozed_until": before.isoformat() if before else None},
        after={"status": row.status},
    )
    return row


@transaction.atomic
def watch_case(case: ExceptionCase, *, acting_user: User) -> CaseWatch:
    """Hear about this case. Watching twice is watching once."""
    watch, made = CaseWatch.objects.get_or_create(case=case, user=acting_user)
    if made:
        audit(
            "case.watch",
            case,
            acting_user=acting_user,
            case_id=case.pk,
            account_id=case.account_id,
            summary=WATCHED(case=case.ref),
        )
    return watch


@transaction.atomic
def unwatch_case(case: ExceptionCase, *, acting_user: User) -> None:
    """Stop hearing about this case."""
    gone, _ = CaseWatch.objects.filter(case=case, user=acting_user).delete()
    if gone:
        audit(
            "case.unwatch",
            case,
            acting_user=acting_user,
            case_id=case.pk,
            account_id=case.account_id,
            summary=UNWATCHED(case=case.ref),
        )


@transaction.atomic
def save_view(*, name: str, query: str, shared: bool, acting_user: User) -> SavedView:
    """Keep a filter of the queue under a name; the same name again replaces it. `query` is a query string.

    Raises `Rejected` for an empty or overlong name, a query over 1,000 characters, or more than 50 views.
    """
    label = " ".join(name.split())
    if not label or len(label) > VIEW_NAME_LENGTH_MAX:
        raise Rejected("view_name", f"Give the view a name of at most {VIEW_NAME_LENGTH_MAX} characters.", field="name")
    kept = urlencode([pair for pair in parse_qsl(query) if pair[0] not in ("after", "before", "open", "view")])
    if len(kept) > 1000:
        raise Rejected("view_query", "This filter is too long to keep. Remove some of its parts.", field="name")
    if SavedView.objects.filter(owner=acting_user).exclude(name=label).count() >= SAVED_VIEWS_MAX:
        raise Rejected("view_limit", f"You have {SAVED_VIEWS_MAX} views. Delete one you no longer use first.", field="name")
    try:
        with transaction.atomic():
            view, made = SavedView.objects.update_or_create(
                owner=acting_user, name=label, defaults={"query": kept, "shared": shared}
            )
    except IntegrityError:
        raise Conflict("view_changed", "This view was saved from another window this moment. Try again.") from None
    audit(
        "view.save",
        view,
        acting_user=acting_user,
        summary=(VIEW_SAVED if made else VIEW_CHANGED)(view=label),
        after={"query": kept, "shared": shared},
    )
    return view


@transaction.atomic
def delete_view(view: SavedView, *, acting_user: User) -> None:
    """Remove a view of one's own. Raises `Missing` for anybody else's."""
    row = SavedView.objects.select_for_update().filter(pk=view.pk, owner=acting_user).first()
    if row is None:
        raise Missing("view")
    audit("view.delete", row, acting_user=acting_user, summary=VIEW_DELETED(view=row.name), before={"query": row.query})
    row.delete()
