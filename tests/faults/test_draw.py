"""A seed is a run: the same one whenever it is drawn, and every kind of fault is in some."""

from __future__ import annotations

from tests.faults.draw import GAINSIGHT, KILLED, NETSUITE, draw

RUNS = [draw(seed) for seed in range(1, 401)]


def test_a_seed_gives_the_same_run_again() -> None:
    assert [draw(seed) for seed in range(1, 401)] == RUNS
    assert len({run.told for run in RUNS}) > 300


def test_every_fault_is_drawn_sooner_or_later() -> None:
    rows = {(fault.vendor, fault.row) for run in RUNS for fault in run.vendor_faults}
    every = [("netsuite", row) for _, row, _ in NETSUITE] + [("gainsight", row) for _, row, _ in GAINSIGHT]
    assert rows >= set(every)
    struck = {(strike.kind, strike.target) for run in RUNS for strike in run.strikes}
    assert struck >= {("kill", name) for name in KILLED} | {("flush", ""), ("slow", ""), ("disk", "")}
    assert {credit.ending for run in RUNS for credit in run.credits} == {"sign", "withdraw", "reject", "leave"}


def test_what_this_machine_cannot_do_is_left_out_and_nothing_else_changes() -> None:
    for seed, run in enumerate(RUNS, 1):
        without = draw(seed, disk=False)
        assert without.strikes == tuple(strike for strike in run.strikes if strike.kind != "disk")
        assert (without.credits, without.holds, without.vendor_faults) == (run.credits, run.holds, run.vendor_faults)
