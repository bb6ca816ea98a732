"""What can go wrong on our side, said so that the reader knows the next move.

Three classes, because a caller has three moves: correct the input (`Rejected`), look again (`Conflict`), or stop
(`NotAllowed`). Every error carries a stable `code` for machines and a sentence for people. `HTTP_STATUS` is the one table
from class to HTTP status; the web and the API both read it. Pure: no Django, no clock, no network.
"""

from __future__ import annotations


class RevOpsError(Exception):
    """Root of the errors that a user may see. `code` is stable; `message` says what to do; `field` names the input.

    `said` is the message as it was given: a text, or a `Sentence` where a page shows its amounts and days in its own way.
    """

    def __init__(self, code: str, said: object, *, field: str | None = None) -> None:
        super().__init__(str(said))
        self.code = code
        self.said = said
        self.message = str(said)
        self.field = field


class Rejected(RevOpsError):
    """The input cannot be accepted as it is; the user can correct it."""


class Conflict(RevOpsError):
    """Somebody or something changed in between; reload, look, and decide again."""


class NotAllowed(RevOpsError):
    """This person may not do this. For rows outside a person's view the answer is `Missing`, never this."""


class Missing(RevOpsError):
    """There is no such thing, or none that this person may see: the two look alike on purpose."""

    def __init__(self, what: str = "record") -> None:
        super().__init__("not_found", f"{what.capitalize()} not found.")


HTTP_STATUS: dict[type[RevOpsError], int] = {Rejected: 422, Conflict: 409, NotAllowed: 403, Missing: 404}


def http_status(error: RevOpsError) -> int:
    """The HTTP status for an error; the most specific class wins."""
    for kind in type(error).__mro__:
        if kind in HTTP_STATUS:
            return HTTP_STATUS[kind]
    return 500


def violated_constraint(error: BaseException) -> str:
    """The name of the database constraint that an error of Django's or of the driver tells of, from the driver's diagnostics;
    empty when it tells of none."""
    for told in (error, error.__cause__):
        name = getattr(getattr(told, "diag", None), "constraint_name", None)
        if name:
            return str(name)
    return ""
