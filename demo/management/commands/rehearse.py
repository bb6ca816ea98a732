"""`manage.py rehearse`: play what others saw, and say where the product sees it otherwise."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from demo.playback.rehearsing import rehearse
from demo.playback.situation import NotPlayable


class Command(BaseCommand):
    """Prints a line for each situation, its differences below it, and at the end how many were right."""

    help = "Play the steps of situations into a database of their own and compare with what each folder expects."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "folders", nargs="+", type=Path, metavar="FOLDER", help="a situation (it has input.json), or a folder of situations"
        )
        parser.add_argument(
            "--server", default="", metavar="URL",
            help="an account of PostgreSQL that may make databases; otherwise one of the configured accounts",
        )  # fmt: skip

    def run_from_argv(self, argv: list[str]) -> None:
        """As a program: one that is asked to end drops its databases first."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
        super().run_from_argv(argv)

    def handle(self, *args: Any, **options: Any) -> None:
        """Ends with status 1 when a situation is wrong. Raises CommandError for a folder that holds none, and where no database
        can be made."""
        wrong = number = 0
        try:
            for result in rehearse(options["folders"], server=options["server"]):
                number, wrong = number + 1, wrong + (not result.right)
                for line in result.lines():
                    self.stdout.write(line)
                self.stdout.flush()
        except NotPlayable as problem:
            raise CommandError(str(problem)) from None
        self.stdout.write(f"cases {number} right {number - wrong} wrong {wrong}")
        if wrong:
            raise SystemExit(1)
