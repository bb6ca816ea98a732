"""Work queues: rows of the business that wait to be worked on, claimed by one worker at a time.

The rows are the domain's own rows; a `WorkQueue` says how they are taken, kept, given back and counted. It is used for
deliveries, objects to read again, streams, accounts that are due, and postings. Never: a table of the business named here.
"""
