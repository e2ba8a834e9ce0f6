"""The relay delivers: to real receivers, signed, whatever they answer."""

import json
import re
import ssl
import time
from contextlib import closing

from conftest import run, wait_until
from support.metrics import free_port, get
from support.relay import RELAY, Receiver, Relay, attempts, deliveries, genuine, pay, register
from support.relay import relay_server, shop, start  # noqa: F401


def test_a_paid_session_arrives_signed_within_a_second(shop, start):
    receiver = start(Receiver)
    endpoint, secret = register(shop, receiver)
    start(Relay, shop)
    time.sleep(1)  # The relay sleeps: the notification wakes it.
    (session,) = pay(shop)
    wait_until(lambda: receiver.requests, 2)
    (request,) = receiver.requests
    assert request.event["type"] == "checkout.session.completed"
    assert request.event["data"]["object"]["checkout_session_id"] == session
    assert request.headers["content-type"] == "application/json"
    assert re.fullmatch(r"checkout-sessions-relay/\d+\.\d+\.\d+", request.headers["user-agent"])
    assert genuine(shop, request, secret)
    (delivery,) = wait_until(lambda: [d for d in deliveries(shop, endpoint) if d["status"] == "delivered"])
    assert delivery["event_id"] == request.id
    (attempt,) = attempts(shop, endpoint)
    assert attempt["status_code"] == 204 and attempt["duration"].total_seconds() < 2


def test_without_notifications_it_looks_every_second(shop, start):
    """It also finds an event that is committed long after it was written."""
    shop.server.configure(webhook_notify="off")
    receiver = start(Receiver)
    register(shop, receiver)
    relay = start(Relay, shop)
    wait_until(lambda: "listening" in relay.log())
    pay(shop)
    wait_until(lambda: receiver.requests, 2)
    session = shop.create()
    with closing(shop.connect(shop.shop)) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("SELECT checkout.record_payment(%s, 'pay_late', 'succeeded')", [session])
        time.sleep(2.5)
        assert len(receiver.requests) == 1
        connection.commit()
    wait_until(lambda: len(receiver.requests) == 2, 2)


def test_receivers_that_know_stripe_or_a_dialect(shop, start):
    receiver = start(Receiver)
    _, secret = register(shop, receiver, signature_scheme="stripe", body_format="paygate")
    pay(shop)
    start(Relay, shop)
    wait_until(lambda: receiver.requests)
    (request,) = receiver.requests
    assert genuine(shop, request, secret, "stripe")
    assert request.event["data"]["object"]["id"].startswith("cs_")


def test_a_reader_of_lomi_s_or_paygate_s_document_frees_its_stock(shop, start):
    """It asks for the two events that it knows. A session that fails ends as one that expires, and only once."""
    asked = ["checkout.session.completed", "checkout.session.expired"]
    receivers = {name: start(Receiver) for name in ("lomi", "paygate", "everything", "canonical")}
    register(shop, receivers["lomi"], event_types=asked, body_format="lomi")
    register(shop, receivers["paygate"], event_types=asked, body_format="paygate", signature_scheme="stripe")
    register(shop, receivers["everything"], body_format="lomi")
    register(shop, receivers["canonical"], event_types=asked)
    failed, paid = shop.create(max_retry_attempts=0), shop.create()
    shop.call("record_payment", checkout_session_id=failed, payment_id="pay_1", outcome="failed")
    shop.call("record_payment", checkout_session_id=failed, payment_id="pay_2", outcome="succeeded")
    shop.call("record_payment", checkout_session_id=paid, payment_id="pay_3", outcome="succeeded")
    start(Relay, shop)
    wait_until(lambda: len(receivers["everything"].requests) == 3, 5)
    told = {
        name: sorted((request.event["type"], request.event["data"]["object"]["status"]) for request in receiver.requests)
        for name, receiver in receivers.items()
    }
    ends = [("checkout.session.completed", "complete"), ("checkout.session.expired", "expired")]
    assert told["lomi"] == told["paygate"] == ends
    assert told["everything"] == [*ends, ("checkout.session.payment_rejected", "expired")]
    assert told["canonical"] == ends[:1]


def test_what_a_receiver_answers_is_what_counts(shop, start):
    """Success, failures of each kind, and the merchant's view of them."""
    elsewhere = start(Receiver)
    kinds = {
        "created": (lambda request: (201, {}, b"thanks"), (201, None, "thanks")),
        "error": (lambda request: (500, {}, b"x" * 5000), (500, None, "x" * 1000)),
        "redirect": (lambda request: (307, {"location": elsewhere.url}, b""), (307, None, None)),
        "hang up": (lambda request: (None, {}, b""), (None, "connection closed before the response was complete", None)),
        "slow": (lambda request: time.sleep(4) or 204, (None, "timed out after 2 s", None)),
    }
    receivers = {name: start(Receiver, answer) for name, (answer, _) in kinds.items()}
    endpoints = {name: register(shop, receiver)[0] for name, receiver in receivers.items()}
    # No program listens there.
    (refusing,) = shop.call("create_webhook_endpoint", url=f"http://127.0.0.1:{free_port()}/")
    start(Relay, shop)
    pay(shop)
    for name, (_, (status, error, body)) in kinds.items():
        (attempt,) = wait_until(lambda name=name: attempts(shop, endpoints[name]), 6)
        assert (attempt["status_code"], attempt["error"], attempt["response_body"] or None) == (status, error, body), name
    (attempt,) = attempts(shop, refusing["webhook_endpoint_id"])
    assert attempt["error"] == "connection refused"
    assert elsewhere.requests == []
    states = {name: deliveries(shop, endpoint)[0]["status"] for name, endpoint in endpoints.items()}
    assert states == {"created": "delivered", "error": "pending", "redirect": "pending", "hang up": "pending", "slow": "pending"}


def test_an_endpoint_that_is_gone_is_disabled_and_the_others_are_told(shop, start):
    gone, other = start(Receiver, lambda request: 410), start(Receiver)
    endpoint, _ = register(shop, gone)
    register(shop, other, event_types=["webhook_endpoint.*"])
    start(Relay, shop)
    pay(shop)
    wait_until(lambda: other.requests)
    (told,) = other.requests
    assert told.event["type"] == "webhook_endpoint.disabled"
    assert told.event["data"]["object"]["webhook_endpoint_id"] == endpoint
    assert told.event["data"]["object"]["disabled_reason"] == "gone"
    pay(shop, 3)
    time.sleep(1)
    assert len(gone.requests) == 1
    # It is back, and has missed nothing.
    gone.answer = lambda request: 204
    shop.call("update_webhook_endpoint", webhook_endpoint_id=endpoint, enabled=True)
    wait_until(lambda: len(set(gone.ids())) == 4)


def test_a_receiver_can_ask_for_time(shop, start):
    receiver = start(Receiver, lambda request: (503, {"retry-after": "60"}, b""))
    endpoint, _ = register(shop, receiver)
    start(Relay, shop)
    pay(shop)
    (delivery,) = wait_until(lambda: [d for d in deliveries(shop, endpoint) if d["last_status_code"]])
    assert 59 <= (delivery["next_attempt_at"] - delivery["last_attempt_at"]).total_seconds() <= 61


def test_a_failure_is_tried_again_on_time_with_the_same_id(shop, start):
    answers = iter([500, 204])
    receiver = start(Receiver, lambda request: next(answers))
    _, secret = register(shop, receiver)
    start(Relay, shop)
    pay(shop)
    wait_until(lambda: len(receiver.requests) == 2, 10)
    first, second = receiver.requests
    assert first.id == second.id and first.body == second.body
    assert 3.5 <= second.at - first.at <= 8  # 5 seconds, a fifth more or less
    assert genuine(shop, second, secret)


def test_events_of_a_session_arrive_in_order(shop, start):
    """Even if the first attempts fail."""
    answers = iter([500])
    receiver = start(Receiver, lambda request: next(answers, 204))
    register(shop, receiver)
    session = shop.create()
    start(Relay, shop)
    for number, outcome in enumerate(["failed", "failed", "succeeded"]):
        shop.call("record_payment", checkout_session_id=session, payment_id=f"pay_{number}", outcome=outcome)
    wait_until(lambda: len(receiver.requests) == 4, 10)
    types = [request.event["type"].rsplit(".", 1)[1] for request in receiver.requests]
    assert types == ["payment_failed", "payment_failed", "payment_failed", "completed"]


def test_once_for_cron(shop, start):
    receiver = start(Receiver)
    register(shop, receiver)
    pay(shop, 5)
    assert start(Relay, shop, "--once").process.wait(10) == 0
    assert len(receiver.requests) == 5
    assert start(Relay, shop, "--once").process.wait(10) == 0
    assert len(receiver.requests) == 5
    failing = start(Relay, shop, "--once", user="nobody_of_this_name")
    assert failing.process.wait(15) == 1
    assert "nobody_of_this_name" in failing.log()


def test_who_may_not_dispatch_gets_nothing(shop, start):
    register(shop, start(Receiver))
    pay(shop)
    assert start(Relay, shop, "--once", user=shop.shop).process.wait(15) == 1


def test_metrics_and_health(shop, start):
    receiver = start(Receiver)
    endpoint, _ = register(shop, receiver)
    port = free_port()
    start(Relay, shop, f"--listen=127.0.0.1:{port}", "--poll-interval=1s")
    wait_until(lambda: get(port, "/healthz")[0] == 200)
    pay(shop, 3)
    wait_until(lambda: {d["status"] for d in deliveries(shop, endpoint)} == {"delivered"})
    text = wait_until(lambda: 'recorded_total{status="delivered"} 3' in get(port, "/metrics")[1] and get(port, "/metrics")[1])
    assert 'checkout_sessions_relay_attempts_total{outcome="2xx"} 3' in text
    assert re.search(r"checkout_sessions_relay_attempt_duration_seconds_count\S* 3\b", text)
    shop.server.stop()
    wait_until(lambda: get(port, "/healthz")[0] == 503, 15)
    shop.server.start()
    wait_until(lambda: get(port, "/healthz")[0] == 200, 15)


def test_a_relay_that_waits_does_not_spin(shop, start):
    """It waits for a delivery that is due in a minute, and does nothing else."""
    receiver = start(Receiver, lambda request: (503, {"retry-after": "60"}, b""))
    endpoint, _ = register(shop, receiver)
    port = free_port()
    start(Relay, shop, f"--listen=127.0.0.1:{port}")
    pay(shop)
    wait_until(lambda: deliveries(shop, endpoint)[0]["last_status_code"])

    def claims():
        _, text = get(port, "/metrics")
        return int(re.search(r"checkout_sessions_relay_claims_total (\d+)", text)[1])

    time.sleep(1)
    before = claims()
    time.sleep(3)
    assert claims() <= before + 1
    # It wakes at once.
    pay(shop)
    wait_until(lambda: claims() > before + 1)


def test_https_is_verified(shop, start, tmp_path):
    """Against the system's authorities and those of --ca-file; a certificate of any other is refused."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
        "-keyout", key, "-out", certificate)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    receiver = start(Receiver, tls=tls)
    endpoint, secret = register(shop, receiver)
    relay = start(Relay, shop)
    pay(shop)
    (attempt,) = wait_until(lambda: attempts(shop, endpoint))
    assert attempt["status_code"] is None and attempt["error"].startswith("TLS: ")
    assert receiver.requests == []
    relay.stop()
    start(Relay, shop, f"--ca-file={certificate}")
    shop.sql("SELECT checkout.redeliver_webhook_events(webhook_endpoint_id => %s)", endpoint)
    wait_until(lambda: receiver.requests)
    assert genuine(shop, receiver.requests[0], secret)


def test_logs_say_what_happened_and_keep_secrets(shop, start):
    receiver = start(Receiver, lambda request: (500, {"set-cookie": "cookie_canary"}, b"response_canary"))
    receiver.url += "/path_canary?token=query_canary"
    _, secret = register(shop, receiver, description="description_canary")
    relay = start(Relay, shop, "--log-level=trace")
    pay(shop)
    wait_until(lambda: "500" in relay.log())
    relay.stop()
    log = relay.log()
    lines = [json.loads(line) for line in log.splitlines()]
    assert any(receiver.ids()[0] in json.dumps(line) for line in lines)
    for canary in ["_canary", secret, "whsec_", "v1,", "pay_", "customer"]:
        assert canary not in log, canary
    bad = run_failing(*RELAY, "--once", "--database-url=postgres://relay:password_canary@[::1/x")
    assert "password_canary" not in bad


def run_failing(*command):
    import subprocess
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode != 0
    return done.stdout + done.stderr


def test_private_addresses_are_refused_unless_they_are_allowed(shop, start):
    receiver = start(Receiver)
    endpoint, _ = register(shop, receiver)
    shop.sql("ALTER ROLE relay SET checkout_sessions.webhook_allowed_ranges = '10.0.0.0/8'")
    try:
        relay = start(Relay, shop)
        pay(shop)
        (attempt,) = wait_until(lambda: attempts(shop, endpoint))
    finally:
        shop.sql("ALTER ROLE relay RESET checkout_sessions.webhook_allowed_ranges")
    assert attempt["error"] == "the URL's host has an address that webhooks must not go to"
    assert receiver.connections == 0
    relay.stop()
    assert "127.0.0.1" in relay.log()
