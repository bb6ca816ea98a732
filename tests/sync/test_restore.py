"""The drill: a backup is put back, and what was posted since is found in the vendor's books before anything is posted again."""

from __future__ import annotations

import datetime as dt
import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection
from django.test import Client

from revops.audit import heads
from revops.audit.models import ActionRecord
from revops.audit.sealer import astray, seal_and_export
from revops.cases.models import CaseStatus, ExceptionCase
from revops.errors import Conflict
from revops.ledger.models import Link
from revops.people.actors import System
from revops.people.models import User
from revops.postings.models import Posting
from revops.postings.recover import judge_unexplained
from sync import connections
from sync.intake.announce import announce_reads
from sync.models import Connection
from sync.posting.outbox import send_due
from sync.workers.tasks import send_postings
from tests import accounts
from tests.revops import world
from tests.sync.postable import Book, read_all

pytestmark = pytest.mark.django_db(transaction=True)
UNEXPLAINED = "unexplained_posting"


def said_by(*command: str) -> str:
    out = io.StringIO()
    call_command(*command, stdout=out)
    return out.getvalue()


@contextmanager
def another_database(template: str) -> Iterator[str]:
    """Inside, the product works on another database: an empty one (`template1`), or a copy of one."""
    own, name = str(connection.settings_dict["NAME"]), f"restored_{os.getpid()}"
    connection.close()
    accounts.make(name, template)
    connection.settings_dict["NAME"] = name
    connections.forget_handles()
    try:
        yield name
    finally:
        connection.close()
        connection.settings_dict["NAME"] = own
        connections.forget_handles()
        accounts.administer("DROP DATABASE {database} WITH (FORCE)", name)


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """Of the signed heads: outside the database, as an operator keeps it."""
    settings.REVOPS_AUDIT_HEADS_DIR = tmp_path / "heads"
    return tmp_path / "heads"


@pytest.fixture
def copy() -> Iterator[str]:
    """A cold copy of the database as it is when the test asks for it."""
    name = f"copy_{os.getpid()}"
    yield name
    accounts.administer("DROP DATABASE IF EXISTS {database} WITH (FORCE)", name)


def switch_on(slug: str, by: User) -> None:
    world.allow_posting(slug, by)


def settle(root: User, cora: User, forgotten_key: str) -> None:
    """From the moment after the restore to the moment at which posting is back."""
    assert not Connection.objects.filter(posting_enabled=True).exists(), "off for every connection"
    with pytest.raises(Conflict, match="has not been read to its end"):
        switch_on("netsuite", root)
    read_all("netsuite")
    announce_reads()
    case = ExceptionCase.objects.get(rule=UNEXPLAINED)
    with pytest.raises(Conflict, match=f"{case.code}: .*{forgotten_key}"):
        switch_on("netsuite", root)
    record = Link.objects.get(target_id=forgotten_key).record
    judge_unexplained(record, key=forgotten_key, verdict="ours", reason="Approved on paper", acting_user=cora)
    world.detect()
    case.refresh_from_db()
    assert case.status == CaseStatus.CLOSED
    switch_on("netsuite", root)
    line = ActionRecord.objects.filter(verb="connection.confirm_posting").latest("id")
    assert (line.reason, line.after) == ("Settled", {"posting_enabled": True, "restored_at": None})
    assert root.username in str(line.summary), "who proposed it"


def test_i44_a_restored_backup_posts_nothing_until_what_it_forgot_is_settled(erp: Book, folder: Path, tmp_path: Path) -> None:
    root, cora = world.person("root", "admin"), world.person("cora", "controller")
    announce_reads()
    waiting = erp.released("50.00")
    seal_and_export(dt.datetime.now(dt.UTC) - dt.timedelta(minutes=5))
    backup = tmp_path / "revops.backup"
    assert "MB in" in said_by("backup", str(backup))
    assert backup.stat().st_mode & 0o077 == 0
    send_due()
    assert erp.sent() == 1
    read_all("netsuite")
    later = erp.released("70.00")
    send_due()
    assert len(erp.effects()) == 2
    seal_and_export(dt.datetime.now(dt.UTC))
    lines_then = heads.read_heads()[-1].sequence

    with another_database("template1"):
        told = said_by("restore", str(backup))
        assert "Posting is off for every connection" in told
        assert f"netsuite: {Connection.objects.get(pk='netsuite').system.label} has not been read" in told
        assert not Posting.objects.filter(key=later.key).exists(), "it has forgotten this one"
        assert Posting.objects.get(key=waiting.key).state == "released", "and that this one left"
        assert send_due() == 0
        assert not astray()
        said = said_by("verify_audit", "--quiet")
        assert f"it had come to {lines_then}" in said
        assert "The log is whole" in said
        settle(root, cora, later.key)
        send_due()
        assert len(erp.effects()) == 2, "nothing was made twice"
        assert Posting.objects.get(key=waiting.key).state == "confirmed"


def test_i44_a_copy_that_was_put_back_by_hand_posts_nothing_either(erp: Book, folder: Path, copy: str) -> None:
    """As with a cold copy of the server's data folder: nothing in the database tells, the signed heads outside it do."""
    root, cora = world.person("root", "admin"), world.person("cora", "controller")
    announce_reads()
    connection.close()
    accounts.make(copy, str(connection.settings_dict["NAME"]))
    forgotten = erp.released("70.00")
    send_due()
    assert len(erp.effects()) == 1
    seal_and_export(dt.datetime.now(dt.UTC))

    with another_database(copy):
        assert Connection.objects.get(pk="netsuite").posting_enabled
        again = erp.released("30.00")
        send_postings()
        assert len(erp.effects()) == 1, "asked before anything is sent"
        assert ActionRecord.objects.filter(verb="connection.restored", actor_label="system:posting").exists()
        with pytest.raises(Conflict, match=r"manage\.py restored"):
            switch_on("netsuite", root)
        with pytest.raises(SystemExit):
            said_by("verify_audit", "--quiet")
        assert "Posting is off" in said_by("restored", "--reason", "The disk of the server failed")
        with pytest.raises(CommandError, match="nothing was put back"):
            said_by("restored", "--reason", "once more")
        settle(root, cora, forgotten.key)
        send_due()
        assert Posting.objects.get(pk=again.pk).state == "void", "it was approved on facts that had moved"
        assert len(erp.effects()) == 1
        assert "The log is whole" in said_by("verify_audit", "--quiet")


def test_a_backup_is_written_over_nothing_and_goes_into_an_empty_database_alone(folder: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("something else")
    with pytest.raises(CommandError, match="is there already"):
        said_by("backup", str(there))
    with pytest.raises(CommandError, match="cannot be written"):
        said_by("backup", str(tmp_path / "no" / "such" / "folder"))
    with pytest.raises(CommandError, match=r"has \d+ tables. A backup goes into an empty one"):
        said_by("restore", str(there))
    with pytest.raises(CommandError, match="There is no file"):
        said_by("restore", str(tmp_path / "nothing"))
    assert there.read_text() == "something else"
    with another_database("template1"), pytest.raises(CommandError, match="Nothing was put back"):
        said_by("restore", str(there))


def test_i44_the_database_itself_lets_nothing_post_before(erp: Book, client: Client) -> None:
    with pytest.raises(IntegrityError, match="waits_until_settled"):
        Connection.objects.filter(pk="netsuite").update(restored_at=dt.datetime.now(dt.UTC))
    connections.mark_restored(acting_user=System("tests"), reason="drill")
    with pytest.raises(IntegrityError, match="switched on by two persons"):
        Connection.objects.filter(pk="netsuite").update(posting_enabled=True)
    erp.released("10.00")
    assert send_due() == 0
    assert erp.sent() == 0
    assert "The database was put back: nothing is posted to" in str(client.get("/readyz").json()["warnings"])


def test_a_record_of_nobodys_holds_posting_back_only_while_it_counts(erp: Book) -> None:
    connections.mark_restored(acting_user=System("tests"), reason="drill")
    row = Connection.objects.select_related("system").get(pk="netsuite")
    to = {"customer": "netsuite:404", "change": "revops:rvo-forgotten"}
    open_ones = []
    for status, deleted in (("applied", False), ("void", False), ("applied", False), ("applied", True)):
        world.say("netsuite", world.fact("credit_memo", "90", to, number="CM-90", status=status, deleted=deleted))
        open_ones.append(any("CM-90 bears our reference rvo-forgotten" in line for line in connections.unsettled(row)))
    assert open_ones == [True, False, True, False]
