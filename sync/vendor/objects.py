"""A vendor's objects as declared models: what our reads select and pushes bring, and what the translation reads by. Pure.

A model says which fields we rely on and of which kind they are; further fields are allowed. It is filled from JSON that
`strict_json` has parsed: whole numbers are `int`, fractions `Decimal`. Only a number or a day that is written as text is
converted. A field that does not fit says so when it is asked for: the others can be read all the same. It is
`Misunderstood` then, with the path of the field and the kind of value found there, never the value itself.

A word of a vendor's list (`Known`) may be one that we do not know yet: it is kept as it is, `unknown_words` names it, and the
translation refuses it where it matters (`fields.our_word`).

Never: a float; a default in place of a needed field.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, ErrorDetails, core_schema

from sync.vendor.contract import Misunderstood
from sync.vendor.fields import kind_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


_UNFIT = " unfit"
"""Where an object keeps what did not fit, by field: no field has this name."""


class VendorObject(BaseModel):
    """One kind of object, event or answer of a vendor."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=False, defer_build=True)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Asked for only where the object has no such attribute: a field that did not fit."""
            if (why := self.__dict__.get(_UNFIT, {}).get(name)) is not None:
                raise Misunderstood(why.reason, why.code, raw=why.raw)
            return super().__getattr__(name)


@dataclass(frozen=True, slots=True)
class Known:
    """The words of a vendor's list that we know. Another word is kept."""

    words: tuple[str, ...]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "x-known-values": list(self.words)}


def known(words: Mapping[str, object] | Sequence[str]) -> Known:
    return Known(tuple(words))


@dataclass(frozen=True, slots=True, eq=False)
class Wanted:
    """What a reason calls a type that the library has no one word for. Without `schema` it stands for the type it is beside."""

    words: str
    schema: CoreSchema | None = None

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        found = handler(source) if self.schema is None else self.schema
        return core_schema.custom_error_schema(found, "wanted", custom_error_message=self.words)


@dataclass(frozen=True, slots=True, eq=False)
class _Written:
    """A value that the vendor writes as text of this pattern."""

    pattern: str
    value: CoreSchema

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.chain_schema([core_schema.str_schema(strict=True, pattern=self.pattern), self.value])


_DECIMAL = core_schema.decimal_schema(strict=False)
_EXACT = core_schema.union_schema(
    [core_schema.is_instance_schema(Decimal), core_schema.chain_schema([core_schema.int_schema(strict=True), _DECIMAL])],
    mode="left_to_right",
)
_NUMBER = r"^[+-]?([0-9]{1,19}(\.[0-9]{0,12})?|\.[0-9]{1,12})([eE][+-]?[0-9]{1,2})?$"
_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"

Text = Annotated[str, StringConstraints(min_length=1)]
Number = Annotated[Decimal, Wanted("a number", _EXACT), WithJsonSchema({"type": "number"})]
"""A JSON number, exact."""
WrittenNumber = Annotated[Decimal, _Written(_NUMBER, _DECIMAL), WithJsonSchema({"type": "string", "pattern": _NUMBER})]
"""A number that the vendor writes as text."""
Day = Annotated[
    dt.date,
    _Written(_DAY, core_schema.date_schema(strict=False)),
    Wanted("a day"),
    WithJsonSchema({"type": "string", "format": "date"}),
]
"""`YYYY-MM-DD`."""
Epoch = Annotated[int, Field(ge=631_152_000, lt=7_289_654_400), Wanted("a time")]
"""Seconds since 1970 that a business system can mean: 1990 to 2200."""
Whole = Annotated[
    Mapping[str, Any], Wanted("an object", core_schema.is_instance_schema(dict)), WithJsonSchema({"type": "object"})
]
"""An object whose fields another model declares. Not copied."""

Model = TypeVar("Model", bound=BaseModel)
Value = TypeVar("Value")

_WANTED = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "string_pattern_mismatch": "a number written as text",
    "int_type": "a whole number",
    "greater_than_equal": "a positive number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}


def understood(model: type[Model], data: object, name: str) -> Model:
    """The object as `model`. `name` is how reasons speak of it. A field that does not fit raises `Misunderstood` when it is asked
    for: `field_missing`, `field_changed`, `value_unknown` for a word that is none of a closed list, `time_invalid`. Raises it at
    once for what is no object."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        if not isinstance(data, Mapping):
            raise _misunderstood(model, data, _errors(error)[0], name) from None
        return _in_part(model, data, error, name)


def whole(model: type[Model], data: object, name: str) -> Model:
    """The object as `model`, all of it. Raises `Misunderstood` for the first field that does not fit."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _misunderstood(model, data, _errors(error)[0], name) from None


def _in_part(model: type[Model], data: Mapping[str, object], error: ValidationError, name: str) -> Model:
    """The fields that fit, each by itself; the others say why when they are asked for."""
    first: dict[int | str, ErrorDetails] = {}
    for each in _errors(error):
        first.setdefault(each["loc"][0], each)
    found, unfit = model.model_construct(), {}
    for field, declared in model.model_fields.items():
        key = declared.alias or field
        if key in first:
            unfit[field] = _misunderstood(model, data, first[key], name)
            found.__dict__.pop(field, None)
        elif key in data:
            model.__pydantic_validator__.validate_assignment(found, field, data[key])
    found.__dict__[_UNFIT] = unfit
    return found


def needed(value: Value | None, where: str, wanted: str) -> Value:
    """A value that the model lets be absent and that this object cannot be without. Raises `Misunderstood("field_missing")`."""
    if value is None:
        raise Misunderstood(f"{where} should be {wanted} and is absent.", "field_missing")
    return value


def _misunderstood(model: type[BaseModel], data: object, first: ErrorDetails, name: str) -> Misunderstood:
    """The refusal for a thing that does not fit."""
    path, kind, found = ".".join([name, *map(str, first["loc"])]), first["type"], first["input"]
    if kind == "missing":
        return Misunderstood(f"{path} should be {_wanted_at(model, data, first['loc'])} and is absent.", "field_missing")
    if kind == "literal_error" and isinstance(found, str):
        return Misunderstood(f"{path} holds a word that we do not know.", "value_unknown", raw=found)
    if _wanted(first) == "a day" and isinstance(found, str):
        return Misunderstood(f"{path} is not a day.", "time_invalid", raw=found)
    if _wanted(first) == "a time" and kind_of(found) == "a number":
        return Misunderstood(f"{path} is no believable time.", "time_invalid", raw=found)
    return Misunderstood(f"{path} should be {_wanted(first)} and is {kind_of(found)}.", "field_changed", raw=found)


def _errors(error: ValidationError) -> list[ErrorDetails]:
    return error.errors(include_url=False, include_context=False)


def _wanted(error: ErrorDetails) -> str:
    return error["msg"] if error["type"] == "wanted" else _WANTED.get(error["type"], "what we know")


def _wanted_at(model: type[BaseModel], data: object, path: tuple[int | str, ...]) -> str:
    """What the model wants at a place where there is nothing: asked by putting null there."""
    try:
        model.model_validate(_with_nothing(data, path))
    except ValidationError as error:
        return next((_wanted(one) for one in _errors(error) if one["loc"] == path), "there")
    return "there"


def _with_nothing(data: object, path: tuple[int | str, ...]) -> object:
    if not path:
        return None
    first, *rest = path
    if isinstance(data, list):
        return [_with_nothing(part, tuple(rest)) if place == first else part for place, part in enumerate(data)]
    whole: dict[Any, Any] = dict(data) if isinstance(data, Mapping) else {}
    return {**whole, first: _with_nothing(whole.get(first), tuple(rest))}


def unknown_words(found: BaseModel, path: str = "") -> Iterator[str]:
    """The paths of the fields that hold a word which is not in the vendor's list as we know it."""
    for name, field in type(found).model_fields.items():
        value, where = getattr(found, name), f"{path}{name}"
        lists = [part for part in field.metadata if isinstance(part, Known)]
        if isinstance(value, str) and any(value not in words.words for words in lists):
            yield where
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                yield from unknown_words(part, f"{where}.")


def schemas(objects: Mapping[str, type[BaseModel]]) -> dict[str, dict[str, Any]]:
    """The JSON Schema (2020-12) of each object, by its name at the vendor."""
    return {name: {"$schema": DIALECT, **model.model_json_schema(by_alias=True)} for name, model in sorted(objects.items())}
