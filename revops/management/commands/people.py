"""`manage.py people ...`: what administrators do with people in the browser, as one of them.

Each subcommand acts as the administrator that `--as` names, and reads what proves it from standard input (or asks): the
password, or a code where they have a second factor. `confirm` without `--as`, and `recover`, are for whoever runs the server
while there is one administrator alone.
"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from revops.access.grants import PRIVILEGED, grant_role, require_administrator, revoke_role
from revops.access.joiners import invite
from revops.access.leavers import deactivate, reactivate
from revops.access.proposals import (
    confirm_on_the_server,
    confirm_proposal,
    propose_role,
    refuse_proposal,
    what_is_proposed,
)
from revops.access.recovery import recover_administrator
from revops.errors import RevOpsError
from revops.identity.links import hand_over, make_link
from revops.identity.models import Purpose, StepUp
from revops.identity.step_up import check_proof, record_step_up
from revops.management.prompt import typed
from revops.people.actors import System
from revops.people.models import AccessProposal, ProposalState, Role, User, address_of_person


class Command(BaseCommand):
    help = "List people, invite, give and take roles, confirm what another administrator proposed, deactivate, let in, recover."

    def add_arguments(self, parser: ArgumentParser) -> None:
        told = "the administrator who does it; what proves it is read from standard input"
        parser.add_argument("--as", dest="administrator", default="", metavar="EMAIL", help=told)
        words = parser.add_subparsers(dest="what", required=True)
        words.add_parser("list", help="everybody with their roles")
        words.add_parser("proposals", help="what waits for another administrator")
        for name, told in (
            ("invite", "somebody new; prints the link, unless a mail server is set"),
            ("link", "a new link for an invitation or a forgotten password"),
            ("give", "a role, or propose one that another administrator confirms"),
            ("take", "a role"),
            ("deactivate", "let somebody in no more"),
            ("reactivate", "let somebody in again"),
            ("recover", "on the server: a new way in for the only administrator"),
        ):
            word = words.add_parser(name, help=told)
            word.add_argument("email", help="whom it is about")
            if name == "invite":
                word.add_argument("--name", default="")
            if name in ("give", "take"):
                word.add_argument("role", choices=Role.values)
            if name in ("give", "deactivate"):
                word.add_argument("--reason", default="")
        for name in ("confirm", "refuse"):
            words.add_parser(name, help=f"{name} a proposal").add_argument("number", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what']}")(options)
        except RevOpsError as refused:
            raise CommandError(refused.message) from None

    # -- reading ------------------------------------------------------------------------------------------------------
    def _list(self, _options: dict[str, Any]) -> None:
        for user in User.objects.prefetch_related("role_grants").order_by("username"):
            roles = ", ".join(sorted(grant.role for grant in user.role_grants.all())) or "-"
            self.stdout.write(f"{user.username:<40} {'active' if user.is_active else 'inactive':<9} {roles}")

    def _proposals(self, _options: dict[str, Any]) -> None:
        for row in AccessProposal.objects.filter(state=ProposalState.WAITING).select_related("user", "proposed_by"):
            self.stdout.write(f"{row.pk:>6}  {row.proposed_by} {what_is_proposed(row)}: {row.reason}")

    # -- acting -------------------------------------------------------------------------------------------------------
    def _invite(self, options: dict[str, Any]) -> None:
        user, _ = self._administrator(options)
        person, secret = invite(options["email"], name=options["name"], now=timezone.now(), acting_user=user)
        self._hand_over(person, Purpose.INVITE, secret)

    def _link(self, options: dict[str, Any]) -> None:
        user, _ = self._administrator(options)
        person = _person(options["email"])
        purpose = Purpose.RESET if person.has_usable_password() else Purpose.INVITE
        self._hand_over(person, purpose, make_link(person, purpose, now=timezone.now(), acting_user=user))

    def _give(self, options: dict[str, Any]) -> None:
        user, proof = self._administrator(options)
        person, role = _person(options["email"]), options["role"]
        if role not in PRIVILEGED:
            grant_role(person, role, acting_user=user)
            self.stdout.write(f"{person} is now {role}.")
            return
        row = propose_role(person, role, reason=options["reason"], step_up=proof, now=timezone.now(), acting_user=user)
        done = row.state == ProposalState.CONFIRMED
        self.stdout.write(f"{person} is now {role}." if done else f"Proposed as {row.pk}: another administrator confirms it.")

    def _take(self, options: dict[str, Any]) -> None:
        user, _ = self._administrator(options)
        revoke_role(_person(options["email"]), options["role"], acting_user=user)

    def _deactivate(self, options: dict[str, Any]) -> None:
        user, _ = self._administrator(options)
        deactivate(_person(options["email"]), reason=options["reason"], now=timezone.now(), acting_user=user)

    def _reactivate(self, options: dict[str, Any]) -> None:
        user, _ = self._administrator(options)
        reactivate(_person(options["email"]), acting_user=user)

    def _confirm(self, options: dict[str, Any]) -> None:
        if not options["administrator"]:
            confirm_on_the_server(options["number"], now=timezone.now(), acting_user=System("command line"))
            return
        user, proof = self._administrator(options)
        confirm_proposal(options["number"], step_up=proof, now=timezone.now(), acting_user=user)

    def _refuse(self, options: dict[str, Any]) -> None:
        user, _ = self._administrator(options)
        refuse_proposal(options["number"], now=timezone.now(), acting_user=user)

    def _recover(self, options: dict[str, Any]) -> None:
        person = _person(options["email"])
        purpose, secret = recover_administrator(person, now=timezone.now(), acting_user=System("command line"))
        self._hand_over(person, purpose, secret)

    def _administrator(self, options: dict[str, Any]) -> tuple[User, StepUp]:
        """Who acts, and the proof that it is they."""
        if not options["administrator"]:
            raise CommandError("Say as which administrator: manage.py people --as EMAIL ...")
        user = _person(options["administrator"])
        require_administrator(user)
        return user, record_step_up(user, check_proof(user, typed("Password or code"), now=timezone.now()))

    def _hand_over(self, person: User, purpose: Purpose, secret: str) -> None:
        address = hand_over(person, purpose, secret)
        self.stdout.write(address or f"The link was sent to {person.email}.")


def _person(email: str) -> User:
    user = User.objects.filter(username=address_of_person(email)).first()
    if user is None:
        raise CommandError(f"There is no user {email}. The user name is the e-mail address.")
    return user
