"""The lomi dialect, `Checkout Sessions API`: its operations, parameters and fields."""

import uuid
from decimal import Decimal

from dialects import rows
from dialects.shop import read, same, time

documented = rows.of("lomi")

PATH = "/checkout-sessions"
# The document's own request, unchanged.
REQUEST = """{
  "amount": 10000.0,
  "currency_code": "XOF",
  "title": "Premium Subscription",
  "description": "Monthly subscription to premium features",
  "customer_email": "john@example.com",
  "customer_name": "John Doe",
  "customer_phone": "+221771234567",
  "product_id": "123e4567-e89b-12d3-a456-426614174000",
  "price_id": "321e4567-e89b-12d3-a456-426614174000",
  "allow_quantity": false,
  "quantity": 1,
  "success_url": "https://example.com/success",
  "cancel_url": "https://example.com/cancel",
  "allow_coupon_code": true,
  "require_billing_address": true,
  "metadata": {
    "order_id": "ORDER-12345"
  }
}"""
# The document's own answer to get. The one to create lacks the two fields of ONLY_IN_GET.
RESPONSE = """{
  "checkout_session_id": "987e6543-e89b-12d3-a456-426614174000",
  "organization_id": "789e0123-e89b-12d3-a456-426614174000",
  "amount": 10000.0,
  "currency_code": "XOF",
  "status": "open",
  "title": "Premium Subscription",
  "description": "Monthly subscription to premium features",
  "customer_id": null,
  "customer_email": "john@example.com",
  "customer_name": "John Doe",
  "customer_phone": "+221771234567",
  "product_id": "123e4567-e89b-12d3-a456-426614174000",
  "price_id": "321e4567-e89b-12d3-a456-426614174000",
  "subscription_id": null,
  "allow_quantity": false,
  "quantity": 1,
  "success_url": "https://example.com/success",
  "cancel_url": "https://example.com/cancel",
  "allow_coupon_code": true,
  "require_billing_address": true,
  "payment_link_id": null,
  "is_spi": false,
  "is_pos": false,
  "expires_at": "2024-01-15T11:30:00Z",
  "metadata": {
    "order_id": "ORDER-12345"
  },
  "environment": "live",
  "created_at": "2024-01-15T10:30:00Z",
  "created_by": "456e7890-e89b-12d3-a456-426614174000",
  "updated_at": "2024-01-15T10:30:00Z"
}"""
# In no documented answer, but three examples redirect the buyer to it.
ONLY_IN_EXAMPLES = {"url": None}
FIELDS = {**read(RESPONSE), **ONLY_IN_EXAMPLES}
ONLY_IN_GET = ("is_spi", "is_pos")
CREATED = [name for name in FIELDS if name not in ONLY_IN_GET]
LISTED = [
    "checkout_session_id", "organization_id", "amount", "currency_code", "status", "title", "description",
    "customer_id", "customer_email", "expires_at", "created_at", "updated_at",
]
# The fields that differ from session to session.
OWN = ("checkout_session_id", "organization_id", "expires_at", "created_at", "created_by", "updated_at")


def request(**members):
    body = {"amount": 10000, "currency_code": "XOF", "customer_email": "john@example.com", **members}
    return {name: value for name, value in body.items() if value is not ...}


def create(shop, **members):
    return shop.accepted("POST", PATH, request(**members))


def get(shop, session):
    return shop.accepted("GET", f"{PATH}/{session['checkout_session_id']}")


def listed(shop, **query):
    return shop.accepted("GET", PATH, query=query)


def refused(shop, message, **members):
    body = shop.refused(400, message, "POST", PATH, request(**members))
    assert same(body, {"statusCode": 400, "message": body["message"]})


# operations


@documented("operation", "POST /checkout-sessions", "creates a new hosted payment page")
@documented("rule", "example", "the documented request gives the documented response: 27 fields in order, and url")
def documented_create(shop):
    answer = shop.send("POST", PATH, REQUEST)
    assert answer.status == 201 and len(CREATED) == 28
    body = answer.body
    assert same(body, {name: body[name] if name in OWN else FIELDS[name] for name in CREATED})


@documented("operation", "GET /checkout-sessions/:id", "retrieves detailed information: 29 fields in order, and url")
def documented_get(shop):
    session = shop.accepted("POST", PATH, REQUEST)
    assert len(FIELDS) == 30
    expected = {name: session[name] if name in OWN else value for name, value in FIELDS.items()}
    assert same(get(shop, session), expected)


@documented("operation", "GET /checkout-sessions", "all sessions of your organization: a bare array, 12 fields each")
def documented_list(shop):
    session = shop.accepted("POST", PATH, REQUEST)
    create(shop.another())
    shop.accepted("POST", PATH, REQUEST, environment="test")
    assert len(LISTED) == 12
    assert same(listed(shop), [{name: session[name] for name in LISTED}])
    assert same(listed(shop.another()), [])


def field_of_the_answers(shop, name):
    created = shop.accepted("POST", PATH, REQUEST)
    found = get(shop, created)
    if name in ONLY_IN_GET:
        assert name not in created
    else:
        assert same(created[name], found[name])
    (in_list,) = listed(shop)
    assert (name in in_list) == (name in LISTED)
    assert name not in LISTED or same(in_list[name], found[name])
    if name not in OWN:
        assert same(found[name], FIELDS[name])
    elif name == "checkout_session_id":
        assert str(uuid.UUID(found[name])) == found[name]
    elif name == "organization_id":
        assert found[name] == str(shop.organization_id)
    elif name == "created_by":
        assert found[name] == shop.keys["secret", "live"]["api_key_id"]
    else:
        assert len(found[name]) == len(FIELDS[name])
        assert time(found[name]) - time(found["created_at"]) == time(FIELDS[name]) - time(FIELDS["created_at"])


def form(value):
    forms = {bool: "boolean", dict: "object", str: "string", type(None): "null where there is none"}
    return forms.get(type(value), "number")


for field, value in FIELDS.items():
    where = "get" if field in ONLY_IN_GET else "create, get and list" if field in LISTED else "create and get"
    documented("field", field, f"{form(value)}; in {where}", field)(field_of_the_answers)


@documented("operation", "update", "not available: sessions are immutable", "PUT")
@documented("operation", "partial update", "not available: sessions are immutable", "PATCH")
@documented("operation", "delete", "not available: sessions expire automatically", "DELETE")
def sessions_cannot_be_changed(shop, method):
    session = create(shop)
    path = f"{PATH}/{session['checkout_session_id']}"
    answer = shop.send(method, path, {"amount": 1})
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert same(answer.body, {"statusCode": 405, "message": "Method not allowed"})
    assert shop.send(method, PATH).status == 405
    assert get(shop, session) == {**get(shop, session), **session}


@documented("header", "x-api-key", "POST /checkout-sessions requires it", "POST", PATH)
@documented("header", "x-api-key", "GET /checkout-sessions requires it", "GET", PATH)
@documented("header", "x-api-key", "GET /checkout-sessions/:id requires it", "get one", f"{PATH}/:id")
def api_key_is_required(shop, method, path):
    session = create(shop)
    method, path = method.replace("get one", "GET"), path.replace(":id", session["checkout_session_id"])
    for key in (False, "", "your-api-key", "sk_live_unknown", shop.key() + "x"):
        headers = {} if key is False else {"x-api-key": key}
        answer = shop.send(method, path, request(), headers=headers, key=False)
        assert answer.status == 401 and same(answer.body, {"statusCode": 401, "message": "Invalid API key"})
    assert shop.count() == 1
    assert 200 <= shop.send(method, path, request(), headers={"X-API-Key": shop.key()}, key=False).status < 300


# parameters


@documented("parameter", "amount", "number, in major units")
def amount_is_a_number(shop):
    for amount, currency in (("10000.0", "XOF"), ("5000", "XOF"), ("12.34", "USD"), ("1.234", "KWD")):
        body = f'{{"amount": {amount}, "currency_code": "{currency}", "customer_id": "c"}}'
        session = shop.accepted("POST", PATH, body)
        assert session["amount"] == Decimal(amount) == shop.row(session["checkout_session_id"])["amount"]
    for wrong in ("10000", True, [1]):
        refused(shop, "amount must be a number", amount=wrong)
    refused(shop, "amount is required", amount=...)


@documented("error", "400 amount", "check that amount is positive")
def amount_is_positive(shop):
    assert create(shop, amount=0.01, currency_code="USD")["amount"] == Decimal("0.01")
    for wrong in (0, -1, -0.01):
        refused(shop, "amount must be greater than zero", amount=wrong, currency_code="USD")


@documented("parameter", "currency_code", "string")
@documented("error", "400 currency_code", "validate currency_code is supported")
def currency_is_supported(shop):
    assert create(shop, currency_code="NGN")["currency_code"] == "NGN"
    assert create(shop, currency_code="xof")["currency_code"] == "XOF"
    for wrong in ("zzz", "XXX", "", "CFA Franc", "ABC"):
        refused(shop, "currency_code is not a supported ISO 4217 currency code", currency_code=wrong)
    refused(shop, "currency_code is required", currency_code=...)
    refused(shop, "currency_code must be a string", currency_code=952)


TEXTS = {
    "title": ("Consultation Fee", "string"),
    "description": ("1 hour consultation", "string"),
    "customer_id": ("customer-id", "string; either it or customer_email"),
    "customer_email": ("customer@example.com", "string; either it or customer_id"),
    "customer_name": ("Jürgen Ďoe", "string"),
    "customer_phone": ("+221771234567", "string"),
    "product_id": ("premium-plan-id", "string; for product purchases"),
    "price_id": ("monthly-price-id", "string; optionally with product_id"),
    "subscription_id": ("existing-subscription-id", "string"),
    "success_url": ("https://mystore.com/orders/1/success", "optional but recommended"),
    "cancel_url": ("https://mystore.com/cart?a=b&c=%20", "optional but recommended"),
}


def text_is_kept(shop, name):
    session = create(shop, **{"customer_id": "c", name: TEXTS[name][0]})
    assert session[name] == get(shop, session)[name] == TEXTS[name][0]
    stored = shop.row(session["checkout_session_id"])
    assert stored[name] == TEXTS[name][0]
    other = "customer_email" if name == "customer_id" else "customer_id"
    assert create(shop, **{"customer_email": ..., other: "a@example.com", name: ...})[name] is None
    refused(shop, f"{name} must be a string", **{"customer_id": "c", name: 7})


for parameter, (_, says) in TEXTS.items():
    documented("parameter", parameter, says, parameter)(text_is_kept)


def label_with_nothing_to_see_is_none(shop, name):
    for blank in ("", " ", "\u00a0\u200b"):
        session = create(shop, **{"customer_id": "c", name: blank})
        assert session[name] is None and shop.row(session["checkout_session_id"])[name] is None


for parameter in ("title", "description", "customer_name", "customer_phone"):
    says = "(silent) a text with nothing to see counts as absent"
    documented("rule", parameter, says, parameter)(label_with_nothing_to_see_is_none)


@documented("rule", "customer_email", "(silent) an address of any script (RFC 6531)")
def email_may_be_of_any_script(shop):
    for right in ("संपर्क@डाटामेल.भारत", "คนไทย@ตัวอย่าง.ไทย", "jose\u0301@example.com", "用户@例子.公司"):
        assert create(shop, customer_email=right)["customer_email"] == right
    for wrong in ("jane", "jane@", "ja ne@example.com", "a@example.com,b@example.com", "Jane <jane@example.com>"):
        refused(shop, "customer_email is not a valid email address", customer_email=wrong)


@documented("rule", "customer_phone", "(silent) a number in any notation")
def phone_may_be_in_any_notation(shop):
    for right in ("(+44) 20 7946 0958", "555-010-9999 ext. 12", "+1-201-555-0123;ext=12", "+33\u00a01\u202f42 68 53 00",
                  "555\u2013010\u20139999", "٠١٢٣٤٥٦٧"):
        assert create(shop, customer_phone=right)["customer_phone"] == right
    refused(shop, "customer_phone is not a valid telephone number", customer_phone="call me")
    refused(shop, "customer_phone must have at most 64 characters", customer_phone="1" * 65)


@documented("parameter", "allow_quantity", "boolean", "allow_quantity")
@documented("parameter", "allow_coupon_code", "boolean", "allow_coupon_code")
@documented("parameter", "require_billing_address", "boolean", "require_billing_address")
def choice_is_a_boolean(shop, name):
    for choice in (True, False):
        assert same(create(shop, **{name: choice})[name], choice)
    assert create(shop)[name] is False
    for wrong in ("true", 1, "yes"):
        refused(shop, f"{name} must be a boolean", **{name: wrong})


@documented("parameter", "quantity", "integer; 1 in the example, and by default")
@documented("error", "400 quantity", "ensure quantity is greater than 0")
def quantity_is_greater_than_0(shop):
    assert create(shop)["quantity"] == 1
    for right in (1, 2, 1_000_000):
        assert create(shop, quantity=right)["quantity"] == right
    for wrong in (0, -1):
        refused(shop, "quantity must be at least 1", quantity=wrong)
    refused(shop, "quantity must be at most 2147483647", quantity=10**12)
    refused(shop, "quantity must be an integer", quantity=1.5)
    refused(shop, "quantity must be a number", quantity="1")


@documented("parameter", "metadata", "object: store order IDs or other tracking information")
def metadata_is_kept(shop):
    cart = '[{"sku": "A-1", "price": 5000, "quantity": 2}]'
    metadata = {"order_id": "ORDER-12345", "cart_items": cart}
    session = create(shop, metadata=metadata)
    assert session["metadata"] == get(shop, session)["metadata"] == metadata
    assert create(shop)["metadata"] == {}
    for wrong in ("text", ["a"], 7):
        refused(shop, "metadata must be an object", metadata=wrong)
