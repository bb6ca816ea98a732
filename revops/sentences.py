"""Sentences as data: a code and typed parameters, made where something is found or done, put into words where they are shown.

    ABOVE = template("invoice_amount_mismatch.above", "The ERP carries {invoice} at {amount}.")
    sentence = ABOVE(invoice=record.named, amount=net)     # what is stored: the code, a reference and an amount
    str(sentence)                                          # plain text, for the API and for logs

A template stands in the module that uses it, so that a rule or a connector stays one file, and its name is checked like any
other name. `TEXTS` is the catalogue of all of them; another language is another such mapping. Nothing reads a text back: code
asks for the code and the parameters. A nested sentence has no full stop of its own unless it ends the one around it.
Pure: no Django, no clock, no network.
"""

from __future__ import annotations

import datetime as dt
import functools
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias, Union

from revops.money import Money
from revops.reference import Ref


@dataclass(frozen=True, slots=True)
class Named:
    """An object with what people called it at that time."""

    ref: Ref
    name: str


@dataclass(frozen=True, slots=True)
class Word:
    """A code of ours that is shown as words: `in_progress` as `in progress`."""

    code: str


Atom: TypeAlias = Money | Ref | Named | Word | dt.datetime | dt.date | dt.timedelta | int | str
"""What is shown as one thing. A `str` is verbatim: a name, or what a person or a vendor wrote. Instants are aware."""
Param: TypeAlias = Union[Atom, "Sentence", tuple["Param", ...]]
"""A parameter: one thing, a sentence within the sentence, or several of them."""

TEXTS: dict[str, str] = {}
"""The text of each template by its code, with a `{name}` where a parameter is shown."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said. Two sentences are equal when they say the same, in whatever words."""

    code: str
    params: Mapping[str, Param] = field(default_factory=dict)

    def __str__(self) -> str:
        return render(self)

    def as_json(self) -> dict[str, object]:
        """The form in which it is stored and shown to programs."""
        return {"code": self.code, "params": params_as_json(self.params)}

    @classmethod
    def from_json(cls, stored: object) -> Sentence:
        """Back from `as_json`. Raises `ValueError` or `Rejected` on any other shape."""
        if not isinstance(stored, Mapping) or set(stored) != {"code", "params"} or not isinstance(stored["params"], Mapping):
            raise ValueError("a sentence is an object with code and params")
        return cls(str(stored["code"]), params_from_json(stored["params"]))


@dataclass(frozen=True, slots=True)
class Template:
    """A sentence before its parameters: called with all of them, it makes one."""

    code: str
    names: frozenset[str]

    def __call__(self, **params: Param) -> Sentence:
        """Raises `ValueError` when the parameters are not the placeholders of the text."""
        if params.keys() != self.names:
            raise ValueError(f"{self.code} takes {', '.join(sorted(self.names)) or 'nothing'}, not {', '.join(sorted(params))}")
        return Sentence(self.code, params)


def template(code: str, text: str) -> Template:
    """Declare a sentence. `code` is stable and stored; `text` may change at any time. Raises `ValueError` for a code in use."""
    if TEXTS.setdefault(code, text) != text:
        raise ValueError(f"there is a template called {code} already")
    return Template(code, frozenset(name for _, name in _split(text) if name))


@functools.cache
def _split(text: str) -> tuple[tuple[str, str], ...]:
    """(text, name of the placeholder after it or the empty string), in order. Raises `ValueError` for any other formatting."""
    parts = []
    for literal, name, spec, conversion in string.Formatter().parse(text):
        if spec or conversion or (name is not None and not name.isidentifier()):
            raise ValueError(f"a placeholder is a plain name: {text}")
        parts.append((literal, name or ""))
    return tuple(parts)


# --- putting it into words ----------------------------------------------------------------------------------------------


def parts_of(said: Param) -> Iterator[Atom]:
    """What is to be shown, one thing after the other; the words between the parameters are `str`.

    Several things are parted by a comma, several sentences by a semicolon. A sentence without a text in `TEXTS` (made by another
    version) is told by its code and its parameters.
    """
    if isinstance(said, Sentence):
        if said.code not in TEXTS:
            yield f"{said.code} "
            yield from parts_of(tuple(said.params.values()))
            return
        for literal, name in _split(TEXTS[said.code]):
            yield literal
            if name:
                yield from parts_of(said.params.get(name, "?"))
    elif isinstance(said, tuple):
        for number, item in enumerate(said):
            if number:
                yield "; " if isinstance(item, Sentence) else ", "
            yield from parts_of(item)
    else:
        yield said


def render(said: Param) -> str:
    """Plain text: amounts as `1200.00 EUR`, days as `2026-11-30`, instants in UTC."""
    return "".join(plain(part) for part in parts_of(said))


WORDS: Mapping[str, str] = {
    "crm": "CRM",
    "erp": "ERP",
    "cs_analyst": "customer success analyst",
    "admin": "administrator",
    "won": "closed as won",
    "lost": "closed as lost",
    "ours": "the effect of an approved change",
    "stray": "a stray that must go",
}
"""Codes that are not their own words."""


def plain(value: Atom) -> str:
    """One thing in plain text."""
    if isinstance(value, Named):
        return value.name
    if isinstance(value, Ref):
        return value.id
    if isinstance(value, Word):
        return WORDS.get(value.code) or value.code.replace("_", " ")
    if isinstance(value, dt.datetime):
        return f"{value.astimezone(dt.UTC):%Y-%m-%d %H:%M} UTC"
    return spoken(value) if isinstance(value, dt.timedelta) else str(value)


def spoken(duration: dt.timedelta) -> str:
    """A duration in words: "30 minutes", "24 hours", "3 days"."""
    minutes = int(duration.total_seconds() // 60)
    for unit, size in (("day", 1440), ("hour", 60)):
        if minutes and minutes % size == 0 and minutes >= 2 * size:
            return f"{minutes // size} {unit}s"
    if minutes % 60 == 0:
        return f"{minutes // 60} hour" + ("" if minutes == 60 else "s")
    return f"{minutes} minute" + ("" if minutes == 1 else "s")


# --- the stored form ----------------------------------------------------------------------------------------------------


def encoded(value: Param) -> object:
    """A parameter as JSON: a number, a text, a list, or an object whose first key says what it is."""
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, tuple):
        return [encoded(item) for item in value]
    if isinstance(value, Named):
        return {"ref": value.ref.as_json(), "name": value.name}
    if isinstance(value, dt.timedelta):
        return {"seconds": int(value.total_seconds())}
    if isinstance(value, Word):
        return {"word": value.code}
    if isinstance(value, dt.date):  # an instant is one as well
        return {"at" if isinstance(value, dt.datetime) else "on": value.isoformat()}
    key = "money" if isinstance(value, Money) else "ref" if isinstance(value, Ref) else "sentence"
    return {key: value.as_json()}


def params_as_json(params: Mapping[str, Param]) -> dict[str, object]:
    """Parameters by name, as JSON."""
    return {name: encoded(value) for name, value in params.items()}


def params_from_json(stored: Mapping[str, object]) -> dict[str, Param]:
    """Back from `params_as_json`. Raises `ValueError` or `Rejected` on any other shape."""
    return {str(name): decoded(value) for name, value in stored.items()}


_READERS: Mapping[str, Callable[[object], Param]] = {
    "money": Money.from_json,
    "ref": Ref.from_json,
    "word": lambda stored: Word(str(stored)),
    "at": lambda stored: dt.datetime.fromisoformat(str(stored)),
    "on": lambda stored: dt.date.fromisoformat(str(stored)),
    "seconds": lambda stored: dt.timedelta(seconds=int(str(stored))),
    "sentence": Sentence.from_json,
}


def decoded(stored: object) -> Param:
    """Back from `encoded`. Raises `ValueError` or `Rejected` on any other shape."""
    if isinstance(stored, (str, int)):
        return stored
    if isinstance(stored, list):
        return tuple(decoded(item) for item in stored)
    if isinstance(stored, Mapping):
        if set(stored) == {"ref", "name"}:
            return Named(Ref.from_json(stored["ref"]), str(stored["name"]))
        if len(stored) == 1 and (key := next(iter(stored))) in _READERS:
            return _READERS[key](stored[key])
    raise ValueError("a parameter is a number, a text, a list, or an object that says what it is")


def refs_in(said: Param) -> Iterator[Ref]:
    """Every object that is named in it."""
    if isinstance(said, Sentence):
        for value in said.params.values():
            yield from refs_in(value)
    elif isinstance(said, tuple):
        for value in said:
            yield from refs_in(value)
    elif isinstance(said, Named):
        yield said.ref
    elif isinstance(said, Ref):
        yield said
