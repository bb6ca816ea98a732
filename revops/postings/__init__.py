"""Change plans and their postings: what would be written to a vendor, exactly, and what became of it.

A kind of change yields changes (`changes`, one frozen type each), a connector composes an exact call from each, and a plan keeps
the calls, the lines that they book and the objects that they touch. A plan is composed once; the preview and the posting are the
same stored bytes. A released posting row is the outbox. Never:
postings talks to no vendor itself (`sync.posting.outbox` sends), and nobody else moves a plan or a posting.

Postings stands above cases (the first drawing had it below): a plan answers a case and moves it to "awaiting evidence", while
a case is complete without any plan.
"""
