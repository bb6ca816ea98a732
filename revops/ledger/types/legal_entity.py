"""A company of the group, as the system that keeps its books states it. `currency` is its base currency (ISO 4217)."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner

TYPE = ObjectType(
    code="legal_entity",
    label="Legal entity",
    fields={"name": Field("text"), "currency": Field("text"), "code": Field("text")},
    owners=(Owner("erp", "The ERP keeps the legal entities."),),
    of_account=False,
    in_every_ledger=True,
    position=120,
)
