"""The one HTTP client that connectors are handed. The only module that imports httpx2.

What it promises a connector, whatever the network does:

- It talks to the connection's own origin and to nothing else: the base URL is checked, the host is resolved, every
  address is judged, and the address that was judged is the one that is dialled. No redirects, no proxies, no cookies.
- A request, its repetitions included, never takes longer than the total deadline (resolving a name is the system's affair), nor
  all requests together longer than the client was made for. It never keeps more than `size_max` bytes and asks for no
  compression, so a small answer cannot grow.
- A safe request (one that changes nothing) is tried a few times; an unsafe one is sent once, over a connection of its
  own.
- It says what became of an unsafe request: `RetryLater` when not a byte of it can have been acted on, `Unknown` when
  it may have been. Any 5xx to an unsafe request is `Unknown`, also 503: some vendors answer 503 after the effect.
- No secret in anything it raises or logs.

Never: Django, a model, a retry of an unsafe request.
"""

from __future__ import annotations

import datetime as dt
import email.utils
import functools
import ipaddress
import logging
import math
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpcore2
import httpx2
import stamina

from sync.vendor import strict_json
from sync.vendor.contract import Config, Refused, RetryLater, Unknown
from sync.vendor.remembered import bucket_for, memory_for

RETRY_SECONDS_MIN, RETRY_SECONDS_MAX, RETRY_SECONDS_DEFAULT = 1, 3600, 30

_log = logging.getLogger("sync.vendor.http")
logging.getLogger("httpx2").setLevel(logging.WARNING)

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds and bytes of one request; `per_minute` is the connection's quota in this process (None = as the
    connection's setting `calls_per_minute` says)."""

    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    total_seconds: float = 60.0
    size_max: int = 32 * 1024 * 1024
    attempts: int = 3
    per_minute: int | None = None


# -- where we may talk to --------------------------------------------------------------------------------------


def check_base_url(base_url: str, *, allow_loopback: bool = False) -> str:
    """The origin, such as `https://api.example.com`. Raises `Refused("address_refused")` with what to correct.

    HTTPS only; plain HTTP and odd ports only where loopback is allowed. No user name, path, query or fragment. The
    host's addresses are not judged here but at every connect, because they may change.
    """
    try:
        parts = urlsplit(base_url)
        port = parts.port
    except ValueError:
        raise Refused("The base URL is not readable.", "address_refused") from None
    printable = base_url.isascii() and base_url.isprintable() and " " not in base_url and "\\" not in base_url
    if not printable or parts.username is not None or parts.password is not None or not parts.hostname:
        raise Refused("The base URL must be a plain https address without user name.", "address_refused")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise Refused("The base URL must end after the host name.", "address_refused")
    if parts.scheme != "https" and not (allow_loopback and parts.scheme == "http"):
        raise Refused("The base URL must start with https.", "address_refused")
    if port not in {None, 443, 8443} and not (allow_loopback and port >= 1024):
        raise Refused("The base URL must use the https port.", "address_refused")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def is_allowed_address(address: str, *, allow_loopback: bool = False) -> bool:
    """Whether we may dial it: public unicast addresses only, or loopback where the connection says so."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            ip = ip.ipv4_mapped
        elif ip.sixtofour is not None or ip.teredo is not None or ip in _NAT64:
            return False
    if ip.is_loopback:
        return allow_loopback
    return ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified


Resolver = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """The host's addresses as the system resolver gives them."""
    return [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class _Deadline(threading.local):
    """When the request that this thread is sending must be over (monotonic seconds)."""

    at: float = math.inf

    def __init__(self, before_write: Callable[[], None]) -> None:
        self.before_write = before_write

    def cap(self, timeout: float | None) -> float:
        left = self.at - time.monotonic()
        return left if timeout is None else min(left, timeout)


class _TimedStream(httpcore2.NetworkStream):
    """A connection whose reads and writes end at the deadline, however slowly the bytes drip."""

    def __init__(self, inner: httpcore2.NetworkStream, deadline: _Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        capped = self._deadline.cap(timeout)
        if capped <= 0:
            raise httpcore2.ReadTimeout("The deadline has passed.")
        return self._inner.read(max_bytes, capped)

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._deadline.before_write()
        capped = self._deadline.cap(timeout)
        if capped <= 0:
            raise httpcore2.WriteTimeout("The deadline has passed.")
        self._inner.write(buffer, capped)

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.NetworkStream:
        capped = max(self._deadline.cap(timeout), 0.001)
        return _TimedStream(self._inner.start_tls(ssl_context, server_hostname, capped), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _CheckedBackend(httpcore2.NetworkBackend):
    """Resolves, judges every address, and dials one that was judged: a name cannot be swapped in between."""

    def __init__(self, deadline: _Deadline, resolver: Resolver, is_allowed: Callable[[str], bool]) -> None:
        self._inner = httpcore2.SyncBackend()
        self._deadline, self._resolver, self._is_allowed = deadline, resolver, is_allowed

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        try:
            addresses = list(self._resolver(host, port))
        except OSError:
            raise httpcore2.ConnectError("The host name cannot be resolved.") from None
        if not addresses or not all(self._is_allowed(address) for address in addresses):
            raise Refused("The host name leads to an address that we do not talk to.", "address_refused")
        failure: Exception = httpcore2.ConnectError("No address answers.")
        for address in addresses[:4]:
            capped = self._deadline.cap(timeout)
            if capped <= 0:
                raise httpcore2.ConnectTimeout("The deadline has passed.")
            try:
                stream = self._inner.connect_tcp(address, port, capped, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
                continue
            return _TimedStream(stream, self._deadline)
        raise failure


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once a process: reading the certificate authorities takes longer than a request."""
    return httpx2.create_ssl_context(trust_env=False)


class _Transport(httpx2.HTTPTransport):
    def __init__(self, backend: httpcore2.NetworkBackend, keepalive: int, tls: ssl.SSLContext) -> None:
        super().__init__(verify=tls, trust_env=False, retries=0)
        self._pool.close()
        self._pool = httpcore2.ConnectionPool(
            ssl_context=tls,
            max_connections=8,
            max_keepalive_connections=keepalive,
            keepalive_expiry=15.0,
            network_backend=backend,
        )


def _quota(config: Config, limits: Limits) -> int | None:
    """Calls a minute: as the caller says, else as the connection's setting `calls_per_minute` says, else none."""
    stated = config.get("calls_per_minute")
    return limits.per_minute or (int(stated) if stated.isascii() and stated.isdigit() and len(stated) < 7 else 0) or None


# -- the client ------------------------------------------------------------------------------------------------


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
    and stops them by raising.
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
    ) -> None:
        self._origin = check_base_url(config.base_url, allow_loopback=allow_loopback)
        self._allow_loopback = allow_loopback
        self._limits = limits
        self._over_at = time.monotonic() + within_seconds
        self._on_attempt = on_attempt
        self._secrets = tuple(secret for secret in secrets if len(secret) >= 6)
        self._memory = memory_for(config)
        per_minute = _quota(config, limits)
        self._bucket = bucket_for(config, per_minute) if per_minute else None
        self._deadline = _Deadline(before_write)
        backend = _CheckedBackend(self._deadline, resolver, self._may_dial)
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
        """Send it and give back any answer below 500 except 429 and redirects. See the module's promises."""
        is_safe = method in {"GET", "HEAD"} if safe is None else safe
        url = self._url(path)
        client = self._reading if is_safe else self._writing
        ends = min(self._over_at, time.monotonic() + self._limits.total_seconds)
        try:
            request = client.build_request(method, url, headers=dict(headers or {}), params=_params(params), content=content)
        except (httpx2.InvalidURL, UnicodeError, TypeError, ValueError):
            raise Refused(f"{method} {urlsplit(url).path}: cannot be formed.", "request_unsendable") from None
        try:
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
        except _Failure as failure:
            reason = self.redact(f"{method} {urlsplit(url).path}: {failure.reason}")
            if is_safe or not failure.sent:
                raise RetryLater(reason, failure.after_seconds, "vendor_unavailable") from None
            raise Unknown(reason, "answer_missing") from None

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
        if self._bucket is not None and (wait := self._bucket.take()) > 0:
            raise RetryLater("Our own quota for this connection is used up.", _clamp(math.ceil(wait)), "quota_used_up")
        started = time.monotonic()
        self._deadline.at = ends
        try:
            response = client.send(request, stream=True)
            try:
                body = self._body(response)
            finally:
                response.close()
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.ProxyError) as error:
            raise _Failure(f"no connection ({type(error).__name__}).", sent=False) from None
        except (httpx2.LocalProtocolError, httpx2.UnsupportedProtocol):
            raise Refused(f"{request.method} {request.url.path}: cannot be formed.", "request_unsendable") from None
        except httpx2.HTTPError as error:
            raise _Failure(f"no whole answer ({type(error).__name__}).", sent=True) from None
        finally:
            self._deadline.at = math.inf
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
            raise RetryLater(f"{where}: the vendor asks us to wait (HTTP {status}).", after, "vendor_busy")
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
