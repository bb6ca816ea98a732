"""`manage.py demo`: the rehearsal company for the simulators, and other made-up companies for a playback. Never in production."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import signal
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from demo.companies import COMPANIES
from sync.management.meter import Meter

SEED = 1
ACCOUNTS = 400


class Command(BaseCommand):
    """Load the company (`demo`), go on with its story (`demo --play`), compare with what was found (`demo --check`). With
    `--company`: play every situation of another made-up company, each into a database of its own, or write them down."""

    help = "Load the rehearsal company into the simulators, play its story on, check what was found, or play another company."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--seed", type=int, default=SEED, help=f"which company (default {SEED})")
        parser.add_argument("--accounts", type=int, default=ACCOUNTS, help=f"how many customers (default {ACCOUNTS})")
        parser.add_argument(
            "--urls", nargs="*", default=[], metavar="VENDOR=URL",
            help="where the simulators are; otherwise REVOPS_SIM_STRIPE_URL and so on",
        )  # fmt: skip
        parser.add_argument("--play", action="store_true", help="go on with the story until stopped")
        parser.add_argument("--speed", type=float, default=1.0, help="with --play: how many times faster than calm")
        parser.add_argument("--check", action="store_true", help="compare the open exceptions with the answer key")
        other = parser.add_argument_group("another company")
        other.add_argument("--company", choices=sorted(COMPANIES), help="play the situations of this company instead")
        other.add_argument("--item", nargs="+", default=[], metavar="ITEM", help="only these of its items, such as 1X3")
        other.add_argument("--out", type=Path, metavar="FOLDER", help="write the situations here, for `rehearse`, and play none")
        other.add_argument("--server", default="", metavar="URL", help="an account of PostgreSQL that may make databases")
        parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="with --check: how long to wait for it")

    def run_from_argv(self, argv: list[str]) -> None:
        """As a program: one that is asked to end drops the databases of a playback first."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError outside a rehearsal, for unreachable simulators and when a check fails. Another company ends with
        status 1 when a case is missed or false."""
        from demo.rehearsal import wire

        if options["company"]:
            self._other_company(options)
            return

        if os.environ.get("REVOPS_DEMO") != "1":
            raise CommandError("The rehearsal company is for demonstrations only: set REVOPS_DEMO=1. Never do so in production.")
        if options["speed"] <= 0:
            raise CommandError("--speed is a number above zero.")
        try:
            urls = wire.urls_from(options["urls"])
            if options["check"]:
                self._check(urls, options["wait"])
            elif options["play"]:
                self._play(urls, options["speed"])
            else:
                self._load(urls, options["seed"], options["accounts"])
        except (wire.Unreachable, wire.Refused, ValueError) as wrong:
            raise CommandError(str(wrong)) from None

    def _other_company(self, options: dict[str, Any]) -> None:
        from demo.companies.situations import write
        from demo.playback.companies import Score, play_company
        from demo.playback.situation import NotPlayable

        company, seed = COMPANIES[options["company"]], options["seed"]
        if options["out"]:
            written = write(company, seed, options["out"], items=options["item"])
            self.stdout.write(f"{written} situations of {company.name}, seed {seed}, are in {options['out']}")
            return
        score = Score()
        try:
            for row in play_company(company, seed, items=options["item"], server=options["server"]):
                score.add(row)
                for line in row.lines():
                    self.stdout.write(line)
                self.stdout.flush()
        except NotPlayable as problem:
            raise CommandError(str(problem)) from None
        for item, reason in company.left_out.items():
            self.stdout.write(f"{item:<6} left out: {reason}")
        self.stdout.write(score.line)
        if not score.right:
            raise SystemExit(1)

    def _load(self, urls: dict[str, str], seed: int, accounts: int) -> None:
        from demo.rehearsal import load, wire

        self.stdout.write(f"rehearsal company: seed {seed}, {accounts} accounts")
        meter: list[Meter] = []

        def progress(vendor: str, done: int, total: int) -> None:
            if not meter or meter[-1].label != vendor:
                self._close(meter)
                meter.append(Meter(vendor, self.stdout, total, "objects").__enter__())
            meter[-1].add(done - meter[-1].count)

        try:
            with wire.connect(urls) as wires:
                loaded = load.load(wires, seed, accounts, dt.datetime.now(dt.UTC), progress)
        except load.OtherCompany as wrong:
            raise CommandError(str(wrong)) from None
        finally:
            self._close(meter)
        if not loaded.fresh:
            self.stdout.write(f"already loaded, as of {loaded.anchor:%Y-%m-%d %H:%M} UTC; nothing to do")
            return
        self.stdout.write(f"loaded {loaded.total:,} objects as of {loaded.anchor:%Y-%m-%d %H:%M} UTC")
        self.stdout.write(f"{loaded.planted} contradictions are planted")

    @staticmethod
    def _close(meters: list[Meter]) -> None:
        while meters:
            meters.pop().__exit__(None, None, None)

    def _play(self, urls: dict[str, str], speed: float) -> None:
        from demo.rehearsal import play, wire

        with wire.connect(urls) as wires:
            play.Play(wires, speed=speed, say=self._say).run()

    def _say(self, text: str) -> None:
        self.stdout.write(f"{dt.datetime.now(dt.UTC):%H:%M:%S} {text}")
        self.stdout.flush()

    def _check(self, urls: dict[str, str], wait: float) -> None:
        from demo.rehearsal.check import check

        result = check(urls, wait)
        self.stdout.write(result.line)
        for line in result.details():
            self.stdout.write(line)
        if not result.ok:
            raise SystemExit(1)
