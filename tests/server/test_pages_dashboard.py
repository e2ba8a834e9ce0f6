"""The merchant's dashboard in a browser, in front of a real PostgREST and a real database."""

import json
import os
import re

import pytest

from conftest import ROOT
from support.browser import axe_violations
from support.dashboard_world import dashboard, open_dashboard, world  # noqa: F401: fixtures
from support.gateway import Gateway
from support.shop import ENDPOINT, HOSTILE

PAGE = ROOT / "pages/dashboard"
PICTURES = ROOT / "tests/pages"
VIEWS = ["overview", "sessions", "refunds", "subscriptions", "products", "coupons", "webhooks", "requests"]
PLACES = {
    "overview": "overview", "sessions": "sessions?status=complete", "session": "sessions/{shop.sold}",
    "refunds": "refunds", "subscriptions": "subscriptions", "subscription": "subscriptions/{shop.subscription}",
    "products": "products", "product": "products/mug", "coupons": "coupons", "coupon": "coupons/SPRING",
    "webhooks": "webhooks", "deliveries": "webhooks/{shop.endpoint}", "dead": "webhooks?show=dead", "requests": "requests",
    "health": "health",
}
LOOKS = {
    "": {}, "-dark": {"color_scheme": "dark"}, "-narrow": {"viewport": {"width": 320, "height": 860}},
    "-french": {"locale": "fr-FR"},
}


@pytest.mark.parametrize("look", LOOKS)
def test_no_view_scrolls_sideways(world, open_dashboard, look):
    """Also writes the pictures of tests/pages, if SCREENSHOTS is set: of every view, and of some in every look."""
    dashboard = open_dashboard(**LOOKS[look])

    def see(name):
        assert dashboard.width() <= dashboard.viewport_width(), f"{name}{look} scrolls sideways"
        if os.environ.get("SCREENSHOTS") and (look == "" or name in ("overview", "sessions", "session")):
            dashboard.picture(PICTURES / f"dashboard-{name}{look}.png")

    see("sign-in")
    dashboard.sign_in(world.keys.manager)
    for name, place in PLACES.items():
        dashboard.go(place.format(shop=world.shop))
        see(name)


# signing in ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, says", [
    ("secret", "It was not sent anywhere"), ("publishable", "It cannot read anything"),
])
def test_keys_of_servers_and_shops_are_refused_before_they_are_sent(world, open_dashboard, kind, says):
    dashboard = open_dashboard()
    sent = len(world.host.requests)
    dashboard.page.fill("#credential", getattr(world.keys, kind))
    dashboard.page.keyboard.press("Enter")
    assert says in dashboard.text("[role=alert]") and "rk_" in dashboard.text("[role=alert]")
    assert dashboard.page.input_value("#credential") == ""
    assert len(world.host.requests) == sent and dashboard.stored() == {"local": {}, "session": {}}


def test_what_is_no_credential_is_refused(open_dashboard):
    dashboard = open_dashboard()
    dashboard.page.fill("#credential", "password1")
    dashboard.page.keyboard.press("Enter")
    assert "neither a read-only key nor a token" in dashboard.text("[role=alert]")


def test_a_key_that_is_unknown_is_refused_by_the_server(world, open_dashboard):
    dashboard = open_dashboard()
    dashboard.page.fill("#credential", world.keys.restricted[:-3] + "AAA")
    dashboard.page.keyboard.press("Enter")
    dashboard.page.wait_for_selector("[role=alert]")
    assert "does not accept" in dashboard.text("[role=alert]") and dashboard.stored()["session"] == {}
    dashboard.forgive("401")


def test_the_key_stays_in_the_tab_until_one_signs_out(world, dashboard):
    assert list(dashboard.stored()["session"].values()) == [world.keys.restricted]
    assert world.keys.restricted not in json.dumps(dashboard.stored()["local"])
    dashboard.page.reload()
    dashboard.page.wait_for_selector("nav a[aria-current=page]")
    assert "Shop" in dashboard.text(".who") and world.keys.restricted[:20] in dashboard.text(".foot")
    dashboard.page.click("text=Sign out")
    assert dashboard.text("h1") == "Sign in" and dashboard.stored()["session"] == {}
    dashboard.page.reload()
    dashboard.page.wait_for_selector("#credential")


def test_a_key_that_is_revoked_signs_its_user_out(world, open_dashboard):
    key = world.db.create_api_key("restricted")
    dashboard = open_dashboard().sign_in(key)
    world.db.sql("SELECT checkout.revoke_api_key(%s)", key[:20])
    dashboard.page.click("nav >> text=Sessions")
    dashboard.page.wait_for_selector("#credential")
    assert "Sign in with another one" in dashboard.text("[role=alert]") and dashboard.stored()["session"] == {}
    dashboard.forgive("401")


# what is shown ---------------------------------------------------------------------------------------------------


def test_the_overview_has_the_numbers_of_the_database(world, dashboard):
    created, completed, opened = world.db.sql(
        "SELECT count(*), count(*) FILTER (WHERE status = 'complete') AS c,"
        " count(*) FILTER (WHERE status = 'open') AS o"
        " FROM checkout.checkout_sessions", user=world.db.shop)[0].values()
    visited, begun = world.db.sql(
        "SELECT (SELECT count(*) FROM checkout.session_visits WHERE first_opened_at IS NOT NULL) AS v,"
        " (SELECT count(DISTINCT checkout_session_id) FROM checkout.payments) AS p", user=world.db.shop)[0].values()
    figures = re.findall(r"\d[\d.,%]*", dashboard.text(".figures"))
    assert figures == [str(created), str(visited), str(begun), str(completed),
                       f"{100 * completed / (created - opened):.1f}%", str(opened)]
    assert sum(int(row[1]) for row in dashboard.rows("Where buyers stopped")) == created - completed - opened
    days = dashboard.rows("The numbers by day")
    assert len(days) == 7 and sum(int(day[1]) for day in days) == created
    assert dashboard.page.locator("dashboard-chart canvas").count() == 2
    sums = world.db.sql("SELECT currency_code, count(*), sum(amount) FROM checkout.payments WHERE status = 'succeeded'"
                        " GROUP BY 1 ORDER BY 2 DESC", user=world.db.shop)
    assert [[row[0], row[1], re.sub(r"[^\d.]", "", row[2])] for row in dashboard.rows("Paid, by currency")] == [
        [row["currency_code"], str(row["count"]), str(row["sum"])] for row in sums]
    assert re.findall(r"^\d+\+?$", dashboard.text(".attentions"), re.MULTILINE) == ["3", "1", "2"]


def test_the_dates_of_the_overview_are_in_its_address(dashboard):
    dashboard.page.click("text=Today")
    dashboard.settle()
    today = dashboard.page.evaluate("new Date().toISOString().slice(0, 10)")
    assert f"from={today}&to={today}" in dashboard.page.url and len(dashboard.rows("The numbers by day")) == 1
    dashboard.page.go_back()
    dashboard.settle()
    assert len(dashboard.rows("The numbers by day")) == 7
    dashboard.go("overview?from=2020-01-01&to=2020-01-02")
    assert "No sessions in this period" in dashboard.text()


def test_a_session_has_its_whole_story(world, dashboard):
    dashboard.go("sessions?reference=sold-1")
    dashboard.page.click("a.cover")
    dashboard.settle()
    assert dashboard.page.url.endswith(f"#/sessions/{world.shop.sold}")
    assert "$27.27 USD" in dashboard.text("h1")
    assert [row[0] for row in dashboard.rows("Lines")] == ["Coffee mug", "Assam tea, 250 g"]
    assert "Discount, coupon SPRING" in dashboard.text(".sums")
    assert dashboard.rows("Payments")[0][3] == "pay_sold" and dashboard.rows("Refunds")[0][2] == "A broken lid"
    assert [text in dashboard.text(".timeline") for text in ("Session completed", "Refunded")] == [True, True]
    receivers = [row[1] for row in dashboard.rows("Webhook deliveries")]
    assert sorted(receivers) == sorted([ENDPOINT, ENDPOINT, "warehouse"])
    assert dashboard.page.get_attribute(".facts time", "title") == world.db.value(
        "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS UTC')"
        " FROM checkout_data.checkout_sessions WHERE checkout_session_id = %s", world.shop.sold)
    dashboard.go("sessions/01912345-6789-7abc-8def-0123456789ab")
    assert "There is no such session" in dashboard.text("h1")


def test_money_to_refund_is_that_of_the_database(world, dashboard):
    dashboard.go("refunds")
    rows = dashboard.rows("Money to refund")
    assert {row[2] for row in rows} == {
        row["payment_id"] for row in world.db.call("list_payments", to_refund=True)} and len(rows) == 3
    assert "Paid twice" in dashboard.text() and "Paid after the session had expired" in dashboard.text()


def test_products_show_their_stock(world, dashboard):
    dashboard.go("products")
    shown = {row[1]: row[2:] for row in dashboard.rows("Products")}
    assert shown["tea"] == ["✓ In stock", "140", "2", "138"] and shown["pot"][0] == "✕ Sold out"
    assert shown["gift"] == ["∞ Not tracked", "—", "—", "—"] and "old" not in shown
    dashboard.page.click("text=Low stock (≤ 5)")
    dashboard.settle()
    assert [row[1] for row in dashboard.rows("Products")] == ["pot", "mug"]
    dashboard.page.click("text=Archived")
    dashboard.settle()
    assert [row[1] for row in dashboard.rows("Products")] == ["old"]
    dashboard.go("products/mug")
    assert dashboard.rows("Prices")[0][0] == "$12.50 USD"
    assert dashboard.rows("Changes of the stock")[0][1:4] == ["+3", "3", "Created"]


def test_subscriptions_show_who_has_paid_until_when(world, dashboard):
    dashboard.go("subscriptions")
    rows = {row[0]: row[1:3] for row in dashboard.rows("Subscriptions")}
    assert rows == {"member@mail.example": ["✓ Active", "$8.90 USD"], "leaver@mail.example": ["– Canceled", "$8.90 USD"],
                    "taster@mail.example": ["◔ Trial", "$8.90 USD"]}
    dashboard.page.select_option("select[name=status]", "trialing")
    dashboard.settle()
    assert [row[0] for row in dashboard.rows("Subscriptions")] == ["taster@mail.example"]
    dashboard.go(f"subscriptions/{world.shop.subscription}")
    text = dashboard.text()
    assert "$8.90 USD, month" in text and "Periods paid" in text
    sessions = dashboard.rows("Sessions")
    assert len(sessions) == 2 and sessions[1][1] == "The first period"
    dashboard.go("subscriptions/00000000-0000-4000-8000-000000000000")
    assert "There is no such subscription" in dashboard.text()


def test_coupons_show_what_they_have_brought(dashboard):
    dashboard.go("coupons")
    assert [row[0] for row in dashboard.rows("Coupons")] == ["WELCOME", "SPRING"]
    dashboard.page.click("text=SPRING")
    dashboard.settle()
    assert dashboard.rows("What it has brought") == [["USD", "1", "1", "$30.30 USD", "$3.03 USD", "$27.27 USD"]]


def test_webhooks_show_deliveries_and_their_attempts(world, dashboard):
    dashboard.go("webhooks")
    assert dashboard.rows("Endpoints")[0][:2] == [ENDPOINT, "! Failing"]
    assert dashboard.rows("Consumers")[0][0] == "warehouse"
    dashboard.page.click(f"text={ENDPOINT}")
    dashboard.settle()
    counts = {}
    for state in ("waiting", "dead"):
        dashboard.go(f"webhooks/{world.shop.endpoint}?show={state}")
        counts[state] = len(dashboard.rows("Deliveries"))
    assert counts == world.db.sql(
        "SELECT count(*) FILTER (WHERE next_attempt_at IS NOT NULL) AS waiting,"
        " count(*) FILTER (WHERE dead_at IS NOT NULL) AS dead"
        " FROM checkout_data.webhook_deliveries WHERE receiver_id = %s", world.shop.endpoint)[0]
    dashboard.page.click("table a >> nth=0")
    dashboard.settle()
    attempts = dashboard.rows("Attempts")
    assert len(attempts) == 10 and attempts[0][2] == "✕ Failed 503" and HOSTILE[:20] in attempts[0][4]


def test_the_gateway_serves_it_as_postgrest_does(world, open_dashboard):
    """The same page with the same key shows the same texts."""
    world.db.sql("CREATE ROLE gateway LOGIN; SELECT checkout.grant_access('gateway', 'request')")
    with Gateway(world.db, f"--pages={ROOT / 'pages'}") as gateway:
        shown = [open_dashboard(host=host).sign_in(world.keys.restricted) for host in (world.host, gateway)]
        more = ["sessions?key=order_id&currency=JPY", "sessions?status=open", "products?show=low",
                "webhooks/{shop.endpoint}?show=waiting"]
        for place in (place.format(shop=world.shop) for place in (*PLACES.values(), *more)):
            ours, gateways = (dashboard.go(place).text() for dashboard in shown)
            assert gateways == ours and len(ours) > 20, place


# who may do what -------------------------------------------------------------------------------------------------


def dead(world):
    return world.db.value("SELECT count(*) FROM checkout_data.webhook_deliveries WHERE dead_at IS NOT NULL")


def test_a_restricted_key_cannot_act(world, dashboard):
    dashboard.go("webhooks?show=dead")
    assert len(dashboard.rows("Dead deliveries")) == 1
    assert dashboard.page.locator("text=Send again").count() == 0
    assert "sign in with a token" in dashboard.text()
    status = dashboard.page.evaluate(
        """key => fetch('/rpc/redeliver_webhook_events', {
            method: 'POST', headers: { 'x-api-key': key, 'content-type': 'application/json' },
            body: '{"created_after": "2000-01-01"}' }).then(({ status }) => status)""",
        world.keys.restricted)
    assert status == 403 and dead(world) == 1
    dashboard.forgive("403")


def test_refused_calls_say_what_the_integration_does_wrong(dashboard):
    rows = dashboard.go("requests").page.locator("tbody tr").all_inner_texts()
    (unknown,) = [row for row in rows if "PT404" in row and "get_checkout_session" in row]
    assert "12" in unknown and "checkout session … not found or access denied" in unknown
    assert any("22023" in row and 'argument "currency_code"' in row for row in rows)


def test_health_is_for_administrators(world, open_dashboard, dashboard):
    assert dashboard.page.locator("nav >> text=Health").count() == 0
    dashboard.go("health")
    assert "There is no such page" in dashboard.text()
    member = open_dashboard().sign_in(world.keys.member)
    assert member.page.locator("nav >> text=Health").count() == 0
    member.forgive("403")
    manager = open_dashboard().sign_in(world.keys.manager).go("health")
    assert "Overdue sessions" in manager.text()
    assert {row[0] for row in manager.rows("The relay")} == {ENDPOINT, "warehouse"}


# looks and access ------------------------------------------------------------------------------------------------


def test_hostile_texts_are_texts(world, dashboard):
    for place in (f"sessions/{world.shop.hostile}", "sessions", "refunds", "products", "products/hostile",
                  "coupons/WELCOME", f"webhooks/{world.shop.endpoint}"):
        dashboard.go(place)
        assert HOSTILE[:12] in dashboard.text(), place
        assert dashboard.page.locator("#app img, #app b").count() == 0, place
        assert "attacked" not in dashboard.page.title().replace(HOSTILE, "")


@pytest.mark.parametrize("look", [{}, {"color_scheme": "dark"}, {"viewport": {"width": 320, "height": 700}}])
def test_axe_finds_nothing(world, open_dashboard, look):
    dashboard = open_dashboard(**look)
    assert axe_violations(dashboard.page) == []
    dashboard.sign_in(world.keys.manager)
    places = [*VIEWS, "health", f"sessions/{world.shop.hostile}", "products/mug", "coupons/SPRING", "sessions?id=1",
              f"webhooks/{world.shop.endpoint}", "webhooks?show=dead", "nowhere"]
    assert {place: found for place in places if (found := axe_violations(dashboard.go(place).page))} == {}


def test_all_of_it_works_with_the_keyboard(world, open_dashboard):
    dashboard = open_dashboard()
    press = dashboard.page.keyboard.press
    focused = lambda: dashboard.page.evaluate("document.activeElement.innerText || document.activeElement.name")
    press("Tab")
    assert focused() == "credential"
    dashboard.page.keyboard.insert_text(world.keys.restricted)
    press("Enter")
    dashboard.page.wait_for_selector("nav a[aria-current=page]")
    dashboard.page.evaluate("document.activeElement.blur()")
    for expected in ("Skip to the content", "Overview", "Sessions"):
        press("Tab")
        assert focused() == expected
    press("Enter")
    dashboard.settle()
    assert focused() == "Sessions" and dashboard.page.evaluate("document.activeElement.tagName") == "H1"
    while "Nov" not in focused() and not re.search(r"\d{4}, ", focused()):
        press("Tab")
    press("Enter")
    dashboard.settle()
    assert "$" in focused()


def test_an_empty_shop_is_told_what_to_do(world, open_dashboard):
    dashboard = open_dashboard().sign_in(world.keys.empty)
    assert dashboard.text(".environment") == "Test"
    for view, says in {
        "overview": "create_checkout_session", "sessions": "create_checkout_session", "refunds": "Nothing to refund",
        "subscriptions": "interval_unit", "products": "create_product", "coupons": "create_coupon", "webhooks": "create_webhook_endpoint",
        "requests": "request_failure_threshold",
    }.items():
        assert says in dashboard.go(view).text(), view


def test_an_error_says_what_to_do_and_can_be_tried_again(dashboard):
    dashboard.page.route("**/views/**", lambda route: route.abort())
    dashboard.go("sessions")
    assert "cannot be reached" in dashboard.text("[role=alert]")
    dashboard.page.unroute("**/views/**")
    dashboard.page.click("button >> text=Try again")
    dashboard.page.wait_for_selector("a.cover")
    dashboard.forgive("ERR_FAILED")


def test_in_french(world, open_dashboard):
    dashboard = open_dashboard(locale="fr-FR").sign_in(world.keys.restricted).go(f"sessions/{world.shop.sold}")
    assert dashboard.page.evaluate("document.documentElement.lang") == "fr"
    assert "27,27" in dashboard.text("h1") and "Remboursements" in dashboard.text()
    dashboard.page.select_option("select >> nth=0", "en")
    assert "Refunds" in dashboard.text()


def test_both_dictionaries_have_the_same_keys_and_all_that_is_used():
    english, french = (
        dict(re.findall(r"^    '(.+?)': '(.*)',$", (PAGE / f"i18n/{name}.js").read_text(), re.MULTILINE))
        for name in ("en", "fr"))
    assert english.keys() == french.keys() and len(english) > 300
    holes = lambda text: sorted(re.findall(r"\{\w+\}", text))
    assert [key for key in english if holes(english[key]) != holes(french[key])] == []
    sources = "".join(file.read_text() for file in PAGE.rglob("*.js"))
    used = set(re.findall(r"\bt\('([a-z_.]+)'", sources))
    assert {key for key in used if key not in english and f"{key}.other" not in english} == set()


def test_a_token_can_send_a_dead_delivery_again(world, open_dashboard):
    dashboard = open_dashboard().sign_in(world.keys.member).go("webhooks?show=dead")
    dashboard.page.click("text=Send again")
    dashboard.page.wait_for_selector("text=Will be sent again")
    assert dead(world) == 0
    dashboard.forgive("403")
