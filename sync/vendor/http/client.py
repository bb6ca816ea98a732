"""The client that connectors are handed: what it promises stands in the package's docstring."""

from __future__ import annotations

import datetime as dt
import email.utils
import functools
import logging
import math
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self
from urllib.parse import urlsplit

import httpcore2
import httpx2
import stamina

from revops import strict_json
from sync.vendor.contract import Config, Refused, RetryLater, Unknown
from sync.vendor.http.addresses import CheckedBackend, Resolver, check_base_url, is_allowed_address, resolve
from sync.vendor.http.deadline import Deadline
from sync.vendor.memory import memory_for

RETRY_SECONDS_MIN, RETRY_SECONDS_MAX, RETRY_SECONDS_DEFAULT = 1, 3600, 30

_log = logging.getLogger("sync.vendor.http")
logging.getLogger("httpx2").setLevel(logging.WARNING)

_NOT_CONNECTED = (httpcore2.ConnectError, httpcore2.ConnectTimeout, httpcore2.PoolTimeout, httpcore2.ProxyError)
_UNSENDABLE = (httpcore2.LocalProtocolError, httpcore2.UnsupportedProtocol, httpx2.LocalProtocolError, httpx2.UnsupportedProtocol)
_BROKEN = (httpcore2.TimeoutException, httpcore2.NetworkError, httpcore2.ProtocolError, httpx2.HTTPError)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes of one request, and how often a safe one is tried."""

    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    total_seconds: float = 60.0
    size_max: int = 32 * 1024 * 1024
    attempts: int = 3


class Quota(Protocol):
    """Our own limit of calls to the connection."""

    def take(self, method: str, path: str) -> None:
        """Count one call. Raises `RetryLater("quota_used_up")` instead of waiting."""
        ...


class Breaker(Protocol):
    """Keeps calls away from a vendor that does not answer. A 4xx is an answer."""

    def admit(self) -> None:
        """Raises `RetryLater("circuit_open")`."""
        ...

    def answered(self) -> None: ...

    def failed(self, reason: str) -> None: ...


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once a process: reading the certificate authorities takes longer than a request."""
    return httpx2.create_ssl_context(trust_env=False)


class _Transport(httpx2.BaseTransport):
    """Connections of our own pool, which dials checked addresses only. Errors are httpcore2's."""

    def __init__(self, backend: httpcore2.NetworkBackend, keepalive: int, tls: ssl.SSLContext) -> None:
        self._connections = httpcore2.ConnectionPool(
            ssl_context=tls,
            max_connections=8,
            max_keepalive_connections=keepalive,
            keepalive_expiry=15.0,
            network_backend=backend,
        )

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        answer = self._connections.handle_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(answer.status, headers=answer.headers, stream=_Stream(answer), extensions=answer.extensions)

    def close(self) -> None:
        self._connections.close()


class _Stream(httpx2.SyncByteStream):
    """The body of an answer as it arrives."""

    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        yield from self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


@dataclass(frozen=True, slots=True)
class Reply:
    """A vendor's answer. Header names are lower-case; a repeated header is joined by commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    safe: bool

    def json(self) -> object:
        """The body with exact numbers. An unreadable answer tells nothing: `RetryLater` after a safe request, else
        `Unknown`.
        """
        try:
            return strict_json.parse(self.body, allow_unsafe_text=True)
        except strict_json.StrictJsonError as error:
            reason = f"The vendor's answer (HTTP {self.status}) is unreadable: {error.reason}"
            if self.safe:
                raise RetryLater(reason, 60, "unreadable_answer") from None
            raise Unknown(reason, "unreadable_answer") from None


class _Unavailable(RetryLater):
    """HTTP 503 to a safe request: the vendor is away and says so."""


class _Failure(Exception):
    """One attempt failed. `sent`: whether the vendor may have acted on it."""

    def __init__(self, reason: str, sent: bool, after_seconds: int = RETRY_SECONDS_DEFAULT) -> None:
        super().__init__(reason)
        self.reason, self.sent, self.after_seconds = reason, sent, after_seconds


class HttpClient:
    """Fulfils `sync.vendor.contract.Client` for one connection. Close it, or use it in a `with` block.

    `secrets` are the values that must never show (the sensitive settings); remembered values are kept out as well.
    `tls` is for vendors behind a certificate authority of their own; the default trusts the public ones. `on_attempt` is
    called before every attempt: whoever works through this client is alive. `before_write` is called right before bytes leave,
    and stops them by raising. `quota` and `breaker` are asked before every
    attempt, in this order; without them nothing is held back.

    `write_left`: a byte of an unsafe request has left through this client, so that it may have been acted on, whatever was raised
    or answered since.
    """

    def __init__(
        self,
        config: Config,
        *,
        allow_loopback: bool = False,
        secrets: Iterable[str] = (),
        limits: Limits = Limits(),
        resolver: Resolver = resolve,
        tls: ssl.SSLContext | None = None,
        within_seconds: float = math.inf,
        on_attempt: Callable[[], None] = lambda: None,
        before_write: Callable[[], None] = lambda: None,
        quota: Quota | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._origin = check_base_url(config.base_url, allow_loopback=allow_loopback)
        self._allow_loopback = allow_loopback
        self._limits = limits
        self._over_at = time.monotonic() + within_seconds
        self._on_attempt = on_attempt
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 6)
        self._memory = memory_for(config)
        self._quota, self._breaker = quota, breaker
        self.write_left = False
        self._before_write = before_write
        self._deadline = Deadline(self._before_bytes)
        backend = CheckedBackend(self._deadline, resolver, self._may_dial)
        timeout = httpx2.Timeout(limits.read_seconds, connect=limits.connect_seconds)
        headers = {"user-agent": "revops/0.1", "accept": "application/json", "accept-encoding": "identity"}
        # Reads share connections; a write never takes one that the vendor may be closing at this moment.
        self._reading, self._writing = (
            httpx2.Client(
                transport=_Transport(backend, keepalive, tls or _tls()),
                timeout=timeout,
                headers=headers,
                follow_redirects=False,
                trust_env=False,
            )
            for keepalive in (4, 0)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._reading.close()
        self._writing.close()

    def _before_bytes(self) -> None:
        self._before_write()
        if self._deadline.unsafe:
            self.write_left = True

    def _may_dial(self, address: str) -> bool:
        if self._origin.startswith("http:"):  # without TLS only to ourselves
            return not is_allowed_address(address) and is_allowed_address(address, allow_loopback=True)
        return is_allowed_address(address, allow_loopback=self._allow_loopback)

    def remembered(self, name: str) -> str | None:
        return self._memory.get(name)

    def remember(self, name: str, value: str, seconds: int) -> None:
        self._memory.put(name, value, seconds)

    def forget(self, name: str) -> None:
        self._memory.drop(name)

    def redact(self, text: str) -> str:
        """The text without any secret of this connection."""
        known = {*self._secrets, *(value for value in self._memory.values() if len(value) >= 6)}
        for secret in sorted(known, key=len, reverse=True):
            text = text.replace(secret, "[secret]")
        return text

    def request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, str] | Sequence[tuple[str, str]] | None = None,
        content: bytes | None = None,
        safe: bool | None = None,
    ) -> Reply:
        """Send it and give back any answer below 500 except 429 and redirects. See the package's promises."""
        is_safe = method in {"GET", "HEAD"} if safe is None else safe
        url = self._url(path)
        client = self._reading if is_safe else self._writing
        ends = min(self._over_at, time.monotonic() + self._limits.total_seconds)
        try:
            request = client.build_request(method, url, headers=dict(headers or {}), params=_params(params), content=content)
        except (httpx2.InvalidURL, UnicodeError, TypeError, ValueError):
            raise Refused(f"{method} {urlsplit(url).path}: cannot be formed.", "request_unsendable") from None
        try:
            reply = self._tried(client, request, is_safe, ends)
        except _Unavailable as answer:
            self._note_failure(answer.reason)
            raise
        except (RetryLater, Unknown) as answer:
            if answer.code == "vendor_busy":
                self._note_answer()
            raise
        except _Failure as failure:
            reason = self.redact(f"{method} {urlsplit(url).path}: {failure.reason}")
            self._note_failure(reason)
            if is_safe or not failure.sent:
                raise RetryLater(reason, failure.after_seconds, "vendor_unavailable") from None
            raise Unknown(reason, "answer_missing") from None
        self._note_answer()
        return reply

    def _note_answer(self) -> None:
        if self._breaker is not None:
            self._breaker.answered()

    def _note_failure(self, reason: str) -> None:
        if self._breaker is not None:
            self._breaker.failed(self.redact(reason))

    def _tried(self, client: httpx2.Client, request: httpx2.Request, is_safe: bool, ends: float) -> Reply:
        """One attempt for an unsafe request, a few for a safe one."""
        if not is_safe:
            return self._attempt(client, request, is_safe, ends)
        for attempt in stamina.retry_context(
            on=_Failure,
            attempts=self._limits.attempts,
            timeout=self._limits.total_seconds,
            wait_initial=0.1,
            wait_max=2.0,
            wait_jitter=0.2,
        ):
            with attempt:
                return self._attempt(client, request, is_safe, ends)
        raise AssertionError("unreachable")  # pragma: no cover - the loop returns or raises

    def _url(self, path: str) -> str:
        if path.startswith(self._origin + "/"):
            path = path[len(self._origin) :]
        bad = not path.startswith("/") or path.startswith("//") or "\\" in path or ".." in path.split("?")[0].split("/")
        if bad or " " in path or not path.isascii() or not path.isprintable():
            raise Refused("A connector asked for an address outside its connection.", "address_refused")
        return self._origin + path

    def _attempt(self, client: httpx2.Client, request: httpx2.Request, is_safe: bool, ends: float) -> Reply:
        self._on_attempt()
        if time.monotonic() >= ends:
            raise RetryLater(f"{request.method} {request.url.path}: the time for it is used up.", code="out_of_time")
        if self._quota is not None:
            self._quota.take(request.method, request.url.path)
        if self._breaker is not None:
            self._breaker.admit()
        started = time.monotonic()
        self._deadline.at, self._deadline.unsafe = ends, not is_safe
        try:
            response = client.send(request, stream=True)
            try:
                body = self._body(response)
            finally:
                response.close()
        except _NOT_CONNECTED as error:
            raise _Failure(f"no connection ({type(error).__name__}).", sent=False) from None
        except _UNSENDABLE:
            raise Refused(f"{request.method} {request.url.path}: cannot be formed.", "request_unsendable") from None
        except _BROKEN as error:
            raise _Failure(f"no whole answer ({type(error).__name__}).", sent=True) from None
        finally:
            self._deadline.at, self._deadline.unsafe = math.inf, False
        milliseconds = int((time.monotonic() - started) * 1000)
        _log.debug("%s %s -> %s in %s ms", request.method, request.url.path, response.status_code, milliseconds)
        return self._judge(response, body, request, is_safe)

    def _body(self, response: httpx2.Response) -> bytes:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise _Failure("the answer is compressed although we asked for plain bytes.", sent=True)
        chunks, size = [], 0
        for chunk in response.iter_raw():
            size += len(chunk)
            if size > self._limits.size_max:
                raise _Failure("the answer is larger than we accept.", sent=True)
            chunks.append(chunk)
        return b"".join(chunks)

    @staticmethod
    def _judge(response: httpx2.Response, body: bytes, request: httpx2.Request, is_safe: bool) -> Reply:
        status = response.status_code
        where = f"{request.method} {request.url.path}"
        if status == 429 or (status == 503 and is_safe):
            after = retry_after(response.headers.get("retry-after"), dt.datetime.now(dt.UTC))
            reason = f"{where}: the vendor asks us to wait (HTTP {status})."
            if not is_safe:  # sent as a whole: a gateway may answer so after the effect
                raise Unknown(reason, "vendor_busy", after_seconds=after)
            answer = RetryLater if status == 429 else _Unavailable
            raise answer(reason, after, "vendor_busy")
        if status >= 500:
            raise _Failure(f"the vendor answered HTTP {status}.", sent=True)
        if status in _REDIRECTS:
            if is_safe:
                raise Refused(f"{where}: answered with a redirect; check the base URL.", "redirected")
            raise Unknown(f"{where}: answered with a redirect, which we do not follow.", "redirected")
        return Reply(status, {name.lower(): value for name, value in response.headers.items()}, body, is_safe)


def retry_after(header: str | None, now: dt.datetime) -> int:
    """Seconds to wait, from a count or an HTTP date, clamped to 1 s .. 1 h; 30 s when it is absent or makes no sense."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return _clamp(int(text[:12]))
    try:
        when = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return RETRY_SECONDS_DEFAULT
    if when.tzinfo is None:
        return RETRY_SECONDS_DEFAULT
    return _clamp(math.ceil((when - now).total_seconds()))


def _clamp(seconds: int) -> int:
    return max(RETRY_SECONDS_MIN, min(RETRY_SECONDS_MAX, seconds))


def _params(params: Mapping[str, str] | Sequence[tuple[str, str]] | None) -> httpx2.QueryParams | None:
    if params is None:
        return None
    return httpx2.QueryParams(tuple(params.items() if isinstance(params, Mapping) else params))
