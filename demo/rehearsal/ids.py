"""Identifiers in each vendor's own form, drawn from a seeded generator. Pure."""

from __future__ import annotations

import random
import string

_ALPHANUMERIC = string.digits + string.ascii_uppercase + string.ascii_lowercase
_UPPER = string.digits + string.ascii_uppercase
_CHECK = string.ascii_uppercase + "012345"


def seeded(*parts: object) -> random.Random:
    """A generator that depends on these parts alone, whatever was drawn before elsewhere."""
    return random.Random("/".join(str(part) for part in parts))


def stripe_id(rng: random.Random, prefix: str) -> str:
    """`in_1Q...`: prefix and 24 letters and digits."""
    return f"{prefix}_1{''.join(rng.choices(_ALPHANUMERIC, k=23))}"


def gsid(rng: random.Random, prefix: str) -> str:
    """A Gainsight id: 36 upper-case letters and digits behind a four-character kind, such as `1P02`."""
    return prefix + "".join(rng.choices(_UPPER, k=32))


def salesforce_id(rng: random.Random, prefix: str) -> str:
    """An 18-character Salesforce id: three characters of kind, 12 more, three check characters."""
    short = f"{prefix}Rv0" + "".join(rng.choices(_ALPHANUMERIC, k=9))
    return short + check_characters(short)


def check_characters(short: str) -> str:
    """The last three characters of an 18-character id: which of the 15 are upper-case letters, five by five."""
    return "".join(
        _CHECK[sum(1 << place for place, letter in enumerate(short[start : start + 5]) if letter.isupper() and letter.isascii())]
        for start in (0, 5, 10)
    )


def to_18(id: str) -> str:
    """A Salesforce id in its 18-character form."""
    return id if len(id) == 18 else id + check_characters(id)
