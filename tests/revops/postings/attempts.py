"""Attempts of released postings without a vendor: claimed and answered by hand, and the lines of the action log about them."""

from __future__ import annotations

import datetime as dt
from typing import Any

from revops.audit.models import ActionRecord
from revops.postings import transitions
from revops.postings.models import ChangePlan, Posting
from revops.postings.queue import POSTINGS, PostingClaim, database_now
from revops.sentences import Sentence


def taken() -> PostingClaim:
    """The posting that is next, also before its time."""
    (claimed,) = POSTINGS.claim(limit=1, early=True)
    return claimed


def sent() -> PostingClaim:
    """The same, with its first byte on the way."""
    claimed = taken()
    assert transitions.begin_send(claimed)
    return claimed


def again(posting: Posting) -> Posting:
    return Posting.objects.get(pk=posting.pk)


def values(posting: Posting) -> dict[str, Any]:
    return dict(Posting.objects.values().get(pk=posting.pk))


def moved_back(posting: Posting, seconds: float, *times: str) -> None:
    """As if these times of the row had been that much earlier."""
    row = values(posting)
    Posting.objects.filter(pk=posting.pk).update(**{name: row[name] - dt.timedelta(seconds=seconds) for name in times})


def told(verb: str) -> list[dict[str, Any]]:
    """The lines of the action log with that verb."""
    names = ("actor_label", "subject", "account_id", "case_id", "summary", "reason", "before", "after", "trace_id")
    return list(ActionRecord.objects.filter(verb=verb).order_by("id").values(*names))


def line(posting: Posting, code: str, params: dict[str, Any], **after: object) -> dict[str, Any]:
    """The line that an answer to this posting leaves."""
    plan = posting.plan
    return {
        "actor_label": "system:posting", "subject": f"posting:{posting.pk}", "trace_id": posting.trace_id,
        "account_id": plan.account_id, "case_id": plan.case_id, "summary": Sentence(code, {"plan": plan.ref, **params}),
        "reason": "", "before": {}, "after": {"state": again(posting).state, "key": posting.key, **after},
    }  # fmt: skip


def plan_line(plan: ChangePlan, summary: Sentence, before: str, *, by: str = "posting", **after: object) -> dict[str, Any]:
    """The line that a move of the plan leaves."""
    return {
        "actor_label": f"system:{by}", "subject": f"changeplan:{plan.pk}", "trace_id": plan.trace_id,
        "account_id": plan.account_id, "case_id": plan.case_id, "summary": summary,
        "reason": after.pop("reason", ""), "before": {"state": before}, "after": after,
    }  # fmt: skip


def in_seconds(row: Posting, before: dt.datetime, seconds: float) -> bool:
    """Whether it is tried again that long after a moment between `before` and now."""
    wait = dt.timedelta(seconds=seconds)
    return before + wait <= row.next_attempt_at <= database_now() + wait
