"""References under the name that some modules still import them by; they stand in `revops.reference`."""

from revops.reference import NO_REFS, OURSELVES, Ref, Refs, refs, refs_as_json, refs_from_json

__all__ = ["NO_REFS", "OURSELVES", "Ref", "Refs", "refs", "refs_as_json", "refs_from_json"]
