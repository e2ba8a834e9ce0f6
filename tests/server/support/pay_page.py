"""A shop whose buyers pay on the hosted page, and the page as a buyer sees it. The fixtures are for the modules that
import them: one server and one browser for each.
"""

import os
import re
from types import SimpleNamespace

import pytest
from conftest import ROOT, private_server, run
from psycopg2.extras import Json
from support.browser import chromium
from support.page_site import PageSite
from support.postgrest import EXAMPLE, PostgREST

METHODS = ["card", "bank_transfer", "mobile_money"]
PICTURES = ROOT / "tests/pages"
CART = [{"price_id": "tea", "quantity": 2}, {"price_id": "bowl"},
        {"kind": "shipping", "title": "DHL Express", "amount": 12.50},
        {"kind": "tax", "title": "VAT 20%", "amount": 9.60}]
FREE = {"lines": [{"price_id": "bowl"}], "allow_coupon_code": True, "coupon_code": "FRIEND"}
BUYER = {"success_url": "https://shop.example/thanks?session={CHECKOUT_SESSION_ID}",
         "cancel_url": "https://shop.example/cart"}
# What a page must neither run nor fill in.
HOSTILE = ('''<img src=x onerror=document.title='hit'> "onmouseover="x' javascript:x ${1+1} {{1+1}} '''
           "\u202eevil</script><b>")


def adapted(value):
    """A JSON value as psycopg2 sends it."""
    is_json = isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict))
    return Json(value) if is_json else value


class PayShop:
    """An organization with a catalog. Its server creates sessions in both environments."""

    def __init__(self, db, name="Maison Adjoa", **settings):
        self.db = db
        settings = {"uses_catalog": True, "payment_methods": METHODS, **settings}
        named = "".join(f", {key} => %s" for key in settings)
        values = [adapted(value) for value in settings.values()]
        self.id = db.value(f"SELECT checkout.create_organization(%s{named})", name, *values)

    def update(self, **settings):
        named = "".join(f", {key} => %s" for key in settings)
        values = [adapted(value) for value in settings.values()]
        self.db.sql(f"SELECT checkout.update_organization(%s{named})", self.id, *values)

    def sql(self, query, *parameters, environment="test"):
        settings = {"organization_id": self.id, "environment": environment}
        as_shop = "".join(f"SET checkout_sessions.{name} = '{value}';" for name, value in settings.items())
        return self.db.sql(as_shop + query, *parameters)

    def call(self, function, environment="test", **arguments):
        named = ", ".join(f"{name} => %s" for name in arguments)
        values = [adapted(value) for value in arguments.values()]
        return self.sql(f"SELECT * FROM checkout.{function}({named})", *values, environment=environment)

    def product(self, product_id, name, amount=None, environment="test", on_hand=None, image_url=None, **price):
        """Creates a product with one price, of the same id, in euros."""
        self.call("create_product", environment, name=name, product_id=product_id, on_hand=on_hand, image_url=image_url)
        self.call("create_price", environment, product_id=product_id, currency_code="EUR", amount=amount,
                  price_id=product_id, **price)

    def create(self, environment="test", lines=None, **order):
        """Creates a session. Returns its id and its client secret, as a fragment of its page."""
        if "subscription_id" not in order:
            order = {"customer_id": "c1", **order}
        if lines:
            order["lines"] = lines
        elif not {"amount", "product_id", "subscription_id"} & set(order):
            order |= {"amount": 10}
        if "amount" in order:
            order.setdefault("currency_code", "EUR")
        (session,) = self.call("create_checkout_session", environment, **order)
        return session["checkout_session_id"], session["client_secret"]

    def get(self, session, environment="test"):
        return self.call("get_checkout_session", environment, checkout_session_id=session)[0]

    def end_in(self, session, time):
        """Moves the deadline of an open session, so that a test does not depend on how fast a page is loaded."""
        self.db.sql("""WITH moved AS (
            UPDATE checkout_data.checkout_sessions SET expires_at = now() + %s::interval WHERE checkout_session_id = %s
            RETURNING checkout_session_id, expires_at)
            UPDATE checkout_data.open_sessions o SET deadline = expires_at FROM moved m
            WHERE o.checkout_session_id = m.checkout_session_id""", time, session)

    def visit(self, session):
        return self.db.sql("SELECT * FROM checkout_data.session_visits WHERE checkout_session_id = %s", session)[0]


PRODUCT = """<svg xmlns="http://www.w3.org/2000/svg" width="56" height="56">
    <rect width="56" height="56" fill="#d9a441"/><circle cx="28" cy="30" r="13" fill="#7a3b1d"/></svg>"""


class PayPage:
    """The page of a session, in a window of its own."""

    def __init__(self, browser, site, session, secret, query="", **options):
        usual = {"viewport": {"width": 1280, "height": 860}, "locale": "en-US", "timezone_id": "Africa/Dakar"}
        self.context, self.site = browser.new_context(**{**usual, **options}), site
        self.session, self.secret = session, secret
        self.address = f"{site.url}/pay/{session}{query}#{secret}"
        self.troubles = []
        # Pictures and other sites do not exist: each is answered here, so that no test asks a network.
        self.context.route(lambda url: not url.startswith(site.url), self.elsewhere)
        self.left_for = []
        self.page = self.watch(self.context.new_page())

    def watch(self, page):
        page.set_default_timeout(15000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: message.type in ("error", "warning") and self.troubles.append(message.text))
        return page

    def elsewhere(self, route):
        url = route.request.url
        if route.request.resource_type == "image":
            route.fulfill(body=PRODUCT, content_type="image/svg+xml")
        else:
            self.left_for.append(url)
            route.fulfill(body=f"<link rel=icon href=data:,><h1>{url.split('/')[2]}</h1>", content_type="text/html")

    def open(self):
        self.page.goto(self.address)
        return self.settle()

    def settle(self):
        self.page.wait_for_selector(".loading, #page:empty", state="detached")
        return self

    def sees(self, text, selector="main"):
        """Waits until a text is there, with whatever spaces."""
        pattern = re.compile(r"\s".join(re.escape(word) for word in text.split(" ")))
        self.page.locator(selector).filter(has_text=pattern).first.wait_for()
        return self

    def text(self, selector="main"):
        """A text with ordinary spaces."""
        return re.sub(r"[\s\u00a0\u202f]+", " ", self.page.inner_text(selector)).strip()

    def link(self, name):
        """Where a link leads."""
        return self.page.get_by_role("link", name=name).get_attribute("href")

    def button(self, name):
        return self.page.get_by_role("button", name=name)

    @property
    def pay(self):
        return self.page.locator("button.pay")

    def play(self, scenario):
        self.page.click(".test summary")
        self.page.click(f'.scenario[value="{scenario}"]')

    def focused(self):
        name = "({ id, className, tagName }) => id || className || tagName"
        return self.page.evaluate(f"({name})(document.activeElement)")

    def look_again(self):
        """As if the buyer came back to the tab."""
        self.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")

    def scrolls_sideways(self):
        return self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")

    def forgive(self, pattern):
        """Chromium logs every request that fails. A test that wants one says so."""
        assert any(re.search(pattern, trouble) for trouble in self.troubles), self.troubles
        self.troubles = [trouble for trouble in self.troubles if not re.search(pattern, trouble)]

    def close(self):
        self.context.close()
        assert not self.troubles, self.troubles


@pytest.fixture(scope="module")
def world():
    run("scripts/pages")
    with private_server("py-pay") as server:
        db = server.create_database()
        db.psql(f"--file={EXAMPLE / 'roles.sql'}")
        shop = PayShop(db, payment_method_urls={"card": "https://cards.example/start?session={CHECKOUT_SESSION_ID}"})
        for environment in ("test", "live"):
            shop.product("tea", "Green tea from Kyoto, first harvest", 9.50, environment=environment,
                         maximum_quantity=5, image_url="https://shop.example/tea.jpg")
            shop.product("bowl", "Tea bowl", 29, environment=environment)
            shop.product("gift", "A gift for the school of Thiès", environment=environment, minimum_amount=5,
                         maximum_amount=100, suggested_amount=20)
            shop.call("create_coupon", environment, code="SUMMER", percent_off=15)
            shop.call("create_coupon", environment, code="FRIEND", percent_off=100)
        with PostgREST(db, db_pool=4) as postgrest, PageSite(postgrest) as site, chromium() as browser:
            yield SimpleNamespace(server=server, db=db, shop=shop, site=site, browser=browser, postgrest=postgrest)


@pytest.fixture
def shop(world):
    return world.shop


@pytest.fixture
def visit(world):
    """Opens the page of a session in a window of its own. At the end nothing may have gone wrong in it."""
    opened = []

    def visit(created=None, *, shop=world.shop, query="", options=(), before=lambda page: None, **order):
        session, secret = created or shop.create(**order)
        opened.append(PayPage(world.browser, world.site, session, secret, query, **dict(options)))
        before(opened[-1].page)
        return opened[-1].open()

    yield visit
    world.site.delay = 0
    for page in opened:
        page.close()


def picture(page, name):
    """Written on request: SCREENSHOTS=1."""
    if os.environ.get("SCREENSHOTS"):
        PICTURES.mkdir(exist_ok=True)
        page.page.screenshot(path=PICTURES / f"pay-{name}.png", full_page=True, animations="disabled")
