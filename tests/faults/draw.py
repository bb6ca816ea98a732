"""What a run consists of: drawn from its seed alone. Pure.

A run is work (credit memos, holds of renewals, deliveries) and faults: what a vendor does wrong, and what happens to our own
processes. The rows are those of the fault matrix: the effect may be done before the vendor's answer goes wrong, or not at all.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Json = dict[str, Any]
Ending = Literal["sign", "withdraw", "reject", "leave"]
Moment = Literal["start", "release", "effect"]

LAG_SECONDS = 5
"""What the harness tells the product that the vendors' reads may lag. The drawn lags are shorter, and longer than the time
until an unclear answer is first looked up: a second, and up to two more until the sweeper rings."""
LARGE_MINOR = 1_100_000
"""Above the tier from which the controller signs too."""


@dataclass(frozen=True, slots=True)
class Credit:
    """A credit memo on an invoice that stands above billing. `customer`: drawn number. Amounts in minor units. `part`: what of
    the difference is credited, in per cent. `ending`: signed by whom it needs, taken back, refused, or signed and its maker
    leaves while it is held. `stray`: a record under its key appears at the vendor, made by nobody here. `attempts`: how somebody
    tries to get round the division of duties."""

    customer: int
    billed: int
    above: int
    part: int
    ending: Ending
    stray: bool
    attempts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Hold:
    """A renewal in progress on an unfinished amendment is put on hold."""

    customer: int


@dataclass(frozen=True, slots=True)
class Burst:
    """Signed deliveries: versions of one customer in a drawn order, with copies, and forgeries among them."""

    versions: tuple[int, ...]
    forged: int


@dataclass(frozen=True, slots=True)
class VendorFault:
    """What one vendor does wrong: `row` of the matrix, and the wishes that its simulator is given."""

    row: str
    vendor: str
    wishes: tuple[Json, ...] = field(hash=False)


@dataclass(frozen=True, slots=True)
class Strike:
    """What happens to our processes. `when`: from the start of the run, from the release of a plan, or from the first effect at a
    vendor; `after_seconds` later, for `seconds`."""

    kind: str
    target: str
    when: Moment
    after_seconds: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Run:
    """Everything that happens in one run."""

    seed: int
    credits: tuple[Credit, ...]
    holds: tuple[Hold, ...]
    burst: Burst
    vendor_faults: tuple[VendorFault, ...]
    strikes: tuple[Strike, ...]
    hints_paused: bool
    """The vendors' pushes wait until the run is judged: what became of a posting is found out by asking alone."""

    @property
    def told(self) -> str:
        """What was drawn, in one line."""
        credits = [
            f"credit {c.part}%" + ("" if c.ending == "sign" else f" {c.ending}") + (" stray" if c.stray else "")
            + (" large" if c.above >= LARGE_MINOR else "")
            for c in self.credits
        ]  # fmt: skip
        work = [*credits, *("hold" for _ in self.holds), f"deliveries {len(self.burst.versions)}"]
        faults = [f"{each.vendor} {each.row}" for each in self.vendor_faults]
        faults += [f"{s.kind} {s.target}".strip() + f" {s.when}+{s.after_seconds:.1f}s" for s in self.strikes]
        return f"{', '.join(work)}{' hints paused' if self.hints_paused else ''} | {', '.join(faults) or 'no fault'}"


# --- what vendors do wrong ------------------------------------------------------------------------------------------------

POST = {"method": "POST", "path": "record/v1/creditMemo"}
READ_BACK = {"method": "GET", "path": "creditMemo/"}
PUT = {"method": "PUT", "path": "gs_opportunity"}
QUERY = {"method": "POST", "path": "query/gs_opportunity"}
SIGN_IN_PAGE = "<html><body>Please sign in</body></html>"
PROXY_PAGE = "<html><body>502 Bad Gateway</body></html>"
FOREIGN = "Location"


def _answers(match: Json, done: bool) -> list[tuple[str, Json]]:
    """Answers that say no, or nothing, with the effect done or not."""
    word = "after" if done else "without"
    base: Json = {"match": match, "after_effect": done}
    return [
        (f"24 {word}: 500", base | {"status": 500}),
        (f"24 {word}: 502 page", base | {"status": 502, "body": PROXY_PAGE}),
        (f"24 {word}: 503", base | {"status": 503}),
        (f"28 {word}: 429", base | {"status": 429, "headers": {"Retry-After": "1"}}),
        (f"29 {word}: sign-in page", base | {"status": 200, "body": SIGN_IN_PAGE}),
        (f"29 {word}: 200 empty", base | {"status": 200, "body": ""}),
        (f"31 {word}: 401", base | {"status": 401}),
        (f"32 {word}: 400 of a proxy", base | {"status": 400, "body": PROXY_PAGE}),
        (f"32 {word}: 403", base | {"status": 403}),
        (f"32 {word}: 404", base | {"status": 404}),
        (f"32 {word}: 409", base | {"status": 409}),
    ]  # fmt: skip


NETSUITE: Sequence[tuple[int, str, tuple[Json, ...]]] = (
    (3, "22: effect, reset", ({"match": POST, "reset": "after"},)),
    (2, "22: reset, no effect", ({"match": POST, "reset": "before"},)),
    (2, "23: effect, silence", ({"match": POST, "after_effect": True, "delay_seconds": 4, "reset": "after"},)),
    *((1, name, (wish,)) for name, wish in _answers(POST, done=True)),
    *((1, name, (wish,)) for name, wish in _answers(POST, done=False)),
    (2, "26: effect, reset, read lag", ({"match": POST, "reset": "after", "read_lag_seconds": 4.5},)),
    (3, "28: effect, 429", ({"match": POST, "after_effect": True, "status": 429, "headers": {"Retry-After": "1"}},)),
    (2, "29: 204 without Location, no effect", ({"match": POST, "status": 204, "body": ""},)),
    (1, "30: read-back torn", ({"match": READ_BACK, "skip": 2, "reset": "during"},)),
    (3, "32: refused for good", ({"match": POST, "times": 0, "status": 400},)),
    (1, "33: answer after the hint", ({"match": POST, "after_effect": True, "delay_seconds": 3},)),
    (2, "read-back 403", ({"match": READ_BACK, "skip": 2, "status": 403},)),
    (1, "read-back 302", ({"match": READ_BACK, "skip": 2, "status": 302, "headers": {"Location": "https://example.com/"}},)),
    (1, "read-back 401 twice", ({"match": READ_BACK, "skip": 2, "times": 2, "status": 401},)),
)  # fmt: skip
"""Weight, row, wishes: NetSuite under a credit memo."""

GAINSIGHT: Sequence[tuple[int, str, tuple[Json, ...]]] = (
    (2, "22: effect, reset", ({"match": PUT, "reset": "after"},)),
    (1, "22: reset, no effect", ({"match": PUT, "reset": "before"},)),
    (1, "23: effect, silence", ({"match": PUT, "after_effect": True, "delay_seconds": 4, "reset": "after"},)),
    *((1, name, (wish,)) for name, wish in _answers(PUT, done=True) if name.startswith(("24", "28", "29"))),
    *((1, name, (wish,)) for name, wish in _answers(PUT, done=False) if name.startswith(("24", "28"))),
    (6, "26: effect, reset, read lag", ({"match": PUT, "reset": "after", "read_lag_seconds": 4.5},)),
    (2, "26: effect, 500, read lag", ({"match": PUT, "after_effect": True, "status": 500, "read_lag_seconds": 4.5},)),
    (1, "30: read torn", ({"match": QUERY, "skip": 2, "reset": "during"},)),
)
"""Weight, row, wishes: Gainsight under a hold."""

# --- what happens to our processes ------------------------------------------------------------------------------------------

KILLED = ("web", "web worker", "intake", "apply", "posting", "sweeper", "redis", "backend", "postmaster")
STOPPED = {"web worker": 3.0, "apply": 8.0, "posting": 8.0, "sweeper": 5.0, "redis": 4.0}
"""Which process is frozen, and for how many seconds at most: 8 s is longer than a lease."""
ATTEMPTS = ("maker", "other role", "auditor", "administrator", "other digest", "twice")


def draw(seed: int, *, slow: bool = True, disk: bool = True) -> Run:
    """The run of a seed. `slow`, `disk`: whether slow clients and a full disk can be had here; the rest is drawn alike."""
    rng = random.Random(f"faults/{seed}")
    count = rng.choice((1, 1, 2))
    credits = tuple(sorted((_credit(rng) for _ in range(count)), key=lambda each: each.ending != "leave"))
    holds = (Hold(rng.randrange(10_000)),) if rng.random() < 0.6 else ()
    faults: list[VendorFault] = []
    fault = _vendor(rng, "netsuite", NETSUITE)
    if credits[0].ending == "leave":
        credits = credits[:1]  # NetSuite must not be asked until the maker has left
    elif rng.random() < 0.85:
        faults.append(fault)
    if holds and rng.random() < 0.85:
        faults.append(_vendor(rng, "gainsight", GAINSIGHT))
    strikes = [_strike(rng) for _ in range(rng.choice((0, 1, 1, 2)))]
    wanted = [strike for strike in strikes if (slow or strike.kind != "slow") and (disk or strike.kind != "disk")]
    return Run(seed, credits, holds, _burst(rng), tuple(faults), tuple(wanted), hints_paused=rng.random() < 0.4)


def _credit(rng: random.Random) -> Credit:
    ending: Ending = rng.choices(("sign", "withdraw", "reject", "leave"), (16, 2, 1, 2))[0]
    large = rng.random() < 0.08
    above = LARGE_MINOR + rng.randrange(100_000) if large else rng.randrange(1_200, 90_000)
    part = 100 if rng.random() < 0.7 else rng.choice((25, 50, 80))
    attempts = tuple(rng.sample(ATTEMPTS, rng.choice((0, 1, 2))))
    stray = ending in ("withdraw", "reject") and rng.random() < 0.7
    return Credit(rng.randrange(10_000), above + rng.randrange(5_000, 500_000), above, part, ending, stray, attempts)


def _burst(rng: random.Random) -> Burst:
    versions = list(range(rng.randrange(3, 9)))
    versions += rng.choices(versions, k=rng.randrange(0, 6))
    rng.shuffle(versions)
    return Burst(tuple(versions), forged=rng.randrange(0, 3))


def _vendor(rng: random.Random, vendor: str, rows: Sequence[tuple[int, str, tuple[Json, ...]]]) -> VendorFault:
    _, name, wishes = rng.choices(rows, [weight for weight, _, _ in rows])[0]
    return VendorFault(name, vendor, wishes)


def _strike(rng: random.Random) -> Strike:
    kind = rng.choices(("kill", "stop", "flush", "slow", "disk"), (10, 5, 3, 3, 1))[0]
    when: Moment = rng.choice(("start", "release", "effect"))
    after = rng.choice((0.0, 0.0, 0.3, 1.0, 2.0)) * rng.random()
    if kind == "kill":
        target = rng.choices(KILLED, _WEIGHTS)[0]
        return Strike(kind, target, when, after, 0.0)
    if kind == "stop":
        target = rng.choice(sorted(STOPPED))
        return Strike(kind, target, when, after, round(rng.uniform(1.0, STOPPED[target]), 1))
    seconds = {"flush": 1.0, "slow": 5.0, "disk": 3.0}[kind]
    return Strike(kind, "", when, after, seconds)


_LIKELY: Mapping[str, int] = {"posting": 5, "apply": 2}
_WEIGHTS = [_LIKELY.get(name, 1) for name in KILLED]
