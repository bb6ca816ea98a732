"""What each system says: facts, the records they are about, every version with two time axes, and how fresh it all is.

`effective_at` is since when a statement has been true at its source; `recorded_at` is when we learned it. Entries are only
ever added. Never: ledger knows no vendor and no rule, and only `ledger.record` writes entries.
"""
