"""What a read returned is kept as bytes and may be understood from the value at hand: both say the same."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from sync.vendor.contract import Incoming, Item
from sync.vendor.fields import body_of, item_of


def incoming(item: Item) -> Incoming:
    return Incoming("read", item.body, object_type=item.object_type, parsed=item.parsed)


@pytest.mark.parametrize(
    "value",
    [
        {"b": [1, None, True], "a": {"text": "Müller & Söhne", "amount": Decimal("10.50")}},
        {"large": 2**70, "small": Decimal("-0.000001"), "empty": {}},
        {"path": "C:\\temp", "quoted": 'say "yes"'},
    ],
)
def test_the_value_at_hand_says_what_the_kept_bytes_say(value: dict[str, object]) -> None:
    item = item_of("invoice", "1", value)
    assert body_of(incoming(item)) == body_of(replace(incoming(item), parsed=None)) == value


@pytest.mark.parametrize("text", ["a\x00b", "half \ud83d"])
def test_a_text_that_no_column_can_keep_is_left_to_whoever_reads_the_field(text: str) -> None:
    item = item_of("invoice", "1", {"name": text})
    assert item.parsed is None
    assert body_of(incoming(item)) == {"name": text}
