"""What operators need to know: figures for their monitoring, and whether work stands still.

The workers and the inbox belong to the vendors' side, so what is known of them comes through a port that the wiring binds;
the rest is counted here. Everything is read when somebody asks and nothing is kept: the tables are the truth.

Never: a figure that needs a whole table read; a row changed.
"""
