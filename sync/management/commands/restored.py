"""`manage.py restored`: say that the database was put back by other means than `manage.py restore`."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from revops.audit.sealer import astray
from sync.management.put_back import say_put_back


class Command(BaseCommand):
    """Only then heads are signed again, and `verify_audit` tells of it for ever. Switches no posting on."""

    help = "After a copy of the database was put back: sign that its log begins anew from there. Posting stays off until settled."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--reason", required=True, help="what happened; it stands in the action log")

    def handle(self, *args: Any, reason: str, **options: Any) -> None:
        """Raises `CommandError` when the log reaches its last signed head: then nothing was put back."""
        if not astray():
            raise CommandError("The log reaches its last signed head: nothing was put back, or it was said already.")
        if not reason.strip():
            raise CommandError("Say what happened: --reason must not be empty.")
        say_put_back(self.stdout.write, reason=reason.strip(), now=dt.datetime.now(dt.UTC))
