"""`manage.py connections ...`: what people do with connections in the browser, as one of them.

Each subcommand that changes something acts as the person that `--as` names, and reads from standard input, a line each, or asks:
what proves it (the password, or a code where they have a second factor), then the value of each `--secret` in their order. A
secret of several lines is read from a file (`--secret-file NAME=PATH`); none stands in the command line.
"""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from revops.errors import RevOpsError
from revops.identity.models import StepUp
from revops.management.prompt import typed
from revops.people.models import User
from sync import connections
from sync.connections import condition
from sync.connections.actions import OVERLAP_HOURS
from sync.connections.trial import Trial, try_connection, try_settings
from sync.connectors import CONNECTORS
from sync.ground import doorbell
from sync.management.acting import acting
from sync.models import Connection, PostingProposal, PostingState


class Command(BaseCommand):
    help = (
        "List, show, add, test, change, start, pause and read connections, replace secrets, stop posting or switch it on by two."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        told = "the person who does it; what proves it is read from standard input"
        parser.add_argument("--as", dest="person", default="", metavar="EMAIL", help=told)
        words = parser.add_subparsers(dest="what", required=True)
        words.add_parser("list", help="every connection in a line")
        words.add_parser("vendors", help="the systems that can be connected, with the settings that each needs")
        words.add_parser("proposals", help="what waits for a second person")
        for name, told in (
            ("show", "one connection: settings, streams, limits, what it can do"),
            ("add", "a connection, which is neither read nor posted to yet"),
            ("test", "ask the system who we are there"),
            ("change", "label, address, settings, secrets"),
            ("end-secret", "the value that a signing secret had before is good no more"),
            ("start", "read it from now on"),
            ("pause", "neither read nor post; what its system sends is kept"),
            ("read", "read its streams at once"),
            ("stop-posting", "send nothing more, at once"),
            ("propose-posting", "propose that changes are posted there"),
        ):
            word = words.add_parser(name, help=told)
            word.add_argument("slug", help="the connection's name")
            if name == "add":
                word.add_argument("vendor", choices=sorted(CONNECTORS))
                word.add_argument("--try", dest="try_first", action="store_true", help="only ask the system; keep nothing")
            if name in ("add", "change", "test"):
                _given(word, base_url_needed=name == "add")
            if name == "change":
                word.add_argument("--overlap-hours", type=int, default=OVERLAP_HOURS, help="a signing secret before stays good")
            if name == "end-secret":
                word.add_argument("setting")
            if name in ("pause", "stop-posting", "propose-posting", "change"):
                word.add_argument("--reason", default="")
        for name in ("confirm", "refuse"):
            words.add_parser(name, help=f"{name} what was proposed").add_argument("number", type=int)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            getattr(self, f"_{options['what'].replace('-', '_')}")(options)
        except RevOpsError as refused:
            raise CommandError(refused.message) from None
        doorbell.wait_until_rung()

    # -- reading ------------------------------------------------------------------------------------------------------
    def _list(self, _options: dict[str, Any]) -> None:
        for row in Connection.objects.select_related("system").order_by("pk"):
            reading = "read" if row.active else "not read"
            connector = condition.connector_or_none(row)
            written = connector is not None and connector.operations
            posting = ("posting on" if row.posting_enabled else "posting off") if written else "read only"
            self.stdout.write(f"{row.pk:<20} {row.vendor:<12} {reading:<9} {posting:<12} {row.base_url}")

    def _vendors(self, _options: dict[str, Any]) -> None:
        for connector in CONNECTORS.values():
            self.stdout.write(f"{connector.slug}: {connector.label}. {condition.abilities(connector)}.")
            for setting in connector.settings:
                kind = "secret" if setting.sensitive else "setting"
                needed = "needed" if setting.required and not setting.default else f"default {setting.default or 'none'}"
                self.stdout.write(f"    {kind:<8} {setting.name:<24} {needed:<20} {setting.label}. {setting.help}".rstrip())

    def _proposals(self, _options: dict[str, Any]) -> None:
        waiting = PostingProposal.objects.filter(state=PostingState.WAITING, expires_at__gt=timezone.now())
        for row in waiting.select_related("proposed_by"):
            self.stdout.write(f"{row.pk:>6}  {row.proposed_by}: post to {row.connection_id} at {row.base_url}: {row.reason}")

    def _show(self, options: dict[str, Any]) -> None:
        row = _row(options["slug"])
        connector, now = connections.connector_of(row), timezone.now()
        self.stdout.write(f"{row.system.label} ({connector.label}) at {row.base_url}")
        self.stdout.write(f"{'read' if row.active else 'not read'}, {'posting on' if row.posting_enabled else 'posting off'}")
        for each in condition.given(row, connector, now):
            value = ("set" if each.is_set else "not set") if each.setting.sensitive else each.value
            until = f" (the value before is good until {each.former_until:%Y-%m-%d %H:%M} UTC)" if each.former_until else ""
            self.stdout.write(f"    {each.setting.name:<24} {value}{until}")
        for stream in condition.streams(row, connector):
            read = f"{stream.read_at:%Y-%m-%d %H:%M} UTC" if stream.read_at else "not to its end yet"
            self.stdout.write(f"stream {stream.name}: read {read} {stream.problem}".rstrip())
        for rate in condition.used(row, connector) or []:
            self.stdout.write(f"limit {rate.name}: {rate.used} of {rate.calls} in {rate.seconds} s used")
        for written in condition.operations(connector):
            self.stdout.write(f"writes {written.change}: {written.in_words}")
        if row.last_problem:
            self.stdout.write(f"last problem: {row.last_problem}")

    # -- acting -------------------------------------------------------------------------------------------------------
    def _add(self, options: dict[str, Any]) -> None:
        user, proof = self._person(options)
        values = _values(options)
        if options["try_first"]:
            self._tell(try_settings(options["vendor"], options["base_url"], values, acting_user=user))
            return
        row = connections.connect(
            on_trial=True,
            slug=options["slug"],
            vendor=options["vendor"],
            base_url=options["base_url"],
            values=values,
            label=options["label"] or "",
            step_up=proof,
            acting_user=user,
        )
        self.stdout.write(f"{row.system.label} is connected as {row.pk}. It is read once you start it.")

    def _test(self, options: dict[str, Any]) -> None:
        user, _ = self._person(options)
        values = _values(options)
        self._tell(try_connection(options["slug"], base_url=options["base_url"], values=values, acting_user=user))

    def _tell(self, trial: Trial) -> None:
        for part in trial.parts:
            self.stdout.write(f"{part.name:<50} {'works' if part.works else 'REFUSED'}{f': {part.said}' if part.said else ''}")
        if not trial.good:
            raise CommandError(trial.said)
        self.stdout.write(trial.said)

    def _change(self, options: dict[str, Any]) -> None:
        user, proof = self._person(options)
        before = _row(options["slug"])
        row = connections.change_connection(
            options["slug"],
            base_url=options["base_url"],
            values=_values(options),
            label=options["label"],
            overlap_hours=options["overlap_hours"],
            reason=options["reason"],
            row_version=before.row_version,
            step_up=proof,
            acting_user=user,
        )
        stopped = before.posting_enabled and not row.posting_enabled
        self.stdout.write("Changed." + (" Posting is off until a second person confirms it anew." if stopped else ""))

    def _end_secret(self, options: dict[str, Any]) -> None:
        connections.end_former_secret(options["slug"], options["setting"], acting_user=self._person(options)[0])

    def _start(self, options: dict[str, Any]) -> None:
        connections.resume(options["slug"], acting_user=self._person(options)[0])

    def _pause(self, options: dict[str, Any]) -> None:
        connections.pause(options["slug"], reason=options["reason"], acting_user=self._person(options)[0])

    def _read(self, options: dict[str, Any]) -> None:
        count = connections.read_now(options["slug"], acting_user=self._person(options)[0])
        self.stdout.write(f"{count} streams are read now.")

    def _stop_posting(self, options: dict[str, Any]) -> None:
        connections.stop_posting(options["slug"], reason=options["reason"], acting_user=self._person(options)[0])

    def _propose_posting(self, options: dict[str, Any]) -> None:
        user, proof = self._person(options)
        row = connections.propose_posting(options["slug"], reason=options["reason"], step_up=proof, acting_user=user)
        self.stdout.write(f"Proposed as {row.pk}: another person confirms it.")

    def _confirm(self, options: dict[str, Any]) -> None:
        user, proof = self._person(options, "confirm_posting")
        row = connections.confirm_posting(options["number"], step_up=proof, acting_user=user)
        self.stdout.write(f"Posting to {row.system.label} is on.")

    def _refuse(self, options: dict[str, Any]) -> None:
        connections.refuse_posting(options["number"], acting_user=self._person(options, "confirm_posting")[0])

    def _person(self, options: dict[str, Any], verb: str = "manage_connections") -> tuple[User, StepUp]:
        """Who acts, and the proof that it is they."""
        return acting(options["person"], verb, command="connections")


def _given(word: ArgumentParser, *, base_url_needed: bool) -> None:
    word.add_argument("--base-url", required=base_url_needed, default=None)
    word.add_argument("--label", default=None)
    word.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a plain setting (repeatable)")
    word.add_argument("--secret", action="append", default=[], metavar="NAME", help="read from standard input (repeatable)")
    word.add_argument("--secret-file", action="append", default=[], metavar="NAME=PATH", help="read from a file (repeatable)")


def _values(options: dict[str, Any]) -> dict[str, str]:
    """The settings that were given, secrets too."""
    found = dict(_pair(text) for text in options["set"])
    for name, path in (_pair(text) for text in options["secret_file"]):
        try:
            found[name] = Path(path).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{path} cannot be read ({type(error).__name__}).") from None
    return found | {name: typed(name) for name in options["secret"]}


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise CommandError(f"Write NAME=VALUE, not {text[:40]!r}.")
    return name, value


def _row(slug: str) -> Connection:
    row = Connection.objects.select_related("system").filter(pk=slug).first()
    if row is None:
        raise CommandError(f"There is no connection named {slug}.")
    return row
