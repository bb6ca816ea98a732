"""A reference names system, object type and id, and survives storing."""

from __future__ import annotations

import pytest

from revops.errors import Rejected
from revops.reference import Ref


def test_it_comes_back_from_its_stored_form() -> None:
    ref = Ref("stripe-eu", "invoice", "in_1")
    assert Ref.from_json(ref.as_json()) == ref
    assert ref != Ref("stripe-us", "invoice", "in_1")


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "stripe invoice in_1",
        {"system": "stripe", "object_type": "invoice"},
        {"system": "stripe", "object_type": "invoice", "id": ""},
        {"system": "stripe", "object_type": "invoice", "id": "i" * 201},
        {"system": "stripe", "object_type": "invoice", "id": "in\x001"},
    ],
)
def test_what_is_no_reference_is_refused(stored: object) -> None:
    with pytest.raises(Rejected, match="reference"):
        Ref.from_json(stored)
