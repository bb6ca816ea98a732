"""Where we may talk to: the base URL of a connection, and the addresses behind its host name at the moment of dialling."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpcore2

from sync.vendor.contract import Refused
from sync.vendor.http.deadline import Deadline, TimedStream

_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""All of IPv6 that IANA has given out; what lies outside (site-local, NAT64, mapped, ...) is never a vendor's."""
_REFUSED = tuple(
    ipaddress.ip_network(block)
    for block in (
        "192.0.0.0/24",  # IETF protocol assignments, of which a few addresses count as global (RFC 6890)
        "192.88.99.0/24",  # 6to4 relays, deprecated (RFC 7526)
        "3fff::/20",  # documentation (RFC 9637), newer than Python's list
        "168.63.129.16/32",  # Azure: the platform's own services, in public space
    )
)
"""What leads inside or to a platform although it counts as global. The metadata services of other clouds have link-local or
private addresses."""


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
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    if ip.is_loopback:
        return allow_loopback
    if isinstance(ip, ipaddress.IPv6Address) and (ip not in _GLOBAL_UNICAST or ip.sixtofour or ip.teredo):
        return False
    unicast = ip.is_global and not ip.is_multicast and not ip.is_reserved and not ip.is_unspecified
    return unicast and not any(ip in block for block in _REFUSED)


Resolver = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """The host's addresses as the system resolver gives them."""
    return [str(row[4][0]) for row in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


class CheckedBackend(httpcore2.NetworkBackend):
    """Resolves, judges every address, and dials one that was judged: a name cannot be swapped in between."""

    def __init__(self, deadline: Deadline, resolver: Resolver, is_allowed: Callable[[str], bool]) -> None:
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
            return TimedStream(stream, self._deadline)
        raise failure
