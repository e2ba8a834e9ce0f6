"""Chromium, and what every test of a page asks of it. scripts/setup installs both."""

import sys
from contextlib import contextmanager

from conftest import ROOT, TARGET, install_packages

# Playwright is not a package of Debian: scripts/setup puts it below the build's folder.
sys.path += [str(folder) for folder in TARGET.glob("browser/lib/*/site-packages")]
from playwright.sync_api import sync_playwright  # noqa: E402 pylint: disable=import-error,wrong-import-position

NPM = ROOT / "tests/server/clients/pages"
OPTIONS = ["--no-sandbox", "--headless=new", "--disable-background-networking", "--disable-component-update",
           "--disable-sync", "--disable-gpu"]
RULES = ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa", "best-practice"]


@contextmanager
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=OPTIONS)
        try:
            yield browser
        finally:
            browser.close()


def axe_violations(page):
    """What axe-core finds on a page, with the elements."""
    install_packages(NPM)
    # Not as a script of the page: its policy allows none of others.
    page.evaluate((NPM / "node_modules/axe-core/axe.min.js").read_text())
    return page.evaluate("""async (runOnly) => (await axe.run({ preload: false, runOnly })).violations
        .map(({ id, nodes }) => [id, nodes.map(({ html, failureSummary }) => [html, failureSummary])])""", RULES)
