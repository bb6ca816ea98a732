"""The log proves itself: whatever is changed behind it, with all rights and every trigger off, is found; by the product, and by
a checker that has nothing of the product."""

from __future__ import annotations

import datetime as dt
import io
import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone

from revops.audit import heads, sealer
from revops.audit.chain import head, seal
from revops.audit.log import record
from revops.audit.models import ActionRecord, Seal
from revops.people.actors import System
from revops.sentences import Sentence
from scripts import check_audit
from tests import guards
from tests.revops.attacker import refusal_of

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.django_db


def act(number: int, reason: str = "Bank said so") -> None:
    with transaction.atomic():
        record(
            "case.assign", f"case:{number}", acting_user=System("tests"), summary=Sentence("test.done", {"n": number}),
            reason=reason, before={"owner": None}, after={"owner": "ana@example.com", "größe": ["ß", 1, 0.5]}, case_id=number,
        )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    settings.REVOPS_AUDIT_HEADS_DIR = tmp_path / "heads"
    return tmp_path / "heads"


@pytest.fixture
def log(folder: Path) -> Path:
    """Ten sealed lines, with a signed head after four and after ten; the folder of the heads."""
    for number in range(4):
        act(number)
    sealer.seal_and_export(timezone.now() - dt.timedelta(minutes=8))
    for number in range(4, 10):
        act(number, "" if number % 2 else "zwölf\nZeilen")
    sealer.seal_and_export(timezone.now())
    assert len(heads.read_heads()) == 2
    return folder


def verify() -> tuple[int, str]:
    out = io.StringIO()
    try:
        call_command("verify_audit", "--quiet", stdout=out)
    except SystemExit as ended:
        return int(str(ended.code)), out.getvalue()
    return 0, out.getvalue()


def check(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The same by the single file, on an export."""
    export = tmp_path / f"export-{len(list(tmp_path.iterdir()))}.jsonl"
    call_command("export_audit", str(export), stdout=io.StringIO())
    capsys.readouterr()
    (key,) = folder.glob("*.pub")
    status = check_audit.main([str(export), str(folder / heads.NAME), str(key)])
    return status, capsys.readouterr().out


def run(statement: str) -> None:
    with guards.down(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_i51_a_whole_log_is_called_whole_by_both(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, said = verify()
    assert (status, "10 lines" in said, "2 signed heads" in said) == (0, True, True), said
    act(11)
    assert "1 not yet sealed" in verify()[1]
    status, said = check(log, tmp_path, capsys)
    assert (status, "10 lines" in said) == (0, True), said


def test_i51_numbers_have_no_gaps_whatever_the_ids(log: Path) -> None:
    assert list(Seal.objects.values_list("sequence", flat=True)) == list(range(1, 11))
    assert set(Seal.objects.values_list("record_id", flat=True)) == set(ActionRecord.objects.values_list("pk", flat=True))


def rehash(statement: str) -> Callable[[], None]:
    """Change something, then make every seal anew, as somebody with all rights can."""

    def tamper() -> None:
        run(statement)
        run("DELETE FROM audit_seal")
        seal()

    return tamper


ID = "(SELECT record_id FROM audit_seal WHERE sequence = {})"
TAMPERED: dict[str, Callable[[], None]] = {
    "a flipped bit": lambda: run(f"UPDATE audit_actionrecord SET reason = 'Bank said sO' WHERE id = {ID.format(1)}"),
    "another actor": lambda: run(f"UPDATE audit_actionrecord SET actor_label = 'system:other' WHERE id = {ID.format(5)}"),
    "an hour earlier": lambda: run(f"UPDATE audit_actionrecord SET at = at - interval '1 hour' WHERE id = {ID.format(5)}"),
    "nothing for an empty text": lambda: run(f"UPDATE audit_actionrecord SET account_id = 0 WHERE id = {ID.format(5)}"),
    "a word moved to the next column": lambda: run(
        f"UPDATE audit_actionrecord SET verb = 'case.assigncase', subject = ':3' WHERE id = {ID.format(4)}"
    ),
    "a removed row": lambda: run(f"DELETE FROM audit_actionrecord WHERE id = {ID.format(5)}"),
    "a removed row with its seal": lambda: run(
        f"DELETE FROM audit_actionrecord WHERE id = {ID.format(5)}; DELETE FROM audit_seal WHERE sequence = 5"
    ),
    "two rows swapped": lambda: run(
        f"UPDATE audit_actionrecord SET subject = 'case:x' WHERE id = {ID.format(2)}; "
        f"UPDATE audit_actionrecord SET subject = 'case:1' WHERE id = {ID.format(3)}; "
        f"UPDATE audit_actionrecord SET subject = 'case:2' WHERE id = {ID.format(2)}"
    ),
    "two seals swapped": lambda: run(
        "UPDATE audit_seal SET record_id = -record_id WHERE sequence IN (2, 3); "
        "UPDATE audit_seal s SET record_id = -o.record_id, content = o.content FROM audit_seal o "
        "WHERE s.sequence IN (2, 3) AND o.sequence = 5 - s.sequence"
    ),
    "the end cut off": lambda: run(
        "DELETE FROM audit_actionrecord WHERE id IN (SELECT record_id FROM audit_seal WHERE sequence > 7); "
        "DELETE FROM audit_seal WHERE sequence > 7"
    ),
    "everything cut off": lambda: run("DELETE FROM audit_actionrecord; DELETE FROM audit_seal"),
    "a rehashed chain": rehash("UPDATE audit_actionrecord SET reason = 'x' WHERE case_id = 2"),
    "a rehashed chain without a row": rehash("DELETE FROM audit_actionrecord WHERE case_id = 9"),
    "a seal's digest": lambda: run("UPDATE audit_seal SET digest = sha256(digest) WHERE sequence = 6"),
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_i51_i52_what_is_changed_behind_the_log_is_found(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    assert verify()[0] == 0
    TAMPERED[what]()
    status, said = verify()
    assert (status, "not whole" in said) == (1, True), said
    status, said = check(log, tmp_path, capsys)
    assert (status, "not whole" in said) == (1, True), said


def altered(line: str) -> str:
    found = json.loads(line)
    return json.dumps({**found, "digest": "0" * 64})


def resigned(line: str) -> str:
    """By a key of somebody else's."""
    head_of = heads.SignedHead(**json.loads(line))
    key = Ed25519PrivateKey.generate()
    return json.dumps({**json.loads(line), "key": heads.key_id(key.public_key()), "signature": key.sign(head_of.message).hex()})


@pytest.mark.parametrize("forge", [altered, resigned, lambda _: "{}", lambda line: line.replace("2026", "2027", 1)])
def test_i52_a_forged_head_is_found(
    log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], forge: Callable[[str], str]
) -> None:
    path = log / heads.NAME
    first, second = path.read_text().splitlines()
    path.write_text(f"{forge(first)}\n{second}\n")
    assert verify()[0] == 1
    assert check(log, tmp_path, capsys)[0] == 1


def test_i52_a_head_is_written_at_least_every_five_minutes(folder: Path) -> None:
    now = timezone.now()
    act(1)
    for seconds in range(0, 1200, 2):  # the sweeper's rounds
        sealer.seal_and_export(now + dt.timedelta(seconds=seconds))
    told = [head.moment for head in heads.read_heads()]
    assert max((later - earlier).total_seconds() for earlier, later in itertools.pairwise(told)) <= 300
    act(2)
    sealer.seal_and_export(told[-1] + dt.timedelta(seconds=62))
    assert [each.sequence for each in heads.read_heads()][-1] == 2, "a minute after something moved"


def test_i52_no_head_is_written_on_a_chain_that_was_cut(log: Path) -> None:
    TAMPERED["the end cut off"]()
    assert sealer.astray()
    for number in range(20, 30):
        act(number)
    sealer.seal_and_export(timezone.now() + dt.timedelta(minutes=9))
    assert len(heads.read_heads()) == 2
    assert sealer.astray(), "also once it is long enough again"


def test_a_folder_that_cannot_be_written_stops_nothing_else(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings.REVOPS_AUDIT_HEADS_DIR = tmp_path / "file"
    act(1)
    sealer.seal_and_export(timezone.now())
    assert head().sequence == 1
    assert verify()[0] == 1


def test_a_month_that_went_to_the_archive_leaves_the_chain_whole(log: Path, tmp_path: Path, capsys: Any) -> None:
    """Its seals stay, and the log says that it went."""
    month = ActionRecord.objects.latest("id").pk // 10**10
    run(f"DELETE FROM audit_actionrecord WHERE id = {ID.format(5)}")
    assert verify()[0] == 1
    with transaction.atomic():
        record("retention.take_out", f"month:audit_actionrecord_{month}", acting_user=System("retention"), summary=Sentence("x"))
    seal()
    assert "1 of them in the archive" in verify()[1]
    assert check(log, tmp_path, capsys)[0] == 0


def test_i50_the_application_writes_no_seal(log: Path) -> None:
    for statement in (
        "INSERT INTO audit_seal VALUES (11, 1, '', '')", "UPDATE audit_seal SET digest = ''", "DELETE FROM audit_seal",
        "CREATE OR REPLACE FUNCTION seal_audit(a float8, b int) RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ):  # fmt: skip
        said = refusal_of(statement)
        assert "denied" in said or "must be owner" in said
    assert refusal_of("SELECT seal_audit(900, 100)") == ""


@pytest.mark.outside
def test_the_checker_needs_nothing_but_python(log: Path, tmp_path: Path) -> None:
    """Copied away from the product, without site-packages."""
    call_command("export_audit", str(tmp_path / "export.jsonl"), stdout=io.StringIO())
    shutil.copy(ROOT / "scripts" / "check_audit.py", tmp_path / "check.py")
    (key,) = log.glob("*.pub")
    command = [sys.executable, "-I", "-S", "check.py", "export.jsonl", str(log / heads.NAME), key.read_text().strip()]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "The log is whole: 10 lines" in ran.stdout
    assert (tmp_path / "export.jsonl").stat().st_mode & 0o077 == 0
    assert ActionRecord.objects.get(verb="audit.export").after == {"sequence": 10}


# --- Ed25519 of the checker: the vectors of RFC 8032, 7.1 --------------------------------------------------------------

VECTORS = [
    ("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"),
    ("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"),
    ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "message", "signature"), VECTORS)
def test_the_checker_verifies_the_vectors_of_the_rfc_and_nothing_near_them(key: str, message: str, signature: str) -> None:
    public, said, signed = bytes.fromhex(key), bytes.fromhex(message), bytes.fromhex(signature)
    assert check_audit.verified(public, said, signed)
    assert not check_audit.verified(public, said + b"x", signed)
    for place in (0, 31, 32, 63):
        flipped = bytearray(signed)
        flipped[place] ^= 1
        assert not check_audit.verified(public, said, bytes(flipped))
    high = (int.from_bytes(signed[32:], "little") + check_audit.ORDER).to_bytes(32, "little")
    assert not check_audit.verified(public, said, signed[:32] + high), "a second form of the same signature"
    assert not check_audit.verified(b"\xff" * 32, said, signed)


def test_the_checker_agrees_with_the_library() -> None:
    for number in range(5):
        key, said = Ed25519PrivateKey.generate(), f"message {number}".encode()
        assert check_audit.verified(key.public_key().public_bytes_raw(), said, key.sign(said))
        assert not check_audit.verified(key.public_key().public_bytes_raw(), said, key.sign(said + b"x"))
