"""Servers that stop, orderly or not, while there is work."""

import threading
import uuid
from contextlib import closing

import psycopg2
import pytest
from conftest import wait_until

IN_SWEEP = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker' AND backend_xid IS NOT NULL"


def test_fast_stop_of_a_calm_server(new_server):
    server = new_server()
    db = server.create_database()
    db.create("1 hour")
    wait_until(lambda: db.worker()["state"] == "sleeping")
    assert server.stop() < 2


def test_fast_stop_while_a_worker_waits_for_a_deadline(new_server):
    server = new_server()
    db = server.create_database()
    db.keep_worker_busy()
    assert server.stop() < 2


def test_fast_stop_while_a_worker_waits_for_a_lock(new_server):
    server = new_server()
    db = server.create_database()
    with closing(db.connect()) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("LOCK TABLE checkout_data.webhook_outbox IN SHARE MODE")
        db.create("1 second")
        waiting = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker' AND wait_event_type = 'Lock'"
        wait_until(lambda: server.database().sql(waiting))
        assert server.stop() < 2


def test_fast_stop_while_a_commit_waits_for_a_standby(new_server):
    server = new_server()
    db = server.create_database()
    db.create("1 second")
    server.database().sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.database().sql("SELECT pg_reload_conf()")
    waiting = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker' AND wait_event = 'SyncRep'"
    wait_until(lambda: server.database().sql(waiting))
    assert server.stop() < 2
    (server.data / "postgresql.auto.conf").write_text("")


def test_fast_stop_in_the_middle_of_a_large_sweep(new_server):
    server = new_server("checkout_sessions.worker_batch_size=100000")
    db = server.create_database()
    db.insert_sessions(60_000)
    server.database().sql("CHECKPOINT")  # the worker does not have to write what the insertion left
    db.wake_worker()
    wait_until(lambda: server.database().sql(IN_SWEEP))
    assert server.stop() < 2
    server.start()
    wait_until(lambda: db.expired_count() == 60_000, within=60)
    assert db.value("SELECT count(*) FROM checkout_data.webhook_outbox") == 60_000


@pytest.mark.parametrize("mode", ["fast", "immediate"])
def test_session_due_while_the_server_is_down_is_expired_when_it_is_back(new_server, mode):
    server = new_server()
    db = server.create_database()
    session = db.create("1 second")
    server.stop(mode)
    server.start()
    db.wait_for(session)
    assert db.event_types(session) == ["expired"]


class Customer(threading.Thread):
    """Creates and pays, over one connection, until the server is gone. Remembers the acknowledgements."""

    def __init__(self, db):
        super().__init__()
        self.connection = db.connect(db.shop)
        self.requests = []  # the key of each request that was sent
        self.sessions = {}  # by key: the session that was acknowledged
        self.paid = set()  # keys of sessions whose payment was acknowledged as accepted
        self.expiring = set()  # keys of sessions that live for a second

    @staticmethod
    def create(cursor, key, expires_in):
        cursor.execute(
            """SELECT checkout_session_id, idempotent_replay
               FROM checkout.create_checkout_session(12.50, 'EUR', customer_id => 'c1', expires_in => %(expires_in)s,
                   idempotency_key => %(key)s, metadata => jsonb_build_object('idempotency_key', %(key)s::text))""",
            {"key": key, "expires_in": expires_in})
        return cursor.fetchone()

    @staticmethod
    def pay(cursor, key, session):
        query = "SELECT status, idempotent_replay FROM checkout.record_payment(%s, %s, 'succeeded')"
        cursor.execute(query, [session, f"pay-{key}"])
        return cursor.fetchone()

    def run(self):
        try:
            with closing(self.connection), self.connection.cursor() as cursor:
                while True:
                    key = str(uuid.uuid4())
                    self.requests.append(key)
                    if len(self.requests) % 4 == 0:
                        self.expiring.add(key)
                    expires_in = "1 second" if key in self.expiring else "1 hour"
                    self.sessions[key] = self.create(cursor, key, expires_in)["checkout_session_id"]
                    if len(self.requests) % 4 != 0 and self.pay(cursor, key, self.sessions[key])["status"] == "succeeded":
                        self.paid.add(key)
        except psycopg2.Error:
            pass  # the server is gone


def retry_everything(db, customer):
    """Sends every request again, like a client that does not know the outcome."""
    with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
        for key in customer.requests:
            expires_in = "1 second" if key in customer.expiring else "1 hour"
            answer = customer.create(cursor, key, expires_in)
            if key in customer.sessions:
                assert (answer["checkout_session_id"], answer["idempotent_replay"]) == (customer.sessions[key], True)
            if key not in customer.expiring:
                payment = customer.pay(cursor, key, answer["checkout_session_id"])
                assert payment["status"] == "succeeded"
                assert payment["idempotent_replay"] or key not in customer.paid


def test_crash_under_load_loses_nothing_and_doubles_nothing(new_server):
    server = new_server()
    db = server.create_database()
    customers = []
    for _ in range(3):
        crew = [Customer(db) for _ in range(4)]
        for customer in crew:
            customer.start()
        wait_until(lambda: sum(len(customer.paid) for customer in crew) > 300, within=20)
        server.stop("immediate")
        for customer in crew:
            customer.join()
        server.start()
        customers += crew
        for customer in crew:
            retry_everything(db, customer)

    requests = sum(len(customer.requests) for customer in customers)
    expiring = sum(len(customer.expiring) for customer in customers)
    assert db.value("SELECT count(*) FROM checkout_data.checkout_sessions") == requests
    wait_until(lambda: db.expired_count() == expiring, within=10)
    assert db.value("SELECT count(*) FROM checkout_data.payments") == requests - expiring
    assert db.value("SELECT count(*) FROM checkout_data.webhook_outbox") == requests
