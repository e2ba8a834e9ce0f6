"""The examples of the five documents, over the network: their curl lines, their clients in Python and JavaScript, their
shop.

Their requests and answers are in clients/dialects/documented, unchanged. Values that a request determines must be as
documented, in the documented order; ids, times and addresses, which differ, must have the documented form.
"""

import json
import subprocess
import sys
import urllib.parse
from datetime import datetime

import pytest

from conftest import install_packages
from support.documents import (
    CLIENTS, DOCUMENTED, HOSTS, PAGE, SECONDS, UUID, Requests, curl, curl_lines, differences, documented, express_shop,
)
from support.gateway import GET, ORDER, Gateway, error
from support.gateway_world import gateway, make_shop, other, shop, world  # noqa: F401: fixtures

LOMI = {"checkout_session_id": UUID, "created_by": r"sk_live_\w{12}", "url": f"https://pay.example/{PAGE}"} | dict.fromkeys(
    ("expires_at", "created_at", "updated_at"), SECONDS)
PAYGATE = {"id": r"cs_[0-9a-f]{32}", "expires_at": SECONDS, "created_at": SECONDS}
# The values of lomi's documented session that the request leaves out.
LOMI_DEFAULTS = {"allow_quantity": False, "quantity": 1, "allow_coupon_code": False, "require_billing_address": False,
                 "metadata": {}}


def lifetime(session):
    return datetime.fromisoformat(session["expires_at"][:-1]) - datetime.fromisoformat(session["created_at"][:-1])


def lomi_session(name):
    """A session in a documented answer of lomi's. After its fields, create and get have the url that examples read."""
    answer = documented("lomi", name)
    return answer[0] if isinstance(answer, list) else {**answer, "url": "https://pay.example/..."}


def lomi_answer(name, shop, request, **members):
    """A documented answer of lomi's to this request, with other known values."""
    answer = lomi_session(name)
    for field in documented("lomi", "create.request") | {"customer_id": None, "customer_email": None}:
        if field in answer:
            answer[field] = request.get(field, LOMI_DEFAULTS.get(field))
    return {**answer, "organization_id": shop.id, **members}


# -- lomi --------------------------------------------------------------------------------------------------------------


def test_lomi_documented_request_gets_the_documented_answers(gateway, shop):
    request = documented("lomi", "create.request")
    created = gateway.call("lomi", "POST", "/checkout-sessions", request, key=shop.live)
    wanted = {**lomi_session("create.response"), "organization_id": shop.id}
    assert (created.status, differences(wanted, created.body, LOMI)) == (201, [])
    assert lifetime(created.body) == lifetime(wanted)
    got = gateway.get("lomi", shop.live, created.body["checkout_session_id"])
    wanted = {**lomi_session("get.response"), "organization_id": shop.id}
    assert (got.status, differences(wanted, got.body, LOMI)) == (200, [])
    assert got.body["checkout_session_id"] == created.body["checkout_session_id"]


def test_lomi_documented_list_of_what_is_complete(gateway, shop):
    (wanted,) = documented("lomi", "list.response")
    request = {field: wanted[field] for field in (
        "amount", "currency_code", "title", "description", "customer_id", "customer_email")}
    created = gateway.call("lomi", "POST", "/checkout-sessions", request, key=shop.live).body
    gateway.create("lomi", shop.live)
    shop.pay(created["checkout_session_id"])
    listed = gateway.call("lomi", "GET", "/checkout-sessions?status=complete", key=shop.live)
    assert (listed.status, differences([{**wanted, "organization_id": shop.id}], listed.body, LOMI)) == (200, [])
    assert created["checkout_session_id"] == listed.body[0]["checkout_session_id"]


def test_lomi_curl_lines(gateway, shop):
    everything, create, list_open, get = curl_lines("lomi")
    request = json.loads(create.split("-d '")[1].split("'")[0])
    created = curl(gateway, "lomi", create, shop.live)
    assert (created.status, differences(lomi_answer("create.response", shop, request), created.body, LOMI)) == (201, [])
    session = created.body["checkout_session_id"]
    got = curl(gateway, "lomi", get, shop.live, session)
    assert (got.status, differences(lomi_answer("get.response", shop, request), got.body, LOMI)) == (200, [])
    paid = gateway.create("lomi", shop.live).body["checkout_session_id"]
    shop.pay(paid)
    row = lomi_answer("list.response", shop, request, status="open")
    paid_row = lomi_answer("list.response", shop, ORDER["lomi"], status="complete")
    for line, rows in ((list_open, [row]), (everything, [paid_row, row])):
        listed = curl(gateway, "lomi", line, shop.live)
        assert (listed.status, differences(rows, listed.body, LOMI)) == (200, [])


def test_lomi_list_has_20_and_goes_on_from_an_offset(gateway, shop):
    made = [gateway.create("lomi", shop.live).body["checkout_session_id"] for _ in range(23)]
    listed = lambda query: [row["checkout_session_id"] for row in gateway.call(
        "lomi", "GET", f"/checkout-sessions{query}", key=shop.live).body]
    assert listed("") == made[:2:-1] and listed("?offset=20") == made[2::-1]
    assert listed("?limit=2&offset=1") == made[-2:-4:-1]
    for query in ("limit=0", "limit=101", "limit=x", "offset=-1", "status=paid"):
        assert gateway.call("lomi", "GET", f"/checkout-sessions?{query}", key=shop.live).status == 400


def test_lomi_documented_errors(gateway, shop, other):
    order = ORDER["lomi"]
    nobody = gateway.call("lomi", "POST", "/checkout-sessions", {**order, "customer_email": None}, key=shop.live)
    assert (nobody.status, nobody.body) == (400, documented("lomi", "400"))
    for key in (None, "your-api-key"):
        answer = gateway.call("lomi", "GET", "/checkout-sessions", key=key)
        assert (answer.status, answer.body) == (401, documented("lomi", "401"))
    unknown = gateway.get("lomi", shop.live, "987e6543-e89b-12d3-a456-426614174000")
    assert (unknown.status, unknown.body) == (404, documented("lomi", "404"))
    for members, message in (
        ({"amount": None}, "amount is required"),
        ({"amount": 0}, "amount must be"),
        ({"amount": -5}, "amount must"),
        ({"currency_code": None}, "currency_code is required"),
        ({"currency_code": "ZZZ"}, "currency_code is not a supported"),
        ({"quantity": 0}, "quantity must be at least 1"),
        ({"amount": None, "product_id": "premium-plan-id", "price_id": "monthly-price-id"}, "amount is required with"),
        ({"amount": None, "subscription_id": "existing-subscription-id"}, "amount is required with"),
    ):
        answer = gateway.create("lomi", shop.live, **members)
        assert answer.status == 400 and list(answer.body) == ["statusCode", "message"], answer.text
        assert answer.body["statusCode"] == 400 and answer.body["message"].startswith(message), answer.text
    assert shop.count() == 0


# The request of both of lomi's example clients.
LOMI_CLIENT = {
    "amount": 10000, "currency_code": "XOF", "title": "Premium Plan", "customer_email": "customer@example.com",
    "success_url": "https://example.com/success", "cancel_url": "https://example.com/cancel",
}


def test_lomi_example_in_python(gateway, shop, monkeypatch):
    monkeypatch.setitem(sys.modules, "requests", Requests(gateway))
    source = (DOCUMENTED / "lomi/example.py").read_text()
    example = {}
    exec(source.replace("your-api-key", shop.live).replace(HOSTS["lomi"], f"{gateway.url}/lomi"), example)
    created = example["create_checkout_session"]()
    assert differences(lomi_answer("create.response", shop, LOMI_CLIENT), created, LOMI) == []
    got = example["get_checkout_session"](created["checkout_session_id"])
    assert differences(lomi_answer("get.response", shop, LOMI_CLIENT), got, LOMI) == []
    row = lomi_answer("list.response", shop, LOMI_CLIENT, status="open")
    assert differences([row], example["list_checkout_sessions"](), LOMI) == []
    assert differences([row], example["list_checkout_sessions"]("open", limit=5), LOMI) == []
    assert example["list_checkout_sessions"]("complete") == example["list_checkout_sessions"](offset=1) == []


def test_lomi_example_in_javascript(gateway, shop):
    install_packages(CLIENTS)
    session = gateway.create("lomi", shop.live).body["checkout_session_id"]
    node = ["node", CLIENTS / "lomi.js", DOCUMENTED / "lomi/example.ts", f"{gateway.url}/lomi", shop.live, session]
    done = subprocess.run(node, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    request = {**LOMI_CLIENT, "product_id": "product-id", "allow_coupon_code": True}
    assert differences(lomi_answer("create.response", shop, request), answers["created"], LOMI) == []
    assert differences(lomi_answer("get.response", shop, ORDER["lomi"]), answers["got"], LOMI) == []
    rows = [lomi_answer("list.response", shop, asked, status="open") for asked in (request, ORDER["lomi"])]
    assert differences(rows, answers["listed"], LOMI) == differences(rows, answers["all"], LOMI) == []


# -- paygate -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def paygate_shop(world):
    """A shop whose payment pages have the documented address."""
    return make_shop(world, base_url="https://paygate.44.200.142.19.nip.io/checkout")


def paygate_object(**members):
    """The documented object, and its forms: the address of the page is the document's, the id is ours."""
    wanted = {**documented("paygate", "object"), **members}
    return wanted, {**PAYGATE, "url": wanted["url"].replace("cs_abc123def456", PAGE)}


@pytest.mark.parametrize("alone", [False, True])
def test_paygate_curl_lines(world, gateway, paygate_shop, alone):
    """Below its name, and at the documented paths."""
    if alone:
        with Gateway(world.db, dialect="paygate") as gateway:
            paygate_curl_lines(gateway, paygate_shop)
    else:
        paygate_curl_lines(gateway, paygate_shop)


def paygate_curl_lines(gateway, shop):
    create, retrieve, list_complete, expire = curl_lines("paygate")
    created = curl(gateway, "paygate", create, shop.test)
    wanted, forms = paygate_object()
    assert (created.status, differences(wanted, created.body, forms)) == (200, [])
    assert lifetime(created.body) == lifetime(wanted)
    session = created.body["id"]
    got = curl(gateway, "paygate", retrieve, shop.test, session)
    assert (got.status, got.text) == (200, created.text)
    expired = curl(gateway, "paygate", expire, shop.test, session)
    assert (expired.status, expired.body) == (200, {**created.body, "status": "expired", "url": None})
    paid = curl(gateway, "paygate", create, shop.test).body["id"]
    shop.pay(paid, environment="test")
    listed = curl(gateway, "paygate", list_complete, shop.test)
    # Once a session has ended, it has no page.
    wanted, forms = paygate_object(status="complete", payment="pay_1", payment_status="paid")
    wanted |= {"url": None}
    del forms["url"]
    assert (listed.status, [row["id"] for row in listed.body["data"]]) == (200, [paid])
    assert differences([wanted], listed.body["data"], forms) == []
    # The document does not show the members around the list.
    assert listed.text.startswith('{"object":"list","data":[{')
    assert listed.text.endswith('}],"has_more":false,"url":"/v1/checkout/sessions"}')


def test_paygate_list_is_paged_and_filtered(gateway, shop):
    made = [gateway.create("paygate", shop.live, customer=f"cus_{n % 2}").body["id"] for n in range(5)]
    shop.pay(made[0], payment_id="pay_first")
    page = lambda query: gateway.call("paygate", "GET", f"/v1/checkout/sessions?{query}", key=shop.live).body
    ids = lambda query: [session["id"] for session in page(query)["data"]]
    assert ids("limit=3") == made[:1:-1] and page("limit=3")["has_more"] is True
    assert ids(f"limit=3&starting_after={made[2]}") == made[1::-1]
    assert page(f"limit=3&starting_after={made[2]}")["has_more"] is False
    assert ids("customer=cus_1") == [made[3], made[1]]
    assert ids("payment=pay_first") == ids("status=complete") == made[:1]
    for query in ("limit=0", "limit=101", "starting_after=cs_abc123def456", "status=paid"):
        answer = gateway.call("paygate", "GET", f"/v1/checkout/sessions?{query}", key=shop.live)
        assert answer.status in (400, 404) and answer.body["error"]["type"] == "invalid_request_error"


def test_paygate_requires_amount_and_both_addresses(gateway, shop):
    for field in ("amount", "success_url", "cancel_url"):
        answer = gateway.create("paygate", shop.live, **{field: None})
        assert (answer.status, answer.text) == (400, error("paygate", 400, f"{field} is required"))


def test_paygate_express_example(gateway, shop):
    with express_shop(gateway, shop) as call:
        answer = call("POST", "/create-checkout", {"orderId": "1234", "amount": 5000})
        page = answer.body["checkoutUrl"]
        assert answer.status == 200 and page.startswith("https://pay.example/")
        (session,) = gateway.call("paygate", "GET", "/v1/checkout/sessions", key=shop.test).body["data"]
        assert (session["url"], session["amount"], session["metadata"]) == (page, 5000, {"order_id": "1234"})
        assert session["success_url"] == "https://shop.example/success?session_id={CHECKOUT_SESSION_ID}"
        verify = lambda: call("GET", f"/verify-session?session_id={session['id']}").body
        assert verify() == {"success": False}
        shop.pay(session["id"], environment="test")
        assert verify() == {"success": True, "orderId": "1234"}


def test_paygate_buyer_comes_back_with_the_id_that_the_shop_verifies(gateway, shop):
    """"On redirect, {CHECKOUT_SESSION_ID} is replaced with the actual session ID", which retrieve takes."""
    with express_shop(gateway, shop) as call:
        call("POST", "/create-checkout", {"orderId": "1234", "amount": 5000})
        (session,) = gateway.call("paygate", "GET", "/v1/checkout/sessions", key=shop.test).body["data"]
        shop.pay(session["id"], environment="test")
        query = """SELECT page.success_url FROM checkout.get_checkout_session(%s::uuid) AS session,
            checkout.public_checkout_session(session.checkout_session_id, session.client_secret) AS page"""
        redirect = shop.sql(query, session["id"].removeprefix("cs_"), environment="test").success_url
        path, query = redirect.removeprefix("https://shop.example").split("?")
        assert (path, urllib.parse.parse_qs(query)) == ("/success", {"session_id": [session["id"]]})
        assert call("GET", f"/verify-session?{query}").body == {"success": True, "orderId": "1234"}


# -- flutterwave -------------------------------------------------------------------------------------------------------


def test_flutterwave_curl_line(gateway, shop):
    (line,) = curl_lines("flutterwave")
    values = {"customer_id": "cus_1", "redirect_url": "https://example.com/paid", "reference": "order-4521"}
    answer = curl(gateway, "flutterwave", line, shop.test, **values)
    wanted = documented("flutterwave", "response")
    wanted["data"].update(values)
    forms = {"message": ".+", "id": UUID, "checkout_url": f"https://pay.example/{PAGE}", "created_datetime": SECONDS}
    assert (answer.status, differences(wanted, answer.body, forms)) == (200, [])
    # The reference has been used, in this environment.
    again = curl(gateway, "flutterwave", line, shop.test, **values)
    assert (again.status, list(again.body), again.body["status"], again.body["data"]) == (
        409, ["status", "message", "data"], "failed", None)
    assert curl(gateway, "flutterwave", line, shop.live, **values).status == 200
    # Unchanged, its placeholders are not valid values.
    message = "reference must have letters, digits and hyphens only"
    answer = curl(gateway, "flutterwave", line, shop.test)
    assert (answer.status, answer.text) == (400, error("flutterwave", 400, message))


def test_flutterwave_documented_bounds(gateway, shop):
    data = gateway.create("flutterwave", shop.live).body["data"]
    assert data["max_retry_attempts"] == 3
    assert (data["reference"], data["customer_id"], data["redirect_url"]) == (None, None, None)
    for field, good, bad in (
        ("amount", [0.01], [0, 0.009, "12.34", None]), ("currency", ["ZMW", "JPY"], ["naira", "XXX", None]),
        ("reference", ["abcdef", "a" * 42], ["abcde", "a" * 43, "order_1", "order 12"]),
        ("max_retry_attempts", [0, 10], [-1, 11, 1.5]), ("session_duration", [5, 2880], [4, 2881, "60"]),
    ):
        for value in good:
            # A yen has no hundredths.
            answer = gateway.create("flutterwave", shop.live, **{"amount": 12, field: value})
            assert answer.status == 200 and answer.body["data"][field] == value, answer.text
        for value in bad:
            answer = gateway.create("flutterwave", shop.live, **{field: value})
            assert answer.status == 400 and answer.body["status"] == "failed", (field, value)
            assert answer.body["message"].startswith(f"{field} ") and answer.body["data"] is None, answer.text


# -- kobo --------------------------------------------------------------------------------------------------------------

INITIALIZE, VERIFY = "/v1/checkout/session/initialize", GET["kobo"]
KOBO_METADATA = {"order_id": "ORD-4521", "plan": "premium", "customer_id": "cust_abc123"}


def test_kobo_session_from_initialize_to_verify(gateway, shop):
    request = {
        "amount": 500000, "email": "ada@example.com", "customer_name": "Ada", "reference": "ORD-4521",
        "callback_url": "https://example.com/paid", "payment_methods": ["payid"], "metadata": KOBO_METADATA,
    }
    line = f"""curl -X POST "$URL/kobo{INITIALIZE}" -H "Authorization: Bearer {shop.live}" \
        -H 'Content-Type: application/json' -d '{json.dumps(request)}' --silent"""
    done = subprocess.run(["bash", "-c", line], env={"URL": gateway.url, "PATH": "/usr/bin:/bin"}, capture_output=True)
    initialized = json.loads(done.stdout)
    assert (initialized["status"], list(initialized)) == (True, ["status", "message", "data"])
    session = initialized["data"]
    assert {name: session[name] for name in request} == request
    assert (session["status"], session["currency"], session["paid_at"]) == ("active", "NGN", None)
    assert lifetime(session).total_seconds() == 30 * 60
    shop.pay(session["id"])
    for looked_for in ("ORD-4521", session["id"]):
        verified = gateway.call("kobo", "GET", VERIFY.format(looked_for), key=shop.live).body["data"]
        assert verified["status"] == "completed" and verified["paid_at"] is not None
        # The page is for buyers who have not paid.
        assert {**verified, "status": "active", "paid_at": None, "checkout_url": session["checkout_url"]} == session
        assert verified["checkout_url"] is None


def test_kobo_attempt_that_fails_is_the_only_one(gateway, shop):
    session = gateway.create("kobo", shop.live).body["data"]["id"]
    assert shop.pay(session, "failed").status == "failed"
    assert shop.pay(session, payment_id="pay_2").rejection_reason == "session_failed"
    assert gateway.get("kobo", shop.live, session).body["data"]["status"] == "failed"


def test_kobo_amounts_are_kobo_of_at_least_100(gateway, shop):
    for kobo in (100, 10_000, 500_000, 100_000_000):
        assert gateway.create("kobo", shop.live, amount=kobo).body["data"]["amount"] == kobo
    for members, message in (
        ({"amount": 99}, "amount must be at least 100 kobo (NGN 1.00)"),
        ({"amount": 100.5}, "amount must be an integer"),
        ({"amount": "500000"}, "amount must be a number"), ({"amount": None}, "amount is required"),
        ({"email": None}, "email is required"),
    ):
        answer = gateway.create("kobo", shop.live, **members)
        assert (answer.status, answer.text) == (400, error("kobo", 400, message))
    assert gateway.create("kobo", shop.live, email="nobody").status == 400


def test_kobo_payment_methods_are_the_requests_else_the_keys_else_the_default(gateway, shop):
    key = shop.key("secret", "live", "{payid}")
    methods = lambda by, **members: gateway.create("kobo", by, **members).body["data"]["payment_methods"]
    assert methods(key, payment_methods=["bank_transfer"]) == ["bank_transfer"]
    assert methods(key) == ["payid"]
    assert methods(shop.live) == ["bank_transfer", "payid"]


# -- yuno --------------------------------------------------------------------------------------------------------------


def test_yuno_documented_object(gateway, shop):
    wanted = documented("yuno", "object")
    request = {name: value for name, value in wanted.items() if name not in ("checkout_session", "created_at")}
    created = gateway.call("yuno", "POST", "/v1/checkout/sessions", request, key=shop.live)
    forms = {"checkout_session": UUID, "created_at": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"}
    assert (created.status, differences({**wanted, "metadata": 0}, {**created.body, "metadata": 0}, forms)) == (201, [])
    assert created.body["metadata"] == wanted["metadata"] and len(created.body["created_at"]) == 27
    session = created.body["checkout_session"]
    assert gateway.get("yuno", shop.live, session).text == created.text
    methods = gateway.call("yuno", "GET", f"/v1/checkout/sessions/{session}/payment-methods", key=shop.live)
    assert methods.body == {"checkout_session": session,
                            "payment_methods": [{"type": "bank_transfer"}, {"type": "payid"}]}
    assert lifetime(gateway.get("lomi", shop.live, session).body).total_seconds() == 2 * 60 * 60
    # "Only one payment is supported per each checkout session"
    assert shop.pay(session).status == "succeeded"
    assert shop.pay(session, payment_id="pay_2").rejection_reason == "already_paid"


def test_yuno_documented_bounds(gateway, shop):
    amount = lambda value: {"currency": "COP", "value": value}
    entries = lambda count: [{"key": str(at), "value": "v"} for at in range(count)]
    for field, good, bad in (
        ("amount", [amount(0.0001)], [amount(0.00001), amount(None), {"currency": "CO", "value": 1}, 5, None]),
        ("country", ["US"], ["USA", "C", None]), ("merchant_order_id", ["123", "a" * 255], ["12", "a" * 256, None]),
        ("customer_id", ["c" * 36, "c" * 64], ["c" * 35, "c" * 65]),
        ("payment_description", ["abc", "d" * 255], ["ab", "d" * 256]),
        ("callback_url", ["https://a.co/" + "u" * 513], ["https://a.co/" + "u" * 514, "ab"]),
        ("metadata", [entries(50)], [entries(51), {"age": "28"}, [{"key": "age"}], [{"key": "age", "value": 28}]]),
    ):
        for value in good:
            answer = gateway.create("yuno", shop.live, **{field: value})
            assert answer.status == 201, answer.text
            sort = lambda of: sorted(of, key=str) if field == "metadata" else of
            assert sort(answer.body[field]) == sort(value)
        for value in bad:
            answer = gateway.create("yuno", shop.live, **{field: value})
            assert answer.status == 400 and list(answer.body) == ["code", "messages"], (field, value)
            assert answer.body["code"] == "INVALID_REQUEST"
            assert answer.body["messages"][0].startswith(field), answer.text
