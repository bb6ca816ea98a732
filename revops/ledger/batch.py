"""A record while a batch is written: the columns that the write path works with, without a model's machinery. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from revops.ledger.facts import Content
from revops.reference import NO_REFS, Refs


@dataclass(slots=True)
class BatchRecord:
    """An object that a batch speaks of. `pk` is 0 until it is stored; `version` is empty until something was said of it.
    `content` and `targets` are filled where the batch replaces the record's content."""

    system_id: str
    object_type: str
    external_id: str
    pk: int = 0
    version: str = ""
    digest: str = ""
    customer_ref: str = ""
    account_id: int | None = None
    deleted: bool = False
    content: Content | None = None
    targets: Refs = field(default_factory=lambda: NO_REFS)

    @property
    def fields(self) -> Mapping[str, object]:
        """The content's fields in JSON."""
        return self.content.fields if self.content is not None else {}
