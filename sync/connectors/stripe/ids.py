"""What Stripe's ids stand for: each begins with its kind. Pure. (Stripe API reference, the `id` of each object.)"""

from __future__ import annotations

import re

from sync.vendor.contract import Identified

_ID = re.compile(r"([a-z]{2,12})_[A-Za-z0-9_]{1,240}", re.ASCII)
_NOTHING = Identified("")
_KINDS = {
    "cus": Identified("customer"),
    "sub": Identified("subscription"),
    "in": Identified("invoice"),
    "ii": Identified("proration"),
    "cn": Identified("credit_memo"),
    "pi": Identified("payment"),
    "inpay": Identified("payment"),
    "ch": Identified("payment", by="number"),
    "py": Identified("payment", by="number"),
}
_NOT_KEPT = ("re", "pyr", "po", "txn", "dp", "du", "cbtxn", "si", "il", "prod", "price", "seti", "pm", "src", "card", "acct")


def type_of_id(identity: str) -> Identified | None:
    """The object of the ledger that an id stands for; empty for an object of which the ledger keeps nothing, such as a refund,
    None for what does not begin as an id of Stripe does. A charge is a payment's number: a payment is known by its payment
    intent, which names its charge and not the other way round."""
    match = _ID.fullmatch(identity)
    if match is None:
        return None
    kind = match.group(1)
    return _KINDS.get(kind) or (_NOTHING if kind in _NOT_KEPT else None)
