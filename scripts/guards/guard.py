"""What a line of the list says, and the SQL that takes a guard of the database away."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard (`name`), its removal (`path`, `old`, `new`, or `sql`), and where it must be noticed (`tests`, paths and words)."""

    name: str
    tests: str
    path: str = ""
    old: str = ""
    new: str = ""
    sql: str = ""


def drop_trigger(table: str, name: str) -> str:
    """SQL that drops a trigger whatever the digest in its name is."""
    return (  # tables and triggers are named in this file
        f"DO $$ DECLARE t text; BEGIN SELECT tgname INTO STRICT t FROM pg_trigger WHERE tgrelid = '{table}'::regclass "  # noqa: S608
        f"AND starts_with(tgname, 'pgtrigger_{name}_'); EXECUTE format('DROP TRIGGER %I ON {table}', t); END $$"
    )


def drop_constraint(table: str, name: str) -> str:
    return f"ALTER TABLE {table} DROP CONSTRAINT {name}"
