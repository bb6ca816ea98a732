"""A record while a batch is written: the columns that the write path works with, without a model's machinery. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from revops.reference import NO_REFS, Refs


@dataclass(slots=True)
class BatchRecord:
    """An object that a batch speaks of. `pk` is 0 until it is stored; `version` is empty until something was said of it.
    `fields` (JSON) and `targets` are filled where the batch replaces the record's content."""

    system_id: str
    object_type: str
    external_id: str
    pk: int = 0
    version: str = ""
    digest: str = ""
    customer_ref: str = ""
    account_id: int | None = None
    deleted: bool = False
    fields: Mapping[str, object] = field(default_factory=dict)
    targets: Refs = field(default_factory=lambda: NO_REFS)
