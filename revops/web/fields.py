"""The fields of the pages' forms: how each is drawn, what it reads, and what it says when that cannot be read."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django import forms
from django.forms.renderers import TemplatesSetting
from django.utils import timezone

from revops.errors import Rejected
from revops.parameters import row_id
from revops.postings.kind import FormField, Option, check_text
from revops.web.naming import in_words_html

VERSION_DIGITS_MAX = 10


class Renderer(TemplatesSetting):
    """Fields are drawn by our template; widgets by Django's own."""

    field_template_name = "forms/field.html"


class RadioField(forms.ChoiceField):
    """One of a few, drawn as buttons."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.template_name = "forms/radios.html"


class TickField(forms.BooleanField):
    """A box to tick, with its words beside it."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.template_name = "forms/tick.html"


class MeaningField(forms.CharField):
    """What a signature means, in words; the page offers the usual ones as buttons."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.template_name = "forms/radios.html"


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


def tick(label: str) -> forms.BooleanField:
    """A box to tick."""
    return TickField(label=label, required=False)


class RowIdField(forms.Field):
    """The id of a row, which the page put there; None for a text that cannot be one."""

    widget = forms.HiddenInput

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: Any) -> int | None:
        """The id."""
        return row_id(str(value or ""))


class VersionField(RowIdField):
    """The row version that a form was drawn from; None for a text that cannot be one."""

    def to_python(self, value: Any) -> int | None:
        """The version. No row has changed a billion times: a longer number would not fit its column."""
        text = str(value or "")
        return row_id(text) if len(text) < VERSION_DIGITS_MAX else None


class RowIdsField(forms.Field):
    """The ids of ticked rows; what cannot be one is left out."""

    widget = forms.MultipleHiddenInput

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: Any) -> list[int]:
        """The ids, in the order of the page."""
        return [key for text in value or () if (key := row_id(str(text))) is not None]


class RowVersionsField(forms.Field):
    """Ticked rows with the versions that were shown, `<id>:<version>`; (None, None) for a text that names none."""

    widget = forms.MultipleHiddenInput

    def __init__(self) -> None:
        super().__init__(required=False)

    def to_python(self, value: Any) -> list[tuple[int | None, int | None]]:
        """Each once, in the order of the page."""
        version = VersionField()
        pairs = (str(text).partition(":")[::2] for text in dict.fromkeys(value or ()))
        return [(row_id(key), version.to_python(seen)) for key, seen in pairs]


class MomentField(forms.Field):
    """A moment as `2026-11-20` (the end of that day) or `2026-11-20T14:05`, in the reader's zone."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"})

    def to_python(self, value: Any) -> dt.datetime | None:
        """The moment, with its zone."""
        text = str(value or "").strip()
        if not text:
            return None
        try:
            moment = dt.datetime.fromisoformat(text)
            if len(text) == 10:
                moment = moment.replace(hour=23, minute=59, second=59)
            aware = moment if moment.tzinfo else timezone.make_aware(moment)
        except (ValueError, OverflowError):
            aware = None
        if aware is None or not 1990 <= aware.year <= 2200:
            raise forms.ValidationError("Write the moment as 2026-11-20T14:05.")
        return aware


class DeclaredField(forms.CharField):
    """An input that a kind of change declares. The value is the text; the kind's own reader says what is wrong with it."""

    def __init__(self, spec: FormField, choices: Iterable[Option]) -> None:
        widgets: dict[str, forms.Widget] = {
            "choice": forms.Select(choices=[(option.value, in_words_html(option.label)) for option in choices]),
            "date": forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"}),
            "money": forms.TextInput(attrs={"inputmode": "decimal"}),
            "text": forms.TextInput(attrs={"maxlength": str(spec.length_max)}),
        }
        super().__init__(
            label=spec.label if spec.required else f"{spec.label} (optional)",
            help_text=spec.help,
            required=spec.required,
            widget=widgets[spec.kind],
        )
        self.spec = spec

    def clean(self, value: Any) -> str:
        """The text. Raises Django's `ValidationError` with the reader's words."""
        text = str(value or "")
        try:
            check_text({self.spec.name: text}, self.spec)
        except Rejected as wrong:
            raise forms.ValidationError(wrong.message, code=wrong.code) from None
        return text
