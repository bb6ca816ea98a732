"""Situations of all companies, made once for a process, and what their steps hold."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from demo.companies import COMPANIES
from demo.companies.situations import Situation

Json = dict[str, Any]


@functools.cache
def made(company: str, seed: int) -> tuple[Situation, ...]:
    return tuple(COMPANIES[company].situations(seed))


def bodies(situation: Situation, connection: str, object_type: str = "") -> Iterator[Json]:
    """The objects that a vendor's steps hold, as it renders them. Of Stripe both events and reads; `object_type`: of it as
    Stripe calls it, such as `invoice`; of others as the step does."""
    for step in situation.input["steps"]:
        if step["connection"] != connection:
            continue
        body: Json = step["body"]
        if connection == "stripe":
            body = body["data"]["object"] if step["kind"] == "event" else body["object"]
            if body["object"] == object_type:
                yield body
        elif step["object_type"] == object_type:
            yield body


def latest(situation: Situation, connection: str, object_type: str, key: str = "id") -> dict[str, Json]:
    """Id -> the object as it came last."""
    return {str(body[key]): body for body in bodies(situation, connection, object_type)}
