"""`manage.py reseal`: after a new encryption key was put in front, seal everything with it, so that the old one can go."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from tqdm import tqdm

from revops.errors import Conflict
from revops.identity import totp
from revops.people.actors import System
from revops.sealed_rows import sealed_with_old_key
from sync import connections

ACTOR = System("reseal")


class Command(BaseCommand):
    """Each row in its own transaction with its line in the log; what is sealed with the newest key already is left alone."""

    help = "Seal every secret with the newest of REVOPS_ENCRYPTION_KEY. May be interrupted and repeated."

    def handle(self, *args: Any, **options: Any) -> None:
        """Raises `CommandError` when a secret cannot be opened with any configured key; all others are sealed all the same."""
        total, again, shut = sealed_with_old_key(), 0, list[str]()
        with tqdm(total=total, unit=" secrets", disable=not self.stderr.isatty(), file=sys.stderr) as bar:
            for name, seal in self._everything():
                try:
                    done = seal()
                except Conflict as refused:
                    shut.append(f"{name}: {refused}")
                    continue
                again += done
                bar.update(int(done))
        self.stdout.write(f"{again} secrets sealed with the newest key, {sealed_with_old_key()} left with an older one.")
        if shut:
            raise CommandError("\n".join(["These cannot be opened with the configured keys:", *shut]))

    @staticmethod
    def _everything() -> list[tuple[str, Callable[[], bool]]]:
        def connection(slug: str) -> Callable[[], bool]:
            return lambda: connections.reseal_connection(slug, acting_user=ACTOR)

        def app(user_id: int) -> Callable[[], bool]:
            return lambda: totp.reseal_totp(user_id, acting_user=ACTOR)

        return [(slug, connection(slug)) for slug in connections.slugs()] + [
            (f"authenticator app of user {user_id}", app(user_id)) for user_id in totp.users_with_totp()
        ]
