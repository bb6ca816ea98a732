"""`manage.py demo`: the rehearsal company for the simulators. Never in production."""

from __future__ import annotations

import argparse
import datetime as dt
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from sync.management.meter import Meter

SEED = 1
ACCOUNTS = 400


class Command(BaseCommand):
    """Load the company (`demo`), go on with its story (`demo --play`), compare with what was found (`demo --check`)."""

    help = "Load the rehearsal company into the simulators, play its story on, or check what the product found."

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
        parser.add_argument("--wait", type=float, default=0.0, metavar="SECONDS", help="with --check: how long to wait for it")

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises CommandError outside a rehearsal, for unreachable simulators and when a check fails."""
        from demo.rehearsal import wire

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
