"""Durable before 2xx, and our own trouble is never a 2xx or a 4xx: with real processes, killed and starved for real.

The client keeps a journal of what it was promised and writes it through to the disk, as a vendor that means it would.
"""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2
import psutil
import psycopg
import pytest
from django.db import connection
from psycopg import sql

from launch.embedded import Server, addresses, ensure_database, free_port, start_postgres
from sync.connections.handles import CACHE_SECONDS
from sync.models import Connection, Delivery
from tests.accounts import SUPERUSER, as_owner, signed_in
from tests.sync import stripe_sender
from tests.sync.processes import ROOT, environment, serving, until, web_server
from tests.sync.stripe_sender import event, headers, rendered

pytestmark = pytest.mark.slow


class Vendor:
    """Sends deliveries from several threads until the block ends; what was not answered with 2xx is sent again, as vendors do."""

    def __init__(self, url: str, journal: Path, first: int, threads: int = 6) -> None:
        self.url, self.journal, self.broken = url, journal, 0
        self._next, self._again, self._end = first, [], threading.Event()  # type: ignore[var-annotated]
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._work) for _ in range(threads)]

    def __enter__(self) -> Self:
        self._log = os.open(self.journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()
        os.close(self._log)

    def _work(self) -> None:
        with httpx2.Client(base_url=self.url, timeout=10, trust_env=False) as client:
            while not self._end.is_set():
                with self._lock:
                    number = self._again.pop() if self._again else self._next
                    self._next += number == self._next
                body = rendered(event(number, f"Customer {number}"))
                try:
                    status = client.post("/intake/stripe/", content=body, headers=headers(body)).status_code
                except httpx2.HTTPError:
                    status = 0
                if status == 202:
                    os.write(self._log, f"evt_{number:08d} {hashlib.sha256(body).hexdigest()}\n".encode())
                    os.fsync(self._log)
                else:
                    with self._lock:
                        self.broken += 1
                        self._again.append(number)
                    assert status in {0, 503}, status
                    self._end.wait(0.02)


def promised(journal: Path) -> dict[str, str]:
    """Key -> SHA-256 of the body, of every delivery that was answered with 2xx."""
    return dict(line.split() for line in journal.read_text().splitlines()) if journal.exists() else {}


def test_i1_every_2xx_has_its_row_though_the_web_server_is_killed_under_load(stripe: Connection, tmp_path: Path) -> None:
    journal, port = tmp_path / "journal", free_port()
    for round_number in range(3):
        before = len(promised(journal))
        with serving(port) as server, Vendor(f"http://127.0.0.1:{port}", journal, round_number * 100_000) as vendor:
            until(lambda before=before: len(promised(journal)) > before + 40)  # type: ignore[misc]
            os.killpg(server.pid, signal.SIGKILL)
            until(lambda vendor=vendor: vendor.broken > 5)  # type: ignore[misc]
        assert server.poll() == -signal.SIGKILL, "it was really killed, in the middle of requests"
    kept = {row.dedup_key: row for row in Delivery.objects.all()}
    for key, digest in promised(journal).items():
        assert kept[key].digest == digest == hashlib.sha256(bytes(kept[key].body)).hexdigest()
    assert len(promised(journal)) > 120


@pytest.fixture(scope="module")
def own_postgres(django_db_setup: None) -> Iterator[tuple[Path, list[Server], str]]:
    """A PostgreSQL of these tests' own, with the product's tables and a Stripe connection: it may be killed and frozen."""
    with tempfile.TemporaryDirectory(prefix="revops-") as name:
        folder = Path(name)
        servers = [start_postgres(folder, folder / "log")]
        ensure_database(servers[0].url, "killed")
        application, owner = addresses(servers[0].url, "killed")
        url = application["DATABASE_URL"]
        connect = (
            "import django; django.setup()\n"
            "from revops.people.actors import System\nfrom sync import connections\n"
            "connections.connect(slug='stripe', vendor='stripe', base_url='http://127.0.0.1:1099', started=True,\n"
            f"  values={{'api_key': {stripe_sender.API_KEY!r}, 'webhook_secret': {stripe_sender.SECRET!r}}},\n"
            "  acting_user=System('tests'))\n"
        )
        given = environment(**application, **owner, DJANGO_SETTINGS_MODULE="revops.settings")
        for command in (["manage.py", "migrate", "--noinput", "-v", "0"], ["-c", connect]):
            subprocess.run([sys.executable, *command], cwd=ROOT, env=given, check=True, timeout=90)
        try:
            yield folder, servers, url
        finally:
            servers[-1].stop()


def test_i1_every_2xx_has_its_row_though_the_database_is_killed_under_load(
    own_postgres: tuple[Path, list[Server], str], tmp_path: Path
) -> None:
    """kill -9 of the postmaster and every backend; the server recovers from its log, the web server by itself."""
    folder, servers, url = own_postgres
    journal = tmp_path / "journal"
    with web_server(DATABASE_URL=url) as web, Vendor(web, journal, 1_000_000) as vendor:  # no other test's numbers
        for _ in range(2):
            before, broken = len(promised(journal)), vendor.broken
            until(lambda before=before: len(promised(journal)) > before + 40)  # type: ignore[misc]
            family = [psutil.Process(servers[-1].process.pid), *psutil.Process(servers[-1].process.pid).children()]
            for process in family:
                process.kill()
            servers[-1].process.wait(20)
            psutil.wait_procs(family, 20)
            until(lambda broken=broken: vendor.broken > broken + 5)  # type: ignore[misc]
            servers.append(start_postgres(folder, folder / "log"))
        before = len(promised(journal))
        until(lambda: len(promised(journal)) > before + 20)
    with psycopg.connect(url) as own:
        kept = {key: (digest, body) for key, digest, body in own.execute("SELECT dedup_key, digest, body FROM sync_delivery")}
    for key, digest in promised(journal).items():
        assert kept[key][0] == digest == hashlib.sha256(kept[key][1]).hexdigest()
    assert len(promised(journal)) > 100


# --- I2: our trouble is a 503 with Retry-After within five seconds ----------------------------------------------------------


def ask(url: str, number: int = 1) -> tuple[int, str, float]:
    """The status of one good delivery, its Retry-After, and the seconds it took."""
    body = rendered(event(number))
    started = time.monotonic()
    answer = httpx2.post(f"{url}/intake/stripe/", content=body, headers=headers(body), timeout=20, trust_env=False)
    return answer.status_code, answer.headers.get("retry-after", ""), time.monotonic() - started


def assert_our_fault(url: str) -> None:
    """Whoever asks, also many at once: waits must not add up."""
    for number in range(2):
        with ThreadPoolExecutor(6) as pool:
            for status, retry_after, seconds in pool.map(lambda each: ask(url, each), range(number * 6, number * 6 + 6)):
                assert status == 503
                assert int(retry_after) >= 1
                assert seconds < 5


@contextmanager
def says_nothing() -> Iterator[int]:
    """A port where somebody takes connections and never says a word: a database that is frozen."""
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        yield int(listener.getsockname()[1])


def test_i2_a_frozen_database(stripe: Connection) -> None:
    with says_nothing() as port, web_server(DATABASE_URL=f"postgresql://nobody@127.0.0.1:{port}/x") as url:
        assert_our_fault(url)


def test_i2_a_database_that_freezes_in_the_middle(own_postgres: tuple[Path, list[Server], str]) -> None:
    """SIGSTOP for longer than the intake remembers its connections, then SIGCONT."""
    _, servers, url = own_postgres
    with web_server(DATABASE_URL=url) as web:
        assert ask(web, 100)[0] == 202
        server = psutil.Process(servers[-1].process.pid)
        family = [server, *server.children()]
        for process in family:
            process.suspend()
        try:
            frozen_until = time.monotonic() + CACHE_SECONDS + 1
            while time.monotonic() < frozen_until:
                assert_our_fault(web)
        finally:
            for process in reversed(family):
                process.resume()
        until(lambda: ask(web, 101)[0] == 202, 15)


@pytest.fixture
def account(stripe: Connection) -> Iterator[Callable[[str], str]]:
    """An account of the test's own that is a member of the application's, as an operator may name one. Gives a function that
    changes it, cuts its connections, and returns its URL."""
    name = f"revops_starved_{os.getpid()}"
    role = sql.Identifier(name)
    with signed_in(SUPERUSER) as administrator:
        administrator.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER IN ROLE revops_application").format(role))

    def change(how: str) -> str:
        with signed_in(SUPERUSER) as administrator:
            administrator.execute(sql.SQL("ALTER ROLE {} {}").format(role, sql.SQL(how)))
            administrator.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s", [name])
        return environment()["DATABASE_URL"].replace(f"postgresql://{connection.settings_dict['USER']}@", f"postgresql://{name}@")

    yield change
    change("NOLOGIN")
    with signed_in(SUPERUSER) as administrator:
        administrator.execute(sql.SQL("DROP ROLE {}").format(role))


@pytest.mark.parametrize(
    ("trouble", "over"),
    [
        ("CONNECTION LIMIT 0", "CONNECTION LIMIT -1"),
        ("SET default_transaction_read_only = on", "RESET default_transaction_read_only"),
        ("NOLOGIN", "LOGIN"),
    ],
    ids=["no connection left", "a database that only reads", "an account that may not come in"],
)
def test_i2_the_database_takes_nobody(account: Callable[[str], str], trouble: str, over: str) -> None:
    with web_server(DATABASE_URL=account(over)) as url:
        assert ask(url, 100)[0] == 202
        account(trouble)
        assert_our_fault(url)
        account(over)
        until(lambda: ask(url, 101)[0] == 202, 10)
    assert {row.dedup_key for row in Delivery.objects.all()} == {"evt_00000100", "evt_00000101"}


@pytest.fixture
def full_disk(stripe: Connection) -> Iterator[None]:
    """PostgreSQL says what it says when its disk is full, for every delivery."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "CREATE FUNCTION disk_is_full() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$; "
            "CREATE TRIGGER disk_is_full BEFORE INSERT ON sync_delivery FOR EACH ROW EXECUTE FUNCTION disk_is_full()"
        )
    yield
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("DROP FUNCTION disk_is_full() CASCADE")


@pytest.mark.usefixtures("full_disk")
def test_i2_a_full_disk(web: str) -> None:
    assert_our_fault(web)
    assert not Delivery.objects.exists()
