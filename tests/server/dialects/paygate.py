"""The PayGate dialect, `Checkout Sessions API`: create, retrieve and expire."""

from datetime import datetime, timedelta, timezone

from dialects import rows
from dialects.shop import read, same, time

documented = rows.of("paygate")

PATH = "/v1/checkout/sessions"
# The document's own request, unchanged.
REQUEST = """{
"amount": 5000,
"currency": "GHS",
"success_url": "https://yoursite.com/success?session_id={CHECKOUT_SESSION_ID}",
"cancel_url": "https://yoursite.com/cancel",
"customer_email": "customer@example.com",
"metadata": {
"order_id": "1234"
}
}"""
# The document's own object.
OBJECT = """{
"id": "cs_abc123def456",
"object": "checkout.session",
"status": "open",
"url": "https://paygate.44.200.142.19.nip.io/checkout/cs_abc123def456",
"amount": 5000,
"currency": "GHS",
"payment": null,
"payment_status": "unpaid",
"customer": null,
"customer_email": "customer@example.com",
"success_url": "https://yoursite.com/success?session_id={CHECKOUT_SESSION_ID}",
"cancel_url": "https://yoursite.com/cancel",
"metadata": {
"order_id": "1234"
},
"expires_at": "2024-01-16T10:00:00Z",
"created_at": "2024-01-15T10:00:00Z"
}"""
ATTRIBUTES = {
    "id": "string: unique identifier, cs_...",
    "object": "string: always \"checkout.session\"",
    "status": "string: open, complete, expired",
    "url": "string: URL to redirect customer to",
    "amount": "integer: amount in pesewas",
    "currency": "string: currency code",
    "payment": "string: payment ID (when complete); null before",
    "payment_status": "string: unpaid, paid",
    "customer": "string: customer ID; null where there is none",
    "customer_email": "string: pre-filled email",
    "success_url": "string: redirect URL on success",
    "cancel_url": "string: redirect URL on cancel",
    "metadata": "object: custom metadata",
    "expires_at": "string: when the session expires",
    "created_at": "string: creation timestamp",
}
OWN = ("id", "url", "expires_at", "created_at")
URLS = {"success_url": "https://yoursite.com/success", "cancel_url": "https://yoursite.com/cancel"}


def request(**members):
    body = {"amount": 5000, **URLS, **members}
    return {name: value for name, value in body.items() if value is not ...}


def create(shop, **members):
    return shop.accepted("POST", PATH, request(**members))


def retrieve(shop, session):
    return shop.accepted("GET", f"{PATH}/{session['id']}")


def refused(shop, message, **members):
    body = shop.refused(400, message, "POST", PATH, request(**members))
    assert body["error"]["type"] == "invalid_request_error"


def stored(session):
    """The stored form of the id."""
    return session["id"].removeprefix("cs_")


# operations


@documented("operation", "POST /v1/checkout/sessions", "creates a new checkout session")
@documented("rule", "example", "the documented request gives the documented object: 15 fields in order")
def documented_example(shop):
    shop = shop.another(base_url="https://pay.example")
    session = shop.accepted("POST", PATH, REQUEST)
    documented_object = read(OBJECT)
    assert len(documented_object) == 15 and list(documented_object) == list(ATTRIBUTES)
    assert same(session, {name: session[name] if name in OWN else value for name, value in documented_object.items()})
    assert shop.row(stored(session))["status"] == "open"


def attribute_is_as_documented(shop, name):
    shop = shop.another(base_url="https://pay.example/checkout")
    session = shop.accepted("POST", PATH, REQUEST)
    example = read(OBJECT)[name]
    if name not in OWN:
        assert same(session[name], example)
    elif name == "id":
        assert session[name].startswith("cs_") and session[name][3:].isalnum()
        assert session[name] != shop.accepted("POST", PATH, REQUEST)[name]
    elif name == "url":
        assert session[name].startswith("https://pay.example/checkout/")
        assert create(shop.another())[name] is None, "who has no pages has no URL of one"
    else:
        assert len(session[name]) == len(example)
        assert time(session["expires_at"]) - time(session["created_at"]) == timedelta(days=1)
    assert same(retrieve(shop, session)[name], session[name])


for attribute, says in ATTRIBUTES.items():
    documented("field", attribute, says, attribute)(attribute_is_as_documented)


@documented("field", "payment", "set when the session is complete")
def payment_is_set_when_complete(shop):
    session = create(shop)
    shop.pay(stored(session), "failed", "pay_1")
    assert retrieve(shop, session)["payment"] is None
    shop.pay(stored(session), "succeeded", "pay_2")
    assert retrieve(shop, session)["payment"] == "pay_2"


@documented("operation", "GET /v1/checkout/sessions/:id", "retrieves a checkout session by ID")
def session_is_retrieved(shop):
    session = create(shop, metadata={"order_id": "1"})
    assert same(retrieve(shop, session), session)
    for unknown in ("cs_abc123def456", "cs_", "cs_" + "0" * 32, "CS_" + stored(session)):
        body = shop.refused(404, f"checkout session {unknown} not found", "GET", f"{PATH}/{unknown}")
        assert list(body["error"]) == ["type", "message"] and body["error"]["type"] == "invalid_request_error"
    shop.another().refused(404, "not found or access denied", "GET", f"{PATH}/{session['id']}")


@documented("operation", "POST /v1/checkout/sessions/:id/expire", "manually expire an open session; answers with it")
def open_session_is_expired(shop):
    session = create(shop)
    expired = shop.accepted("POST", f"{PATH}/{session['id']}/expire")
    assert same(expired, {**session, "status": "expired"})
    assert same(retrieve(shop, session), expired)
    assert shop.pay(stored(session))["rejection_reason"] == "session_expired"


@documented("rule", "expire", "an open session: a complete one is not")
def complete_session_cannot_be_expired(shop):
    session = create(shop)
    shop.pay(stored(session))
    body = shop.refused(409, "checkout session is complete", "POST", f"{PATH}/{session['id']}/expire")
    assert body["error"]["type"] == "invalid_request_error"
    assert retrieve(shop, session)["status"] == "complete"
    shop.refused(404, "not found", "POST", f"{PATH}/cs_abc123def456/expire")
    other = create(shop)
    shop.another().refused(404, "not found", "POST", f"{PATH}/{other['id']}/expire")
    assert retrieve(shop, other)["status"] == "open"


@documented("header", "Authorization", "Bearer sk_test_...")
def bearer_key_is_required(shop):
    assert shop.key(environment="test").startswith("sk_test_")
    session = shop.accepted("POST", PATH, request(), environment="test")
    for method, path in (("POST", PATH), ("GET", PATH), ("GET", f"{PATH}/{session['id']}"),
                         ("POST", f"{PATH}/{session['id']}/expire")):
        for headers in ({}, {"Authorization": "Bearer sk_test_..."}, {"Authorization": "Basic c2s6"}):
            body = shop.refused(401, "Invalid API key", method, path, request(), key=False, headers=headers)
            assert same(body, {"error": {"type": "authentication_error", "message": "Invalid API key"}})
        shop.refused(403, "publishable", method, path, request(), kind="publishable", environment="test")
    assert shop.row(stored(session))["status"] == "open" and shop.count() == 1


@documented("rule", "Express example", "paid is who has status complete and payment_status paid")
def customer_who_comes_back_is_verified(shop):
    session = shop.accepted("POST", PATH, REQUEST)
    assert (retrieve(shop, session)["status"], retrieve(shop, session)["payment_status"]) != ("complete", "paid")
    shop.pay(stored(session))
    found = retrieve(shop, session)
    assert found["status"] == "complete" and found["payment_status"] == "paid"
    assert found["metadata"]["order_id"] == "1234"


# parameters


@documented("parameter", "amount", "integer, required")
def amount_is_an_integer(shop):
    assert create(shop, amount=5000.0)["amount"] == 5000
    for wrong, message in ((..., "is required"), (None, "is required"), (50.5, "must be an integer"),
                           ("5000", "must be a number"), (0, "must be greater than zero"), (-1, "must"),
                           (10**17, "must be less than 100000000000000000"), (10**30, "must be less than")):
        refused(shop, f"amount {message}", amount=wrong)


@documented("rule", "amount", "in pesewas: the smallest units of the currency")
def amount_is_in_smallest_units(shop):
    prices = (("GHS", 5000, "50.00"), ("GHS", 1, "0.01"), ("XOF", 5000, "5000"), ("KWD", 5, "0.005"))
    for currency, units, amount in prices:
        session = create(shop, currency=currency, amount=units)
        assert same(session["amount"], units)
        assert str(shop.row(stored(session))["amount"]) == amount


@documented("parameter", "currency", "string, optional")
def currency_is_a_code(shop):
    assert create(shop, currency="NGN")["currency"] == "NGN"
    # As Stripe's clients write it.
    assert create(shop, currency="ngn")["currency"] == "NGN"
    for wrong in ("zzz", "", "CEDI", "XXX"):
        refused(shop, "currency is not a supported ISO 4217 currency code", currency=wrong)
    refused(shop, "currency must be a string", currency=936)


@documented("rule", "currency", "default: GHS")
def currency_is_ghs_by_default(shop):
    for missing in (..., None):
        assert create(shop, currency=missing)["currency"] == "GHS"


@documented("parameter", "success_url", "string, required", "success_url")
@documented("parameter", "cancel_url", "string, required", "cancel_url")
def url_is_required(shop, name):
    url = "https://yoursite.com/a%20b?c={d}#e"
    assert create(shop, **{name: url})[name] == url
    for missing in (..., None):
        refused(shop, f"{name} is required", **{name: missing})
    for wrong in ("", "yoursite.com", "javascript:alert(1)", "ftp://yoursite.com"):
        refused(shop, f"{name} ", **{name: wrong})
    refused(shop, f"{name} must be a string", **{name: 7})


@documented("rule", "{CHECKOUT_SESSION_ID}", "may be in the URLs; the object has it as it was given", "success_url")
@documented("rule", "{CHECKOUT_SESSION_ID}", "in cancel_url, too", "cancel_url")
def placeholder_is_kept(shop, name):
    for end in ("success?session_id={CHECKOUT_SESSION_ID}", "{CHECKOUT_SESSION_ID}/ok"):
        url = f"https://yoursite.com/{end}"
        session = create(shop, **{name: url})
        assert session[name] == retrieve(shop, session)[name] == url


@documented("rule", "{CHECKOUT_SESSION_ID}", "on redirect it is replaced with the actual session ID")
def placeholder_is_replaced_on_redirect(shop):
    session = create(shop, success_url="https://yoursite.com/success?session_id={CHECKOUT_SESSION_ID}")
    query = """SELECT CASE WHEN set_config('checkout_sessions.organization_id', %s, true) IS NOT NULL
                   THEN checkout.redirect_url(%s, %s) END AS url"""
    url = shop.market.admin(query, shop.organization_id, session["success_url"], stored(session))[0]["url"]
    start, _, session_id = url.partition("?session_id=")
    assert start == "https://yoursite.com/success"
    # The shop gets back the id in the form of this dialect.
    assert shop.accepted("GET", f"{PATH}/{session_id}") == session


@documented("parameter", "customer", "string: existing customer ID", "customer", "cus_1")
@documented("parameter", "customer_email", "string: pre-fill email", "customer_email", "a@example.com")
@documented("parameter", "customer_phone", "string: pre-fill phone", "customer_phone", "+233 20 123 4567")
def customer_is_optional(shop, name, value):
    session = create(shop, **{name: value})
    assert shop.row(stored(session))["customer_id" if name == "customer" else name] == value
    # The object has no phone.
    assert session.get(name) == (None if name == "customer_phone" else value)
    assert list(session) == list(ATTRIBUTES)
    assert create(shop).get(name) is None
    refused(shop, f"{name} must be a string", **{name: 7})


@documented("parameter", "payment_method_types", "array: allowed payment methods")
def payment_methods_are_an_array(shop):
    session = create(shop, payment_method_types=["card", "mobile_money"])
    assert shop.row(stored(session))["payment_methods"] == ["card", "mobile_money"]
    assert list(session) == list(ATTRIBUTES)
    for wrong in ("card", [], [7], ["card", "card"], {"card": True}):
        refused(shop, "payment_method_types must ", payment_method_types=wrong)


@documented("parameter", "metadata", "object: custom metadata")
def metadata_is_kept(shop):
    assert create(shop, metadata={"order_id": "1234", "n": 1})["metadata"] == {"order_id": "1234", "n": 1}
    assert create(shop)["metadata"] == {}
    for wrong in ("text", ["a"], 7):
        refused(shop, "metadata must be an object", metadata=wrong)


@documented("parameter", "expires_at", "string: expiration timestamp")
def expiry_may_be_chosen(shop):
    at = (datetime.now(timezone.utc) + timedelta(hours=3)).replace(microsecond=0)
    utc = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    east = at.astimezone(timezone(timedelta(hours=2))).isoformat()
    basic = utc.replace("-", "").replace(":", "")
    for text in (utc, east, utc.replace("Z", "+00"), utc.replace("Z", "+0000"), utc.replace("T", " "), basic):
        assert create(shop, expires_at=text)["expires_at"] == utc
    assert create(shop, expires_at=utc.replace("Z", ",999Z"))["expires_at"] == utc
    to_the_minute = create(shop, expires_at=f"{utc[:16]}Z")["expires_at"]
    assert to_the_minute == f"{utc[:16]}:00Z"
    past = (at - timedelta(hours=4)).isoformat()
    for wrong in ("tomorrow", "", "2099-01-01", utc.replace("Z", ""), past, "9999-12-31T00:00:00Z"):
        refused(shop, "expires_at must ", expires_at=wrong)
    refused(shop, "expires_at must be an ISO 8601 timestamp with its offset", expires_at=utc.replace("Z", ""))
    refused(shop, "expires_at must be an ISO 8601 timestamp or Unix seconds", expires_at=True)


@documented("rule", "expires_at", "(silent) Unix seconds, which Stripe's clients send, are a time, too")
def expiry_may_be_in_unix_seconds(shop):
    at = (datetime.now(timezone.utc) + timedelta(hours=3)).replace(microsecond=0)
    for seconds in (int(at.timestamp()), str(int(at.timestamp())), at.timestamp()):
        assert create(shop, expires_at=seconds)["expires_at"] == at.strftime("%Y-%m-%dT%H:%M:%SZ")
    refused(shop, "expires_at must be between", expires_at=int(at.timestamp() * 1000))
    refused(shop, "expires_at must be in the future", expires_at=1)


@documented("rule", "expires_at", "(silent) a second to 30 days ahead")
def expiry_is_at_most_30_days_ahead(shop):
    def ahead(span):
        return (datetime.now(timezone.utc) + span).isoformat()

    for right in (timedelta(minutes=1), timedelta(days=29, hours=23)):
        create(shop, expires_at=ahead(right))
    for wrong in (timedelta(days=30, minutes=1), timedelta(0)):
        refused(shop, "expires_at must ", expires_at=ahead(wrong))


@documented("rule", "expires_at", "24 hours in the documented object, where none is chosen")
def session_lives_for_a_day(shop):
    shop = shop.another(default_lifetime="10 minutes", maximum_lifetime="1 hour")
    session = create(shop)
    assert time(session["expires_at"]) - time(session["created_at"]) == timedelta(hours=24)
    shop.let_pass(stored(session), "23 hours 59 minutes 50 seconds")
    assert retrieve(shop, session)["status"] == "open"
    shop.let_pass(stored(session), "10 seconds")
    assert retrieve(shop, session)["status"] == "expired"
