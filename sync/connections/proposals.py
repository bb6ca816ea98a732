"""Posting is switched on by two: one proposes it for a connection as it is, another one confirms it within seven days.

An administrator proposes; another administrator or a controller confirms. What steers postings changes meanwhile: the proposal is
over. The database refuses posting that comes on without a second person (`sync.models.Connection`).
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from django.db import transaction

from revops.access.rules import may, require
from revops.audit import log as audit
from revops.errors import Conflict, Missing, NotAllowed, Rejected
from revops.identity.step_up import require_step_up
from revops.sentences import template
from sync.connections.handles import connector_of
from sync.connections.restored import unsettled
from sync.connections.rows import database_now, locked, reason_given, require_proof, save
from sync.models import Connection, PostingProposal, PostingState

if TYPE_CHECKING:
    from revops.identity.models import StepUp
    from revops.people.models import User

PROPOSED = template("connection.posting_proposed", "Proposed that changes are posted to {system} at {address}")
CONFIRMED = template(
    "connection.posting_confirmed", "Confirmed that changes are posted to {system} at {address}, as {person} proposed"
)
REFUSED = template("connection.posting_refused", "Refused that changes are posted to {system}, as {person} proposed")
WITHDRAWN = template("connection.posting_withdrawn", "Withdrew the proposal that changes are posted to {system}")

LIVES = dt.timedelta(days=7)


@transaction.atomic
def propose_posting(
    slug: str, *, reason: str, row_version: int | None = None, step_up: StepUp | None, acting_user: User
) -> PostingProposal:
    """Propose that changes are posted to this connection as it is now.

    Raises as `rows.require_proof` and `rows.locked` do, `Rejected` (`reason_missing`, `not_written_to`, `setting_missing`),
    `Conflict` (`posting_on`, `proposal_waiting`, `restore_not_settled`).
    """
    require_proof(acting_user, step_up)
    row = locked(slug, row_version)
    _may_be_posted_to(row)
    words, now = reason_given(reason), database_now()
    waiting = PostingProposal.objects.filter(connection=row, state=PostingState.WAITING).first()
    if waiting is not None and waiting.expires_at > now:
        raise Conflict("proposal_waiting", "This is proposed already and waits for another person.")
    if waiting is not None:
        _end(waiting, PostingState.EXPIRED, None, now)
    made = PostingProposal.objects.create(
        connection=row, base_url=row.base_url, reason=words, proposed_by=acting_user, expires_at=now + LIVES
    )
    said = PROPOSED(system=str(row.pk), address=row.base_url)
    audit.record("connection.propose_posting", row, acting_user=acting_user, summary=said, reason=words)
    return made


@transaction.atomic
def confirm_posting(key: int, *, step_up: StepUp | None, acting_user: User) -> Connection:
    """Confirm what another person proposed: posting is on from the commit.

    Raises `Missing` for whoever may not, `NotAllowed` (`own_proposal`, step-up), `Conflict` (`proposal_over`, and as
    `propose_posting`).
    """
    require(acting_user, "confirm_posting")
    require_step_up(acting_user, step_up)
    proposal, row = _waiting(key)
    if acting_user.pk == proposal.proposed_by_id:
        raise NotAllowed("own_proposal", "You proposed this: another person confirms it.")
    if not may(proposal.proposed_by, "manage_connections"):
        raise Conflict("proposer_gone", f"{proposal.proposed_by} does not look after connections any more. Refuse it.")
    _may_be_posted_to(row)
    _end(proposal, PostingState.CONFIRMED, acting_user, database_now())
    before: dict[str, object] = {"posting_enabled": False}
    after: dict[str, object] = {"posting_enabled": True}
    if row.restored_at is not None:
        before["restored_at"], after["restored_at"] = row.restored_at.isoformat(), None
    row.posting_enabled, row.restored_at = True, None
    save(row)
    said = CONFIRMED(system=str(row.pk), address=row.base_url, person=proposal.proposed_by.get_username())
    audit.record(
        "connection.confirm_posting",
        row,
        acting_user=acting_user,
        summary=said,
        reason=proposal.reason,
        before=before,
        after=after,
    )
    return row


@transaction.atomic
def refuse_posting(key: int, *, acting_user: User) -> PostingProposal:
    """Refuse what another person proposed, or withdraw one's own. Raises `Missing`, `Conflict("proposal_over")`."""
    require(acting_user, "confirm_posting")
    proposal, row = _waiting(key)
    own = acting_user.pk == proposal.proposed_by_id
    _end(proposal, PostingState.WITHDRAWN if own else PostingState.REFUSED, acting_user, database_now())
    system = str(row.pk)
    said = WITHDRAWN(system=system) if own else REFUSED(system=system, person=proposal.proposed_by.get_username())
    verb = "connection.withdraw_posting" if own else "connection.refuse_posting"
    audit.record(verb, row, acting_user=acting_user, summary=said)
    return proposal


def overtake(row: Connection) -> None:
    """What waits for this connection is over, inside an action that changes what was proposed."""
    for proposal in PostingProposal.objects.select_for_update().filter(connection=row, state=PostingState.WAITING):
        _end(proposal, PostingState.OVERTAKEN, None, database_now())


def _may_be_posted_to(row: Connection) -> None:
    connector = connector_of(row)
    if not connector.operations:
        raise Rejected("not_written_to", f"Nothing is posted to {connector.label} in this version.")
    missing = [setting.label for setting in connector.settings if setting.posts and not row.settings.get(setting.name)]
    if missing:
        raise Rejected("setting_missing", f"Before anything is posted, {connector.label} needs {', '.join(missing)}.")
    if row.posting_enabled:
        raise Conflict("posting_on", f"Posting to {row.system.label} is on already.")
    if open_points := unsettled(row):
        raise Conflict("restore_not_settled", f"The database was put back. Open before posting: {' '.join(open_points)}")


def _waiting(key: int) -> tuple[PostingProposal, Connection]:
    """The proposal and its connection, both locked, in the order in which every action locks them."""
    slug = PostingProposal.objects.filter(pk=key).values_list("connection_id", flat=True).first()
    if slug is None:
        raise Missing("proposal")
    row = locked(str(slug))
    rows = PostingProposal.objects.select_for_update(of=("self",)).select_related("proposed_by")
    proposal = rows.get(pk=key)
    if proposal.state != PostingState.WAITING or proposal.expires_at <= database_now():
        raise Conflict("proposal_over", "This proposal does not wait any more. Reload to see it as it is now.")
    return proposal, row


def _end(proposal: PostingProposal, state: PostingState, by: User | None, now: dt.datetime) -> None:
    proposal.state, proposal.decided_by, proposal.decided_at = state, by, now
    proposal.save(update_fields=["state", "decided_by", "decided_at"])
