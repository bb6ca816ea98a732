"""What was done, by whom, when and why: one action log, written inside each action's own transaction.

Never: audit imports no package above `people`, and nothing ever updates or deletes its rows (the database refuses).
"""
