"""The benchmarks run, all of them one after the other, and say what `make bench` promises. How fast is not a test's business."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.launch.test_up import ROOT

FIGURES = {
    "intake": {"intake", "intake_16", "intake_p95"},
    "pull_and_apply": {"pull_and_apply", "apply_alone", "pull_and_apply_two"},
    "detection": {"detection"},
    "queue": {"queue_page_p50", "queue_page_p95", "queue_page_after_action_p95", "queue_page_deep_p95"},
    "rules": {"rules"},
    "takeover": {"takeover_deliveries"},  # the small run kills one worker only
    "audit": {"audit_action", "audit_verify"},
    "slow_clients": {"slow_clients_healthz", "slow_clients_delivery", "slow_clients_page", "slow_clients_borne"},
}


def bench(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "launch.embedded", sys.executable, "-m", "bench", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=900)


@pytest.mark.timeout(1000)
@pytest.mark.slow
def test_every_benchmark_prints_its_figures_as_json_lines() -> None:
    ran = bench("--sample")
    assert ran.returncode == 0, ran.stderr
    lines = [json.loads(line) for line in ran.stdout.splitlines()]
    assert {line["name"] for line in lines} == set().union(*FIGURES.values())
    for line in lines:
        assert list(line) == ["name", "value", "unit", "against", "ratio"]
        assert line["value"] > 0, line
        assert line["ratio"] > 0, line
        assert line["against"], line


@pytest.mark.outside
def test_a_benchmark_that_does_not_exist_is_said() -> None:
    ran = bench("speed")
    assert ran.returncode == 2
    assert f"There is no benchmark speed; there are: {', '.join(FIGURES)}." in ran.stderr
