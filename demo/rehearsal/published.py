"""The company's policies as anybody can read them: from the published document, with no code of the application."""

from __future__ import annotations

import datetime as dt
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DOCUMENT = Path(__file__).resolve().parents[2] / "revops" / "policies" / "defaults.toml"
_UNITS = {"minute": 60, "hour": 3600, "day": 86_400}


@dataclass(frozen=True)
class Published:
    """What the judge needs of the policies. Tolerances are in minor units of a currency with and without decimals."""

    tolerance: int
    tolerance_whole: int
    posting: dt.timedelta
    agreement: dt.timedelta
    contract: dt.timedelta
    amendment: dt.timedelta
    closing: dt.timedelta


def read(document: Path = DOCUMENT) -> Published:
    """Raises `KeyError` or `ValueError` when the document does not say what the judge needs."""
    said = tomllib.loads(document.read_text(encoding="utf-8"))
    processes = said["processes"]
    limits = {stage["code"]: stage.get("limit", "") for stage in processes["quote_to_cash"]["stages"]}
    return Published(
        tolerance=said["tolerance"]["minor_units"],
        tolerance_whole=said["tolerance"]["minor_units_without_decimals"],
        posting=_duration(limits["posting"]),
        agreement=_duration(limits["agreement"]),
        contract=_grace(processes["quote_to_cash"], "posting", "contract"),
        amendment=_grace(processes["renewal_to_revenue"], "renewal", "amendment"),
        closing=_grace(processes["period_close"], "lock", "subscriptions_current"),
    )


def _grace(process: dict[str, Any], stage: str, needs: str) -> dt.timedelta:
    (line,) = [line for line in process["prerequisites"] if (line["stage"], line["needs"]) == (stage, needs)]
    return _duration(line["grace"])


def _duration(words: str) -> dt.timedelta:
    count, unit = words.split(" ")
    return dt.timedelta(seconds=int(count) * _UNITS[unit.removesuffix("s")])
