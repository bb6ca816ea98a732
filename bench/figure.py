"""What one benchmark reports."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from time import perf_counter


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value beside the limit measured in the same run. `ratio` is value / limit in the sense that higher is
    better for rates and lower is better for times; `against` names the limit and its own value."""

    name: str
    value: float
    unit: str
    against: str
    ratio: float

    def line(self) -> str:
        """One JSON line."""
        shown = {"name": self.name, "value": round(self.value, 2), "unit": self.unit, "against": self.against}
        return json.dumps(shown | {"ratio": round(self.ratio, 3)})


def seconds(work: Callable[[], object]) -> float:
    """How long it takes, once."""
    start = perf_counter()
    work()
    return perf_counter() - start


def best(times: Iterable[float]) -> float:
    """The shortest of several repetitions: what else runs on the machine can only lengthen them."""
    return min(times)


def p50_p95(samples: list[float]) -> tuple[float, float]:
    """Median and 95th percentile of the samples."""
    cuts = statistics.quantiles(samples, n=20)
    return statistics.median(samples), cuts[18]
