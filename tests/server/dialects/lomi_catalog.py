"""The lomi dialect, `Checkout Sessions API`, where the organization's catalog has the prices (uses_catalog)."""

import uuid
from decimal import Decimal

from dialects import rows
from dialects.lomi import CREATED, FIELDS, ONLY_IN_GET, OWN, PATH, REQUEST, get, listed, request
from dialects.shop import read, same

documented = rows.of("lomi")


def product(shop, product_id, prices, name="Premium", active=True, stock=None, environment="live"):
    """Puts a product into the shop's catalog, with the columns of each price, and with its stock if that is tracked."""
    key = {"organization_id": shop.organization_id, "environment": environment, "product_id": product_id}

    def insert(table, **columns):
        shop.market.admin(
            f"INSERT INTO checkout_data.{table} ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",
            *columns.values())

    times = {"created_at": "now", "updated_at": "now"}
    insert("products", **key, name=name, active=active, **times)
    for price_id, columns in prices.items():
        insert("prices", **key, price_id=price_id, **{"currency_code": "XOF", **columns}, **times)
    if stock is not None:
        insert("inventory", **key, on_hand=stock, updated_at="now")
        insert("inventory_changes", **key, inventory_change_id=str(uuid.uuid4()), change=stock, on_hand=stock, created_at="now")


def catalog(shop):
    """A shop that uses a catalog, and sells a plan at two prices."""
    shop = shop.another(uses_catalog=True)
    product(shop, "premium-plan-id", {
        "monthly-price-id": {"amount": 5000, "is_default": True},
        "yearly-price-id": {"amount": 50000},
    })
    return shop


def buy(shop, **members):
    return shop.accepted("POST", PATH, asked(**members))


def asked(**members):
    return {"product_id": "premium-plan-id", "customer_email": "customer@example.com", **members}


def refused(shop, status, message, **members):
    body = shop.refused(status, "", "POST", PATH, asked(**members))
    assert same(body, {"statusCode": status, "message": body["message"]})
    assert message in body["message"], body


SOLD = {
    "Product Purchase with Multiple Prices": {
        "product_id": "premium-plan-id", "price_id": "monthly-price-id", "customer_email": "customer@example.com",
        "success_url": "https://myapp.com/dashboard", "allow_coupon_code": True,
    },
    "Subscription Signup": {
        "product_id": "premium-plan-id", "price_id": "yearly-price-id", "customer_email": "customer@example.com",
        "success_url": "https://myapp.com/welcome", "cancel_url": "https://myapp.com/pricing", "allow_coupon_code": True,
    },
    "price only": {"price_id": "monthly-price-id", "customer_id": "c", "currency_code": "XOF"},
    "product only": {"product_id": "premium-plan-id", "customer_id": "c"},
}


def use_case_is_sold_from_the_catalog(shop, name):
    shop = catalog(shop)
    body = SOLD[name]
    session = shop.accepted("POST", PATH, body)
    price = body.get("price_id", "monthly-price-id")
    assert list(session) == CREATED
    assert (session["amount"], session["currency_code"]) == (5000 if price == "monthly-price-id" else 50000, "XOF")
    assert {**session, **body} == session
    assert (session["product_id"], session["price_id"]) == ("premium-plan-id", price)
    assert (session["title"], session["quantity"], session["status"]) == ("Premium", 1, "open")
    found = get(shop, session)
    assert same(session, {name: value for name, value in found.items() if name not in ONLY_IN_GET})
    assert listed(shop)[0]["amount"] == session["amount"]
    assert shop.pay(session["checkout_session_id"])["status"] == "succeeded"
    event = shop.event(session["checkout_session_id"], "checkout.session.completed")
    assert event["data"]["object"]["amount"] == session["amount"]


for use_case in SOLD:
    says = f"{use_case}: amount and currency_code come from the catalog, if the organization uses it"
    documented("rule", "use case", says, use_case)(use_case_is_sold_from_the_catalog)


@documented("rule", "example", "the documented request gives the documented response from the catalog, too")
def documented_request_is_sold_from_the_catalog(shop):
    shop = shop.another(uses_catalog=True)
    ids = read(REQUEST)
    product(shop, ids["product_id"], {ids["price_id"]: {"amount": 10000}}, name="Another title")
    body = shop.accepted("POST", PATH, REQUEST)
    assert same(body, {name: body[name] if name in OWN else FIELDS[name] for name in CREATED})


@documented("rule", "use case", "Subscription Renewal: a session for a price that recurs begins a subscription, and one without an amount renews it")
def subscription_is_renewed(shop):
    shop = shop.another(uses_catalog=True)
    product(shop, "premium-plan-id", {"monthly-price-id": {"amount": 5000, "interval_unit": "month", "interval_count": 1}})
    signup = {"product_id": "premium-plan-id", "price_id": "monthly-price-id", "customer_id": "customer-id",
              "success_url": "https://myapp.com/welcome", "cancel_url": "https://myapp.com/pricing"}
    begun = shop.accepted("POST", PATH, signup)
    assert begun["amount"] == 5000
    renewal = {"subscription_id": begun["subscription_id"], "customer_id": "customer-id",
               "success_url": "https://myapp.com/subscription-renewed"}
    shop.refused(404, "not found", "POST", PATH, renewal)
    assert shop.pay(begun["checkout_session_id"])["status"] == "succeeded"
    renewed = shop.accepted("POST", PATH, renewal)
    assert (renewed["amount"], renewed["price_id"], renewed["title"]) == (5000, "monthly-price-id", "Premium")
    assert {**renewed, **renewal} == renewed
    assert shop.accepted("POST", PATH, renewal)["checkout_session_id"] == renewed["checkout_session_id"]
    assert shop.pay(renewed["checkout_session_id"])["status"] == "succeeded"


@documented("parameter", "amount", "(silent) with uses_catalog: that of the catalog, or left out")
def amount_is_that_of_the_catalog(shop):
    shop = catalog(shop)
    assert buy(shop, amount=5000, currency_code="XOF")["amount"] == 5000
    assert buy(shop, amount=5000.0)["currency_code"] == "XOF"
    assert buy(shop, amount=10000, quantity=2)["amount"] == 10000
    for wrong in (4999, 5001, 0, 5000.01):
        refused(shop, 400, "amount ", amount=wrong, currency_code="XOF")
    refused(shop, 400, "amount differs from the price times the quantity", amount=5000, quantity=2)
    refused(shop, 400, "amount must not be negative", amount=-5000)
    refused(shop, 400, "amount must be a number", amount="5000")
    assert shop.count() == 3


@documented("parameter", "currency_code", "(silent) with uses_catalog: that of the price, or left out")
def currency_is_that_of_the_price(shop):
    shop = catalog(shop)
    assert buy(shop, currency_code="xof", price_id="yearly-price-id")["currency_code"] == "XOF"
    message = "currency_code differs from the price's, which is XOF"
    refused(shop, 400, message, currency_code="USD", price_id="yearly-price-id")
    refused(shop, 400, "product_id has no default price in this currency", currency_code="USD")
    refused(shop, 400, "currency_code is not a supported ISO 4217 currency code", currency_code="zzz")
    product(shop, "tea", {
        "tea-xof": {"amount": 1000, "is_default": True},
        "tea-usd": {"amount": 1.5, "currency_code": "USD", "is_default": True},
    })
    assert buy(shop, product_id="tea", currency_code="USD")["amount"] == Decimal("1.5")
    assert buy(shop, product_id="tea", currency_code="XOF")["amount"] == 1000
    refused(shop, 400, "currency_code is required", product_id="tea")


@documented("parameter", "quantity", "(silent) with uses_catalog: amount is the price times the quantity, within its bounds")
def quantity_multiplies_the_price(shop):
    shop = catalog(shop)
    session = buy(shop, quantity=3, allow_quantity=True)
    assert (session["amount"], session["quantity"], session["allow_quantity"]) == (15000, 3, True)
    product(shop, "box", {"six": {"amount": 10, "is_default": True, "minimum_quantity": 6, "maximum_quantity": 12}})
    assert buy(shop, product_id="box")["quantity"] == 6
    for wrong in (5, 13):
        refused(shop, 400, "quantity must be between 6 and 12", product_id="box", quantity=wrong)


@documented("rule", "quantity limits", "maximum quantity depends on product inventory (with uses_catalog)")
def inventory_limits_the_quantity(shop):
    shop = shop.another(uses_catalog=True)
    product(shop, "mug", {"mug-price": {"amount": 700, "is_default": True}}, stock=3)
    refused(shop, 409, 'product "mug" is sold out', product_id="mug", quantity=4)
    assert shop.count() == 0
    session = buy(shop, product_id="mug", quantity=2)
    refused(shop, 409, 'product "mug" is sold out', product_id="mug", quantity=2)
    assert buy(shop, product_id="mug")["amount"] == 700
    refused(shop, 409, 'product "mug" is sold out', product_id="mug")
    shop.let_pass(session["checkout_session_id"], "1 hour")
    shop.sweep()
    assert buy(shop, product_id="mug", quantity=2)["amount"] == 1400


@documented("rule", "use case", "Pay What You Want: validate minimum (a price without a fixed amount)")
def buyer_may_pay_more_than_the_minimum(shop):
    shop = catalog(shop)
    product(shop, "support-us", {
        "any": {"minimum_amount": 500, "maximum_amount": 9000, "suggested_amount": 1000, "is_default": True},
    })
    assert buy(shop, product_id="support-us")["amount"] == 1000
    for amount in (500, 750, 9000):
        assert buy(shop, product_id="support-us", amount=amount)["amount"] == amount
    refused(shop, 400, "amount must be at least 500", product_id="support-us", amount=499)
    refused(shop, 400, "amount must be at most 9000", product_id="support-us", amount=9001)
    as_documented = shop.accepted("POST", PATH, request(amount=750, title="Support Us"))
    assert (as_documented["amount"], as_documented["product_id"]) == (750, None)


@documented("error", "404 product_id, price_id", "(silent) with uses_catalog: the catalog does not have it")
def unknown_product_is_404(shop):
    shop = catalog(shop)
    other = catalog(shop)
    product(other, "theirs", {"their-price": {"amount": 1, "is_default": True}})
    product(shop, "tested", {"test-price": {"amount": 1, "is_default": True}}, environment="test")
    for unknown in ("no-such", "theirs", "tested"):
        refused(shop, 404, f'product "{unknown}" not found or access denied', product_id=unknown)
    for unknown in ("no-such", "their-price", "test-price"):
        refused(shop, 404, f'price "{unknown}" not found or access denied', price_id=unknown)
        # Also if it says an amount: what is not in the catalog is not sold.
        refused(shop, 404, "not found", price_id=unknown, product_id=None, amount=1, currency_code="XOF")
    assert shop.count() == 0


@documented("error", "400 product_id, price_id", "(silent) with uses_catalog: they do not belong together, or are no ids")
def price_of_another_product_is_400(shop):
    shop = catalog(shop)
    product(shop, "tea", {"tea-price": {"amount": 1}})
    refused(shop, 400, "price_id is a price of another product", price_id="tea-price")
    refused(shop, 400, "product_id has no default price", product_id="tea")
    for name in ("product_id", "price_id"):
        refused(shop, 400, f"{name} must be a string", **{name: 7})
        refused(shop, 400, f"{name} must not be ", **{name: ""})
        refused(shop, 400, f"{name} must have at most 255 characters", **{name: "x" * 256})


@documented("error", "409 product_id, price_id", "(silent) with uses_catalog: it is not sold any more")
def what_is_not_active_is_409(shop):
    shop = catalog(shop)
    product(shop, "old", {"old-price": {"amount": 1, "is_default": True}}, active=False)
    refused(shop, 409, 'product "old" is not active', product_id="old")
    refused(shop, 409, 'product "old" is not active', product_id=None, price_id="old-price")
    product(shop, "new", {"first-price": {"amount": 1, "active": False}})
    refused(shop, 409, 'price "first-price" is not active', product_id="new", price_id="first-price")
    assert shop.count() == 0


@documented("header", "X-Idempotency-Key", "(silent) with uses_catalog: a repeated purchase is one, even at another price")
def repeated_purchase_is_one(shop):
    shop = catalog(shop)
    repeat = {"headers": {"X-Idempotency-Key": "order-1"}}
    session = shop.accepted("POST", PATH, asked(), **repeat)
    shop.market.admin("UPDATE checkout_data.products SET active = false WHERE organization_id = %s", shop.organization_id)
    assert same(shop.accepted("POST", PATH, asked(), **repeat), session)
    shop.refused(409, "", "POST", PATH, asked(quantity=2), **repeat)
    assert shop.count() == 1


@documented("header", "X-Scenario-Key", "(silent) with uses_catalog: a purchase is played as any other")
def purchase_is_played(shop):
    shop = shop.another(uses_catalog=True)
    product(shop, "mug", {"mug-price": {"amount": 700, "is_default": True}}, stock=1, environment="test")
    test = {"environment": "test"}
    for word, status in (("expire", "expired"), ("fail", "expired"), ("complete", "complete")):
        session = shop.accepted("POST", PATH, asked(product_id="mug"), headers={"X-Scenario-Key": word}, **test)
        assert (session["status"], session["amount"]) == (status, 700)
    shop.refused(409, "sold out", "POST", PATH, asked(product_id="mug"), **test)


@documented("rule", "products", "(silent) without uses_catalog: product_id and price_id are kept, whatever the catalog has")
def catalog_that_is_not_used_changes_nothing(shop):
    shop = shop.another()
    product(shop, "premium-plan-id", {"monthly-price-id": {"amount": 5000, "is_default": True}}, stock=0)
    message = "amount is required with product_id: no catalog is configured that has its price"
    refused(shop, 400, message)
    session = buy(shop, amount=7, currency_code="USD", price_id="no-such")
    assert (session["amount"], session["price_id"], session["title"]) == (7, "no-such", None)
