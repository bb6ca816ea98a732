"""`manage.py verify_audit`: is the log what was sealed, and does it pass through every signed head?"""

from __future__ import annotations

import datetime as dt
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from tqdm import tqdm

from revops.audit.chain import head
from revops.audit.verify import verify

TOLD_MAX = 20


class Command(BaseCommand):
    """Status 0 when the log is whole, 1 when it is not."""

    help = "Verify the action log against its chain and the chain against its signed heads. Ends with 1 when they do not agree."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--quiet", action="store_true", help="no progress bar")

    def handle(self, *args: Any, quiet: bool, **options: Any) -> None:
        """Changes nothing. The auditor's account is enough for it."""
        total = head().sequence
        with tqdm(total=total, unit=" lines", disable=quiet or not self.stderr.isatty(), file=sys.stderr) as bar:
            found = verify(dt.datetime.now(dt.UTC), bar.update)
        for sentence in found.told + found.faults[:TOLD_MAX]:
            self.stdout.write(sentence)
        if found.faults:
            self.stdout.write(f"The log is not whole: {len(found.faults)} faults.")
            sys.exit(1)
        self.stdout.write(
            f"The log is whole: {found.lines} lines, {found.archived} of them in the archive, {found.waiting} not yet sealed; "
            f"{found.heads} signed heads lie on it."
        )
