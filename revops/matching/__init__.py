"""Which documents of different systems are the same. Pure: reads an account's ledger, writes nothing.

`groups` ties documents together by a ladder of evidence; `receivables` reads a group of invoices as one receivable. Rules judge
these and follow no reference of their own from system to system. Never: a vendor; a tie on an amount alone.
"""
