"""``python -m demo.simulators <vendor> --port N --data DIR [--webhook-url URL] [--webhook-secret S]``."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
import threading
from pathlib import Path

from demo.simulators.server import PortTaken, Simulator
from demo.simulators.vendor import Vendor

VENDORS = ("stripe", "salesforce", "netsuite", "gainsight")


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT. Returns the exit code: 0 stopped, 1 could not start."""
    parser = argparse.ArgumentParser(prog="python -m demo.simulators", description="Run one vendor simulator.")
    parser.add_argument("vendor", choices=VENDORS)
    parser.add_argument("--port", type=int, required=True, help="0 takes a free port")
    parser.add_argument("--data", type=Path, required=True, help="folder of the SQLite file")
    parser.add_argument("--webhook-url", default="", help="where webhooks or hints go")
    parser.add_argument(
        "--webhook-secret", default="", help="signs them; default: REVOPS_SIM_STRIPE_SECRET and so on, else a demo one"
    )
    given = parser.parse_args(arguments)
    secret = given.webhook_secret or os.environ.get(f"REVOPS_SIM_{given.vendor.upper()}_SECRET", "")
    vendor: type[Vendor] = importlib.import_module(f"demo.simulators.{given.vendor}").Vendor
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    try:
        simulator = Simulator(vendor, given.port, given.data, given.webhook_url, secret)
    except PortTaken as wrong:
        print(f"{given.vendor} simulator: {wrong}", file=sys.stderr)
        return 1
    with simulator:
        print(f"{given.vendor} simulator ready on {simulator.url}", flush=True)
        stopped.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
