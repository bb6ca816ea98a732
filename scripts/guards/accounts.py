"""Accounts and their links."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint

GUARDS: tuple[Guard, ...] = (
    Guard(
        "links: one account for each customer",
        "tests/revops/accounts",
        sql="ALTER TABLE accounts_accountlink DROP CONSTRAINT one_account_per_customer",
    ),
    Guard(
        "links: a person stands behind a link by hand",
        "tests/revops/accounts",
        sql=drop_constraint("accounts_accountlink", "person_stands_behind_link"),
    ),
)
