"""A shop shows the payment page in a dialog of its own page: from an origin that it may, and from another."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
from conftest import private_server, run, wait_until
from support.browser import axe_violations, chromium
from support.page_site import PageSite
from support.pay_page import PayShop
from support.postgrest import EXAMPLE, PostgREST

# The shop's own policy: no inline style, and scripts and frames of the payment pages only.
POLICY = "default-src 'none'; script-src 'self' {site}; style-src 'self'; frame-src {site}; img-src data:"
PAGE = """<!doctype html><html lang=en><link rel=icon href=data:,><title>Shop</title>
    <main><h1>Shop</h1><button id=buy>Buy</button></main><script type=module src=/shop.js></script>"""
SCRIPT = """
import {{ open }} from '{site}/pages/embed.js';
window.told = [];
const tell = (name) => (told) => window.told.push([name, told]);
document.getElementById('buy').addEventListener('click', () => {{
    const url = decodeURIComponent(location.hash.slice(1));
    window.opened = open({{ url, onReady: tell('ready'), onComplete: tell('complete'), onCancel: tell('cancel'),
        onExpired: tell('expired'), onError: tell('error') }});
}});
addEventListener('message', ({{ data }}) => (window.heard ??= []).push(data));
"""


class ShopPage(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, site):
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):  # pylint: disable=invalid-name
                script = self.path == "/shop.js"
                self.send_response(200)
                self.send_header("Content-Type", "text/javascript" if script else "text/html")
                self.send_header("Content-Security-Policy", POLICY.format(site=site))
                self.end_headers()
                self.wfile.write((SCRIPT.format(site=site) if script else PAGE).encode())

            def log_message(self, *_):
                """Says nothing."""

        super().__init__(("127.0.0.1", 0), Handler)
        # Two names of one machine: two origins.
        self.url, self.other = (f"http://{name}:{self.server_address[1]}" for name in ("127.0.0.1", "localhost"))
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


@pytest.fixture(scope="module")
def world():
    run("scripts/pages")
    with private_server("py-embed") as server:
        db = server.create_database()
        db.psql(f"--file={EXAMPLE / 'roles.sql'}")
        with PostgREST(db) as postgrest, PageSite(postgrest) as site, ShopPage(site.url) as page, chromium() as browser:
            shop = PayShop(db, embedding_origins=[page.url], payment_method_urls={"card": f"{page.url}/provider"})
            yield SimpleNamespace(shop=shop, site=site, page=page, browser=browser)


@pytest.fixture
def embedded(world):
    """Opens the dialog for a new session. Returns the shop's page, and what is in the frame."""
    pages = []

    def embedded(origin=world.page.url, **order):
        session, secret = world.shop.create(**{"amount": 25, **order})
        page = world.browser.new_page(viewport={"width": 1100, "height": 800}, locale="en-US")
        pages.append(page)
        page.set_default_timeout(15000)
        page.session, page.secret, page.said = session, secret, []
        page.on("console", lambda message: page.said.append(message.text))
        page.goto(f"{origin}/#{world.site.url}/pay/{session}%23{secret}")
        page.click("#buy")
        return page, page.frame_locator("iframe")

    yield embedded
    for page in pages:
        page.close()


def told(page):
    return [name for name, _ in page.evaluate("window.told")]


def test_a_buyer_pays_in_the_dialog(embedded):
    page, frame = embedded()
    frame.get_by_role("button", name="Pay €25.00").wait_for()
    wait_until(lambda: told(page) == ["ready"])
    assert page.evaluate("document.activeElement.tagName") == "CHECKOUT-SESSION"
    frame.locator(".test summary").click()
    frame.locator('.scenario[value="complete"]').click()
    frame.get_by_text("Thank you").wait_for()
    wait_until(lambda: told(page) == ["ready", "complete"])
    assert page.evaluate("window.told[1][1]") == {"checkout_session_id": page.session}
    # What the page tells has no secrets, and it does not lead on by itself: that is for the shop.
    heard = page.evaluate("window.heard")
    assert {message["type"] for message in heard} == {"ready", "complete", "height"}
    assert page.secret[10:] not in str(heard)
    page.evaluate("window.opened.close()")
    assert page.locator("dialog").count() == 0
    assert page.evaluate("document.activeElement.id") == "buy"


def test_the_page_of_a_payment_method_takes_the_place_of_the_shop(embedded, world):
    page, frame = embedded()
    frame.get_by_role("button", name="Pay €25.00").click()
    page.wait_for_url(f"{world.page.url}/provider")


@pytest.mark.parametrize("where", ["frame", "dialog", "button", "question"])
def test_a_buyer_closes_the_dialog(embedded, world, where):
    page, frame = embedded()
    leave = frame.get_by_role("button", name="Cancel and go back")
    leave.wait_for()
    if where == "frame":
        leave.focus()
        page.keyboard.press("Escape")
    elif where == "dialog":
        page.get_by_role("button", name="Close").focus()
        page.keyboard.press("Escape")
    elif where == "button":
        page.get_by_role("button", name="Close").click()
    else:
        leave.click()
        # Here Escape is for the question, and not for the dialog around it.
        page.keyboard.press("Escape")
        frame.get_by_role("dialog").wait_for(state="hidden")
        assert told(page) == ["ready"]
        leave.click()
        frame.get_by_role("button", name="Leave").click()
    wait_until(lambda: told(page) == ["ready", "cancel"])
    assert page.locator("dialog").count() == 0
    assert page.evaluate("document.activeElement.id") == "buy"
    assert world.shop.get(page.session)["status"] == "open"


def test_the_session_expires_in_the_dialog(embedded, world):
    page, frame = embedded()
    wait_until(lambda: told(page) == ["ready"])
    world.shop.call("expire_checkout_session", checkout_session_id=page.session)
    frame.locator("body").evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    frame.get_by_text("This page has expired").wait_for()
    wait_until(lambda: told(page) == ["ready", "expired"])


def test_another_origin_sees_nothing(embedded, world):
    page, _ = embedded(origin=world.page.other)
    asked = len(world.site.calls)
    # The server's header names the organization's origins only, and the browser shows an empty frame.
    wait_until(lambda: page.wait_for_timeout(100) or any("frame-ancestors" in text for text in page.said))
    assert told(page) == [] and page.evaluate("window.heard ?? []") == []
    assert len(world.site.calls) == asked


def test_a_host_without_the_header_shows_nothing_to_another_origin(embedded, world, monkeypatch):
    monkeypatch.setattr(world.site, "ancestors", lambda session: ["*"])
    page, frame = embedded(origin=world.page.other)
    frame.get_by_text("This page may not be shown inside another one.").wait_for()
    assert page.evaluate("window.heard ?? []") == []
    # Nor if it says that it is another one.
    page, frame = embedded(origin=world.page.url)
    frame.get_by_role("button", name="Pay").wait_for()
    src = page.locator("iframe").get_attribute("src")
    other = world.browser.new_page()
    other.goto(world.page.other)
    other.evaluate("src => document.body.append(Object.assign(document.createElement('iframe'), { src }))", src)
    other.frame_locator("iframe").get_by_role("button", name="Pay").wait_for()
    assert other.evaluate("window.heard ?? []") == []
    other.close()


def test_messages_of_others_change_nothing(embedded):
    page, frame = embedded()
    frame.get_by_role("button", name="Pay").wait_for()
    wait_until(lambda: told(page) == ["ready"])
    page.evaluate("postMessage({ source: 'checkout-sessions', type: 'complete' }, '*')")
    page.wait_for_timeout(200)
    assert told(page) == ["ready"]


def test_axe_finds_nothing_in_the_dialog(embedded):
    page, frame = embedded()
    frame.get_by_role("button", name="Pay").wait_for()
    assert axe_violations(page) == []
