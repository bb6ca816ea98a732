"""The queue: what the facets count, that pages lose and double nothing, and that size does not matter."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from revops.cases import queue
from revops.cases.models import ExceptionCase, SavedView
from revops.cases.queue import FACETS, QueueFilter
from revops.ledger.models import SourceSystem
from tests.accounts import as_owner
from tests.factories import a_case, an_account, many_cases, some_cases
from tests.revops.web.conftest import HTMX, Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]


def facet_value(case: ExceptionCase, name: str, now: Any) -> set[str]:
    """What a case counts as, worked out case by case: the slow truth that the cube is compared with."""
    age = (now - case.opened_at).total_seconds() / 86400
    due = (case.due_at - now).total_seconds() / 86400
    return {
        "severity": {case.get_severity_display().lower()},
        "team": {case.team},
        "rule": {case.rule},
        "entity": {case.legal_entity_code},
        "owner": {str(case.owner_id) if case.owner_id else "none"},
        "system": set(case.systems),
        "age": {"day" if age < 1 else "three" if age < 3 else "week" if age < 7 else "older"},
        "due": {"overdue" if due <= 0 else "today" if due <= 1 else "later"},
    }[name]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "severity=critical",
        "severity=critical&severity=high&system=stripe",
        "rule=invoice_not_posted&team=finance",
        "due=overdue&age=day",
    ],
)
def test_facets_are_counted_with_all_other_facets_applied(query: str, sign_in: SignIn) -> None:
    some_cases(90)
    now, chosen = timezone.now(), QueueFilter.from_query(query)
    counts = queue.count_cells(queue.read_cells(ExceptionCase.objects.all(), now=now), chosen, user_id=0)
    cases = list(ExceptionCase.objects.all())
    for name in FACETS:
        others = [f for f in FACETS if f != name and getattr(chosen, f)]
        left = [c for c in cases if all(facet_value(c, f, now) & set(getattr(chosen, f)) for f in others)]
        expected: dict[str, int] = {}
        for case in left:
            for value in facet_value(case, name, now):
                expected[value] = expected.get(value, 0) + 1
        assert dict(counts.facets[name]) == expected, name
    shown = queue.narrowed(ExceptionCase.objects.all(), chosen, user_id=0, now=now)
    assert counts.total == shown.count()
    for currency, sums in counts.at_risk.items():
        assert sums["all"].minor == sum(c.amount_minor for c in shown if c.currency == currency)


@pytest.mark.parametrize("sort", list(queue.SORTS))
def test_pages_show_every_case_once_there_and_back(sort: str) -> None:
    some_cases(53)
    rows = ExceptionCase.objects.all()
    seen: list[int] = []
    page = queue.page_of(rows, sort=sort, size=10)
    pages = [page]
    while page.after:
        page = queue.page_of(rows, sort=sort, after=page.after, size=10)
        pages.append(page)
    seen = [case.pk for p in pages for case in p.rows]
    assert len(seen) == len(set(seen)) == 53
    assert pages[0].before == ""
    back = queue.page_of(rows, sort=sort, before=pages[-1].before, size=10)
    assert [c.pk for c in back.rows] == [c.pk for c in pages[-2].rows]


def test_an_unreadable_cursor_is_the_first_page() -> None:
    some_cases(3)
    for cursor in ("x", "2026~1", "99999999999999999999~1", "2026-11-23T10:00:00~5"):
        assert len(queue.page_of(ExceptionCase.objects.all(), sort="due", after=cursor).rows) == 3


def test_filters_survive_their_own_address() -> None:
    chosen = QueueFilter.from_query(
        "severity=high&severity=critical&owner=me&q=%20Halden&status=snoozed&sort=-opened&evil=1&age=never"
    )
    assert QueueFilter.from_query(chosen.query()) == QueueFilter.from_query(chosen.query())
    assert (chosen.q, chosen.status, chosen.age) == ("Halden", "snoozed", ())
    assert QueueFilter.from_query(chosen.toggled("severity", "high").query()).severity == ("critical",)
    assert QueueFilter().query() == ""


def test_the_number_of_queries_does_not_grow_with_the_queue(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    some_cases(3)
    client.get("/queue/")
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get("/queue/?severity=critical")
    many_cases(600)
    with CaptureQueriesContext(connection) as many:
        assert client.get("/queue/?severity=critical").status_code == 200
    assert len(few) == len(many)
    assert len(many) <= 16, [q["sql"][:90] for q in many]


def test_a_deep_page_reads_no_more_rows_than_it_shows(sign_in: SignIn) -> None:
    many_cases(3_000)
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ANALYZE cases_exceptioncase")
    rows, after = ExceptionCase.objects.filter(status="open"), ""
    for _ in range(5):
        with CaptureQueriesContext(connection) as asked:
            page = queue.page_of(rows, sort="due", after=after, size=50)
        after = page.after
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {asked[0]['sql']}")
        (plan,) = cursor.fetchone()[0]
    assert len(page.rows) == 50
    assert max(_rows_read(plan["Plan"])) <= 51


def _rows_read(node: dict[str, Any]) -> list[int]:
    """Of the cases' table, by each step of the plan."""
    read = node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
    own = [int(read)] if node.get("Relation Name") == "cases_exceptioncase" else []
    return [*own, *(rows for part in node.get("Plans", ()) for rows in _rows_read(part))]


def test_search_finds_by_code_name_and_any_systems_id(sign_in: SignIn) -> None:
    from tests.revops import world

    world.systems()
    _, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    some_cases(5)
    client = sign_in("farid", "finance_analyst")
    for text in (case.code, "hald", world.BILLED, world.INVOICE, world.CRM_ID, case.code.lower()):
        page = client.get("/queue/", {"q": text}).content.decode()
        assert f'id="case-{case.pk}"' in page, text
        assert page.count("data-row ") == 1, text
    assert "No exception fits these filters" in client.get("/queue/", {"q": "in_nothing"}).content.decode()


def test_what_is_not_yet_due_is_found_by_the_words_of_its_sentence(sign_in: SignIn) -> None:
    from tests.revops import world

    world.systems()
    world.customers()
    since = world.now() - dt.timedelta(hours=3)
    world.say("stripe", world.billed(world.usd("70.00"), finalized_at=since))
    world.detect()
    client = sign_in("farid", "finance_analyst")
    for words, there in (("has no invoice for it", True), ("Billing finalised", True), ("A-1", True), ("nothing like it", False)):
        page = client.get("/queue/", {"status": "not_due", "q": words}).content.decode()
        assert ("the ERP has no invoice for it" in page) is there, words


def test_empty_queues_say_why(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    assert b"No system is connected yet" in client.get("/queue/").content
    SourceSystem.objects.create(slug="stripe", label="Stripe", role="billing", vendor="stripe").freshness.create(
        object_type="invoice"
    )
    assert b"All done" in client.get("/queue/").content
    assert b"Nothing is snoozed" in client.get("/queue/?status=snoozed").content
    assert b"No exception fits" in client.get("/queue/?severity=critical").content


def test_htmx_gets_the_fragment_and_a_browser_the_page(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    a_case()
    assert b"<html" in client.get("/queue/").content
    fragment = client.get("/queue/", headers=HTMX).content
    assert b"<html" not in fragment
    assert b"data-row" in fragment


def test_saved_views_are_mine_or_shared_and_counted(sign_in: SignIn) -> None:
    mine, other = sign_in("farid", "finance_analyst"), sign_in("carla", "cs_analyst")
    some_cases(6, severity=1)
    a_case(severity=2)
    mine.post("/queue/views/", {"name": " Worst  first ", "query": "severity=critical&after=zzz", "shared": "1"})
    mine.post("/queue/views/", {"name": "Private", "query": "severity=high"})
    view = SavedView.objects.get(name="Worst first")
    assert view.query == "severity=critical"
    page = other.get("/queue/?show=all").content.decode()
    assert "Worst first" in page
    assert "Private" not in page
    assert other.post(f"/queue/views/{view.pk}/delete/").status_code == 404
    assert mine.post(f"/queue/views/{view.pk}/delete/").status_code == 302
    assert not SavedView.objects.filter(pk=view.pk).exists()


def test_the_pulse_offers_new_rows_and_changes_nothing(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    before = timezone.now()
    a_case(opened_at=timezone.now())
    assert b"1 new: show" in client.get("/queue/pulse/", {"since": before.isoformat()}).content
    assert b"new: show" not in client.get("/queue/pulse/", {"since": timezone.now().isoformat()}).content
    assert client.get("/queue/pulse/", {"since": "never"}).status_code == 200


def test_find_resolves_codes_and_ids(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    case, account = a_case(), an_account(name="Halden Robotics")
    assert client.get("/find/", {"q": f"ex-{case.pk}"})["Location"] == f"/cases/{case.code}/"
    assert client.get("/find/", {"q": account.code})["Location"] == f"/accounts/{account.code}/"
    assert b"Halden Robotics" in client.get("/find/", {"q": "halden"}).content
    assert b"Nothing fits" in client.get("/find/", {"q": "\x00zzzz"}).content


def test_counts_follow_ones_own_action_at_once(sign_in: SignIn) -> None:
    client = sign_in("farid", "finance_analyst")
    case = a_case(team="finance")
    some_cases(3)

    def mine() -> str:
        return re.split(r">\s*Mine\s*<", client.get("/queue/").content.decode())[1].split("</li>")[0]

    assert '<span class="n">0</span>' in mine()
    client.post(f"/cases/{case.code}/take/", {"version": "1"})
    assert '<span class="n">1</span>' in mine()


def test_the_queue_is_shown_without_redis(sign_in: SignIn, settings: Any) -> None:
    client = sign_in("farid", "finance_analyst")
    case = a_case()
    settings.CACHES = {"default": {**settings.CACHES["default"], "LOCATION": "redis://127.0.0.1:1/0"}}
    assert case.code in client.get("/queue/").content.decode()
