"""What people and programs see of this package: its API and its pages. Never: a write of its own; nothing below imports it."""
