"""The folder of a situation: what came in, step by step, and what must be so at the end. Pure.

`input.json` holds the steps, `expected.json` what must be so, `connections.json` (where there is one) what each connection was
given. Numbers with a point are read exactly. The README of `tests/reality` describes every field.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from revops import strict_json

DEPTH_MAX = 80
"""Levels of brackets in one file: a body may have as many as the product takes, and stands in a step of a list."""
_AMOUNT = re.compile(r"(-?[0-9]{1,19}(?:\.[0-9]{1,12})?) ([A-Z]{3})", re.ASCII)
_NAME = re.compile(r"[a-z][a-z0-9-]{1,58}", re.ASCII)


class NotPlayable(Exception):
    """A situation that cannot be read or played as it is written. Its text is a sentence that says where and what to do."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact amount in major units and its currency, an ISO 4217 code. Equal amounts are equal in any number of decimals."""

    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, text: object) -> Amount:
        """From a text such as `2500.00 USD`. Raises ValueError with a sentence for anything else."""
        found = _AMOUNT.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise ValueError(f'an amount is a text, an exact decimal and a currency, such as "2500.00 USD", not {_shown(text)}')
        return cls(Decimal(found[1]), found[2])

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"


@dataclass(frozen=True, slots=True, order=True)
class Thing:
    """An object: the connection that has it, its type, and its id there."""

    system: str
    object_type: str
    id: str

    @classmethod
    def parse(cls, value: object) -> Thing:
        """From a list of three texts. Raises ValueError with a sentence for anything else."""
        if not (isinstance(value, list) and len(value) == 3 and all(isinstance(part, str) and part for part in value)):
            raise ValueError(f'an object is ["connection", "type", "id"], three texts, not {_shown(value)}')
        return cls(*value)

    def __str__(self) -> str:
        return f"{self.system} {self.object_type} {self.id}"


def _values(value: object) -> object:
    """What a field may be expected to be: a text, a whole number, yes or no, unknown, or one of several of these."""
    for each in value if isinstance(value, list) else [value]:
        if not (each is None or isinstance(each, str | bool | int)):
            raise ValueError(f"a value is a text, a whole number, true, false or null; write {_shown(each)} as a text")
    if value == []:
        raise ValueError("a list names the values of which any is right, so it has at least one")
    return value


def _name(value: object) -> object:
    if not isinstance(value, str) or not _NAME.fullmatch(value):
        raise ValueError(f"a connection has 2 to 59 lower-case letters, digits and hyphens, not {_shown(value)}")
    return value


def _body(value: object) -> object:
    if not isinstance(value, dict | str):
        raise ValueError(f"a body is the object that came, or the very text, not {_shown(value)}")
    return value


def _all_or_any(value: object) -> object:
    if value == "any":
        return None
    if not isinstance(value, list):
        raise ValueError(f'cases is a list of all cases that must be open, or "any", not {_shown(value)}')
    return value


OneAmount = Annotated[Amount, BeforeValidator(Amount.parse)]
OneThing = Annotated[Thing, BeforeValidator(Thing.parse)]
Expected = Annotated[Any, BeforeValidator(_values)]
Body = Annotated[Any, BeforeValidator(_body)]
ConnectionName = Annotated[str, BeforeValidator(_name)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True, strict=True)


class Step(_Part):
    """One thing that came in. `body`: an object, or the very text that came. `pause`: seconds that pass before the next step."""

    connection: ConnectionName
    kind: Literal["event", "read"]
    body: Body
    object_type: str = ""
    note: str = ""
    pause: int = Field(default=0, ge=0, le=30 * 24 * 3600)

    @model_validator(mode="after")
    def _read_has_a_type(self) -> Step:
        if self.kind == "read" and not self.object_type:
            raise ValueError("a read says in object_type what was read, such as invoice")
        if self.kind == "read" and isinstance(self.body, str):
            raise ValueError("the body of a read is an object, as the connector keeps it")
        return self


class Input(_Part):
    """What comes in, in order."""

    steps: tuple[Step, ...] = Field(min_length=1, strict=False)
    crm_accounts: list[str] = []
    records: list[OneThing] = []
    note: str = ""


class ExpectedCase(_Part):
    """A case that must be open. It is about these objects at least; `account`: the id in the CRM of whose it is. `rule` and
    `what` are for people."""

    objects: tuple[OneThing, ...] = Field(min_length=1, strict=False)
    amount: OneAmount
    account: str = ""
    rule: str = ""
    what: str = ""


class ExpectedRecord(_Part):
    """A record that must be there. A list of values: any of them is right; null: unknown, which is not zero."""

    object: OneThing
    fields: dict[str, Expected] = {}
    account: str | None = None
    deleted: bool | None = None


class Silent(_Part):
    """Objects about which, named together, no case may be open."""

    objects: tuple[OneThing, ...] = Field(min_length=1, strict=False)
    what: str = ""
    note: str = ""


class Outcome(_Part):
    """What must be so at `now`, an aware instant. `cases`: all that must be open; None: any may be. `dead_letters`: how many may
    be left for a person; None: any number."""

    now: Annotated[AwareDatetime, Field(strict=False)]
    cases: Annotated[list[ExpectedCase] | None, BeforeValidator(_all_or_any)]
    allowed: list[list[OneThing]] = []
    silent: list[Silent] = []
    records: list[ExpectedRecord] = []
    dead_letters: int | None = Field(default=None, ge=0)
    settings: dict[ConnectionName, dict[str, str]] = {}
    note: str = ""


class Given(_Part):
    """What a connection was given: the slug of its connector (empty: its own name) and declared settings by name."""

    connector: str = ""
    settings: dict[str, str] = {}


class _Connections(_Part):
    connections: dict[ConnectionName, Given]


@dataclass(frozen=True, slots=True)
class Situation:
    """One folder, read. `given` is None without a `connections.json`."""

    name: str
    steps: tuple[Step, ...]
    expected: Outcome
    given: Mapping[str, Given] | None = None

    def received_at(self, number: int) -> dt.datetime:
        """When the step at this place (from 0) came in: one second after the one before and its pause, the last a second and its
        pause before `now`."""
        after = sum(1 + step.pause for step in self.steps[number:])
        return self.expected.now.astimezone(dt.UTC) - dt.timedelta(seconds=after)


def situations_in(folders: Iterable[Path]) -> list[Path]:
    """The folders of situations: each that has an `input.json`, or those right below it that have. In order of their names.

    Raises `NotPlayable` for a folder that is not there or holds none.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise NotPlayable(f"{folder} is no folder. Name the folder of a situation, or one that holds several.")
        inside = [folder] if (folder / "input.json").exists() else sorted(path.parent for path in folder.glob("*/input.json"))
        if not inside:
            raise NotPlayable(f"{folder} holds no situation: a situation is a folder with input.json and expected.json.")
        found += inside
    return found


def read_situation(folder: Path) -> Situation:
    """Read one folder. Raises `NotPlayable` with what is wrong in which file."""
    came, expected = _read(folder / "input.json", Input), _read(folder / "expected.json", Outcome)
    given = None
    if (folder / "connections.json").exists():
        given = _read(folder / "connections.json", _Connections, under="connections").connections
    return Situation(folder.resolve().name, came.steps, expected, given)


T = TypeVar("T", bound=_Part)


def _read(path: Path, kind: type[T], under: str = "") -> T:
    try:
        text = path.read_bytes()
    except OSError as error:
        raise NotPlayable(
            f"{path} cannot be read ({error.strerror}). A situation has an input.json and an expected.json."
        ) from None
    try:
        value = strict_json.parse(text, allow_unsafe_text=True, depth_max=DEPTH_MAX)
    except strict_json.StrictJsonError as error:
        raise NotPlayable(f"{path} is no JSON that can be used. {error.reason}") from None
    if not isinstance(value, dict):
        raise NotPlayable(f"{path} holds no object: it begins with {{ and has the fields of its kind.")
    try:
        return kind.model_validate({under: value} if under else value)
    except ValidationError as error:
        raise NotPlayable("; ".join(f"{path.name}{_in_words(problem)}" for problem in error.errors()[:5])) from None


def _in_words(problem: Any) -> str:
    """One problem of a file, after its name: where it is, and what to do."""
    where = list(problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"{_place(where[:-1])}: {where[-1]} is no field of it. See the README of tests/reality for those that there are."
    if problem["type"] == "missing":
        return f"{_place(where[:-1])}: {where[-1]} is missing."
    if problem["type"] == "value_error":
        return f"{_place(where)}: {problem['ctx']['error']}."
    return f"{_place(where)}: {problem['msg']}, not {_shown(problem['input'])}."


def _place(where: list[Any]) -> str:
    """`, step 3, body`: places in a list are counted from 1."""
    words = ""
    for part in where:
        words += f" {part + 1}" if isinstance(part, int) else f", {part}"
    return words


def _shown(value: object) -> str:
    text = repr(str(value) if isinstance(value, Decimal) else value)
    return text if len(text) <= 60 else f"{text[:57]}..."
