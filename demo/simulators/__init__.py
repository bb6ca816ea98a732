"""Local servers that speak the vendors' own protocols, each with its own ledger and programmable faults.

Run one with ``python -m demo.simulators <vendor> --port N --data DIR``. A simulator is written from the vendor's
documentation, never from our connector, so that the two are able to disagree. Its SQLite file is the judge of what
really happened: how many objects exist, which requests arrived, which deliveries were accepted.

Two arrows that never leave here: a simulator imports nothing from `revops`, and nothing from `sync.connectors`.
"""
