"""The exception queue: what detection found, who looks after it, and how it ended.

A case is opened, refreshed and closed by what the systems say; people assign, comment and snooze. Never: cases changes no
vendor (that is `postings`), and a click alone never closes a case that the systems still contradict.
"""
