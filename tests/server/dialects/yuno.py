"""Yuno, `The Checkout Session Object`."""

import json
import uuid
from datetime import timedelta
from decimal import Decimal

from dialects import rows
from dialects.shop import same, time

documented = rows.of("yuno")

PATH = "/v1/checkout/sessions"
# The object of the document's examples, without the values that the server sets.
EXAMPLE = {
    "customer_id": "9104911d-5df9-429e-8488-ad41abea1a4b", "merchant_order_id": "1234",
    "payment_description": "Purchase in Pepito market", "callback_url": "https://www.company.com/customer_1231324",
    "country": "CO", "amount": {"currency": "COP", "value": Decimal("23.5676")},
    "metadata": [{"key": "age", "value": "28"}],
}
FIELDS = {
    "checkout_session": "string, 36 to 64 characters: the unique identifier",
    "customer_id": "string, 36 to 64 characters: the unique identifier of the customer",
    "merchant_order_id": "string, 3 to 255 characters: the unique identifier of the customer's order",
    "payment_description": "string, 3 to 255 characters",
    "callback_url": "string, 3 to 526 characters: where to redirect the customer after the payment",
    "country": "enum of 2 characters, ISO 3166-1",
    "created_at": "timestamp of 27 characters, ISO 8601",
    "amount": "object with the currency and the value",
    "metadata": "array of objects with a key and a value",
}


def request(**members):
    amount = {"currency": "COP", "value": 23.5676}
    body = {**EXAMPLE, "amount": amount, **members}
    return {name: value for name, value in body.items() if value is not ...}


def create(shop, **members):
    return shop.accepted("POST", PATH, request(**members))


def retrieve(shop, session):
    return shop.accepted("GET", f"{PATH}/{session['checkout_session']}")


def refused(shop, message, status=400, **members):
    body = shop.refused(status, message, "POST", PATH, request(**members))
    assert list(body) == ["code", "messages"] and body["messages"] == [message]


@documented("operation", "Create Checkout Session", "post")
def create_answers_with_the_object(shop):
    answer = shop.send("POST", PATH, request())
    assert answer.status == 201 and list(answer.body) == list(FIELDS)
    assert shop.row(answer.body["checkout_session"])["status"] == "open"


@documented("rule", "example", "the documented attributes make the documented object")
def documented_example(shop):
    session = create(shop)
    given = {name: session[name] for name in ("checkout_session", "created_at")}
    assert same(session, {name: {**EXAMPLE, **given}[name] for name in FIELDS})
    assert same(retrieve(shop, session), session)


@documented("operation", "Retrieve Payment Methods for Checkout", "get")
def payment_methods_of_a_session(shop):
    shop = shop.another(payment_methods=["card", "pix"])
    session = create(shop)["checkout_session"]
    methods = shop.accepted("GET", f"{PATH}/{session}/payment-methods")
    assert same(methods, {"checkout_session": session, "payment_methods": [{"type": "card"}, {"type": "pix"}]})
    shop.another().refused(404, "CHECKOUT_SESSION_NOT_FOUND", "GET", f"{PATH}/{session}/payment-methods")


@documented("rule", "checkout_session", "the object can be had again by its id")
def session_is_found_by_its_id(shop):
    session = create(shop)
    assert same(retrieve(shop, session), session)
    for unknown in (uuid.uuid4(), "none", "9104911d"):
        body = shop.refused(404, "not found", "GET", f"{PATH}/{unknown}")
        assert body["code"] == "CHECKOUT_SESSION_NOT_FOUND" and len(body["messages"]) == 1
    shop.another().refused(404, "not found", "GET", f"{PATH}/{session['checkout_session']}")


def field_of_the_object(shop, name):
    session = create(shop)
    assert list(session) == list(FIELDS)
    if name == "checkout_session":
        assert 36 <= len(session[name]) <= 64 and uuid.UUID(session[name])
        assert session[name] != create(shop)[name]
    elif name == "created_at":
        assert len(session[name]) == 27
    else:
        assert same(session[name], EXAMPLE[name])


for field, form in FIELDS.items():
    documented("field", field, form, field)(field_of_the_object)


@documented("rule", "created_at", "exactly 27 characters: 2022-05-09T20:46:54.786342Z")
def created_at_has_27_characters(shop):
    for _ in range(3):
        created_at = create(shop)["created_at"]
        assert len(created_at) == 27 and created_at[19] == "." and created_at.endswith("Z")
        time(created_at)
    # A whole second has its six zeros, too.
    session = create(shop)
    shop.market.admin(
        """UPDATE checkout_data.checkout_sessions SET created_at = date_trunc('second', created_at)
           WHERE checkout_session_id = %s""",
        session["checkout_session"],
    )
    assert retrieve(shop, session)["created_at"] == session["created_at"][:19] + ".000000Z"


def text_has_bounds(shop, name, least, most):
    for length in (least, least + 1, most - 1, most):
        text = "ü" * length if name != "callback_url" else ("https://a.example/" + "u" * length)[:length]
        if name == "callback_url" and length < len("https://a.example/"):
            continue
        assert create(shop, **{name: text})[name] == text
    for length in (0, least - 1, most + 1, most * 2):
        refused(shop, f"{name} must have between {least} and {most} characters", **{name: "u" * length})
    refused(shop, f"{name} must be a string", **{name: 1234})


documented("parameter", "customer_id", "36 to 64 characters", "customer_id", 36, 64)(text_has_bounds)
documented("parameter", "merchant_order_id", "3 to 255 characters", "merchant_order_id", 3, 255)(text_has_bounds)
documented("parameter", "payment_description", "3 to 255 characters", "payment_description", 3, 255)(text_has_bounds)
documented("parameter", "callback_url", "3 to 526 characters", "callback_url", 3, 526)(text_has_bounds)


@documented("rule", "callback_url", "a URL")
def callback_url_is_a_url(shop):
    for wrong in ("abc", "javascript:alert(1)"):
        answer = shop.send("POST", PATH, request(callback_url=wrong))
        assert answer.status == 400 and answer.body["messages"][0].startswith("callback_url "), answer
    assert create(shop, callback_url=...)["callback_url"] is None


@documented("parameter", "country", "exactly 2 characters, ISO 3166-1")
def country_is_iso_3166(shop):
    for right in ("CO", "BR", "ZW", "AF", "co"):
        assert create(shop, country=right)["country"] == right.upper()
    for wrong in ("C", "COL", ""):
        refused(shop, "country must have 2 characters", country=wrong)
    for wrong in ("zz", "ZZ", "12", "ÅÅ"):
        refused(shop, "country is not an ISO 3166-1 alpha-2 country code", country=wrong)
    refused(shop, "country is required", country=...)


@documented("parameter", "amount", "object")
def amount_is_an_object(shop):
    refused(shop, "amount is required", amount=...)
    for wrong in (23.5676, "23.5676", [23.5676]):
        refused(shop, "amount must be an object", amount=wrong)
    refused(shop, "amount.value is required", amount={"currency": "COP"})
    refused(shop, "amount.currency is required", amount={"value": 1})


@documented("parameter", "amount.currency", "exactly 3 characters, ISO 4217")
def currency_has_3_characters(shop):
    for right in ("COP", "USD", "CLP", "KWD", "cop"):
        amount = create(shop, amount={"currency": right, "value": 5})["amount"]
        assert amount == {"currency": right.upper(), "value": 5}
    for wrong in ("CO", "COPP", ""):
        refused(shop, "amount.currency must have 3 characters", amount={"currency": wrong, "value": 5})
    for wrong in ("zzz", "ZZZ"):
        message = "amount.currency is not a supported ISO 4217 currency code"
        refused(shop, message, amount={"currency": wrong, "value": 5})


@documented("parameter", "amount.value", "float: the payment amount")
def value_is_a_number(shop):
    for wrong in ("23.5676", True, [1]):
        refused(shop, "amount.value must be a number", amount={"currency": "COP", "value": wrong})
    for little in (0, -1, -0.0001):
        refused(shop, "amount.value must be greater than zero", amount={"currency": "COP", "value": little})


@documented("rule", "amount.value", "multiple of 0.0001, whatever the currency")
def value_is_a_multiple_of_a_ten_thousandth(shop):
    # The organization's own rule on the currency's smallest unit does not apply to Yuno.
    for currency in ("COP", "JPY", "KWD"):
        for value in ("0.0001", "23.5676", "23.567600", "23", "999999999999.9999"):
            amount = f'{{"currency": "{currency}", "value": {value}}}'
            sent = json.dumps(request(amount="AMOUNT")).replace('"AMOUNT"', amount)
            session = shop.accepted("POST", PATH, sent)
            assert session["amount"]["value"] == Decimal(value)
            assert shop.row(session["checkout_session"])["amount"] == Decimal(value)
    for value in (0.00001, 23.56761, 0.00015):
        refused(shop, "amount.value must be a multiple of 0.0001", amount={"currency": "COP", "value": value})


def entries(count):
    return [{"key": f"k{at:02}", "value": f"v{at}"} for at in range(count)]


@documented("parameter", "metadata", "array of objects")
def metadata_is_an_array(shop):
    session = create(shop, metadata=entries(3))
    assert session["metadata"] == retrieve(shop, session)["metadata"] == entries(3)
    assert create(shop, metadata=...)["metadata"] == create(shop, metadata=[])["metadata"] == []
    for wrong in ({"age": "28"}, "age", 28):
        refused(shop, "metadata must be an array of objects", metadata=wrong)


@documented("rule", "metadata", "up to 50 objects")
def metadata_has_at_most_50_objects(shop):
    for count in (0, 1, 49, 50):
        assert create(shop, metadata=entries(count))["metadata"] == entries(count)
    for count in (51, 100):
        refused(shop, "metadata must have at most 50 objects", metadata=entries(count))


@documented("rule", "metadata", "(silent) kept as an object: in the order of the keys, and none twice")
def metadata_is_in_the_order_of_its_keys(shop):
    given = [{"key": key, "value": f"value of {key}"} for key in ("bb", "z", "a", "ccc", "ab")]
    session = create(shop, metadata=given)
    assert [entry["key"] for entry in session["metadata"]] == ["a", "ab", "bb", "ccc", "z"]
    assert sorted(map(str, session["metadata"])) == sorted(map(str, given))
    twice = [{"key": "age", "value": "28"}, {"key": "age", "value": "29"}]
    refused(shop, "metadata must not have a key twice", metadata=twice)


@documented("parameter", "metadata[].key", "string", "key")
@documented("parameter", "metadata[].value", "string", "value")
def metadata_has_strings(shop, name):
    assert create(shop, metadata=[{"key": "age", "value": "28"}])["metadata"] == [{"key": "age", "value": "28"}]
    for wrong in (28, None, True, ["28"], {}):
        entry = {"key": "age", "value": "28", name: wrong}
        refused(shop, "metadata must have objects with a key and a value, both strings", metadata=[entry])
    missing = {"key": "age", "value": "28"}
    del missing[name]
    refused(shop, "metadata must have objects with a key and a value, both strings", metadata=[missing])


@documented("rule", "payments", "only one payment is supported per checkout session")
def second_payment_is_rejected(shop):
    session = create(shop)
    assert shop.pay(session["checkout_session"], payment_id="first")["status"] == "succeeded"
    second = shop.pay(session["checkout_session"], payment_id="second")
    assert (second["status"], second["rejection_reason"]) == ("rejected", "already_paid")
    assert shop.row(session["checkout_session"])["payment_id"] == "first"


@documented("rule", "expiry", "2 hours after creation")
def session_lives_for_2_hours(shop):
    shop = shop.another(default_lifetime="10 minutes")
    session = create(shop)["checkout_session"]
    row = shop.row(session)
    assert row["expires_at"] - row["created_at"] == timedelta(hours=2)
    shop.let_pass(session, "1 hour 59 minutes 50 seconds")
    assert shop.pay(session, "failed")["status"] == "failed"
    shop.let_pass(session, "10 seconds")
    assert shop.pay(session)["rejection_reason"] == "session_expired"


@documented("error", "shape", "(silent) code and messages")
def errors_have_one_form(shop):
    for key in (False, "sk_live_unknown"):
        body = shop.refused(401, "Invalid API key", "POST", PATH, request(), key=key)
        assert same(body, {"code": "INVALID_CREDENTIALS", "messages": ["Invalid API key"]})
    assert shop.refused(403, "", "POST", PATH, request(), kind="publishable")["code"] == "FORBIDDEN"
    assert shop.refused(405, "", "DELETE", f"{PATH}/1")["code"] == "METHOD_NOT_ALLOWED"
    assert shop.refused(400, "", "POST", PATH, [])["code"] == "INVALID_REQUEST"
    assert shop.count() == 0
