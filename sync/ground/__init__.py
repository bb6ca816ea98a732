"""What everything in `sync` stands on: the doorbell, signs of life, the intake's database connection, crash points for tests.

Never: an arrow to anything in `sync` but its models.
"""
