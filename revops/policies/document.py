"""From a policy document (TOML) to the policies, or to what is wrong with it, line by line. Pure."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping

from pydantic import ValidationError

from revops.policies.policies import Policies


class DocumentInvalid(ValueError):
    """A policy document that cannot be used. `problems` name each place and what to write there."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("The policies cannot be used:\n" + "\n".join(f"- {problem}" for problem in problems))
        self.problems = problems


def policies_of(text: str) -> Policies:
    """Read a document whole. Raises `DocumentInvalid` with every problem found; nothing is guessed or left out."""
    try:
        said = tomllib.loads(text)
    except tomllib.TOMLDecodeError as wrong:
        raise DocumentInvalid([f"not readable as TOML: {wrong}"]) from None
    if "version" in said:
        raise DocumentInvalid(["version: not written by hand, it follows from what the document says"])
    version = version_of(said)
    processes = said.get("processes")
    if isinstance(processes, dict):  # the section's name is the code of its process
        said["processes"] = {
            code: {**process, "code": code} if isinstance(process, dict) else process for code, process in processes.items()
        }
    try:
        return Policies.model_validate({**said, "version": version})
    except ValidationError as wrong:
        raise DocumentInvalid([_problem(error["loc"], error["msg"]) for error in wrong.errors()]) from None


def version_of(said: Mapping[str, object]) -> str:
    """SHA-256 (hex) of what a document says: comments, order of sections and layout do not enter."""
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _problem(place: tuple[int | str, ...], message: str) -> str:
    where = ".".join(str(step + 1) if isinstance(step, int) else step for step in place)
    words = message.removeprefix("Value error, ")
    return f"{where}: {words}" if where else words
