"""The kobo dialect, `Checkout Sessions` of a payment provider that counts in kobo."""

from datetime import timedelta
from decimal import Decimal
from urllib.parse import quote

from dialects import rows
from dialects.shop import same, time

documented = rows.of("kobo")

INITIALIZE = "/v1/checkout/session/initialize"
# The document's own metadata.
METADATA = {"order_id": "ORD-4521", "plan": "premium", "customer_id": "cust_abc123"}
LEFT_OUT = ...


def request(**members):
    body = {"amount": 500000, "email": "jane@example.com", **members}
    return {name: value for name, value in body.items() if value is not LEFT_OUT}


def initialize(shop, **members):
    return shop.accepted("POST", INITIALIZE, request(**members))["data"]


def verify(shop, text):
    return shop.accepted("GET", f"/v1/checkout/session/verify/{text}")["data"]


def refused(shop, message, **members):
    body = shop.refused(400, message, "POST", INITIALIZE, request(**members))
    assert same(body, {"status": False, "message": body["message"], "data": None})


# operations and credentials


FIELDS = [
    "id", "reference", "status", "amount", "currency", "email", "customer_name", "payment_methods", "callback_url",
    "checkout_url", "metadata", "expires_at", "paid_at", "created_at",
]


@documented("rule", "responses", "(silent) an envelope of status, message and data; data has 14 fields")
def answers_have_an_envelope(shop):
    shop = shop.another(base_url="https://pay.example")
    body = shop.accepted("POST", INITIALIZE, request())
    assert list(body) == ["status", "message", "data"] and body["status"] is True and body["message"]
    assert list(body["data"]) == FIELDS and len(FIELDS) == 14
    assert body["data"]["paid_at"] is None and body["data"]["checkout_url"].startswith("https://pay.example/")
    assert list(shop.accepted("GET", f"/v1/checkout/session/verify/{body['data']['id']}")) == list(body)


@documented("operation", "POST /v1/checkout/session/initialize", "creates a session")
def initialize_creates_a_session(shop):
    session = initialize(shop)
    assert shop.row(session["id"])["status"] == "open"
    assert shop.count() == 1


@documented("operation", "verify", "named without a path; here GET /v1/checkout/session/verify/:reference")
def verify_finds_a_session_by_reference_and_by_id(shop):
    session = initialize(shop, reference="ORD-4521", metadata=METADATA)
    assert verify(shop, "ORD-4521") == verify(shop, session["id"]) == session
    shop.refused(404, "not found", "GET", "/v1/checkout/session/verify/ORD-4522")
    shop.another().refused(404, "not found", "GET", "/v1/checkout/session/verify/ORD-4521")
    shop.another().refused(404, "not found", "GET", f"/v1/checkout/session/verify/{session['id']}")


@documented("header", "Authorization", "initialize accepts secret keys", "secret", "live")
@documented("header", "Authorization", "initialize accepts public keys (from a browser)", "publishable", "live")
@documented("header", "Authorization", "see Authentication: of the test environment, too", "test", "secret")
def initialize_accepts_a_key(shop, *words):
    kind = "publishable" if "publishable" in words else "secret"
    environment = "test" if "test" in words else "live"
    session = shop.accepted("POST", INITIALIZE, request(), kind=kind, environment=environment)["data"]
    row = shop.row(session["id"])
    assert (row["environment"], row["created_with"]) == (environment, kind)
    assert row["created_by"] == shop.keys[kind, environment]["api_key_id"]


@documented("error", "Authorization", "a key is needed")
def without_a_key_nothing_is_created(shop):
    for key in (False, "sk_live_unknown", shop.key()[:-1], "nonsense"):
        body = shop.refused(401, "Invalid API key", "POST", INITIALIZE, request(), key=key)
        assert same(body, {"status": False, "message": "Invalid API key", "data": None})
    shop.refused(403, "publishable", "GET", "/v1/checkout/session/verify/r", kind="publishable")
    assert shop.count() == 0


@documented("rule", "browsers", "(silent) a page may read the answer if its origin is one of allowed_origins")
def pages_of_allowed_origins_read_the_answer(shop):
    origin = "https://shop.example"
    shop = shop.another(allowed_origins=[origin])
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST",
             "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = shop.send("OPTIONS", INITIALIZE, headers=asked, key=False)
    assert (preflight.status, preflight.text) == (204, None)
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    assert preflight.headers["Access-Control-Allow-Methods"] == "POST"
    assert "authorization, content-type" in preflight.headers["Access-Control-Allow-Headers"]

    def told(origin, shop=shop, body=request(), **options):
        answer = shop.send("POST", INITIALIZE, body, headers={"Origin": origin}, kind="publishable", **options)
        assert answer.headers["Vary"] == "Origin"
        return answer.status, answer.headers.get("Access-Control-Allow-Origin")

    assert told(origin) == (200, origin)
    assert told(origin, body={}) == (400, origin), "the page is told why"
    for other in ("https://evil.example", "null", "https://shop.example:444", f"{origin}.evil.example"):
        assert told(other) == (200, None)
    assert told(origin, key="pk_live_unknown") == (401, None), "of no organization"
    assert told(origin, shop=shop.another()) == (200, None), "of an organization without origins"
    # Operations for servers are not opened to browsers.
    preflight = shop.send("OPTIONS", "/v1/checkout/session/verify/r", headers=asked, key=False)
    assert (preflight.status, preflight.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert "Access-Control-Allow-Origin" not in preflight.headers


# parameters


@documented("parameter", "amount", "required; in kobo")
def amount_is_required(shop):
    assert initialize(shop, amount=123456)["amount"] == 123456
    for missing in (LEFT_OUT, None):
        refused(shop, "amount is required", amount=missing)


@documented("rule", "amount", "a number of kobo: an integer")
def amount_is_whole_kobo(shop):
    assert initialize(shop, amount=150.0)["amount"] == 150
    for wrong, message in (("500000", "a number"), (100.5, "an integer"), (True, "a number"), ([100], "a number")):
        refused(shop, f"amount must be {message}", amount=wrong)


@documented("rule", "amount", "minimum: 100 (NGN 1.00)")
def amount_is_at_least_100_kobo(shop):
    assert initialize(shop, amount=100)["amount"] == 100
    for little in (99, 1, 0, -1, -100):
        refused(shop, "amount must be at least 100 kobo (NGN 1.00)", amount=little)
    for much in (10**17, 10**30):
        refused(shop, "amount must be less than 100000000000000000", amount=much)


@documented("rule", "amount format", "NGN 1.00 is 100", "1.00", 100)
@documented("rule", "amount format", "NGN 100.00 is 10,000", "100.00", 10_000)
@documented("rule", "amount format", "NGN 5,000.00 is 500,000", "5000.00", 500_000)
@documented("rule", "amount format", "NGN 1,000,000.00 is 100,000,000", "1000000.00", 100_000_000)
def amount_is_minor_units_of_naira(shop, naira, kobo):
    session = initialize(shop, amount=kobo)
    assert (session["amount"], session["currency"]) == (kobo, "NGN")
    row = shop.row(session["id"])
    assert (row["amount"], row["currency_code"]) == (Decimal(naira), "NGN")


@documented("parameter", "email", "required; the customer's email address")
def email_is_required(shop):
    session = initialize(shop, email="ada@example.com")
    assert session["email"] == shop.row(session["id"])["customer_email"] == "ada@example.com"
    for missing in (LEFT_OUT, None):
        refused(shop, "email is required", email=missing)
    for wrong in ("", "ada", "ada@", "@example.com", "Ada <ada@example.com>"):
        refused(shop, "email ", email=wrong)
    refused(shop, "email must be a string", email=7)


@documented("parameter", "customer_name", "optional; the customer's name")
def customer_name_is_kept(shop):
    session = initialize(shop, customer_name="Ada Obi")
    assert session["customer_name"] == shop.row(session["id"])["customer_name"] == "Ada Obi"
    refused(shop, "customer_name must be a string", customer_name=["Ada"])


@documented("rule", "customer_name", "\"Anonymous\" is displayed instead where it is absent")
def customer_without_a_name_is_anonymous(shop):
    session = initialize(shop)
    assert session["customer_name"] == "Anonymous"
    assert shop.row(session["id"])["customer_name"] is None


@documented("parameter", "reference", "optional; your order reference for reconciliation")
def reference_is_kept(shop):
    assert initialize(shop, reference="ORD-4521")["reference"] == "ORD-4521"
    assert initialize(shop)["reference"] is None
    refused(shop, "reference must be a string", reference=4521)


@documented("rule", "reference", "yours: also one that is a UUID finds its session")
def reference_that_is_a_uuid_finds_its_session(shop):
    for reference in ("3c9ab3a6-4a2b-4e43-9d15-6d2f5bd3a7a1", "3c9ab3a64a2b4e439d156d2f5bd3a7a2"):
        session = initialize(shop, reference=reference)
        assert verify(shop, reference)["id"] == session["id"], reference


@documented("rule", "reference", "yours: any text finds its session, percent-encoded as paths are")
def reference_of_any_text_finds_its_session(shop):
    for reference in ("ORD.4521_a~b", "ORD 4521", "ORD/4521", "Bestellung-Ü", "100%", "a?b", "#1"):
        session = initialize(shop, reference=reference)
        assert verify(shop, quote(reference, safe=""))["id"] == session["id"], reference


@documented("rule", "reference", "unique, where the organization wants it")
def reference_is_unique_where_the_organization_says_so(shop):
    strict = shop.another(reference_policy="unique")
    first = initialize(strict, reference="ORD-4521")
    body = strict.refused(409, "reference", "POST", INITIALIZE, request(reference="ORD-4521"))
    assert list(body) == ["status", "message", "data"]
    assert verify(strict, "ORD-4521")["id"] == first["id"]
    # Without that policy a customer whose only attempt has failed gets another session for the order.
    session = initialize(shop, reference="ORD-4521")
    shop.pay(session["id"], "failed")
    assert verify(shop, initialize(shop, reference="ORD-4521")["reference"])["status"] == "active"


@documented("parameter", "callback_url", "optional; URL to redirect to after payment")
def callback_url_is_kept(shop):
    url = "https://shop.example/paid?order=1&x=%20{y}"
    session = initialize(shop, callback_url=url)
    assert session["callback_url"] == shop.row(session["id"])["success_url"] == url
    assert initialize(shop)["callback_url"] is None
    for wrong in ("shop.example/paid", "javascript:alert(1)", ""):
        refused(shop, "callback_url ", callback_url=wrong)


@documented("parameter", "payment_methods", "optional; array of enabled methods: [\"bank_transfer\", \"payid\"]")
def payment_methods_are_an_array(shop):
    for methods in (["bank_transfer", "payid"], ["payid", "bank_transfer"], ["payid"]):
        session = initialize(shop, payment_methods=methods)
        assert session["payment_methods"] == shop.row(session["id"])["payment_methods"] == methods
    for wrong in ("payid", [], [7], [None], ["payid", "payid"], {"payid": True}):
        refused(shop, "payment_methods ", payment_methods=wrong)


@documented("parameter", "metadata", "optional; custom key-value object stored with the session")
def metadata_is_stored(shop):
    session = initialize(shop, metadata=METADATA)
    assert session["metadata"] == shop.row(session["id"])["metadata"] == METADATA
    assert initialize(shop)["metadata"] == {}
    for wrong in ("text", ["a"], 7):
        refused(shop, "metadata must be an object", metadata=wrong)


@documented("rule", "metadata", "any custom data")
def metadata_may_be_anything(shop):
    anything = {"list": [1, "two", None, True, {"three": Decimal("3.14")}], "": "", "Ünïcode": "✓", "n": 10**20}
    sent = '{"list": [1, "two", null, true, {"three": 3.14}], "": "", "Ünïcode": "✓", "n": 100000000000000000000}'
    body = f'{{"amount": 100, "email": "jane@example.com", "metadata": {sent}}}'
    assert shop.accepted("POST", INITIALIZE, body)["data"]["metadata"] == anything


@documented("rule", "metadata", "returned in verify responses")
def metadata_is_in_verify(shop):
    assert verify(shop, initialize(shop, metadata=METADATA)["id"])["metadata"] == METADATA


@documented("event", "webhook", "metadata is returned in webhook payloads")
def metadata_is_in_webhooks(shop):
    session = initialize(shop, metadata=METADATA)
    shop.pay(session["id"])
    event = shop.event(session["id"], "checkout.session.completed")
    assert event["data"]["object"] == verify(shop, session["id"])
    assert event["data"]["object"]["metadata"] == METADATA


# payment method priority


@documented("rule", "payment method priority", "1. the payment_methods parameter")
def methods_of_the_request_come_first(shop):
    shop = shop.another(payment_methods=["card"])
    key = shop.new_key(payment_methods=["payid"])["api_key"]
    body = request(payment_methods=["bank_transfer"])
    assert shop.accepted("POST", INITIALIZE, body, key=key)["data"]["payment_methods"] == ["bank_transfer"]


@documented("rule", "payment method priority", "2. the API key's configuration")
def methods_of_the_key_come_second(shop):
    shop = shop.another(payment_methods=["card"])
    for kind in ("secret", "publishable"):
        key = shop.new_key(kind, payment_methods=["payid"])["api_key"]
        assert shop.accepted("POST", INITIALIZE, request(), key=key)["data"]["payment_methods"] == ["payid"]


@documented("rule", "payment method priority", "3. default: [\"bank_transfer\", \"payid\"]")
def methods_by_default(shop):
    assert initialize(shop)["payment_methods"] == ["bank_transfer", "payid"]
    # The organization's own default comes between the key's and this one.
    assert initialize(shop.another(payment_methods=["card"]))["payment_methods"] == ["card"]


# life


@documented("status", "active", "session created, waiting for payment")
def session_is_active_at_first(shop):
    assert initialize(shop)["status"] == "active"


@documented("status", "completed", "payment received and confirmed")
def session_that_is_paid_is_completed(shop):
    session = initialize(shop)
    assert shop.pay(session["id"])["status"] == "succeeded"
    paid = verify(shop, session["id"])
    assert paid["status"] == "completed" and time(paid["paid_at"]) >= time(paid["created_at"])


@documented("status", "failed", "payment attempt failed")
@documented("rule", "attempts", "a session is a single payment attempt: no way leads out of failed")
def session_has_one_attempt(shop):
    shop = shop.another(max_retry_attempts=5)
    session = initialize(shop)
    assert shop.pay(session["id"], "failed")["status"] == "failed"
    assert verify(shop, session["id"])["status"] == "failed"
    late = shop.pay(session["id"])
    assert (late["status"], late["rejection_reason"]) == ("rejected", "session_failed")
    assert verify(shop, session["id"])["status"] == "failed"


@documented("status", "expired", "no payment received within 30 minutes")
@documented("rule", "expiry", "30 minutes after creation")
def session_lives_for_30_minutes(shop):
    shop = shop.another(default_lifetime="2 hours")
    session = initialize(shop)
    assert time(session["expires_at"]) - time(session["created_at"]) == timedelta(minutes=30)
    shop.let_pass(session["id"], "29 minutes 50 seconds")
    assert verify(shop, session["id"])["status"] == "active"
    shop.let_pass(session["id"], "10 seconds")
    assert verify(shop, session["id"])["status"] == "expired"


@documented("rule", "expiry", "expired sessions cannot accept payments")
def expired_session_accepts_no_payment(shop):
    session = initialize(shop)
    shop.let_pass(session["id"], "30 minutes")
    late = shop.pay(session["id"])
    assert (late["status"], late["rejection_reason"]) == ("rejected", "session_expired")
    assert verify(shop, session["id"])["status"] == "expired"


@documented("rule", "lifecycle", "completed, failed and expired are ends")
def ends_are_final(shop):
    for end, status in (("succeeded", "completed"), ("failed", "failed"), (None, "expired")):
        session = initialize(shop)
        if end:
            shop.pay(session["id"], end)
        shop.let_pass(session["id"], "1 hour")
        shop.pay(session["id"], "failed")
        shop.pay(session["id"])
        assert verify(shop, session["id"])["status"] == status
