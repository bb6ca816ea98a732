"""What others met is played here and comes out right; and a play that comes out wrong is seen."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from demo.playback.database import Playground
from demo.playback.rehearsing import rehearse_one
from tests.launch.test_up import until

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SITUATIONS = sorted(path.parent.name for path in HERE.glob("*/input.json"))
Json = dict[str, Any]

ORDINARY = "24-customer-deleted-invoice-stays"
"""Comes out right: one case of 6400.00 USD about one invoice, and one record."""
INVOICE = ["stripe", "invoice", "in_R130"]


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_situation_comes_out_right(name: str, ground: Playground) -> None:
    result = rehearse_one(HERE / name, ground)
    assert result.right, "\n".join(result.lines())


def test_every_situation_is_played_and_says_where_it_was_seen() -> None:
    assert len(SITUATIONS) >= 34
    for name in SITUATIONS:
        assert "Source: " in (HERE / name / "notes.md").read_text(), name


# --- a play that comes out wrong is seen ------------------------------------------------------------------------------


def planted(tmp_path: Path, change: Callable[[Json, Json], object], name: str = ORDINARY) -> Path:
    """A copy of a situation whose two files were changed."""
    came, expected = (json.loads((HERE / name / file).read_text()) for file in ("input.json", "expected.json"))
    change(came, expected)
    (tmp_path / "input.json").write_text(json.dumps(came))
    (tmp_path / "expected.json").write_text(json.dumps(expected))
    return tmp_path


def another_case(_came: Json, expected: Json) -> None:
    expected["cases"].append({"objects": [["netsuite", "invoice", "1"]], "amount": "1.00 USD"})


def unreadable_event(came: Json, expected: Json) -> None:
    event = json.loads(json.dumps(came["steps"][3]["body"]))
    event["id"] = "evt_planted"
    del event["data"]["object"]["id"]
    came["steps"].append({"connection": "stripe", "kind": "event", "body": event})
    expected["dead_letters"] = 0


def unsigned(came: Json, _expected: Json) -> None:
    came["steps"].append({"connection": "stripe", "kind": "event", "body": "{}"})


WRONG: dict[str, tuple[Callable[[Json, Json], object], str]] = {
    "an amount off by a cent": (
        lambda _, expected: expected["cases"][0].update(amount="6400.01 USD"),
        "missing case: 6400.01 USD about stripe invoice in_R130 (a case about them is open for 6400.00 USD)",
    ),
    "another currency": (lambda _, expected: expected["cases"][0].update(amount="6400.00 EUR"), "missing case: 6400.00 EUR"),
    "a missing case": (another_case, "missing case: 1.00 USD about netsuite invoice 1"),
    "a case too many": (
        lambda _, expected: expected.update(cases=[]),
        "unexpected case: 6400.00 USD by invoice_not_posted, about stripe invoice in_R130: Billing finalised invoice",
    ),
    "a case where none may be": (
        lambda _, expected: expected.update(cases="any", silent=[{"objects": [INVOICE]}]),
        "no case may be about stripe invoice in_R130: 6400.00 USD",
    ),
    "a case of another account": (
        lambda _, expected: expected["cases"][0].update(account="001Rx00000Te999IAB"),
        "of the account of 001Rx00000Te130IAB",
    ),
    "a wrong field": (
        lambda _, expected: expected["records"][0].update(fields={"total": "6400.01 USD"}),
        "stripe invoice in_R130: total is 6400.00 USD, should be 6400.01 USD",
    ),
    "zero where it is unknown": (
        lambda _, expected: expected["records"][0].update(fields={"amount_paid": None}),
        "stripe invoice in_R130: amount_paid is 0.00 USD, should be unknown",
    ),
    "known where it is unknown": (
        lambda _, expected: expected["records"][0].update(fields={"total": None}),
        "stripe invoice in_R130: total is 6400.00 USD, should be unknown",
    ),
    "a record of another account": (
        lambda _, expected: expected["records"][0].update(account="001Rx00000Te999IAB"),
        "it belongs to the account of 001Rx00000Te130IAB, should belong to 001Rx00000Te999IAB",
    ),
    "a record that is not there": (
        lambda _, expected: expected["records"][0].update(object=["netsuite", "invoice", "1"]),
        "netsuite invoice 1: the record is not there",
    ),
    "a record that is not deleted": (
        lambda _, expected: expected["records"][0].update(deleted=True),
        "stripe invoice in_R130: deleted is false, should be true",
    ),
    "a dead letter too many": (unreadable_event, "dead letters: 0 may be left, 1 are"),
    "an event that is not taken": (unsigned, "step 7, an event of stripe, was answered with 400"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_seen(what: str, tmp_path: Path, ground: Playground) -> None:
    change, difference = WRONG[what]
    result = rehearse_one(planted(tmp_path, change), ground)
    assert len([line for line in result.differences if difference in line]) == 1, result.lines()
    assert result.lines()[0] == f"WRONG  {tmp_path.name}"


def test_a_dead_letter_is_told_with_its_reason(tmp_path: Path, ground: Playground) -> None:
    result = rehearse_one(planted(tmp_path, unreadable_event), ground)
    assert any(line.startswith("dead letter of stripe: ") and "invoice.id" in line for line in result.remarks)


def test_a_case_about_what_is_allowed_is_no_difference(tmp_path: Path, ground: Playground) -> None:
    result = rehearse_one(planted(tmp_path, lambda _, expected: expected.update(cases=[], allowed=[[INVOICE]])), ground)
    assert result.right, result.lines()


# --- how it is played -------------------------------------------------------------------------------------------------

ERP_INVOICE = "21-currency-jpy"


def hinted(came: Json, expected: Json, *, answered: bool) -> None:
    """The ERP only hints at its invoice; its read comes in the step after it, or never."""
    hint = {"type": "invoice", "id": "81271", "nonce": "0123456789abcdef"}
    came["steps"].insert(4, {"connection": "netsuite", "kind": "event", "body": hint})
    if not answered:
        came["steps"] = came["steps"][:5]
    expected.update(cases="any", dead_letters=0)
    if answered:
        expected["records"] = [{"object": ["netsuite", "invoice", "81271"], "fields": {"total": "500000 JPY"}}]


@pytest.mark.parametrize("answered", [True, False])
def test_what_is_to_be_read_again_waits_for_the_step_that_shows_it(tmp_path: Path, ground: Playground, answered: bool) -> None:
    folder = planted(tmp_path, lambda came, expected: hinted(came, expected, answered=answered), ERP_INVOICE)
    result = rehearse_one(folder, ground)
    assert result.right, result.lines()
    assert [line for line in result.remarks if "No step shows" in line or "read again" in line] == ([] if answered else [
        "a delivery of netsuite waits: No step shows the invoice 81271 yet."
    ])  # fmt: skip


def two_crms(came: Json, expected: Json) -> None:
    for step in came["steps"]:
        step["connection"] = {"stripe": "stripe-eu"}.get(step["connection"], step["connection"])
    expected["cases"][0]["objects"] = [["stripe-eu", "invoice", "in_R130"]]
    expected["records"] = []


def test_connections_are_named_as_the_folder_says(tmp_path: Path, ground: Playground) -> None:
    folder = planted(tmp_path, two_crms)
    assert "no connector stripe-eu for the connection stripe-eu" in rehearse_one(folder, ground).differences[0]
    given = {"stripe-eu": {"connector": "stripe"}, "salesforce": {}, "netsuite": {}}
    (folder / "connections.json").write_text(json.dumps(given))
    result = rehearse_one(folder, ground)
    assert result.right, result.lines()


UNPLAYABLE: dict[str, tuple[Callable[[Json, Json], object], str]] = {
    "an unknown connection": (lambda came, _: came["steps"][0].update(connection="sap"), "There is no connector sap for"),
    "an unknown setting": (
        lambda _, expected: expected.update(settings={"stripe": {"colour": "red"}}),
        "Stripe Billing has no setting colour. It has ",
    ),
    "a misspelt field": (
        lambda _, expected: expected["records"][0].update(fields={"totl": None}), "invoice has no field totl. It has number, "
    ),
    "an unknown object type": (
        lambda _, expected: expected["records"][0].update(object=["stripe", "bill", "in_R130"]),
        "no object type is called bill. There are ",
    ),
    "an event of a system that sends none": (
        lambda came, _: came["steps"][0].update(kind="event"), "Step 1: nobody knows how salesforce signs an event."
    ),
    "a read of what is not read": (
        lambda came, _: came["steps"][2].update(object_type="subscription"),
        "Step 3: Oracle NetSuite is not read for a subscription.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", UNPLAYABLE)
def test_what_cannot_be_played_says_why(what: str, tmp_path: Path, ground: Playground) -> None:
    change, sentence = UNPLAYABLE[what]
    result = rehearse_one(planted(tmp_path, change), ground)
    assert len(result.differences) == 1
    assert sentence in result.differences[0]


# --- the command ------------------------------------------------------------------------------------------------------


def databases(pid: int) -> set[str]:
    """The databases of the playback in that process that are there."""
    params = connection.get_connection_params()
    with psycopg.connect(host=params["host"], user=params["user"], dbname=params["dbname"]) as asked:
        names = asked.execute("SELECT datname FROM pg_database WHERE starts_with(datname, %s)", [f"revops_playback_{pid}_"])
        return {row[0] for row in names}


def started(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "manage.py", "rehearse", str(folder)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ}, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_the_command_plays_a_folder_of_folders_and_leaves_no_database(tmp_path: Path, django_db_setup: None) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    planted(tmp_path / "one", lambda *_: None)
    planted(tmp_path / "two", another_case)
    with started(tmp_path) as running:
        until(lambda: databases(running.pid), "it has a database")
        printed, _ = running.communicate(timeout=200)
    lines = printed.splitlines()
    assert lines[:2] == ["right  one", "WRONG  two"], printed
    assert lines[2] == "       missing case: 1.00 USD about netsuite invoice 1"
    assert lines[-1] == "cases 2 right 1 wrong 1"
    assert running.returncode == 1
    assert databases(running.pid) == set()


@pytest.mark.slow
def test_the_command_drops_its_databases_when_it_is_ended(django_db_setup: None) -> None:
    with started(HERE / ORDINARY) as running:
        until(lambda: databases(running.pid), "it has a database")
        running.terminate()
        assert running.wait(60) == 128 + signal.SIGTERM
    assert databases(running.pid) == set()


@pytest.mark.parametrize(("folder", "sentence"), [
    ("nowhere", "nowhere is no folder. Name the folder of a situation"),
    ("empty", "empty holds no situation: a situation is a folder with input.json and expected.json."),
])  # fmt: skip
def test_the_command_refuses_a_folder_that_holds_none(tmp_path: Path, folder: str, sentence: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(CommandError, match=sentence):
        call_command("rehearse", str(tmp_path / folder))


@pytest.mark.parametrize(("server", "sentence"), [
    ("nonsense", "--server is the address of a database"),
    ("postgresql://revops_application@/postgres?host={host}", "none of these accounts may: revops_application. Name one"),
    ("postgresql://nobody@/postgres?host={host}", 'role "nobody" does not exist'),
])  # fmt: skip
@pytest.mark.outside
def test_an_account_that_may_make_no_database_is_told_what_it_lacks(server: str, sentence: str) -> None:
    host = connection.get_connection_params()["host"]
    with pytest.raises(CommandError) as refused:
        call_command("rehearse", str(HERE / ORDINARY), server=server.format(host=host))
    assert sentence in str(refused.value)
