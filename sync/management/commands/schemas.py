"""`manage.py schemas [VENDOR ...]`: the JSON Schemas of what each connector reads and takes, as one JSON document."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from sync.connectors import CONNECTORS
from sync.vendor.objects import schemas


class Command(BaseCommand):
    help = "Print the JSON Schemas (2020-12) of the objects that the connectors read and take, by vendor and object."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("vendors", nargs="*", metavar="VENDOR", help=f"one of {', '.join(CONNECTORS)}; all without one")

    def handle(self, *args: Any, **options: Any) -> None:
        wanted: list[str] = options["vendors"] or list(CONNECTORS)
        if unknown := [vendor for vendor in wanted if vendor not in CONNECTORS]:
            raise CommandError(f"There is no connector {unknown[0]}. There are {', '.join(CONNECTORS)}.")
        self.stdout.write(json.dumps({vendor: schemas(CONNECTORS[vendor].objects) for vendor in wanted}, indent=2))
