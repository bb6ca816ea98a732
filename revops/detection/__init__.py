"""Comparing the ledger with the policies: rules read one account's ledger and return findings; `run` turns them into cases.

Never: a rule reads no row, knows no vendor and imports no other rule; and only `detection.run` hands findings to `cases`.
"""
