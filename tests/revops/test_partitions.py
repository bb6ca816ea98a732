"""Months are prepared, found by id, and taken out whole; what is current or unfinished stays."""

from __future__ import annotations

import datetime as dt
import hashlib
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import override_settings
from django.utils import timezone

from revops.audit.models import ActionRecord
from revops.ledger.models import LedgerEntry, SourceRecord
from revops.ledger.reading import record_history
from revops.partitions import PER_MONTH, months_of, prepare_months, rows_without_month, split_tables
from tests import guards
from tests.accounts import as_owner
from tests.revops import world
from tests.revops.attacker import refusal_of

KEEP_ONE = {"inbox": 1, "ledger": 1, "history": 1}


def this_month() -> int:
    today = timezone.now().astimezone(dt.UTC)
    return today.year * 100 + today.month


def months_back(count: int) -> int:
    """202611 for the month `count` months ago."""
    months = (this_month() // 100) * 12 + this_month() % 100 - 1 - count
    return (months // 12) * 100 + months % 12 + 1


def make_month(table: str, number: int) -> None:
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            f'CREATE TABLE "{table}_{number}" PARTITION OF "{table}" '
            f"FOR VALUES FROM ({number * PER_MONTH}) TO ({(number + 1) * PER_MONTH})"
        )


def retention(*words: str) -> str:
    out = StringIO()
    with as_owner():
        call_command("retention", *words, stdout=out)
    return out.getvalue()


@pytest.mark.django_db
def test_what_grows_is_split_and_the_next_months_are_there() -> None:
    tables = split_tables()
    assert {"sync_delivery", "ledger_ledgerentry", "audit_actionrecord", "cases_historicalexceptioncase"} <= set(tables)
    for table in tables:
        names = [month.name for month in months_of(table)]
        assert names[0] == f"{table}_{this_month()}"
        assert names[-1] == f"{table}_other"
        assert len(names) == 5
    assert prepare_months() == []
    assert len(prepare_months(4)) == len(tables)


@pytest.mark.django_db
def test_an_id_tells_its_month_and_javascript_can_read_it() -> None:
    world.systems()
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    for row in (LedgerEntry.objects.latest("id"), ActionRecord.objects.latest("id"), case.history.latest("history_id")):
        assert row.pk // PER_MONTH == this_month()
        assert row.pk < 2**53


@pytest.mark.django_db
def test_a_row_without_a_prepared_month_is_kept_and_told() -> None:
    world.systems()
    world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    entry = LedgerEntry.objects.latest("id")
    assert rows_without_month() == {}
    entry.pk, entry.version = 199001 * PER_MONTH + 1, "another"
    entry.save(force_insert=True)
    assert rows_without_month() == {"ledger_ledgerentry": 1}
    assert LedgerEntry.objects.filter(pk=entry.pk).exists()


@pytest.mark.django_db
@override_settings(REVOPS_KEEP_MONTHS=KEEP_ONE)
def test_an_old_month_goes_whole_and_what_is_current_is_carried_over() -> None:
    world.systems()
    world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    old = months_back(3)
    make_month("ledger_ledgerentry", old)
    record = SourceRecord.objects.filter(object_type="invoice").first()
    assert record is not None
    entry = LedgerEntry.objects.get(pk=record.current_id or 0)
    said = (entry.version, entry.digest, entry.recorded_at)
    entry.pk = old * PER_MONTH + 1
    entry.version, entry.unread = "2020", {"tax": {"code": "amount_decimals", "raw": "1.001"}}
    entry.save(force_insert=True)  # an older version, not current
    entry.pk, entry.version = old * PER_MONTH + 2, "2021"
    entry.save(force_insert=True)
    with guards.down():
        SourceRecord.objects.filter(pk=record.pk).update(
            current_id=entry.pk, version="2021", unread=entry.unread
        )  # as if nothing newer had come since

    assert f"ledger_ledgerentry_{old}: would be moved" in retention()
    assert LedgerEntry.objects.filter(pk__lt=(old + 1) * PER_MONTH).count() == 2
    told = retention("--apply")

    assert f"ledger_ledgerentry_{old}: 2 rows moved to the archive" in told
    assert "1 entries that are still current were carried over" in told
    assert not LedgerEntry.objects.filter(pk__lt=(old + 1) * PER_MONTH).exists()
    record.refresh_from_db()
    carried = LedgerEntry.objects.get(pk=record.current_id or 0)
    assert (carried.version, carried.digest, carried.recorded_at) == ("2021", *said[1:])
    assert carried.unread == entry.unread == record.unread
    assert "2021" in {each.version for each in record_history(record)}
    action = ActionRecord.objects.get(verb="retention.take_out")
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(f"SELECT sha256(convert_to(r::text, 'UTF8')) FROM archive.ledger_ledgerentry_{old} r ORDER BY id")
        digests = b"".join(bytes(row[0]) for row in cursor.fetchall())
    assert action.after == {"rows": 2, "sha256": hashlib.sha256(digests).hexdigest(), "carried": 1}
    assert retention("--apply").count("moved") == 0


@pytest.mark.django_db
@override_settings(REVOPS_KEEP_MONTHS=KEEP_ONE)
def test_an_archived_month_still_refuses_changes() -> None:
    world.systems()
    world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    old = months_back(2)
    make_month("audit_actionrecord", old)
    action = ActionRecord.objects.latest("id")
    action.pk = old * PER_MONTH + 1
    with guards.down():
        action.save(force_insert=True)
    assert "1 rows moved" in retention("--apply")
    for change in ("DELETE FROM", "UPDATE"):
        ending = " SET verb = 'x'" if change == "UPDATE" else ""
        said = refusal_of(f"{change} archive.audit_actionrecord_{old}{ending}")
        assert "permission denied" in said
        with as_owner():
            assert "Cannot" in refusal_of(f"{change} archive.audit_actionrecord_{old}{ending}")


@pytest.mark.django_db
@pytest.mark.parametrize("table", ["sync_delivery", "ledger_ledgerentry", "audit_actionrecord"])
def test_no_month_can_be_emptied(table: str) -> None:
    assert "permission denied" in refusal_of(f'TRUNCATE "{table}_{this_month()}"')
    with as_owner():
        assert "never emptied" in refusal_of(f'TRUNCATE "{table}_{this_month()}"')


@pytest.mark.django_db
def test_nothing_is_old_unless_somebody_said_for_how_long_it_is_kept() -> None:
    make_month("sync_delivery", months_back(30))
    assert "No month is older than what is kept." in retention("--apply")
