"""Error pages when things are away: collected files, the session, the database. The real web server, entered over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from django.test import Client

from launch.embedded import free_port
from tests.revops.web.conftest import HTMX
from tests.sync.processes import web_server

pytestmark = pytest.mark.outside


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A browser at a web server without collected files and without a database."""
    nothing = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    folder = tmp_path_factory.mktemp("nothing-collected")
    with (
        web_server(DATABASE_URL=nothing, REVOPS_STATIC_ROOT=str(folder), REVOPS_HTTPS="0") as url,
        httpx2.Client(base_url=url, timeout=20, trust_env=False) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "words"),
    [
        ("GET", "/nowhere/", {}, 404, "There is nothing here"),
        ("GET", "/static/css/nothing.css", {}, 404, "There is nothing here"),
        ("GET", "/sign-in/", {"Host": "evil.example"}, 400, "The request could not be read"),
        ("POST", "/sign-in/", {}, 403, "This form has expired"),
        ("GET", "/sign-in/", {}, 500, "Something went wrong on our side"),
        ("GET", "/queue/", {"Cookie": "revops-session=abcdefghijklmnopqrstuvwxyz012345"}, 503, "The service is busy"),
    ],
)
def test_each_error_has_its_page_without_files_session_and_database(
    bare: httpx2.Client, method: str, path: str, headers: dict[str, str], status: int, words: str
) -> None:
    answer = bare.request(method, path, headers=headers)
    assert (answer.status_code, words in answer.text) == (status, True), answer.text
    assert answer.headers["X-Request-Id"] in answer.text
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Cache-Control"] == "no-store"
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_a_fragment_gets_a_line_instead_of_a_page(bare: httpx2.Client) -> None:
    session = {"Cookie": "revops-session=abcdefghijklmnopqrstuvwxyz012345"}
    answer = bare.get("/queue/", headers={**HTMX, **session})
    assert answer.status_code == 503
    assert answer.headers["HX-Retarget"] == "#alerts"
    assert "<html" not in answer.text
    assert "The service is busy" in answer.text


def test_somebody_who_sent_a_form_is_told_to_look_first(bare: httpx2.Client) -> None:
    token = "a" * 32
    cookies = f"revops-session=abcdefghijklmnopqrstuvwxyz012345; revops-csrf={token}"
    answer = bare.post("/preferences/", data={"csrfmiddlewaretoken": token}, headers={"Cookie": cookies})
    assert answer.status_code == 503
    assert "look whether it was carried out" in answer.text


def test_the_page_keeps_the_chosen_theme(bare: httpx2.Client) -> None:
    assert 'data-theme="dark"' in bare.get("/nowhere/", headers={"Cookie": "revops-theme=dark"}).text
    assert "data-theme" not in bare.get("/nowhere/", headers={"Cookie": 'revops-theme="><script>'}).text


@pytest.mark.django_db
def test_with_everything_there_the_page_has_its_frame(client: Client) -> None:
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert b'class="skip"' in answer.content
    assert (Path(__file__).parents[3] / "static/css/error.css").exists()
