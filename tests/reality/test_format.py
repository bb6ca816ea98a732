"""A folder that cannot be read says in a sentence what is wrong where; what it holds is read exactly."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.playback.play import rendered
from demo.playback.situation import NotPlayable, read_situation, situations_in

Json = dict[str, Any]


def written(
    folder: Path, came: object = None, expected: object = None, change: Callable[[Json, Json], object] | None = None
) -> Path:
    """A folder with two files, right but for the change."""
    step = {"connection": "netsuite", "kind": "read", "object_type": "customer", "body": {"row": {"id": "1"}}}
    one: Any = {"steps": [step]} if came is None else came
    two: Any = {"now": "2026-11-28T12:00:00Z", "cases": [{"objects": [["stripe", "invoice", "in_1"]], "amount": "1.00 USD"}]}
    two = two if expected is None else expected
    if change is not None:
        change(one, two)
    folder.mkdir(exist_ok=True)
    (folder / "input.json").write_text(one if isinstance(one, str) else json.dumps(one))
    (folder / "expected.json").write_text(two if isinstance(two, str) else json.dumps(two))
    return folder


def step(came: Json) -> Json:
    found: Json = came["steps"][0]
    return found


def case(expected: Json) -> Json:
    found: Json = expected["cases"][0]
    return found


PROBLEMS: dict[str, tuple[Callable[[Json, Json], object], str]] = {
    "no body": (lambda came, _: step(came).pop("body"), "input.json, steps 1: body is missing."),
    "no steps": (lambda came, _: came["steps"].clear(), "input.json, steps: "),
    "another kind": (
        lambda came, _: step(came).update(kind="push"),
        "input.json, steps 1, kind: Input should be 'event' or 'read'",
    ),
    "a misspelt field": (lambda came, _: step(came).update(bdy={}), "input.json, steps 1: bdy is no field of it."),
    "a read of nothing": (
        lambda came, _: step(came).pop("object_type"),
        "input.json, steps 1: a read says in object_type what was read, such as invoice.",
    ),
    "a read of a text": (lambda came, _: step(came).update(body="{}"), "the body of a read is an object"),
    "a name of a connection": (lambda came, _: step(came).update(connection="My CRM"), "a connection has 2 to 59 lower-case"),
    "no cases": (lambda _, expected: expected.pop("cases"), "expected.json: cases is missing."),
    "no clock": (lambda _, expected: expected.pop("now"), "expected.json: now is missing."),
    "a clock without a zone": (lambda _, expected: expected.update(now="2026-11-28T12:00:00"), "expected.json, now: "),
    "an amount without a currency": (
        lambda _, expected: case(expected).update(amount="1.00"),
        "cases 1, amount: an amount is a text, an exact decimal and a currency, such as \"2500.00 USD\", not '1.00'.",
    ),
    "an amount as a number": (lambda _, expected: case(expected).update(amount=1.1), "an exact decimal and a currency"),
    "a grouped amount": (lambda _, expected: case(expected).update(amount="1,000.00 USD"), "an exact decimal and a currency"),
    "an object of two": (
        lambda _, expected: case(expected).update(objects=[["stripe", "in_1"]]),
        'an object is ["connection", "type", "id"], three texts',
    ),
    "a case about nothing": (lambda _, expected: case(expected).update(objects=[]), "cases 1, objects: "),
    "a fraction as a field": (
        lambda _, expected: expected.update(records=[{"object": ["stripe", "invoice", "in_1"], "fields": {"total": 1.5}}]),
        "records 1, fields, total: a value is a text, a whole number, true, false or null; write '1.5' as a text.",
    ),
    "any of nothing": (
        lambda _, expected: expected.update(records=[{"object": ["stripe", "invoice", "in_1"], "fields": {"total": []}}]),
        "a list names the values of which any is right",
    ),
}


@pytest.mark.parametrize("what", PROBLEMS)
def test_what_is_wrong_in_a_file_is_said_with_its_place(what: str, tmp_path: Path) -> None:
    change, sentence = PROBLEMS[what]
    assert read_situation(written(tmp_path / "right")).name == "right"
    with pytest.raises(NotPlayable) as problem:
        read_situation(written(tmp_path / "wrong", change=change))
    assert sentence in str(problem.value)


@pytest.mark.parametrize(("text", "sentence"), [
    ("{", "input.json is no JSON that can be used. The body is not well-formed JSON."),
    ('{"steps": [], "steps": []}', "input.json is no JSON that can be used. An object gives one key twice."),
    ("[]", "input.json holds no object"),
])  # fmt: skip
def test_a_file_that_is_no_json_is_said(text: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(NotPlayable) as problem:
        read_situation(written(tmp_path / "wrong", came=text))
    assert sentence in str(problem.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    (written(tmp_path / "wrong") / "expected.json").unlink()
    with pytest.raises(NotPlayable, match=r"expected.json cannot be read \(No such file or directory\)"):
        read_situation(tmp_path / "wrong")


def test_settings_of_connections_are_texts(tmp_path: Path) -> None:
    (written(tmp_path / "wrong") / "connections.json").write_text('{"stripe": {"settings": {"mode": true}}}')
    with pytest.raises(
        NotPlayable, match=r"connections\.json, connections, stripe, settings, mode: Input should be a valid string"
    ):
        read_situation(tmp_path / "wrong")


def test_folders_are_situations_or_hold_some(tmp_path: Path) -> None:
    one, two = written(tmp_path / "one"), written(tmp_path / "two")
    assert situations_in([tmp_path]) == [one, two] == situations_in([one, two])


def test_a_body_goes_out_with_the_digits_and_the_order_in_which_it_came(tmp_path: Path) -> None:
    body = (
        '{"z": 1.10, "a": [1, 4623.400000000001, {}, []], "text": "\\u0000 é", "none": null, "yes": true, '
        '"large": 12345678901234567890123}'
    )
    came = f'{{"steps": [{{"connection": "stripe", "kind": "event", "body": {body}}}]}}'
    sent = rendered(read_situation(written(tmp_path / "one", came=came)).steps[0].body)
    assert "".join(sent.split()) == "".join(body.replace("é", "\\u00e9").split())
    assert sent.startswith('{\n  "z": 1.10,\n  "a": [\n    1,\n')


def test_steps_come_in_one_after_the_other_and_before_the_end(tmp_path: Path) -> None:
    def three(came: Json, _expected: Json) -> None:
        came["steps"] = [{**step(came), "pause": pause} for pause in (0, 60, 0)]

    situation = read_situation(written(tmp_path / "one", change=three))
    now = dt.datetime(2026, 11, 28, 12, tzinfo=dt.UTC)
    assert [(now - situation.received_at(number)).total_seconds() for number in range(3)] == [63, 62, 1]
