"""PayGate's sessions by the client of Stripe, which sends forms."""

import json
import subprocess

from conftest import ENVIRONMENT, ROOT, install_packages
from support.gateway import Gateway, error
from support.gateway_world import gateway, shop, world  # noqa: F401: fixtures

CLIENT = ROOT / "tests/server/clients/gateway"
FORM = "application/x-www-form-urlencoded"


def test_stripe_s_client_creates_lists_retrieves_and_expires(world, shop):
    install_packages(CLIENT)
    with Gateway(world.db, dialect="paygate") as gateway:
        node = ["node", CLIENT / "stripe.js", str(gateway.port), shop.test]
        done = subprocess.run(node, env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stderr
        assert shop.test not in gateway.log()
    answers = json.loads(done.stdout)
    created = answers["created"]
    assert (created["amount"], created["currency"], created["customer_email"]) == (5000, "GHS", "ada@example.com")
    assert created["metadata"] == {"order": "1", "7": "seven", "line break": "a\nb & c=d"}
    assert answers["again"]["id"] == created["id"] and answers["listed"] == [created["id"]]
    assert answers["expired"]["status"] == "expired"
    assert answers["refused"] == {"status": 400, "message": "amount must be a number"}
    kept = shop.db.sql(
        "SELECT payment_methods FROM checkout_data.checkout_sessions WHERE organization_id = %s", shop.id
    )
    assert [row["payment_methods"] for row in kept] == [["card", "mobile_money"]]


def test_a_form_that_is_malformed_is_400(gateway, shop):
    for form in (
        "amount[=1",
        "amount=1&amount[a]=2",
        "amount=%ff",
        b"\xff",
        "metadata[a][b][c][d][e][f][g][h][i][j]=1",
    ):
        answer = gateway.call("paygate", "POST", "/v1/checkout/sessions", form, key=shop.test, content_type=FORM)
        assert answer.status == 400, (form, answer.text)
    huge = "success_url=https://a.example&cancel_url=https://a.example&amount=" + "9" * 400
    answer = gateway.call(
        "paygate", "POST", "/v1/checkout/sessions", huge, key=shop.test, content_type=FORM + "; charset=utf-8"
    )
    assert answer.status == 400 and "amount" in answer.text
    assert shop.count() == 0


def test_an_amount_in_a_form_arrives_as_it_was_written(gateway, shop):
    form = "success_url=https://a.example&cancel_url=https://a.example&currency=ghs&amount="
    for amount, status in (
        ("5000", 200),
        ("5000.0", 200),
        ("900719925474099", 200),
        ("50.5", 400),
        ("5e3", 200),
        ("05", 400),
    ):
        answer = gateway.call(
            "paygate", "POST", "/v1/checkout/sessions", form + amount, key=shop.test, content_type=FORM
        )
        assert answer.status == status, (amount, answer.text)
        if status == 200:
            assert answer.body["amount"] == float(amount)
    assert answer.text == error("paygate", 400, "amount must be a number")
