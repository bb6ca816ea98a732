"""Take the README's picture of the queue from a running product: `python scripts/screenshot.py http://127.0.0.1:8000`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

CHROMIUM = "/usr/bin/chromium"
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
TARGET = Path(__file__).resolve().parent.parent / "docs" / "queue.png"


def main(address: str) -> None:
    """Sign in as the finance analyst of the rehearsal company, open an amount that differs beside the queue, take the picture."""
    with sync_playwright() as program:
        browser = program.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        page = browser.new_page(viewport={"width": 1440, "height": 900}, color_scheme="light")
        page.goto(f"{address}/sign-in/")
        page.fill("#username", "finance@rehearsal.example")
        page.fill("#password", os.environ.get("REVOPS_DEMO_PASSWORD", "made-up-company-2026"))
        page.click("form button.main")
        page.goto(f"{address}/queue/?entity=DE&entity=US")
        page.locator("tr[data-row]", has_text="Invoice amount mismatch").first.locator(".c-what").click()
        page.locator("#pane .mini").wait_for()
        page.wait_for_load_state("networkidle")
        page.screenshot(path=str(TARGET))
        browser.close()
    sys.stdout.write(f"{TARGET.name} taken\n")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
