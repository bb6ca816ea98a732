"""What is refused before anything is done: who asks, in which form, with which bytes. A2, A7, A11, A13, A17."""

from __future__ import annotations

import base64
import datetime as dt
import json
import logging
from urllib.parse import quote

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from revops.cases.models import CaseNote
from revops.identity.tokens import token_digest
from revops.people.models import ApiToken, Role, User
from revops.postings.models import ChangePlan
from tests.accounts import as_owner
from tests.revops import world
from tests.revops.api.caller import PROBLEM, Caller, Company, body, code, errors, new_key, token_for

FIN = Role.FINANCE_ANALYST

# --- A13, A17: who asks ----------------------------------------------------------------------------------------------


@pytest.fixture
def ana(db: None) -> User:
    return world.person("ana", FIN)


def test_a_good_token_opens(ana: User) -> None:
    assert Caller(ana).get("cases/").status_code == 200


def test_a13_an_expired_token(ana: User) -> None:
    token = token_for(ana, days=1, now=timezone.now() - dt.timedelta(days=1, seconds=1))
    answer = Caller(token=token).get("cases/")
    assert code(answer) == (401, "authentication_failed")
    assert answer["WWW-Authenticate"] == 'Bearer realm="revops"'


def test_a_token_lives_to_its_last_second(ana: User) -> None:
    token = token_for(ana, days=1, now=timezone.now() - dt.timedelta(days=1) + dt.timedelta(seconds=30))
    assert Caller(token=token).get("cases/").status_code == 200


def test_a13_a_revoked_token(ana: User) -> None:
    caller = Caller(ana)
    assert caller.get("cases/").status_code == 200
    ApiToken.objects.filter(digest=token_digest(caller.token)).update(revoked_at=timezone.now())
    assert caller.get("cases/").status_code == 401


def test_a13_the_token_of_somebody_who_left(ana: User) -> None:
    caller = Caller(ana)
    world.gone(ana)
    assert caller.get("cases/").status_code == 401


def _jwt() -> str:
    parts = [{"alg": "none"}, {"sub": "ana@example.com", "exp": 4_000_000_000}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@pytest.mark.parametrize(
    "header",
    [
        "Bearer",
        "Bearer ",
        "Bearer a b",
        "Bearer rvo_unknown",
        f"Bearer {_jwt()}",
        "Basic YW5hOmFuYQ==",
        "Token rvo_unknown",
        "Bearer \u00e9\u00e9",
        "Bearer " + "x" * 8000,
        "Bearer '; drop table people_user; --",
    ],
)
def test_a13_what_is_no_token_of_ours(ana: User, header: str) -> None:
    assert Caller().get("cases/", Authorization=header).status_code == 401


def test_a13_the_digest_of_a_token_is_no_token(ana: User) -> None:
    assert Caller(token=token_digest(Caller(ana).token)).get("cases/").status_code == 401


@pytest.mark.parametrize("name", ["access_token", "token", "authorization", "api_key"])
def test_a13_a_token_in_the_address_is_not_read(ana: User, name: str) -> None:
    token = token_for(ana)
    assert Caller().get(f"cases/?{name}={token}").status_code == 401
    assert code(Caller().post(f"cases/1/notes/?{name}={token}", {name: token, "text": "x"})) == (401, "not_authenticated")


def test_a17_a_session_cookie_is_nobody(company: Company) -> None:
    browser = Client(raise_request_exception=False)
    browser.force_login(company.people[FIN])
    path = f"/api/v1/cases/{company.case.pk}/notes/"
    assert browser.get("/api/v1/cases/").status_code == 401
    answer = browser.post(path, '{"text": "x"}', content_type="application/json", headers={"Idempotency-Key": new_key()})
    assert (answer.status_code, answer["Content-Type"]) == (401, PROBLEM)
    assert not CaseNote.objects.exists()


# --- A11: one form in, one form out ----------------------------------------------------------------------------------


def test_a11_the_method_cannot_be_overridden(company: Company) -> None:
    caller, path = company[FIN], f"change-plans/{company.plan.pk}/"
    for answer in (
        caller.post(path, {}, X_HTTP_Method_Override="GET"),
        caller.post(f"{path}?_method=GET", {}),
        caller.get(f"{path}withdraw/", X_HTTP_Method_Override="POST"),
        caller.get(f"{path}withdraw/?_method=POST"),
    ):
        assert code(answer) == (405, "method_not_allowed")
        assert answer["Allow"]
    company.plan.refresh_from_db()
    assert company.plan.state == "submitted"


@pytest.mark.parametrize("path", ["cases.json", "cases.html", "cases/.json", "cases/1.api/", "cases/1/.xml"])
def test_a11_there_are_no_format_suffixes(ana: User, path: str) -> None:
    assert code(Caller(ana).get(path)) == (404, "not_found")


@pytest.mark.parametrize("form", ["html", "api", "admin", "xml"])
def test_a11_there_is_no_other_renderer(ana: User, form: str) -> None:
    assert Caller(ana).get(f"cases/?format={form}").status_code in (400, 404)


@pytest.mark.parametrize("accepted", ["text/html", "application/xml", "image/*", "nonsense"])
def test_what_we_cannot_answer_is_406(ana: User, accepted: str) -> None:
    assert code(Caller(ana).get("cases/", Accept=accepted)) == (406, "not_acceptable")


def test_browsers_get_json_as_well(ana: User) -> None:
    answer = Caller(ana).get("cases/", Accept="text/html,application/xhtml+xml;q=0.9,*/*;q=0.8")
    assert answer["Content-Type"] == "application/json"


@pytest.mark.parametrize(
    "path",
    ["/api/", "/api/v1/", "/api/v2/cases/", "/api/v1/nothing/", "/api/v1/cases/x/", "/api/v1/cases/-1/", "/api/v1/cases//"],
)
def test_unknown_addresses_are_problems(ana: User, path: str) -> None:
    for caller in (Caller(), Caller(ana)):
        for method in ("GET", "POST", "DELETE"):
            assert code(caller.call(method, path)) == (404, "not_found")


def test_an_address_without_its_last_slash_is_the_same(company: Company) -> None:
    caller = company[FIN]
    assert body(caller.get(f"accounts/{company.case.account_id}/ledger?as_of=2026-01-01T00:00:00Z"))["records"] == []
    assert Caller().get("cases").status_code == 401
    answer = caller.post(f"cases/{company.case.pk}/notes", {"text": "No slash"}, key="without-a-slash")
    assert answer.status_code == 201
    again = caller.post(f"cases/{company.case.pk}/notes/", {"text": "No slash"}, key="without-a-slash")
    assert again.content == answer.content


# --- bytes -----------------------------------------------------------------------------------------------------------


CONTENT_TYPES = [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "",
    "nonsense",
]


def test_another_content_type(company: Company) -> None:
    for content_type in CONTENT_TYPES:
        answer = company[FIN].call(
            "POST", f"cases/{company.case.pk}/notes/", b"text=hello", Content_Type=content_type, Idempotency_Key=new_key()
        )
        assert code(answer) == (415, "unsupported_media_type")
        assert not CaseNote.objects.exists()


DEEP = "[" * 100_000
UNREADABLE = {
    "no json": b"hello",
    "cut off": b'{"text": "hel',
    "two documents": b'{"text": "a"} {"text": "b"}',
    "not utf-8": b'{"text": "\xff\xfe"}',
    "utf-16": '{"text": "a"}'.encode("utf-16"),
    "one key twice": b'{"text": "a", "text": "b"}',
    "NaN": b'{"text": NaN}',
    "Infinity": b'{"text": -Infinity}',
    "NUL": b'{"text": "a\\u0000b"}',
    "NUL in a key": b'{"te\\u0000xt": "a"}',
    "half a surrogate pair": b'{"text": "\\ud800"}',
    "half a surrogate pair, deep inside": b'{"text": [{"a": ["\\udfff"]}]}',
    "too deep": f'{{"text": {DEEP}'.encode(),
    "deep, but well formed": b'{"text": ' + b"[" * 40 + b"]" * 40 + b"}",
    "a number that is none": b'{"text": 1e9999999999999999999999}',
    "a number without end": b'{"text": ' + b"1" * 5000 + b"}",
}


def test_bytes_that_are_no_request(company: Company) -> None:
    for what, content in UNREADABLE.items():
        answer = company[FIN].call("POST", f"cases/{company.case.pk}/notes/", content, Idempotency_Key=new_key())
        assert code(answer) == (400, "parse_error"), what
        assert b"hel" not in answer.content
    assert not CaseNote.objects.exists()


def test_json_that_says_nothing_fitting(company: Company) -> None:
    for content in ["[]", '"text"', "5", "null", "true", "[{}]", "{}", '{"text": null}', '{"text": ""}']:
        answer = company[FIN].call("POST", f"cases/{company.case.pk}/notes/", content, Idempotency_Key=new_key())
        assert code(answer) == (400, "invalid"), content


def test_a_note_is_plain_text(company: Company) -> None:
    texts: list[object] = [5, 5.5, True, ["a"], {"a": 1}, "   ", "a\u0007b", "a\u001bb", "a\u0085b", "a\rb"]
    for text in texts:
        answer = company[FIN].post(f"cases/{company.case.pk}/notes/", {"text": text})
        assert code(answer) == (400, "invalid")
        assert set(errors(answer)) == {"text"}


def test_text_of_any_script_is_kept_as_it_is(company: Company) -> None:
    text = "Zürich\n\t東京 עברית \U0001f600 <b>&amp;</b> {{ x }} '; --"
    answer = company[FIN].post(f"cases/{company.case.pk}/notes/", {"text": text})
    assert (answer.status_code, body(answer)["text"]) == (201, text)
    assert CaseNote.objects.get().text == text


def test_two_hundred_kilobytes_of_text(company: Company) -> None:
    answer = company[FIN].post(f"cases/{company.case.pk}/notes/", {"text": "x" * 200_000})
    assert code(answer) == (400, "invalid")
    assert "10000" in errors(answer)["text"]
    assert len(answer.content) < 1000


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 6 * 1024 * 1024])
def test_a_body_that_is_larger_than_any(company: Company, size: int) -> None:
    content = b'{"text": "' + b"x" * (size - 12) + b'"}'
    answer = company[FIN].call("POST", f"cases/{company.case.pk}/notes/", content, Idempotency_Key=new_key())
    assert code(answer) == (413, "body_too_large")


# --- A2: what is not the caller's to say -----------------------------------------------------------------------------

FOREIGN = ["requester", "maker", "approved_by", "decided_by", "status", "state", "tenant", "id", "digest", "amount_minor", "user"]


def test_a2_who_asks_and_what_became_of_it_is_never_an_input(company: Company) -> None:
    for name in FOREIGN:
        refuse_everywhere(company, name)


def refuse_everywhere(company: Company, name: str) -> None:
    caller, plan = company[FIN], company.plan
    proposal = {"kind": "credit_memo", "case": company.case.pk, "reason": "x", "inputs": world.credit_inputs("20.00")}
    plans = ChangePlan.objects.count()
    for path, said in (
        ("change-plans/", proposal),
        (f"change-plans/{plan.pk}/withdraw/", {"reason": "x"}),
        (f"change-plans/{plan.pk}/submit/", {}),
        (f"cases/{company.case.pk}/notes/", {"text": "x"}),
        (f"deliveries/{company.delivery.pk}/replay/", {"reason": "x"}),
    ):
        answer = caller.post(path, {**said, name: "ana@example.com"})
        assert code(answer) == (400, "invalid"), path
        assert errors(answer) == {name: "This is not yours to say here."}
    answer = caller.post("change-plans/", proposal | {"inputs": world.credit_inputs("20.00", **{name: 5})})
    assert set(errors(answer)) == {f"inputs.{name}"}
    if name != "owner":
        answer = caller.patch(f"cases/{company.case.pk}/", {"owner": None, name: "x"}, '"v1"')
        assert code(answer) == (400, "invalid")
    assert ChangePlan.objects.count() == plans
    if name != "digest":
        signed = {"digest": plan.digest, "meaning": "x", name: "x"}
        assert code(company[Role.APPROVER].post(f"change-plans/{plan.pk}/approve/", signed)) == (400, "invalid")
    plan.refresh_from_db()
    assert plan.state == "submitted"


# --- A7: parameters --------------------------------------------------------------------------------------------------

LISTS = ["accounts/", "records/", "cases/", "change-plans/", "postings/", "audit/", "deliveries/", "connections/"]
UNKNOWN = ["ordering=user__password", "fields=user__password", "owner__password__startswith=p", "limit=5", "offset=5", "%00=1"]


def test_a7_a_parameter_that_nobody_knows_is_refused(company: Company) -> None:
    caller = company[Role.AUDITOR]
    for path in [*LISTS, f"accounts/{company.case.account_id}/ledger/", f"records/{company.record.pk}/entries/"]:
        for query in UNKNOWN:
            assert code(caller.get(f"{path}?{query}")) == (400, "invalid"), (path, query)


def cursor(text: str) -> str:
    return quote(base64.b64encode(text.encode()).decode())


CURSORS = [
    "x", "%00", "%ff", "a" * 5000, cursor("p=1;drop"), cursor("p=-5"), cursor("o=-5&p=1"), cursor("o=x"), cursor("p=\u0660"),
    cursor("p=" + "9" * 100), cursor("p=1.5"), cursor("p=A\x00"), cursor("p=None"), "\u00e9", "",
]  # fmt: skip


def test_a7_a_cursor_that_we_did_not_make(company: Company) -> None:
    caller = company[Role.AUDITOR]
    for path in LISTS:
        for given in CURSORS:
            assert code(caller.get(f"{path}?cursor={given}")) == (400, "invalid"), (path, given)


MISFITS = [
    "records/?object_type=secret", "records/?account=x", "records/?account=-1", "records/?account=%D9%A1",
    "records/?unlinked=1", "records/?system=%00", "records/?external_id=" + "x" * 201, "cases/?status=everything",
    "cases/?rule=none", "cases/?team=a%00", "cases/?account=1.5", "cases/?account=" + "9" * 30, "change-plans/?state=done",
    "change-plans/?case=x", "postings/?state=x", "postings/?plan=x", "audit/?verb=%0a", "audit/?account=x",
    "audit/?trace_id=%E2%80%AE", "deliveries/?state=lost", "deliveries/?connection=%00", "accounts/?search=%00",
    "accounts/?search=" + "x" * 201,
]  # fmt: skip


def test_a1_a_filter_that_cannot_be_meant_is_refused_and_never_ignored(company: Company) -> None:
    for path in MISFITS:
        answer = company[Role.AUDITOR].get(path)
        assert code(answer) == (400, "invalid"), path
        assert set(errors(answer)) == {path.partition("?")[2].partition("=")[0]}


def test_numbers_beyond_any_row(company: Company) -> None:
    for noun in ("accounts", "records", "cases", "change-plans", "postings", "deliveries"):
        for number in (0, 2**31, 2**63, 10**30):
            assert code(company[Role.AUDITOR].get(f"{noun}/{number}/")) == (404, "not_found")


# --- our own faults --------------------------------------------------------------------------------------------------


def test_i59_a_500_never_tells_its_text(company: Company, caplog: pytest.LogCaptureFixture) -> None:
    """The table is not there: nothing that anybody planned for."""
    with as_owner(), connection.cursor() as cursor:
        cursor.execute("ALTER TABLE cases_exceptioncase RENAME COLUMN sentence TO secret_column")
    with caplog.at_level(logging.ERROR, "revops.api"):
        answer = company[FIN].get("cases/")
    assert code(answer) == (500, "internal")
    for word in (b"sentence", b"column", b"psycopg", b"SELECT", b"Traceback"):
        assert word not in answer.content
    assert "sentence" in caplog.text


def test_operational_errors_are_ours_and_pass() -> None:
    from revops.api.problems import exception_handler

    answer = exception_handler(OperationalError("canceling statement due to lock timeout on table secret"), {})
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "secret" not in str(answer.data)


@pytest.mark.parametrize("odd", ["a\u202eb", "a\u2066b", "a\u0007b"])
def test_what_nobody_can_see_is_not_in_words_for_others(company: Company, odd: str) -> None:
    answer = company[FIN].post(f"cases/{company.case.pk}/notes/", {"text": odd})
    assert code(answer) == (400, "invalid")
    assert "Control characters" in errors(answer)["text"]


@pytest.mark.parametrize("size", ["0", "-1", "201", "1000000000", "null", "x", "1e2", "", "9" * 5000, "%D9%A1"])
def test_a7_a_page_size_that_is_none_is_refused(ana: User, size: str) -> None:
    assert code(Caller(ana).get(f"cases/?page_size={size}")) == (400, "invalid")
