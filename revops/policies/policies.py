"""The policies as one value. Pure.

Everything that a company may decide otherwise without a line of code: who judges is handed this value and asks it. `version`
is the digest of what the document says; cases, plans and decisions keep the version that judged them.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from revops.money import Money, exponent
from revops.policies.process import Process
from revops.policies.values import (
    FROZEN,
    Amount,
    Code,
    Currency,
    Duration,
    Part,
    RoleCode,
    Sentence,
    SeverityCode,
    SignerCode,
    TeamCode,
)

ANY = "*"


class Tolerance(Part):
    """How far two systems may differ by rounding, in minor units of the currency."""

    minor_units: int = Field(ge=0, le=1000)
    minor_units_without_decimals: int = Field(ge=0, le=1000)


class RulePolicy(Part):
    """How bad what a rule finds is, which team works it, and how long it may stand until it counts."""

    severity: SeverityCode
    team: TeamCode
    after: Duration = dt.timedelta(hours=24)


class Tier(Part):
    """One signature: `role` gives it on changes of `starts_at` (inclusive) or more."""

    code: Code
    label: str
    role: SignerCode
    starts_at: Amount = Field(alias="from")


class Checkpoints(Part):
    """The tiers in the order of signing, the time within which changes of one kind on one account are added up, and how long a
    submitted change waits for its signatures."""

    split_window: Duration
    expires_after: Duration
    tiers: tuple[Tier, ...]

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        codes = [tier.code for tier in self.tiers]
        if not codes or len(set(codes)) != len(codes):
            raise ValueError("needs one tier or more, each with a code of its own")
        return self


class Connections(Part):
    """When a connected system is an exception itself: so many dead letters wait, or reading it failed so often in a row, or of
    `coverage_records_min` records or more fewer than `coverage_percent` are tied to the other systems, or
    `coverage_fall_percent` points fewer than at best."""

    dead_letters: int = Field(ge=1, le=1000)
    failed_reads: int = Field(ge=1, le=1000)
    coverage_percent: int = Field(ge=0, le=100)
    coverage_fall_percent: int = Field(ge=1, le=100)
    coverage_records_min: int = Field(ge=1, le=1_000_000)


class Detection(Part):
    """How many cases one rule may open within an hour; what it finds beyond that waits for a person."""

    cases_an_hour: int = Field(ge=1, le=100_000)


class Ownership(Part):
    """`owner` has the last word on `field` of `object_type` (`*` = every field) at `stage` (`*` = any)."""

    object_type: str = Field(alias="object")
    field: str
    stage: str
    owner: RoleCode
    why: Sentence

    def fits(self, object_type: str, field: str, stage: str) -> bool:
        return self.object_type == object_type and self.field in (field, ANY) and self.stage in (stage, ANY)


class OwnershipTable(Part):
    """Lines of ownership: the first that fits wins."""

    lines: tuple[Ownership, ...]


class Policies(Part):
    """All policies in force together. Immutable: another decision is another value with another version."""

    version: str
    reporting_currency: Currency
    tolerance: Tolerance
    fees: tuple[Amount, ...] = Field(min_length=1)
    resolve_within: Annotated[Mapping[SeverityCode, Duration], FROZEN]
    rules: Annotated[Mapping[str, RulePolicy], FROZEN]
    processes: Annotated[Mapping[str, Process], FROZEN]
    checkpoints: Checkpoints
    connections: Connections
    detection: Detection
    stages: Annotated[Mapping[str, Annotated[Mapping[str, tuple[str, ...]], FROZEN]], FROZEN]
    ownership: OwnershipTable

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        missing = {"critical", "high", "medium", "low"} - set(self.resolve_within)
        if missing:
            raise ValueError(f"resolve_within says nothing of {', '.join(sorted(missing))}")
        if "default" not in self.rules:
            raise ValueError("rules needs a section default")
        for line in self.ownership.lines:
            if line.stage != ANY and line.stage not in self.stages.get(line.object_type, {}):
                raise ValueError(f"ownership: {line.object_type} has no stage {line.stage}")
        for line in self.ownership.lines:
            if next(other for other in self.ownership.lines if self._covers(other, line)) != line:
                raise ValueError(f"ownership: no case is left for {line.object_type}.{line.field} at {line.stage}")
        return self

    @staticmethod
    def _covers(first: Ownership, line: Ownership) -> bool:
        return first.fits(line.object_type, line.field, line.stage)

    # --- amounts

    def tolerance_for(self, currency: str) -> Money:
        """The rounding that two systems may differ by in that currency."""
        return Money.from_minor(self._rounding(currency), currency)

    def _rounding(self, currency: str) -> int:
        tolerance = self.tolerance
        return tolerance.minor_units_without_decimals if exponent(currency) == 0 else tolerance.minor_units

    def beyond_tolerance(self, left: Money, right: Money) -> bool:
        """More apart than rounding explains; different currencies always are."""
        return left.currency != right.currency or abs(left.minor - right.minor) > self._rounding(left.currency)

    def fee_for(self, whole: Money) -> Money:
        """The most that a bank takes of a transfer of that amount: as declared for its currency, else 1 % of it."""
        declared = next((fee for fee in self.fees if fee.currency == whole.currency), None)
        return declared if declared is not None else Money.half_up(whole.amount / 100, whole.currency)

    # --- rules and time

    def rule(self, code: str) -> RulePolicy:
        """How the findings of a rule are judged; `rules.default` where the rule has no section of its own."""
        return self.rules.get(code) or self.rules["default"]

    def process(self, code: str) -> Process:
        """The declared process. Raises `LookupError`."""
        try:
            return self.processes[code]
        except KeyError:
            raise LookupError(f"no process {code} is declared") from None

    def resolution_time(self, severity: SeverityCode) -> dt.timedelta:
        """How soon an exception of that severity must be resolved, around the clock."""
        return self.resolve_within[severity]

    # --- owners

    def stage_of(self, object_type: str, statuses: Iterable[object]) -> str:
        """The furthest stage that one of these statuses of an object means; `*` where none means any."""
        stages: Mapping[str, tuple[str, ...]] = self.stages.get(object_type, {})
        said = set(statuses)
        return next((stage for stage in reversed(tuple(stages)) if said & set(stages[stage])), ANY)

    def ownership_of(self, object_type: str, field: str, stage: str) -> Ownership:
        """The line that decides at that stage (see `stage_of`). Raises `LookupError` for what nobody declared."""
        for line in self.ownership.lines:
            if line.fits(object_type, field, stage):
                return line
        raise LookupError(f"nobody declared who owns {object_type}.{field}")

    def owner_for(self, object_type: str, field: str, stage: str) -> str:
        """The role of the system of record: `crm`, `customer_success`, `billing` or `erp`."""
        return self.ownership_of(object_type, field, stage).owner
