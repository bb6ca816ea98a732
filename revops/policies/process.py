"""The shape of a declared process: stages in order, and what must come before what. Pure."""

from __future__ import annotations

import datetime as dt
from typing import Self

from pydantic import model_validator

from revops.policies.values import Code, Duration, Part, RoleCode, Sentence


class Stage(Part):
    """One step. `owner` is the role that completes it; `limit` how long it may take after the stage before it is done."""

    code: Code
    label: str
    owner: RoleCode
    limit: Duration | None = None


class Prerequisite(Part):
    """`stage` may not begin before `needs` is done. `grace` is how long the evidence may lag before it counts as broken."""

    stage: Code
    needs: Code
    why: Sentence
    grace: Duration = dt.timedelta(0)


class Process(Part):
    """A process: its stages in order and its prerequisites."""

    code: Code
    label: str
    stages: tuple[Stage, ...]
    prerequisites: tuple[Prerequisite, ...] = ()

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        codes = [stage.code for stage in self.stages]
        if len(set(codes)) != len(codes) or len(codes) < 2:
            raise ValueError("needs two stages or more, each with a code of its own")
        for line in self.prerequisites:
            if line.stage not in codes or line.needs not in codes:
                raise ValueError(f"has no stage {line.stage if line.stage not in codes else line.needs}")
            if codes.index(line.needs) >= codes.index(line.stage):
                raise ValueError(f"{line.needs} must stand before {line.stage}, which needs it")
        return self

    def stage(self, code: str) -> Stage:
        """The stage of that code. Raises `LookupError`."""
        for stage in self.stages:
            if stage.code == code:
                return stage
        raise LookupError(f"{self.code} has no stage {code}")

    def limit(self, stage: str) -> dt.timedelta:
        """How long the stage may take; no time when none is stated. Raises `LookupError`."""
        return self.stage(stage).limit or dt.timedelta(0)

    def prerequisite(self, stage: str, needs: str) -> Prerequisite:
        """The declared prerequisite. Raises `LookupError`."""
        for line in self.prerequisites:
            if (line.stage, line.needs) == (stage, needs):
                return line
        raise LookupError(f"{self.code} does not say that {stage} needs {needs}")
