"""What all connectors stand on: paging, tokens, signatures, the shared quota, answers."""

from __future__ import annotations

from scripts.guards.guard import Guard

KIT = "tests/sync/connectors/test_kit.py"

GUARDS: tuple[Guard, ...] = (
    Guard(
        "kit: a listing that leads back ends",
        f"{KIT} -k advance",
        "sync/vendor/paging.py",
        " or page.after in been):",
        "):",
    ),
    Guard(
        "kit: a rejected token is renewed once",
        f"{KIT} -k rejected",
        "sync/vendor/auth.py",
        "        client.forget(REMEMBERED_AS)\n",
        "",
    ),
    Guard(
        "kit: signatures are compared",
        f"{KIT} -k another_signature",
        "sync/vendor/signing.py",
        '    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())',
        "    return len(given) == len(expected)",
    ),
    Guard(
        "kit: the quota is one for all processes",
        "tests/sync/test_quota.py -k two_processes",
        "sync/vendor/quota.py",
        "  redis.call('HSET', key,",
        "  redis.call('HSET', key .. now,",
    ),
)
