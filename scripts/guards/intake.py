"""The inbox: kept before it is answered, once, unchanged."""

from __future__ import annotations

from scripts.guards.guard import Guard, drop_constraint, drop_trigger

WIRE = "tests/sync/test_intake_http.py"

GUARDS: tuple[Guard, ...] = (
    Guard("inbox: unique key", f"{WIRE} -k w9_i5", sql=drop_constraint("sync_deliverykey", "sync_deliverykey_pkey")),
    Guard(
        "inbox: one row whatever comes at once (unique index, parallel)",
        f"{WIRE} -k i5_fifty",
        "sync/intake/inbox.py",
        "ON CONFLICT (connection_id, key) DO NOTHING RETURNING delivery_id, connection_id, key)",
        "RETURNING delivery_id, connection_id, key)",
        drop_constraint("sync_deliverykey", "sync_deliverykey_pkey"),
    ),
    Guard(
        "inbox: commit before 2xx",
        "tests/sync/test_durable.py -k full_disk",
        "sync/intake/views.py",
        "        return _unavailable()\n    return JsonResponse",
        "        return _answer(202, 'stored')\n    return JsonResponse",
    ),
    Guard(
        "inbox: commit before 2xx survives kill -9",
        "tests/sync/test_durable.py -k database_is_killed",
        "sync/ground/intake_db.py",
        "-c synchronous_commit=on",
        "-c synchronous_commit=off",
    ),
    Guard(
        "inbox: hash compare of a known key",
        f"{WIRE} -k w28",
        "sync/intake/inbox.py",
        "AND d.id = k.delivery_id AND d.digest = %s",
        "AND d.id = k.delivery_id AND (d.digest = %s OR true)",
    ),
    Guard(
        "inbox: content compare of another rendering",
        f"{WIRE} -k w28",
        "sync/intake/inbox.py",
        "if handle.connector.is_copy(arrived.body, bytes(row[1])):",
        "if True:",
    ),
    Guard("inbox: raw bytes frozen", f"{WIRE} -k i3", sql=drop_trigger("sync_delivery", "raw_is_frozen")),
    Guard("inbox: rows never removed", f"{WIRE} -k i3", sql=drop_trigger("sync_delivery", "never_lost")),
    Guard(
        "inbox: signature verified",
        f"{WIRE} -k i4",
        "sync/intake/views.py",
        "        handle.connector.taking_pushes().verify(incoming, handle.config, now)\n",
        "        pass\n",
    ),
    Guard("inbox: keys stay", f"{WIRE} -k i3_what", sql=drop_trigger("sync_deliverykey", "append_only")),
)
