"""A period of the books that one system keeps. One that names legal entities is theirs alone; any other is of every entity whose
books the system keeps."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner, Role

TYPE = ObjectType(
    code="accounting_period",
    label="Accounting period",
    fields={
        "name": Field("text"),
        "start_on": Field("date", "Starts on"),
        "end_on": Field("date", "Ends on"),
        "ar_locked": Field("flag", "Receivables locked"),
        "all_locked": Field("flag", "Everything locked"),
        "closed": Field("flag"),
    },
    roles={"legal_entity": Role(("legal_entity",))},
    owners=(Owner("erp", "The ERP keeps the accounting periods."),),
    of_account=False,
    in_every_ledger=True,
    position=110,
)
