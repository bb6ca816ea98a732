"""Every parameter that a page reads, with every text that somebody with bad intent, or a broken link, may put there.

Which parameters a page reads is not listed: it is seen. The first request of a page tells by which names it asks; what it asks
for only when another one is there is seen on the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urljoin

import pytest
from django.db import transaction

from revops.cases.models import ExceptionCase
from tests.factories import dead_letter
from tests.revops import world
from tests.revops.hostile import names_read, share
from tests.revops.web.conftest import Seat
from tests.revops.web.test_bad_input import addresses

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
SignIn = Callable[..., Seat]


@pytest.fixture
def paths() -> list[str]:
    """Every page, of things that exist."""
    world.systems()
    case: ExceptionCase = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]
    dead_letter("netsuite", "k1", b'{"id": 7}')
    plan = world.credit_plan(world.person("maker", "finance_analyst"), case)
    return [path for _name, path in addresses(case, plan)]


class Walker:
    """Somebody signed in for good: what a request changed is undone, a sign-out included."""

    def __init__(self, client: Seat) -> None:
        self.client, self.cookies = client, client.cookies.output()
        client.raise_request_exception = False

    def ask(self, method: str, path: str, data: dict[str, str]) -> tuple[int, str, set[str]]:
        """Status, where it leads, and the names that were asked for."""
        sent = urlencode(data, errors="surrogatepass")
        with names_read() as seen, transaction.atomic():
            if method == "get":
                answer = self.client.get(f"{path}?{sent}")
            else:
                answer = self.client.post(path, sent, content_type="application/x-www-form-urlencoded")
            transaction.set_rollback(True)
        self.client.cookies = SimpleCookie(self.cookies.replace("Set-Cookie: ", ""))
        return answer.status_code, answer.headers.get("Location", ""), seen

    def sees(self, method: str, path: str) -> bool:
        return self.ask(method, path, {})[0] not in (403, 404, 405)

    @property
    def is_in(self) -> bool:
        return self.client.get("/me/").status_code == 200


WALKS = (
    ("get", "finance_analyst"), ("get", "auditor"),
    ("post", "finance_analyst"), ("post", "approver"), ("post", "admin"),
)  # fmt: skip
"""The pages that an administrator alone reads take no parameter."""


@pytest.mark.parametrize(("method", "role"), WALKS)
def test_no_parameter_of_a_page_makes_it_fail_or_lead_elsewhere(
    paths: list[str], sign_in: SignIn, method: str, role: str
) -> None:
    """Each role but the first walks what those before it do not see."""
    before = [other for way, other in WALKS[: WALKS.index((method, role))] if way == method]
    for other in before:
        walked = Walker(sign_in(other, other))
        paths = [path for path in paths if not walked.sees(method, path)]
    walker = Walker(sign_in(role, role))
    paths = [path for path in paths if walker.sees(method, path)]
    wrong, asked, turn = [], 0, 0
    for path in paths:
        known: set[str] = {"csrfmiddlewaretoken"}
        _status, _where, waiting = walker.ask(method, path, {})
        while waiting - known:
            name = min(waiting - known)
            known.add(name)
            turn += 1
            for text in share(turn, dear=method == "post"):
                status, where, more = walker.ask(method, path, {name: text})
                asked += 1
                waiting |= more
                elsewhere = where and not urljoin("http://testserver/", where).startswith("http://testserver/")
                if status >= 500 or elsewhere or re.match(r"[/\\]{2}", where):
                    wrong.append((path, name, text[:40], status, where))
    assert wrong == []
    assert walker.is_in
    assert asked >= 6, "the pages of this role were walked"
