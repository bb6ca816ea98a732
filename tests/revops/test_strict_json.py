"""What is JSON for us and what is not (bad input W17 to W24), and that numbers stay exact."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops import strict_json
from revops.strict_json import DuplicateKey, NotJson, UnsafeText


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": 1,}',
        b"{'a': 1}",
        b"\xef\xbb\xbf{}",
        "{}".encode("utf-16"),
        b'"\xff"',
        b'"\x00"',
        b"[" * 200_000,
        b'{"a":' * 200_000,
        b"[" * 65 + b"]" * 65,
        b'{"amount": ' + b"9" * 5000 + b"}",
        b"[1e400]",
        b"[-1e400]",
        b"[1e-400]",
        b"[1e9999999999999999999999]",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"[0." + b"1" * 200 + b"]",
        b'"' + b'\\"' * 300_000,
    ],
    ids=range(21),
)
def test_w17_w18_w19_w22_what_is_no_json_is_refused(body: bytes) -> None:
    with pytest.raises(NotJson):
        strict_json.parse(body)


@pytest.mark.parametrize("body", [b'{"amount": 1, "amount": 2}', b'[{"a": {"b": 1, "b": 1}}]'])
def test_w20_a_key_given_twice_is_refused_unless_only_the_id_is_wanted(body: bytes) -> None:
    with pytest.raises(DuplicateKey):
        strict_json.parse(body)
    assert strict_json.parse(body, allow_duplicates=True)


@pytest.mark.parametrize("body", [b'{"name": "a\\u0000b"}', b'["\\ud800"]', b'["\\udfff x"]', b'{"\\u0000": 1}'])
def test_w21_text_that_no_column_can_keep_is_reported_and_may_be_carried(body: bytes) -> None:
    with pytest.raises(UnsafeText):
        strict_json.parse(body)
    value = strict_json.parse(body, allow_unsafe_text=True)
    assert strict_json.parse(strict_json.dump(value), allow_unsafe_text=True) == value


@pytest.mark.parametrize(
    ("body", "value"), [(b"[]", []), (b'"x"', "x"), (b"null", None), (b'["\\ud83d\\ude00"]', ["\U0001f600"])]
)
def test_other_top_levels_and_whole_surrogate_pairs_are_json(body: bytes, value: object) -> None:
    assert strict_json.parse(body) == value


def test_sixty_four_levels_are_allowed_and_brackets_in_texts_do_not_count() -> None:
    assert strict_json.parse(b"[" * 64 + b"]" * 64)
    assert strict_json.parse(b'"' + b"[" * 1000 + b'"') == "[" * 1000
    assert strict_json.parse(b'["\\"' + b"[" * 100 + b'"]')


@pytest.mark.parametrize("text", ["139000000.0", "998765.00000000000", "0.1", "-12.30", "1e3", "1.00"])
def test_i19_fractions_are_exact_decimals(text: str) -> None:
    value = strict_json.parse(text.encode())
    assert isinstance(value, Decimal)
    assert value == Decimal(text)


def test_i19_money_digits_survive_a_round_trip() -> None:
    body = b'{"rate":100.50,"amount":0.10,"yen":1200000}'
    assert strict_json.dump(strict_json.parse(body)) == body


@pytest.mark.parametrize("value", [0.1, float("nan"), Decimal("NaN"), {1: 2}, b"x", object()])
def test_dump_refuses_what_has_no_exact_form(value: object) -> None:
    with pytest.raises(TypeError):
        strict_json.dump([value])


def test_a_digest_ignores_key_order_and_the_named_keys_only() -> None:
    one = {"id": "evt_1", "pending_webhooks": 1, "data": {"pending_webhooks": 1}}
    other = {"data": {"pending_webhooks": 1}, "pending_webhooks": 0, "id": "evt_1"}
    deeper = {"data": {"pending_webhooks": 2}, "pending_webhooks": 0, "id": "evt_1"}
    digest = strict_json.content_digest
    assert digest(one, ("pending_webhooks",)) == digest(other, ("pending_webhooks",))
    assert digest(one) != digest(other)
    assert digest(one, ("pending_webhooks",)) != digest(deeper, ("pending_webhooks",))


_TREES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text() | st.decimals(-(10**20), 10**20, places=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(_TREES)
def test_what_is_written_is_read_back(tree: object) -> None:
    assert strict_json.parse(strict_json.dump(tree), allow_unsafe_text=True) == tree


@given(st.binary(max_size=200))
def test_any_bytes_are_parsed_or_refused(body: bytes) -> None:
    try:
        strict_json.parse(body)
    except strict_json.StrictJsonError as error:
        assert error.reason  # noqa: PT017 - either outcome is right


EXACT = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.text()
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=3)


def nested(part: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=5), part, max_size=4)


@given(st.recursive(EXACT | DECIMALS, nested, max_leaves=12))
def test_the_canonical_form_says_the_same_whatever_writes_it(value: object) -> None:
    """With a decimal the strict writer is used, without one the fast one: both give the same, and what `parse` reads back."""
    written = strict_json.canonical({"value": value})
    assert strict_json.parse(written, allow_unsafe_text=True) == {"value": value}
    beside = strict_json.canonical([Decimal("0.5"), {"value": value}])
    assert beside == b"[0.5," + written + b"]"


def test_equal_values_have_one_canonical_form() -> None:
    assert strict_json.canonical({"b": 1, "a": [{"d": 2, "c": 3}]}) == strict_json.canonical({"a": [{"c": 3, "d": 2}], "b": 1})


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(-(10**42), 10**42), st.decimals(allow_nan=False, allow_infinity=False, places=3),
    st.sampled_from(["", ":", "a", 'say "a": 1', "\\", "{[", "\u00e9", "a\nb"]),
)  # fmt: skip


def _written(value: object, draw_ascii: bool) -> str:
    """JSON text of a value in which an object is a list of pairs, so that a key can stand there twice."""
    if isinstance(value, tuple):
        return (
            "{"
            + ", ".join(f"{json.dumps(key, ensure_ascii=draw_ascii)} : {_written(part, draw_ascii)}" for key, part in value)
            + "}"
        )
    if isinstance(value, list):
        return "[" + ",".join(_written(part, draw_ascii) for part in value) + "]"
    return f"{value:f}" if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=draw_ascii)


def _has_key_twice(value: object) -> bool:
    if isinstance(value, tuple):
        return len({key for key, _ in value}) < len(value) or any(_has_key_twice(part) for _, part in value)
    return isinstance(value, list) and any(map(_has_key_twice, value))


def _has_long_number(value: object) -> bool:
    if isinstance(value, tuple):
        return any(_has_long_number(part) for _, part in value)
    if isinstance(value, list):
        return any(map(_has_long_number, value))
    return isinstance(value, int) and not isinstance(value, bool) and len(str(value)) > strict_json.DIGITS_MAX


def _as_parsed(value: object) -> object:
    if isinstance(value, tuple):
        return {key: _as_parsed(part) for key, part in value}
    return [_as_parsed(part) for part in value] if isinstance(value, list) else value


_KEYS = st.sampled_from(["a", "b", ":", 'q"', "\u00e9"])
_VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.lists(st.tuples(_KEYS, inner), max_size=4).map(tuple), max_leaves=20
)


@given(value=_VALUES, ascii_only=st.booleans())
def test_w20_whatever_the_text_looks_like_each_key_counts_once_and_each_number_is_exact(value: object, ascii_only: bool) -> None:
    body = _written(value, ascii_only).encode()
    if _has_key_twice(value) or _has_long_number(value):
        with pytest.raises((DuplicateKey, NotJson)):
            strict_json.parse(body)
        return
    parsed = strict_json.parse(body)
    assert parsed == _as_parsed(value)
    assert strict_json.parse(strict_json.canonical(parsed)) == parsed
