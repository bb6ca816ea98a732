"""`manage.py whatif`: break one assumption at a time over the whole ledger, and say what the rules would find."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from revops.accounts.models import Account
from revops.detection.whatif import ASSUMPTIONS, HORIZON, differently, due_findings
from revops.ledger.reading import account_ledgers
from revops.ledger.view import AccountLedger
from revops.policies.in_force import policies_in_force

BATCH = 100


class Command(BaseCommand):
    """Reads only: nothing that it finds becomes a case."""

    help = "Break one assumption at a time over the whole ledger, and print which findings come and which go."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--only", nargs="*", default=[], metavar="CODE", help="these assumptions; otherwise all")
        parser.add_argument("--rules", action="store_true", help="name the rules of what comes and goes")

    def handle(self, *args: Any, **options: Any) -> None:
        now, policies = timezone.now(), policies_in_force()
        chosen = [each for each in ASSUMPTIONS if not options["only"] or each.code in options["only"]]
        stand, accounts = 0, 0
        new = {each.code: Counter[str]() for each in chosen}
        lost = {each.code: Counter[str]() for each in chosen}
        for ledger in self._ledgers():
            accounts += 1
            before = due_findings(ledger, policies, now)
            stand += len(before)
            for each in chosen:
                after = due_findings(differently(ledger, each), policies, now)
                new[each.code].update(rule for key, rule in after.items() if key not in before)
                lost[each.code].update(rule for key, rule in before.items() if key not in after)
        hours = int(HORIZON.total_seconds() // 3600)
        self.stdout.write(f"{accounts:,} accounts, {stand:,} findings due within {hours} hours as things are")
        self.stdout.write(f"{'new':>7} {'lost':>6}  what is done differently")
        for each in chosen:
            kind = "wrong   " if each.wrong else "ordinary"
            self.stdout.write(f"{new[each.code].total():>7} {lost[each.code].total():>6}  {kind} {each.code}: {each.words}")
            if options["rules"]:
                for told, rules in (("new", new[each.code]), ("lost", lost[each.code])):
                    for rule, count in rules.most_common():
                        self.stdout.write(f"{'':>16}{told} {count} {rule}")

    @staticmethod
    def _ledgers() -> Iterator[AccountLedger]:
        last = 0
        while batch := list(Account.objects.select_related("legal_entity").filter(pk__gt=last).order_by("pk")[:BATCH]):
            yield from account_ledgers(batch).values()
            last = batch[-1].pk
