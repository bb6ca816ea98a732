"""The one HTTP client that connectors are handed. The only package that imports httpx2.

What it promises a connector, whatever the network does:

- It talks to the connection's own origin and to nothing else: the base URL is checked, the host is resolved, every
  address is judged, and the address that was judged is the one that is dialled. No redirects, no proxies, no cookies.
- A request, its repetitions included, never takes longer than the total deadline (resolving a name is the system's affair), nor
  all requests together longer than the client was made for. It never keeps more than `size_max` bytes and asks for no
  compression, so a small answer cannot grow.
- A safe request (one that changes nothing) is tried a few times; an unsafe one is sent once, over a connection of its
  own.
- It says what became of an unsafe request: `RetryLater` when not a byte of it has left, `Unknown` when it may have been acted on.
  Any 5xx to an unsafe request is `Unknown`, and so is 429: gateways answer them after the effect too. `write_left` tells
  whether a byte has left, whatever is raised by whoever works through the client.
- No secret in anything it raises or logs.

Never: Django, a model, a retry of an unsafe request.
"""

from __future__ import annotations

from sync.vendor.http.addresses import check_base_url, is_allowed_address
from sync.vendor.http.client import Breaker, HttpClient, Limits, Quota, Reply, retry_after

__all__ = ["Breaker", "HttpClient", "Limits", "Quota", "Reply", "check_base_url", "is_allowed_address", "retry_after"]
