"""`manage.py mapping CONNECTION`: how a connection is tied to the others, what its data proposes, and how much is tied.

`--accept` and `--accept-all` write what is proposed, as the person that `--as` names; what proves that it is they is read from
standard input. What came in before is then translated anew.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from revops.errors import RevOpsError
from sync.ground import doorbell
from sync.management.acting import acting
from sync.mapping.accept import accept, changes_of, good_ones
from sync.mapping.coverage import coverage
from sync.mapping.propose import GOOD_PERCENT, Proposal
from sync.mapping.sampled import OBJECTS_MAX, in_force, proposed
from sync.models import Connection

REASON = "proposed from what came in"


class Command(BaseCommand):
    """Print settings in force, proposals with their figures, and coverage; or accept proposals."""

    help = "How a connection is tied to the others: settings in force, what its data proposes, and how much is tied."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("slug", metavar="CONNECTION", help="the connection's name")
        parser.add_argument(
            "--as", dest="person", default="", metavar="EMAIL", help="the person who accepts; proof from standard input"
        )
        parser.add_argument(
            "--accept", action="append", default=[], metavar="SETTING[=VALUE]",
            help="write what is proposed for it, the best, or this value (repeatable)",
        )  # fmt: skip
        parser.add_argument(
            "--accept-all", action="store_true", help=f"write every proposal of {GOOD_PERCENT} %% or more that is not ambiguous"
        )
        parser.add_argument("--reason", default=REASON, help="for the log")
        parser.add_argument(
            "--objects", type=int, default=OBJECTS_MAX, metavar="N", help="of each object type that are looked at"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises `CommandError` for an unknown connection, and for what is refused."""
        row = Connection.objects.select_related("system").filter(pk=options["slug"]).first()
        if row is None:
            raise CommandError(f"There is no connection named {options['slug']}.")
        try:
            if options["accept"] or options["accept_all"]:
                self._accept(row, options)
            else:
                self._show(row, options["objects"])
        except RevOpsError as refused:
            raise CommandError(refused.message) from None
        doorbell.wait_until_rung()

    def _show(self, row: Connection, objects_max: int) -> None:
        out = self.stdout
        out.write("Settings in force:")
        for each in in_force(row):
            default = " (by default)" if each.by_default and each.value else ""
            out.write(f"    {each.setting.name:<24} {each.value or 'none'}{default}")
        found = proposed(row, objects_max)
        out.write("Proposed by what came in:" if found else "Proposed by what came in: nothing.")
        for proposal in found:
            self._tell(row, proposal)
        out.write("Tied in the ledger:")
        for covered in coverage(row):
            out.write(f"    {covered}")
            if covered.untied:
                out.write(f"        not: {', '.join(each.label for each in covered.untied)}")

    def _tell(self, row: Connection, proposal: Proposal) -> None:
        state = "" if changes_of(row, [proposal]) else ", in force"
        self.stdout.write(f"    {proposal}{state}")
        for value, named in proposal.examples:
            self.stdout.write(f"        {value} is the {named.object_type.replace('_', ' ')} {named.number or named.id}")

    def _accept(self, row: Connection, options: dict[str, Any]) -> None:
        user, proof = acting(options["person"], "manage_connections", command="mapping CONNECTION")
        found = proposed(row, options["objects"])
        chosen = [_chosen(found, said) for said in options["accept"]]
        chosen += [each for each in good_ones(found) if options["accept_all"] and each not in chosen]
        if not chosen:
            raise CommandError(f"Nothing is proposed by {GOOD_PERCENT} % of the values without ambiguity.")
        done = accept(row, chosen, reason=options["reason"], acting_user=user, step_up=proof, row_version=row.row_version)
        for name, value in done.values.items():
            self.stdout.write(f"{name} = {value}")
        if row.posting_enabled and not done.row.posting_enabled:
            self.stdout.write("Posting is off until a second person confirms it anew.")
        if done.replay is not None:
            self.stdout.write(f"{done.replay.total:,} deliveries are translated anew, as replay {done.replay.pk}.")


def _chosen(found: Sequence[Proposal], said: str) -> Proposal:
    """The proposal that `SETTING` or `SETTING=VALUE` names. Raises `CommandError`."""
    name, _, value = said.partition("=")
    for proposal in found:
        if proposal.setting == name and value in ("", proposal.value):
            return proposal
    named = ", ".join(dict.fromkeys(each.setting for each in found)) or "nothing"
    raise CommandError(f"Nothing is proposed for {said[:80]}. Proposed is: {named}.")
