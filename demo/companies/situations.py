"""What every company gives: items with their states, and a situation for each, in the form that a playback reads. Pure."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from demo.companies.draw import Draw
from demo.companies.erp import text
from demo.companies.story import Json, Story, utc

Thing = tuple[str, str, str]
"""The connection that has an object, its type, and its id there."""
Settings = Mapping[str, Mapping[str, object]]


@dataclass(frozen=True, slots=True)
class Case:
    """A case that must be open. `cents`: its amount in minor units; `account`: the CRM's id of whose it is, empty where the
    description does not say."""

    cents: int
    objects: tuple[Thing, ...]
    account: str = ""
    what: str = ""
    currency: str = "USD"

    def expected(self) -> Json:
        told = {"objects": [list(each) for each in self.objects], "amount": f"{text(self.cents)} {self.currency}"}
        return told | ({"account": self.account} if self.account else {}) | {"what": self.what}


@dataclass(frozen=True, slots=True)
class State:
    """One moment of an item's story, and the cases that must be open at it."""

    name: str
    now: dt.datetime
    cases: tuple[Case, ...] = ()


@dataclass(frozen=True, slots=True)
class Situation:
    """One folder: `input` and `expected` as the files hold them."""

    item: str
    state: str
    input: Json
    expected: Json

    @property
    def name(self) -> str:
        return f"{self.item}-{self.state}"


class World(Protocol):
    """A company's four systems in one story."""

    story: Story

    def neighbours(self, last: dt.datetime) -> None:
        """Other customers with whom all is right, up to that moment."""

    def accounts(self) -> list[str]:
        """The CRM's ids of all customers."""


W = TypeVar("W", bound=World)


@dataclass(frozen=True, slots=True)
class Item(Generic[W]):
    """A practice or contradiction by its number in the description. `days`: by how many days its dates may be moved;
    `connected`: when the systems were connected."""

    name: str
    play: Callable[[W], list[State]]
    days: tuple[int, ...]
    connected: dt.datetime


@dataclass
class Items(Generic[W]):
    """Where a company's functions say which item they are. An item may have several functions, each with states of its own."""

    listed: list[Item[W]] = field(default_factory=list)

    def __call__(
        self, name: str, *, days: tuple[int, ...] = (0,), connected: str = "2026-10-25T06:00"
    ) -> Callable[[Callable[[W], list[State]]], Callable[[W], list[State]]]:
        def register(play: Callable[[W], list[State]]) -> Callable[[W], list[State]]:
            self.listed.append(Item(name, play, days, utc(connected)))
            return play

        return register


@dataclass(frozen=True, slots=True)
class Company(Generic[W]):
    """`left_out`: item -> why no situation of it can be played. `settings`: connection -> connector and settings."""

    name: str
    items: tuple[Item[W], ...]
    left_out: Mapping[str, str]
    settings: Settings
    world: Callable[[Draw, tuple[int, ...], dt.datetime], W]

    def situations(self, seed: int) -> Iterator[Situation]:
        """Every state of every item, in the order of the description. The same seed gives the same bytes."""
        for place, item in enumerate(self.items):
            world = self.world(Draw(self.name, seed, item.name, place), item.days, item.connected)
            states = item.play(world)
            world.neighbours(max(state.now for state in states))
            for state in states:
                given = {"steps": world.story.steps(state.now), "crm_accounts": world.accounts()}
                yield Situation(item.name, state.name, given, _expected(state))


def _expected(state: State) -> Json:
    now = state.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"now": now, "cases": [case.expected() for case in state.cases], "dead_letters": 0}


def files(company: Company[W], situation: Situation) -> dict[str, bytes]:
    """The files of a situation's folder, by name."""
    held = {"input.json": situation.input, "expected.json": situation.expected, "connections.json": company.settings}
    return {name: (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode() for name, value in held.items()}


def write(company: Company[W], seed: int, folder: Path, *, items: Sequence[str] = ()) -> int:
    """A folder for each situation; `items`: only of these. Returns how many. Raises OSError as files do."""
    written = 0
    for situation in company.situations(seed):
        if items and situation.item not in items:
            continue
        own = folder / situation.name
        own.mkdir(parents=True, exist_ok=True)
        for name, content in files(company, situation).items():
            (own / name).write_bytes(content)
        written += 1
    return written
