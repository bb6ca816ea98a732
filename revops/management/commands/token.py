"""`manage.py token USER`: issue a bearer token for the API and print it once, or end all of a user's tokens."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from revops.errors import Rejected
from revops.identity.tokens import SCOPES, issue_token, revoke_tokens
from revops.people.actors import System
from revops.people.models import User, address_of_person


class Command(BaseCommand):
    help = "Issue a bearer token for a user's API access. It is printed once and cannot be read again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("user", help="the user's e-mail address")
        parser.add_argument("--name", default="command line", help="what the token is for")
        parser.add_argument("--revoke-all", action="store_true", help="issue none: end every token of the user at once")
        parser.add_argument("--days", type=int, default=90, help="how long it lives, 1 to 365 (default 90)")
        told = f"what it may do beside reading: {', '.join(SCOPES)} (default read; may be given again)"
        parser.add_argument("--scope", action="append", default=[], choices=sorted(SCOPES), dest="scopes", help=told)

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username=address_of_person(options["user"])).first()
        if user is None:
            raise CommandError(f"There is no user {options['user']}. The user name is the e-mail address.")
        if options["revoke_all"]:
            ended = revoke_tokens(user, now=timezone.now(), acting_user=System("command line"))
            self.stderr.write(f"Ended {ended} tokens of {user}.")
            return
        try:
            token = issue_token(
                user, name=options["name"], days=options["days"], scopes=options["scopes"], now=timezone.now(),
                acting_user=System("command line"),
            )  # fmt: skip
        except Rejected as refused:
            raise CommandError(refused.message) from None
        self.stdout.write(token)
