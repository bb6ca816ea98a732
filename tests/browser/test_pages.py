"""Every page in both themes and both widths: no axe violation, no sideways scroll, no error, no other origin."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.company import company, pages_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}}


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 800), (390, 844)])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_page_is_accessible_and_fits(desk: Any, dark: bool, width: int, height: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    found: list[str] = []
    for role, paths in pages_of(company()).items():
        mine = desk(role, role, width=width, height=height, dark=dark)
        for path in paths:
            mine.open(path)
            wide = mine.page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                found.append(f"{path}: scrolls sideways to {wide}")
            results = Axe().run(mine.page, options=RULES).response
            for line in results["violations"]:
                nodes = "; ".join(node["html"][:140] for node in line["nodes"][:3])
                found.append(f"{path}: {line['id']} ({len(line['nodes'])}): {nodes}")
    assert not found, "\n".join(found)


def test_the_sign_in_page_is_accessible(desk: Any) -> None:
    from axe_playwright_python.sync_playwright import Axe

    mine = desk("farid", "finance_analyst")
    mine.context.clear_cookies()
    mine.open("/sign-in/")
    assert not Axe().run(mine.page, options=RULES).response["violations"]


def test_four_hundred_percent_zoom_scrolls_tables_only(desk: Any) -> None:
    all_of_it = company()
    mine = desk("farid", "finance_analyst", width=320, height=640)
    for path in (f"/cases/{all_of_it.case.code}/", "/queue/", f"/accounts/{all_of_it.account.code}/"):
        mine.open(path)
        assert mine.page.evaluate("document.documentElement.scrollWidth") <= 320, path
