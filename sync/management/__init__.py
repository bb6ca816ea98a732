"""Commands of `manage.py` about the vendors: read now, replay, sweep, and the JSON Schemas of the connectors."""
