"""`manage.py backup FILE`: the whole database at one moment, by PostgreSQL's own `pg_dump`."""

from __future__ import annotations

import os
import subprocess
import time
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from revops.audit.chain import head, seal
from revops.audit.log import record as audit
from revops.people.actors import System
from revops.postgresql.programs import database_address, postgresql_program
from revops.postgresql.roles import as_owner
from revops.sentences import template

ACTOR = System("backup")
MADE = template("backup.made", "A backup of the database was begun; the log had come to number {sequence}")


class Command(BaseCommand):
    """Neither the encryption key nor the signed heads are in it: keep both elsewhere, or the secrets in it open for nobody."""

    help = "Write the whole database to FILE, in pg_dump's custom format, for its owner alone. `manage.py restore` puts it back."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        """Raises `CommandError` when FILE is there already, a program is missing or the backup cannot be read back."""
        if file.exists():
            raise CommandError(f"{file} is there already. A backup is never written over another.")
        began = time.monotonic()
        try:
            with as_owner():
                self._write(file)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None
        except OSError as error:
            raise CommandError(f"{file} cannot be written: {error.strerror or error}.") from None
        size, seconds = file.stat().st_size / 1_000_000, time.monotonic() - began
        self.stdout.write(f"{file}: {size:.1f} MB in {seconds:.0f} s. Keep the encryption key elsewhere: it is not in it.")

    def _write(self, file: Path) -> None:
        dump, look = postgresql_program("pg_dump"), postgresql_program("pg_restore")
        seal()
        with transaction.atomic():
            audit("backup.make", "database", acting_user=ACTOR, summary=MADE(sequence=head().sequence))
        address, environment = database_address()
        part = file.with_name(file.name + ".part")
        part.touch(mode=0o600)
        try:
            _run([dump, "--format=custom", "--no-password", f"--file={part}", f"--dbname={address}"], environment)
            _run([look, "--list", str(part)], environment)
            with part.open("rb") as written:
                os.fsync(written.fileno())
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def _run(command: list[str], environment: dict[str, str]) -> None:
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        raise CommandError(f"{Path(command[0]).name} ended with {ran.returncode}: {ran.stderr.strip()[-1000:]}")
