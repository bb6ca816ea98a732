"""What `make up` was asked for, read from the environment. Pure."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

from launch.environment import EmbeddedError, data_folder


@dataclasses.dataclass(frozen=True, slots=True)
class Installation:
    """Where everything is and what is wanted. Ports are TCP on `host`."""

    folder: Path
    host: str
    port: int
    demo: bool
    seed: int
    accounts: int
    database_url: str
    redis_url: str

    @property
    def url(self) -> str:
        """The address a person opens."""
        return f"http://{self.asked_at}:{self.port}"

    @property
    def asked_at(self) -> str:
        """The host under which this machine reaches itself."""
        return "127.0.0.1" if self.host in {"0.0.0.0", "::"} else self.host  # noqa: S104 (compared, not bound)

    @property
    def log_folder(self) -> Path:
        """One log file a program."""
        return self.folder / "logs"


def read_installation(environ: Mapping[str, str] = os.environ) -> Installation:
    """Read the variables of `make up`. Raises `EmbeddedError` naming the variable that cannot be read."""

    def number(name: str, default: int, low: int, high: int) -> int:
        text = environ.get(name, str(default))
        if not text.isdigit() or not low <= int(text) <= high:
            raise EmbeddedError(f"{name} must be a whole number from {low} to {high}, not {text!r}.")
        return int(text)

    demo = environ.get("REVOPS_DEMO", "1").lower()
    if demo not in {"0", "1", "true", "false", "on", "off"}:
        raise EmbeddedError(f"REVOPS_DEMO must be 1 or 0, not {demo!r}.")
    return Installation(
        folder=data_folder(environ),
        host=environ.get("REVOPS_HOST", "127.0.0.1"),
        port=number("REVOPS_PORT", 8000, 1, 65535),
        demo=demo in {"1", "true", "on"},
        seed=number("REVOPS_SEED", 1, 0, 2**31),
        accounts=number("REVOPS_ACCOUNTS", 400, 20, 100_000),
        database_url=environ.get("DATABASE_URL", ""),
        redis_url=environ.get("REDIS_URL", ""),
    )
