"""Audit and history: somebody acted, and the rows stay."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint, drop_trigger

GUARDS: tuple[Guard, ...] = (
    Guard("audit: append-only", "tests/revops/audit -k i50", sql=drop_trigger("audit_actionrecord", "append_only")),
    Guard(
        "audit: never emptied", "tests/revops/test_history.py -k emptied", sql=drop_trigger("audit_actionrecord", "no_truncate")
    ),
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
        "revops/management/commands/migrate.py",
        '                let_no_session_skip_triggers(options["database"])\n',
        "",
    ),
    *(
        Guard(
            f"history: demanded of {table}",
            "tests/revops/test_history.py -k i49_a_change_by_sql",
            sql=drop_trigger(table, "leaves_history"),
        )
        for table in ("accounts_account", "accounts_accountlink", "people_rolegrant", "postings_changeplan", "sync_connection")
    ),
    *(
        Guard(
            f"history: append-only of {table}",
            "tests/revops/test_history.py -k i50_history",
            sql=drop_trigger(table, "append_only"),
        )
        for table in (
            "accounts_historicalaccount",
            "accounts_historicalaccountlink",
            "people_historicalrolegrant",
            "postings_historicalchangeplan",
            "sync_historicalconnection",
        )
    ),
    *(
        Guard(
            f"never emptied: {table}",
            "tests/revops/test_history.py -k 'emptied or i50_history'",
            sql=drop_trigger(table, "no_truncate"),
        )
        for table in (
            "accounts_account",
            "accounts_accountlink",
            "approvals_checkpoint",
            "approvals_decision",
            "cases_exceptioncase",
            "cases_historicalexceptioncase",
            "people_rolegrant",
            "postings_changeplan",
            "postings_historicalchangeplan",
            "postings_posting",
            "sync_connection",
            "sync_delivery",
        )
    ),
)
