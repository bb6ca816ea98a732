"""Instants as the product's database engine reads them, beside Django's own engine on the same database."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import psycopg
import pytest
from django.db import DataError, connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.postgresql.base import DatabaseWrapper as DjangosOwn

from revops.postgresql.base import DatabaseWrapper

pytestmark = pytest.mark.django_db

INSTANTS = {
    "2026-11-20 14:05:06.789012+00": dt.datetime(2026, 11, 20, 14, 5, 6, 789012, dt.UTC),
    "2026-11-20 14:05:06.7+00": dt.datetime(2026, 11, 20, 14, 5, 6, 700000, dt.UTC),
    "2026-11-20 14:05:06.000001+00": dt.datetime(2026, 11, 20, 14, 5, 6, 1, dt.UTC),
    "2026-11-20 14:05:06+00": dt.datetime(2026, 11, 20, 14, 5, 6, 0, dt.UTC),
    "2026-11-20 00:00:00+00": dt.datetime(2026, 11, 20, tzinfo=dt.UTC),
    "2026-07-01 23:30:00+05:30": dt.datetime(2026, 7, 1, 18, 0, tzinfo=dt.UTC),
    "2024-02-29 12:00:00+00": dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC),
    "1970-01-01 00:00:00+00": dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
    "1969-12-31 23:59:59.999999+00": dt.datetime(1969, 12, 31, 23, 59, 59, 999999, dt.UTC),
    "1883-11-18 12:00:00+00": dt.datetime(1883, 11, 18, 12, tzinfo=dt.UTC),
    "0001-01-02 00:00:00+00": dt.datetime(1, 1, 2, tzinfo=dt.UTC),
    "9999-12-30 23:59:59.999999+00": dt.datetime(9999, 12, 30, 23, 59, 59, 999999, dt.UTC),
}
EDGES = {
    "0001-01-01 00:00:00+00": dt.datetime(1, 1, 1, tzinfo=dt.UTC),
    "9999-12-31 23:59:59.999999+00": dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC),
}
"""A session in another zone writes them with a year that Python has not."""
ZONES = ("UTC", "America/New_York", "Asia/Tokyo", "Asia/Kathmandu", "Pacific/Kiritimati")


@pytest.fixture
def djangos_own() -> Iterator[BaseDatabaseWrapper]:
    own = DjangosOwn({**connection.settings_dict}, alias=connection.alias)
    yield own
    own.close()


def read(from_: BaseDatabaseWrapper, text: str | None, zone: str = "UTC") -> object:
    """The instant that PostgreSQL understands by a text, as a session of this zone returns it."""
    with from_.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone])
        cursor.execute("SELECT %s::timestamptz", [text])
        return cursor.fetchone()[0]


def test_the_product_runs_on_this_engine() -> None:
    assert isinstance(connections["default"], DatabaseWrapper)


@pytest.mark.parametrize("text", [*INSTANTS, *EDGES])
def test_an_instant_is_read_exactly_in_utc_and_as_django_reads_it(text: str, djangos_own: BaseDatabaseWrapper) -> None:
    found = read(connection, text)
    assert isinstance(found, dt.datetime)
    assert found == (INSTANTS | EDGES)[text]
    assert found.tzinfo is dt.UTC
    own = read(djangos_own, text)
    assert isinstance(own, dt.datetime)
    assert (found, found.utcoffset()) == (own, own.utcoffset())


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("text", INSTANTS)
def test_a_session_in_another_zone_reads_the_same(text: str, zone: str) -> None:
    found = read(connection, text, zone)
    assert isinstance(found, dt.datetime)
    assert (found, found.tzinfo) == (INSTANTS[text], dt.UTC)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    "text", ["infinity", "-infinity", "0044-03-15 12:00:00+00 BC", "0001-12-31 20:00:00+00 BC", "10000-01-01 00:00:00+00"]
)
def test_what_python_cannot_hold_is_refused(text: str, zone: str) -> None:
    with pytest.raises(DataError) as refused:
        read(connection, text, zone)
    assert isinstance(refused.value.__cause__, psycopg.DataError)


def test_nothing_stays_nothing() -> None:
    assert read(connection, None) is None


def test_several_instants_of_one_row_and_of_an_array() -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT array_agg(t ORDER BY t), min(t), NULL::timestamptz, max(t) FROM unnest(%s::timestamptz[]) t", [list(INSTANTS)]
        )
        every, first, nothing, last = cursor.fetchone()
    assert every == sorted(INSTANTS.values())
    assert (first, nothing, last) == (every[0], None, every[-1])
