"""The project as a Django application: its commands, its start-up checks and the Celery application."""

from __future__ import annotations

import gc

from django.apps import AppConfig


class RevopsConfig(AppConfig):
    """Loads the Celery application and the start-up checks into every process that runs Django."""

    name = "revops"
    label = "revops"
    verbose_name = "Revenue operations"

    def ready(self) -> None:
        """Bind shared tasks to our Celery application, register the checks, and bind the port to the vendors' side."""
        from revops import celery, checks  # noqa: F401  (importing them is the effect)
        from revops.wiring import bind_ports

        bind_ports()
        # What was loaded stays: the collector need not look through it with every batch. Nor need it look after every 700 new
        # objects: a page of rows makes many thousands and drops them all. Each is an eighth of the time.
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)
