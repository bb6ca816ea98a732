"""The project as a Django application: its commands, its start-up checks and the Celery application."""

from __future__ import annotations

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
