"""`manage.py migrate`: Django's, as the owner of the tables; it ends with the guards shut and the privileges given."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError
from django.core.management.commands import migrate

from revops.audit.chain import make_functions
from revops.history import let_no_session_skip_triggers
from revops.postgresql.privileges import grant_privileges
from revops.postgresql.roles import as_owner


class Command(migrate.Command):
    """`--plan` and `--check` only read, so the application's account is enough for them."""

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises `CommandError` when the owner is not named or an account is missing."""
        if options["plan"] or options["check_unapplied"]:
            super().handle(*args, **options)
            return
        try:
            with as_owner():
                super().handle(*args, **options)
                let_no_session_skip_triggers(options["database"])
                make_functions(options["database"])
                grant_privileges(options["database"])
        except (ImproperlyConfigured, RuntimeError) as error:
            raise CommandError(str(error)) from None
