"""A vendor's objects as declared models: what our reads select and pushes bring. Pure.

A model says which fields we rely on and of which kind they are; further fields are allowed. It is filled from JSON that
`strict_json` has parsed: whole numbers are `int`, fractions `Decimal`, and nothing is converted from one kind to another. What
does not fit is `Misunderstood` with the path of the field and the kind of value found there, never the value itself.

A word of a vendor's list (`Known`) may be one that we do not know yet: it is kept as it is, and `unknown_words` names it.

Never: a float; a default in place of a needed field.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from sync.vendor.contract import Misunderstood
from sync.vendor.fields import kind_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class VendorObject(BaseModel):
    """One kind of object, event or answer of a vendor."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=False, populate_by_name=True, defer_build=True)


@dataclass(frozen=True, slots=True)
class Known:
    """The words of a vendor's list that we know. Another word is kept."""

    words: tuple[str, ...]

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {**handler(schema), "x-known-values": list(self.words)}


def known(words: Mapping[str, object] | Sequence[str]) -> Known:
    return Known(tuple(words))


Text = Annotated[str, StringConstraints(min_length=1)]


class _Exact:
    """A JSON number as `strict_json` gives it: `int` or `Decimal`."""

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        either = core_schema.union_schema(
            [core_schema.int_schema(strict=True), core_schema.is_instance_schema(Decimal)], mode="left_to_right"
        )
        return core_schema.custom_error_schema(either, "number_type", custom_error_message="a number")


Number = Annotated[int | Decimal, _Exact(), WithJsonSchema({"type": "number"})]
WrittenNumber = Annotated[
    str, StringConstraints(pattern=r"^[+-]?([0-9]{1,19}(\.[0-9]{0,12})?|\.[0-9]{1,12})([eE][+-]?[0-9]{1,2})?$")
]

Model = TypeVar("Model", bound=BaseModel)

_WANTED = {
    "string_type": "a text",
    "string_too_short": "a text that is not empty",
    "string_pattern_mismatch": "a number written as text",
    "int_type": "a whole number",
    "number_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "an object",
    "model_type": "an object",
}


def understood(model: type[Model], data: object, name: str) -> Model:
    """The object as `model`. `name` is how reasons speak of it. Raises `Misunderstood` (`field_missing`, `field_changed`)."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise _misunderstood(error, name) from None


def _misunderstood(error: ValidationError, name: str) -> Misunderstood:
    """The refusal for the first thing that does not fit."""
    first = error.errors(include_url=False, include_context=False)[0]
    path = ".".join([name, *(str(part) for part in first["loc"] if isinstance(part, int) or part.isidentifier())])
    wanted = _WANTED.get(first["type"], "what we know")
    if first["type"] == "missing":
        return Misunderstood(f"{path} should be there and is absent.", "field_missing")
    return Misunderstood(f"{path} should be {wanted} and is {kind_of(first['input'])}.", "field_changed")


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
