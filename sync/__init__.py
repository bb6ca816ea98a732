"""Sync knows the vendors and tells the business.

Everything that speaks a vendor's protocol lives here: connectors, the inbox and the outbox, the pollers, and the
simulators that stand in for the vendors on a workstation.

Two arrows that never point here: `revops` never imports `sync`, and a connector never imports another connector.
"""
