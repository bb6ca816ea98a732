"""What a made-up company gives: every item of its description, each in its states, readable by a playback, and the same again for
the same seed."""

from __future__ import annotations

import datetime as dt
import itertools
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from demo.companies import COMPANIES
from demo.companies.situations import Situation, files, write
from demo.playback.situation import read_situation
from tests.companies.made import made

NUMBERS = {"brightwater": ("1", 14, 17), "ferrobyte": ("2", 16, 18), "quarrylight": ("6", 18, 23)}
"""Company -> its number in the description, and how many practices and contradictions it has there."""
SEEDS = (1, 2)


def described(company: str) -> list[str]:
    number, practices, contradictions = NUMBERS[company]
    wanted = [f"{number}P{place}" for place in range(1, practices + 1)]
    return wanted + [f"{number}X{place}" for place in range(1, contradictions + 1)]


def states(company: str, seed: int = 1) -> dict[str, dict[str, Situation]]:
    """Item -> state -> situation."""
    found: dict[str, dict[str, Situation]] = defaultdict(dict)
    for situation in made(company, seed):
        assert situation.state not in found[situation.item], f"{situation.name} is there twice"
        found[situation.item][situation.state] = situation
    return found


@pytest.mark.parametrize("company", COMPANIES)
def test_every_item_is_there_or_left_out_with_a_reason(company: str) -> None:
    generated, left_out = set(states(company)), set(COMPANIES[company].left_out)
    assert not generated & left_out
    assert sorted(generated | left_out) == sorted(described(company))
    assert all(reason.endswith(".") for reason in COMPANIES[company].left_out.values())


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("company", COMPANIES)
def test_a_practice_has_several_states_and_no_case_in_any(company: str, seed: int) -> None:
    for item, found in states(company, seed).items():
        if "P" in item:
            assert len(found) >= 2, item
            assert all(situation.expected["cases"] == [] for situation in found.values()), item


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("company", COMPANIES)
def test_a_contradiction_is_left_open_cured_and_broken_again(company: str, seed: int) -> None:
    for item, found in states(company, seed).items():
        if "X" in item:
            planted = {state: len(situation.expected["cases"]) for state, situation in found.items()}
            assert planted.items() >= {"left-open": 1, "cured": 0, "broken-again": 1}.items(), item
            assert all(count == 0 for state, count in planted.items() if state.startswith("before")), item
            assert found["left-open"].expected["now"] < found["broken-again"].expected["now"] or len(found) == 4, item


@pytest.mark.parametrize("company", COMPANIES)
def test_the_same_seed_gives_the_same_bytes_and_another_one_others(company: str) -> None:
    own, first, other = COMPANIES[company], made(company, 1), made(company, 2)
    again = tuple(itertools.islice(own.situations(1), 10))
    assert again == first[:10]
    assert files(own, again[-1]) == files(own, first[9])
    assert [each.name for each in other] == [each.name for each in first]
    assert all(one.input != another.input for one, another in zip(first, other, strict=True))


@pytest.mark.parametrize("company", COMPANIES)
def test_a_playback_can_read_what_is_written(company: str, tmp_path: Path) -> None:
    items = [described(company)[0], described(company)[-1]]
    assert write(COMPANIES[company], 1, tmp_path, items=items) == len(list(tmp_path.iterdir()))
    for folder in tmp_path.iterdir():
        situation = read_situation(folder)
        assert situation.given is not None
        assert set(situation.given) == {step.connection for step in situation.steps}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("company", COMPANIES)
def test_steps_come_after_what_they_tell_and_before_now(company: str, seed: int) -> None:
    for situation in made(company, seed):
        now = dt.datetime.fromisoformat(situation.expected["now"])
        assert now <= dt.datetime(2026, 11, 29, tzinfo=dt.UTC), situation.name
        steps = situation.input["steps"]
        at = now - dt.timedelta(seconds=sum(1 + step.get("pause", 0) for step in steps))
        for step in steps:
            if step["kind"] == "event":
                assert step["body"]["created"] <= at.timestamp() + len(steps), situation.name
            at += dt.timedelta(seconds=1 + step.get("pause", 0))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("company", COMPANIES)
def test_what_a_case_is_about_has_come_in(company: str, seed: int) -> None:
    for situation in made(company, seed):
        text = json.dumps(situation.input["steps"])
        for case in situation.expected["cases"]:
            assert re.fullmatch(r"[0-9]+\.[0-9]{2} [A-Z]{3}", case["amount"]), situation.name
            assert all(f'"{id}"' in text for _system, _type, id in case["objects"]), situation.name
            assert case.get("account", "") in ("", *situation.input["crm_accounts"]), situation.name


@pytest.mark.parametrize("company", COMPANIES)
def test_neighbours_stand_beside_it(company: str) -> None:
    for situation in made(company, 1):
        own = 0 if situation.item in {"6P5", "6X21"} else 1  # self-serve has no account
        assert len(situation.input["crm_accounts"]) > own, situation.name


def numbers(value: Any) -> Iterator[object]:
    if isinstance(value, dict):
        for part in value.values():
            yield from numbers(part)
    elif isinstance(value, list):
        for part in value:
            yield from numbers(part)
    elif not isinstance(value, str | bool | None):
        yield value


@pytest.mark.parametrize("company", COMPANIES)
def test_no_number_is_inexact(company: str) -> None:
    for situation in made(company, 1):
        assert all(isinstance(number, int) for number in numbers(situation.input["steps"])), situation.name


@pytest.mark.parametrize("company", COMPANIES)
def test_duplicates_and_events_out_of_order_are_among_them(company: str) -> None:
    twice = swapped = 0
    for situation in made(company, 1):
        events = [step for step in situation.input["steps"] if step["kind"] == "event"]
        ids = [step["body"]["id"] for step in events]
        twice += len(ids) > len(set(ids))
        swapped += any(step["note"].endswith("after the one that follows it") for step in events)
    assert twice > 3
    assert swapped > 3
