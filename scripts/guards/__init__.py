"""The guards of the product, and the runner that takes them away one at a time."""
