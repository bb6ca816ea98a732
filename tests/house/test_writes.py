"""Each noun is written by the modules named here and by no other; pages, API, tasks and commands write nothing.

Found in the code without running it: creations, changes and removals through a model, through a name that was bound to one, in
SQL, and `.save()` or `.delete()` of a row. Every look has a planted break that it must notice.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.apps import apps

from sync.workers.queues import QUEUES
from tests.house.test_words import ROOT, parsed, python_files

WRITERS: dict[str, set[str]] = {
    "User": {"revops/access/joiners.py", "revops/access/leavers.py", "revops/identity/passwords.py",
             "revops/identity/links.py"},
    "RoleGrant": {"revops/access/grants.py"},
    "AccessProposal": {"revops/access/proposals.py", "revops/access/leavers.py"},
    "Delegation": {"revops/access/delegations.py", "revops/access/leavers.py"},
    "ApiToken": {"revops/identity/tokens.py"},
    "OneTimeLink": {"revops/identity/links.py", "revops/access/leavers.py"},
    "SignInFailure": {"revops/identity/failures.py"},
    "UserSession": {"revops/identity/sessions.py", "revops/identity/passwords.py"},
    "TotpSecret": {"revops/identity/totp.py", "revops/identity/factors.py"},
    "Passkey": {"revops/identity/passkeys.py", "revops/identity/factors.py"},
    "RecoveryCode": {"revops/identity/recovery_codes.py", "revops/identity/factors.py"},
    "StepUp": {"revops/identity/step_up.py"},
    "Installation": {"revops/installation/kind.py"},
    "LegalEntity": {"revops/accounts/link.py"},
    "ActionRecord": {"revops/audit/log.py"},
    "Seal": {"revops/audit/chain.py"},
    "Account": {"revops/accounts/link.py"},
    "AccountLink": {"revops/accounts/link.py"},
    "ExchangeRate": {"revops/ledger/rates.py"},
    "Link": {"revops/ledger/record.py"},
    "SourceSystem": {"sync/connections/actions.py"},
    "SourceRecord": {"revops/ledger/record.py", "revops/ledger/attach.py", "revops/ledger/relink.py",
                     "revops/ledger/retention.py"},
    "LedgerEntry": {"revops/ledger/record.py", "revops/ledger/retention.py"},
    "Freshness": {"revops/ledger/freshness.py"},
    "DueAccount": {"revops/ledger/due.py"},
    "ExceptionCase": {"revops/cases/lifecycle.py", "revops/cases/actions.py"},
    "Expectation": {"revops/cases/lifecycle.py"},
    "RuleSwitch": {"revops/cases/trial.py"},
    "CounterpartVerdict": {"revops/ledger/counterparts.py"},
    "CaseNote": {"revops/cases/actions.py"},
    "CaseWatch": {"revops/cases/actions.py"},
    "SavedView": {"revops/cases/actions.py"},
    "ChangePlan": {"revops/postings/draft.py", "revops/postings/release.py", "revops/postings/transitions.py",
                   "revops/approvals/actions.py"},
    "PlanLine": {"revops/postings/draft.py"},
    "PlanTouch": {"revops/postings/draft.py", "revops/postings/triggers.py"},
    "Posting": {"revops/postings/draft.py", "revops/postings/release.py", "revops/postings/transitions.py",
                "revops/postings/confirm.py", "revops/postings/recover.py"},
    "RecordVerdict": {"revops/postings/recover.py"},
    "Checkpoint": {"revops/approvals/actions.py"},
    "Decision": {"revops/approvals/actions.py"},
    "Circuit": {"sync/connections/breaker.py"},
    "Connection": {"sync/connections/actions.py", "sync/connections/rows.py", "sync/connections/restored.py",
                   "sync/connections/handles.py"},
    "PostingProposal": {"sync/connections/proposals.py"},
    "Delivery": {
        "sync/intake/inbox.py", "sync/applying/claims.py", "sync/applying/replay.py",
        "demo/playback/database.py",  # of a database of its own, as its administrator
    },
    "DeliveryKey": {"sync/intake/inbox.py"},
    "Replay": {"sync/applying/replay.py"},
    "Watermark": {"sync/connections/actions.py", "sync/connections/switches.py", "sync/pull/poll.py", "sync/pull/streams.py",
                  "sync/intake/announce.py"},
    "IntakeTally": {"sync/intake/refusals.py"},
    "Heartbeat": {"sync/ground/heartbeat.py"},
    "IdempotentAnswer": {"revops/api/idempotency.py"},
}  # fmt: skip
"""Noun -> the modules that write it. A line here is a decision: one more writer is one more place to hold every promise."""
GOVERNED = {"AccessProposal", "Account", "AccountLink", "ChangePlan", "Connection", "CounterpartVerdict", "Delegation",
            "ExceptionCase", "PostingProposal", "RoleGrant", "RuleSwitch", "User"}  # fmt: skip
BULK_ALLOWED = {"sync/connections/actions.py": {"Connection"}}
"""Bulk statements on governed rows: only of columns that their history leaves out (the last problem of a connection)."""
SURFACE = re.compile(
    r"revops/(web|api)/|sync/intake/(views|fast_path)\.py|sync/(surface|workers)/|/management/|/templatetags/|/forms?\.py"
)
SURFACE_WRITERS = {"revops/api/idempotency.py"}
"""The API's own memory of the answers it gave is its own noun."""

MAKES = {"create", "bulk_create", "get_or_create", "update_or_create", "acreate", "abulk_create"}
BULK = {"bulk_create", "bulk_update", "update", "abulk_create", "aupdate", "_raw_delete", "insert"}
REMOVES = {"delete", "adelete", "_raw_delete"}
WRITES = MAKES | BULK | REMOVES
OF_A_ROW = {"save", "asave", "delete", "adelete", "save_base", "save_without_historical_record"}
ROWS = re.compile(r"_set\b|\bfilter\(|\bexclude\(|\.all\(")
"""Where something is a queryset by the look of it."""
NO_ROWS = {"cache", "session", "request.session", "response", "self._bar", "qr_code"}
"""What has a `delete` or `save` of its own and is no row."""


def ours() -> dict[str, str]:
    """Model name -> table, of the models that this project declares."""
    found = {}
    for model in apps.get_models():
        if model.__module__.split(".")[0] in {"revops", "sync"} and "Historical" not in model.__name__:
            found[model.__name__] = str(model._meta.db_table)
    return found


TABLES = {table: name for name, table in ours().items()}
QUEUE_NOUNS = {queue.name.upper(): TABLES[queue.table] for queue in QUEUES}
"""The names under which queues are declared -> whose rows they write."""
QUEUE_WRITES = {"write", "progress", "claim", "renew"}
SQL_WRITE = re.compile(r"(?i)\b(insert\s+into|update|delete\s+from|truncate(?:\s+table)?|merge\s+into)\s+(?:only\s+)?\"?(\w+)")


@dataclass(frozen=True, slots=True)
class Write:
    """One place that writes. `noun` is empty where the code does not say which row it saves."""

    line: int
    noun: str
    how: str


def writes(path: Path) -> Iterator[Write]:
    """Every place in a file that writes a row of ours."""
    tree = parsed(path)
    named = {alias.asname or alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)
             and (node.module or "").endswith("models") for alias in node.names} & set(WRITERS)  # fmt: skip
    bound = _bound(tree, named)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from _call(node, named, bound)
        yield from _sql(node)


def _bound(tree: ast.Module, named: set[str]) -> dict[str, str]:
    """Names that were bound to rows of a model: `found = Delivery.objects.filter(...)`."""
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            noun = _root(node.value)
            if noun in named and "objects" in ast.unparse(node.value):
                bound[node.targets[0].id] = noun
    return bound


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""


def _call(node: ast.Call, named: set[str], bound: dict[str, str]) -> Iterator[Write]:
    if isinstance(node.func, ast.Name) and node.func.id in named:
        yield Write(node.lineno, node.func.id, "made")
    if not isinstance(node.func, ast.Attribute):
        return
    method, receiver = node.func.attr, ast.unparse(node.func.value)
    root = _root(node.func.value)
    noun = root if root in named else bound.get(root, "")
    if receiver in QUEUE_NOUNS and method in QUEUE_WRITES:
        yield Write(node.lineno, QUEUE_NOUNS[receiver], f"queue {method}")
    through_rows = "objects" in receiver or "_default_manager" in receiver or (noun and root == receiver)
    if method in WRITES and noun and through_rows:
        yield Write(node.lineno, noun, method)
    elif method in OF_A_ROW and receiver not in NO_ROWS:
        yield Write(node.lineno, "", method)
    elif method in MAKES - {"create"} or (method in {"create", "update"} and (through_rows or ROWS.search(receiver))):
        yield Write(node.lineno, noun, method)


def _sql(node: ast.AST) -> Iterator[Write]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        for how, table in SQL_WRITE.findall(node.value):
            if table.lower() in TABLES:
                yield Write(node.lineno, TABLES[table.lower()], f"SQL {how.lower()}")
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "copy_rows":
        table = node.args[0]
        assert isinstance(table, ast.Constant), "copy_rows names its table"
        yield Write(node.lineno, TABLES.get(str(table.value), str(table.value)), "SQL copy")


def product_files() -> Iterator[Path]:
    for path in python_files():
        if not {"simulators", "rehearsal"} & set(path.relative_to(ROOT).parts):
            yield path


def strangers(where: str, path: Path) -> list[str]:
    """What a file writes though it is not its to write."""
    everybody = set().union(*WRITERS.values())
    return [
        f"{where}:{write.line}: {write.how} {write.noun or 'a row'}"
        for write in writes(path)
        if where not in (WRITERS[write.noun] if write.noun else everybody)
    ]


def unseen_bulk(where: str, path: Path) -> list[str]:
    """Bulk statements on governed rows, in a module that leaves no history in bulk."""
    allowed = GOVERNED if "write_history(" in path.read_text() else BULK_ALLOWED.get(where, set())
    return [
        f"{where}:{write.line}: {write.how} {write.noun}"
        for write in writes(path)
        if write.noun in GOVERNED - allowed and (write.how in BULK or write.how.startswith("SQL"))
    ]


def test_every_noun_has_its_writers_here() -> None:
    assert set(ours()) == set(WRITERS)
    for noun, places in WRITERS.items():
        for place in places:
            assert (ROOT / place).exists(), f"{place} writes {noun} and is not there"
        found = {place for place in places if any(write.noun in {noun, ""} for write in writes(ROOT / place))}
        assert found == places, f"{noun} is no longer written by {places - found}"


def test_nouns_are_written_by_their_writers_only() -> None:
    found = [line for path in product_files() for line in strangers(str(path.relative_to(ROOT)), path)]
    assert not found, "\n".join(found)


def test_no_page_address_task_or_command_writes() -> None:
    assert {place for places in WRITERS.values() for place in places if SURFACE.search(place)} == SURFACE_WRITERS
    surface = [path for path in product_files() if SURFACE.search(str(path.relative_to(ROOT)))]
    assert len(surface) > 40
    found = {str(path.relative_to(ROOT)) for path in surface if list(writes(path))}
    assert found == SURFACE_WRITERS


def test_governed_rows_are_changed_one_by_one() -> None:
    found = [line for path in product_files() for line in unseen_bulk(str(path.relative_to(ROOT)), path)]
    assert not found, "\n".join(found)


MODEL = "from revops.cases.models import ExceptionCase\n"
PLANTED = {
    "a view that saves": "def view(request):\n    case = load()\n    case.save()\n",
    "a form that saves": "def view(request):\n    form.save()\n",
    "a view that makes a row": MODEL + "def view(request):\n    ExceptionCase.objects.create(rule='x')\n",
    "a row made and left to somebody": MODEL + "def view(request):\n    return ExceptionCase(rule='x')\n",
    "a bulk update": MODEL + "def view(request):\n    ExceptionCase.objects.filter(pk=1).update(status='open')\n",
    "a bulk update through a name": MODEL
    + "def view(r):\n    found = ExceptionCase.objects.all()\n    found.update(status='x')\n",
    "a bulk update through a relation": "def view(request):\n    account.cases.filter(pk=1).update(status='open')\n",
    "a removal": MODEL + "def view(request):\n    ExceptionCase.objects.filter(pk=1).delete()\n",
    "get_or_create through a relation": "def view(request):\n    case.watches.get_or_create(user=request.user)\n",
    "a queue's row": "def view(request):\n    POSTINGS.write([POSTINGS.finish(claim, state='posted')])\n",
    "SQL": "def view(request):\n    cursor.execute('UPDATE cases_exceptioncase SET status = 1')\n",
    "SQL on several lines": "Q = '''\n  INSERT INTO\n  audit_actionrecord (verb) VALUES (1)'''\n",
    "a copy of many rows": "def view(request):\n    copy_rows('ledger_ledgerentry', COLUMNS, rows)\n",
    "SQL made of parts": "Q = f'DELETE FROM postings_posting WHERE {x}'\n",
}


@pytest.mark.parametrize("case", PLANTED)
def test_a_planted_write_is_noticed(case: str, tmp_path: Path) -> None:
    path = tmp_path / "planted.py"
    path.write_text(PLANTED[case])
    assert strangers("revops/web/planted.py", path)


@pytest.mark.parametrize("case", ["a bulk update", "a bulk update through a name", "SQL"])
def test_a_planted_bulk_change_is_noticed_even_where_rows_are_written(case: str, tmp_path: Path) -> None:
    path = tmp_path / "planted.py"
    path.write_text(PLANTED[case])
    assert unseen_bulk("revops/cases/lifecycle.py", path)


@pytest.mark.parametrize(
    "harmless",
    [
        "counts.update(x)\ncache.delete('k')\nrequest.session.save()\n",
        MODEL + "def view(request):\n    return ExceptionCase.objects.filter(status='open').count()\n",
        "digest.update(b'x')\ntext = 'an update of the queue'\nQ = 'SELECT 1 FROM cases_exceptioncase FOR UPDATE'\n",
    ],
)
def test_reading_is_not_writing(harmless: str, tmp_path: Path) -> None:
    path = tmp_path / "harmless.py"
    path.write_text(harmless)
    assert strangers("revops/web/harmless.py", path) == []


# --- what the linter must notice in our configuration --------------------------------------------------------------------

LINT = {
    "datetime.now() without a zone": ("import datetime as dt\nx = dt.datetime.now()\n", "DTZ005"),
    "utcnow": ("import datetime as dt\nx = dt.datetime.utcnow()\n", "DTZ003"),
    "today of the machine": ("import datetime as dt\nx = dt.date.today()\n", "DTZ011"),
    "a moment without a zone": ("import datetime as dt\nx = dt.datetime(2026, 1, 1)\n", "DTZ001"),
    "a moment of a stamp without a zone": ("import datetime as dt\nx = dt.datetime.fromtimestamp(1)\n", "DTZ006"),
    "eval": ("x = eval('1')\n", "S307"),
    "pickle": ("import pickle\nx = pickle.loads(b'')\n", "S301"),
    "SQL made of text": ("def f(c, x):\n    c.execute(f'SELECT * FROM a WHERE b = {x}')\n", "S608"),
    "print": ("print('x')\n", "T201"),
    "a swallowed exception": ("try:\n    f()\nexcept Exception:\n    pass\n", "S110"),
    "a password in the code": ("password = 'hunter2-hunter2'\n", "S105"),
    "text marked as safe": ("from django.utils.safestring import mark_safe\nx = mark_safe('a' + y)\n", "S308"),
}


@pytest.mark.parametrize("place", ["revops/ledger/planted.py", "sync/planted.py", "revops/web/planted.py"])
@pytest.mark.outside
def test_the_linter_notices_what_must_not_be(place: str) -> None:
    program = str(Path(sys.executable).parent / "ruff")
    for what, (planted, code) in LINT.items():
        command = [program, "check", "--no-cache", "--output-format=concise", f"--stdin-filename={ROOT / place}", "-"]
        said = subprocess.run(command, cwd=ROOT, input=planted, capture_output=True, text=True, check=False)
        assert f" {code} " in said.stdout, (what, said.stdout, said.stderr)
