"""The simulator's own ledger: whole JSON documents in one SQLite file.

A vendor declares `Collection`s; each becomes one table with the document and one virtual column for every declared
path, so that queries stay plain SQL. Money keeps the text it was written with: JSON numbers with a fraction are read
as `Decimal` and written back digit for digit.

Two views of the same row exist because real systems lag. Inside `Store.transaction` a caller sees the truth. Outside,
a row written under a read lag is invisible (or shows its previous document) until the lag is over.

Durability: WAL with synchronous=NORMAL. A committed transaction survives the death of the process (kill -9).
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

Json = dict[str, Any]
Clock = Callable[[], float]


def dumps(value: Any) -> str:
    """Compact JSON text. A `Decimal` becomes a JSON number with exactly its own digits."""
    return orjson.dumps(value, default=_number).decode()


def _number(value: object) -> orjson.Fragment:
    if isinstance(value, Decimal):
        return orjson.Fragment(f"{value:f}")
    raise TypeError(f"{type(value).__name__} is not JSON")


def loads(text: str | bytes) -> Any:
    """JSON to Python; numbers with a fraction become `Decimal`, never float. Raises ValueError."""
    return _EXACT.decode(text if isinstance(text, str) else text.decode())


_EXACT = json.JSONDecoder(parse_float=Decimal)


@dataclass(frozen=True)
class Collection:
    """One kind of vendor object.

    `key` names the id inside the document. `columns` maps a column name to a JSON path (`{"customer": "$.customer"}`);
    the column can be used in `Store.select` and is indexed, together with the column `sorted_by` when there is one (so a
    filtered list comes sorted without a sort). Set `internal` for bookkeeping (event logs, idempotency
    keys): it is not counted as an effect of an API call.
    """

    name: str
    key: str = "id"
    columns: Mapping[str, str] = field(default_factory=dict)
    internal: bool = False
    sorted_by: str = ""

    @property
    def table(self) -> str:
        """The SQL name, quoted: `"c_invoices"`."""
        return f'"c_{self.name}"'


@dataclass
class Effect:
    """One object that one API call created, changed or deleted (its last state within that call)."""

    collection: str
    id: str
    kind: str
    body: Json


_SCHEMA = """
CREATE TABLE IF NOT EXISTS counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS requests (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, method TEXT NOT NULL,
  path TEXT NOT NULL, query TEXT NOT NULL, status INTEGER, reset INTEGER NOT NULL DEFAULT 0, key TEXT, seconds REAL);
CREATE TABLE IF NOT EXISTS effects (seq INTEGER PRIMARY KEY AUTOINCREMENT, at REAL NOT NULL, method TEXT NOT NULL,
  path TEXT NOT NULL, key TEXT, collection TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answer_key (id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
  type TEXT NOT NULL, body BLOB NOT NULL, status TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
  next_at REAL NOT NULL, created_at REAL NOT NULL, delivered_at REAL, answer INTEGER, headers TEXT);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (status, next_at);
"""


class Store:
    """The SQLite file of one simulator. One writer at a time (a lock), any number of reading threads."""

    def __init__(self, path: Path, collections: Sequence[Collection], clock: Clock = time.time) -> None:
        self.path = path
        self.clock = clock
        self.collections = {c.name: c for c in collections}
        self._lock = threading.RLock()
        self._local = threading.local()
        self._after_commit: list[Callable[[], None]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = self._connect()
        self._writer.executescript(_SCHEMA)
        for collection in collections:
            self._make_table(collection)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, timeout=30, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA cache_size=-2000")
        connection.create_function("sim_now", 0, self.clock)
        return connection

    def _make_table(self, collection: Collection) -> None:
        run, table = self._writer.execute, collection.table
        run(
            f"CREATE TABLE IF NOT EXISTS {table} (seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,"
            " body TEXT NOT NULL, visible_at REAL NOT NULL DEFAULT 0, shadow TEXT)"
        )
        have = {row["name"] for row in run(f"PRAGMA table_xinfo({table})")}
        for column, path in collection.columns.items():
            if column in ("seq", "id", "body", "visible_at", "shadow"):
                raise ValueError(f"{collection.name}: the column name {column} is taken")
            if column not in have:
                run(f"ALTER TABLE {table} ADD COLUMN \"{column}\" AS (json_extract(body, '{path}')) VIRTUAL")
        for column in collection.columns:
            also = collection.sorted_by if collection.sorted_by != column else ""
            name, tail = (f"{column}_{also}", f', "{also}"') if also else (column, "")
            run(f'CREATE INDEX IF NOT EXISTS "i_{collection.name}_{name}" ON {table} ("{column}"{tail})')

    # -- transactions ---------------------------------------------------------------------------------------------

    @property
    def writing(self) -> bool:
        """True inside `transaction` on this thread."""
        return getattr(self._local, "depth", 0) > 0

    @contextmanager
    def transaction(self, read_lag_seconds: float = 0) -> Iterator[list[Effect]]:
        """Everything inside commits together, or not at all. Yields the list of effects, filled as objects change.

        Nested use is a savepoint: an exception undoes the inner part only.
        """
        with self._lock:
            local, run = self._local, self._writer.execute
            depth = getattr(local, "depth", 0)
            if depth == 0:
                local.effects, local.lag = [], read_lag_seconds
            mark = len(local.effects)
            run("BEGIN IMMEDIATE" if depth == 0 else f"SAVEPOINT s{depth}")
            local.depth = depth + 1
            try:
                yield local.effects
            except BaseException:
                run("ROLLBACK" if depth == 0 else f"ROLLBACK TO s{depth}")
                if depth:
                    run(f"RELEASE s{depth}")
                del local.effects[mark:]
                raise
            else:
                run("COMMIT" if depth == 0 else f"RELEASE s{depth}")
            finally:
                local.depth = depth
            if depth == 0:
                calls, self._after_commit = self._after_commit, []
                for call in calls:
                    call()

    def after_commit(self, call: Callable[[], None]) -> None:
        """Run `call` once the current transaction is committed."""
        self._after_commit.append(call)

    # -- documents ------------------------------------------------------------------------------------------------

    def collection(self, name: str) -> Collection:
        """The declared collection. Raises KeyError with the known names."""
        try:
            return self.collections[name]
        except KeyError:
            raise KeyError(f"no collection {name!r}; there are {', '.join(sorted(self.collections))}") from None

    def get(self, collection: str, id: str) -> Json | None:
        """One document, or None."""
        found = self.select(collection, "id = ?", [id], limit=1)
        return found[0] if found else None

    def put(self, collection: str, body: Json) -> Json:
        """Insert or replace by id, inside a transaction. Returns the document."""
        about = self.collection(collection)
        self._must_write()
        id = str(body[about.key])
        old = self._writer.execute(f"SELECT body, visible_at, shadow FROM {about.table} WHERE id = ?", [id]).fetchone()
        visible_at, shadow = 0.0, None
        if self._local.lag:
            visible_at = self.clock() + self._local.lag
            if old is not None:
                shadow = old["shadow"] if old["visible_at"] > self.clock() else old["body"]
        self._writer.execute(
            f"INSERT INTO {about.table} (id, body, visible_at, shadow) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE"
            " SET body = excluded.body, visible_at = excluded.visible_at, shadow = excluded.shadow",
            [id, dumps(body), visible_at, shadow],
        )
        self._note(about, id, "created" if old is None else "changed", body)
        return body

    def remove(self, collection: str, id: str) -> bool:
        """Delete a document, inside a transaction. False when it was not there."""
        about = self.collection(collection)
        self._must_write()
        old = self.get(collection, id)
        if old is None:
            return False
        self._writer.execute(f"DELETE FROM {about.table} WHERE id = ?", [id])
        self._note(about, id, "deleted", old)
        return True

    def select(
        self,
        collection: str,
        where: str = "",
        params: Sequence[object] = (),
        order: str = "seq",
        limit: int | None = None,
    ) -> list[Json]:
        """Documents by SQL condition over `id`, `seq` and the declared columns. Write values as `?`, never inline."""
        about = self.collection(collection)
        condition, body = where or "1", "body"
        if not self.writing:
            body = "CASE WHEN visible_at > sim_now() THEN shadow ELSE body END"
            condition = f"({condition}) AND (visible_at <= sim_now() OR shadow IS NOT NULL)"
        sql = f"SELECT {body} AS body FROM {about.table} WHERE {condition} ORDER BY {order}"
        if limit is not None:
            sql += f" LIMIT {int(limit)}"
        return [loads(row["body"]) for row in self.rows(sql, params)]

    def ids(self, collection: str, where: str, params: Sequence[object], order: str = "seq") -> list[str]:
        """Only the ids, in order; rows that a read lag hides are left out."""
        condition = where if self.writing else f"({where}) AND (visible_at <= sim_now() OR shadow IS NOT NULL)"
        sql = f"SELECT id FROM {self.collection(collection).table} WHERE {condition} ORDER BY {order}"
        return [str(row["id"]) for row in self.rows(sql, params)]

    def many(self, collection: str, ids: Sequence[str]) -> list[Json]:
        """Documents by id, in any order."""
        found: list[Json] = []
        for start in range(0, len(ids), 500):
            part = list(ids[start : start + 500])
            found += self.select(collection, f"id IN ({', '.join('?' * len(part))})", part)
        return found

    def count(self, collection: str, where: str = "1", params: Sequence[object] = ()) -> int:
        """How many documents match, read lag or not."""
        table = self.collection(collection).table
        return int(self.rows(f"SELECT count(*) AS n FROM {table} WHERE {where}", params)[0]["n"])

    def next_number(self, name: str, start: int = 1) -> int:
        """The next value of a counter that survives restarts. Inside a transaction."""
        self._must_write()
        row = self._writer.execute(
            "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = value + 1 RETURNING value",
            [name, start],
        ).fetchone()
        return int(row["value"])

    # -- plain SQL ------------------------------------------------------------------------------------------------

    def rows(self, sql: str, params: Sequence[object] = ()) -> list[sqlite3.Row]:
        """Run any SELECT: on the writer inside a transaction, else on this thread's own connection."""
        if self.writing:
            return self._writer.execute(sql, params).fetchall()
        reader = getattr(self._local, "reader", None)
        if reader is None:
            reader = self._local.reader = self._connect()
        return list(reader.execute(sql, params))

    def run(self, sql: str, params: Sequence[object] = ()) -> int:
        """Run one statement that changes the frame's own tables. Returns the number of rows."""
        with self._lock:
            return self._writer.execute(sql, params).rowcount

    def close(self) -> None:
        """Fold the WAL into the file and close."""
        with self._lock:
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writer.close()

    def note_effect(self, collection: str, id: str, kind: str, body: Json) -> None:
        """Count a change made by plain SQL as an effect: created, changed or deleted. Inside a transaction."""
        self._must_write()
        self._note(self.collection(collection), id, kind, body)

    # -- inside ---------------------------------------------------------------------------------------------------

    def _must_write(self) -> None:
        if not self.writing:
            raise RuntimeError("documents change only inside Store.transaction()")

    def _note(self, about: Collection, id: str, kind: str, body: Json) -> None:
        if about.internal:
            return
        for effect in self._local.effects:
            if (effect.collection, effect.id) == (about.name, id):
                effect.body, effect.kind = body, "deleted" if kind == "deleted" else effect.kind
                return
        self._local.effects.append(Effect(about.name, id, kind, body))
