"""Where an installation on this machine keeps its data folder and its secrets. Django-free: read before settings load."""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping, MutableMapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


class EmbeddedError(Exception):
    """This machine cannot run what was asked for. The message says what to do."""


def data_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Where `make up` keeps everything: `REVOPS_DATA_DIR`, by default `.data` in the project."""
    return (PROJECT / (environ.get("REVOPS_DATA_DIR") or ".data")).resolve()


def kept_secrets(folder: Path) -> dict[str, str]:
    """The secrets of this data folder, made once and kept readable for its owner alone. Raises `EmbeddedError` where they cannot
    be read, or are gone and a database is there: new ones would not open what it holds."""
    path = folder / "secrets.json"
    if path.exists():
        try:
            kept = json.loads(path.read_text())
        except ValueError:
            raise EmbeddedError(
                f"{path} cannot be read. Restore it, or remove {folder} to start from nothing: what was encrypted with the lost "
                "key cannot be read again."
            ) from None
        return {str(name): str(value) for name, value in kept.items()}
    if (folder / "postgres.made").exists():
        raise EmbeddedError(
            f"{path} is gone, and {folder} holds a database whose secrets are encrypted with the key in it. Put it back from "
            f"where you keep it, or remove {folder} to start from nothing."
        )
    made = new_secrets()
    written = path.with_suffix(".part")
    written.touch(mode=0o600)
    written.write_text(json.dumps(made, indent=1))
    written.replace(path)
    return made


def new_secrets() -> dict[str, str]:
    """Fresh values for every secret the settings ask for."""
    return {
        "DJANGO_SECRET_KEY": secrets.token_urlsafe(50),
        "REVOPS_ENCRYPTION_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "REVOPS_AUDIT_SIGNING_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "REVOPS_METRICS_TOKEN": secrets.token_urlsafe(24),
    }


def adopt_running_environment(environ: MutableMapping[str, str] | None = None) -> None:
    """Where no database is named, take the environment that a running `make up` left in its data folder."""
    target = os.environ if environ is None else environ
    path = data_folder(target) / "environment.json"
    if "DATABASE_URL" in target or not path.exists():
        return
    try:
        for name, value in json.loads(path.read_text()).items():
            target.setdefault(name, value)
    except (OSError, ValueError):
        return


def read_env_file(path: Path) -> dict[str, str]:
    """The variables of a `.env` file: NAME=value lines, quotes optional. Empty values count as not given."""
    if not path.exists():
        return {}
    pairs = (line.split("=", 1) for line in path.read_text().splitlines() if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, value in pairs if value.strip()}
