"""The lomi dialect, `Checkout Sessions API`: its lists, errors, limitations and use cases."""

import re
import uuid
from datetime import timedelta

from dialects import rows
from dialects.lomi import LISTED, PATH, create, get, listed, refused, request
from dialects.shop import same, time

documented = rows.of("lomi")


def ids(sessions):
    return [session["checkout_session_id"] for session in sessions]


# the list's parameters


@documented("parameter", "status (list)", "optional: open", "open")
@documented("parameter", "status (list)", "optional: complete", "complete")
@documented("parameter", "status (list)", "optional: expired", "expired")
def list_is_filtered_by_status(shop, status):
    shop = shop.another(max_retry_attempts=0)
    sessions = {name: [create(shop)] for name in ("open", "complete", "expired")}
    shop.pay(sessions["complete"][0]["checkout_session_id"])
    shop.let_pass(sessions["expired"][0]["checkout_session_id"], "1 hour")
    # The dialect has no word for a session whose payments have failed. It is over, so it is shown as expired.
    sessions["expired"].insert(0, create(shop))
    shop.pay(sessions["expired"][0]["checkout_session_id"], "failed")
    found = listed(shop, status=status)
    assert ids(found) == ids(sessions[status])
    assert {session["status"] for session in found} == {status}
    assert len(listed(shop)) == 4


@documented("rule", "status (list)", "no other")
def status_that_there_is_not_is_refused(shop):
    for wrong in ("completed", "failed", "OPEN", "", "open,complete"):
        body = shop.refused(400, "status must be open, complete or expired", "GET", PATH, query={"status": wrong})
        assert list(body) == ["statusCode", "message"]


@documented("parameter", "limit (list)", "number of results")
def limit_is_the_number_of_results(shop):
    sessions = [create(shop) for _ in range(3)]
    for limit in (1, "2", 3, "100"):
        assert ids(listed(shop, limit=limit)) == ids(sessions[::-1])[: int(limit)]
    for wrong in (0, -1, 101, "1000", "99999999999", "99999999999999999999"):
        shop.refused(400, "limit must be between 1 and 100", "GET", PATH, query={"limit": wrong})
    for wrong in ("", "ten", "1.5", True):
        shop.refused(400, "limit must be an integer", "GET", PATH, query={"limit": wrong})


@documented("rule", "limit (list)", "default: 20")
def limit_is_20_by_default(shop):
    for _ in range(21):
        create(shop)
    assert len(listed(shop)) == 20
    assert len(listed(shop, limit=100)) == 21


@documented("parameter", "offset (list)", "offset for pagination")
@documented("rule", "offset (list)", "default: 0")
def offset_is_for_pagination(shop):
    expected = ids([create(shop) for _ in range(5)][::-1])
    assert ids(listed(shop)) == ids(listed(shop, offset=0)) == expected
    pages = [ids(listed(shop, limit=2, offset=offset)) for offset in ("0", "2", "4", "6")]
    assert pages == [expected[:2], expected[2:4], expected[4:], []]
    shop.refused(400, "offset must be at least 0", "GET", PATH, query={"offset": -1})
    shop.refused(400, "offset must be at most 2147483647", "GET", PATH, query={"offset": "99999999999"})
    shop.refused(400, "offset must be an integer", "GET", PATH, query={"offset": "two"})


# errors


@documented("error", "400", "{\"statusCode\": 400, \"message\": \"Either customer_id or customer_email is required\"}")
@documented("rule", "customer", "either customer_id or customer_email is required")
def customer_is_required(shop):
    for missing in (..., None):
        answer = shop.send("POST", PATH, request(customer_email=missing))
        assert answer.status == 400
        assert same(answer.body, {"statusCode": 400, "message": "Either customer_id or customer_email is required"})
    assert create(shop, customer_email=..., customer_id="c")["customer_email"] is None
    both = create(shop, customer_id="c")
    assert (both["customer_id"], both["customer_email"]) == ("c", "john@example.com")


@documented("error", "401", "{\"statusCode\": 401, \"message\": \"Invalid API key\"}")
def invalid_key_is_401(shop):
    for key in (False, "wrong"):
        answer = shop.send("GET", PATH, key=key)
        assert answer.status == 401 and same(answer.body, {"statusCode": 401, "message": "Invalid API key"})


@documented("error", "404", "Checkout session with ID ... not found or access denied: it does not exist", "unknown")
@documented("error", "404", "the same where it does not belong to your organization", "foreign")
def session_that_is_not_yours_is_404(shop, whose):
    unknown = "987e6543-e89b-12d3-a456-426614174000"
    session = unknown if whose == "unknown" else create(shop.another())["checkout_session_id"]
    answer = shop.send("GET", f"{PATH}/{session}")
    message = f"Checkout session with ID {session} not found or access denied"
    assert answer.status == 404 and same(answer.body, {"statusCode": 404, "message": message})
    assert shop.send("GET", f"{PATH}/not-a-uuid").status == 404


@documented("error", "shape", "every error is statusCode and message")
def errors_have_one_shape(shop):
    for request_, status in (
        (("POST", PATH, []), 400), (("POST", PATH), 400), (("PUT", PATH), 405), (("GET", "/nothing"), 404),
        (("GET", f"{PATH}/{uuid.uuid4()}"), 404),
    ):
        answer = shop.send(*request_)
        assert answer.status == answer.body["statusCode"] == status
        assert list(answer.body) == ["statusCode", "message"] and isinstance(answer.body["message"], str)


# life


@documented("status", "open", "active and awaiting payment")
def session_is_open_at_first(shop):
    assert create(shop)["status"] == "open"


@documented("status", "complete", "the customer completed the payment successfully")
def session_that_is_paid_is_complete(shop):
    session = create(shop)
    shop.pay(session["checkout_session_id"])
    paid = get(shop, session)
    assert paid["status"] == "complete" and time(paid["updated_at"]) >= time(session["updated_at"])
    assert {**paid, "status": "open", "updated_at": session["updated_at"]} == {**get(shop, session), **session}


@documented("status", "expired", "60 minutes without payment")
@documented("rule", "expiry", "60 minutes by default, and always")
def session_lives_for_60_minutes(shop):
    shop = shop.another(default_lifetime="2 days")
    session = create(shop)
    assert time(session["expires_at"]) - time(session["created_at"]) == timedelta(minutes=60)
    shop.let_pass(session["checkout_session_id"], "59 minutes 50 seconds")
    assert get(shop, session)["status"] == "open"
    shop.let_pass(session["checkout_session_id"], "10 seconds")
    assert get(shop, session)["status"] == "expired"
    assert shop.pay(session["checkout_session_id"])["rejection_reason"] == "session_expired"


@documented("rule", "expiry", "cannot extend expiration time")
def expiry_cannot_be_chosen(shop):
    for asked in ({"expires_at": "2099-01-01T00:00:00Z"}, {"expires_in": "2 hours"}, {"expiration_minutes": 120}):
        session = create(shop, **asked)
        assert time(session["expires_at"]) - time(session["created_at"]) == timedelta(minutes=60)


@documented("rule", "sessions", "don't reuse sessions: each purchase needs a fresh session")
def session_takes_one_purchase(shop):
    session = create(shop)["checkout_session_id"]
    assert shop.pay(session)["status"] == "succeeded"
    assert shop.pay(session)["rejection_reason"] == "already_paid"


@documented("rule", "security", "never create sessions from client-side code")
def publishable_key_is_refused(shop):
    for method, path in (("POST", PATH), ("GET", PATH), ("GET", f"{PATH}/{create(shop)['checkout_session_id']}")):
        answer = shop.send(method, path, request(), kind="publishable")
        assert answer.status == 403 and list(answer.body) == ["statusCode", "message"]
    assert shop.count() == 1


@documented("rule", "security", "environment separation: use test mode for development")
def environments_are_apart(shop):
    live, test = create(shop), shop.accepted("POST", PATH, request(), environment="test")
    assert (live["environment"], test["environment"]) == ("live", "test")
    assert shop.send("GET", f"{PATH}/{test['checkout_session_id']}").status == 404
    assert ids(shop.accepted("GET", PATH, environment="test")) == ids([test])


@documented("rule", "session.url", "three examples redirect the buyer to it: the last field of create and get")
def buyer_goes_to_the_url(shop):
    shop = shop.another(base_url="https://pay.example")
    session = create(shop)
    found = get(shop, session)
    assert list(session)[-1] == list(found)[-1] == "url"
    page = re.escape(f"https://pay.example/{session['checkout_session_id']}#") + r"cs_secret_[\w-]{66}"
    assert session["url"] == found["url"] and re.fullmatch(page, session["url"])


@documented("rule", "session.url", "(silent) null without a base URL; a list has the documented fields only")
def url_needs_a_base(shop):
    session = create(shop)
    assert session["url"] is None and get(shop, session)["url"] is None
    based = shop.another(base_url="https://pay.example")
    create(based)
    assert [list(item) for item in listed(based)] == [LISTED]


@documented("event", "checkout.session.completed", "payment successful", "checkout.session.completed")
@documented("event", "checkout.session.expired", "session expired without payment", "checkout.session.expired")
def event_is_written(shop, event_type):
    session = create(shop)
    if event_type.endswith("completed"):
        shop.pay(session["checkout_session_id"])
    else:
        shop.let_pass(session["checkout_session_id"], "1 hour")
        shop.sweep()
    event = shop.event(session["checkout_session_id"], event_type)
    assert event["type"] == event_type
    assert same(event["data"]["object"], get(shop, session))


@documented("event", "checkout.session.expired", "(silent) of a session whose payments have failed, too")
def failed_session_is_told_as_expired(shop):
    shop = shop.another(max_retry_attempts=0)
    session = create(shop)
    shop.pay(session["checkout_session_id"], "failed")
    assert shop.event(session["checkout_session_id"], "checkout.session.expired") is None
    event = shop.event(session["checkout_session_id"], "checkout.session.failed")
    assert event["type"] == "checkout.session.expired"
    assert event["data"]["object"]["status"] == "expired"
    assert same(event["data"]["object"], get(shop, session))


# use cases, as the document writes them


USE_CASES = {
    "Simple One-Time Payment": {
        "amount": 5000, "currency_code": "XOF", "title": "Coffee Beans - 1kg", "customer_email": "customer@example.com",
        "success_url": "https://mystore.com/thank-you", "cancel_url": "https://mystore.com/cart",
    },
    "Custom Amount (No Product)": {
        "amount": 15000, "currency_code": "XOF", "title": "Consultation Fee", "description": "1 hour consultation",
        "customer_name": "John Doe", "customer_email": "john@example.com", "customer_phone": "+221771234567",
    },
    "Example Usage": {
        "amount": 10000, "currency_code": "XOF", "title": "Premium Plan", "customer_email": "customer@example.com",
        "product_id": "product-id", "success_url": "https://example.com/success",
        "cancel_url": "https://example.com/cancel", "allow_coupon_code": True,
    },
    "Pay What You Want": {
        "amount": 7.5 * 100, "currency_code": "XOF", "title": "Support Us",
        "description": "Thank you for your support!", "customer_email": "customer@example.com",
        "success_url": "https://mysite.com/thank-you",
    },
}


def use_case_is_accepted(shop, name):
    session = shop.accepted("POST", PATH, USE_CASES[name])
    for member, value in USE_CASES[name].items():
        assert same(session[member], int(value) if member == "amount" else value)


for use_case in USE_CASES:
    documented("rule", "use case", use_case, use_case)(use_case_is_accepted)

WITHOUT_AN_AMOUNT = {
    "Product Purchase with Multiple Prices": ("product_id", {
        "product_id": "premium-plan-id", "price_id": "monthly-price-id", "customer_email": "customer@example.com",
        "success_url": "https://myapp.com/dashboard", "allow_coupon_code": True,
    }),
    "Subscription Renewal": ("subscription_id", {
        "subscription_id": "existing-subscription-id", "customer_id": "customer-id",
        "success_url": "https://myapp.com/subscription-renewed",
    }),
    "price only": ("price_id", {"price_id": "monthly-price-id", "customer_id": "c", "currency_code": "XOF"}),
}


def catalog_is_not_configured(shop, name):
    product, body = WITHOUT_AN_AMOUNT[name]
    answer = shop.refused(400, "no catalog is configured", "POST", PATH, body)
    assert product in answer["message"]
    assert shop.count() == 0
    session = shop.accepted("POST", PATH, {**body, "amount": 5000, "currency_code": "XOF"})
    assert session[product] == body[product]


for use_case in WITHOUT_AN_AMOUNT:
    says = f"{use_case}: without an amount it needs the catalog, and the organization must use it (uses_catalog)"
    documented("rule", "use case", says, use_case)(catalog_is_not_configured)


@documented("rule", "success_url, cancel_url", "must be URLs; both may be left out")
def urls_are_urls(shop):
    session = create(shop)
    assert (session["success_url"], session["cancel_url"]) == (None, None)
    for name in ("success_url", "cancel_url"):
        for wrong in ("mystore.com", "javascript:alert(1)", ""):
            refused(shop, f"{name} ", **{name: wrong})
