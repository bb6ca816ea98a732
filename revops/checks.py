"""Start-up checks: a database that may forget a commit is refused, because every promise of this product rests on it; so is an
account that could take the guards off, and a rehearsal where a company is run, or the other way round."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from revops.postgresql import privileges, roles
from revops.sealed_rows import warnings

MUST_BE_ON = ("fsync", "synchronous_commit", "full_page_writes")


@register(Tags.database)
def durable_commits(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse fsync, synchronous_commit or full_page_writes switched off (run by `migrate` and `check --database default`)."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(MUST_BE_ON)])
            found += [
                Error(
                    f"The database '{alias}' has {name}={setting}: it may lose what it has confirmed.",
                    hint=f"Set {name}=on in postgresql.conf (or for this role) and restart PostgreSQL.",
                    id="revops.E001",
                )
                for name, setting in cursor.fetchall()
                if setting in {"off", "local"}
            ]
    return found


@register(Tags.database)
def one_kind_of_installation(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse a rehearsal's database without REVOPS_DEMO, and a company's with it."""
    from revops.installation.kind import contradiction
    from revops.installation.models import Installation

    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    if Installation._meta.db_table not in connections[DEFAULT_DB_ALIAS].introspection.table_names():
        return []  # before the first migration
    why = contradiction()
    return [Error(why, id="revops.E003")] if why else []


@register(Tags.database)
def modest_account(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Refuse an account that could take the guards off (not asked of the owner's own commands)."""
    found: list[CheckMessage] = []
    for alias in databases or ():
        told = "" if roles.is_owner(connections[alias]) and _owner_is_another(alias) else account_problem(alias)
        found += [Error(told, hint=roles.HOW, id="revops.E002")] if told else []
    return found


@register(Tags.database)
def newest_key(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Warn of secrets that no key opens, and while one is sealed with an older key, which must stay configured until then."""
    try:
        told = warnings() if databases else []
    except DatabaseError:  # before the first migration there is no table
        return []
    return [Warning(sentence, id="revops.W001") for sentence in told]


def _owner_is_another(alias: str) -> bool:
    """Whether the connection at hand is not the application's own: an owner's command has changed it."""
    return bool(connections[alias].settings_dict["USER"] != connections.settings[alias]["USER"])


def account_problem(alias: str = DEFAULT_DB_ALIAS) -> str:
    """What is wrong with the account of the connection, in a sentence; empty when nothing is."""
    connection = connections[alias]
    found = roles.excess(connection) or privileges.excess(connection)
    if not found:
        return ""
    more = f", and {len(found) - 3} more" if len(found) > 3 else ""
    name = connection.settings_dict["USER"]
    return f"The account {name} of DATABASE_URL could take the guards off: it {', '.join(found[:3])}{more}."


def refuse_to_start() -> None:
    """Called once by the web server and by every worker as it starts. Ends the process with a sentence where its account could
    take the guards off, and where a rehearsal's database is run as a company's or the other way round; a database that does not
    answer now is waited for, and `/readyz` asks again."""
    from revops.installation.kind import contradiction

    try:
        problem, other_kind = account_problem(), contradiction()
    except DatabaseError:
        return
    finally:
        connections[DEFAULT_DB_ALIAS].close()
    if problem or other_kind:
        sys.exit(f"{problem} {roles.HOW}" if problem else other_kind)
