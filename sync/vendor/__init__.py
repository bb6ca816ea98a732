"""The kit that connectors are made of: the contract, fields, JSON, HTTP. Knows no vendor and no row."""
