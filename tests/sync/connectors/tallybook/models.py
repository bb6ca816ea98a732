"""What Tallybook sends."""

from __future__ import annotations

from typing import Annotated

from sync.vendor.objects import Number, Text, VendorObject, known

STATUS = {"draft": "draft", "sent": "open", "settled": "paid", "voided": "void"}


class Invoice(VendorObject):
    id: Text
    revision: int
    changed_at: Text
    status: Annotated[Text, known(STATUS)]
    currency: Text
    total: Number
    settled: Number
    customer: Text


class Change(VendorObject):
    id: Text
    invoice: Invoice


OBJECTS: dict[str, type[VendorObject]] = {"invoice": Invoice, "change": Change}
