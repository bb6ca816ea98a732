"""I55: every address of the API has an explicit expectation for every role and method; what nobody listed is refused.

The walk reads the URLconf, so an address that is added without a line here fails.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from django.core.cache import cache
from django.urls import URLPattern, URLResolver, get_resolver

from revops.approvals.actions import withdraw
from revops.approvals.models import Decision
from revops.audit.models import ActionRecord
from revops.cases.models import CaseNote
from revops.people.models import Role
from tests.factories import PASSWORD
from tests.revops import world
from tests.revops.api.caller import ROLES, Caller, Company, body, code, new_key

CS, FIN, APP, CON, ADM, AUD = (
    Role.CS_ANALYST,
    Role.FINANCE_ANALYST,
    Role.APPROVER,
    Role.CONTROLLER,
    Role.ADMIN,
    Role.AUDITOR,
)
READERS = {CS, FIN, APP, CON, AUD}
EVERYBODY = {*READERS, ADM}
OPEN = {"v1/schema/", "docs/"}
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")

EXPECTED: dict[str, dict[str, set[Role]]] = {
    "v1/accounts/": {"GET": READERS},
    "v1/accounts/<int:key>/": {"GET": READERS},
    "v1/accounts/<int:key>/ledger/": {"GET": READERS},
    "v1/records/": {"GET": READERS},
    "v1/records/<int:key>/": {"GET": READERS},
    "v1/records/<int:key>/entries/": {"GET": READERS},
    "v1/cases/": {"GET": READERS},
    "v1/cases/<int:key>/": {"GET": READERS, "PATCH": {FIN, CON}},  # a finance case
    "v1/cases/<int:key>/notes/": {"GET": READERS, "POST": {FIN, CON}},
    "v1/change-plans/": {"GET": READERS, "POST": {FIN}},  # a credit memo
    "v1/change-plans/<int:key>/": {"GET": READERS},
    "v1/change-plans/<int:key>/submit/": {"POST": {CS, FIN}},  # reach it; only the maker gets further
    "v1/change-plans/<int:key>/approve/": {"POST": {APP, CON}},
    "v1/change-plans/<int:key>/reject/": {"POST": {APP, CON}},
    "v1/change-plans/<int:key>/withdraw/": {"POST": {CS, FIN}},
    "v1/change-plans/<int:key>/finish/": {"POST": {CS, FIN}},
    "v1/change-plans/<int:key>/reverse/": {"POST": {CS, FIN}},
    "v1/postings/": {"GET": READERS},
    "v1/postings/<int:key>/": {"GET": READERS},
    "v1/audit/": {"GET": {CON, AUD}},
    "v1/people/": {"GET": {ADM, AUD}, "POST": {ADM}},
    "v1/people/<int:key>/": {"GET": {ADM, AUD}},
    "v1/people/<int:key>/roles/give/": {"POST": {ADM}},
    "v1/people/<int:key>/roles/take/": {"POST": {ADM}},
    "v1/people/<int:key>/deactivate/": {"POST": {ADM}},
    "v1/people/<int:key>/reactivate/": {"POST": {ADM}},
    "v1/people/<int:key>/forget-factors/": {"POST": {ADM}},
    "v1/people/<int:key>/link/": {"POST": {ADM}},
    "v1/access-proposals/": {"GET": {ADM, AUD}},
    "v1/access-proposals/<int:key>/confirm/": {"POST": {ADM}},
    "v1/access-proposals/<int:key>/refuse/": {"POST": {ADM}},
    "v1/me/": {"GET": EVERYBODY},
    "v1/me/password/": {"POST": EVERYBODY},
    "v1/me/sessions/": {"GET": EVERYBODY},
    "v1/me/sessions/end/": {"POST": EVERYBODY},
    "v1/me/tokens/": {"GET": EVERYBODY, "POST": EVERYBODY},
    "v1/me/tokens/end/": {"POST": EVERYBODY},
    "v1/me/delegations/": {"GET": EVERYBODY, "POST": EVERYBODY},
    "v1/me/delegations/end/": {"POST": EVERYBODY},
    "v1/step-up/": {"POST": EVERYBODY},
    "v1/deliveries/": {"GET": {FIN, CON, ADM, AUD}},
    "v1/deliveries/<int:key>/": {"GET": {FIN, CON, ADM, AUD}},
    "v1/deliveries/<int:key>/replay/": {"POST": {FIN, ADM}},
    "v1/connectors/": {"GET": {CON, ADM, AUD}},
    "v1/connectors/<slug:vendor>/try/": {"POST": {ADM}},
    "v1/connections/": {"GET": {CON, ADM, AUD}, "POST": {ADM}},
    "v1/connections/<slug:key>/": {"GET": {CON, ADM, AUD}, "PATCH": {ADM}},
    "v1/connections/<slug:key>/try/": {"POST": {ADM}},
    "v1/connections/<slug:key>/start/": {"POST": {ADM}},
    "v1/connections/<slug:key>/pause/": {"POST": {ADM}},
    "v1/connections/<slug:key>/read/": {"POST": {ADM}},
    "v1/connections/<slug:key>/secrets/end/": {"POST": {ADM}},
    "v1/connections/<slug:key>/posting/stop/": {"POST": {ADM}},
    "v1/connections/<slug:key>/posting/propose/": {"POST": {ADM}},
    "v1/posting-proposals/": {"GET": {CON, ADM, AUD}},
    "v1/posting-proposals/<int:key>/confirm/": {"POST": {CON, ADM}},
    "v1/posting-proposals/<int:key>/refuse/": {"POST": {CON, ADM}},
}


UNPOSTED = {
    "v1/people/<int:key>/reactivate/": "is_active",
    "v1/people/<int:key>/forget-factors/": "no_second_factor",
    "v1/change-plans/<int:key>/finish/": "nothing_missing",
    "v1/change-plans/<int:key>/reverse/": "nothing_to_reverse",
    "v1/connections/<slug:key>/start/": "not_paused",
    "v1/connections/<slug:key>/secrets/end/": "former_over",
    "v1/connections/<slug:key>/posting/propose/": "posting_on",
}
"""What those who may are told: the company's plan is not posted, nobody left or has a second factor, and its ERP is read and
posted to.
`tests/sync/test_partly_posted.py` goes the whole way."""


def patterns(under: URLResolver, prefix: str = "") -> Iterator[str]:
    for entry in under.url_patterns:
        where = prefix + str(entry.pattern)
        if isinstance(entry, URLResolver):
            yield from patterns(entry, where)
        elif isinstance(entry, URLPattern) and where.startswith("api/"):
            yield where.removeprefix("api/")


def test_i55_every_address_of_the_urlconf_has_an_expectation() -> None:
    found = list(patterns(get_resolver()))
    assert found.pop() == ""  # the last line answers everything that nobody else did
    assert sorted(found) == sorted({*EXPECTED, *OPEN})


def test_i55_the_document_and_the_urlconf_name_the_same_operations() -> None:
    from revops.api.schema import document

    documented = {
        (path.removeprefix("/api/"), method.upper()) for path, methods in document()["paths"].items() for method in methods
    }
    named = {re.sub(r"<\w+:(\w+)>", r"{\1}", route): methods for route, methods in EXPECTED.items()}
    assert documented == {(route, method) for route, methods in named.items() for method in methods}


def address(route: str, company: Company) -> str:
    """The route with the id of the company's row of that kind."""
    kinds = {
        "v1/accounts": company.case.account_id,
        "v1/records": company.record.pk,
        "v1/cases": company.case.pk,
        "v1/change-plans": company.plan.pk,
        "v1/postings": company.posting.pk,
        "v1/deliveries": company.delivery.pk,
        "v1/people": company.people["cs_analyst"].pk,
        "v1/access-proposals": company.proposal.pk,
        "v1/connectors": "netsuite",
        "v1/connections": "netsuite",
        "v1/posting-proposals": company.posting_proposal.pk,
    }
    return "/api/" + re.sub(r"^(v1/[a-z-]+)/<\w+:\w+>", lambda found: f"{found[1]}/{kinds[found[1]]}", route)


def said(route: str, method: str, company: Company) -> object:
    """A body that would succeed, for whoever may."""
    if method == "GET":
        return None
    return {
        "v1/cases/<int:key>/": {"owner": company.people["finance_analyst"].username},
        "v1/cases/<int:key>/notes/": {"text": "Called the customer"},
        "v1/change-plans/": {
            "kind": "credit_memo", "case": company.case.pk, "reason": "A discount", "inputs": world.credit_inputs("20.00"),
        },
        "v1/change-plans/<int:key>/submit/": {},
        "v1/step-up/": {"proof": PASSWORD},
        "v1/people/": {"email": "new@example.com"},
        "v1/people/<int:key>/roles/give/": {"role": "finance_analyst"},
        "v1/people/<int:key>/roles/take/": {"role": "cs_analyst"},
        "v1/people/<int:key>/reactivate/": {},
        "v1/people/<int:key>/link/": {},
        "v1/access-proposals/<int:key>/confirm/": {},
        "v1/access-proposals/<int:key>/refuse/": {},
        "v1/change-plans/<int:key>/approve/": {"digest": company.plan.digest, "meaning": "I checked it"},
        "v1/connectors/<slug:vendor>/try/": {"base_url": "https://erp.invalid", "settings": world.ERP_GIVEN},
        "v1/connections/": {
            "slug": "erp", "vendor": "netsuite", "base_url": "https://erp.invalid", "settings": world.ERP_GIVEN,
        },
        "v1/connections/<slug:key>/": {"name": "The ERP"},
        "v1/connections/<slug:key>/try/": {},
        "v1/connections/<slug:key>/start/": {},
        "v1/connections/<slug:key>/read/": {},
        "v1/connections/<slug:key>/secrets/end/": {"name": "webhook_secret"},
        "v1/posting-proposals/<int:key>/confirm/": {},
        "v1/posting-proposals/<int:key>/refuse/": {},
    }.get(route, {"reason": "It was found wrong"})  # fmt: skip


def ask(caller: Caller, route: str, method: str, company: Company) -> tuple[int, str]:
    content = said(route, method, company)
    headers = {"POST": {"Idempotency_Key": new_key()}, "PATCH": {"If_Match": '"v1"'}}.get(method, {})
    where = address(route, company)
    return code(caller.call(method, where, b"" if content is None else json.dumps(content), **headers))


@pytest.mark.parametrize("role", ROLES)
def test_a4_i55_each_role_at_each_address(company: Company, role: str) -> None:
    caller = company[role]
    before = ActionRecord.objects.count()
    for route, methods in EXPECTED.items():
        cache.clear()  # how often one may ask is another test's
        for method in METHODS[:7]:
            if method == "HEAD":
                continue
            if method not in methods:
                assert ask(caller, route, method, company) == (405, "method_not_allowed"), (route, method)
            elif role not in methods[method]:
                assert ask(caller, route, method, company) == (404, "not_found"), (route, method)
    assert ActionRecord.objects.count() == before, "nothing refused leaves an action"
    for route, methods in EXPECTED.items():
        for method, roles in methods.items():
            if role in roles and method == "GET":
                assert ask(caller, route, method, company) == (200, ""), (route, method)


OWN = {route for route in EXPECTED if route.startswith("v1/me/")}
"""About nobody else, and for everybody: `test_own_account.py`."""
CHANGES = [(route, method) for route, methods in EXPECTED.items() for method in methods if method != "GET" and route not in OWN]


@pytest.mark.parametrize(("route", "method"), CHANGES)
def test_each_role_that_may_change_something_can(company: Company, route: str, method: str) -> None:
    role = sorted(EXPECTED[route][method])[-1]
    if route.endswith(("submit/", "withdraw/")):
        assert ask(company[CS], route, method, company) == (403, "not_the_maker")
        role = FIN
    if route.endswith("submit/"):
        withdraw(company.plan, reason="Another amount", acting_user=company.people[FIN])
        company.plan = world.credit_plan(company.people[FIN], company.case, "20.00")
    status, said_code = ask(company[role], route, method, company)
    if route in UNPOSTED:
        assert (status in (409, 422), said_code) == (True, UNPOSTED[route])
        return
    assert status in (200, 201, 202), said_code


def test_i55_without_a_token_every_address_is_closed(company: Company) -> None:
    nobody = Caller()
    for route in EXPECTED:
        for method in METHODS[:7]:
            if method != "HEAD":
                assert ask(nobody, route, method, company) == (401, "not_authenticated"), (route, method)


def test_a4_somebody_without_a_role_sees_nothing(company: Company) -> None:
    caller = Caller(world.person("newcomer"))
    for route, methods in EXPECTED.items():
        for method in methods if route not in {*OWN, "v1/step-up/"} else ():
            assert ask(caller, route, method, company) == (404, "not_found"), (route, method)


def test_a_method_that_nobody_knows(company: Company) -> None:
    assert code(company[FIN].call("BREW", "cases/")) == (405, "method_not_allowed")


def test_a1_i56_not_yours_and_not_there_are_the_same_answer(company: Company) -> None:
    """On detail, nested id, create with somebody else's id: same status, same body."""
    caller = company[ADM]
    for route, methods in EXPECTED.items():
        if "<int:key>" not in route or route.startswith(
            ("v1/deliveries", "v1/people", "v1/access-proposals", "v1/posting-proposals")
        ):
            continue
        method = "GET" if "GET" in methods else "POST"
        key = {"Idempotency_Key": new_key()} if method == "POST" else {}
        hidden = caller.call(method, address(route, company), b"", **key)
        absent = caller.call(method, re.sub(r"/\d+/", "/999999999/", address(route, company)), b"", **key)
        assert [body(hidden) | {"request_id": ""}, hidden.status_code] == [body(absent) | {"request_id": ""}, 404], route


def test_a3_a_plan_for_a_case_that_is_not_there(company: Company) -> None:
    wanted = {"kind": "credit_memo", "reason": "A discount", "inputs": world.credit_inputs("20.00")}
    for case in (999_999_999, 10**25):
        assert code(company[FIN].post("change-plans/", wanted | {"case": case})) == (404, "not_found")


def test_i27_a_role_taken_away_closes_the_door_at_once(company: Company) -> None:
    caller = company[APP]
    assert caller.get("cases/").status_code == 200
    company.people[APP].role_grants.all().delete()
    assert code(caller.get("cases/")) == (404, "not_found")
    said_now = {"digest": company.plan.digest, "meaning": "I checked it"}
    assert code(caller.post(f"change-plans/{company.plan.pk}/approve/", said_now)) == (404, "not_found")
    assert not Decision.objects.exists()


def test_a1_customer_success_works_its_own_cases_only(company: Company) -> None:
    caller, path = company[CS], f"cases/{company.case.pk}/"
    assert company.case.team == "finance"
    assert caller.get(path).status_code == 200
    assert code(caller.patch(path, {"owner": None}, '"v1"')) == (404, "not_found")
    assert code(caller.post(f"{path}notes/", {"text": "Hello"})) == (404, "not_found")
    assert not CaseNote.objects.exists()
