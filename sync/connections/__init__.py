"""Connections: one configured vendor instance each, its secrets at rest, and what connectors are handed.

`actions` writes, `envelope` keeps the secrets, `handles` gives connectors what they work with. Never: an arrow to the inbox or to
anything that works on deliveries; nothing here returns a secret except inside a `Config`.
"""

from sync.connections.actions import SLUG, change_connection, connect, note_problem, reseal_connection, slugs
from sync.connections.envelope import seal, sealed_with_newest_key, unseal
from sync.connections.handles import ConnectionHandle, client_for, config_of, connector_of, forget_handles, handle, handle_of

__all__ = [
    "SLUG", "ConnectionHandle", "change_connection", "client_for", "config_of", "connect", "connector_of", "forget_handles",
    "handle", "handle_of", "note_problem", "reseal_connection", "seal", "sealed_with_newest_key", "slugs", "unseal",
]  # fmt: skip
