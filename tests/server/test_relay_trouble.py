"""Many relays, slow receivers, locks, and crashes: every event arrives, and a blocked delivery blocks no other."""

import time
from contextlib import closing

from conftest import wait_until
from support.relay import Receiver, Relay, another, deliveries, pay, register
from support.relay import relay_server, shop, start  # noqa: F401


def test_relays_share_the_work(shop, start):
    """Each event is sent once, by one of them."""
    receiver = start(Receiver, lambda request: time.sleep(0.02) or 204)
    endpoint, _ = register(shop, receiver)
    relays = [start(Relay, shop) for _ in range(3)]
    pay(shop, 90)
    wait_until(lambda: [d["status"] for d in deliveries(shop, endpoint)] == ["delivered"] * 90, 10)
    assert len(receiver.requests) == len(set(receiver.ids())) == 90
    assert all(relay.stop() == 0 for relay in relays)
    senders = [log for log in (relay.log() for relay in relays) if '"attempt"' in log]
    assert len(senders) > 1


def test_a_slow_endpoint_holds_up_only_itself(shop, start):
    slow, fast = start(Receiver, lambda request: time.sleep(1.5) or 204), start(Receiver)
    register(shop, slow)
    register(shop, fast)
    start(Relay, shop, "--concurrency=20", "--per-endpoint=2")
    pay(shop, 30)
    wait_until(lambda: len(fast.requests) == 30, 5)
    assert len(slow.requests) <= 8


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
    # Each slot that becomes free is used at once.
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
