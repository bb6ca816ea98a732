"""Checkpoints on changes and the decisions of the people who pass them.

Which checkpoints a plan meets follows from its data, never from its maker's choice. Maker, and anyone who already decided,
cannot decide: the views say so, the action refuses it, and the database would refuse it too. Never: approvals sends nothing.
"""
