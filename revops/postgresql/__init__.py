"""The engine that the settings name: Django's PostgreSQL backend with a faster reader of instants. Django looks for `base`; the
migration linter reads from the name which database it is.
"""
