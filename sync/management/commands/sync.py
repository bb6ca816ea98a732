"""`manage.py sync [connection ...]`: pull now, then bring what came into the ledger."""

from __future__ import annotations

import datetime as dt
import sys
import time
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError

from sync.applying.drain import process_round
from sync.applying.reread import process_rereads
from sync.applying.straight import straight_into_the_ledger
from sync.ground import doorbell
from sync.intake.inbox import conservation
from sync.management.meter import Meter
from sync.models import Connection
from sync.pull import poll
from sync.pull.poll import Pulled

BUSY_SECONDS = 60.0
BUSY_AGAIN_SECONDS = 0.5
"""How long a stream that another worker reads is waited for, and how often it is tried."""


class Command(BaseCommand):
    """Pull now."""

    help = "Read every stream of the given connections (default: all active ones) now, and apply what came."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("connections", nargs="*", help="names of connections")
        parser.add_argument("--stream", action="append", default=[], help="only this stream (repeatable)")
        parser.add_argument("--no-apply", action="store_true", help="only store what is read; the workers apply it")

    def handle(self, *_args: object, connections: list[str], stream: list[str], no_apply: bool, **_options: object) -> None:
        """Ends with status 1 when a stream could not be read to its end."""
        known = sorted(Connection.objects.filter(active=True).values_list("pk", flat=True))
        missing = sorted(set(connections) - set(known))
        if missing:
            raise CommandError(f"No active connection named {', '.join(missing)}. There are: {', '.join(known) or 'none'}.")
        results = [
            self._pull(slug, name, None if no_apply else straight_into_the_ledger)
            for slug in connections or known
            for name in poll.streams_of(slug)
            if not stream or name in stream
        ]
        if not no_apply:
            self._apply()
        problems = [f"{result.connection} {result.stream}: {result.problem}" for result in results if result.problem]
        stored = sum(result.stored for result in results)
        seen = sum(result.seen for result in results)
        self.stdout.write(f"{len(results)} streams read: {seen:,} objects seen, {stored:,} new.")
        if problems:
            raise CommandError("\n".join(problems))

    def _pull(self, slug: str, stream: str, judge_of: poll.JudgeOf | None) -> Pulled:
        """A stream that a worker reads at this moment is waited for."""
        counted = 0
        with Meter(f"{slug} {stream}", sys.stderr, unit="objects") as meter:

            def progress(so_far: Pulled) -> None:
                nonlocal counted
                meter.add(so_far.seen - counted, f"{so_far.stored:,} new")
                counted = so_far.seen

            until = time.monotonic() + BUSY_SECONDS
            while (pulled := poll.pull_now(slug, stream, progress, judge_of=judge_of)).busy:
                if time.monotonic() > until:
                    break
                time.sleep(BUSY_AGAIN_SECONDS)
            return pulled

    def _apply(self) -> None:
        with Meter("applying", sys.stderr, total=conservation().pending, unit="deliveries") as meter:
            while True:
                now = dt.datetime.now(dt.UTC)
                done = process_round(now) + process_rereads(now)
                if not done:
                    break
                meter.add(sum(done.values()))
        doorbell.ring("detect_accounts")
        doorbell.wait_until_rung()
