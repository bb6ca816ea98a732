"""`manage.py up`: everything, on the embedded default. `manage.py` answers it before Django loads; this lists it in the help."""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand

from launch.up import main


class Command(BaseCommand):
    """Start everything and stay until interrupted."""

    help = "Start everything: servers, simulators, web, workers, sweeper. Ctrl-C stops it."

    def handle(self, *_: Any, **__: Any) -> None:
        """Run the supervisor in this process."""
        sys.exit(main())
