"""Take one guard away at a time and see a test turn red: `python scripts/mutants.py [WORD ...]`.

A guard that no test can break is not proven. Each line of `MUTANTS` names a guard, how to remove it (other code, or SQL against
the test database), and the tests that must notice. Everything happens in a copy of the tree in a temporary folder; the same
tests must be green there before. Prints a table; ends with 1 when a mutant survives. Words choose the mutants whose name holds
one of them.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".data", "*_cache", "__pycache__", ".hypothesis", "staticfiles")
UNGUARDED = """

@pytest.fixture(scope="session", autouse=True)
def _unguarded(django_db_setup: None, django_db_blocker: object) -> None:
    with django_db_blocker.unblock():
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(os.environ["MUTANT_SQL"])
"""
"""Added to the copy's tests: the database loses the guard before the first test."""


@dataclass(frozen=True, slots=True)
class Mutant:
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


KIT = "tests/sync/connectors/test_kit.py"
QUEUES = "tests/sync/test_queues.py"
INBOX, WIRE, OUTBOX = "tests/sync/test_inbox.py", "tests/sync/test_intake_http.py", "tests/sync/test_outbox.py"
CRASH, DRAFT, SIGN = (
    "tests/sync/test_outbox_crash.py",
    "tests/revops/postings/test_draft.py",
    "tests/revops/approvals/test_actions.py",
)

MUTANTS: tuple[Mutant, ...] = (
    # --- inbox: kept before it is answered, once, unchanged
    Mutant("inbox: unique key", f"{WIRE} -k w9_i5", sql=drop_constraint("sync_deliverykey", "sync_deliverykey_pkey")),
    Mutant(
        "inbox: one row whatever comes at once (unique index, parallel)",
        f"{WIRE} -k i5_fifty",
        "sync/intake/inbox.py",
        "ON CONFLICT (connection_id, key) DO NOTHING RETURNING delivery_id, connection_id, key)",
        "RETURNING delivery_id, connection_id, key)",
        drop_constraint("sync_deliverykey", "sync_deliverykey_pkey"),
    ),
    Mutant(
        "inbox: commit before 2xx",
        "tests/sync/test_durable.py -k full_disk",
        "sync/intake/views.py",
        "        return _unavailable()\n    return JsonResponse",
        "        return _answer(202, 'stored')\n    return JsonResponse",
    ),
    Mutant(
        "inbox: commit before 2xx survives kill -9",
        "tests/sync/test_durable.py -k database_is_killed",
        "sync/ground/intake_db.py",
        "-c synchronous_commit=on",
        "-c synchronous_commit=off",
    ),
    Mutant(
        "inbox: hash compare of a known key",
        f"{WIRE} -k w28",
        "sync/intake/inbox.py",
        "AND d.id = k.delivery_id AND d.digest = %s",
        "AND d.id = k.delivery_id AND (d.digest = %s OR true)",
    ),
    Mutant(
        "inbox: content compare of another rendering",
        f"{WIRE} -k w28",
        "sync/intake/inbox.py",
        "if door.connector.content_digest(bytes(row[1])) == digest:",
        "if True:",
    ),
    Mutant("inbox: raw bytes frozen", f"{WIRE} -k i3", sql=drop_trigger("sync_delivery", "raw_is_frozen")),
    Mutant("inbox: rows never removed", f"{WIRE} -k i3", sql=drop_trigger("sync_delivery", "never_lost")),
    Mutant(
        "inbox: signature verified",
        f"{WIRE} -k i4",
        "sync/intake/views.py",
        "        door.connector.taking_pushes().verify(incoming, door.config, now)\n",
        "        pass\n",
    ),
    Mutant(
        "inbox: the claim is committed before the work",
        f"{INBOX} -k i13_i14",
        "sync/applying/drain.py",
        "    with DELIVERIES.take(limit=limit, tried=False) as held:\n",
        "    from django.db import transaction\n\n"
        "    with transaction.atomic(), DELIVERIES.take(limit=limit, tried=False) as held:\n",
    ),
    Mutant(
        "queues: tried rows are claimed alone",
        f"{QUEUES} -k claimed_alone",
        "revops/work_queues/queue.py",
        'False: "q.attempts = 0"}',
        'False: "true"}',
    ),
    Mutant(
        "queues: fence",
        f"{QUEUES} -k old_fence",
        "revops/work_queues/queue.py",
        "WHERE q.{self.key} = e.key AND q.fence = e.fence AND",
        "WHERE q.{self.key} = e.key AND",
    ),
    Mutant(
        "queues: fence of a renewal",
        f"{QUEUES} -k old_fence",
        "revops/work_queues/queue.py",
        "ON q.{self.key} = c.key AND q.fence = c.fence",
        "ON q.{self.key} = c.key",
    ),
    Mutant(
        "queues: a claim ends once",
        f"{QUEUES} -k ends_once",
        "revops/work_queues/queue.py",
        'AND q.lease_until IS NOT NULL AND ({self.waits})\n            RETURNING q.{self.key}\n        """\n\n    def',
        'AND ({self.waits})\n            RETURNING q.{self.key}\n        """\n\n    def',
    ),
    Mutant(
        "queues: who hangs is not kept for ever",
        f"{QUEUES} -k hangs",
        "revops/work_queues/leases.py",
        "        if asked_at < self.keep_until:",
        "        if True:",
    ),
    Mutant(
        "inbox: a lost lease undoes the batch",
        f"{INBOX} -k i40",
        "sync/applying/apply.py",
        "        if finish(verdicts) != len(verdicts):\n            raise LeaseLost\n",
        "        finish(verdicts)\n",
    ),
    Mutant(
        "inbox: gives up in the end",
        f"{INBOX} -k i14",
        "sync/applying/claims.py",
        "    if DELIVERIES.gives_up(row):",
        "    if False:",
    ),
    Mutant(
        "inbox: applying is one transaction",
        "tests/sync/test_atomic.py -k i13_a_failure_at_any_step_of_applying",
        "sync/applying/apply.py",
        "    with transaction.atomic():\n        arrivals = iter(record(",
        "    if True:\n        arrivals = iter(record(",
    ),
    # --- ledger
    Mutant(
        "ledger: a known version is applied once",
        "tests/revops/ledger/test_record.py -k i10",
        "revops/ledger/record.py",
        "    if (key, fact.version, digest) in work.known:",
        "    if False:",
    ),
    Mutant(
        "ledger: late evidence changes nothing",
        "tests/revops/ledger/test_record.py -k i12",
        "revops/ledger/record.py",
        "    elif fact.version < row.version:",
        "    elif False:",
    ),
    Mutant(
        "ledger: one winner of a conflict",
        "tests/revops/ledger/test_record.py -k i11",
        "revops/ledger/record.py",
        "if (fact.version, digest) > (row.version, row.digest):",
        "if fact.version >= row.version:",
    ),
    Mutant(
        "ledger: append-only", "tests/revops/ledger/test_record.py -k i18", sql=drop_trigger("ledger_ledgerentry", "append_only")
    ),
    Mutant(
        "ledger: never emptied",
        "tests/revops/ledger/test_record.py -k i18",
        sql=drop_trigger("ledger_ledgerentry", "no_truncate"),
    ),
    # --- outbox: once
    Mutant("outbox: unique key", f"{DRAFT} -k i35", sql=drop_constraint("postings_posting", "postings_posting_key_key")),
    Mutant("outbox: stored bytes frozen", f"{DRAFT} -k i35", sql=drop_trigger("postings_posting", "bytes_are_frozen")),
    Mutant(
        "outbox: look-up before resend",
        f"{OUTBOX} -k effect_then_reset",
        "sync/posting/outbox.py",
        'if self.claimed.task == "look" and not self._looked_up_and_absent():',
        "if False:",
    ),
    Mutant(
        "outbox: absent is seen twice",
        f"{OUTBOX} -k i36_no_resend",
        "revops/postings/progress.py",
        "if posting.absent_seen_at is None or now - posting.absent_seen_at <= lag:",
        "if False:",
    ),
    Mutant(
        "outbox: further apart than the read lag",
        f"{OUTBOX} -k i36_no_resend",
        "revops/postings/progress.py",
        "if posting.absent_seen_at is None or now - posting.absent_seen_at <= lag:",
        "if posting.absent_seen_at is None:",
    ),
    Mutant(
        "outbox: resends stop at the window",
        f"{OUTBOX} -k i37",
        "revops/postings/progress.py",
        "        if now - posting.first_sent_at > dt.timedelta(seconds=resend_seconds_max):",
        "        if False:",
    ),
    Mutant(
        "outbox: commit before send",
        f"{OUTBOX} {CRASH} -k 'i33 or i34'",
        "revops/postings/progress.py",
        "absent_seen_at=None, first_sent_at=first_sent_at)",
        "absent_seen_at=None)",
    ),
    Mutant(
        "outbox: fence",
        f"{OUTBOX} -k i40",
        "revops/postings/progress.py",
        "        if not ours:\n            _audit(",
        "        if False:\n            _audit(",
    ),
    Mutant(
        "outbox: fence before the first byte",
        f"{OUTBOX} {CRASH} -k i40",
        "sync/posting/outbox.py",
        "            elif not progress.begin_send(claimed):",
        "            elif progress.begin_send(claimed) is None:",
    ),
    Mutant(
        "queues: lease",
        f"{QUEUES} -k exclusive",
        "revops/work_queues/queue.py",
        '_FREE = "(q.lease_until IS NULL OR q.lease_until < statement_timestamp())"',
        '_FREE = "true"',
    ),
    Mutant(
        "outbox: no byte without a sure lease",
        f"{CRASH} -k not_sure_of_its_lease",
        "sync/posting/outbox.py",
        "before_write=lambda: held.make_sure(claimed)",
        "before_write=lambda: None",
    ),
    Mutant(
        "queues: attempts before the work",
        f"{QUEUES} -k claimed_alone",
        "revops/work_queues/queue.py",
        "attempts = q.attempts + 1, fence",
        "attempts = q.attempts, fence",
    ),
    Mutant(
        "outbox: an error is unknown and not refused",
        f"{OUTBOX} -k i36",
        "sync/posting/outbox.py",
        "            progress.note_unknown(claimed, _words(error))\n        crash_point",
        "            progress.note_refused(claimed, _words(error), alarm=False)\n        crash_point",
    ),
    Mutant(
        "outbox: amount compared",
        f"{OUTBOX} tests/sync/connectors/test_netsuite_talks.py -k 'i39 or something_else'",
        "sync/connectors/netsuite/write.py",
        "    if different:\n",
        "    if False:\n",
    ),
    Mutant(
        "outbox: vendor id compulsory",
        "tests/revops/postings/test_moves.py -k i39",
        sql=drop_constraint("postings_posting", "posted_has_vendor_id"),
    ),
    Mutant(
        "outbox: stop switch right before the first byte",
        f"{OUTBOX} -k i41",
        "sync/posting/outbox.py",
        "if not connection.active or not connection.posting_enabled:",
        "if False:",
    ),
    Mutant(
        "outbox: caps",
        f"{OUTBOX} -k i42",
        "sync/posting/outbox.py",
        "            elif over := _over_cap(claimed):",
        '            elif over := "":',
    ),
    Mutant(
        "outbox: only what is safe to repeat",
        "tests/sync/test_outbox_wire.py -k i38",
        "sync/posting/outbox.py",
        'if offer.change is type(change) and offer.guarantee != "none":',
        "if offer.change is type(change):",
    ),
    Mutant(
        "outbox: facts read again before the first byte",
        "tests/sync/test_verify_facts.py",
        "sync/posting/outbox.py",
        "        if not self._facts_stand():\n            return\n",
        "",
    ),
    Mutant(
        "outbox: a fence never falls",
        "tests/revops/postings/test_moves.py -k i40",
        sql=drop_trigger("postings_posting", "fence_never_falls"),
    ),
    Mutant(
        "outbox: listed moves of postings",
        "tests/revops/postings/test_moves.py -k i29_a_posting",
        sql=drop_trigger("postings_posting", "listed_moves_only"),
    ),
    Mutant(
        "outbox: nothing leaves before its plan",
        f"{DRAFT} -k i29_i30",
        sql=drop_trigger("postings_posting", "leaves_after_release"),
    ),
    # --- approvals: other people, what was shown
    Mutant(
        "approval: maker <> checker (action)",
        f"{SIGN} -k i23",
        "revops/approvals/actions.py",
        "    if user.pk == row.maker_id:",
        "    if False:",
    ),
    Mutant(
        "approval: maker <> checker (database)",
        f"{SIGN} -k i23_i30",
        sql=drop_constraint("approvals_decision", "maker_is_not_checker"),
    ),
    Mutant(
        "approval: one decision a person (database)",
        f"{SIGN} -k i28_i30",
        sql=drop_constraint("approvals_decision", "one_decision_per_person") + "; "
        "ALTER TABLE approvals_decision DROP CONSTRAINT approvals_decision_checkpoint_id_key",
    ),
    Mutant(
        "approval: a decision fits its plan (database)",
        f"{SIGN} -k i24_i27_i30",
        sql=drop_trigger("approvals_decision", "fits_its_plan"),
    ),
    Mutant("approval: signatures stay", f"{SIGN} -k i30_i50", sql=drop_trigger("approvals_decision", "signatures_stay")),
    Mutant("approval: checkpoints stay", f"{SIGN} -k i30_i50", sql=drop_trigger("approvals_checkpoint", "checkpoints_stay")),
    Mutant(
        "approval: digest compared (signature)",
        f"{SIGN} -k i24_an_old",
        "revops/approvals/actions.py",
        "    if digest != row.digest:",
        "    if False:",
    ),
    Mutant(
        "approval: digest compared (stored bytes)",
        f"{SIGN} -k i24_bytes",
        "revops/postings/release.py",
        "    if stored_digest(plan, locked_postings(plan)) != plan.digest:",
        "    if False:",
    ),
    Mutant(
        "approval: facts compared",
        f"{SIGN} -k i25",
        "revops/postings/release.py",
        "    if facts_digest(now) == plan.facts_digest:",
        "    if True:",
    ),
    Mutant(
        "approval: what was submitted is bound",
        f"{DRAFT} -k i24",
        sql=drop_trigger("postings_changeplan", "bound_once_submitted"),
    ),
    Mutant(
        "approval: released only when signed (database)",
        f"{SIGN} -k i26_i30",
        sql=drop_trigger("postings_changeplan", "released_only_when_signed"),
    ),
    Mutant(
        "approval: listed moves of plans",
        "tests/revops/postings/test_moves.py -k i29_a_plan",
        sql=drop_trigger("postings_changeplan", "listed_moves_only"),
    ),
    Mutant("approval: born a draft", f"{DRAFT} -k i29_nothing", sql=drop_trigger("postings_changeplan", "born_a_draft")),
    Mutant(
        "approval: the tier is judged again at release",
        f"{SIGN} -k i26",
        "revops/approvals/actions.py",
        "    if _tier_rose(row, acting_user=acting_user):",
        "    if False:",
    ),
    Mutant(
        "approval: signers still hold their roles",
        f"{SIGN} -k i27",
        "revops/approvals/actions.py",
        "        if not may_sign(decision.checkpoint.role, roles_now(decision.decided_by_id)):",
        "        if False:",
    ),
    Mutant(
        "lines: debits are credits",
        "tests/revops/postings/test_lines.py -k balance",
        sql=drop_trigger("postings_planline", "amount_is_its_lines"),
    ),
    Mutant(
        "lines: the amount is their debits",
        "tests/revops/postings/test_lines.py -k sum_of_its_debits",
        sql=drop_trigger("postings_changeplan", "amount_is_its_lines"),
    ),
    Mutant(
        "lines: bound once submitted",
        "tests/revops/postings/test_lines.py -k i24",
        sql=drop_trigger("postings_planline", "written_with_its_draft"),
    ),
    Mutant(
        "touches: follow their plan",
        "tests/revops/postings/test_lines.py -k i28",
        sql=drop_trigger("postings_plantouch", "follows_its_plan"),
    ),
    Mutant(
        "partly posted: the plan says so",
        "tests/revops/postings/test_moves.py -k i29_a_plan",
        sql=drop_trigger("postings_changeplan", "partly_posted_says_so"),
    ),
    Mutant("approval: one plan under way (database)", f"{DRAFT} -k i28", sql="DROP INDEX one_plan_under_way"),
    Mutant(
        "cases: about an account or a system, never both or neither",
        "tests/sync/test_connection_cases.py -k about_one_thing",
        sql=drop_constraint("cases_exceptioncase", "account_or_system"),
    ),
    # --- audit and people
    Mutant("audit: append-only", "tests/revops/audit -k i50", sql=drop_trigger("audit_actionrecord", "append_only")),
    Mutant("audit: never emptied", "tests/revops/audit -k i50", sql=drop_trigger("audit_actionrecord", "no_truncate")),
    Mutant("audit: somebody acted", "tests/revops/audit -k nobody", sql=drop_constraint("audit_actionrecord", "somebody_acted")),
    Mutant(
        "audit: history demanded",
        "tests/revops/test_history.py -k i49",
        sql=drop_trigger("cases_exceptioncase", "leaves_history"),
    ),
    Mutant(
        "audit: history append-only",
        "tests/revops/test_history.py -k i50",
        sql=drop_trigger("cases_historicalexceptioncase", "append_only"),
    ),
    Mutant(
        "audit: no session skips a trigger",
        "tests/revops/test_history.py -k switches_no_guard",
        "revops/apps.py",
        "        post_migrate.connect(",
        "        (lambda *_, **__: None)(",
    ),
    Mutant(
        "people: roles that conflict (database)",
        "tests/revops/people -k i30",
        sql=drop_trigger("people_rolegrant", "no_conflicting_roles"),
    ),
    # --- kit of the connectors
    Mutant(
        "kit: a listing that leads back ends",
        f"{KIT} -k advance",
        "sync/vendor/paging.py",
        " or page.after in been):",
        "):",
    ),
    Mutant(
        "kit: a rejected token is renewed once",
        f"{KIT} -k rejected",
        "sync/vendor/auth.py",
        "        client.forget(REMEMBERED_AS)\n",
        "",
    ),
    Mutant(
        "kit: signatures are compared",
        f"{KIT} -k another_signature",
        "sync/vendor/signing.py",
        '    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())',
        "    return len(given) == len(expected)",
    ),
    Mutant(
        "kit: the quota is one for all processes",
        "tests/sync/test_quota.py -k two_processes",
        "sync/vendor/quota.py",
        "  redis.call('HSET', key,",
        "  redis.call('HSET', key .. now,",
    ),
    Mutant(
        "breaker: one worker tries",
        "tests/sync/test_breaker.py -k one_worker",
        "sync/connections/breaker.py",
        " AND probe_at <= clock_timestamp()\n",
        "\n",
    ),
    Mutant(
        "breaker: a no is an answer",
        "tests/sync/test_breaker.py -k a_no",
        "sync/vendor/http/client.py",
        "        self._note_answer()\n        return reply\n",
        "        return reply\n",
    ),
)


def texts() -> list[str]:
    """What is wrong with the list itself: a text that its file does not hold exactly once, tests that are not there."""
    wrong = []
    for mutant in MUTANTS:
        if mutant.path and (count := (ROOT / mutant.path).read_text().count(mutant.old)) != 1:
            wrong.append(f"{mutant.name}: {mutant.path} holds its text {count} times")
        wrong += [
            f"{mutant.name}: no {word}"
            for word in mutant.tests.split()
            if word.startswith("tests/") and not (ROOT / word).exists()
        ]
    return wrong


def run(tests: str, copy: Path, **environment: str) -> tuple[int, list[str], str]:
    """Run tests in the copy: the status, the tests that failed (not those that could not start), and the last words."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-p", "no:randomly", *shlex.split(tests)]
    given = {**os.environ, **environment}
    ran = subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False, timeout=900, env=given)
    failed = [line.split(" - ")[0].removeprefix("FAILED ") for line in ran.stdout.splitlines() if line.startswith("FAILED ")]
    return ran.returncode, failed, (ran.stdout + ran.stderr)[-600:]


def killed(mutant: Mutant, copy: Path) -> tuple[bool, str]:
    """Plant it in the copy, run its tests, put everything back. Whether they turned red, and the first that did."""
    kept = {path: (copy / path).read_text() for path in {mutant.path, "tests/conftest.py"} - {""}}
    if mutant.path:
        (copy / mutant.path).write_text(kept[mutant.path].replace(mutant.old, mutant.new))
    if mutant.sql:
        (copy / "tests/conftest.py").write_text(kept["tests/conftest.py"] + UNGUARDED)
    try:
        status, failed, words = run(mutant.tests, copy, MUTANT_SQL=mutant.sql)
    finally:
        for path, text in kept.items():
            (copy / path).write_text(text)
    return status == 1 and bool(failed), failed[0] if failed else words


def main(words: list[str]) -> int:
    """Kill the chosen mutants one after the other."""
    if wrong := texts():
        print("\n".join(wrong), file=sys.stderr)
        return 2
    chosen = [mutant for mutant in MUTANTS if not words or any(word in mutant.name for word in words)]
    survived = 0
    with tempfile.TemporaryDirectory(prefix="revops-mutants-") as folder:
        copy = Path(folder) / "copy"
        shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
        (copy / ".venv").symlink_to(ROOT / ".venv")
        for tests in sorted({mutant.tests for mutant in chosen}):
            status, _, words_of_it = run(tests, copy)
            if status != 0:
                print(f"not green without any mutant: {tests}\n{words_of_it}", file=sys.stderr)
                return 2
        for mutant in chosen:
            started = time.monotonic()
            dead, first = killed(mutant, copy)
            survived += not dead
            print(
                f"{'killed' if dead else 'SURVIVED':<9} {time.monotonic() - started:5.0f} s  {mutant.name:<58} {first}",
                flush=True,
            )
    print(f"{len(chosen) - survived} of {len(chosen)} killed")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
