"""Writing and reading the action log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from django.db import connection, models

from revops.audit.models import ActionRecord
from revops.audit.trace import request_id, trace_id
from revops.people.actors import System, actor_label, actor_user
from revops.sentences import Sentence

if TYPE_CHECKING:
    from revops.people.models import User


def record(
    verb: str,
    subject: models.Model | str,
    *,
    acting_user: User | System,
    summary: Sentence,
    reason: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object] | None = None,
    account_id: int | None = None,
    case_id: int | None = None,
) -> ActionRecord:
    """Write one action. Must run inside the action's transaction, so that both stand or fall together.

    It carries the trace of the thing acted on (a case, a plan, a delivery keep the trace that brought them about), so that one
    trace runs through what people did as well; a thing without one takes the trace of the work at hand. `request_id` names the
    request either way.

    Raises `RuntimeError` outside a transaction: an action that could outlive its record is a defect of the caller.
    """
    if not connection.in_atomic_block:
        raise RuntimeError(f"{verb}: an action is recorded inside the transaction that performs it")
    return ActionRecord.objects.create(
        actor=actor_user(acting_user),
        actor_label=actor_label(acting_user),
        verb=verb,
        subject=subject_key(subject),
        account_id=account_id,
        case_id=case_id,
        summary=summary,
        reason=reason,
        before=dict(before or {}),
        after=dict(after or {}),
        request_id=request_id(),
        trace_id=getattr(subject, "trace_id", "") or trace_id(),
    )


def subject_key(subject: models.Model | str) -> str:
    """`<model name>:<primary key>`, the form in which the log names a thing. What is no row names itself so."""
    if isinstance(subject, str):
        return subject
    return f"{subject._meta.model_name}:{subject.pk}"
