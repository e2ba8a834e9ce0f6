"""A shop whose buyers pay on the hosted page, and the page as a buyer sees it."""

import re

from psycopg2.extras import Json

METHODS = ["card", "bank_transfer", "mobile_money"]
# What a page must neither run nor fill in.
HOSTILE = """<img src=x onerror=document.title='hit'> "onmouseover="x' javascript:x ${1+1} {{1+1}} \u202eevil</script><b>"""


def adapted(value):
    """A JSON value as psycopg2 sends it."""
    is_json = isinstance(value, dict) or (isinstance(value, list) and value and isinstance(value[0], dict))
    return Json(value) if is_json else value


class PayShop:
    """An organization with a catalog. Its sessions are created as its server would, in the environment that is asked for."""

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
        as_shop = f"SET checkout_sessions.organization_id = '{self.id}'; SET checkout_sessions.environment = '{environment}';"
        return self.db.sql(as_shop + query, *parameters)

    def call(self, function, environment="test", **arguments):
        named = ", ".join(f"{name} => %s" for name in arguments)
        values = [adapted(value) for value in arguments.values()]
        return self.sql(f"SELECT * FROM checkout.{function}({named})", *values, environment=environment)

    def product(self, product_id, name, amount=None, currency="EUR", on_hand=None, environment="test", image_url=None, **price):
        self.call("create_product", environment, name=name, product_id=product_id, on_hand=on_hand, image_url=image_url)
        self.call("create_price", environment, product_id=product_id, currency_code=currency, amount=amount,
                  price_id=product_id, **price)

    def create(self, environment="test", lines=None, **order):
        """Creates a session. Returns its id and its client secret, as a fragment of its page."""
        order = {"customer_id": "c1", **order}
        if lines:
            order["lines"] = lines
        elif "amount" not in order and "product_id" not in order:
            order |= {"amount": 10}
        if "amount" in order:
            order.setdefault("currency_code", "EUR")
        (session,) = self.call("create_checkout_session", environment, **order)
        return session["checkout_session_id"], session["client_secret"]

    def get(self, session, environment="test"):
        return self.call("get_checkout_session", environment, checkout_session_id=session)[0]

    def visit(self, session):
        return self.db.sql("SELECT * FROM checkout_data.session_visits WHERE checkout_session_id = %s", session)[0]


class PayPage:
    """The page of a session, in a window of its own."""

    def __init__(self, browser, site, session, secret, query="", **options):
        options = {"viewport": {"width": 1280, "height": 860}, "locale": "en-US", "timezone_id": "Africa/Dakar", **options}
        self.context, self.site = browser.new_context(**options), site
        self.session, self.secret = session, secret
        self.address = f"{site.url}/pay/{session}{query}#{secret}"
        self.troubles = []
        # Pictures and other sites do not exist: each is answered here, so that no test asks a network.
        self.context.route(lambda url: not url.startswith(site.url), self.elsewhere)
        self.left_for = []
        self.page = self.watch(self.context.new_page())

    def watch(self, page):
        page.set_default_timeout(6000)
        page.on("pageerror", lambda error: self.troubles.append(str(error)))
        page.on("console", lambda message: message.type in ("error", "warning") and self.troubles.append(message.text))
        return page

    PICTURE = ('<svg xmlns="http://www.w3.org/2000/svg" width="56" height="56"><rect width="56" height="56" fill="#d9a441"/>'
               '<circle cx="28" cy="30" r="13" fill="#7a3b1d"/></svg>')

    def elsewhere(self, route):
        url = route.request.url
        if route.request.resource_type == "image":
            route.fulfill(body=self.PICTURE, content_type="image/svg+xml")
        else:
            self.left_for.append(url)
            route.fulfill(body=f"<title>elsewhere</title><h1>{url.split('/')[2]}</h1>", content_type="text/html")

    def open(self):
        self.page.goto(self.address)
        return self.settle()

    def settle(self):
        self.page.wait_for_selector(".loading, #page:empty", state="detached")
        return self

    def sees(self, text, selector="main"):
        """Waits until a text is there."""
        self.page.locator(selector).filter(has_text=text if isinstance(text, re.Pattern) else re.compile(re.escape(text))).first.wait_for()
        return self

    def text(self, selector="main"):
        """A text with ordinary spaces."""
        return re.sub(r"[\s\u00a0\u202f]+", " ", self.page.inner_text(selector)).strip()

    def button(self, name):
        return self.page.get_by_role("button", name=name)

    @property
    def pay(self):
        return self.page.locator("button.pay")

    def play(self, scenario):
        self.page.click(".test summary")
        self.page.click(f'.scenario[value="{scenario}"]')

    def focused(self):
        return self.page.evaluate("document.activeElement.id || document.activeElement.className || document.activeElement.tagName")

    def scrolls_sideways(self):
        return self.page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")

    def forgive(self, pattern):
        """Chromium logs every request that fails. A test that wants one says so."""
        assert any(re.search(pattern, trouble) for trouble in self.troubles), self.troubles
        self.troubles = [trouble for trouble in self.troubles if not re.search(pattern, trouble)]

    def close(self):
        self.context.close()
        assert not self.troubles, self.troubles
