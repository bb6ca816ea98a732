"""`manage.py sweep`: ring for due work every few seconds. Runs until it is told to stop; two may run."""

from __future__ import annotations

import datetime as dt
import logging
import signal
import threading
from argparse import ArgumentParser

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError, connection

from revops.checks import refuse_to_start
from sync.ground import doorbell
from sync.workers.sweep import EVERY_SECONDS, sweep_once

_log = logging.getLogger("sync.workers.sweep")


class Command(BaseCommand):
    """The sweeper process."""

    help = "Look for due work every few seconds and ring for it. Runs until stopped; two may run at once."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--every", type=float, default=EVERY_SECONDS, help="seconds between two looks (default 2)")
        parser.add_argument("--once", action="store_true", help="look once and end")

    def handle(self, *_args: object, every: float, once: bool, **_options: object) -> None:
        """Sweep until SIGTERM or SIGINT. A database that is away for a while is waited for."""
        refuse_to_start()
        if not settings.REVOPS_AUDIT_SIGNING_KEYS:
            raise CommandError(
                "REVOPS_AUDIT_SIGNING_KEY is empty: the sweeper signs how far the audit log has come. See .env.example."
            )
        stopped = threading.Event()
        if not once:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stopped.set())
        while True:
            try:
                rung = sweep_once(dt.datetime.now(dt.UTC))
            except DatabaseError as error:
                if once:
                    raise
                _log.warning("the sweeper cannot reach the database", extra={"error": type(error).__name__})
                connection.close()
                rung = []
            if once:
                doorbell.wait_until_rung()
                self.stdout.write(f"Rung for: {', '.join(rung) or 'nothing is due'}.")
                return
            if stopped.wait(max(0.2, every)):
                return
