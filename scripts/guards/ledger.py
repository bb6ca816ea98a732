"""The ledger: each version once, late evidence changes nothing, rows stay."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_trigger

GUARDS: tuple[Guard, ...] = (
    Guard(
        "ledger: a known version is applied once",
        "tests/revops/ledger/test_record.py -k i10",
        "revops/ledger/record.py",
        "    if (key, fact.version, digest) in work.known:",
        "    if False:",
    ),
    Guard(
        "ledger: late evidence changes nothing",
        "tests/revops/ledger/test_record.py -k i12",
        "revops/ledger/record.py",
        "    elif fact.version < row.version:",
        "    elif False:",
    ),
    Guard(
        "ledger: one winner of a conflict",
        "tests/revops/ledger/test_record.py -k i11",
        "revops/ledger/record.py",
        "if (fact.version, digest) > (row.version, row.digest):",
        "if fact.version >= row.version:",
    ),
    Guard(
        "ledger: append-only", "tests/revops/ledger/test_record.py -k i18", sql=drop_trigger("ledger_ledgerentry", "append_only")
    ),
    Guard(
        "ledger: never emptied",
        "tests/revops/test_history.py -k emptied",
        sql=drop_trigger("ledger_ledgerentry", "no_truncate"),
    ),
    *(
        Guard(
            f"ledger: never removed: {table}",
            f"tests/revops/test_history.py -k 'never_removed and {model}'",
            sql=drop_trigger(table, "never_removed"),
        )
        for table, model in (
            ("accounts_account", "Account"),
            ("ledger_sourcerecord", "SourceRecord"),
            ("ledger_sourcesystem", "SourceSystem"),
            ("sync_connection", "Connection"),
        )
    ),
    *(
        Guard(
            f"ledger: never emptied: {table}", "tests/revops/test_history.py -k emptied", sql=drop_trigger(table, "no_truncate")
        )
        for table in ("ledger_sourcerecord", "ledger_sourcesystem")
    ),
)
