"""A buyer pays on the hosted page: in Chromium, in front of a real PostgREST and a real database."""

import time

from support.pay_page import BUYER, CART, FREE, picture, shop, visit, world  # noqa: F401


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
    assert page.link("Back to Maison Adjoa") == "https://shop.example/cart"
    assert page.pay.count() == 0
    picture(page, "failed")


def test_a_slow_payment_is_waited_for(visit):
    page = visit(amount=25)
    page.play("slow")
    page.sees("We are waiting for your payment")
    assert page.page.locator(".scenario").all_text_contents()[0] == "The slow payment arrives"
    page.play("slow")
    page.sees("Thank you").sees("You can close this page.")


def test_an_order_in_which_nothing_is_due_is_completed(visit, shop):
    page = visit(environment="live", **FREE, **BUYER)
    assert page.text("button.pay") == "Complete order"
    assert page.page.locator("[name=method]").count() == 0
    picture(page, "free")
    page.pay.click()
    page.sees("Your order with Maison Adjoa is complete.")
    assert shop.get(page.session, "live")["payment_status"] == "no_payment_required"


def test_what_recurs_is_said_before_it_is_paid(visit, shop):
    shop.product("club", "Tea club", 12.5, environment="live", interval_unit="month", trial_period="14 days")
    page = visit(environment="live", product_id="club", customer_id="anna").sees("Tea club")
    picture(page, "trial")
    said = page.text(".recurrence")
    assert said.startswith("Free until ") and said.endswith(", then €12.50 every month. You are asked before each payment.")
    page.pay.click()
    page.sees("Your order with Maison Adjoa is complete.")
    (subscription,) = shop.call("list_subscriptions", "live", customer_id="anna")
    assert subscription["status"] == "trialing"
    page = visit(environment="live", subscription_id=str(subscription["subscription_id"])).sees("€12.50")
    assert page.text(".recurrence").endswith(". €12.50 every month.")


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
    field = page.page.get_by_label("Your amount: A gift")
    page.sees("Between €5.00 and €100.00")
    picture(page, "amount")
    for typed, says in (("3", "At least €5.00"), ("100.01", "At most €100.00"), ("much", "such as €20.00"),
                        ("12.345", "such as €20.00")):
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
    query = "SELECT billing_address FROM checkout_data.session_terms WHERE checkout_session_id = %s"
    typed = {"name": "Awa Diop", "line1": "12 rue Félix Faure", "city": "Dakar"}
    assert shop.db.value(query, page.session) == {**typed, "country": "SN"}
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
    page = visit(amount=25)
    assert page.text("[role=timer]").startswith(("59:", "1:00:0"))
    shop.end_in(page.session, "3 seconds")
    page.look_again()
    page.page.wait_for_selector(".countdown.short")
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


def test_the_countdown_is_the_servers_and_is_read_aloud_three_times(visit, shop):
    ahead = "Date = class extends Date { constructor(...a) { super(...(a.length ? a : [Date.now()])); }" \
        " static now() { return super.now() + 86400000; } };"
    page = visit(amount=25, before=lambda page: page.add_init_script(ahead))
    assert page.page.evaluate("Date.now()") > time.time() * 1000 + 86_000_000
    assert page.text("[role=timer]").startswith(("59:", "1:00:0")) and page.text("#announcer") == ""
    spoken = {10: "10 minutes are left to pay.", 5: "5 minutes are left to pay.", 1: "One minute is left to pay."}
    for minutes, said in spoken.items():
        shop.end_in(page.session, f"{minutes} minutes 2 seconds")
        page.look_again()
        page.sees(said, "#announcer")


def test_what_is_sold_out_cannot_be_paid_until_it_is_there_again(visit, shop, world):
    shop.product("lamp", "Lamp", 80, on_hand=1)
    browser = shop.db.value("SELECT api_key FROM checkout.create_api_key(%s, 'publishable', 'test')", shop.id)
    answer = world.postgrest.call("create_checkout_session", lines=[{"price_id": "lamp"}], customer_id="c2",
                                  key=browser)
    page = visit((answer.body["checkout_session_id"], answer.body["client_secret"]))
    page.sees("Pay €80.00")
    holder, _ = shop.create(lines=[{"price_id": "lamp"}])
    page.look_again()
    page.sees("Sold out")
    picture(page, "sold-out")
    shop.call("expire_checkout_session", checkout_session_id=holder)
    page.look_again()
    page.sees("Pay €80.00")
