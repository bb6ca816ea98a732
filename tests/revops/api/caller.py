"""A program that calls the API over HTTP, and the small company that it asks about."""

from __future__ import annotations

import datetime as dt
import itertools
import json
from dataclasses import dataclass
from typing import Any

from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from revops.access.proposals import propose_role
from revops.approvals.actions import approve, submit_plan
from revops.cases.models import ExceptionCase
from revops.identity.models import Method
from revops.identity.step_up import record_step_up
from revops.identity.tokens import SCOPES, issue_token, live_token
from revops.ledger.models import SourceRecord
from revops.money import Money
from revops.people.actors import System
from revops.people.models import AccessProposal, Role, User
from revops.postings.models import ChangePlan, Posting
from sync import connections
from sync.intake import inbox
from sync.models import Delivery, DeliveryState, PostingProposal
from tests.factories import PASSWORD
from tests.revops import world

PROBLEM = "application/problem+json"
ROLES = list(Role.values)
_keys = itertools.count(1)


def new_key() -> str:
    """An idempotency key that no other request of this run has."""
    return f"test-key-{next(_keys):06d}"


def token_for(user: User, *, days: int = 1, now: dt.datetime | None = None) -> str:
    return issue_token(user, name="tests", days=days, scopes=list(SCOPES), now=now or timezone.now(), acting_user=System("tests"))


class Caller:
    """Calls with one person's token, or without any."""

    def __init__(self, user: User | None = None, token: str = "") -> None:
        self.token = token_for(user) if user is not None else token
        self.client = Client(raise_request_exception=False)

    def proven(self) -> Caller:
        """Its person has proved with this token who they are."""
        row = live_token(self.token, now=timezone.now())
        assert row is not None
        record_step_up(row.user, Method.TOTP, token=row)
        return self

    def call(self, method: str, path: str, content: bytes | str = b"", **headers: str) -> HttpResponse:
        """One request, with exactly these bytes. Header names are written with `_`."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token:
            given.setdefault("Authorization", f"Bearer {self.token}")
        content_type = given.pop("Content-Type", "application/json")
        where = path if path.startswith("/") else f"/api/v1/{path}"
        answer: Any = self.client.generic(method, where, content, content_type=content_type, headers=given)
        return checked(answer)

    def get(self, path: str, **headers: str) -> HttpResponse:
        return self.call("GET", path, **headers)

    def post(self, path: str, said: object = None, *, key: str | None = None, **headers: str) -> HttpResponse:
        """`key=""` sends none; None sends a new one."""
        key = new_key() if key is None else key
        sent = {"Idempotency_Key": key} if key else {}
        return self.call("POST", path, b"" if said is None else json.dumps(said), **sent, **headers)

    def patch(self, path: str, said: object, match: str = "", **headers: str) -> HttpResponse:
        sent = {"If_Match": match} if match else {}
        return self.call("PATCH", path, json.dumps(said), **sent, **headers)


def checked(answer: Any) -> HttpResponse:
    """Every refusal of the API is a problem of one shape; every answer carries a request id and no cookie."""
    assert not answer.cookies
    assert answer["X-Request-Id"]
    if answer.status_code >= 400:
        assert answer["Content-Type"] == PROBLEM, answer.content
        problem = answer.json()
        wanted = {"type", "title", "status", "detail", "code", "request_id"}
        assert wanted <= set(problem) <= wanted | {"errors"}
        assert problem["status"] == answer.status_code
        assert problem["type"] == f"urn:revops:problem:{problem['code']}"
        assert problem["title"] != "Error"
        assert problem["request_id"] == answer["X-Request-Id"]
        assert problem["detail"]
        assert all(set(line) == {"field", "detail"} for line in problem.get("errors", []))
    found: HttpResponse = answer
    return found


def body(answer: HttpResponse) -> Any:
    return json.loads(answer.content)


def code(answer: HttpResponse) -> tuple[int, str]:
    """Status and stable code of a refusal; the code is empty for a success."""
    return answer.status_code, body(answer).get("code", "") if answer.status_code >= 400 else ""


def errors(answer: HttpResponse) -> dict[str, str]:
    return {line["field"]: line["detail"] for line in body(answer)["errors"]}


@dataclass
class Company:
    """One account with a finance case, a submitted plan with its posting, a dead letter, and one person of every role."""

    people: dict[str, User]
    case: ExceptionCase
    record: SourceRecord
    plan: ChangePlan
    posting: Posting
    delivery: Delivery
    proposal: AccessProposal
    posting_proposal: PostingProposal

    def __getitem__(self, role: str) -> Caller:
        """A program of that person; one who decides has proved who they are."""
        caller = Caller(self.people[role])
        return caller.proven() if role in (Role.APPROVER, Role.CONTROLLER, Role.ADMIN) else caller


def people() -> dict[str, User]:
    made = {role: world.person(role, role) for role in ROLES}
    for user in made.values():
        user.set_password(PASSWORD)
        user.save()
    return made


def company(erp: Money | None = None) -> Company:
    """The company. Its ERP carries the invoice too high, by 120.00 unless said otherwise."""
    staff = people()
    world.systems()
    _, case = world.mismatch(erp or world.usd("1000.00"), world.usd("880.00"))
    plan = submit_plan(world.credit_plan(staff["finance_analyst"], case, "100.00"), acting_user=staff["finance_analyst"])
    return Company(
        people=staff,
        case=case,
        record=SourceRecord.objects.get(system="netsuite", object_type="invoice"),
        plan=plan,
        posting=plan.postings.get(),
        delivery=dead_letter(),
        proposal=a_proposal(),
        posting_proposal=a_posting_proposal(),
    )


def a_proposal() -> AccessProposal:
    """What another administrator proposed for a newcomer."""
    by, newcomer = world.person("proposer", "admin"), world.person("newest")
    return propose_role(newcomer, "approver", reason="Joins", step_up=world.proof(by), now=timezone.now(), acting_user=by)


def a_posting_proposal() -> PostingProposal:
    """What another administrator proposed for a system that is not started yet."""
    by = world.person("connector", "admin")
    connections.connect(
        slug="gainsight", vendor="gainsight", base_url="https://company.gainsightcloud.com", acting_user=System("tests"),
        values={"client_id": "unused-id", "client_secret": "unused", "hint_token": "unused"},
    )  # fmt: skip
    return connections.propose_posting("gainsight", reason="Go live", step_up=world.proof(by), acting_user=by)


def dead_letter(number: int = 1) -> Delivery:
    """A delivery that somebody must look at: a second body under a known key."""
    handle = connections.handle_of(world.erp())
    stored = [
        inbox.accept(handle, kind="hint", dedup_key=f"hint:{number}", body=text, headers={"X-Secret": "never shown"})
        for text in (b'{"type":"invoice","id":"1"}', b'{"type":"invoice","id":"2","secret":"body-content"}')
    ]
    found = Delivery.objects.get(pk=stored[1].id)
    assert found.state == DeliveryState.QUARANTINED
    return found


def approved(company: Company) -> ChangePlan:
    return approve(
        company.plan,
        digest=company.plan.digest,
        meaning="I checked it",
        step_up=world.proof(company.people["approver"]),
        acting_user=company.people["approver"],
    )
