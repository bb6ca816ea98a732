"""Every page in both themes and three sizes: no axe violation, no sideways scroll, no error, no other origin."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest

from tests.browser.company import company, pages_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.timeout(300)]
AXE = (files("axe_playwright_python") / "axe.min.js").read_text()
CONTRAST: dict[str, object] = {"runOnly": {"type": "rule", "values": ["color-contrast"]}, "resultTypes": ["violations"]}
RULES: dict[str, object] = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}


SIZES = ((1440, 900), (1280, 800), (390, 844))
LAID_OUT = (1440, 390)
"""The widths at which axe looks: the two layouts that there are."""


@pytest.mark.parametrize("role", ["finance_analyst", "approver", "cs_analyst", "auditor", "admin"])
def test_every_page_is_accessible_and_fits(desk: Any, role: str) -> None:
    """Each page at three sizes and in two themes. A theme changes colours only, so the dark one is asked for contrast alone."""
    found: list[str] = []
    mine = desk(role, role)
    for path in pages_of(company())[role]:
        mine.open(path)
        mine.page.evaluate(AXE)
        for width, height in SIZES:
            mine.page.set_viewport_size({"width": width, "height": height})
            wide = mine.page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                found.append(f"{path} at {width}: scrolls sideways to {wide}")
            for theme, options in (("light", RULES), ("dark", CONTRAST)) if width in LAID_OUT else ():
                mine.page.emulate_media(color_scheme=theme)
                found += [f"{path} at {width}, {theme}: {line}" for line in violations(mine.page, options)]
    assert not found, "\n".join(found)


def test_every_role_walks_its_pages() -> None:
    """The roles of the test above are those that have pages."""
    assert set(pages_of(company())) == {"finance_analyst", "approver", "cs_analyst", "auditor", "admin"}


def violations(page: Any, options: dict[str, object]) -> list[str]:
    """What axe finds on the page as it is shown now; axe is loaded there."""
    answer = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{line['id']} ({len(line['nodes'])}): {'; '.join(node['html'][:140] for node in line['nodes'][:3])}"
        for line in answer["violations"]
    ]


def test_the_sign_in_page_is_accessible(desk: Any) -> None:
    mine = desk("farid", "finance_analyst")
    mine.context.clear_cookies()
    mine.open("/sign-in/")
    mine.page.evaluate(AXE)
    assert not violations(mine.page, RULES)


def test_four_hundred_percent_zoom_scrolls_tables_only(desk: Any) -> None:
    all_of_it = company()
    mine = desk("farid", "finance_analyst", width=320, height=640)
    for path in (f"/cases/{all_of_it.case.code}/", "/queue/", f"/accounts/{all_of_it.account.code}/"):
        mine.open(path)
        assert mine.page.evaluate("document.documentElement.scrollWidth") <= 320, path
