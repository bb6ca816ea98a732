"""Connections: one configured vendor instance each, its secrets at rest, and what connectors are handed.

`actions` makes and changes one, `switches` starts, pauses and stops, `proposals` lets two persons switch posting on, `trial`
asks the vendor who we are there, `restored` stops posting after a restore. `envelope` keeps the secrets, `handles` gives
connectors what they work with, `condition` tells how one stands. Never: an arrow to the inbox or to anything that works on
deliveries; nothing here returns a secret except inside a `Config`.
"""

from sync.connections.actions import (
    SLUG,
    change_connection,
    connect,
    end_former_secret,
    note_coverage,
    note_problem,
    reseal_connection,
    slugs,
)
from sync.connections.envelope import seal, sealed_with_newest_key, unseal
from sync.connections.handles import ConnectionHandle, client_for, config_of, connector_of, forget_handles, handle, handle_of
from sync.connections.proposals import confirm_posting, propose_posting, refuse_posting
from sync.connections.restored import mark_restored, stop_if_put_back, unsettled
from sync.connections.switches import pause, read_now, resume, stop_posting

__all__ = [
    "SLUG", "ConnectionHandle", "change_connection", "client_for", "config_of", "confirm_posting", "connect", "connector_of",
    "end_former_secret", "forget_handles", "handle", "handle_of", "mark_restored", "note_coverage", "note_problem", "pause",
    "propose_posting", "read_now", "refuse_posting", "reseal_connection", "resume", "seal", "sealed_with_newest_key", "slugs",
    "stop_if_put_back", "stop_posting", "unseal", "unsettled",
]  # fmt: skip
