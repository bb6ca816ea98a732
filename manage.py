#!/usr/bin/env python
"""The command line. `manage.py up` starts everything; every other command runs inside Django.

`up` is answered before Django loads, because it makes the database that the settings ask for. Any other command finds a running
`make up` through the file `environment.json` in its data folder, so that `manage.py token USER` works in a second terminal.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec


def main() -> None:
    """Run one command and exit with its status."""
    if sys.argv[1:2] == ["up"]:
        from launch.up import main as up

        sys.exit(up())
    if find_spec("launch") is not None:  # the production image is told everything by its environment
        from launch.environment import adopt_running_environment

        adopt_running_environment()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "revops.settings")
    os.environ.setdefault("REVOPS_STATEMENT_TIMEOUT_SECONDS", "600")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # a variable is missing or wrong: a sentence for whoever sets it
        sys.exit(str(error))


if __name__ == "__main__":
    main()
