"""A company of the group, as a system states it. `currency` is its base currency (ISO 4217); `keeps_books` is false where the
system lists the company and another system keeps its books."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner

TYPE = ObjectType(
    code="legal_entity",
    label="Legal entity",
    fields={
        "name": Field("text"),
        "currency": Field("text"),
        "code": Field("text"),
        "keeps_books": Field("flag", "Books kept here"),
    },
    owners=(Owner("erp", "The ERP keeps the legal entities."),),
    of_account=False,
    in_every_ledger=True,
    position=120,
)
