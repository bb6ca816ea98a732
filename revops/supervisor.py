"""Placeholder removed in the next commit."""

def main() -> int:
    raise NotImplementedError
