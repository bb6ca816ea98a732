"""`manage.py replay`: put dead letters (or any deliveries) back to the start; `--dry-run` shows first what would happen, and
`--cancel` stops a replay that is not done."""

from __future__ import annotations

import datetime as dt
import sys
from argparse import ArgumentParser

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet

from revops.errors import Conflict, Rejected
from revops.people.actors import System
from sync.applying.replay import Impact, begin_replay, cancel_replay, impact_of, replay_many
from sync.ground import doorbell
from sync.management.meter import Meter
from sync.models import Delivery, DeliveryState, Replay

ACTOR = System("replay")


class Command(BaseCommand):
    """Replay deliveries."""

    help = "Put deliveries back to the start: by id, or all dead letters of a reason code, or all of a connection."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("ids", nargs="*", type=int, help="delivery ids")
        parser.add_argument("--reason-code", help="all dead letters with this reason code, such as body_unsafe")
        parser.add_argument("--connection", help="only of this connection")
        parser.add_argument("--all-dead-letters", action="store_true", help="every dead letter")
        parser.add_argument("--everything", action="store_true", help="whatever its state; needs --connection")
        parser.add_argument("--why", default="", help="the reason for the audit log")
        parser.add_argument(
            "--cancel", nargs="?", type=int, const=0, metavar="REPLAY", help="stop that replay, or the newest that is not done"
        )
        parser.add_argument("--dry-run", action="store_true", help="show what would happen and change nothing")

    def handle(self, *_args: object, **options: object) -> None:
        """Raises `CommandError` when nothing was chosen or found."""
        if options["cancel"] is not None:
            self._cancel(int(str(options["cancel"])))
            return
        found = self._chosen(options)
        total = found.count()
        if total == 0:
            raise CommandError("No delivery matches. Dead letters and their reason codes are on the deliveries page.")
        if options["dry_run"]:
            with Meter("looking", sys.stderr, total, "deliveries") as meter:
                impact = impact_of(found, now=dt.datetime.now(dt.UTC), progress=meter.add)
            self._show(impact)
            return
        with Meter("replaying", sys.stderr, total, "deliveries") as meter:
            run = begin_replay(reason=str(options["why"]), acting_user=ACTOR)
            moved = replay_many(found, reason=str(options["why"]), acting_user=ACTOR, progress=meter.add, run=run)
        doorbell.wait_until_rung()
        self.stdout.write(f"{moved:,} deliveries are waiting again. The workers apply them.")
        if moved < total:
            self.stdout.write(f"Replay {run.pk} was stopped: {total - moved:,} were not put back.")
        else:
            self.stdout.write(f"This is replay {run.pk}: manage.py replay --cancel {run.pk} stops what is not yet replayed.")

    def _cancel(self, number: int) -> None:
        waiting = Delivery.objects.filter(state=DeliveryState.PENDING, replay__isnull=False).values("replay")
        runs = Replay.objects.filter(pk=number) if number else Replay.objects.filter(pk__in=waiting, stopped_at__isnull=True)
        run = runs.order_by("-pk").first()
        if run is None:
            raise CommandError(f"There is no replay {number}." if number else "No replay is under way.")
        try:
            taken = cancel_replay(run, acting_user=ACTOR)
        except (Conflict, Rejected) as error:
            raise CommandError(error.message) from None
        self.stdout.write(f"Replay {run.pk} is stopped: {taken:,} of {run.total:,} deliveries are what they were.")

    def _chosen(self, options: dict[str, object]) -> QuerySet[Delivery]:
        found = Delivery.objects.exclude(state=DeliveryState.PENDING)
        if options["connection"]:
            found = found.filter(connection=str(options["connection"]))
        ids = options["ids"]
        if isinstance(ids, list) and ids:
            return found.filter(pk__in=ids)
        if options["everything"] and options["connection"]:
            return found
        found = found.filter(state=DeliveryState.QUARANTINED)
        if options["reason_code"]:
            return found.filter(reason_code=str(options["reason_code"]))
        if options["all_dead_letters"]:
            return found
        raise CommandError("Say which: ids, --reason-code CODE, --all-dead-letters, or --everything with --connection.")

    def _show(self, impact: Impact) -> None:
        out = self.stdout
        out.write(f"{impact.deliveries:,} deliveries, nothing changed. Replaying them now would do this:")
        for (object_type, how), count in sorted(impact.arrivals.items()):
            out.write(f"  {count:>7,}  {object_type}: {how}")
        if impact.to_read_again:
            out.write(f"  {impact.to_read_again:>7,}  read again at the vendor")
        for reason, count in impact.ignored.most_common():
            out.write(f"  {count:>7,}  ignored: {reason}")
        for reason, count in impact.refused.most_common():
            out.write(f"  {count:>7,}  dead letters again: {reason}")
        out.write(f"  {impact.accounts:>7,}  accounts concerned")
