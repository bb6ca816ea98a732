"""The forms of the pages.

A form checks the shape of what was typed; whether it may be done is the action's to say. `keep_problem` puts an action's
refusal on the field that it is about, so that both are shown the same way. Views hand `request.POST` to a form and read it
nowhere else. Text that is too long is refused with the text kept, never cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms

from revops.cases.actions import NOTE_LENGTH_MAX, VIEW_NAME_LENGTH_MAX
from revops.errors import Rejected, RevOpsError
from revops.parameters import unreadable
from revops.postings.draft import REASON_LENGTH_MAX
from revops.postings.kind import ChangeKind, Option
from revops.postings.models import RecordVerdict
from revops.sentences import Sentence
from revops.web.fields import (
    DeclaredField,
    MeaningField,
    MomentField,
    RowIdField,
    RowVersionsField,
    VersionField,
    line,
    paragraph,
    radios,
    tick,
)
from revops.web.naming import in_words_html

UNREADABLE = "Take out the characters that cannot be seen: they would make others read something else than you wrote."


class PageForm(forms.Form):
    """A form of a page. Ids are `<prefix>-<name>` where the same form stands on a page several times."""

    use_required_attribute = True

    def __init__(self, *args: Any, **options: Any) -> None:
        options.setdefault("label_suffix", "")
        super().__init__(*args, **options)

    def clean(self) -> dict[str, Any]:
        """Words that somebody else will read hold nothing that cannot be seen (`parameters.unreadable`)."""
        for name, value in list(self.cleaned_data.items()):
            hidden = isinstance(self.fields[name].widget, forms.HiddenInput | forms.PasswordInput)
            if isinstance(value, str) and not hidden and unreadable(value):
                self.add_error(name, UNREADABLE)
        return self.cleaned_data

    def must(self) -> Mapping[str, Any]:
        """The clean values. Raises `Rejected` with the first thing that is wrong, and its field."""
        if not self.is_valid():
            name, lines = next(iter(self.errors.items()))
            raise Rejected("input_invalid", str(lines[0]), field="" if name == "__all__" else name)
        return self.cleaned_data

    def given(self, name: str) -> Any:
        """The clean value of one field, whatever the others hold; None when it is wrong."""
        self.is_valid()
        return self.cleaned_data.get(name)

    def typed(self) -> dict[str, Any]:
        """What was sent, unchecked, by field: the `initial` of a form that is drawn again without being judged."""
        return {name: self[name].data for name in self.fields if self[name].data is not None}

    def keep_problem(self, error: RevOpsError) -> None:
        """Show an action's refusal at its field, or above the form when it is about none of them."""
        self.is_valid()
        name = error.field if error.field in self.fields else None
        if name is None or name not in self.errors:
            self.add_error(name, in_words_html(error.said) if isinstance(error.said, Sentence) else error.message)


class ReasonForm(PageForm):
    """Why something is done. Every action that asks for a reason asks with this form; its heirs say what they ask."""

    asks = "Why?"
    missing = "Say why: it stays in the log."
    length_max = REASON_LENGTH_MAX
    help_text = ""
    rows = 1

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.rows > 1:
            field = paragraph(self.asks, length_max=self.length_max, missing=self.missing, rows=self.rows)
        else:
            field = line(self.asks, length_max=self.length_max, missing=self.missing)
        field.error_messages["max_length"] = f"A reason has at most {self.length_max:,} characters."
        field.help_text = self.help_text
        self.fields["reason"] = field


# --- cases -----------------------------------------------------------------------------------------------------------


class OriginForm(PageForm):
    """Where a form of a case was drawn: from which version of the case, and whether in the pane beside the list."""

    version = VersionField()
    view = forms.CharField(required=False, max_length=20, widget=forms.HiddenInput)


class WatchForm(PageForm):
    """Whether the case is watched from now on."""

    on = forms.NullBooleanField(widget=forms.HiddenInput)


class AssignForm(PageForm):
    """Who works the case from now on: the first of the people unless another is chosen; nobody is a choice."""

    remark = line("Remark (for the log)", length_max=300)

    def __init__(self, people: Iterable[tuple[str, str]], *args: Any, label: str = "Give it to", **options: Any) -> None:
        super().__init__(*args, **options)
        choices = [*people, ("", "Nobody")]
        owner = forms.CharField(label=label, required=False, max_length=20, widget=forms.Select(choices=choices))
        owner.initial = choices[0][0]
        self.fields = {"owner": owner, **self.fields}


class SnoozeForm(PageForm):
    """For how long, and what is waited for."""

    reason = line("What are you waiting for?", length_max=500, missing="Say what you are waiting for.")

    def __init__(self, choices: Iterable[tuple[str, str]], *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields = {"hours": radios("Put aside for", choices, missing="Choose for how long."), **self.fields}


class NoteForm(PageForm):
    """A note on a case."""

    text = paragraph("Note", length_max=NOTE_LENGTH_MAX, rows=2)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        hint = "What did you find out? @name tells somebody."
        self.fields["text"].widget.attrs |= {"placeholder": hint, "data-key": "note"}


class BulkForm(PageForm):
    """Which rows of which list, and what is done with them: `AssignForm` or `SnoozeForm` carries the rest."""

    back = forms.CharField(required=False, max_length=4000, widget=forms.HiddenInput)
    scope = forms.ChoiceField(required=False, choices=[("match", "All that match, not only these")])
    action = forms.ChoiceField(
        choices=[("assign", "Assign"), ("snooze", "Snooze")],
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose what to do with the selected rows."),
    )
    case = RowVersionsField()


class ViewForm(PageForm):
    """A filter of the queue under a name."""

    name = line("Name of the view", length_max=VIEW_NAME_LENGTH_MAX, missing="Give the view a name.")
    query = forms.CharField(required=False, widget=forms.HiddenInput)
    shared = tick("Share it with everybody who works the queue")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="view-%s", **options)


# --- accounts --------------------------------------------------------------------------------------------------------


class TimesForm(PageForm):
    """The two clocks of an account's page."""

    as_of = MomentField(label="True at", required=False)
    known_at = MomentField(label="Known by", required=False)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="%s", **options)


class LinkForm(ReasonForm):
    """Which account a customer record belongs to, and how one knows."""

    asks = "How do you know?"
    missing = "Say how you know that this is the same customer."
    length_max = 1000

    record = RowIdField()
    account = line(
        "Account name or code",
        length_max=300,
        missing="Name the account, or give its code.",
        placeholder="Halden Robotics GmbH or AC-00065",
    )


class UnlinkForm(ReasonForm):
    """Why a customer record does not belong to the account."""

    asks = "Why is this not the same customer?"
    missing = "Say why this is not the same customer."
    length_max = 1000

    link = RowIdField()


class SwitchForm(ReasonForm):
    """Whether a rule opens cases in a system, and what somebody has looked at before they said so."""

    asks = "What have you looked at?"
    missing = "Say what you have looked at."
    length_max = 1000

    system = forms.CharField(max_length=60, widget=forms.HiddenInput)
    live = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")], widget=forms.HiddenInput)

    def __init__(self, *args: Any, systems: Iterable[tuple[str, str]] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        if systems is not None:
            self.fields["system"] = forms.ChoiceField(label="System", choices=list(systems))


class CounterpartForm(ReasonForm):
    """Whether two documents of different systems are the same, and how one knows."""

    asks = "How do you know?"
    missing = "Say how you know."
    length_max = 1000

    record = RowIdField()
    other = forms.ChoiceField(label="Which other document?", required=False)
    same = forms.ChoiceField(choices=[("yes", "yes"), ("no", "no")], widget=forms.HiddenInput)
    kind = forms.CharField(required=False, max_length=30, widget=forms.HiddenInput)

    def __init__(self, *args: Any, others: Iterable[tuple[int, str]] | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        if others is None:  # what was sent: any row, which the view looks up
            self.fields["other"] = RowIdField()
        else:
            self.fields["other"] = forms.ChoiceField(label="Which other document?", choices=list(others))


# --- changes ---------------------------------------------------------------------------------------------------------


class PlanForm(PageForm):
    """The form of a kind of change, built from the fields that the kind declares and checked by the kind's own readers. What the
    inputs mean together, and the currency of an amount, is checked when the plan is composed. `once` marks one drawn form."""

    once = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, kind: ChangeKind, choices: Mapping[str, list[Option]], *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="f-%s", **options)
        self._inputs = [spec.name for spec in kind.fields]
        for spec in kind.fields:
            self.fields[spec.name] = DeclaredField(spec, choices.get(spec.name, []))
        self.fields["reason"] = paragraph(
            "Why is this right?",
            length_max=REASON_LENGTH_MAX,
            missing="Say why this is right.",
            help_text="Whoever decides reads this. It is kept for ever.",
        )

    def inputs(self) -> dict[str, str]:
        """The kind's inputs as text. Raises `Rejected` as `must` does."""
        clean = self.must()
        return {name: clean[name] for name in self._inputs}


class PlanReasonForm(ReasonForm):
    """Why a plan is withdrawn, finished or undone."""

    missing = "Say why. Whoever decides reads this."


class OutcomeForm(ReasonForm):
    """What a controller found out about a call that waits for a person. Looking it up again needs no words."""

    asks = "Where did you look, and what did you find?"
    missing = "Say where you looked and what you found."
    use_required_attribute = False

    verdict = forms.ChoiceField(
        choices=[
            ("look_up", "Look it up again"),
            ("absent", "Nothing happened there"),
            ("adopt", "The record is its effect"),
            ("stray", "The record must not be there"),
        ],
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose what to do with this call."),
    )

    def full_clean(self) -> None:
        """A decision needs a reason."""
        self.fields["reason"].required = self["verdict"].data != "look_up"
        super().full_clean()


class RecordVerdictForm(ReasonForm):
    """What a controller says about a record under our reference that no posting here explains."""

    asks = "Where did you look, and what did you find?"
    missing = "Say where you looked and what you found."

    key = forms.CharField(max_length=100, widget=forms.HiddenInput)
    verdict = forms.ChoiceField(
        choices=RecordVerdict.Verdict.choices,
        error_messages=dict.fromkeys(("required", "invalid_choice"), "Choose what this record is."),
    )


# --- decisions -------------------------------------------------------------------------------------------------------


class RejectForm(ReasonForm):
    """Why not: the maker reads it."""

    missing = "Say why you reject it."
    rows = 3

    def __init__(self, maker: str, *args: Any, **options: Any) -> None:
        self.asks = f"Why do you reject it? {maker} reads this."
        super().__init__(*args, auto_id="r-%s", **options)


class ApproveForm(PageForm):
    """What the signature means; `step_up.add_proof` puts the proof below. `digest` is of the plan as it was shown."""

    digest = forms.CharField(required=False, max_length=64, widget=forms.HiddenInput)

    def __init__(self, meanings: Iterable[str], *args: Any, **options: Any) -> None:
        super().__init__(*args, auto_id="a-%s", **options)
        words = "What your signature means"
        self.fields["meaning"] = MeaningField(
            label=words,
            max_length=300,
            widget=forms.RadioSelect(choices=[(meaning, meaning) for meaning in meanings]),
            error_messages={"required": "Choose what your signature means."},
        )
