"""What becomes different in a connection when somebody changes what it is given. Writes nothing: `actions` saves the row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

from revops.errors import Conflict, Rejected
from revops.sentences import Param, Sentence, Word, template
from sync.connections.envelope import seal, secrets_of
from sync.connections.values import Values, sent_secrets, sorted_values
from sync.models import Connection
from sync.vendor.contract import Connector, Former, Setting

CHANGED = template("connection.changed", "Changed the connection {system}: {changes}")
GOOD_UNTIL = template("connection.good_until", "the former {names} is good as well until {until}")
POSTING_WAITS = template("connection.posting_waits", "posting is off until a second person confirms it for what it is now")
READ_ANEW = template("connection.read_anew", "everything is read from the beginning, with the fields that are declared now")
SEALED_AGAIN = template("connection.sealed_again", "Changed the connection {system}: sealed again")


class Change:
    """The change of one row in hand, at `now` (the database's time). `before` and `after` name secrets and never hold one;
    `steers`: it can change where a posting goes or what it says. `maps`: it changes which fields are read."""

    def __init__(self, row: Connection, connector: Connector, now: dt.datetime) -> None:
        self.row, self.connector, self.now = row, connector, now
        self.before: dict[str, object] = {}
        self.after: dict[str, object] = {}
        self.steers = False
        self.maps = False
        self._names: list[str] = []
        self._kept_good: list[str] = []
        self._until = now
        self._was, former = _opened(row)
        self._secrets = dict(self._was)
        self._former = {name: each for name, each in former.items() if now < each.until}

    def note(self, name: str, was: object, will_be: object) -> None:
        self.before[name], self.after[name] = was, will_be

    def rename(self, label: str) -> None:
        system = self.row.system
        if label != system.label:
            self.note("label", system.label, label)
            self._names.append("label")
            system.label = label

    def move(self, origin: str, given: Mapping[str, str]) -> None:
        """To another address: another party, which gets none of the secrets that were entered for the one before. Raises
        `Rejected("secret_needed")`. A simulator on this machine may change its port."""
        was_simulator = self.row.is_simulator
        if origin == self.row.base_url:
            return
        self.note("base_url", self.row.base_url, origin)
        self._names.append("base_url")
        self.row.base_url = origin
        if was_simulator and self.row.is_simulator:
            return
        self.steers = True
        for setting in sent_secrets(self.connector):
            self._secrets.pop(setting.name, None)
            if setting.required and not given.get(setting.name):
                raise Rejected(
                    "secret_needed",
                    f"Enter {setting.label} again: another address is not given what was entered for the one before.",
                    field=setting.name,
                )

    def give(self, given: Mapping[str, str], overlap: dt.timedelta) -> None:
        """Settings; an empty sensitive one keeps what there is. A signing secret that is replaced stays good for `overlap`.
        Raises `Rejected` as `sorted_values` does, `Conflict("former_good")`."""
        row, sensitive = self.row, {setting.name for setting in self.connector.settings if setting.sensitive}
        said = {name: value for name, value in given.items() if value or name not in sensitive}
        judged = sorted_values(self.connector, {**row.settings, **self._secrets, **said})
        was = self._was
        for setting in self.connector.settings:
            self._compare(setting, row.settings | was, judged, overlap)
        if changed := sorted(name for name in was | judged.sensitive if was.get(name) != judged.sensitive.get(name)):
            self.after["secrets"] = changed
        row.settings, row.secrets = judged.plain, seal(judged.sensitive, str(row.pk), self._former)
        row.former_until = {name: each.until.isoformat() for name, each in self._former.items()}

    def _compare(self, setting: Setting, was: Mapping[str, str], judged: Values, overlap: dt.timedelta) -> None:
        old, new = was.get(setting.name, ""), (judged.plain | judged.sensitive).get(setting.name, "")
        if old == new:
            return
        self._names.append(setting.name)
        given = was.get(setting.name, setting.default), judged.plain.get(setting.name, setting.default)
        self.maps |= setting.maps and given[0] != given[1]
        if not setting.sensitive:
            self.note(setting.name, old, new)
        if not setting.signs:
            self.steers |= setting.steers
        elif old and overlap:
            if setting.name in self._former:
                raise Conflict(
                    "former_good",
                    f"{setting.label} was replaced of late, and the one before is still good. End that one first.",
                )
            self._until = self.now + overlap
            self._former[setting.name] = Former(old, self._until)
            self._kept_good.append(setting.name)
        else:
            self._former.pop(setting.name, None)

    def sentence(self) -> Sentence:
        """All of it, for the log."""
        if not self._names:
            return SEALED_AGAIN(system=str(self.row.pk))
        changes: list[Param] = [Word(name) for name in self._names]
        if self._kept_good:
            changes.append(GOOD_UNTIL(names=tuple(Word(name) for name in self._kept_good), until=self._until))
        if self.maps:
            changes.append(READ_ANEW())
        if "posting_enabled" in self.after:
            changes.append(POSTING_WAITS())
        return CHANGED(system=str(self.row.pk), changes=tuple(changes))


def _opened(row: Connection) -> tuple[dict[str, str], dict[str, Former]]:
    """Its secrets; none where no configured key opens them, so that they can be entered again."""
    try:
        return secrets_of(row)
    except Conflict:
        return {}, {}
