"""What a seed draws: names, ids in each vendor's own form, amounts and moments. Nothing is drawn twice. Pure."""

from __future__ import annotations

import datetime as dt
import random
import string
from collections.abc import Callable, Sequence
from typing import TypeVar

_ALPHANUMERIC = string.digits + string.ascii_uppercase + string.ascii_lowercase
_UPPER = string.digits + string.ascii_uppercase
_CHECK = string.ascii_uppercase + "012345"
_FIRST_WORDS = (
    "Aldgate Amberly Anchorpoint Arborwick Ashcombe Barnwell Beaconry Birchmere Blackfen Brackenhill Bramwell Brightmoor "
    "Calderon Canfield Castlebar Cedarholm Clearwell Coldharbour Copperas Cranford Dalewood Derwent Dunmore Eastlake "
    "Elmsworth Fairholt Farrowgate Fernlea Foxhollow Galewood Glenmoray Greenhithe Hartwell Hawkridge Heathrow Hollins "
    "Ivybridge Jessamine Kestrelby Kingsmere Lambourne Larkfield Lindenow Longacre Marlwood Merrivale Millbrook Norcross "
    "Oakhaven Otterburn Pemberly Penrose Quarrington Ravenscar Redgrave Rockwell Sandringham Selwick Stonegate Tarnbrook "
    "Thornfield Umberleigh Valebrook Wexcombe Whitmore Winterbourne Yardley"
)
_SECOND_WORDS = (
    "Analytics Biotech Cabinets Dairies Energy Foods Freight Garments Health Labs Logistics Media Optics Robotics Tools"
)
_FIRST, _SECOND = _FIRST_WORDS.split(), _SECOND_WORDS.split()
_FORM = ("Inc.", "LLC", "Corp.", "Co.")
_OWNERS = ("Ines Calder", "Tom Whitfield", "Ruth Abara", "Leo Marchetti", "Nora Lindqvist")
T = TypeVar("T")


def check_characters(short: str) -> str:
    """The last three characters of an 18-character Salesforce id: which of its 15 are capital letters, five by five."""
    return "".join(
        _CHECK[sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter in string.ascii_uppercase)]
        for start in (0, 5, 10)
    )


def full_id(short: str) -> str:
    """A Salesforce id of 15 characters in its form of 18."""
    return short + check_characters(short)


class Draw:
    """Draws that depend on the parts alone (company, seed, item), whatever was drawn elsewhere."""

    def __init__(self, *parts: object) -> None:
        self._random = random.Random("/".join(map(str, parts)))
        self._given: set[str] = set()
        self._numbers: dict[str, int] = {}

    def _new(self, make: Callable[[], str]) -> str:
        while (found := make()) in self._given:
            pass
        self._given.add(found)
        return found

    def _letters(self, alphabet: str, length: int) -> str:
        return "".join(self._random.choices(alphabet, k=length))

    def salesforce(self, prefix: str) -> str:
        """18 characters: the three of the object, twelve more, and the three that tell the case of these."""
        return self._new(lambda: full_id(f"{prefix}5f0000{self._letters(_ALPHANUMERIC, 6)}"))

    def gainsight(self, prefix: str = "1P02") -> str:
        """36 capital letters and digits."""
        return self._new(lambda: prefix + self._letters(_UPPER, 32))

    def stripe(self, prefix: str) -> str:
        """The prefix of the object, and 24 letters and digits."""
        return self._new(lambda: f"{prefix}_1{self._letters(_ALPHANUMERIC, 23)}")

    def number(self, series: str, first: int, step: int = 40) -> int:
        """The next number of a series that begins near `first`: NetSuite's ids, contract numbers, invoice numbers."""
        self._numbers[series] = self._numbers.get(series, first) + self._random.randint(1, step)
        return self._numbers[series]

    def name(self) -> str:
        """The name of a company."""
        return self._new(lambda: " ".join(self._random.choice(part) for part in (_FIRST, _SECOND, _FORM)))

    def owner(self) -> str:
        return self._random.choice(_OWNERS)

    def cents(self, least: int, most: int, step: int = 10_000) -> int:
        """An amount between these, in minor units, a multiple of `step`."""
        return self._random.randint(least // step, most // step) * step

    def one_of(self, choices: Sequence[T]) -> T:
        return self._random.choice(choices)

    def between(self, least: int, most: int) -> int:
        return self._random.randint(least, most)

    def seconds(self, least: int, most: int) -> dt.timedelta:
        return dt.timedelta(seconds=self._random.randint(least, most))

    def minutes(self, least: int, most: int) -> dt.timedelta:
        return dt.timedelta(minutes=self._random.randint(least, most))

    def happens(self, percent: int) -> bool:
        return self._random.randint(1, 100) <= percent
