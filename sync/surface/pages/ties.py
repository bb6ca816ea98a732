"""How a connection is tied to the others, as its page shows it: what its data proposes, and how much is tied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from revops.errors import Conflict
from revops.web.formatting import plural
from revops.web.step_up import Asked, add_proof
from sync.mapping import accept as accepting
from sync.mapping.coverage import Covered, coverage
from sync.mapping.propose import Proposal
from sync.mapping.sampled import proposed
from sync.models import Connection
from sync.surface.pages.connection_forms import TieForm

if TYPE_CHECKING:
    from revops.identity.models import StepUp
    from revops.people.models import User

OBJECTS_MAX = 300
"""Of each object type that the page looks at; the command looks at more."""
DELIVERIES_MAX = 20_000
"""What came in, that is put back to the start within one answer of the page."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A proposal with the form that accepts it; `in_force`: there is nothing to accept."""

    proposal: Proposal
    form: TieForm
    in_force: bool


@dataclass(frozen=True, slots=True)
class Ties:
    """All that the section shows."""

    offered: list[Offered]
    covered: list[Covered]


def of(row: Connection, asked: Asked, refused: TieForm | None = None) -> Ties:
    """What the section of a connection shows. `refused`: the form that was sent and not accepted stands where it was."""
    offered = []
    for proposal in proposed(row, OBJECTS_MAX):
        form = TieForm(setting=proposal.setting, value=proposal.value)
        form.fields["version"].initial = row.row_version
        if refused is not None and (refused.data.get("setting"), refused.data.get("value")) == (proposal.setting, proposal.value):
            form = refused
        else:
            add_proof(form, asked)
        offered.append(Offered(proposal, form, not accepting.changes_of(row, [proposal])))
    return Ties(offered, coverage(row))


def accept(row: Connection, said: Mapping[str, Any], *, step_up: StepUp | None, acting_user: User) -> accepting.Accepted:
    """Accept the proposal that a form names. Raises `Conflict("tie_gone")` when it is not proposed any more, and as `accept` of
    the proposals does."""
    wanted = (said["setting"], said["value"])
    found = next((each for each in proposed(row, OBJECTS_MAX) if (each.setting, each.value) == wanted), None)
    if found is None:
        raise Conflict("tie_gone", "What came in does not propose this any more. Look at it as it is now.")
    return accepting.accept(
        row,
        [found],
        reason=said["reason"],
        acting_user=acting_user,
        step_up=step_up,
        row_version=said["version"] or 0,
        deliveries_max=DELIVERIES_MAX,
    )


def in_words(done: accepting.Accepted) -> str:
    """What was done, and what is still to do."""
    settings = ", ".join(f"{name} = {value}" for name, value in done.values.items())
    if done.replay is not None:
        return f"{settings}. {plural(done.replay.total, 'delivery is', 'deliveries are')} translated anew."
    return (
        f"{settings}. It counts for what comes in from now on; manage.py replay --connection {done.row.pk} --everything "
        "translates anew what came in before, where anything did."
    )
