"""What two administrators decide together: a role that decides or administers, and forgetting somebody's second factor.

One proposes, another one confirms within seven days; neither is the person it is about. An installation begins with one
administrator, so nobody could confirm the second one. Hence, once in the life of an installation, its only administrator gives
the administrator's role alone, and nothing else: the row says so (`ProposalBasis.SECOND`), the action log says so, and the
database refuses a second time. From then on every such role takes two. Should one administrator be left alone again, whoever runs
the server confirms the next one there (`manage.py people confirm`), which is refused while there are two.
"""

from __future__ import annotations

import datetime as dt

from django.db import IntegrityError, transaction

from revops.access.grants import (
    PRIVILEGED,
    administrators,
    lock_administrators,
    put_grant,
    refuse_grant,
    require_administrator,
)
from revops.audit.log import record as audit
from revops.errors import Conflict, Missing, NotAllowed, Rejected, violated_constraint
from revops.identity.factors import forget_factors, has_second_factor, is_required
from revops.identity.models import StepUp
from revops.identity.passwords import end_sessions
from revops.identity.step_up import require_step_up
from revops.people.actors import System
from revops.people.models import AccessProposal, ProposalBasis, ProposalKind, ProposalState, Role, RoleGrant, User
from revops.sentences import Sentence, Word, template

ROLE_PROPOSED = template("proposal.role", "proposed that {person} becomes {role}")
FORGET_PROPOSED = template("proposal.forget", "proposed to forget the second factors of {person}")
CONFIRMED = template("proposal.confirmed", "confirmed: {what}")
CONFIRMED_ALONE = template("proposal.alone", "made {person} the second administrator, which is done once and by one alone")
REFUSED = template("proposal.refused", "refused: {what}")
WITHDRAWN = template("proposal.withdrawn", "withdrew: {what}")

LIVES = dt.timedelta(days=7)
REASON_LENGTH_MAX = 500


@transaction.atomic
def propose_role(
    user: User, role: str, *, reason: str, step_up: StepUp | None, now: dt.datetime, acting_user: User
) -> AccessProposal:
    """Propose a role of `PRIVILEGED`. Raises as `grant_role` does, `Rejected` (`role_held`, `proposal_not_needed`,
    `reason_missing`), `Conflict("proposal_waiting")`."""
    require_administrator(acting_user)
    require_step_up(acting_user, step_up)
    refuse_grant(user, role, acting_user=acting_user)
    if role not in PRIVILEGED:
        raise Rejected("proposal_not_needed", "This role is given by one administrator.", field="role")
    if RoleGrant.objects.filter(user=user, role=role).exists():
        raise Rejected("role_held", f"{user} holds this role already.", field="role")
    row = _propose(ProposalKind.GRANT, user, role, reason=reason, now=now, acting_user=acting_user)
    done_before = AccessProposal.objects.filter(basis=ProposalBasis.SECOND).exists()
    if role == Role.ADMIN and _is_alone(acting_user) and not done_before:
        _ready(user)
        _confirm(row, None, ProposalBasis.SECOND, now=now)
        put_grant(user, role, acting_user=acting_user)
        said = CONFIRMED_ALONE(person=user.get_username())
        audit("proposal.confirm", user, acting_user=acting_user, summary=said, after={"basis": str(ProposalBasis.SECOND)})
    return row


@transaction.atomic
def propose_to_forget(user: User, *, reason: str, step_up: StepUp | None, now: dt.datetime, acting_user: User) -> AccessProposal:
    """Propose that somebody's lost second factors are forgotten. For whoever holds no role of `PRIVILEGED` one administrator is
    enough, and it is done at once. Raises `NotAllowed`, `Rejected`, `Conflict`."""
    require_administrator(acting_user)
    require_step_up(acting_user, step_up)
    if acting_user == user:
        raise NotAllowed("self_grant", "Nobody does this for themselves; ask another administrator.")
    if not has_second_factor(user):
        raise Rejected("no_second_factor", "This person has no second factor.", field="user")
    row = _propose(ProposalKind.FORGET_FACTORS, user, "", reason=reason, now=now, acting_user=acting_user)
    if not RoleGrant.objects.filter(user=user, role__in=sorted(PRIVILEGED)).exists():
        _end(row, ProposalState.WITHDRAWN, acting_user, now=now)
        _forget(user, acting_user)
    return row


@transaction.atomic
def confirm_proposal(key: int, *, step_up: StepUp | None, now: dt.datetime, acting_user: User) -> AccessProposal:
    """Confirm what another administrator proposed; it is done at once.

    Raises `Missing`, `Conflict("proposal_over")`, `NotAllowed` (`own_proposal`, `self_grant`, step-up), `Rejected` as the grant
    itself, or when the person is not ready for it.
    """
    require_administrator(acting_user)
    require_step_up(acting_user, step_up)
    row = _waiting(key, now=now)
    if acting_user.pk == row.proposed_by_id:
        raise NotAllowed("own_proposal", "You proposed this: another administrator confirms it.")
    require_administrator(row.proposed_by)
    if row.kind == ProposalKind.GRANT:
        refuse_grant(row.user, row.role, acting_user=acting_user)
        _ready(row.user)
    elif acting_user.pk == row.user_id:
        raise NotAllowed("self_grant", "Nobody does this for themselves; ask another administrator.")
    _confirm(row, acting_user, ProposalBasis.ADMINISTRATOR, now=now)
    audit("proposal.confirm", row.user, acting_user=acting_user, summary=CONFIRMED(what=what_is_proposed(row)))
    if row.kind == ProposalKind.GRANT:
        put_grant(row.user, row.role, acting_user=acting_user)
    else:
        _forget(row.user, acting_user)
    return row


@transaction.atomic
def confirm_on_the_server(key: int, *, now: dt.datetime, acting_user: System) -> AccessProposal:
    """Confirm a proposed administrator from the command line, while the one who proposed it is the only one.

    Raises `Missing`, `Conflict`, `NotAllowed("another_administrator")`, `Rejected`.
    """
    row = _waiting(key, now=now)
    if row.kind != ProposalKind.GRANT or row.role != Role.ADMIN or not _is_alone(row.proposed_by):
        raise NotAllowed(
            "another_administrator",
            "Only a new administrator is confirmed here, and only while there is one alone. Confirm it in the browser.",
        )
    refuse_grant(row.user, row.role, acting_user=row.proposed_by)
    _ready(row.user)
    _confirm(row, None, ProposalBasis.SERVER, now=now)
    audit("proposal.confirm", row.user, acting_user=acting_user, summary=CONFIRMED(what=what_is_proposed(row)))
    put_grant(row.user, row.role, acting_user=acting_user)
    return row


@transaction.atomic
def refuse_proposal(key: int, *, now: dt.datetime, acting_user: User) -> AccessProposal:
    """Refuse what another administrator proposed, or withdraw one's own. Raises `Missing`, `Conflict`, `NotAllowed`."""
    require_administrator(acting_user)
    row = _waiting(key, now=now)
    own = acting_user.pk == row.proposed_by_id
    if not own and acting_user.pk == row.user_id:
        raise NotAllowed("self_grant", "Nobody decides about themselves.")
    _end(row, ProposalState.WITHDRAWN if own else ProposalState.REFUSED, acting_user, now=now)
    said = (WITHDRAWN if own else REFUSED)(what=what_is_proposed(row))
    audit("proposal.withdraw" if own else "proposal.refuse", row.user, acting_user=acting_user, summary=said)
    return row


def what_is_proposed(row: AccessProposal) -> Sentence:
    """The proposal in words."""
    if row.kind == ProposalKind.GRANT:
        return ROLE_PROPOSED(person=row.user.get_username(), role=Word(row.role))
    return FORGET_PROPOSED(person=row.user.get_username())


def _propose(kind: ProposalKind, user: User, role: str, *, reason: str, now: dt.datetime, acting_user: User) -> AccessProposal:
    words = reason.strip()
    if not words or len(words) > REASON_LENGTH_MAX:
        raise Rejected("reason_missing", "Say why, in at most 500 characters. Another administrator reads it.", field="reason")
    waiting = AccessProposal.objects.filter(kind=kind, user=user, role=role, state=ProposalState.WAITING)
    for old in waiting.filter(expires_at__lte=now):
        _end(old, ProposalState.EXPIRED, None, now=now)
    try:
        with transaction.atomic():
            row = AccessProposal.objects.create(
                kind=kind, user=user, role=role, reason=words, proposed_by=acting_user, expires_at=now + LIVES
            )
    except IntegrityError as refused:
        if violated_constraint(refused) != "one_waiting_proposal":
            raise
        raise Conflict("proposal_waiting", "This is proposed already and waits for another administrator.") from None
    after = {"kind": str(kind), "role": role}
    audit("proposal.make", user, acting_user=acting_user, summary=what_is_proposed(row), reason=words, after=after)
    return row


def _waiting(key: int, *, now: dt.datetime) -> AccessProposal:
    rows = AccessProposal.objects.select_for_update(of=("self",)).select_related("user", "proposed_by")
    row = rows.filter(pk=key).first()
    if row is None:
        raise Missing("proposal")
    if row.state != ProposalState.WAITING or row.expires_at <= now:
        raise Conflict("proposal_over", "This proposal does not wait any more. Reload to see it as it is now.")
    return row


def _ready(user: User) -> None:
    """Raises `Rejected` when the person cannot be entrusted with it yet: no password, or no second factor where one is needed."""
    if not user.has_usable_password():
        raise Rejected("not_accepted", f"{user} has not accepted the invitation yet.", field="user")
    if is_required() and not has_second_factor(user):
        raise Rejected(
            "second_factor_missing",
            f"{user} has no second factor yet. Let them set one up under their account first.",
            field="user",
        )


def _is_alone(user: User) -> bool:
    """Whether this person is the only administrator. The grants are locked, so that two at once see each other."""
    lock_administrators()
    return set(administrators().values_list("user_id", flat=True)) == {user.pk}


def _confirm(row: AccessProposal, by: User | None, basis: ProposalBasis, *, now: dt.datetime) -> None:
    row.basis = basis
    _end(row, ProposalState.CONFIRMED, by, now=now)


def _end(row: AccessProposal, state: ProposalState, by: User | None, *, now: dt.datetime) -> None:
    row.state, row.decided_by, row.decided_at = state, by, now
    row.save()


def _forget(user: User, acting_user: User) -> None:
    forget_factors(user, acting_user=acting_user)
    end_sessions(user)
