"""`manage.py first_administrator EMAIL`: the way into an empty installation."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from revops.access.joiners import first_administrator
from revops.errors import RevOpsError
from revops.identity.links import address_of_link
from revops.people.actors import System


class Command(BaseCommand):
    help = "Make the first administrator of an empty installation, and print the link with which they choose a password."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the e-mail address that they sign in with")
        parser.add_argument("--name", default="", help="their name")

    def handle(self, *args: Any, **options: Any) -> None:
        """The link is printed and not sent: whoever runs this hands it over, or opens it."""
        try:
            _, secret = first_administrator(
                options["email"], name=options["name"], now=timezone.now(), acting_user=System("command line")
            )
        except RevOpsError as refused:
            raise CommandError(refused.message) from None
        self.stderr.write("Open this within seven days and choose a password; it is good once:")
        self.stdout.write(address_of_link(secret))
