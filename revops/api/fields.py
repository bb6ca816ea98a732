"""Fields that the serializers share."""

from __future__ import annotations

import datetime as dt
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from revops.errors import Rejected
from revops.money import Money
from revops.parameters import unreadable
from revops.sentences import Sentence


@extend_schema_field(
    {
        "type": "object",
        "properties": {"amount": {"type": "string", "examples": ["12.30"]}, "currency": {"type": "string", "examples": ["EUR"]}},
        "required": ["amount", "currency"],
    }
)
class MoneyField(serializers.Field[Money, Any, dict[str, str], Any]):
    """`{"amount": "12.30", "currency": "EUR"}`; a JSON number is refused, for it may have been a float on the way."""

    def to_representation(self, value: Money) -> dict[str, str]:
        return value.as_json()

    def to_internal_value(self, data: Any) -> Money:
        try:
            return Money.from_json(data)
        except Rejected as refused:
            raise serializers.ValidationError(refused.message, code=refused.code) from None


class MinorMoney(MoneyField):
    """Money from a row's `amount_minor` and `currency` columns; read only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(source="*", read_only=True, **options)

    def to_representation(self, value: Any) -> dict[str, str]:
        return Money.from_minor(value.amount_minor, value.currency).as_json()


class Instant(serializers.DateTimeField):
    """An instant with its zone; one without is refused, for nobody knows whose noon it means."""

    def enforce_timezone(self, value: dt.datetime) -> dt.datetime:
        if value.tzinfo is None:
            raise serializers.ValidationError(
                "Write an instant with its zone, such as 2026-11-23T14:05:00Z.", code="zone_missing"
            )
        return super().enforce_timezone(value)


class PlainText(serializers.CharField):
    """Text without characters that nobody can see (`parameters.unreadable`). A number is no text."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        text = str(super().to_internal_value(data))
        if unreadable(text):
            raise serializers.ValidationError(
                "Control characters, and those that change the order of others, are not allowed.", code="control_characters"
            )
        return text


@extend_schema_field(
    {
        "type": "object",
        "properties": {
            "text": {"type": "string", "description": "In plain words, which may change at any time."},
            "code": {"type": "string", "description": "Stable; names what is said.", "examples": ["case.opened"]},
            "params": {
                "type": "object",
                "additionalProperties": True,
                "description": "Amounts, references, days, typed.",
            },
        },
        "required": ["text", "code", "params"],
    }
)
class SentenceField(serializers.Field[Sentence, Any, dict[str, object], Any]):
    """A sentence: its text for people, its code and parameters for programs. Read only."""

    def __init__(self, **options: Any) -> None:
        super().__init__(read_only=True, **options)

    def to_representation(self, value: Sentence) -> dict[str, object]:
        return {"text": str(value), **value.as_json()}
