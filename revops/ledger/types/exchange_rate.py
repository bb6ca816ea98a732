"""A dated exchange rate: 1 `currency` = `rate` `base_currency`. Conversions read the table that `ledger.rates` keeps of them."""

from __future__ import annotations

from revops.ledger.object_type import Field, ObjectType, Owner

TYPE = ObjectType(
    code="exchange_rate",
    label="Exchange rate",
    fields={
        "currency": Field("text"),
        "base_currency": Field("text"),
        "rate": Field("decimal"),
        "on": Field("date", "Date"),
        "kind": Field("text", coded=True),
    },
    owners=(Owner("erp", "The ERP's rates convert our totals."),),
    of_account=False,
    position=130,
)
