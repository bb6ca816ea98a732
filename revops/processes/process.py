"""The shape of a declared process."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stage:
    """One step. `owner` is the role that completes it; `limit` how long it may take after the stage before it is done."""

    code: str
    label: str
    owner: str
    limit: dt.timedelta | None = None


@dataclass(frozen=True, slots=True)
class Prerequisite:
    """`stage` may not begin before `needs` is done. `grace` is how long the evidence may lag before it counts as broken."""

    stage: str
    needs: str
    why: str
    grace: dt.timedelta = dt.timedelta(0)


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its stages in order and its prerequisites."""

    code: str
    label: str
    stages: tuple[Stage, ...]
    prerequisites: tuple[Prerequisite, ...] = ()

    def stage(self, code: str) -> Stage:
        """The stage of that code. Raises `LookupError`."""
        for stage in self.stages:
            if stage.code == code:
                return stage
        raise LookupError(f"{self.code} has no stage {code}")

    def prerequisite(self, stage: str, needs: str) -> Prerequisite:
        """The declared prerequisite. Raises `LookupError`."""
        for line in self.prerequisites:
            if (line.stage, line.needs) == (stage, needs):
                return line
        raise LookupError(f"{self.code} does not say that {stage} needs {needs}")
