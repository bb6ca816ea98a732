"""Form decoding with brackets, and the checks Stripe makes before an endpoint begins to execute."""

from __future__ import annotations

import re
from typing import Any

from demo.simulators.vendor import Halt, Json, Response

DOCS = "https://stripe.com/docs/error-codes/"


def error(
    status: int,
    message: str,
    *,
    type: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
) -> Response:
    """An error answer in Stripe's shape. The request log address is added when the answer leaves."""
    body: Json = {"type": type, "message": message}
    if code:
        body |= {"code": code, "doc_url": DOCS + code.replace("_", "-")}
    if param:
        body["param"] = param
    return Response.of({"error": body}, status)


class Invalid(Halt):
    """A parameter fails validation: nothing ran, so no idempotent result is kept."""

    def __init__(self, message: str, param: str | None = None, code: str | None = None, status: int = 400) -> None:
        super().__init__(error(status, message, code=code, param=param))


class Refused(Halt):
    """The endpoint ran and said no (a state does not allow it): the answer is kept under the idempotency key."""

    def __init__(self, message: str, code: str | None = None, param: str | None = None, status: int = 400) -> None:
        super().__init__(error(status, message, code=code, param=param))


def decode(pairs: list[tuple[str, str]]) -> Json:
    """`items[0][price]=x&expand[]=y` to `{"items": [{"price": "x"}], "expand": ["y"]}`."""
    tree: Json = {}
    for name, value in pairs:
        first, *keys = [part.rstrip("]") for part in name.split("[")]
        node, last = tree, first
        for key in keys:
            inner = node.setdefault(last, {})
            if not isinstance(inner, dict):
                raise Invalid(f"Invalid parameter structure: {name}", name)
            node, last = inner, key or str(len(inner))
        node[last] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(item) for name, item in value.items()}
    if inner and all(name.isdigit() for name in inner):
        return [inner[name] for name in sorted(inner, key=int)]
    return inner


class Params:
    """The decoded parameters of one call. Every parameter that is not allowed is a 400, as at Stripe."""

    def __init__(self, values: Json, prefix: str = "") -> None:
        self.values = values
        self._prefix = prefix

    def only(self, *names: str) -> Params:
        """Refuse any other parameter (`expand` is always allowed)."""
        for name in self.values:
            if name not in names and name != "expand":
                raise Invalid(f"Received unknown parameter: {self._full(name)}", self._full(name), "parameter_unknown")
        return self

    def __contains__(self, name: str) -> bool:
        return name in self.values

    def _full(self, name: str) -> str:
        return f"{self._prefix}[{name}]" if self._prefix else name

    def required(self, name: str) -> str:
        """The text, or a 400."""
        value = self.text(name)
        if not value:
            full = self._full(name)
            raise Invalid(f"Missing required param: {full}.", full, "parameter_missing")
        return value

    def text(self, name: str) -> str | None:
        """The text; None when absent or sent empty (which clears a value)."""
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise Invalid(f"Invalid string: {value}", self._full(name))
        return value or None

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of the documented values."""
        value = self.text(name) or default
        if value not in choices:
            raise Invalid(f"Invalid {name}: must be one of {', '.join(choices)}", self._full(name))
        return value

    def integer(self, name: str) -> int | None:
        """A whole number; None when absent."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,15}", value):
            raise Invalid(f"Invalid integer: {value}", self._full(name), "parameter_invalid_integer")
        return int(value)

    def flag(self, name: str, default: bool = False) -> bool:
        """`true` or `false`."""
        value = self.text(name)
        if value is None:
            return default
        if value not in ("true", "false"):
            raise Invalid(f"Invalid boolean: {value}", self._full(name))
        return value == "true"

    def inner(self, name: str) -> Params | None:
        """A nested object; None when absent or sent empty."""
        value = self.values.get(name)
        if value in (None, ""):
            return None
        if not isinstance(value, dict):
            raise Invalid("Invalid object", self._full(name))
        return Params(value, self._full(name))

    def rows(self, name: str) -> list[Params]:
        """A list of nested objects; empty when absent."""
        value = self.values.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise Invalid("Invalid array", self._full(name))
        return [Params(item, f"{self._full(name)}[{index}]") for index, item in enumerate(value)]

    def expand(self) -> list[str]:
        """The paths of `expand[]`. More than four levels is a 400."""
        paths = self.values.get("expand") or []
        if not isinstance(paths, list):
            raise Invalid("Invalid array", "expand")
        for path in paths:
            if path.count(".") >= 4:
                raise Invalid("You cannot expand more than 4 levels of a property.", "expand")
        return [str(path) for path in paths]

    def metadata(self, old: Json | None = None) -> Json:
        """Old metadata with the new merged in: an empty text deletes a key, `metadata=` deletes all."""
        if self.values.get("metadata") == "":
            return {}
        new = self.inner("metadata")
        merged = dict(old or {}) | (new.values if new else {})
        if len(merged) > 50 or any(len(k) > 40 or len(str(v)) > 500 for k, v in merged.items()):
            raise Invalid("Metadata holds at most 50 keys of 40 characters with values of 500.", "metadata")
        return {key: value for key, value in merged.items() if value != ""}
