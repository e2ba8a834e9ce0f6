"""A buyer pays on the hosted page: in Chromium, in front of a real PostgREST and a real database."""

import os
import time
from types import SimpleNamespace

import pytest
from conftest import ROOT, private_server, run
from support.browser import axe_violations, chromium
from support.page_site import PageSite
from support.pay_page import HOSTILE, PayPage, PayShop
from support.postgrest import EXAMPLE, PostgREST

PICTURES = ROOT / "tests/pages"
CART = [{"price_id": "tea", "quantity": 2}, {"price_id": "bowl"}, {"kind": "shipping", "title": "DHL Express", "amount": 12.50},
        {"kind": "tax", "title": "VAT 20%", "amount": 9.60}]
BUYER = {"success_url": "https://shop.example/thanks?session={CHECKOUT_SESSION_ID}", "cancel_url": "https://shop.example/cart"}


@pytest.fixture(scope="module")
def world():
    run("scripts/pages")
    with private_server("py-pay") as server:
        db = server.create_database()
        db.psql(f"--file={EXAMPLE / 'roles.sql'}")
        shop = PayShop(db, payment_method_urls={"card": "https://cards.example/start?session={CHECKOUT_SESSION_ID}"})
        for environment in ("test", "live"):
            shop.product("tea", "Green tea from Kyoto, first harvest", 9.50, environment=environment, maximum_quantity=5,
                         image_url="https://shop.example/tea.jpg")
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


# -- paying ------------------------------------------------------------------------------------------------------------


def test_a_buyer_pays_in_the_test_environment(visit, shop):
    page = visit(lines=CART, allow_quantity=True, allow_coupon_code=True, expires_in="30 minutes", **BUYER)
    assert page.text("h1").endswith("Maison Adjoa")
    assert page.text(".sums") == "Subtotal €48.00 DHL Express €12.50 VAT 20% €9.60 Total €70.10"
    assert page.text("button.pay") == "Pay €70.10"
    assert shop.visit(page.session)["first_opened_at"]
    picture(page, "open")
    page.play("complete")
    page.sees("Thank you").sees("Your payment of €70.10 to Maison Adjoa has arrived.")
    assert page.focused() == "message-title"
    picture(page, "complete")
    page.page.wait_for_url(f"https://shop.example/thanks?session={page.session}")
    assert shop.get(page.session)["payment_status"] == "paid"
    # The page is not in the history any more: it would lead on again and again.
    assert page.page.evaluate("history.length") == 2


def test_the_button_leads_to_the_page_of_the_payment_method(visit, shop, world):
    page = visit(amount="12.30", environment="live", **BUYER)
    assert page.page.locator(".test").count() == 0
    page.pay.click()
    page.page.wait_for_url(f"https://cards.example/start?session={page.session}")
    # The provider has begun, and the buyer comes back before it knows the outcome.
    shop.call("begin_payment", "live", checkout_session_id=page.session, payment_id="pay_1")
    page.page.go_back()
    page.sees("We are waiting for your payment")
    picture(page, "processing")
    shop.call("record_payment", "live", checkout_session_id=page.session, payment_id="pay_1", outcome="succeeded")
    page.sees("Thank you")


def test_a_method_without_a_page_is_told_and_another_one_works(visit):
    page = visit(environment="live")
    page.page.get_by_label("Bank transfer").check()
    page.pay.click()
    page.sees("Bank transfer cannot be used on this page at the moment", "[role=alert]")
    page.page.get_by_label("Card").check()
    assert page.page.locator("#pay-error p").count() == 0
    page.pay.click()
    page.page.wait_for_url("https://cards.example/**")


def test_a_declined_buyer_tries_again(visit, shop):
    page = visit(amount=25, **BUYER)
    page.play("decline:insufficient_funds")
    page.sees("There was not enough money in the account.", "[role=alert]").sees("You have not been charged.")
    picture(page, "declined")
    page.play("decline:card_declined")
    page.sees("Your card was declined.", "[role=alert]")
    page.page.get_by_label("Mobile money").check()
    page.pay.click()
    page.sees("Thank you")
    assert shop.get(page.session)["payment_status"] == "paid"


def test_a_session_fails_when_no_attempt_is_left(visit):
    page = visit(amount=25, **BUYER)
    page.play("fail")
    page.sees("The payment did not succeed")
    assert page.page.get_by_role("link", name="Back to Maison Adjoa").get_attribute("href") == "https://shop.example/cart"
    assert page.pay.count() == 0
    picture(page, "failed")


def test_a_slow_payment_is_waited_for(visit):
    page = visit(amount=25)
    page.play("slow")
    page.sees("We are waiting for your payment")
    assert page.page.locator(".scenario").all_inner_texts()[0] == "The slow payment arrives"
    page.play("slow")
    page.sees("Thank you").sees("You can close this page.")


def test_an_order_in_which_nothing_is_due_is_completed(visit, shop):
    page = visit(lines=[{"price_id": "bowl"}], allow_coupon_code=True, coupon_code="FRIEND", environment="live", **BUYER)
    assert page.text("button.pay") == "Complete order"
    assert page.page.locator("[name=method]").count() == 0
    picture(page, "free")
    page.pay.click()
    page.sees("Your order with Maison Adjoa is complete.")
    assert shop.get(page.session, "live")["payment_status"] == "no_payment_required"


# -- what the buyer may change -----------------------------------------------------------------------------------------


def test_the_quantity_follows_and_stays_within_its_bounds(visit, shop):
    page = visit(lines=CART, allow_quantity=True)
    more, less = page.button("One more of Green tea"), page.button("One less of Green tea")
    more.click()
    more.click()
    page.sees("Pay €89.10")
    assert shop.get(page.session)["quantity"] == 5
    more.click()
    more.click()
    page.sees("At most 5", ".line")
    for _ in range(5):
        less.click()
    page.sees("At least 1", ".line").sees("Pay €60.60")
    field = page.page.get_by_label("Quantity of Green tea")
    field.fill("many")
    field.press("Tab")
    page.sees("Enter a whole number.", ".line")
    assert field.input_value() == "1" and field.get_attribute("aria-invalid") == "true"
    field.fill("3")
    page.pay.click()
    # The button said another amount when it was pressed.
    page.sees("The total is now €79.60. Check it, and press the button again.", "[role=alert]")
    page.pay.click()
    page.page.wait_for_url("https://cards.example/**")


def test_fewer_are_left_than_the_buyer_wants(visit, shop):
    shop.product("vase", "Vase", 80, on_hand=2)
    page = visit(lines=[{"price_id": "vase"}], allow_quantity=True)
    for _ in range(2):
        page.button("One more of Vase").click()
    page.sees("That many are not available right now.", ".line")
    assert page.text("button.pay") == "Pay €80.00"
    page.forgive("409")


def test_buyers_pay_what_they_want(visit, shop):
    page = visit(price_id="gift", amount=12)
    field = page.page.get_by_label("Your amount for A gift")
    page.sees("Between €5.00 and €100.00")
    picture(page, "amount")
    for typed, says in (("3", "At least €5.00"), ("100.01", "At most €100.00"), ("much", "such as €20.00"), ("12.345", "such as €20.00")):
        field.fill(typed)
        field.press("Tab")
        page.sees(says, ".amount .error")
        page.pay.click()
        assert page.focused() == "amount-1" and field.input_value() == typed
    page.button("Suggested: €20.00").click()
    page.sees("Pay €20.00")
    assert page.page.locator(".amount .error:visible").count() == 0
    field.fill("33,50")
    field.press("Tab")
    page.sees("Pay €33.50")
    assert shop.get(page.session)["amount"] == 33.5


def test_a_promotion_code_is_applied_refused_and_removed(visit):
    page = visit(lines=CART, allow_coupon_code=True)
    page.button("Add a promotion code").click()
    assert page.focused() == "coupon"
    page.page.keyboard.press("Enter")
    page.sees("Enter a promotion code.")
    for code in ("NOBODY", "not a code!", "<b>"):
        page.page.fill("#coupon", code)
        page.button("Apply").click()
        page.sees(f"The code {code} cannot be used for this order.", ".coupon")
    page.page.fill("#coupon", "summer")
    page.page.keyboard.press("Enter")
    page.sees("The code SUMMER is applied. The total is €62.90.", "#announcer")
    assert "Discount -€7.20" in page.text(".sums")
    picture(page, "coupon")
    page.button("Remove the promotion code SUMMER").click()
    page.sees("Pay €70.10")
    page.forgive("400")


def test_a_billing_address_is_asked_for_once(visit, shop):
    page = visit(lines=[{"price_id": "bowl"}], require_billing_address=True, options={"locale": "fr-SN"})
    assert page.page.locator("#address-country").input_value() == "SN"
    page.pay.click()
    page.sees("Indiquez votre nom.")
    assert page.focused() == "address-name"
    assert page.page.get_attribute("#address-name", "aria-describedby") == "address-name-error"
    picture(page, "address")
    for name, value in {"name": "Awa Diop", "line1": "12 rue Félix Faure", "city": "Dakar"}.items():
        page.page.fill(f"#address-{name}", value)
    assert page.page.locator(".address .error:visible").count() == 0
    page.pay.click()
    page.page.wait_for_url("https://cards.example/**")
    stored = shop.db.value("SELECT billing_address FROM checkout_data.session_terms WHERE checkout_session_id = %s", page.session)
    assert stored == {"name": "Awa Diop", "line1": "12 rue Félix Faure", "city": "Dakar", "country": "SN"}
    again = visit((page.session, page.secret))
    again.sees("Your billing address is saved.")
    again.button("Change").click()
    # The page has no personal data.
    assert again.page.input_value("#address-name") == ""


# -- leaving -----------------------------------------------------------------------------------------------------------


def test_a_buyer_leaves_and_says_why(visit, shop):
    page = visit(amount=25, **BUYER)
    page.button("Cancel and go back").click()
    picture(page, "leave")
    page.page.keyboard.press("Escape")
    page.page.locator("dialog").wait_for(state="hidden")
    assert page.focused() == "leave"
    page.button("Cancel and go back").click()
    page.page.get_by_label("It costs too much").check()
    page.page.get_by_label("In your words").fill("Delivery is dear.")
    page.button("Leave").click()
    page.page.wait_for_url("https://shop.example/cart")
    visited = shop.visit(page.session)
    assert (visited["reason_code"], visited["reason"]) == ("too_expensive", "Delivery is dear.")


def test_a_buyer_leaves_without_a_way_back(visit, shop):
    page = visit(amount=25)
    page.button("Cancel and go back").click()
    page.button("Leave").click()
    page.sees("You have left the payment")
    assert page.focused() == "message-title"
    assert shop.visit(page.session)["cancelled_at"]
    page.button("Go on paying").click()
    page.sees("Pay €25.00")


# -- the end of the time -----------------------------------------------------------------------------------------------


def test_a_session_expires_in_front_of_the_buyer_who_starts_again(visit, shop):
    page = visit(amount=25, expires_in="3 seconds")
    assert page.text("[role=timer]").startswith("0:0")
    page.sees("This page has expired")
    assert page.button("Start again").count() == 0
    shop.update(allow_restart=True)
    try:
        page = visit((page.session, page.secret))
        picture(page, "expired")
        page.button("Start again").click()
        page.sees("Pay €25.00")
        assert page.session not in page.page.url and "#cs_" in page.page.url
    finally:
        shop.update(allow_restart=False)


def test_the_countdown_is_the_servers_and_is_read_aloud_three_times(visit):
    ahead = "Date = class extends Date { constructor(...a) { super(...(a.length ? a : [Date.now()])); }" \
        " static now() { return super.now() + 86400000; } };"
    page = visit(amount=25, expires_in="10 minutes 2 seconds", before=lambda page: page.add_init_script(ahead))
    assert page.page.evaluate("Date.now()") > time.time() * 1000 + 86_000_000
    assert page.text("[role=timer]").startswith("10:0") and page.text("#announcer") == ""
    page.sees("10 minutes are left to pay.", "#announcer")
    assert page.text("[role=timer]") in ("10:00", "9:59")


def test_what_is_sold_out_cannot_be_paid_until_it_is_there_again(visit, shop, world):
    shop.product("lamp", "Lamp", 80, on_hand=1)
    browser = shop.db.value("SELECT api_key FROM checkout.create_api_key(%s, 'publishable', 'test')", shop.id)
    answer = world.postgrest.call("create_checkout_session", lines=[{"price_id": "lamp"}], customer_id="c2", key=browser)
    page = visit((answer.body["checkout_session_id"], answer.body["client_secret"]))
    page.sees("Pay €80.00")
    holder, _ = shop.create(lines=[{"price_id": "lamp"}])
    look_again(page)
    page.sees("Sold out")
    picture(page, "sold-out")
    shop.call("expire_checkout_session", checkout_session_id=holder)
    look_again(page)
    page.sees("Pay €80.00")


def look_again(page):
    """As if the buyer came back to the tab."""
    page.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


# -- tabs and trouble --------------------------------------------------------------------------------------------------


def test_two_tabs_show_the_same(visit):
    page = visit(amount=25)
    other = page.watch(page.context.new_page())
    other.goto(page.address)
    other.get_by_role("button", name="Cancel and go back").wait_for()
    page.play("complete")
    page.sees("Thank you")
    other.get_by_text("Thank you").wait_for()


def test_a_session_that_has_ended_is_not_asked_for_any_more(visit, world):
    page = visit(amount=25)
    page.play("expire")
    page.sees("This page has expired")
    asked = len(world.site.calls)
    look_again(page)
    page.page.wait_for_timeout(2500)
    assert len(world.site.calls) == asked


def test_a_slow_network(visit, world):
    world.site.delay = 0.7
    page = visit(lines=CART, allow_quantity=True)
    more = page.button("One more of Green tea")
    more.click()
    # At once, before the server has answered.
    assert page.page.get_by_label("Quantity of Green tea").input_value() == "3"
    more.click()
    page.sees("Pay €89.10")
    page.pay.dblclick()
    assert page.text("button.pay") == "One moment…"
    page.page.wait_for_url("https://cards.example/**")
    assert len(page.left_for) == 1


def test_while_it_is_loaded_the_page_says_so(visit, world):
    world.site.delay = 1
    session, secret = world.shop.create(amount=25)
    page = PayPage(world.browser, world.site, session, secret)
    page.page.goto(page.address)
    assert page.text("main") == "Loading your order…"
    page.sees("Pay €25.00")
    page.close()


def test_without_a_connection_the_page_keeps_what_it_shows(visit):
    page = visit(lines=CART, allow_quantity=True)
    page.context.set_offline(True)
    page.button("One more of Green tea").click()
    page.sees("You are offline. Nothing is lost", ".connection").sees("That did not reach us.", ".line")
    picture(page, "offline")
    assert page.text("button.pay") == "Pay €70.10"
    page.context.set_offline(False)
    page.page.wait_for_selector(".connection.shown", state="detached")
    page.button("One more of Green tea").click()
    page.sees("Pay €79.60")
    page.forgive("ERR_INTERNET_DISCONNECTED")


def test_a_database_that_is_restarted_under_the_page(visit, world):
    page = visit(amount=25)
    world.server.stop("immediate")
    look_again(page)
    page.sees("The connection is interrupted. Nothing is lost: we keep trying.", ".connection")
    assert page.text("button.pay") == "Pay €25.00"
    # One that is opened meanwhile.
    session = PayPage(world.browser, world.site, page.session, page.secret)
    session.page.goto(session.address)
    session.sees("No connection yet")
    world.server.start()
    page.page.wait_for_selector(".connection.shown", state="detached", timeout=20000)
    session.page.wait_for_selector("button.pay", timeout=20000)
    page.play("complete")
    page.sees("Thank you")
    page.forgive("50[0-9]")
    session.forgive("50[0-9]")
    session.close()


# -- what others must not see or do ------------------------------------------------------------------------------------


def test_ids_and_secrets_of_others(visit, shop):
    mine, theirs = shop.create(amount=1), shop.create(amount=2)
    for session, secret in ((mine[0], theirs[1]), (theirs[0], mine[1]), (mine[0], ""), (mine[0], "cs_secret_x"),
                            ("018f0000-0000-7000-8000-00000000000a", mine[1])):
        page = visit((session, secret))
        page.sees("This page does not exist")
        if secret:
            page.forgive("404")
    picture(page, "missing")
    # Where the secret is mended, the page is there.
    page = visit((mine[0], theirs[1]))
    page.page.evaluate("secret => { location.hash = secret; }", mine[1])
    page.sees("Pay €1.00")
    page.forgive("404")


def test_hostile_texts_are_texts(visit, world):
    shop = PayShop(world.db, HOSTILE, payment_methods=["card", "<b>pay</b> ${1}"], app_link_schemes=["myapp"])
    shop.product("evil", HOSTILE, 5, image_url="http://tracker.example/x.png", minimum_quantity=2)
    for order in ({"amount": 5, "title": HOSTILE, "description": HOSTILE, "cancel_url": "myapp://cart", "success_url": "myapp://done"},
                  {"lines": [{"price_id": "evil", "quantity": 2}, {"title": HOSTILE, "amount": 1}, {"kind": "tax", "title": HOSTILE, "amount": 1}],
                   "title": HOSTILE, "allow_quantity": True}):
        page = visit(shop=shop, **order)
        shown = page.page.text_content("main")
        assert shown.count(HOSTILE) >= 2, shown
        assert page.page.locator("main img, main script, main b, [onerror], [onmouseover]").count() == 0
        assert page.page.title() == "Pay " + " ".join(HOSTILE.split())
        assert not page.scrolls_sideways()
        page.play("decline:card_declined")
        page.sees("Your card was declined.")
        shop.call("begin_payment", checkout_session_id=page.session, payment_id=f"p-{page.session}")
        shop.call("record_payment", checkout_session_id=page.session, payment_id=f"p-{page.session}", outcome="failed",
                  failure_code="constructor")
        look_again(page)
        page.sees("The payment did not go through.")
        page.play("complete")
        page.sees("Thank you")
        if "success_url" in order:
            page.page.get_by_role("link", name="Back to").wait_for()
            assert page.page.get_by_role("link", name="Back to").get_attribute("href") == "myapp://done"


@pytest.mark.parametrize("link", ["javascript:document.title='hit'", "data:text/html,x", " JavaScript:x", "vbscript:x", "//x", ""])
def test_a_server_that_lies_gets_no_code_run(visit, world, link):
    """The database lets no such link in; a page that is served another answer does not follow it either."""
    def lie(route):
        answer = route.fetch()
        lies = {"cancel_url": link, "success_url": link, "payment_method_urls": {"card": link, "bank_transfer": link}}
        route.fulfill(response=answer, json={**answer.json(), **lies})

    page = visit(amount=5, environment="live", before=lambda page: page.route("**/rpc/*", lie))
    page.pay.click()
    page.sees("Card cannot be used on this page", "[role=alert]")
    page.button("Cancel and go back").click()
    page.button("Leave").click()
    page.sees("You have left the payment")
    assert page.page.locator("a[href]").count() == 0 and page.page.title() == "Pay Maison Adjoa"


def test_nothing_of_the_buyer_stays_in_the_browser(visit):
    page = visit(lines=[{"price_id": "bowl"}], require_billing_address=True)
    assert page.page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]


# -- for everyone ------------------------------------------------------------------------------------------------------

# What each state of the page is made of.
STATES = {
    "open": {"lines": CART, "allow_quantity": True, "allow_coupon_code": True, "require_billing_address": True},
    "amount": {"price_id": "gift", "amount": 12}, "free": {"amount": 0}, "complete": {"amount": 25}, "failed": {"amount": 25},
    "expired": {"amount": 25, **BUYER}, "processing": {"amount": 25}, "declined": {"amount": 25}, "leave": {"amount": 25},
    "missing": {"amount": 25},
}


def in_state(visit, shop, state, **options):
    session, secret = shop.create(**STATES[state])
    scenario = {"failed": "fail", "expired": "expire", "processing": "slow", "declined": "decline:expired_card", "complete": "complete"}
    if state in scenario:
        shop.call("simulate_payment", checkout_session_id=session, scenario=scenario[state])
    page = visit((session, "cs_secret_wrong" if state == "missing" else secret), options=options)
    if state == "missing":
        page.forgive("404")
    if state == "open":
        page.button("Add a promotion code").or_(page.button("Ajouter un code promo")).click()
        page.pay.click()
        page.page.wait_for_selector("#address-name-error:visible")
    if state == "leave":
        page.page.click("#leave")
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("state", STATES)
def test_axe_finds_nothing(visit, shop, state, scheme):
    page = in_state(visit, shop, state, color_scheme=scheme)
    assert axe_violations(page.page) == []
    if scheme == "dark" and state in ("open", "complete", "leave"):
        picture(page, f"{state}-dark")


@pytest.mark.parametrize("state", STATES)
def test_small_screens_large_letters_and_other_directions(visit, shop, state):
    """WCAG 1.4.10 and 1.4.4: 320 pixels, as at a zoom of 400 %; and letters twice as large."""
    page = in_state(visit, shop, state, viewport={"width": 320, "height": 640})
    assert not page.scrolls_sideways()
    if state in ("open", "processing"):
        picture(page, f"{state}-narrow")
    page.page.evaluate("document.documentElement.dir = 'rtl'")
    assert not page.scrolls_sideways()
    page.page.set_viewport_size({"width": 640, "height": 430})
    page.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert not page.scrolls_sideways()
    small = """els => els.map(el => [el.outerHTML, el.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([html]) => html)"""
    page.page.evaluate("document.documentElement.style.fontSize = ''")
    assert page.page.eval_on_selector_all("button, a, input:not([type=radio]), select, summary, label:has(input)", small) == []


def test_it_reads_from_right_to_left(visit, shop):
    page = in_state(visit, shop, "open")
    page.page.evaluate("document.documentElement.dir = 'rtl'")
    assert page.page.locator(".summary").bounding_box()["x"] > page.page.locator(".payment").bounding_box()["x"]
    assert not page.scrolls_sideways()


def test_a_buyer_has_only_a_keyboard(visit, shop):
    page = visit(lines=CART, allow_quantity=True, allow_coupon_code=True)
    keys = page.page.keyboard
    seen = []
    for _ in range(30):
        keys.press("Tab")
        seen.append(page.focused())
        outline = page.page.evaluate("""() => { const el = document.activeElement.closest('.method') ?? document.activeElement;
            const { outlineStyle, outlineWidth } = getComputedStyle(el); return [outlineStyle, outlineWidth]; }""")
        if seen[-1] != "BODY":
            assert outline == ["solid", "3px"], seen[-1]
        if seen[-1] == "pay":
            break
    assert {"quantity-1", "quantity-2", "coupon-add", "pay"} <= set(seen)
    # The chosen method is one stop; arrows choose another.
    keys.press("Shift+Tab")
    keys.press("ArrowDown")
    assert page.page.get_by_label("Bank transfer").is_checked()
    keys.press("Tab")
    keys.press("Enter")
    page.sees("Thank you")


def test_the_page_speaks_french(visit, shop):
    page = visit(amount=10000, currency_code="XOF", options={"locale": "fr-SN"})
    assert page.text("button.pay") == "Payer 10 000 XOF"
    assert page.page.get_attribute("html", "lang") == "fr"
    picture(page, "french")
    page.button("English").click()
    assert page.text("button.pay") == "Pay XOF 10,000"
    page.page.reload()
    page.sees("Pay XOF 10,000")
    assert visit(amount=1, query="?lang=fr").text("button.pay") == "Payer 1,00 €"
    assert visit(amount=1, query="?lang=xx").text("button.pay") == "Pay €1.00"


def test_the_dictionaries_have_the_same_keys_and_values():
    check = """import en from './pages/i18n/en.js'; import fr from './pages/i18n/fr.js';
        const names = (text) => [...text.matchAll(/\\{(\\w+)\\}/g)].map(([, name]) => name).sort().join();
        const all = new Set([...Object.keys(en), ...Object.keys(fr)]);
        console.log(JSON.stringify([...all].filter((key) => names(en[key] ?? '{no}') !== names(fr[key] ?? '{no}') || !en[key])));"""
    assert run("node", "--input-type=module", "--eval", check) == "[]"
