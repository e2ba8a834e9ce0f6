"""Listeners are told that there are deliveries: by the worker, after the transactions that made them due have
committed. No such transaction notifies by itself, so a failed notification cannot make a payment fail.
"""

import select
import time
from contextlib import closing

import psycopg2
import pytest
from conftest import AS_SERVER_USER, run, wait_until

CHANNEL = "checkout_sessions_webhooks"


class Listener:
    def __init__(self, db):
        self.connection = db.connect()
        self.connection.cursor().execute(f"LISTEN {CHANNEL}")

    def told(self, within=3.0):
        """The number of notifications since the last call. Waits for one, up to the given time."""
        deadline = time.monotonic() + within
        while not self.connection.notifies and (left := deadline - time.monotonic()) > 0:
            select.select([self.connection], [], [], left)
            self.connection.poll()
        count = len(self.connection.notifies)
        self.connection.notifies.clear()
        return count


@pytest.fixture
def shop(db):
    """A database whose shop has an endpoint."""
    db.endpoint = db.call("create_webhook_endpoint", url="https://shop.example/hooks")[0]["webhook_endpoint_id"]
    return db


@pytest.fixture
def listener(shop):
    listener = Listener(shop)
    with closing(listener.connection):
        yield listener


def expire(db):
    return db.call("expire_checkout_session", checkout_session_id=db.create())


def test_events_of_every_kind_are_told(shop, listener):
    expire(shop)
    assert listener.told()
    shop.call("record_payment", checkout_session_id=shop.create(), payment_id="p1", outcome="succeeded")
    assert listener.told()
    shop.wait_for(shop.create("1 second"))
    assert listener.told()
    (event,) = shop.call("list_webhook_events", event_type="checkout.session.completed")
    shop.sql("SELECT checkout.redeliver_webhook_events(ARRAY[%s])", event["event_id"])
    assert listener.told()


def test_events_for_consumers_are_told(db):
    """There is no endpoint."""
    db.call("create_webhook_consumer", name="jobs")
    listener = Listener(db)
    with closing(listener.connection):
        session = db.create()
        db.call("record_payment", checkout_session_id=session, payment_id="p1", outcome="failed")
        assert listener.told()
        db.call("record_payment", checkout_session_id=session, payment_id="p2", outcome="succeeded")
        listener.told()
        # The second waits until the first is acknowledged. Who acknowledges looks again.
        (event,) = db.call("claim_webhook_events", consumer="jobs")
        ack = {"event_ids": [event["event_id"]], "lease_token": event["lease_token"]}
        db.call("ack_webhook_events", consumer="jobs", **ack)
        (event,) = db.call("claim_webhook_events", consumer="jobs")
        db.sql("SELECT checkout.redeliver_webhook_events(ARRAY[%s])", event["event_id"])
        assert listener.told()


def test_a_sweep_by_hand_is_told(server, shop, listener):
    def swept():
        shop.insert_sessions(1)
        return shop.value("SELECT row_count FROM checkout.run_maintenance() WHERE task = 'expire'") == 1

    # The worker may come first: it writes down seconds later what was refused before.
    wait_until(swept)
    assert listener.told()


def test_what_is_given_back_or_enabled_or_disabled_is_told(shop, listener):
    expire(shop)
    listener.told()
    (delivery,) = shop.sql("SELECT * FROM checkout.claim_webhook_deliveries()")
    key = [delivery[name] for name in ("event_id", "webhook_endpoint_id", "lease_token")]
    assert shop.value("SELECT checkout.release_webhook_delivery(%s, %s, %s)", *key)
    assert listener.told()
    shop.call("update_webhook_endpoint", webhook_endpoint_id=shop.endpoint, enabled=True)
    assert listener.told()


def test_nothing_is_told_where_nothing_is_due(server, shop, listener):
    with closing(shop.connect(shop.shop)) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("SELECT checkout.expire_checkout_session(%s)", [shop.create()])
        connection.rollback()
    shop.call("begin_payment", checkout_session_id=shop.create(), payment_id="p1")
    shop.call("update_webhook_endpoint", webhook_endpoint_id=shop.endpoint, event_types=["checkout.session.failed"])
    expire(shop)
    without_receiver = server.create_database()
    expire(without_receiver)
    assert listener.told(within=1) == 0


def test_a_burst_is_told_in_few_notifications(shop, listener):
    sessions = [shop.create() for _ in range(200)]
    with closing(shop.connect(shop.shop)) as connection, connection.cursor() as cursor:
        for session in sessions:
            cursor.execute("SELECT checkout.expire_checkout_session(%s)", [session])
    time.sleep(0.3)
    assert 1 <= listener.told() < 100


def test_transactions_that_write_events_can_be_prepared(new_server):
    db = new_server("max_prepared_transactions=5").create_database()
    db.call("create_webhook_endpoint", url="https://shop.example/hooks")
    session = db.create()
    count = "SELECT count(*) FROM checkout_data.webhook_deliveries"
    with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT checkout.expire_checkout_session(%s)", [session])
        cursor.execute("PREPARE TRANSACTION 'paid'")
    db.server.restart()
    assert db.value(count) == 0
    db.sql("COMMIT PREPARED 'paid'")
    assert db.value(count) == 1
    assert len(db.sql("SELECT * FROM checkout.claim_webhook_deliveries()")) == 1


def test_off_nobody_is_told(server, shop, listener):
    server.configure(webhook_notify="off")
    wait_until(lambda: shop.value("SHOW checkout_sessions.webhook_notify") == "off")
    expire(shop)
    assert listener.told(within=1) == 0
    shop.sql(f"NOTIFY {CHANNEL}")
    assert listener.told() == 1


def test_a_queue_that_takes_no_more_harms_nobody_but_relays_that_listen(new_server):
    """As if a listener stayed in a transaction until the queue is full, only sooner: the queue cannot be written to
    disk.
    """
    server = new_server()
    db = server.create_database()
    db.call("create_webhook_endpoint", url="https://shop.example/hooks")
    # Events come all the time, so that the worker is there.
    expire(db)
    with closing(db.connect()) as idle, idle.cursor() as cursor:
        cursor.execute("LISTEN junk")
        cursor.execute("BEGIN")
        cursor.execute("SELECT 1")
        run(*AS_SERVER_USER, "mv", server.data / "pg_notify", server.data / "pg_notify.away", cwd="/")
        for size in (7000, 100, 1):
            with pytest.raises(psycopg2.Error, match="pg_notify"):
                for _ in range(400):
                    db.sql("SELECT pg_notify('junk', repeat('x', %s))", size)

        paid = db.call("record_payment", checkout_session_id=db.create(), payment_id="p1", outcome="succeeded")
        assert paid[0]["status"] == "succeeded"
        db.expires_on_time(within=2)
        status = wait_until(lambda: (now := db.worker())["last_error"] and now)
        assert status["last_error"].startswith("could not notify relays: ")
        assert (status["failures"], status["state"] in ("working", "sleeping", "starting")) == (0, True)
        for _ in range(3):
            db.expires_on_time(within=2)
        run(*AS_SERVER_USER, "mv", server.data / "pg_notify.away", server.data / "pg_notify", cwd="/")
    assert server.log().count("could not notify relays") == 1
    listener = Listener(db)
    with closing(listener.connection):
        assert listener.told(within=12)
