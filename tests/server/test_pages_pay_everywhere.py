"""The buyer's page in trouble, among strangers, and for everyone: small screens, keyboards, languages, axe-core."""

import pytest
from conftest import run
from support.browser import axe_violations
from support.gateway import Gateway
from support.page_site import PageSite
from support.pay_page import BUYER, CART, FREE, HOSTILE, PayPage, PayShop, picture, shop, visit, world  # noqa: F401


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
    page.look_again()
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
    page = visit(**FREE)
    page.pay.dblclick()
    assert page.text("button.pay") == "One moment…"
    page.sees("Thank you")
    assert world.site.calls[-2:] != ["complete_free_checkout_session"] * 2


def test_all_modules_are_asked_for_at_once(visit):
    page = visit(amount=25)
    assert page.page.evaluate("""() => {
        const named = [...document.querySelectorAll('link[rel=modulepreload], script')].map(({ href, src }) => href ?? src);
        const loaded = performance.getEntriesByType('resource').map(({ name }) => name);
        return loaded.filter((name) => name.endsWith('.js') && !named.includes(name));
    }""") == []


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
    session = PayPage(world.browser, world.site, page.session, page.secret)
    world.server.stop("immediate")
    try:
        page.look_again()
        page.sees("The connection is interrupted. Nothing is lost: we keep trying.", ".connection")
        assert page.text("button.pay") == "Pay €25.00"
        # One that is opened meanwhile.
        session.page.goto(session.address)
        session.sees("No connection yet")
    finally:
        world.server.start()
    page.page.wait_for_selector(".connection.shown", state="detached", timeout=20000)
    session.page.wait_for_selector("button.pay", timeout=20000)
    page.play("complete")
    page.sees("Thank you")
    # PostgREST answers a request that was being served with 400.
    page.forgive("50[0-9]|400")
    session.forgive("50[0-9]|400")
    session.close()


def test_behind_the_gateway_it_is_the_same(world):
    """Answers and refusals of every kind; examples/shop plays the rest."""
    world.db.sql("CREATE ROLE gateway LOGIN; SELECT checkout.grant_access('gateway', 'request')")
    with Gateway(world.db) as gateway, PageSite(gateway) as site:
        session, secret = world.shop.create(lines=[{"price_id": "tea"}], allow_quantity=True, allow_coupon_code=True)
        page = PayPage(world.browser, site, session, "cs_secret_wrong").open()
        page.sees("This page does not exist")
        page.forgive("404")
        page.close()
        page = PayPage(world.browser, site, session, secret).open()
        page.button("One more of Green tea").click()
        page.sees("Pay €19.00")
        page.button("Add a promotion code").click()
        page.page.fill("#coupon", "nobody")
        page.button("Apply").click()
        page.sees("The code nobody cannot be used for this order.", ".coupon")
        world.shop.call("expire_checkout_session", checkout_session_id=session)
        page.button("One more of Green tea").click()
        page.sees("This page has expired")
        page.forgive("409")
        page.close()


def test_a_host_that_rewrites_no_paths(world):
    session, secret = world.shop.create(amount=25)
    page = PayPage(world.browser, world.site, session, secret)
    page.address = f"{world.site.url}/pages/pay.html?id={session}#{secret}"
    page.open().sees("Pay €25.00")
    page.close()


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
    for order in ({"amount": 5, "title": HOSTILE, "description": HOSTILE, "cancel_url": "myapp://cart",
                   "success_url": "myapp://done"},
                  {"lines": [{"price_id": "evil", "quantity": 2}, {"title": HOSTILE, "amount": 1},
                             {"kind": "tax", "title": HOSTILE, "amount": 1}],
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
        page.look_again()
        page.sees("The payment did not go through.")
        page.play("complete")
        page.sees("Thank you")
        if "success_url" in order:
            assert page.link("Back to") == "myapp://done"


@pytest.mark.parametrize("link", ["javascript:document.title='hit'", "data:text/html,x", " JavaScript:x", "vbscript:x",
                                  "//x", ""])
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
    "amount": {"price_id": "gift", "amount": 12}, "free": FREE, "complete": {"amount": 25}, "failed": {"amount": 25},
    "expired": {"amount": 25, **BUYER}, "processing": {"amount": 25}, "declined": {"amount": 25},
    "leave": {"amount": 25}, "missing": {"amount": 25},
}


def in_state(visit, shop, state, **options):
    session, secret = shop.create(**STATES[state])
    scenario = {"failed": "fail", "expired": "expire", "processing": "slow", "declined": "decline:expired_card",
                "complete": "complete"}
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
    assert page.troubles == []
    assert axe_violations(page.page) == []
    # These are of axe itself.
    page.troubles = [trouble for trouble in page.troubles if "inline style" not in trouble]
    if scheme == "dark" and state == "open":
        picture(page, "open-dark")


@pytest.mark.parametrize("state", STATES)
def test_small_screens_large_letters_and_other_directions(visit, shop, state):
    """WCAG 1.4.10 and 1.4.4: 320 pixels, as at a zoom of 400 %; and letters twice as large."""
    page = in_state(visit, shop, state, viewport={"width": 320, "height": 640})
    assert not page.scrolls_sideways()
    if state == "open":
        picture(page, "open-narrow")
    page.page.evaluate("document.documentElement.dir = 'rtl'")
    assert not page.scrolls_sideways()
    page.page.set_viewport_size({"width": 640, "height": 430})
    page.page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert not page.scrolls_sideways()
    small = """els => els.map(el => [el.outerHTML, el.getBoundingClientRect()])
        .filter(([, box]) => box.width && (box.width < 24 || box.height < 24)).map(([html]) => html)"""
    page.page.evaluate("document.documentElement.style.fontSize = ''")
    targets = "button, a, input:not([type=radio]), select, summary, label:has(input)"
    assert page.page.eval_on_selector_all(targets, small) == []


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
        outline = page.page.evaluate("""() => {
            const { activeElement: active } = document;
            const { outlineStyle, outlineWidth } = getComputedStyle(active.closest('.method') ?? active);
            return [outlineStyle, outlineWidth];
        }""")
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
        const differ = (key) => !en[key] || !fr[key] || names(en[key]) !== names(fr[key]);
        console.log(JSON.stringify([...all].filter(differ)));"""
    assert run("node", "--input-type=module", "--eval", check) == "[]"
