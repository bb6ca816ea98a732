"""What every form of the pages shares: how a field is drawn (label, input, error, help, aria), and reading one.

A form checks the shape of what was typed; whether it may be done is the action's to say. `keep_problem` puts an action's
refusal on the field that it is about, so that both are shown the same way.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting

from revops.errors import Rejected, RevOpsError

REASON_LENGTH_MAX = 2000


class Renderer(TemplatesSetting):
    """Fields are drawn by our template; widgets by Django's own."""

    field_template_name = "forms/field.html"


class PageForm(forms.Form):
    """A form of a page. Ids are `<prefix>-<name>` where the same form stands on a page several times."""

    use_required_attribute = True

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("label_suffix", "")
        super().__init__(*args, **options)

    def must(self) -> Mapping[str, Any]:
        """The clean values. Raises `Rejected` with the first thing that is wrong, and its field."""
        if not self.is_valid():
            name, lines = next(iter(self.errors.items()))
            raise Rejected("input_invalid", str(lines[0]), field="" if name == "__all__" else name)
        return self.cleaned_data

    def keep_problem(self, error: RevOpsError) -> None:
        """Show an action's refusal at its field, or above the form when it is about none of them."""
        self.is_valid()
        name = error.field if error.field in self.fields else None
        if name is None or name not in self.errors:
            self.add_error(name, error.message)


def line(label: str, *, length_max: int, missing: str = "", **attrs: str) -> forms.CharField:
    """A single line of text; `missing` says what to do when it is empty, and makes it compulsory."""
    return forms.CharField(
        label=label,
        max_length=length_max,
        required=bool(missing),
        error_messages={"required": missing},
        widget=forms.TextInput(attrs=attrs),
    )


def paragraph(label: str, *, length_max: int, missing: str = "", help_text: str = "", rows: int = 3) -> forms.CharField:
    """Text of several lines."""
    return forms.CharField(
        label=label,
        max_length=length_max,
        required=bool(missing),
        help_text=help_text,
        error_messages={"required": missing},
        widget=forms.Textarea(attrs={"rows": rows, "cols": None}),
    )


def radios(label: str, choices: Iterable[tuple[str, str]], *, missing: str) -> forms.ChoiceField:
    """One of a few, each with its button."""
    return forms.ChoiceField(
        label=label,
        choices=list(choices),
        widget=forms.RadioSelect,
        error_messages={"required": missing, "invalid_choice": missing},
        template_name="forms/radios.html",  # type: ignore[call-arg]  # the stubs do not know it yet
    )
