"""Who acts: a signed-in person, or a named part of the system. Pure.

Every action takes `acting_user` by keyword. Workers act as `System("apply")`, `System("posting")` and so on, so that no row
changes without a name beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from revops.people.models import User


@dataclass(frozen=True, slots=True)
class System:
    """A part of the system acting by itself. `name` is a plain word: `apply`, `detection`, `posting`, `sweeper`, `demo`."""

    name: str

    @property
    def label(self) -> str:
        return f"system:{self.name}"


def actor_label(actor: User | System) -> str:
    """The name written beside a change: the user's e-mail or `system:<name>`."""
    return actor.label if isinstance(actor, System) else actor.get_username()


def actor_user(actor: User | System) -> User | None:
    """The person, or None for a part of the system."""
    return None if isinstance(actor, System) else actor
