"""The dashboard in headless Chromium, as a person uses it."""

from conftest import ROOT

BUSY = "[aria-busy=true]"


class Dashboard:
    """`limits` replaces texts of queries.js."""

    def __init__(self, browser, host, limits=(), **options):
        usual = {"viewport": {"width": 1280, "height": 860}, "locale": "en-US", "timezone_id": "Europe/Paris"}
        self.context = browser.new_context(accept_downloads=True, **{**usual, **options})
        self.page = self.context.new_page()
        self.page.set_default_timeout(8000)
        self.troubles = []
        self.page.on("pageerror", lambda error: self.troubles.append(str(error)))
        self.page.on("console", lambda message: message.type == "error" and self.troubles.append(message.text))
        if limits:
            self.page.route("**/queries.js", lambda route: self.limited(route, limits))
        self.page.goto(f"{host.url}/dashboard")

    @staticmethod
    def limited(route, limits):
        text = (ROOT / "pages/dashboard/queries.js").read_text()
        for old, new in limits.items():
            assert old in text
            text = text.replace(old, new)
        route.fulfill(body=text, content_type="text/javascript")

    def sign_in(self, credential):
        self.page.fill("#credential", credential)
        self.page.click("button[type=submit]")
        self.page.wait_for_selector("nav a[aria-current=page]", state="attached")
        return self.settle()

    def settle(self):
        """Waits until everything is loaded."""
        self.page.wait_for_selector(BUSY, state="detached")
        self.page.wait_for_timeout(50)
        return self

    def go(self, place):
        self.page.evaluate("place => { location.hash = '#/' + place; }", place)
        self.page.wait_for_timeout(30)
        return self.settle()

    def text(self, selector="main"):
        return self.page.inner_text(selector)

    def rows(self, table):
        """The texts of the cells of a table, found by its caption."""
        return self.page.eval_on_selector_all(
            f"table:has(caption:text-is('{table}')) tbody tr",
            "rows => rows.map(row => [...row.cells].map(cell => cell.innerText.trim().replace(/\\s+/g, ' ')))")

    def stored(self):
        """What the browser keeps."""
        return self.page.evaluate("({ local: { ...localStorage }, session: { ...sessionStorage } })")

    def forgive(self, text):
        """Chromium logs every request that fails. A test that wants one says so."""
        assert any(text in trouble for trouble in self.troubles), self.troubles
        self.troubles = [trouble for trouble in self.troubles if text not in trouble]

    def width(self):
        return self.page.evaluate("document.documentElement.scrollWidth")

    def viewport_width(self):
        return self.page.evaluate("document.documentElement.clientWidth")

    def picture(self, path):
        path.parent.mkdir(exist_ok=True)
        self.page.evaluate("document.activeElement.blur()")
        self.page.screenshot(path=path)

    def close(self):
        self.context.close()
        assert not self.troubles, self.troubles
