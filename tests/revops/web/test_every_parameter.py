"""Every parameter that a page reads, with every text that somebody with bad intent, or a broken link, may put there.

Which parameters a page reads is not listed: it is seen. The first request of a page tells by which names it asks; what it asks
for only when another one is there is seen on the way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode, urljoin

import pytest
from django.db import transaction
from django.http import QueryDict

from revops.cases.models import ExceptionCase
from tests.factories import dead_letter
from tests.revops import world
from tests.revops.web.conftest import Seat
from tests.revops.web.test_bad_input import addresses

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
SignIn = Callable[..., Seat]

HOSTILE = (
    "", "\x00", "\x00~1", "state=quarantined&trace=%00", "\ud800", "\udcff~1", "\u202e", "x" * 9000, "-1", "0", "9" * 400,
    "99999999999999999999", "1e400", "NaN", "１２", "[]", "x~1", "~~~", "2026-02-30", "2026-11-28",
    "9999-12-31T23:59:59.999999~1", "2026-11-28T00:00+16:00", "2026-11-28T00:00-23:59", "0001-01-01T00:00", "//evil.example/x",
    "/\\evil.example", "http://testserver//evil.example/x", "javascript:alert(1)", "' OR 1=1 --",
    "\"><script>alert(2)</script>", "%s%s%n", "CP-99999", "a\r\nX-Evil: 1",
)  # fmt: skip


@contextmanager
def names_read() -> Iterator[set[str]]:
    """Collects every name that is asked of a query or a form while the block runs."""
    seen: set[str] = set()
    asking = {name: getattr(QueryDict, name) for name in ("get", "getlist", "__getitem__", "__contains__")}

    def watching(ask: Callable[..., Any]) -> Callable[..., Any]:
        def watched(self: QueryDict, name: str, *more: Any, **named: Any) -> Any:
            seen.add(name)
            return ask(self, name, *more, **named)

        return watched

    for name, ask in asking.items():
        setattr(QueryDict, name, watching(ask))
    try:
        yield seen
    finally:
        for name, ask in asking.items():
            if name in vars(QueryDict) and ask.__qualname__.startswith("QueryDict."):
                setattr(QueryDict, name, ask)
            else:
                delattr(QueryDict, name)


@pytest.fixture
def paths() -> list[str]:
    """Every page, of things that exist."""
    world.systems()
    case: ExceptionCase = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))[1]
    dead_letter("netsuite", "k1", b'{"id": 7}')
    plan = world.credit_plan(world.person("maker", "finance_analyst"), case)
    return [path for _name, path in addresses(case, plan)]


def ask(client: Seat, method: str, path: str, data: dict[str, str]) -> tuple[int, str, set[str]]:
    """Status, where it leads, and the names that were asked for. What it changed is undone."""
    sent = urlencode(data, errors="surrogatepass")
    with names_read() as seen, transaction.atomic():
        if method == "get":
            answer = client.get(f"{path}?{sent}")
        else:
            answer = client.post(path, sent, content_type="application/x-www-form-urlencoded")
        transaction.set_rollback(True)
    return answer.status_code, answer.headers.get("Location", ""), seen


@pytest.mark.parametrize(("method", "role"), [("get", "finance_analyst"), ("get", "auditor"), ("post", "finance_analyst")])
def test_no_parameter_of_a_page_makes_it_fail_or_lead_elsewhere(
    paths: list[str], sign_in: SignIn, method: str, role: str
) -> None:
    """The second role walks what the first does not see."""
    if role != "finance_analyst":
        first = sign_in("first", "finance_analyst")
        paths = [path for path in paths if first.get(path).status_code in (404, 405)]
    client = sign_in(role, role)
    client.raise_request_exception = False
    wrong, asked = [], 0
    for path in paths:
        known: set[str] = set()
        _status, _where, waiting = ask(client, method, path, {})
        while waiting - known:
            name = min(waiting - known)
            known.add(name)
            if name == "csrfmiddlewaretoken":
                continue
            for text in HOSTILE:
                status, where, more = ask(client, method, path, {name: text})
                asked += 1
                waiting |= more
                elsewhere = where and not urljoin("http://testserver/", where).startswith("http://testserver/")
                if status >= 500 or elsewhere or re.match(r"[/\\]{2}", where):
                    wrong.append((path, name, text[:40], status, where))
    assert wrong == []
    assert asked > 200, "the pages of this role were walked"
