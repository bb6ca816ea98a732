"""A real browser against a live server. Every page it opens is watched: errors, other origins, CSP reports."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page
    from pytest_django.live_server_helper import LiveServer

CHROMIUM = os.environ.get("REVOPS_CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--no-first-run",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _cheap_passwords(settings: Any) -> None:
    """Hashing is not what these tests are about."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests. Playwright keeps an event loop in this thread while it runs; the ORM is used between its
    calls, never inside one, so Django is told not to mind."""
    from playwright.sync_api import sync_playwright

    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield running
        running.close()


@dataclass
class Desk:
    """Somebody at a browser. `problems` collects what must never happen; `expected` are statuses that a test provokes."""

    context: BrowserContext
    page: Page
    base: str
    problems: list[str] = field(default_factory=list)

    def open(self, path: str) -> int:
        """Go there and return the status."""
        answer = self.page.goto(self.base + path)
        assert answer is not None
        return answer.status

    def text(self) -> str:
        """What the page shows."""
        return self.page.inner_text("body")


@pytest.fixture
def desk(browser: Browser, live_server: LiveServer) -> Iterator[Any]:
    """Makes desks: `desk("farid", "finance_analyst", width=390, height=844, dark=True, script=False)`."""
    from tests.factories import PASSWORD, person

    made: list[Desk] = []

    def make(name: str, *roles: str, width: int = 1440, height: int = 900, dark: bool = False, script: bool = True) -> Desk:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", java_script_enabled=script,
            reduced_motion="reduce",
        )  # fmt: skip
        context.set_default_timeout(8000)
        page = context.new_page()
        mine = Desk(context, page, live_server.url)
        made.append(mine)
        page.on("pageerror", lambda error: mine.problems.append(f"script: {error}"))
        page.on("console", lambda line: _judge(mine, line.type, line.text))
        page.on("request", lambda request: _same_origin(mine, request.url))
        person(name, *roles)
        mine.open("/sign-in/")
        page.fill("#username", f"{name}@example.com")
        page.fill("#password", PASSWORD)
        page.click("button.wide")
        page.wait_for_url(lambda url: "/sign-in" not in url)
        return mine

    yield make
    for one in made:
        one.context.close()
    problems = [problem for one in made for problem in one.problems]
    assert not problems, problems


def _judge(desk: Desk, kind: str, text: str) -> None:
    provoked = any(f"status of {code}" in text for code in (404, 409, 422, 429))
    if kind == "error" and not provoked:
        desk.problems.append(f"console: {text}")


def _same_origin(desk: Desk, url: str) -> None:
    if not url.startswith((desk.base, "data:", "blob:")):
        desk.problems.append(f"another origin: {url}")
