"""Asynchronous calls: the write runs at once, its outcome waits behind a job address.

Only here does `X-NetSuite-Idempotency-Key` count: a second call with the same key is refused and pointed at the first
job.
"""

from __future__ import annotations

from collections.abc import Callable

from demo.simulators.netsuite.errors import problem
from demo.simulators.store import Store
from demo.simulators.vendor import Halt, Json, Request, Response

ROOT = "/services/rest/async/v1/job"


def run(store: Store, base_url: str, request: Request, handle: Callable[[], Response]) -> Response:
    """Perform a write for `Prefer: respond-async`; 202 with the job's address, or 400 for a used key."""
    key = request.headers.get("X-NetSuite-Idempotency-Key")
    if key:
        found = [job for job in store.select("asyncjobs") if job.get("key") == key]
        if found:
            refused = problem(400, "The idempotency key was already used.", "IDEMPOTENCY_ERROR", title="Conflict")
            refused.headers["Location"] = f"{base_url}{ROOT}/{found[0]['id']}"
            return refused
    try:
        with store.transaction():
            outcome = handle()
    except Halt as halt:
        outcome = halt.response
    job = {
        "id": str(store.next_number("async job")), "key": key, "status": outcome.status_code,
        "location": outcome.headers.get("Location"), "body": bytes(outcome.body).decode(),
    }  # fmt: skip
    store.put("asyncjobs", job)
    headers = {"Location": f"{base_url}{ROOT}/{job['id']}", "Preference-Applied": "respond-async"}
    return Response(202, headers=headers)


def answer(store: Store, base_url: str, id: str, rest: str) -> Response:
    """A job (`rest` empty) or the result of its only task (`task/1/result`)."""
    job = store.get("asyncjobs", id)
    if job is None:
        return problem(404, "The job does not exist.", "NONEXISTENT_ID")
    address = f"{base_url}{ROOT}/{id}"
    about: Json = {"id": id, "completed": True, "progress": "succeeded" if job["status"] < 400 else "failed"}
    match rest:
        case "":
            return Response.of(about | {"task": {"links": [{"rel": "self", "href": f"{address}/task"}]}})
        case "task/1/result":
            headers = {"Location": job["location"]} if job.get("location") else {}
            return Response(int(job["status"]), str(job["body"]).encode(), headers)
    return problem(404, "The address does not exist.", "NOT_FOUND")
