"""The forms of connections, made from the settings that a connector declares. A secret is never drawn, also not the one that was
just typed."""

from __future__ import annotations

from typing import Any

from django import forms

from revops.web.fields import VersionField, line
from revops.web.forms import PageForm, ReasonForm
from sync import connections
from sync.connections.actions import LABEL_LENGTH_MAX, OVERLAP_HOURS
from sync.connections.rows import REASON_LENGTH_MAX
from sync.connections.values import VALUE_LENGTH_MAX
from sync.models import Connection
from sync.vendor.contract import Connector, Setting

SLUG_LENGTH_MAX = 59
ADDRESS_LENGTH_MAX = 300
TIE_LENGTH_MAX = 200
NAMES = "connection-names"
"""The id of the list of names that a form suggests where a setting names a connection."""
OVERLAPS = ((0, "not at all"), (24, "24 hours"), (72, "3 days"), (168, "7 days"))


class SecretArea(forms.Textarea):
    """A secret of several lines. Like a password, it is not drawn again."""

    def format_value(self, value: Any) -> str:  # noqa: ARG002 - whatever it is
        """Nothing."""
        return ""


def _widget(setting: Setting) -> forms.Widget:
    attrs = {"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false"}
    if setting.choices:
        return forms.Select(choices=[(value, value) for value in setting.choices])
    if setting.lines > 1:
        return (SecretArea if setting.sensitive else forms.Textarea)(attrs={**attrs, "rows": setting.lines, "cols": False})
    if setting.sensitive:
        return forms.PasswordInput(attrs={**attrs, "autocomplete": "new-password"})
    return forms.TextInput(attrs={**attrs, "list": NAMES} if setting.names_connection else attrs)


_NEED = {(True, False): "", (False, False): " (optional)", (False, True): " (needed to post)"}
"""What follows the label of a setting: (needed always, needed to post)."""


def declared_field(setting: Setting, *, required: bool, help_text: str = "") -> forms.CharField:
    """The field of a declared setting; whether its value will do is the action's to say."""
    return forms.CharField(
        label=f"{setting.label}{_NEED[setting.required, setting.posts]}",
        required=required,
        max_length=VALUE_LENGTH_MAX,
        strip=True,
        help_text=help_text,
        initial=setting.default,
        widget=_widget(setting),
        error_messages={"required": f"Give {setting.label}."},
    )


class DeclaredForm(PageForm):
    """What a connection is given: its label, its address, and the settings of its connector."""

    connector: Connector

    def _add_address(self, value: str = "") -> None:
        self.fields["base_url"] = line(
            "Base URL",
            length_max=ADDRESS_LENGTH_MAX,
            missing="Give the address at which the vendor answers your company.",
            placeholder="https://",
            inputmode="url",
            autocomplete="off",
        )
        self.fields["base_url"].initial = value
        if self.connector.address:
            self.fields["base_url"].help_text = f"Such as {self.connector.address}"

    def names(self) -> list[str]:
        """The connections that a setting may name."""
        return connections.slugs()

    def needed(self) -> list[forms.BoundField]:
        """What somebody has to give, or usually does."""
        return [field for field in self.visible_fields() if not self._may_be_left(field.name) and field.name != "proof"]

    def others(self) -> list[forms.BoundField]:
        """Settings that have a default or may be left out."""
        return [field for field in self.visible_fields() if self._may_be_left(field.name)]

    def _may_be_left(self, name: str) -> bool:
        return any(each.name == name and (each.default or not each.required) for each in self.connector.settings)

    def values(self) -> dict[str, str]:
        """The settings as they were typed. Raises `Rejected` as `must` does."""
        said = self.must()
        return {setting.name: said[setting.name] for setting in self.connector.settings if setting.name in self.fields}


class ConnectForm(DeclaredForm):
    """A new connection."""

    def __init__(self, connector: Connector, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="c-%s", **options)
        self.connector = connector
        self.fields["slug"] = line("Name", length_max=SLUG_LENGTH_MAX, missing="Give the connection a name.", autocomplete="off")
        self.fields["slug"].help_text = "Small letters, digits and hyphens. It stands in addresses and is never changed."
        self.fields["slug"].initial = connector.slug
        self.fields["label"] = line("Label", length_max=LABEL_LENGTH_MAX)
        self.fields["label"].help_text = f"What people read, such as {connector.label} Japan."
        self.fields["label"].initial = connector.label
        self._add_address()
        for setting in connector.settings:
            needed = setting.required and not setting.default
            self.fields[setting.name] = declared_field(setting, required=needed, help_text=setting.help)


class ChangeForm(DeclaredForm):
    """Another label or address, other settings. Secrets that sign deliveries are replaced on the connection's page."""

    version = VersionField()

    def __init__(self, row: Connection, connector: Connector, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="c-%s", **options)
        self.connector = connector
        self.fields["version"].initial = row.row_version
        self.fields["label"] = line("Label", length_max=LABEL_LENGTH_MAX)
        self.fields["label"].initial = row.system.label
        self._add_address(row.base_url)
        for setting in connector.settings:
            if setting.signs:
                continue
            kept = "Kept when left empty; another address needs it again." if setting.sensitive else setting.help
            needed = setting.required and not setting.default and not setting.sensitive
            field = declared_field(setting, required=needed, help_text=kept)
            field.initial = "" if setting.sensitive else row.settings.get(setting.name, setting.default)
            self.fields[setting.name] = field


class SecretForm(PageForm):
    """Another value of one secret. One that signs deliveries may leave the value before good for a while."""

    version = VersionField()

    def __init__(self, setting: Setting, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id=f"{setting.name}-%s", **options)
        self.fields["value"] = declared_field(setting, required=True, help_text=setting.help)
        self.fields["value"].label = "New value"
        if setting.signs:
            self.fields["overlap_hours"] = forms.TypedChoiceField(
                label="The value before stays good", choices=OVERLAPS, coerce=int, initial=OVERLAP_HOURS
            )


class WhyForm(ReasonForm):
    """Why a connection is paused, stopped, or to be posted to."""

    length_max = REASON_LENGTH_MAX

    def __init__(self, name: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id=f"{name}-%s", **options)


class ProposePostingForm(WhyForm):
    """Why changes are to be posted there: whoever confirms it reads it."""

    asks = "Why? Whoever confirms it reads this."

    version = VersionField()


class TieForm(WhyForm):
    """Use what the data proposes for a setting: which one, and why."""

    version = VersionField()

    def __init__(self, *args: Any, setting: str = "", value: str = "", **options: Any) -> None:
        super().__init__(f"tie-{setting}-{value}", *args, **options)
        for name, initial in (("setting", setting), ("value", value)):
            self.fields[name] = forms.CharField(max_length=TIE_LENGTH_MAX, initial=initial, widget=forms.HiddenInput)
        self.fields["reason"].initial = "As the data says"


class ProofForm(PageForm):
    """Nothing but the proof of who is there."""


class VersionForm(PageForm):
    """Which version of the connection the person saw."""

    version = VersionField()
