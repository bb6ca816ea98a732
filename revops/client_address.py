"""Where a request comes from, as far as that is proven."""

from __future__ import annotations

import functools
import ipaddress
from typing import TypeAlias

from django.conf import settings
from django.http import HttpRequest

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

IPV6_PREFIX = 64
"""What one subscriber is given: all addresses in it are one sender's."""


def client_address(request: HttpRequest) -> str:
    """Who sent a request."""
    return proven_address(str(request.META.get("REMOTE_ADDR", "")), str(request.META.get("HTTP_X_FORWARDED_FOR", "")))


def proven_address(peer: str, forwarded: str) -> str:
    """The peer's address. When the peer is one of `REVOPS_TRUSTED_PROXIES`: the right-most address of X-Forwarded-For that is
    none of them, since each proxy adds at the right whom it has heard; what stands further left, anybody may have written.
    Empty where the server names no peer."""
    proven = read_address(peer) if settings.REVOPS_TRUSTED_PROXIES else None
    if proven is None:
        return peer[:45]
    hops = forwarded.split(",")
    while hops and is_trusted_proxy(proven):
        hop = read_address(hops.pop())
        if hop is None:
            break
        proven = hop
    return str(proven)


def is_trusted_proxy(address: Address | None) -> bool:
    """Whether it is one of ours, whose headers are believed."""
    return address is not None and any(address in network for network in settings.REVOPS_TRUSTED_PROXIES)


@functools.lru_cache(maxsize=1024)
def sender_of(address: str) -> str:
    """What limits are keyed by: the address itself, or the network of 64 bits for IPv6."""
    found = read_address(address)
    if isinstance(found, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((found, IPV6_PREFIX), strict=False))
    return address


def read_address(text: str) -> Address | None:
    """An address as servers and proxies write it: also with a port, in brackets, or IPv4 within IPv6. None for anything else."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
