"""The history of governed rows: django-simple-history writes it, the database holds every change to it.

A model is governed by one line, `history = KeptHistory()`. The library writes a history row beside each `save` and `delete`; it
does not see bulk statements and raw SQL, so four triggers hold the line for every path:

- a transaction that leaves a governed row other than its newest history row says, or gone without one that says so, is refused
  when it commits (columns that the history leaves out do not count);
- a history row is never changed and never removed, alone or with its whole table;
- a governed table is never emptied.

A path that writes many governed rows in one statement leaves their history with one more: `write_history`.

Never: a business module in here, and a way around for anybody. `people` stands on this as well, so it stands beside `money`.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any

import pgtrigger
from django.db import connection, connections, models
from simple_history.models import HistoricalRecords

Meta = Any
"""Django's options of a model, whose type has no public name."""


def no_truncate() -> pgtrigger.Trigger:
    """Row triggers do not fire on TRUNCATE, so a table that must not be emptied carries a statement trigger of its own."""
    return pgtrigger.Trigger(
        name="no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'this table is never emptied' USING ERRCODE = 'insufficient_privilege';",
    )


def append_only() -> list[pgtrigger.Trigger]:
    """The triggers of a table whose rows are written once and never changed or removed."""
    return [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete), no_truncate()]


def never_removed() -> list[pgtrigger.Trigger]:
    """The trigger of a table whose rows change and stay: others may name them without a foreign key. To be complete it takes
    `no_truncate` beside it, which a table with `KeptHistory` has."""
    return [pgtrigger.Protect(name="never_removed", operation=pgtrigger.Delete)]


class WrittenOnce(pgtrigger.Protect):
    """The trigger of columns that say for ever what they said when their row was written, whatever else changes in it."""

    def __init__(self, *names: str, name: str) -> None:
        self.names = names
        changed = [pgtrigger.Q(**{f"old__{each}__df": pgtrigger.F(f"new__{each}")}) for each in names]
        super().__init__(name=name, operation=pgtrigger.Update, condition=functools.reduce(operator.or_, changed))


def history_table(meta: Meta) -> str:
    """The table of a governed model's history, by the library's rule."""
    return f"{meta.app_label}_historical{meta.model_name}"


class LeavesHistory(pgtrigger.Trigger):
    """At commit the newest history row of every row that was touched says exactly what the row says."""

    name = "leaves_history"
    when = pgtrigger.After
    operation = pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete
    timing = pgtrigger.Deferred

    def __init__(self, excluded: Iterable[str] = ()) -> None:
        super().__init__()
        self.excluded = frozenset(excluded)

    def get_func(self, model: models.Model) -> str:
        """SQL over the columns that the history keeps, in a fixed order, so that a migration follows from a change of columns."""
        meta = model._meta
        key = meta.pk.column
        columns = sorted(str(field.column) for field in meta.concrete_fields if field.name not in self.excluded)
        now, told = (", ".join(f'{row}."{column}"' for column in columns) for row in ("r", "h"))
        text = f"""
            IF EXISTS (
                SELECT 1 FROM unnest(ARRAY[OLD."{key}", NEW."{key}"]) AS touched(key)
                  LEFT JOIN "{meta.db_table}" r ON r."{key}" = touched.key
                  LEFT JOIN LATERAL (
                       SELECT * FROM "{history_table(meta)}" h WHERE h."{key}" = touched.key
                        ORDER BY h.history_id + 0 DESC LIMIT 1) h ON TRUE
                 WHERE touched.key IS NOT NULL
                   AND CASE WHEN r."{key}" IS NULL THEN h.history_type IS DISTINCT FROM '-'
                            ELSE h.history_type IS NULL OR h.history_type = '-' OR ROW({now}) IS DISTINCT FROM ROW({told}) END
            ) THEN
                RAISE EXCEPTION 'a change of % leaves a history row that says the same', TG_TABLE_NAME
                      USING ERRCODE = 'check_violation';
            END IF;
            RETURN NULL;
        """  # noqa: S608 - tables and columns are those of our models
        return " ".join(text.split())


class KeptHistory(HistoricalRecords):  # type: ignore[misc]  # the library has no types
    """`HistoricalRecords` whose rows the database demands and keeps; its table is split by month (`revops.partitions`)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(history_id_field=models.BigAutoField(primary_key=True), **options)

    def get_meta_options(self, model: type[models.Model]) -> dict[str, Any]:
        """The history's own table is append-only."""
        options: dict[str, Any] = super().get_meta_options(model)
        return options | {"triggers": append_only()}

    def finalize(self, sender: type[models.Model], **kwargs: Any) -> None:
        """The governed table refuses what leaves no history."""
        super().finalize(sender, **kwargs)
        if sender is self.cls:
            for trigger in (LeavesHistory(self.excluded_fields), no_truncate()):
                trigger.register(sender)


def write_history(model: type[models.Model], keys: Iterable[int | str], *, kind: str = "~", reason: str | None = None) -> int:
    """Write the history of rows as they stand now, in one statement; for paths that write many governed rows in one.

    `kind` is `+` for new rows and `~` for changed ones; rows that go are read before they go, so the library does that. Runs in
    the caller's transaction and returns how many rows were written. What it writes comes from the table itself, never from
    memory.
    """
    meta = model._meta
    history: type[models.Model] = model.history.model  # type: ignore[attr-defined]  # given by KeptHistory
    kept = [str(field.column) for field in history.tracked_fields]  # type: ignore[attr-defined]
    columns = ", ".join(f'"{column}"' for column in kept)
    with connection.cursor() as cursor:
        cursor.execute(
            f'INSERT INTO "{history._meta.db_table}" ({columns}, history_date, history_type, history_change_reason) '  # noqa: S608
            f'SELECT {columns}, clock_timestamp(), %s, %s FROM "{meta.db_table}" WHERE "{meta.pk.column}" = ANY(%s)',
            [kind, reason, list(keys)],
        )
        return int(cursor.rowcount)


def let_no_session_skip_triggers(using: str) -> None:
    """Replace the trigger library's own way around, which any session may take by naming a trigger in a variable, by one that
    always says no. `manage.py migrate` ends with it, because each trigger that a migration makes brings the way around back."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE FUNCTION public._pgtrigger_should_ignore(trigger_name NAME) RETURNS BOOLEAN "
            "LANGUAGE sql IMMUTABLE AS 'SELECT FALSE'"
        )
