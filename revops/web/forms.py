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
from revops.postings.kind import ChangeKind, FormField, Option
from revops.sentences import Sentence
from revops.web.naming import said_html

REASON_LENGTH_MAX = 2000


class Renderer(TemplatesSetting):
    """Fields are drawn by our template; widgets by Django's own."""

    field_template_name = "forms/field.html"


class RadioField(forms.ChoiceField):
    """One of a few, drawn as buttons."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.template_name = "forms/radios.html"


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
            self.add_error(name, said_html(error.said) if isinstance(error.said, Sentence) else error.message)


def _too_long(label: str, length_max: int) -> str:
    return f"{label.rstrip('?')} has at most {length_max:,} characters."


def line(label: str, *, length_max: int, missing: str = "", **attrs: str) -> forms.CharField:
    """A single line of text; `missing` says what to do when it is empty, and makes it compulsory."""
    return forms.CharField(
        label=label,
        max_length=length_max,
        required=bool(missing),
        error_messages={"required": missing, "max_length": _too_long(label, length_max)},
        widget=forms.TextInput(attrs=attrs),
    )


def paragraph(label: str, *, length_max: int, missing: str = "", help_text: str = "", rows: int = 3) -> forms.CharField:
    """Text of several lines."""
    return forms.CharField(
        label=label,
        max_length=length_max,
        required=bool(missing),
        help_text=help_text,
        error_messages={"required": missing, "max_length": _too_long(label, length_max)},
        widget=forms.Textarea(attrs={"rows": rows, "cols": False}),
    )


def radios(label: str, choices: Iterable[tuple[str, str]], *, missing: str) -> forms.ChoiceField:
    """One of a few, each with its button."""
    return RadioField(
        label=label,
        choices=list(choices),
        widget=forms.RadioSelect,
        error_messages={"required": missing, "invalid_choice": missing},
    )


# --- cases -----------------------------------------------------------------------------------------------------------


class AssignForm(PageForm):
    """Who works the case from now on; nobody is a choice."""

    remark = line("Remark (for the log)", length_max=300)

    def __init__(self, people: Iterable[tuple[str, str]], *args: Any, label: str = "Give it to", **options: Any) -> None:
        super().__init__(*args, **options)
        owners = forms.Select(choices=[*people, ("", "Nobody")])
        self.fields = {"owner": forms.CharField(label=label, required=False, max_length=20, widget=owners), **self.fields}


class SnoozeForm(PageForm):
    """For how long, and what is waited for."""

    reason = line("What are you waiting for?", length_max=500, missing="Say what you are waiting for.")

    def __init__(self, choices: Iterable[tuple[str, str]], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields = {"hours": radios("Put aside for", choices, missing="Choose for how long."), **self.fields}


class NoteForm(PageForm):
    """A note on a case."""

    text = paragraph("Note", length_max=10_000, rows=2)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        hint = "What did you find out? @name tells somebody."
        self.fields["text"].widget.attrs |= {"placeholder": hint, "data-key": "note"}


# --- changes ---------------------------------------------------------------------------------------------------------


class PlanForm(PageForm):
    """The form of a kind of change, built from the fields that the kind declares. What the inputs mean together, and the
    currency of an amount, is the kind's own to check: it gets the texts."""

    def __init__(self, kind: ChangeKind, choices: Mapping[str, list[Option]], *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="f-%s", **options)
        for spec in kind.fields:
            self.fields[spec.name] = field_of(spec, choices.get(spec.name, []))
        self.fields["reason"] = paragraph(
            "Why is this right?",
            length_max=REASON_LENGTH_MAX,
            missing="Say why this is right.",
            help_text="Whoever decides reads this. It is kept for ever.",
        )

    def texts(self) -> dict[str, str]:
        """What was typed, as text, by field."""
        return {name: str(self.data.get(name, ""))[:REASON_LENGTH_MAX] for name in self.fields}


def field_of(spec: FormField, choices: list[Option]) -> forms.Field:
    """A declared field as a field of a form."""
    common: dict[str, Any] = {
        "label": spec.label if spec.required else f"{spec.label} (optional)",
        "help_text": spec.help,
        "required": spec.required,
        "error_messages": {"required": f"Fill in {spec.label.lower()}."},
    }
    field: forms.Field
    if spec.kind == "choice":
        offered = [(option.value, said_html(option.label)) for option in choices]
        field = forms.CharField(widget=forms.Select(choices=offered), **common)  # the kind says why one does not fit
    elif spec.kind == "date":
        day = forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})
        field = forms.DateField(input_formats=["%Y-%m-%d"], widget=day, **common)
        field.error_messages["invalid"] = "Write the day as YYYY-MM-DD, such as 2026-11-30."
    elif spec.kind == "money":
        field = forms.CharField(widget=forms.TextInput(attrs={"inputmode": "decimal"}), **common)
    else:
        field = forms.CharField(max_length=spec.length_max, **common)
    return field


# --- decisions -------------------------------------------------------------------------------------------------------


class RejectForm(PageForm):
    """Why not: the maker reads it."""

    def __init__(self, maker: str, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="r-%s", **options)
        asked = f"Why do you reject it? {maker} reads this."
        self.fields["reason"] = paragraph(asked, length_max=REASON_LENGTH_MAX, missing="Say why you reject it.")


class MeaningField(forms.CharField):
    """What a signature means, in words; the page offers the usual ones as buttons."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.template_name = "forms/radios.html"


class ApproveForm(PageForm):
    """What the signature means, and the password once more."""

    def __init__(self, meanings: Iterable[str], *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="a-%s", **options)
        words = "What your signature means"
        self.fields["meaning"] = MeaningField(
            label=words,
            max_length=300,
            widget=forms.RadioSelect(choices=[(meaning, meaning) for meaning in meanings]),
            error_messages={"required": "Choose what your signature means."},
        )
        secret = forms.PasswordInput(attrs={"autocomplete": "current-password"})
        self.fields["password"] = forms.CharField(
            label="Your password, once more", max_length=300, strip=False, widget=secret,
            error_messages={"required": "This is not your password. Nothing was signed; enter it again."},
        )  # fmt: skip
