"""`manage.py retention`: take months that are no longer kept out of the growing tables, whole."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils import timezone

from revops.audit.log import record as audit
from revops.ledger import retention
from revops.partitions import Month, kept_as, months_of, prepare_months, split_tables, take_out, unfinished_in
from revops.people.actors import System
from revops.postgresql.roles import as_owner
from revops.sentences import template

ACTOR = System("retention")
TAKEN_OUT = template("retention.taken_out", "{table}: {rows} rows to the archive")


class Command(BaseCommand):
    """Says what it would do; `--apply` does it. Each month is moved in one transaction, with its digest in the action log."""

    help = "Move months older than REVOPS_KEEP_*_MONTHS to the schema `archive`. Without --apply it only says what it would do."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--apply", action="store_true", help="do it; otherwise only say what would be done")

    def handle(self, *args: Any, apply: bool, **options: Any) -> None:
        """Months with unfinished work stay, and the command says how much. Months ahead are prepared as well."""
        try:
            with as_owner():
                self._handle(apply=apply)
        except ImproperlyConfigured as error:
            raise CommandError(str(error)) from None

    def _handle(self, *, apply: bool) -> None:
        for name in prepare_months():
            self.stdout.write(f"{name}: prepared")
        old = [month for table in split_tables() for month in months_of(table) if _is_old(month)]
        for month in old:
            waiting = unfinished_in(month)
            if waiting:
                self.stdout.write(f"{month.name}: stays, {waiting} rows are not finished")
            elif not apply:
                self.stdout.write(f"{month.name}: would be moved to the archive")
            else:
                self.stdout.write(_move(month))
        if not old:
            self.stdout.write("No month is older than what is kept.")


def _is_old(month: Month) -> bool:
    """Whether its last day lies before the months that are kept. Rows without a prepared month are never old."""
    keep = settings.REVOPS_KEEP_MONTHS[kept_as(month.table)]
    if keep == 0 or month.month is None:
        return False
    today = timezone.now().astimezone(dt.UTC).date()
    return (today.year * 12 + today.month) - (month.month.year * 12 + month.month.month) > keep


@transaction.atomic
def _move(month: Month) -> str:
    carried = retention.carry_current_entries(month) if month.table == retention.TABLE else 0
    taken = take_out(month)
    audit(
        "retention.take_out", f"month:{taken.name}", acting_user=ACTOR, summary=TAKEN_OUT(table=taken.name, rows=taken.rows),
        after={"rows": taken.rows, "sha256": taken.digest, "carried": carried},
    )  # fmt: skip
    told = f"{taken.name}: {taken.rows} rows moved to the archive, sha256 {taken.digest}"
    return f"{told}; {carried} entries that are still current were carried over" if carried else told
