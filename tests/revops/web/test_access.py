"""Who may open which page. Forbidden and missing look alike."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from revops.access.rules import GRANTS
from revops.people.actors import System
from revops.people.models import Role
from sync import connections
from sync.models import Replay
from tests.revops import world
from tests.revops.web.conftest import Seat

pytestmark = pytest.mark.django_db
SignIn = Callable[..., Seat]

VERB_OF_PAGE = {
    "/queue/?show=all": "see_queue",
    "/queue/pulse/": "see_queue",
    "/cases/{case}/": "see_case",
    "/cases/{case}/preview/": "see_case",
    "/accounts/": "see_account",
    "/accounts/{account}/": "see_account",
    "/accounts/{account}/counterparts/": "see_account",
    "/rules/": "see_rules",
    "/rules/invoice_not_posted/": "see_rules",
    "/unlinked/": "see_ledger",
    "/records/{record}/": "see_ledger",
    "/plans/": "see_plan",
    "/plans/{plan}/": "see_plan",
    "/approvals/": "see_approvals",
    "/approvals/{plan}/": "see_approvals",
    "/deliveries/": "see_deliveries",
    "/deliveries/dead/": "see_dead_letters",
    "/deliveries/replays/{run}/": "see_deliveries",
    "/audit/": "see_audit",
    "/people/": "see_people",
    "/people/{person}/": "see_people",
    "/first-steps/": "manage_people",
    "/connections/": "see_connections",
    "/connections/netsuite/": "see_connections",
    "/connections/netsuite/change/": "manage_connections",
    "/connect/": "manage_connections",
    "/connect/netsuite/": "manage_connections",
}
FOR_EVERYBODY = {
    "/", "/find/", "/sign-in/", "/sign-in/second/", "/sign-out/", "/preferences/", "/status-banner/", "/confirm/",
    "/passkeys/challenge/", "/link/", "/me/",
}  # fmt: skip
"""One's own account under /me/ is everybody's, and about nobody else: `tests/revops/web/test_own_account.py`."""
POSTS = {
    "/queue/bulk/": "work_case",
    "/queue/views/": "save_view",
    "/cases/{case}/watch/": "watch_case",
    "/cases/{case}/take/": "work_case",
    "/cases/{case}/assign/": "work_case",
    "/cases/{case}/snooze/": "work_case",
    "/cases/{case}/wake/": "work_case",
    "/cases/{case}/notes/": "work_case",
    "/accounts/{account}/counterparts/say/": "link_account",
    "/rules/invoice_not_posted/switch/": "switch_rules",
    "/unlinked/link/": "link_account",
    "/accounts/{account}/unlink/": "link_account",
    "/plans/{plan}/submit/": "compose_plan",
    "/plans/{plan}/withdraw/": "compose_plan",
    "/plans/{plan}/undo/": "compose_plan",
    "/approvals/{plan}/approve/": "decide_plan",
    "/approvals/{plan}/reject/": "decide_plan",
    "/deliveries/replay/preview/": "replay_delivery",
    "/deliveries/replay/": "replay_delivery",
    "/deliveries/replays/{run}/cancel/": "replay_delivery",
    "/people/invite/": "manage_people",
    "/people/{person}/link/": "manage_people",
    "/people/{person}/roles/give/": "manage_people",
    "/people/{person}/roles/take/": "manage_people",
    "/people/{person}/deactivate/": "manage_people",
    "/people/{person}/reactivate/": "manage_people",
    "/people/{person}/forget/": "manage_people",
    "/connect/netsuite/": "manage_connections",
    "/connect/netsuite/try/": "manage_connections",
    "/connections/netsuite/change/": "manage_connections",
    "/connections/netsuite/change/try/": "manage_connections",
    "/connections/netsuite/try/": "manage_connections",
    "/connections/netsuite/start/": "manage_connections",
    "/connections/netsuite/pause/": "manage_connections",
    "/connections/netsuite/read/": "manage_connections",
    "/connections/netsuite/secrets/webhook_secret/": "manage_connections",
    "/connections/netsuite/secrets/webhook_secret/end/": "manage_connections",
    "/connections/netsuite/posting/stop/": "manage_connections",
    "/connections/netsuite/posting/propose/": "manage_connections",
    "/posting-proposals/{posting_proposal}/confirm/": "confirm_posting",
    "/posting-proposals/{posting_proposal}/refuse/": "confirm_posting",
}


@pytest.fixture
def codes() -> dict[str, str]:
    """One of everything."""
    world.systems()
    account, case = world.mismatch(world.usd("1120.00"), world.usd("1000.00"))
    plan = world.credit_plan(world.person("maker", "finance_analyst"), case)
    record = account.records.first()
    assert record is not None
    run = Replay.objects.create(asked_by_label="system:tests")
    root, erp = (
        world.person("root", "admin"),
        connections.connect(
            slug="erp", vendor="netsuite", base_url="https://erp.example", values=world.ERP_GIVEN, acting_user=System("tests")
        ),
    )
    proposal = connections.propose_posting(str(erp.pk), reason="Go live", step_up=world.proof(root), acting_user=root)
    return {"case": case.code, "account": account.code, "plan": plan.code, "record": str(record.pk), "run": str(run.pk),
            "person": str(plan.maker_id), "posting_proposal": str(proposal.pk)}  # fmt: skip


@pytest.mark.parametrize("role", list(Role))
def test_each_role_opens_exactly_its_pages(role: Role, codes: dict[str, str], sign_in: SignIn) -> None:
    client = sign_in(role.value, role.value)
    for page, verb in VERB_OF_PAGE.items():
        answer = client.get(page.format(**codes))
        assert answer.status_code == (200 if role in GRANTS[verb] else 404), page


@pytest.mark.parametrize("role", list(Role))
def test_each_role_posts_exactly_where_it_may(role: Role, codes: dict[str, str], sign_in: SignIn) -> None:
    client = sign_in(role.value, role.value)
    for page, verb in POSTS.items():
        answer = client.post(page.format(**codes), {})
        if role not in GRANTS[verb] or (role is Role.CS_ANALYST and verb == "work_case" and "{case}" in page):
            assert answer.status_code == 404, page
        else:
            assert answer.status_code in (200, 302, 404, 409, 422, 403), page
            assert answer.status_code != 404 or "link" in page, page


def test_missing_and_forbidden_have_the_same_body(codes: dict[str, str], sign_in: SignIn) -> None:
    client = sign_in("admin", "admin")
    answers = [client.get(path) for path in (f"/cases/{codes['case']}/", "/cases/EX-99999/", "/cases/nonsense/", "/audit/")]
    main = [a.content.decode().split("<main")[1].split("Request <span")[0] for a in answers]
    assert {a.status_code for a in answers} == {404}
    assert len(set(main)) == 1


def test_every_address_of_the_pages_is_covered_here() -> None:
    """A new page without a line above fails this test."""
    known = {p.split("{")[0].split("?")[0].rstrip("/") for p in [*VERB_OF_PAGE, *POSTS, *FOR_EVERYBODY]}
    known |= {"/queue", "/queue/views", "/plans/new", "/plans", "/deliveries", "/deliveries/replay/progress", "/cases"}
    known |= {"/people/proposals"}
    for resolver in get_resolver().url_patterns:
        assert isinstance(resolver, URLResolver)
        module = getattr(resolver, "urlconf_name", None)
        if getattr(module, "__name__", "") not in ("revops.web.urls", "sync.surface.pages"):
            continue
        for pattern in resolver.url_patterns:
            assert isinstance(pattern, URLPattern)
            path = "/" + str(pattern.pattern).split("<")[0].rstrip("/")
            assert path in known or path == "/" or path.startswith("/me/"), path


def test_the_start_leads_to_ones_work(sign_in: SignIn) -> None:
    starts = {
        "finance_analyst": "/queue/", "cs_analyst": "/queue/", "approver": "/approvals/", "auditor": "/queue/",
        "admin": "/deliveries/",
    }  # fmt: skip
    for role, target in starts.items():
        assert sign_in(role, role).get("/")["Location"] == target


def test_an_auditor_is_offered_nothing_that_writes(codes: dict[str, str], sign_in: SignIn) -> None:
    auditor, analyst = sign_in("aurelio", "auditor"), sign_in("frida", "finance_analyst")
    for page in (f"/cases/{codes['case']}/", "/queue/?show=all&severity=high"):
        writes = {who: "/watch/" in shown or "/queue/views/" in shown for who, shown in (
            ("auditor", auditor.get(page).content.decode()), ("analyst", analyst.get(page).content.decode()),
        )}  # fmt: skip
        assert writes == {"auditor": False, "analyst": True}, page


def test_a_code_is_found_only_by_who_may_see_what_it_names(codes: dict[str, str], sign_in: SignIn) -> None:
    admin, analyst = sign_in("ada", "admin"), sign_in("frida", "finance_analyst")
    for there, absent in ((codes["case"], "EX-99999"), (codes["account"], "AC-99999"), (codes["plan"], "CP-99999")):
        assert analyst.get(f"/find/?q={there}").status_code == 302
        answers = [admin.get(f"/find/?q={code}") for code in (there, absent)]
        assert {answer.status_code for answer in answers} == {200}
