"""The column of a sentence: JSON in the database, a `Sentence` in Python."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from revops.sentences import Sentence


class SentenceField(models.JSONField):
    """Holds one `Sentence`; with `null=True` perhaps none. Its lookups are those of JSON: `summary__code="case.opened"`."""

    _pyi_private_set_type: Sentence
    _pyi_private_get_type: Sentence
    _pyi_lookup_exact_type: Any

    def from_db_value(self, value: Any, expression: Any, connection: BaseDatabaseWrapper) -> Any:
        stored = super().from_db_value(value, expression, connection)
        return Sentence.from_json(stored) if isinstance(stored, dict) and set(stored) == {"code", "params"} else stored

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        return super().get_db_prep_value(value.as_json() if isinstance(value, Sentence) else value, connection, prepared)

    def to_python(self, value: Any) -> Any:
        return Sentence.from_json(value) if isinstance(value, dict) else value

    def value_to_string(self, obj: models.Model) -> Any:
        said = self.value_from_object(obj)
        return said.as_json() if isinstance(said, Sentence) else said

    def validate(self, value: Any, model_instance: models.Model | None) -> None:
        super().validate(value.as_json() if isinstance(value, Sentence) else value, model_instance)
