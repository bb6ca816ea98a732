"""Playing one situation after the other, each into a database of its own, and saying what differs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from demo.playback.compare import differences, remarks
from demo.playback.database import Playground, playground
from demo.playback.play import play
from demo.playback.situation import NotPlayable, read_situation, situations_in


@dataclass(frozen=True, slots=True)
class Result:
    """How one situation went. `differences`: what is not as it must be; `remarks`: what helps to find the cause; `ties`: the
    settings that its data proposed, and that were accepted."""

    name: str
    differences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    ties: tuple[str, ...] = ()

    @property
    def right(self) -> bool:
        return not self.differences

    def lines(self) -> list[str]:
        """As people read it."""
        ties = [f"       tied   {line}" for line in self.ties]
        if self.right:
            return [f"right  {self.name}", *ties]
        return [f"WRONG  {self.name}", *ties, *(f"       {line}" for line in (*self.differences, *self.remarks))]


def rehearse(folders: Iterable[Path], *, server: str = "") -> Iterator[Result]:
    """Play every situation of these folders. Raises `NotPlayable` for a folder that holds none and where no database can be made,
    before anything is played."""
    found = situations_in(folders)
    with playground(server) as ground:
        for folder in found:
            yield rehearse_one(folder, ground)


def rehearse_one(folder: Path, ground: Playground) -> Result:
    """Play one situation. One that cannot be played as it is written is wrong, and says why."""
    try:
        situation = read_situation(folder)
        with ground.fresh() as copy:
            played = play(situation, copy)
    except NotPlayable as problem:
        return Result(folder.resolve().name, (str(problem),))
    return Result(situation.name, tuple(differences(situation.expected, played)), tuple(remarks(played)), tuple(played.ties))
