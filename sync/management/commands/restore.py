"""`manage.py restore FILE`: put a backup into an empty database, which posts nothing until what it has forgotten is settled."""

from __future__ import annotations

import datetime as dt
import subprocess
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from revops.postgresql.programs import database_address, postgresql_program
from revops.postgresql.roles import as_owner
from sync.management.put_back import say_put_back


class Command(BaseCommand):
    """All or nothing: `pg_restore` runs in one transaction. Afterwards the tables are those of this version."""

    help = "Put a backup of `manage.py backup` into the empty database that DATABASE_URL names. Posting stays off."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        """Raises `CommandError` when the database is not empty, or the file is no backup."""
        if not file.is_file():
            raise CommandError(f"There is no file {file}.")
        try:
            with as_owner():
                self._refuse_a_used_database()
                program = postgresql_program("pg_restore")
                address, environment = database_address()
                command = [program, "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", "--no-password"]
                ran = subprocess.run(
                    [*command, f"--dbname={address}", str(file)], env=environment, capture_output=True, text=True, check=False
                )
                if ran.returncode != 0:
                    raise CommandError(
                        f"Nothing was put back. pg_restore ended with {ran.returncode}: {ran.stderr.strip()[-1000:]}"
                    )
                call_command("migrate", verbosity=0, interactive=False)
                say_put_back(self.stdout.write, reason=f"Put back from {file.name}.", now=dt.datetime.now(dt.UTC))
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None

    def _refuse_a_used_database(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')")
            (tables,) = cursor.fetchone()
        if tables:
            raise CommandError(
                f"The database {connection.settings_dict['NAME']} has {tables} tables. A backup goes into an empty one: make "
                "a new database with its accounts (revops/postgresql/roles.sql) and name that in both addresses."
            )
