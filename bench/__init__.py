"""The performance figures and how to make them again: `make bench`, or one with `make bench ONLY=<name>`."""
