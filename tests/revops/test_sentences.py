"""A sentence is a code and typed parameters: it survives being stored, and its words are only how it is shown."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from revops.money import Money
from revops.reference import Ref
from revops.sentences import TEXTS, Named, Param, Sentence, Word, refs_in, render, template

INVOICE = Ref("netsuite", "invoice", "501")
EURO = Money(Decimal("1200.00"), "EUR")


@pytest.fixture(autouse=True)
def _own_texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    kept = dict(TEXTS)
    yield
    TEXTS.clear()
    TEXTS.update(kept)


ids = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=30)
refs = st.builds(Ref, ids, ids, ids)
atoms = st.one_of(
    st.integers(-(10**15), 10**15),
    st.text(st.characters(codec="utf-8", exclude_characters="\x00")),
    st.builds(Money.from_minor, st.integers(-(10**12), 10**12), st.sampled_from(["USD", "JPY", "KWD"])),
    refs,
    st.builds(Named, refs, ids),
    st.builds(Word, ids),
    st.dates(),
    st.datetimes(timezones=st.just(dt.UTC)),
    st.integers(0, 10**7).map(lambda seconds: dt.timedelta(seconds=seconds)),
)
params: st.SearchStrategy[Param] = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(tuple),
        st.builds(Sentence, ids, st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2)),
    ),
    max_leaves=6,
)


@given(params)
def test_whatever_is_said_is_read_back_from_json_as_it_was(said: Param) -> None:
    sentence = Sentence("some.code", {"said": said})
    assert Sentence.from_json(json.loads(json.dumps(sentence.as_json()))) == sentence
    assert isinstance(str(sentence), str)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (EURO, "1200.00 EUR"),
        (INVOICE, "501"),
        (Named(INVOICE, "INV-501"), "INV-501"),
        (Word("in_progress"), "in progress"),
        (dt.date(2026, 11, 30), "2026-11-30"),
        (dt.datetime(2026, 11, 30, 1, 30, tzinfo=dt.timezone(dt.timedelta(hours=2))), "2026-11-29 23:30 UTC"),
        (dt.timedelta(hours=24), "24 hours"),
        (3, "3"),
        ("as_it_is {x}", "as_it_is {x}"),
        (("CP-1", "CP-2"), "CP-1, CP-2"),
        ((), ""),
    ],
)
def test_each_kind_of_parameter_has_one_plain_form(value: Param, text: str) -> None:
    assert render(value) == text


def test_sentences_nest_and_name_every_object_they_are_about() -> None:
    inner = template("t.inner", "{invoice} is open")
    outer = template("t.outer", "Opened: {found}")
    said = outer(found=(inner(invoice=Named(INVOICE, "A-1")), inner(invoice=Ref("netsuite", "invoice", "502"))))
    assert str(said) == "Opened: A-1 is open; 502 is open"
    assert [ref.id for ref in refs_in(said)] == ["501", "502"]


def test_a_template_takes_exactly_its_placeholders() -> None:
    above = template("t.above", "{invoice} is {amount} above")
    for wrong in ({"invoice": INVOICE}, {"invoice": INVOICE, "amount": EURO, "more": 1}, {}):
        with pytest.raises(ValueError, match=r"t\.above takes amount, invoice"):
            above(**wrong)


@pytest.mark.parametrize("text", ["{amount:>10}", "{amount!r}", "{0}", "{}", "{a.b}"])
def test_a_text_says_where_a_parameter_stands_and_never_how_it_looks(text: str) -> None:
    with pytest.raises(ValueError, match="plain name"):
        template("t.formatted", text)


def test_a_code_means_one_thing() -> None:
    template("t.once", "One")
    with pytest.raises(ValueError, match="already"):
        template("t.once", "Two")


def test_other_words_are_the_same_sentence() -> None:
    first = template("t.words", "{amount} is missing")
    before = first(amount=EURO)
    TEXTS["t.words"] = "Es fehlen {amount}"
    assert first(amount=EURO) == before
    assert str(before) == "Es fehlen 1200.00 EUR"


def test_a_sentence_of_another_version_is_told_by_its_code() -> None:
    assert str(Sentence("t.gone", {"amount": EURO, "on": dt.date(2026, 11, 30)})) == "t.gone 1200.00 EUR, 2026-11-30"
    later = template("t.later", "{amount} since {day}")
    assert str(Sentence(later.code, {"amount": EURO})) == "1200.00 EUR since ?"


@pytest.mark.parametrize("stored", [None, "text", {"code": "x"}, {"code": "x", "params": []}, {"code": "x", "params": {"a": {}}}])
def test_what_is_no_sentence_is_refused(stored: object) -> None:
    with pytest.raises(ValueError, match="an object"):
        Sentence.from_json(stored)
