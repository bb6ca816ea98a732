"""Celery entries, the five work queues, the sweeper that rings for what is due, and what telemetry reads: whether work moves.

Never: an SQL condition for what is due; the queues say it. Only the command line imports this.
"""
