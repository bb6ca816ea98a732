"""The accounts of the database, the chain of the log, and what stands still after a restore."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint, drop_trigger

HERE = "tests/revops/test_accounts.py"
CHAIN = "tests/revops/audit/test_chain.py"
RESTORE = "tests/sync/test_restore.py"

GUARDS: tuple[Guard, ...] = (
    Guard(
        "account: only what a model declares is granted",
        f"{HERE} -k declares",
        "revops/postgresql/privileges.py",
        '(("INSERT", may.insert), ("DELETE", may.delete)) if granted]',
        '(("INSERT", may.insert), ("DELETE", may.delete)) if granted or True]',
    ),
    Guard(
        "account: no temporary tables",
        f"{HERE} -k 'in_front or front'",
        sql="DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO revops_application', current_database()); END $$",
    ),
    Guard("account: no line is dated back", f"{HERE} -k dated", sql=drop_trigger("audit_actionrecord", "told_as_it_happens")),
    Guard(
        "account: a draft keeps its maker",
        f"{HERE} -k maker",
        sql=drop_trigger("postings_changeplan", "composed_by_one_for_one_case"),
    ),
    Guard("account: money gives its amount", f"{HERE} -k currency", sql=drop_trigger("postings_changeplan", "amount_is_given")),
    Guard(
        "account: a checkpoint is a signer's",
        f"{HERE} -k weak",
        sql=drop_constraint("approvals_checkpoint", "signed_by_a_signer"),
    ),
    Guard("account: no late checkpoint", f"{HERE} -k after", sql=drop_trigger("approvals_checkpoint", "asked_before_release")),
    Guard("account: no late posting", f"{HERE} -k second", sql=drop_trigger("postings_posting", "written_with_its_draft")),
    Guard("account: no delivery ends unread", f"{HERE} -k unread", sql=drop_trigger("sync_delivery", "ends_in_hand")),
    Guard(
        "account: a record says what its entry says",
        f"{HERE} -k content",
        sql=drop_trigger("ledger_sourcerecord", "says_what_its_entry_says_update"),
    ),
    Guard(
        "account: no record is made up",
        f"{HERE} -k made",
        sql=drop_trigger("ledger_sourcerecord", "says_what_its_entry_says_insert"),
    ),
    Guard(
        "account: web and workers refuse to start",
        f"{HERE} -k start",
        "revops/checks.py",
        "    found = roles.excess(connection) or privileges.excess(connection)\n",
        "    found: list[str] = []\n",
    ),
    Guard("chain: a line is hashed anew", f"{CHAIN} -k flipped", "revops/audit/verify.py",
          "            content = content_of(line.record)\n", ""),
    Guard("chain: the heads lie on it", f"{CHAIN} -k rehashed", "revops/audit/verify.py",
          "        elif digest != head.digest:", "        elif False:"),
    Guard("chain: the heads are signed", f"{CHAIN} -k forged", "revops/audit/verify.py",
          "        if keys and not head.verifies(keys):", "        if False:"),
    Guard("chain: no head after a cut", f"{CHAIN} -k 'no_head'", "revops/audit/heads.py",
          "        if gone_astray(last) and not restored:", "        if False:"),
    Guard("restore: the list is settled first", f"{RESTORE} -k i44_a_restored", "sync/connections/proposals.py",
          "    if open_points := unsettled(row):", "    if open_points := list[str]():"),
    Guard("restore: a copy put back by hand is noticed", f"{RESTORE} -k by_hand", "sync/workers/tasks.py",
          "    stop_if_put_back()\n", ""),
    Guard("restore: the database holds posting off", f"{RESTORE} -k itself",
          sql=drop_constraint("sync_connection", "waits_until_settled")),
)  # fmt: skip
