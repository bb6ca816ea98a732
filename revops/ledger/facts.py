"""Facts: what one system says about one object, in our words. Pure.

A connector translates a vendor's payload into `Fact`s; the ledger stores them. `ledger/types/` is the canonical vocabulary: for
each object type, the fields it may carry with their kind, and the roles in which it may point to other objects. A fact that does
not fit its type raises `Rejected`, which the inbox turns into a dead letter: nothing half-understood enters the ledger.

Every field may be None: the system says "empty". A field that is absent was not spoken of. Statuses and stages are ours, not the
vendor's: each type lists them. `refs` hold references by role (see `revops.reference`).

What could not be read is said too, by field (`revops.ledger.unread`): one bad value costs the rest of the record nothing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType

import orjson

from revops.errors import Rejected
from revops.ledger.object_type import Kind, ObjectType
from revops.ledger.types import TYPES
from revops.ledger.unread import NOTHING_UNREAD, Unread, storable
from revops.money import Money
from revops.reference import NO_REFS, Ref, Refs, refs_as_json
from revops.strict_json import CANONICALLY, canonical

Value = Money | dt.date | dt.datetime | str | bool | int | Decimal | tuple[str, ...] | None


_FITS: Mapping[Kind, Callable[[Value], bool]] = MappingProxyType(
    {
        "money": lambda value: isinstance(value, Money),
        "date": lambda value: isinstance(value, dt.date) and not isinstance(value, dt.datetime),
        "instant": lambda value: isinstance(value, dt.datetime) and value.tzinfo is not None,
        "text": lambda value: isinstance(value, str) and len(value) <= 4000 and storable(value),
        "flag": lambda value: isinstance(value, bool),
        "count": lambda value: isinstance(value, int) and not isinstance(value, bool),
        "texts": lambda value: isinstance(value, tuple) and all(isinstance(item, str) and storable(item) for item in value),
        "decimal": lambda value: isinstance(value, Decimal) and value.is_finite(),
    }
)

_CLASS_ALONE: Mapping[Kind, type] = MappingProxyType({"money": Money, "date": dt.date, "flag": bool, "count": int})
"""Kinds that every value of this very class fits: most fields are of one, and looking at the class is many times faster."""

RESOLVED = "~"
"""Ends the vendor's part of a version. Sorts behind every character that vendors' stamps are written with."""
AHEAD = "!"
"""Stands in a version between the moment at which a statement counts and the later one that the vendor dated it. Sorts before
every character that vendors' stamps are written with."""


@dataclass(frozen=True, slots=True)
class Fact:
    """What one connection says about one object at one version.

    `version` orders the versions of one object by plain string comparison: connectors make it from the vendor's own stamp,
    never from our clock alone. `effective_at` (aware UTC) is since when it has been true. `deleted` is a tombstone: the
    object no longer exists there, or was voided out of existence; it may still point to others, such as the customer that it was
    merged into. `unread`: field or role -> what was written there and could not be taken as it is. Raises
    `Rejected("fact_shape")` on anything off its shape.
    """

    object_type: str
    external_id: str
    version: str
    effective_at: dt.datetime
    fields: Mapping[str, Value]
    refs: Refs = field(default_factory=lambda: NO_REFS)
    deleted: bool = False
    unread: Mapping[str, Unread] = field(default_factory=lambda: NOTHING_UNREAD)
    _content: Content | None = field(default=None, init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        declared = TYPES.get(self.object_type)
        if declared is None:
            raise Rejected("fact_shape", f"Unknown object type {self.object_type!r}.")
        if not self.external_id or len(self.external_id) > 200 or not storable(self.external_id):
            raise Rejected("fact_shape", f"A {self.object_type} needs an id of 1 to 200 characters.")
        if not self.version or len(self.version) > 100:
            raise Rejected("fact_shape", f"{self.object_type} {self.external_id} has no version.")
        if self.effective_at.tzinfo is None or not 1990 <= self.effective_at.year <= 2200:
            raise Rejected("fact_shape", f"{self.object_type} {self.external_id} has no believable time.")
        for name, value in self.fields.items():
            line = declared.fields.get(name)
            if line is None:
                raise Rejected("fact_shape", f"{declared.code} has no field {name}.")
            if value is None or value.__class__ is _CLASS_ALONE.get(line.kind):
                continue
            if not _FITS[line.kind](value):
                raise Rejected("fact_shape", f"{declared.code}.{name} is not a valid {line.kind}.")
        _check_refs(declared, self.refs)
        if self.unread:
            self._check_unread(declared)

    def _check_unread(self, declared: ObjectType) -> None:
        for name, found in self.unread.items():
            if name not in declared.fields and name not in declared.roles:
                raise Rejected("fact_shape", f"{declared.code} has no field {name}.")
            if (name in self.fields or name in self.refs) != found.stated:
                raise Rejected("fact_shape", f"{declared.code}.{name} is either read or not.")

    def resolved_at(self, read_at: dt.datetime) -> Fact:
        """This fact with a version above every fact under the vendor's stamp, and below the vendor's next stamp.

        For an object that was read again to resolve a conflict; of two such reads, the later one wins.
        """
        return replace(self, version=f"{self.version}{RESOLVED}{int(read_at.timestamp() * 1000):014d}")

    def counted_at(self, stamp: str, at: dt.datetime) -> Fact:
        """This fact as one of the moment `at`, which the vendor's versions write as `stamp`; its own date stays in the version.

        For a statement that is dated later than it came: what is said next must not seem older than it.
        """
        return replace(self, version=f"{stamp}{AHEAD}{self.version}", effective_at=min(self.effective_at, at))

    @property
    def dated_ahead(self) -> bool:
        """Whether its vendor dated it later than it came, so that it counts as of its arrival."""
        return AHEAD in self.version

    def content(self) -> Content:
        """What is said, without version and time: equal content means nothing changed. Put into JSON once."""
        if self._content is None:
            object.__setattr__(self, "_content", Content(self.fields, self.refs, self.deleted, self.unread))
        assert self._content is not None
        return self._content

    def digest(self) -> str:
        """SHA-256 (hex) over the canonical JSON of `content()`."""
        return self.content().digest


class Content:
    """What a fact says, in JSON. `fields_json` and `refs_json` are the canonical JSON of its fields and references, `unread_json`
    that of what could not be read (None for nothing); `digest` is the SHA-256 (hex) of the canonical JSON of all of it and of
    `deleted`, put together from them: nothing is written twice. A value that is read later is a change."""

    __slots__ = ("deleted", "digest", "fields_json", "refs_json", "unread_json")

    def __init__(
        self, fields: Mapping[str, Value], refs: Refs, deleted: bool, unread: Mapping[str, Unread] = NOTHING_UNREAD
    ) -> None:
        self.deleted = deleted
        self.fields_json, self.refs_json = _fields_json(fields), _refs_json(refs)
        self.unread_json = canonical({name: found.as_json() for name, found in unread.items()}) if unread else None
        stated = b"true" if deleted else b"false"
        left = b"" if self.unread_json is None else b',"unread":%b' % self.unread_json
        whole = b'{"deleted":%b,"fields":%b,"refs":%b%b}' % (stated, self.fields_json, self.refs_json, left)
        self.digest = hashlib.sha256(whole).hexdigest()

    @property
    def fields(self) -> Mapping[str, object]:
        """The fields as they are stored."""
        stored: Mapping[str, object] = orjson.loads(self.fields_json)
        return stored

    @property
    def refs(self) -> Mapping[str, object]:
        """The references as they are stored."""
        stored: Mapping[str, object] = orjson.loads(self.refs_json)
        return stored

    @property
    def unread(self) -> Mapping[str, object]:
        """What could not be read, as it is stored."""
        stored: Mapping[str, object] = {} if self.unread_json is None else orjson.loads(self.unread_json)
        return stored


def _fields_json(fields: Mapping[str, Value]) -> bytes:
    try:
        return orjson.dumps(fields, default=encode, option=CANONICALLY)
    except TypeError:  # a whole number beyond 64 bits, or a mapping of another class
        return canonical({name: encode(value) for name, value in fields.items()})


def _refs_json(refs: Refs) -> bytes:
    if not refs:
        return b"{}"
    if isinstance(refs, dict) and all(len(targets) == 1 for targets in refs.values()):
        return orjson.dumps(refs, default=Ref.as_json, option=CANONICALLY)
    return canonical(refs_as_json(refs))


def _check_refs(declared: ObjectType, refs: Refs) -> None:
    unknown = set(refs) - set(declared.roles)
    if unknown:
        raise Rejected("fact_shape", f"{declared.code} has no role {', '.join(sorted(unknown))}.")
    for role, targets in refs.items():
        for target in targets:
            if not storable(target.id):
                raise Rejected("reference_invalid", f"{declared.code}.{role} holds an id that cannot be kept.")
            if target.object_type not in declared.roles[role].targets:
                raise Rejected("fact_shape", f"{declared.code}.{role} does not point to a {target.object_type}.")


def encode(value: Value) -> object:
    """A field value as JSON. Money keeps its string amount; instants are ISO 8601 with Z; decimals are text."""
    written = _AS_JSON.get(value.__class__)
    return value if written is None else written(value)


def _instant_as_json(at: dt.datetime) -> str:
    return f"{(at if at.tzinfo is dt.UTC else at.astimezone(dt.UTC)).isoformat(timespec='milliseconds')[:-6]}Z"


def _decimal_as_json(number: Decimal) -> str:
    return f"{number.normalize():f}"


_AS_JSON: Mapping[type, Callable[..., object]] = MappingProxyType(
    {
        Money: Money.as_json,
        dt.datetime: _instant_as_json,
        dt.date: dt.date.isoformat,
        Decimal: _decimal_as_json,
        tuple: list,
    }
)


def decode(object_type: str, name: str, stored: object) -> Value:
    """Back from JSON by the field's kind. Raises `Rejected("fact_shape")` for a type or a field that nobody declared."""
    return decode_fields(object_type, {name: stored})[name]


def decode_fields(object_type: str, stored: Mapping[str, object]) -> dict[str, Value]:
    """Back from JSON, all fields that are stated. Raises as `decode`."""
    declared = TYPES[object_type].fields if object_type in TYPES else {}
    try:
        return {name: _decode(declared[name].kind, value) for name, value in stored.items()}
    except KeyError as unknown:
        raise Rejected("fact_shape", f"{object_type} has no field {unknown.args[0]}.") from None


def _decode(kind: str, stored: object) -> Value:
    if stored is None:
        return None
    if kind == "money":
        return Money.from_json(stored)
    if kind == "instant":
        return dt.datetime.fromisoformat(str(stored))
    if kind == "date":
        return dt.date.fromisoformat(str(stored))
    if kind == "decimal":
        return Decimal(str(stored))
    if kind == "texts":
        assert isinstance(stored, list)
        return tuple(str(item) for item in stored)
    assert isinstance(stored, (str, bool, int))
    return stored
