"""Request bodies: complete, in time, and no more than there is room for."""

from __future__ import annotations

from scripts.guards.guard import Guard

TESTS = "tests/revops/serving/test_bodies.py"
BODIES = "revops/serving/bodies.py"

GUARDS: tuple[Guard, ...] = (
    Guard(
        "serving: a body has a deadline", f"{TESTS} -k stall", BODIES, "asyncio.timeout(self._seconds)", "asyncio.timeout(None)"
    ),
    Guard(
        "serving: an announced size is refused",
        f"{TESTS} -k too_large",
        "revops/serving/application.py",
        "announced > bytes_max",
        "False",
    ),
    Guard("serving: chunks are counted", f"{TESTS} -k too_large", BODIES, "if len(read) > bytes_max:", "if False:"),
    Guard("serving: a body has its length", f"{TESTS} -k breaks_off", BODIES, "if len(read) != announced if", "if False if"),
    Guard("serving: a small body has its length", f"{TESTS} -k breaks_off", BODIES, "except ProtocolClosed:", "except KeyError:"),
    Guard("serving: chunks have an end", f"{TESTS} -k breaks_off", BODIES, "else ends > 1:", "else False:"),
    Guard("serving: the memory has an end", f"{TESTS} -k memory", BODIES, "while self._total > self._bytes_max:", "while False:"),
    Guard(
        "serving: the oldest is given up",
        f"{TESTS} -k memory",
        BODIES,
        "next(iter(self._unfinished[sender]))",
        "next(reversed(self._unfinished[sender]))",
    ),
    Guard("serving: of who holds most", f"{TESTS} -k memory", BODIES, "max(self._unfinished, key", "min(self._unfinished, key"),
    Guard(
        "serving: HTTPS is said by a trusted proxy",
        f"{TESTS} -k proxies",
        "revops/serving/wsgi.py",
        'if name == "x-forwarded-proto" and',
        "if False and",
    ),
    Guard("serving: no header passes for another", f"{TESTS} -k proxies", "revops/serving/wsgi.py", ' or "_" in name:', ":"),
    Guard(
        "serving: no upload is written",
        f"{TESTS} -k upload",
        "revops/settings.py",
        "FILE_UPLOAD_HANDLERS: list[str] = []",
        "_UNUSED: list[str] = []",
    ),
)
