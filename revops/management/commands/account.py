"""`manage.py account EMAIL ...`: what one does with one's own account in the browser. What proves it is read from standard input
(or asked for): the password, or a code where there is a second factor; for another password the old one, then the new one."""

from __future__ import annotations

import datetime as dt
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from revops.access.delegations import delegate, end_delegation
from revops.errors import RevOpsError
from revops.identity.passwords import change_password
from revops.identity.sessions import end_session, sessions_of
from revops.identity.step_up import check_proof, record_step_up
from revops.identity.tokens import SCOPES, issue_token, live_tokens, revoke_token
from revops.management.prompt import typed
from revops.people.models import Delegation, User, address_of_person


class Command(BaseCommand):
    help = "One's own account: password, sessions, tokens, and who decides during an absence."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="whose account it is; what proves it is read from standard input")
        words = parser.add_subparsers(dest="what", required=True)
        words.add_parser("password", help="another password; sessions end")
        words.add_parser("sessions", help="where one is signed in")
        words.add_parser("end-session", help="end one").add_argument("session")
        words.add_parser("tokens", help="one's tokens that open something")
        token = words.add_parser("new-token", help="make one; printed once")
        token.add_argument("name")
        token.add_argument("--days", type=int, default=90)
        token.add_argument("--scope", action="append", default=[], choices=sorted(SCOPES), dest="scopes")
        words.add_parser("end-token", help="end one").add_argument("number", type=int)
        words.add_parser("delegations", help="who decides in one's place, and when")
        stand_in = words.add_parser("delegate", help="name who decides in one's place")
        stand_in.add_argument("stand_in")
        stand_in.add_argument("first_day", type=dt.date.fromisoformat)
        stand_in.add_argument("last_day", type=dt.date.fromisoformat)
        stand_in.add_argument("--reason", default="")
        words.add_parser("end-delegation", help="decide oneself again").add_argument("number", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        user, now = _person(options["email"]), timezone.now()
        try:
            if options["what"] == "password":
                change_password(user, old=typed("Old password"), new=typed("New password"), now=now, acting_user=user)
                return
            record_step_up(user, check_proof(user, typed("Password or code"), now=now))
            getattr(self, "_" + options["what"].replace("-", "_"))(user, options, now)
        except RevOpsError as refused:
            raise CommandError(refused.message) from None

    def _sessions(self, user: User, _options: dict[str, Any], now: dt.datetime) -> None:
        for row in sessions_of(user, now=now):
            self.stdout.write(f"{row.session_key}  {row.started_at:%Y-%m-%d %H:%M} UTC  {row.address:<15} {row.browser}")

    def _end_session(self, user: User, options: dict[str, Any], _now: dt.datetime) -> None:
        end_session(user, options["session"], acting_user=user)

    def _tokens(self, user: User, _options: dict[str, Any], now: dt.datetime) -> None:
        for row in live_tokens(user, now=now):
            self.stdout.write(f"{row.pk:>6}  until {row.expires_at:%Y-%m-%d}  {', '.join(row.scopes)}  {row.name}")

    def _new_token(self, user: User, options: dict[str, Any], now: dt.datetime) -> None:
        said = {name: options[name] for name in ("name", "days", "scopes")}
        self.stdout.write(issue_token(user, **said, now=now, acting_user=user))

    def _end_token(self, user: User, options: dict[str, Any], now: dt.datetime) -> None:
        revoke_token(user, options["number"], now=now, acting_user=user)

    def _delegations(self, user: User, _options: dict[str, Any], now: dt.datetime) -> None:
        rows = Delegation.objects.filter(approver=user, ended_at__isnull=True, last_day__gte=now.date())
        for row in rows.select_related("stand_in"):
            self.stdout.write(f"{row.pk:>6}  {row.first_day} to {row.last_day}  {row.stand_in}")

    def _delegate(self, user: User, options: dict[str, Any], now: dt.datetime) -> None:
        days = {name: options[name] for name in ("first_day", "last_day", "reason")}
        delegate(_person(options["stand_in"]), **days, now=now, acting_user=user)

    def _end_delegation(self, user: User, options: dict[str, Any], now: dt.datetime) -> None:
        end_delegation(options["number"], now=now, acting_user=user)


def _person(email: str) -> User:
    user = User.objects.filter(username=address_of_person(email), is_active=True).first()
    if user is None:
        raise CommandError(f"There is no active person {email}: give the address they sign in with.")
    return user
