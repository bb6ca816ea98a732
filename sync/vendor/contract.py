"""The connector contract: what a vendor module offers and what it may answer. Pure.

A connector is one folder `sync/connectors/<vendor>/` whose `__init__.py` declares a `Connector`, named in
`sync/connectors/__init__.py`. Each capability is one module that fulfils a protocol: `read.py` is `Reads`, `verify.py` is
`TakesPushes`, `write.py` is `Writes`. A connector is handed its configuration and the HTTP client; it keeps no state, opens no
connection of its own, imports no row and no other connector.

Answers are values or one of the exceptions below; each says what the caller must do next:

- `NotAuthentic`   the delivery is refused (401); nothing is stored.
- `Unreadable`     the delivery is no message of this vendor at all (400); nothing is stored.
- `Ignored`        understood and of no interest; done, with the reason.
- `Misunderstood`  it should mean something and does not; dead letter, with the reason.
- `RetryLater`     nothing happened there; try again after `after_seconds`.
- `Refused`        no, for good; a person must look. Once a write has left, only `VENDOR_REFUSED` is about it, and counts
                   when a look-up finds nothing; with any other code the outcome is unknown.
- `Unknown`        the vendor's answer does not tell whether the effect happened; look it up before any resend.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from revops.ledger.facts import Fact
from revops.postings.changes import Change
from revops.sentences import Param, Sentence

if TYPE_CHECKING:
    from pydantic import BaseModel

NEVER = dt.datetime.min.replace(tzinfo=dt.UTC)
"""The `received_at` of something that did not come in from outside."""


class ConnectorAnswer(Exception):
    """Root of a connector's answers. `reason` is safe to show and to store: no secret, no payload."""

    def __init__(self, reason: str, code: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.code = code or type(self).__name__.lower()


class NotAuthentic(ConnectorAnswer): ...


class Unreadable(ConnectorAnswer): ...


class Ignored(ConnectorAnswer): ...


class Misunderstood(ConnectorAnswer):
    """`raw`: the value that was found there, where it is one value. It stays out of the reason."""

    def __init__(self, reason: str, code: str = "", *, raw: object = None) -> None:
        super().__init__(reason, code)
        self.raw = raw


class Refused(ConnectorAnswer): ...


VENDOR_REFUSED = "vendor_refused"
"""The code of `Refused` for the vendor's own no to a write, in a body that only the vendor writes."""


class Unknown(ConnectorAnswer):
    """`after_seconds`: how long the vendor wants to be left alone, where it says so."""

    def __init__(self, reason: str, code: str = "", *, after_seconds: int = 0) -> None:
        super().__init__(reason, code)
        self.after_seconds = after_seconds


class RetryLater(ConnectorAnswer):
    """Nothing happened at the vendor. `after_seconds` is clamped by the caller to 1 s .. 1 h."""

    def __init__(self, reason: str, after_seconds: int = 30, code: str = "") -> None:
        super().__init__(reason, code)
        self.after_seconds = after_seconds


@dataclass(frozen=True, slots=True)
class Setting:
    """One declared setting of a connection. Sensitive values are encrypted at rest and never shown again.

    `signs`: deliveries to us are signed with it, and nothing is sent with it; when it is replaced, the value before may stay good
    for a while (`Config.accepted`). `steers`: a change of it can change where a posting goes or what it says, so that a second
    person confirms posting anew. A secret that only proves what other settings name does not steer. `choices`: the values that it
    may have. `lines`: how many a person pastes. `names_connection`: its value is the name of another connection. `posts`: it may
    be left out as long as nothing is posted. `maps`: it says which fields are read, so that after a change all of it is read
    from the beginning. `judge`: what is wrong with a value that is not empty, as a sentence; empty when it will do.
    """

    name: str
    label: str
    sensitive: bool = False
    required: bool = True
    default: str = ""
    help: str = ""
    signs: bool = False
    steers: bool = True
    choices: tuple[str, ...] = ()
    lines: int = 1
    names_connection: bool = False
    posts: bool = False
    maps: bool = False
    judge: Callable[[str], str] | None = None


@dataclass(frozen=True, slots=True)
class Stream:
    """One thing that `pull` reads. `object_types`: what is known completely up to a moment once it was read; none for a stream
    that only tells of some changes, such as deletions. `overlap_seconds`: how far a new window reaches back behind the watermark.
    """

    name: str
    object_types: tuple[str, ...]
    overlap_seconds: int
    every_seconds: int = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """One limit class of a vendor: `calls` every `seconds`, for all processes of ours together. `setting` names the setting of a
    connection that says another number of calls. `paths`: prefixes of the calls that it counts; none = every call.
    """

    name: str
    calls: int
    seconds: int = 60
    setting: str = ""
    paths: tuple[str, ...] = ()

    def calls_of(self, config: Config) -> int:
        stated = config.get(self.setting) if self.setting else ""
        return int(stated) if stated.isascii() and stated.isdigit() and 0 < len(stated) < 7 and int(stated) else self.calls

    def counts(self, path: str) -> bool:
        return not self.paths or path.startswith(self.paths)


READ_LAG = "read_lag_seconds"
"""The setting of a connection that is written to: how long its reads may not show a write, where somebody has measured it."""
Guarantee = Literal["native_key", "unique_external_id", "search_first", "none"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One change that `compose` and `post` offer. `guarantee` says how a repeat is kept from doubling the effect;
    `resend_seconds_max`: until when after the first send a resend is still safe (then look-up and a person only);
    `read_lag_seconds`: how long the vendor's reads may not yet show a write that happened, where the connection does not say."""

    change: type[Change]
    guarantee: Guarantee
    resend_seconds_max: int = 20 * 3600
    read_lag_seconds: int = 30

    def read_lag_of(self, config: Config) -> int:
        """The read lag that was measured at this connection, in seconds; what is no whole number from 1 on says nothing."""
        stated = config.get(READ_LAG)
        believed = stated.isascii() and stated.isdigit() and 0 < len(stated) < 6 and int(stated) > 0
        return int(stated) if believed else self.read_lag_seconds


IdForm = Callable[[str, str], str]
"""The one form of a vendor's id, of which it writes several, and how a reason speaks of the field -> that form. Raises
`Misunderstood("reference_invalid")` for what is no id of that vendor."""


@dataclass(frozen=True, slots=True)
class Identified:
    """What an id of a vendor stands for: an object type of the ledger (empty for a kind of which the ledger keeps nothing), and
    the text field of that object which holds the id, where it is not the object's own (`Ref.by`)."""

    object_type: str
    by: str = ""


TypeOfId = Callable[[str], Identified | None]
"""What an id stands for, told by its form; None for what is no id of that vendor."""


@dataclass(frozen=True, slots=True)
class Former:
    """The value that a signing secret had before, good before `until` (aware UTC)."""

    value: str
    until: dt.datetime


@dataclass(frozen=True, slots=True)
class Config:
    """A connection as a connector sees it: base URL, settings (secrets decrypted). `id_forms`: how other vendors write their
    ids, by the vendor's slug, where that is not as they are; references to another system need it. `former`: the signing secrets
    that were replaced of late. `id_types`: what other vendors' ids stand for, by the vendor's slug, where their form tells it."""

    slug: str
    base_url: str
    settings: Mapping[str, str]
    id_forms: Mapping[str, IdForm] = field(default_factory=dict)
    former: Mapping[str, Former] = field(default_factory=dict)
    id_types: Mapping[str, TypeOfId] = field(default_factory=dict)

    def get(self, name: str, default: str = "") -> str:
        return self.settings.get(name, default)

    def accepted(self, name: str, now: dt.datetime) -> tuple[str, ...]:
        """The values of a signing secret with which a delivery may be signed now; none when it is not set."""
        former = self.former.get(name)
        values = (self.get(name), former.value if former is not None and now < former.until else "")
        return tuple(value for value in values if value)


@dataclass(frozen=True, slots=True)
class Incoming:
    """One thing that came in. `kind`: `event` (the vendor's push with data), `hint` (a push that only says "look"), `read`
    (an object as our own read returned it). `body` is raw bytes; header names are lower-case. `received_at` is aware UTC.
    `object_type` is set for reads only: which stream element this is. `parsed`: the body's value, where whoever wrote the body
    still holds it."""

    kind: Literal["event", "hint", "read"]
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    received_at: dt.datetime = NEVER
    object_type: str = ""
    parsed: Mapping[str, object] | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Reread:
    """Instead of a fact, or beside one that is not the whole: "read this object again by its id and take that". `why`: what a
    person must know when it cannot be read."""

    object_type: str
    external_id: str
    why: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Item:
    """One object that a read returned. `dedup_key` is equal exactly when the content is equal (id + version or digest).
    `kind` is `event` for entries of a vendor's event log (same bytes and key as the push would have), else `read`. `parsed` is
    the body's value and `digest` its SHA-256 (hex), where they are at hand."""

    object_type: str
    dedup_key: str
    body: bytes
    kind: Literal["event", "read"] = "read"
    parsed: Mapping[str, object] | None = field(default=None, compare=False, repr=False)
    digest: str = field(default="", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a pull. `watermark` is what the next pull starts from once this page is stored; `done` closes the window."""

    items: tuple[Item, ...]
    watermark: str
    done: bool


@dataclass(frozen=True, slots=True)
class Call:
    """One exact write of one change. Made by `compose`, shown in the preview, stored, and sent byte for byte.

    `path` is relative to the base URL; `headers` hold no secret (authentication is added when sending); `key` is the
    idempotency or external id under which the vendor will know it. `summary` says what it does, without a full stop; `before` /
    `after` list field -> value for the object touched; `reverse` says how it would be undone.
    """

    change: Change
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    key: str
    summary: Sentence
    before: Mapping[str, Param] = field(default_factory=dict)
    after: Mapping[str, Param] = field(default_factory=dict)
    reverse: Sentence | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof of an effect: the vendor's id, and the object as read back (raw JSON bytes) when there is one."""

    external_id: str
    object_type: str
    body: bytes = b""


class Response(Protocol):
    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> Mapping[str, str]: ...
    @property
    def body(self) -> bytes: ...
    def json(self) -> object: ...


class Client(Protocol):
    """What `sync.vendor.http` hands to a connector. Money-safe JSON (Decimal); raises `RetryLater` when the request surely had no
    effect, `Unknown` when it may have had one (only possible for methods other than GET and HEAD, and query POSTs say so)."""

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        content: bytes | None = None,
        safe: bool | None = None,
    ) -> Response:
        """`safe=True`: a POST that changes nothing (query, token). Any status below 500 is returned, except 429 and redirects;
        judging it is the connector's. A 5xx is `RetryLater` after a safe request and `Unknown` after any other."""
        ...

    def remembered(self, name: str) -> str | None:
        """A short-lived value (a token) kept for this connection in this process, or None when absent or expired."""
        ...

    def remember(self, name: str, value: str, seconds: int) -> None: ...

    def forget(self, name: str) -> None: ...


class Reads(Protocol):
    """The capability to be read: `read.py` of a vendor."""

    STREAMS: tuple[Stream, ...]

    def pull(self, client: Client, config: Config, stream: str, watermark: str, now: dt.datetime) -> Iterator[Page]:
        """Everything since the watermark ("" = from the beginning), page by page."""
        ...

    def read(self, client: Client, config: Config, object_type: str, external_id: str) -> Item | None:
        """One object as it is now; None when the vendor does not have it (which is not proof of deletion)."""
        ...


class TakesPushes(Protocol):
    """The capability to take deliveries: `verify.py` of a vendor. `CONTENT_TYPES`: which media types it accepts."""

    CONTENT_TYPES: tuple[str, ...]

    def verify(self, incoming: Incoming, config: Config, now: dt.datetime) -> None:
        """Refuse what is not authentic. Raises `NotAuthentic`."""
        ...

    def dedup_key(self, incoming: Incoming) -> str:
        """The key under which copies of one push are one. Raises `Unreadable` when the body has none."""
        ...

    def content_digest(self, body: bytes) -> str:
        """SHA-256 (hex) by which copies of one message are equal; for most vendors that of the bytes. Stripe renders an event
        anew for each delivery and for its event log, with another `pending_webhooks`, and that is no conflict."""
        ...

    def rendered_anew(self, body: bytes, other: bytes) -> bool:
        """Whether two bodies under one key with different content digests are one message all the same; for most vendors no.
        Stripe renders an event in the API version of whoever gets it."""
        ...


class Writes(Protocol):
    """The capability to be written to: `write.py` of a vendor."""

    OPERATIONS: tuple[Operation, ...]

    def compose(self, config: Config, key: str, change: Change) -> Call:
        """The exact call. Deterministic: same input, same bytes. Raises `Refused` for a change that it does not offer or that
        cannot be sent."""
        ...

    def post(self, client: Client, config: Config, call: Call) -> Receipt:
        """Send it once. Raises `RetryLater`, `Refused`, `Unknown`."""
        ...

    def find_posted(self, client: Client, config: Config, call: Call) -> Receipt | None:
        """Look for the effect of `call`; None = not there (as far as reads show). Raises `Refused` when something is there
        under our key with another amount, currency or account."""
        ...


Translate = Callable[[Incoming, Config], Sequence[Fact | Reread]]
"""What an incoming object says. Raises `Ignored`, `Misunderstood`."""
Check = Callable[[Client, Config], str]
"""Can we talk? One sentence about who we are there. Raises any answer."""


@dataclass(frozen=True, slots=True)
class Probed:
    """How one thing that a connection is for was found when it was tried. `name`: the stream or the change, and what of it where
    it has parts. `said`: why it does not work, in the vendor's words where it has some, or what a thing that works lacks."""

    name: str
    works: bool
    said: str = ""


Probe = Callable[[Client, Config], Iterator[Probed]]
"""Each stream and each change on its own: works, or which permission, field or feature is missing. Changes nothing. Raises
`RetryLater` and `Unknown`."""


def probed(name: str, attempt: Callable[[], str]) -> Probed:
    """What became of one attempt, which returns what it lacks and raises `Refused` or `Misunderstood` when it does not work."""
    try:
        return Probed(name, True, attempt())
    except (Refused, Misunderstood) as answer:
        return Probed(name, False, answer.reason)


@dataclass(frozen=True, slots=True)
class Connector:
    """What a vendor's folder declares: its names, its settings, and its capabilities. A capability that the vendor or this
    version does not have is None; `reading()`, `taking_pushes()` and `writing()` are for callers that cannot go on without.

    `probe` tries each part once `check` has answered. `role`: crm, customer_success, billing or erp. `address`: the form of the
    base URL, for whoever types it. `objects`: the vendor's objects by its name of them, which its reads select and its pushes
    bring. `id_form`: how its ids are written, when one id has several forms. `type_of_id`: what an id of its stands for, when its
    form tells it. `stamp`: how versions of its facts begin that were
    stated at a moment (aware UTC), so that they compare with it as text; None when its versions are no times.
    """

    slug: str
    label: str
    role: str
    settings: tuple[Setting, ...]
    check: Check
    translate: Translate
    probe: Probe | None = None
    reads: Reads | None = None
    pushes: TakesPushes | None = None
    writes: Writes | None = None
    rates: tuple[Rate, ...] = ()
    address: str = ""
    objects: Mapping[str, type[BaseModel]] = field(default_factory=dict)
    id_form: IdForm | None = None
    type_of_id: TypeOfId | None = None
    stamp: Callable[[dt.datetime], str] | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        return self.reads.STREAMS if self.reads else ()

    @property
    def operations(self) -> tuple[Operation, ...]:
        return self.writes.OPERATIONS if self.writes else ()

    def content_digest(self, body: bytes) -> str:
        """SHA-256 (hex) by which two bodies under one key are the same message."""
        return self.pushes.content_digest(body) if self.pushes else hashlib.sha256(body).hexdigest()

    def is_copy(self, body: bytes, other: bytes) -> bool:
        """Whether two bodies under one key are the same message."""
        if self.content_digest(body) == self.content_digest(other):
            return True
        return self.pushes is not None and self.pushes.rendered_anew(body, other)

    def reading(self) -> Reads:
        """Raises `Refused("not_read")`."""
        if self.reads is None:
            raise Refused(f"{self.label} cannot be read.", "not_read")
        return self.reads

    def taking_pushes(self) -> TakesPushes:
        """Raises `Refused("no_push")`."""
        if self.pushes is None:
            raise Refused(f"{self.label} pushes nothing to us.", "no_push")
        return self.pushes

    def writing(self) -> Writes:
        """Raises `Refused("operation_unknown")`."""
        if self.writes is None:
            raise Refused(f"Nothing is posted to {self.label} in this version.", "operation_unknown")
        return self.writes
