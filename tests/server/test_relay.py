"""The relay delivers: to real receivers, signed, in spite of what goes wrong on either side."""

import json
import re
import socket
import ssl
import time
import urllib.request
from contextlib import closing

import pytest
from conftest import Database, Server, run, wait_until
from relay import PROGRAM, Receiver, Relay, deliveries, pay, prepare, register

ALLOWED = "checkout_sessions.webhook_allowed_ranges=127.0.0.0/8"


@pytest.fixture(scope="module")
def relay_server():
    server = Server("py-relay")
    server.remove()
    yield server.start(ALLOWED)
    server.remove()


@pytest.fixture
def shop(relay_server):
    """A shop in a database of its own, on a server whose relays may call this machine."""
    yield prepare(relay_server.create_database())
    relay_server.check()
    relay_server.drop_databases()


@pytest.fixture
def start():
    """Starts relays and receivers, and ends them with the test."""
    started = []

    def start(kind, *arguments, **more):
        started.append(kind(*arguments, **more))
        return started[-1]

    yield start
    for thing in reversed(started):
        thing.kill() if isinstance(thing, Relay) else thing.stop()


def genuine(db, request, secret, scheme="standard"):
    return db.value("SELECT checkout.verify_webhook(%s, %s, %s, %s)",
                    json.dumps(request.headers), request.body.decode(), secret, scheme)


def attempts(db, endpoint):
    (delivery,) = deliveries(db, endpoint)
    return db.call("list_webhook_attempts", event_id=delivery["event_id"], webhook_endpoint_id=endpoint)


def test_a_paid_session_arrives_signed_within_a_second(shop, start):
    receiver = start(Receiver)
    endpoint, secret = register(shop, receiver)
    start(Relay, shop)
    time.sleep(1)  # It sleeps: what wakes it is the notification.
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


def test_without_notifications_it_looks_at_intervals(shop, start):
    shop.sql(f"ALTER ROLE {shop.shop} SET checkout_sessions.webhook_notify = off")
    receiver = start(Receiver)
    register(shop, receiver)
    start(Relay, shop, "--poll-interval=1s")
    pay(shop)
    wait_until(lambda: receiver.requests, 4)


def test_receivers_that_know_stripe_or_a_documented_api(shop, start):
    receiver = start(Receiver)
    _, secret = register(shop, receiver, signature_scheme="stripe", body_format="paygate")
    pay(shop)
    start(Relay, shop)
    wait_until(lambda: receiver.requests)
    (request,) = receiver.requests
    assert genuine(shop, request, secret, "stripe")
    assert request.event["data"]["object"]["id"].startswith("cs_")


def test_what_a_receiver_answers_is_what_counts(shop, start):
    """Success, failures of each kind, and what the merchant sees of them."""
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
    # Nobody listens there.
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (refusing,) = shop.call("create_webhook_endpoint", url=f"http://127.0.0.1:{port}/")
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
    # It is there again, and misses nothing.
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


def test_a_slow_endpoint_holds_up_only_itself(shop, start):
    slow, fast = start(Receiver, lambda request: time.sleep(1.5) or 204), start(Receiver)
    register(shop, slow)
    register(shop, fast)
    start(Relay, shop, "--concurrency=20", "--per-endpoint=2")
    pay(shop, 30)
    wait_until(lambda: len(fast.requests) == 30, 5)
    assert len(slow.requests) <= 8


def another(shop):
    """A further organization of the same database."""
    other = Database(shop.server, shop.name)
    other.shop = f"other_{shop.shop}"
    other.organization_id = other.value("SELECT checkout.create_organization('Other')")
    other.sql(f"CREATE ROLE {other.shop} LOGIN")
    other.sql("SELECT checkout.grant_access(%s, 'secret')", other.shop)
    other.sql(f"ALTER ROLE {other.shop} SET checkout_sessions.organization_id = %s", other.organization_id)
    other.sql(f"ALTER ROLE {other.shop} SET checkout_sessions.environment = 'test'")
    return other


def test_an_organization_with_many_slow_endpoints_holds_up_only_itself(shop, start):
    slow, fast = start(Receiver, lambda request: time.sleep(1.5) or 204), start(Receiver)
    for _ in range(8):
        register(shop, slow)
    pay(shop, 4)
    other = another(shop)
    register(other, fast)
    start(Relay, shop, "--concurrency=16", "--per-endpoint=2")
    wait_until(lambda: slow.requests)
    pay(other, 20)
    wait_until(lambda: len(fast.requests) == 20, 5)
    assert len(slow.requests) < 32
    # Each slot that it gets back is used at once.
    wait_until(lambda: len(slow.requests) == 32, 20)


def test_somebody_elses_lock_holds_up_one_delivery_only(shop, start):
    slow, fast = start(Receiver, lambda request: time.sleep(1) or 204), start(Receiver)
    endpoint, _ = register(shop, slow)
    other = another(shop)
    quick, _ = register(other, fast)
    relay = start(Relay, shop, "--lease=30s")
    pay(shop)
    (request,) = wait_until(lambda: slow.requests)
    with closing(shop.connect()) as operator, operator.cursor() as cursor:
        operator.autocommit = False
        cursor.execute("SELECT checkout.redeliver_webhook_events(event_ids => %s)", ([request.id],))
        wait_until(lambda: "not recorded yet" in relay.log(), 5)
        pay(other, 20)
        wait_until(lambda: [d["status"] for d in deliveries(other, quick)] == ["delivered"] * 20, 5)
        operator.rollback()
    wait_until(lambda: [d["status"] for d in deliveries(shop, endpoint)] == ["delivered"], 5)
    assert len(slow.requests) == 1 and len(fast.requests) == 20


def test_once_ends_although_a_delivery_stays_locked(shop, start):
    receiver = start(Receiver, lambda request: time.sleep(0.5) or 204)
    register(shop, receiver)
    pay(shop)
    relay = start(Relay, shop, "--once")
    wait_until(lambda: receiver.requests)
    with closing(shop.connect()) as operator, operator.cursor() as cursor:
        operator.autocommit = False
        cursor.execute("SELECT FROM checkout_data.webhook_deliveries FOR UPDATE")
        assert relay.process.wait(15) == 0
        operator.rollback()
    assert "lost" in relay.log()


def test_events_of_a_session_arrive_in_order(shop, start):
    """Even when the first attempts fail."""
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


def test_a_relay_that_stops_finishes_what_is_open_and_gives_the_rest_back(shop, start):
    receiver = start(Receiver, lambda request: time.sleep(1) or 204)
    endpoint, _ = register(shop, receiver)
    relay = start(Relay, shop, "--lease=10min")
    pay(shop)
    wait_until(lambda: receiver.requests)
    assert relay.stop() == 0
    assert [d["status"] for d in deliveries(shop, endpoint)] == ["delivered"]

    receiver.answer = lambda request: time.sleep(1.8) or 204
    relay = start(Relay, shop, "--lease=10min", "--shutdown-timeout=100ms")
    pay(shop)
    wait_until(lambda: len(receiver.requests) == 2)
    assert relay.stop() == 0
    # Not leased for another ten minutes: another relay delivers it.
    receiver.answer = lambda request: 204
    start(Relay, shop)
    wait_until(lambda: {d["status"] for d in deliveries(shop, endpoint)} == {"delivered"})


def test_what_a_killed_relay_held_is_sent_again_when_its_lease_is_over(shop, start):
    receiver = start(Receiver, lambda request: time.sleep(1.5) or 204)
    endpoint, _ = register(shop, receiver)
    relay = start(Relay, shop)
    pay(shop)
    wait_until(lambda: receiver.requests)
    relay.kill()
    start(Relay, shop)
    wait_until(lambda: {d["status"] for d in deliveries(shop, endpoint)} == {"delivered"}, 10)
    assert len(receiver.requests) == 2 and len(set(receiver.ids())) == 1


def test_a_server_that_stops_immediately_loses_nothing(shop, start):
    receiver = start(Receiver, lambda request: time.sleep(0.05) or 204)
    endpoint, _ = register(shop, receiver)
    relay = start(Relay, shop)
    pay(shop, 40)
    wait_until(lambda: receiver.requests)
    shop.server.stop("immediate")
    time.sleep(0.5)
    shop.server.start()
    wait_until(lambda: [d["status"] for d in deliveries(shop, endpoint)] == ["delivered"] * 40, 20)
    assert len(set(receiver.ids())) == 40
    assert relay.process.poll() is None


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
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    start(Relay, shop, f"--listen=127.0.0.1:{port}", "--poll-interval=1s")

    def get(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, ""
        except OSError:
            return None, ""

    wait_until(lambda: get("/healthz")[0] == 200)
    pay(shop, 3)
    wait_until(lambda: {d["status"] for d in deliveries(shop, endpoint)} == {"delivered"})
    text = wait_until(lambda: 'recorded_total{status="delivered"} 3' in get("/metrics")[1] and get("/metrics")[1])
    assert 'checkout_sessions_relay_attempts_total{outcome="2xx"} 3' in text
    assert re.search(r"checkout_sessions_relay_attempt_duration_seconds_count\S* 3\b", text)
    shop.server.stop()
    wait_until(lambda: get("/healthz")[0] == 503, 15)
    shop.server.start()
    wait_until(lambda: get("/healthz")[0] == 200, 15)


def test_https_is_verified(shop, start, tmp_path):
    """Against the system's authorities and those of --ca-file; a certificate of neither is refused."""
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
    bad = run_failing(PROGRAM, "--once", "--database-url=postgres://relay:password_canary@[::1/x")
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
