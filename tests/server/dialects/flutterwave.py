"""Flutterwave v4, `POST /checkout/sessions`."""

from datetime import timedelta
from decimal import Decimal

from dialects import rows
from dialects.shop import same, time

documented = rows.of("flutterwave")

PATH = "/checkout/sessions"
CURRENCIES = """
    AED AFN ALL AMD ANG AOA AQD ARS AUD AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYR BZD CAD CDF CHF CLP
    CNY COP CRC CUP CVE CYP CZK DJF DKK DOP DZD ECS EEK EGP ETB EUR FJD FKP GBP GEL GGP GHS GIP GMD GNF GTQ GYD HKD
    HNL HRK HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LTL
    LVL LYD MAD MDL MGA MKD MMK MNT MOP MRO MTL MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP
    PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SKK SLL SOS SRD STD SVC SYP SZL THB TJS TMT TND TOP TRY
    TTD TWD TZS UAH UGX USD UYU UZS VEF VND VUV XAF XCD XOF XPF YER ZAR ZMK ZWD ZMW
""".split()
# Current currencies that the document does not list.
NOT_LISTED = ["BYN", "MRU", "SLE", "STN", "VES", "AWG", "BTN", "ERN", "SHP", "SSP", "WST"]
# The document's request, with its "<string>" values filled in.
EXAMPLE = {
    "amount": Decimal("12.34"), "currency": "NGN", "customer_id": "cus_4521",
    "redirect_url": "https://shop.example/paid", "reference": "order-4521", "max_retry_attempts": 3,
    "session_duration": 1442,
}
FIELDS = {
    "id": "string", "amount": "12.34", "currency": "\"NGN\"", "customer_id": "string", "checkout_url": "string",
    "redirect_url": "string", "reference": "string", "created_datetime": "\"2023-11-07T05:31:56Z\"",
    "max_retry_attempts": "3", "session_duration": "1442",
}


def request(**members):
    body = {**EXAMPLE, "amount": 12.34, **members}
    return {name: value for name, value in body.items() if value is not ...}


def create(shop, headers=None, **members):
    return shop.accepted("POST", PATH, request(**{"reference": ..., **members}), headers=headers)["data"]


def refused(shop, message, status=400, headers=None, **members):
    answer = shop.refused(status, message, "POST", PATH, request(**members), headers=headers)
    assert same(answer, {"status": "failed", "message": answer["message"], "data": None})


@documented("operation", "POST /checkout/sessions", "creates a checkout session, answers 200 OK")
@documented("rule", "example", "the documented request gives the documented response, field for field")
def documented_example(shop):
    shop = shop.another(base_url="https://pay.example")
    answer = shop.send("POST", PATH, request())
    data = answer.body["data"]
    told = {**EXAMPLE, **{name: data[name] for name in ("id", "checkout_url", "created_datetime")}}
    message = answer.body["message"]
    expected = {"status": "success", "message": message, "data": {name: told[name] for name in FIELDS}}
    assert answer.status == 200 and same(answer.body, expected)
    assert isinstance(message, str) and message
    assert shop.row(data["id"])["status"] == "open"


def field_of_data(shop, name):
    shop = shop.another(base_url="https://pay.example")
    data = shop.accepted("POST", PATH, request())["data"]
    assert list(data) == list(FIELDS)
    if name in EXAMPLE:
        assert same(data[name], EXAMPLE[name])
    elif name == "id":
        assert str(shop.row(data["id"])["checkout_session_id"]) == data["id"]
    elif name == "checkout_url":
        assert data["checkout_url"].startswith("https://pay.example/") and data["id"] in data["checkout_url"]
    else:
        assert name == "created_datetime" and len(data[name]) == len("2023-11-07T05:31:56Z")
        assert abs(time(data[name]) - shop.row(data["id"])["created_at"].replace(tzinfo=None)) < timedelta(days=1)


for field, form in FIELDS.items():
    documented("field", f"data.{field}", f"as in the example: {form}", field)(field_of_data)


@documented("field", "status", "success or failed: of the request, not of the session")
def status_is_of_the_request(shop):
    assert shop.accepted("POST", PATH, request())["status"] == "success"
    assert shop.send("POST", PATH, request(amount=0)).body["status"] == "failed"


@documented("field", "message", "string")
@documented("field", "data", "object")
def envelope_has_three_members(shop):
    body = shop.accepted("POST", PATH, request())
    assert list(body) == ["status", "message", "data"]
    assert isinstance(body["message"], str) and isinstance(body["data"], dict)


@documented("error", "status", "failed, in the same envelope")
def errors_have_the_envelope(shop):
    refused(shop, "amount is required", amount=...)
    wrong = (("GET", PATH, 405), ("DELETE", PATH, 405), ("GET", f"{PATH}/1", 404), ("POST", "/", 404))
    for method, path, status in wrong:
        answer = shop.send(method, path)
        assert answer.status == status and list(answer.body) == ["status", "message", "data"]
        assert answer.body["status"] == "failed" and answer.body["data"] is None


# headers


@documented("header", "Authorization", "required: Bearer <token>")
def bearer_token_is_required(shop):
    for headers in (None, {"Authorization": shop.key()}, {"Authorization": f"Basic {shop.key()}"},
                    {"Authorization": "Bearer sk_live_unknown"}, {"Authorization": "Bearer"}):
        body = shop.refused(401, "Invalid API key", "POST", PATH, request(), key=False, headers=headers)
        assert same(body, {"status": "failed", "message": "Invalid API key", "data": None})
    assert shop.count() == 0
    shop.accepted("POST", PATH, request(), key=False, headers={"authorization": f"bearer {shop.key()}"})


@documented("header", "X-Trace-Id", "between 12 and 255 characters", "X-Trace-Id")
@documented("header", "X-Idempotency-Key", "between 12 and 255 characters", "X-Idempotency-Key")
def header_has_12_to_255_characters(shop, name):
    for length in (12, 13, 255):
        create(shop, {name: "k" * length})
    for length in (0, 1, 11, 256, 1000):
        refused(shop, f"{name} must have between 12 and 255 characters", headers={name: "k" * length})


@documented("header", "X-Trace-Id", "a unique identifier to track this operation")
def trace_id_is_kept_and_sent_back(shop):
    answer = shop.send("POST", PATH, request(), headers={"X-Trace-Id": "trace-123456"})
    assert answer.headers["X-Trace-Id"] == "trace-123456"
    assert shop.row(answer.body["data"]["id"])["trace_id"] == "trace-123456"


@documented("header", "X-Idempotency-Key", "prevents duplicate requests")
def idempotency_key_prevents_duplicates(shop):
    key = {"X-Idempotency-Key": "payment-of-order-4521"}
    first = shop.send("POST", PATH, request(), headers=key)
    again = shop.send("POST", PATH, request(), headers=key)
    assert (again.status, again.text) == (first.status, first.text)
    assert "Idempotent-Replayed" not in first.headers and again.headers["Idempotent-Replayed"] == "true"
    assert shop.count() == 1
    refused(shop, "idempotency key", 409, key, amount=99)
    refused(shop, "idempotency key", 409, key, reference="order-4522")
    assert shop.count() == 1
    # A refused request can be corrected and sent again, with its key.
    corrected = {"X-Idempotency-Key": "payment-of-order-4523"}
    refused(shop, "amount", headers=corrected, amount=0)
    create(shop, corrected, amount=1)


@documented("header", "X-Scenario-Key", "1 to 1000 characters")
def scenario_key_has_1_to_1000_characters(shop):
    for length in (0, 1001):
        headers = {"X-Scenario-Key": "k" * length}
        refused(shop, "X-Scenario-Key must have between 1 and 1000 characters", headers=headers)
    # A text within the bounds that is no scenario is refused.
    for length in (1, 1000):
        headers = {"X-Scenario-Key": "k" * length}
        refused(shop, "X-Scenario-Key must be complete, fail, decline:<code>, late,", headers=headers)
    assert shop.count() == 0


@documented("header", "X-Scenario-Key", "complete: simulates specific behaviors", "complete", "complete")
@documented("header", "X-Scenario-Key", "fail: simulates specific behaviors", "fail", "failed")
@documented("header", "X-Scenario-Key", "expire: simulates specific behaviors", "expire", "expired")
def scenario_ends_a_session(shop, scenario, status):
    headers = {"X-Scenario-Key": scenario}
    answer = shop.send("POST", PATH, request(), headers=headers, environment="test")
    assert answer.status == 200 and list(answer.body["data"]) == list(FIELDS)
    assert shop.row(answer.body["data"]["id"])["status"] == status
    refused(shop, "X-Scenario-Key is for the test environment only", headers=headers)
    assert shop.count() == 1


@documented("header", "X-Scenario-Key", "error:<status>: triggers predefined responses")
def scenario_answers_with_an_error(shop):
    for status in (400, 401, 429, 500, 503, 599):
        headers = {"X-Scenario-Key": f"error:{status}"}
        answer = shop.send("POST", PATH, request(), headers=headers, environment="test")
        assert answer.status == status
        assert same(answer.body, {"status": "failed", "message": "Simulated error", "data": None})
    for wrong in ("error:", "error:399", "error:600", "error:200", "error:-1", "ERROR:500", "error: 500"):
        answer = shop.send("POST", PATH, request(), headers={"X-Scenario-Key": wrong}, environment="test")
        assert answer.status == 400 and "X-Scenario-Key must be" in answer.text, wrong
    refused(shop, "X-Scenario-Key is for the test environment only", headers={"X-Scenario-Key": "error:500"})
    assert shop.count() == 0


# parameters


@documented("parameter", "amount", "number<decimal>: the amount in decimals")
def amount_is_a_decimal(shop):
    for amount in ("12.34", "12.3", "12", "12.340", "999999999999999.99", "0.07", "1e2"):
        data = shop.accepted("POST", PATH, f'{{"amount": {amount}, "currency": "NGN"}}')["data"]
        assert data["amount"] == Decimal(amount) == shop.row(data["id"])["amount"]
    for wrong in ("12.34", True, [1], {"value": 1}):
        refused(shop, "amount must be a number", amount=wrong)
    refused(shop, "amount has more decimal places than NGN allows (2)", amount=12.345)


@documented("rule", "amount", "x >= 0.01")
def amount_is_at_least_a_hundredth(shop):
    assert create(shop, amount=0.01)["amount"] == Decimal("0.01")
    for little in (0.0099, 0.009, 0, -0.01, -1):
        refused(shop, "amount must be at least 0.01", amount=little)


@documented("parameter", "currency", "enum<string>: ISO 4217 currency code")
def currency_is_a_code(shop):
    for spelled in ("ngn", "Ngn"):
        data = create(shop, currency=spelled)
        assert data["currency"] == shop.row(data["id"])["currency_code"] == "NGN"
    for wrong in ("NG", "NGNN", "", " NGN", "NGN ", "₦", "AED AFN", "XXX", "XAU"):
        refused(shop, "currency is not a supported currency", currency=wrong)
    refused(shop, "currency is required", currency=...)
    refused(shop, "currency must be a string", currency=566)


@documented("rule", "currency", "160 codes, each of them")
def each_listed_currency_is_accepted(shop):
    assert len(set(CURRENCIES)) == len(CURRENCIES) == 160
    for currency in CURRENCIES:
        assert create(shop, currency=currency, amount=12)["currency"] == currency


@documented("rule", "currency", "no other code")
def currency_that_is_not_listed_is_refused(shop):
    for currency in NOT_LISTED:
        refused(shop, "currency is not a supported currency", currency=currency)
    assert shop.count() == 0


@documented("parameter", "customer_id", "string: ID of the customer")
def customer_id_is_kept(shop):
    data = create(shop, customer_id="cus_1")
    assert data["customer_id"] == shop.row(data["id"])["customer_id"] == "cus_1"
    assert create(shop, customer_id=...)["customer_id"] is None
    refused(shop, "customer_id must be a string", customer_id=7)


@documented("parameter", "redirect_url", "string: the URL to redirect to after payment")
def redirect_url_is_kept(shop):
    url = "https://shop.example/paid?order={order}&x=%20"
    data = create(shop, redirect_url=url)
    assert data["redirect_url"] == shop.row(data["id"])["success_url"] == url
    assert create(shop, redirect_url=...)["redirect_url"] is None
    for wrong in ("paid", "javascript:alert(1)", ""):
        refused(shop, "redirect_url ", redirect_url=wrong)


@documented("parameter", "reference", "string: a custom identifier to track the transaction")
def reference_is_kept(shop):
    data = create(shop, reference="Order-4521")
    assert data["reference"] == shop.row(data["id"])["reference"] == "Order-4521"
    assert create(shop)["reference"] is None
    refused(shop, "reference must be a string", reference=123456)


@documented("rule", "reference", "length 6 to 42")
def reference_has_6_to_42_characters(shop):
    for length in (6, 7, 41, 42):
        assert create(shop, reference="r" * length)["reference"] == "r" * length
    for length in (0, 1, 5, 43, 255):
        refused(shop, "reference must have between 6 and 42 characters", reference="s" * length)


@documented("rule", "reference", "pattern ^[a-zA-Z0-9\\-]+$")
def reference_has_a_pattern(shop):
    for right in ("abcxyzABCXYZ0189", "------", "a-1-B-2"):
        assert create(shop, reference=right)["reference"] == right
    for wrong in ("order_1", "order 1", "order.1", "order/1", "ordér-1", "order-1\n", "order+1", "оrder-1"):
        refused(shop, "reference must have letters, digits and hyphens only", reference=wrong)


@documented("rule", "reference", "unique across all your transactions")
def reference_is_used_once(shop):
    first = create(shop, reference="order-4521")
    refused(shop, "reference", 409, reference="order-4521")
    shop.pay(first["id"])
    refused(shop, "reference", 409, reference="order-4521")
    lapsed = create(shop, reference="order-4522")
    shop.let_pass(lapsed["id"], "3 days")
    refused(shop, "reference", 409, reference="order-4522")
    assert shop.count() == 2
    # "Your" transactions: those of another organization, and of the test environment, are separate.
    assert create(shop.another(), reference="order-4521")["reference"] == "order-4521"
    shop.accepted("POST", PATH, request(reference="order-4521"), environment="test")


@documented("parameter", "max_retry_attempts", "integer: how often a checkout may be tried again")
def retries_end_with_the_last_attempt(shop):
    data = create(shop, max_retry_attempts=2)
    for status in ("open", "open", "failed"):
        shop.pay(data["id"], "failed")
        assert shop.row(data["id"])["status"] == status
    assert shop.pay(data["id"])["status"] == "rejected"
    for wrong, message in ((1.5, "an integer"), ("3", "a number"), (True, "a number")):
        refused(shop, f"max_retry_attempts must be {message}", max_retry_attempts=wrong)


@documented("rule", "max_retry_attempts", "default: 3")
def retries_are_three_by_default(shop):
    shop = shop.another(max_retry_attempts=7)
    data = create(shop, max_retry_attempts=...)
    assert data["max_retry_attempts"] == 3
    for status in ("open", "open", "open", "failed"):
        shop.pay(data["id"], "failed")
        assert shop.row(data["id"])["status"] == status


@documented("rule", "max_retry_attempts", "0 <= x <= 10")
def retries_are_between_0_and_10(shop):
    for right in (0, 1, 10):
        assert create(shop, max_retry_attempts=right)["max_retry_attempts"] == right
    for wrong in (-1, 11, 10**10, -(10**10)):
        refused(shop, "max_retry_attempts must be between 0 and 10", max_retry_attempts=wrong)


@documented("rule", "X-Idempotency-Key", "(silent) a documented default is the same request, said or left out")
def documented_default_may_be_said(shop):
    key = {"X-Idempotency-Key": "payment-of-order-4521"}
    left_out = {"max_retry_attempts": ..., "session_duration": ...}
    first = create(shop, key, **left_out)
    said = create(shop, key, max_retry_attempts=3, session_duration=60, currency="ngn")
    assert said == first and shop.count() == 1
    refused(shop, "idempotency key", 409, key, **{**left_out, "reference": ..., "max_retry_attempts": 4})


@documented("parameter", "session_duration", "integer: minutes that the session is active")
def duration_is_in_minutes(shop):
    data = create(shop, session_duration=7)
    row = shop.row(data["id"])
    assert data["session_duration"] == 7 and row["expires_at"] - row["created_at"] == timedelta(minutes=7)
    shop.let_pass(data["id"], "7 minutes")
    assert shop.pay(data["id"])["rejection_reason"] == "session_expired"
    for wrong, message in ((5.5, "an integer"), ("60", "a number")):
        refused(shop, f"session_duration must be {message}", session_duration=wrong)


@documented("rule", "session_duration", "5 <= x <= 2880")
def duration_is_between_5_and_2880(shop):
    shop = shop.another(minimum_lifetime="1 hour", default_lifetime="1 hour", maximum_lifetime="2 hours")
    for right in (5, 6, 1442, 2880):
        assert create(shop, session_duration=right)["session_duration"] == right
    for wrong in (4, 0, -5, 2881, 10**10):
        refused(shop, "session_duration must be between 5 and 2880", session_duration=wrong)


@documented("rule", "session_duration", "(silent) 60 minutes by default")
def duration_is_an_hour_by_default(shop):
    shop = shop.another(default_lifetime="10 minutes")
    assert create(shop, session_duration=...)["session_duration"] == 60


@documented("rule", "amount", "(silent) no finer than the currency's smallest unit")
def amount_is_no_finer_than_the_currency(shop):
    assert create(shop, currency="JPY", amount=12)["amount"] == 12
    assert create(shop, currency="KWD", amount=0.125)["amount"] == Decimal("0.125")
    refused(shop, "amount has more decimal places than JPY allows (0)", currency="JPY", amount=12.5)


@documented("rule", "session_duration", "a new session can always be generated when one has expired")
def new_session_after_one_that_expired(shop):
    shop.let_pass(create(shop, session_duration=5)["id"], "5 minutes")
    assert shop.row(create(shop, session_duration=5)["id"])["status"] == "open"
