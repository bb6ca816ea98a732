"""The chain of the log: every line gets a number without gaps, and a digest over itself and everything before it.

Lines are sealed after they were committed, by the sweeper, so that no action waits for another. The database does it in a
function of the owner's: the application can have lines sealed and can write no seal. What a seal is made of, so that anybody can
make it again:

    item(tag, text) = tag, 1 byte | length of the text in UTF-8, 8 bytes, the highest first | the text; tag `n` and length 0: null
    content         = SHA-256 over item("t", name) and item(tag, value) of each of `COLUMNS`, in their order
    digest          = SHA-256 over the digest before (of the first: `BEGINNING`) | the number, 8 bytes | content

How two sealers race:
1. Whoever does not get the lock at once seals nothing: the other is at it.
2. The lock ends with the transaction, so the next one sees every seal.
3. A line that commits late has a smaller id than lines sealed before it. It gets the next number all the same: numbers follow the
   order in which lines were found. Most rounds look back over minutes; one an hour looks back over weeks.

A line that is removed or added before it is sealed, within about two seconds, is not noticed.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

from django.db import connection, connections

from revops.postgresql.roles import APPLICATION

COLUMNS = {
    "id": "i", "at": "m", "actor_id": "i", "actor_label": "t", "verb": "t", "subject": "t", "account_id": "i", "case_id": "i",
    "summary": "j", "reason": "t", "before": "j", "after": "j", "request_id": "t", "trace_id": "t",
}  # fmt: skip
"""Column -> tag: `i` a number in digits, `m` microseconds since 1970 in digits, `t` a text, `j` JSON as the database writes it.
"""
BEGINNING = hashlib.sha256(b"revops audit chain 1").digest()
SEALED_AT_ONCE = 5_000
OFTEN_SECONDS, SELDOM_SECONDS, SELDOM_EVERY = 900, 40 * 86_400, 3600.0

_AS_TEXT = {"i": "{}::text", "m": "(extract(epoch FROM {}) * 1000000)::bigint::text", "t": "{}", "j": "{}::text"}


def as_text(column: str, alias: str) -> str:
    """SQL of a column's value as it is sealed."""
    return _AS_TEXT[COLUMNS[column]].format(f'{alias}."{column}"')


def _content_sql() -> str:
    return " || ".join(f"audit_item('t', '{name}') || audit_item('{tag}', {as_text(name, 'a')})" for name, tag in COLUMNS.items())


_FUNCTIONS = f"""
    CREATE OR REPLACE FUNCTION audit_item(tag text, value text) RETURNS bytea LANGUAGE sql IMMUTABLE
    SET search_path = pg_catalog, pg_temp AS $$
        SELECT CASE WHEN value IS NULL THEN convert_to('n', 'UTF8') || int8send(0)
                    ELSE convert_to(tag, 'UTF8') || int8send(octet_length(convert_to(value, 'UTF8')))
                         || convert_to(value, 'UTF8') END
    $$;
    CREATE OR REPLACE FUNCTION seal_audit(look_back_seconds float8, most int) RETURNS int LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, public, pg_temp AS $$
    DECLARE
        line record; number bigint; before bytea; sealed int := 0;
    BEGIN
        IF NOT pg_try_advisory_xact_lock(hashtext('revops.audit.chain')) THEN
            RETURN 0;
        END IF;
        SELECT s.sequence, s.digest INTO number, before FROM audit_seal s ORDER BY s.sequence DESC LIMIT 1;
        number := coalesce(number, 0);
        before := coalesce(before, '\\x{BEGINNING.hex()}'::bytea);
        FOR line IN
            SELECT a.id, sha256({_content_sql()}) AS content FROM audit_actionrecord a
             WHERE a.at >= clock_timestamp() - make_interval(secs => look_back_seconds)
               AND NOT EXISTS (SELECT FROM audit_seal s WHERE s.record_id = a.id)
             ORDER BY a.id LIMIT most
        LOOP
            number := number + 1;
            before := sha256(before || int8send(number) || line.content);
            INSERT INTO audit_seal (sequence, record_id, content, digest) VALUES (number, line.id, line.content, before);
            sealed := sealed + 1;
        END LOOP;
        RETURN sealed;
    END $$;
    REVOKE ALL ON FUNCTION seal_audit(float8, int) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION seal_audit(float8, int) TO {APPLICATION};
"""  # noqa: S608 - made of our own columns


def make_functions(using: str) -> None:
    """Make the functions that seal, as owner; `manage.py migrate` ends with it."""
    with connections[using].cursor() as cursor:
        cursor.execute(_FUNCTIONS.replace("%", "%%"))


_looked_back_at = -SELDOM_EVERY
"""When (monotonic seconds) this process has last looked back over weeks."""


def seal() -> int:
    """Seal the lines that were committed and are not sealed yet; returns how many. Nothing while somebody else is at it."""
    global _looked_back_at  # noqa: PLW0603
    far = time.monotonic() - _looked_back_at >= SELDOM_EVERY
    sealed = 0
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT seal_audit(%s, %s)", [SELDOM_SECONDS if far else OFTEN_SECONDS, SEALED_AT_ONCE])
            found = int(cursor.fetchone()[0])
            sealed += found
            if found < SEALED_AT_ONCE:
                break
    if far:
        _looked_back_at = time.monotonic()
    return sealed


@dataclass(frozen=True, slots=True)
class Head:
    """How far the chain has come: the number of its last line and the digest over all of them."""

    sequence: int
    digest: bytes


def head() -> Head:
    """The chain's present head; number 0 and `BEGINNING` while nothing is sealed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sequence, digest FROM audit_seal ORDER BY sequence DESC LIMIT 1")
        row = cursor.fetchone()
    return Head(0, BEGINNING) if row is None else Head(row[0], bytes(row[1]))


def digest_at(sequence: int) -> bytes | None:
    """The digest over the first lines up to that number; None when the chain is shorter."""
    if sequence == 0:
        return BEGINNING
    with connection.cursor() as cursor:
        cursor.execute("SELECT digest FROM audit_seal WHERE sequence = %s", [sequence])
        row = cursor.fetchone()
    return None if row is None else bytes(row[0])
