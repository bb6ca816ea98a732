"""The forms of people, roles and one's own account."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms

from revops.access.joiners import NAME_LENGTH_MAX
from revops.access.proposals import REASON_LENGTH_MAX
from revops.identity.passwords import PASSWORD_LENGTH_MAX
from revops.identity.tokens import SCOPES
from revops.people.models import Role
from revops.web.fields import RowIdField, line
from revops.web.forms import PageForm, ReasonForm


def _password(label: str, autocomplete: str) -> forms.CharField:
    """A password; what is wrong with a new one is the policy's to say."""
    widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
    return forms.CharField(label=label, max_length=PASSWORD_LENGTH_MAX, strip=False, widget=widget,
                           error_messages={"required": "Enter a password."})  # fmt: skip


class LinkPasswordForm(PageForm):
    """Choosing a password by a link. A script fills the code in; without one it is pasted."""

    secret = line("Code from your link (what stands after the #)", length_max=100, missing="Paste the code.", autocomplete="off")
    password = _password("New password, at least 12 characters", "new-password")


class ChangePasswordForm(PageForm):
    """Another password for oneself."""

    old = _password("Your password now", "current-password")
    password = _password("New password, at least 12 characters", "new-password")


class CodeForm(PageForm):
    """The first code of an authenticator app."""

    code = line("Code that the app shows", length_max=12, missing="Enter the code.", inputmode="numeric", autocomplete="off")


class PasskeyForm(PageForm):
    """A name for a passkey, and what the browser made."""

    name = line("Name of the passkey", length_max=60, missing="Give it a name, such as the device it is kept on.")
    answer = forms.CharField(required=False, max_length=20_000, widget=forms.HiddenInput)


class WhichForm(PageForm):
    """Which of one's factors, sessions, tokens or delegations."""

    which = forms.CharField(max_length=64, widget=forms.HiddenInput)


class TokenForm(PageForm):
    """A new API token."""

    name = line("What the token is for", length_max=80, missing="Say what the token is for.")
    days = forms.IntegerField(label="Days it lives", min_value=1, max_value=365, initial=90)
    scopes = forms.MultipleChoiceField(
        label="What it may do", required=False, choices=list(SCOPES.items()), initial=["read"],
        widget=forms.SelectMultiple(attrs={"size": len(SCOPES)}),
    )  # fmt: skip


class DelegationForm(PageForm):
    """Who decides in one's place, and when."""

    first_day = forms.DateField(label="From", widget=forms.DateInput(attrs={"type": "date"}))
    last_day = forms.DateField(label="To", widget=forms.DateInput(attrs={"type": "date"}))
    reason = line("Why (optional)", length_max=200)

    def __init__(self, people: Iterable[tuple[str, str]], *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="d-%s", **options)
        choices = list(people)
        stand_in = forms.ChoiceField(label="Stand-in", choices=choices, error_messages={"required": "Choose somebody."})
        self.fields = {"stand_in": stand_in, **self.fields}


class InviteForm(PageForm):
    """Somebody new."""

    email = line("Work e-mail", length_max=150, missing="Give the e-mail address that this person signs in with.")
    name = line("Name", length_max=NAME_LENGTH_MAX)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="i-%s", **options)


class RoleForm(PageForm):
    """A role to give or to take. The reason is for the other administrator, where one confirms."""

    role = forms.ChoiceField(label="Role", choices=Role.choices)
    reason = line("Why (another administrator reads it)", length_max=REASON_LENGTH_MAX)


class DeactivateForm(ReasonForm):
    """Why somebody is let in no more."""

    length_max = REASON_LENGTH_MAX


class ProposalForm(PageForm):
    """Which proposal."""

    proposal = RowIdField()
