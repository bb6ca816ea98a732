"""What people and programs see of this package: its API and its pages. Nothing in `sync` imports it."""
