"""Tables that grow for ever are split by month: a month can be taken out as a whole, and what is recent stays small.

The id carries its month. `month_id` gives `202611` followed by ten digits of a counter, so the id alone is the partition key:
it stays the primary key, other tables may point to it, and a look-up by id asks one month only. Ids grow with time and stay
below 2^53, so that JavaScript reads them exactly.

A migration splits a table with `SplitByMonth`, right after the table was made. `prepare_months` keeps months ahead; a row
whose month nobody prepared goes to the partition `<table>_other`, and nothing is refused. `take_out` moves a month that is no
longer wanted to the schema `archive`.

PostgreSQL has no unique key over all months but the id. What must be unique for ever needs a table of its own (see
`sync.models.DeliveryKey`); what is unique within a month is declared with the split.

Never: a row that is removed. A month that was taken out is a whole table in `archive` until an operator drops it.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from django.db import connection
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.backends.utils import CursorWrapper
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from revops.postgresql.roles import AUDITOR

PER_MONTH = 10**10
"""How many ids a month has. The counter starts again at its end, in a later month."""

MONTHS_AHEAD = 3

_MONTH_ID = f"""
    CREATE OR REPLACE FUNCTION month_id(counter regclass) RETURNS bigint LANGUAGE sql VOLATILE AS
    $$ SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYYMM')::bigint * {PER_MONTH} + nextval(counter) $$
"""

_PREPARE_MONTHS = f"""
    CREATE OR REPLACE FUNCTION prepare_months(months_ahead int) RETURNS SETOF text LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE
        split record; wanted record; columns jsonb; text_of_trigger text;
    BEGIN
        IF months_ahead NOT BETWEEN 0 AND 24 THEN
            RAISE EXCEPTION 'months are prepared for two years at most' USING ERRCODE = 'invalid_parameter_value';
        END IF;
        FOR split IN
            SELECT c.oid, c.relname AS name, obj_description(c.oid, 'pg_class')::jsonb -> 'unique_within_a_month' AS uniques
              FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid
             WHERE c.relnamespace = 'public'::regnamespace ORDER BY c.relname
        LOOP
            FOR wanted IN
                SELECT split.name || '_other' AS name, 'DEFAULT' AS bounds
                UNION ALL
                SELECT split.name || '_' || number, format('FOR VALUES FROM (%s) TO (%s)', number * {PER_MONTH},
                                                           (number + 1) * {PER_MONTH})
                  FROM (SELECT to_char((clock_timestamp() AT TIME ZONE 'UTC') + make_interval(months => ahead), 'YYYYMM')::bigint
                          FROM generate_series(0, months_ahead) AS ahead) AS months(number)
            LOOP
                CONTINUE WHEN to_regclass(format('public.%I', wanted.name)) IS NOT NULL;
                EXECUTE format('CREATE TABLE public.%I PARTITION OF public.%I %s', wanted.name, split.name, wanted.bounds);
                FOR columns IN SELECT jsonb_array_elements(split.uniques) LOOP
                    EXECUTE format('CREATE UNIQUE INDEX ON public.%I (%s)', wanted.name,
                        (SELECT string_agg(quote_ident(each), ', ') FROM jsonb_array_elements_text(columns) AS each));
                END LOOP;
                -- Triggers of statements (TRUNCATE): a partition has only those of rows.
                FOR text_of_trigger IN SELECT pg_get_triggerdef(t.oid) FROM pg_trigger t
                        WHERE t.tgrelid = split.oid AND NOT t.tgisinternal AND t.tgtype & 1 = 0 LOOP
                    EXECUTE replace(text_of_trigger, format(' ON public.%I ', split.name), format(' ON public.%I ', wanted.name));
                END LOOP;
                RETURN NEXT wanted.name;
            END LOOP;
        END LOOP;
    END $$
"""  # noqa: S608 - a number of ours
"""Makes what is missing and nothing else, whatever it is asked, so everybody may call it."""


Keep = Literal["inbox", "ledger", "history"]
"""Which setting says for how many months the rows are kept."""


class SplitByMonth(Operation):
    """Split a table that was just made.

    `keep` names the setting of its retention, `unique` lists column tuples that are unique within one month, `unfinished` is a
    condition in SQL: a month with such rows is not taken out. Raises `RuntimeError` when the table has rows: they would have
    ids without a month.
    """

    reversible = False
    reduces_to_sql = False

    def __init__(self, table: str, keep: Keep, *, unique: Sequence[Sequence[str]] = (), unfinished: str = "false") -> None:
        self.table, self.keep = table, keep
        self.unique, self.unfinished = [list(columns) for columns in unique], unfinished

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        return (type(self).__name__, [self.table, self.keep], {"unique": self.unique, "unfinished": self.unfinished})

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The model does not change: a split table is read and written like any other."""

    def database_forwards(
        self, app_label: str, schema_editor: BaseDatabaseSchemaEditor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        del app_label, from_state, to_state
        told = {"keep": self.keep, "unique_within_a_month": self.unique, "unfinished": self.unfinished}
        with schema_editor.connection.cursor() as cursor:
            _split(cursor, self.table, told)
            _prepare(cursor, MONTHS_AHEAD)

    def describe(self) -> str:
        return f"Split {self.table} by month"


def _split(cursor: CursorWrapper, table: str, told: dict[str, Any]) -> None:
    """Make the table again as a partitioned one, with the constraints, indexes and triggers that it has. What `SplitByMonth` was
    told stands in the table's comment, so that later months are made by the same words."""
    cursor.execute(_MONTH_ID)
    cursor.execute(_PREPARE_MONTHS)
    cursor.execute(f'SELECT EXISTS (SELECT 1 FROM "{table}")')  # noqa: S608
    if _one(cursor):
        raise RuntimeError(f"{table} has rows; only an empty table is split by month")
    cursor.execute("SELECT a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY(i.indkey) "
                   "WHERE i.indrelid = %s::regclass AND i.indisprimary", [table])  # fmt: skip
    key = str(_one(cursor))
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE conrelid = %s::regclass AND contype IN ('p', 'u', 'f') ORDER BY contype = 'f', conname", [table],
    )  # fmt: skip
    remade = [f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" {text}' for name, text in cursor.fetchall()]
    cursor.execute(
        "SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = %s::regclass "
        "AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = i.indexrelid) ORDER BY 1", [table],
    )  # fmt: skip
    remade += [row[0] for row in cursor.fetchall()]
    cursor.execute(
        "SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal ORDER BY tgname", [table]
    )
    remade += [row[0] for row in cursor.fetchall()]
    cursor.execute(
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint "
        "WHERE confrelid = %s::regclass AND conrelid <> confrelid AND contype = 'f'", [table],
    )  # fmt: skip
    remade += [f'ALTER TABLE {child} ADD CONSTRAINT "{name}" {text}' for child, name, text in cursor.fetchall()]
    comment = json.dumps({"key": key, **told}).replace("'", "''")
    for statement in (
        f'CREATE TABLE "{table}_split" (LIKE "{table}" INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE) '
        f'PARTITION BY RANGE ("{key}")',
        f'DROP TABLE "{table}" CASCADE',
        f'ALTER TABLE "{table}_split" RENAME TO "{table}"',
        f'CREATE SEQUENCE "{table}_{key}_seq" MAXVALUE {PER_MONTH - 1} CYCLE OWNED BY "{table}"."{key}"',
        f'ALTER TABLE "{table}" ALTER COLUMN "{key}" SET DEFAULT month_id(\'{table}_{key}_seq\')',
        f"COMMENT ON TABLE \"{table}\" IS '{comment}'",
        *remade,
    ):
        cursor.execute(statement)


# --- months -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Month:
    """One partition of a split table. `month` is its first day; None for the partition of rows without a prepared month."""

    table: str
    name: str
    month: dt.date | None


def split_tables() -> list[str]:
    """The tables that are split by month, in order of name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid "
            "WHERE c.relnamespace = current_schema()::regnamespace ORDER BY 1"
        )
        return [str(row[0]) for row in cursor.fetchall()]


def months_of(table: str) -> list[Month]:
    """The partitions of a split table, oldest first, the one of other rows last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = %s::regclass", [table]
        )
        names = [str(row[0]) for row in cursor.fetchall()]
    found = [Month(table, name, _month_of(name)) for name in names]
    return sorted(found, key=lambda each: each.month or dt.date.max)


def prepare_months(months_ahead: int = MONTHS_AHEAD) -> list[str]:
    """Make the partitions of this month and the next ones where they are missing; returns the names of those made. The function
    does it with its owner's rights, so that the sweeper, which owns nothing, may call it."""
    with connection.cursor() as cursor:
        return _prepare(cursor, months_ahead)


def _prepare(cursor: CursorWrapper, months_ahead: int) -> list[str]:
    cursor.execute("SELECT prepare_months(%s)", [months_ahead])
    return [str(row[0]) for row in cursor.fetchall()]


def _copy_triggers(cursor: CursorWrapper, table: str, name: str, which: str) -> None:
    cursor.execute(
        f"SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE tgrelid = %s::regclass AND NOT tgisinternal AND {which}",  # noqa: S608
        [table],
    )
    for (text,) in cursor.fetchall():
        cursor.execute(text.replace(f" ON public.{table} ", f" ON public.{name} "))


def _month_of(name: str) -> dt.date | None:
    ending = name.rsplit("_", 1)[1]
    return dt.date(int(ending[:4]), int(ending[4:]), 1) if ending.isdecimal() and len(ending) == 6 else None


# --- taking a month out -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TakenOut:
    """A month that was moved to the schema `archive`. `digest` is the SHA-256 (hex) over its rows as text, in order of id."""

    name: str
    rows: int
    digest: str


def take_out(month: Month) -> TakenOut:
    """Move one month's partition to the schema `archive`, whole, in the caller's transaction.

    Takes the table's exclusive lock for a moment. A partition loses the triggers of rows with its table, so it gets them again:
    what refused changes before goes on refusing them.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS archive; GRANT USAGE ON SCHEMA archive TO {AUDITOR}")
        key = _told(cursor, month.table)["key"]
        cursor.execute(
            f"""
            WITH each AS (SELECT "{key}" AS id, sha256(convert_to(r::text, 'UTF8')) AS digest FROM "{month.name}" r)
            SELECT count(*), encode(sha256(coalesce(string_agg(digest, ''::bytea ORDER BY id), ''::bytea)), 'hex') FROM each
            """  # noqa: S608
        )
        rows, digest = cursor.fetchone()
        cursor.execute(f'ALTER TABLE "{month.table}" DETACH PARTITION "{month.name}"')
        _copy_triggers(cursor, month.table, month.name, "tgtype & 1 = 1")
        cursor.execute(f'ALTER TABLE "{month.name}" SET SCHEMA archive')
        cursor.execute(f'GRANT SELECT ON archive."{month.name}" TO {AUDITOR}')
    return TakenOut(month.name, int(rows), str(digest))


def rows_without_month() -> dict[str, int]:
    """Split tables that have rows whose month was not prepared, with their number. Empty when all is well."""
    found = {}
    for table in split_tables():
        with connection.cursor() as cursor:
            cursor.execute(f'SELECT count(*) FROM (SELECT 1 FROM "{table}_other" LIMIT 1000) r')  # noqa: S608
            if count := int(_one(cursor)):
                found[table] = count
    return found


def kept_as(table: str) -> Keep:
    """Which retention setting is the table's."""
    with connection.cursor() as cursor:
        keep: Keep = _told(cursor, table)["keep"]
    return keep


def unfinished_in(month: Month) -> int:
    """How many rows of the month are not finished; such a month must not be taken out."""
    with connection.cursor() as cursor:
        condition = _told(cursor, month.table)["unfinished"]
        cursor.execute(f'SELECT count(*) FROM "{month.name}" WHERE {condition}')  # noqa: S608
        return int(_one(cursor))


def _told(cursor: CursorWrapper, table: str) -> dict[str, Any]:
    cursor.execute("SELECT obj_description(%s::regclass, 'pg_class')", [table])
    found: dict[str, Any] = json.loads(str(_one(cursor)))
    return found


def _one(cursor: CursorWrapper) -> Any:
    row = cursor.fetchone()
    assert row is not None
    return row[0]
