"""Signing in: alike for every wrong attempt, bounded, and never to another site."""

from __future__ import annotations

import re
from urllib.parse import urljoin

import pytest
from django.test import Client

from tests.factories import PASSWORD, person

pytestmark = pytest.mark.django_db


def test_the_right_password_opens_what_was_asked_for(client: Client) -> None:
    person("farid", "finance_analyst")
    answer = client.post("/sign-in/", {"username": "Farid@example.com", "password": PASSWORD, "next": "/accounts/?q=x"})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/?q=x")
    assert client.get("/accounts/").status_code == 200


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/", "//evil.example", "///evil.example", "/\\evil.example", "javascript:alert(1)", "/sign-out/",
        "http://testserver//evil.example/x", "http://testserver/\\evil.example", "http:///evil.example", "\t//evil.example",
        "/\t/evil.example", "/queue/\r\nX: y",
    ],
)  # fmt: skip
def test_next_never_leaves_this_site(client: Client, target: str) -> None:
    """Before, at and after signing in, and where preferences are kept."""
    person("farid", "finance_analyst")
    signed = client.post("/sign-in/", {"username": "farid@example.com", "password": PASSWORD, "next": target})
    again = client.get("/sign-in/", {"next": target})
    kept = client.post("/preferences/", {"theme": "dark", "next": target})
    for answer in (signed, again, kept):
        where = answer["Location"]
        assert answer.status_code == 302
        assert urljoin("http://testserver/sign-in/", where).startswith("http://testserver/"), where
        assert not re.match(r"[/\\]{2}", re.sub(r"[\t\r\n]", "", where)), where


def test_an_unknown_name_and_a_wrong_password_look_alike(client: Client) -> None:
    person("farid", "finance_analyst")
    answers = [
        client.post("/sign-in/", {"username": name, "password": "wrong"}) for name in ("farid@example.com", "nobody@example.com")
    ]
    bodies = [answer.content.decode().replace("farid@", "X@").replace("nobody@", "X@") for answer in answers]
    strip = [body.split("csrfmiddlewaretoken")[0] for body in bodies]
    assert [answer.status_code for answer in answers] == [422, 422]
    assert strip[0].split("<main")[1] == strip[1].split("<main")[1]


def test_an_inactive_person_is_refused(client: Client) -> None:
    person("gone", "finance_analyst", is_active=False)
    assert client.post("/sign-in/", {"username": "gone@example.com", "password": PASSWORD}).status_code == 422


def test_attempts_are_counted_and_even_the_right_password_must_wait(client: Client) -> None:
    person("farid", "finance_analyst")
    for _ in range(8):
        assert client.post("/sign-in/", {"username": "farid@example.com", "password": "wrong"}).status_code == 422
    answer = client.post("/sign-in/", {"username": "farid@example.com", "password": PASSWORD})
    assert answer.status_code == 429
    other = Client(REMOTE_ADDR="203.0.113.7")
    assert other.post("/sign-in/", {"username": "farid@example.com", "password": PASSWORD}).status_code == 302


def test_everything_else_asks_for_a_sign_in_and_stays_out_of_caches(client: Client) -> None:
    answer = client.get("/queue/")
    assert (answer.status_code, answer["Location"]) == (302, "/sign-in/?next=/queue/")
    client.force_login(person("farid", "finance_analyst"))
    page = client.get("/queue/")
    assert page["Cache-Control"] == "no-store"
    assert "default-src 'self'" in page["Content-Security-Policy"]
    assert "unsafe" not in page["Content-Security-Policy"]


def test_signing_out_needs_a_post_and_ends_the_session(client: Client) -> None:
    client.force_login(person("farid", "finance_analyst"))
    assert client.get("/sign-out/").status_code == 405
    client.post("/sign-out/")
    assert client.get("/queue/").status_code == 302


def test_preferences_are_cookies_that_the_first_byte_obeys(client: Client) -> None:
    client.force_login(person("farid", "finance_analyst"))
    answer = client.post("/preferences/", {"theme": "dark", "next": "/queue/"})
    assert answer["Location"] == "/queue/"
    assert b'data-theme="dark"' in client.get("/queue/").content
    client.post("/preferences/", {"theme": "<script>", "density": "compact"})
    page = client.get("/queue/").content
    assert b'data-theme="dark"' in page
    assert b'data-density="compact"' in page


def test_without_a_role_the_start_says_so(client: Client) -> None:
    client.force_login(person("new"))
    assert b"You have no role yet" in client.get("/").content


def test_a_form_from_elsewhere_is_refused_in_our_own_look() -> None:
    strict = Client(enforce_csrf_checks=True)
    answer = strict.post("/sign-in/", {"username": "x", "password": "y"})
    assert answer.status_code == 403
    assert b"This form has expired" in answer.content
