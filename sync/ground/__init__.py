"""What everything in `sync` stands on: the doorbell, signs of life, the database connection of the intake."""
