"""Audit and history: somebody acted, and the rows stay."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint, drop_trigger

GUARDS: tuple[Guard, ...] = (
    Guard("audit: append-only", "tests/revops/audit -k i50", sql=drop_trigger("audit_actionrecord", "append_only")),
    Guard("audit: never emptied", "tests/revops/audit -k i50", sql=drop_trigger("audit_actionrecord", "no_truncate")),
    Guard("audit: somebody acted", "tests/revops/audit -k nobody", sql=drop_constraint("audit_actionrecord", "somebody_acted")),
    Guard(
        "audit: history demanded",
        "tests/revops/test_history.py -k i49",
        sql=drop_trigger("cases_exceptioncase", "leaves_history"),
    ),
    Guard(
        "audit: history append-only",
        "tests/revops/test_history.py -k i50",
        sql=drop_trigger("cases_historicalexceptioncase", "append_only"),
    ),
    Guard(
        "audit: no session skips a trigger",
        "tests/revops/test_history.py -k switches_no_guard",
        "revops/apps.py",
        "        post_migrate.connect(",
        "        (lambda *_, **__: None)(",
    ),
)
