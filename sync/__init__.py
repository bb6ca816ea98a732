"""Sync knows the vendors and tells the business.

A delivery goes up through it once: `connections` and `connectors` make it readable, `intake` and `pull` store it, `applying`
brings it into the ledger; `posting` takes approved changes the other way. `workers` drive all of it, `surface` shows it,
`management` is its command line; `vendor` and `ground` are what everything stands on.

Arrows go down only, in the order that `pyproject.toml` lists. Never: `revops` importing `sync`, a connector importing another
connector, a row or Django.
"""
