"""Commands of `manage.py` that need no vendor: API tokens, and taking months that are no longer kept out of the tables."""
