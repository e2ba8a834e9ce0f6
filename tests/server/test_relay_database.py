"""The relay's sessions are its own, and it writes only where it may: not through a pooler that shares them, and not
into a database that is set to read only.
"""

import re
import time
from contextlib import closing

import pytest
from conftest import wait_until
from support.metrics import free_port, get
from support.pooler import poolers
from support.relay import Receiver, Relay, deliveries, pay, register
from support.relay import relay_server, shop, start  # noqa: F401

POOLED = "the connection leads through a pooler"
READ_ONLY = "the database takes no writes"


@pytest.fixture
def pool(shop):
    with poolers(shop, ("relay", "postgres")) as make:
        yield make


def left_behind(pooler):
    """The settings that the next client finds on the pooler's only connection, except those that pgbouncer sets for
    each client.
    """
    with closing(pooler.connect("relay")) as next_one, next_one.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE (source = 'session' OR name ~ 'timeout|path|isolation')"
                       " AND name NOT IN ('TimeZone', 'DateStyle', 'application_name', 'client_encoding')")
        settings = sorted(cursor.fetchall())
        cursor.execute("SELECT (SELECT count(*) FROM pg_prepared_statements), (SELECT count(*) FROM pg_listening_channels())")
        return settings, cursor.fetchone()


@pytest.mark.parametrize("ignored", ["extra_float_digits", "options,extra_float_digits"])
def test_a_pooler_in_transaction_mode_is_refused_and_left_as_it_was(shop, start, pool, ignored):
    receiver = start(Receiver)
    register(shop, receiver)
    pay(shop)
    pooler = pool(ignored=ignored)
    before = left_behind(pooler)
    url = f"--database-url=postgres:///{shop.name}?host={pooler.dir}&port=6432&user=relay"
    for options in [[], ["--once"]]:
        relay = start(Relay, shop, url, *options)
        assert relay.process.wait(10) == 2
        assert f"error: {POOLED}" in relay.log()
    assert left_behind(pooler) == before
    assert receiver.requests == []


@pytest.mark.parametrize("lost", ["application_name = 'checkout-sessions-relay'", "query ~ 'record_webhook_attempt'"])
def test_a_pooler_that_takes_the_server_s_place_is_refused(shop, start, pool, tmp_path, lost):
    """At the next connection, whether the relay has lost all of them or only the one that records."""
    receiver = start(Receiver)
    endpoint, _ = register(shop, receiver)
    socket = tmp_path / ".s.PGSQL.54321"
    socket.symlink_to(shop.server.dir / socket.name)
    tmp_path.parent.chmod(0o755)
    relay = start(Relay, shop, f"--database-url=postgres:///{shop.name}?host={tmp_path}&port=54321&user=relay")
    pay(shop)
    wait_until(lambda: [d["status"] for d in deliveries(shop, endpoint)] == ["delivered"])
    pooler = pool(ignored="options,extra_float_digits")
    socket.unlink()
    socket.symlink_to(pooler.dir / ".s.PGSQL.6432")
    time.sleep(0.5)
    assert relay.process.poll() is None
    shop.sql(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {lost} AND pid <> pg_backend_pid()")
    pay(shop)
    assert relay.process.wait(30) == 2
    assert f"error: {POOLED}" in relay.log()


@pytest.fixture
def read_only(shop):
    """Makes new sessions read only, as hosting providers do when a disk is full; except for the shop's, which continue.
    """
    shop.sql(f"ALTER ROLE {shop.shop} SET default_transaction_read_only = off")
    admin = shop.server.database()
    yield lambda on: admin.sql(f"ALTER DATABASE {shop.name} SET default_transaction_read_only = {'on' if on else 'off'}")
    admin.sql(f"ALTER DATABASE {shop.name} RESET default_transaction_read_only")


def test_a_database_that_is_to_be_read_only_is_not_written(shop, start, read_only):
    receiver, port = start(Receiver), free_port()
    endpoint, _ = register(shop, receiver)
    relay = start(Relay, shop, f"--listen=127.0.0.1:{port}")
    wait_until(lambda: get(port, "/healthz")[0] == 200)
    read_only(True)
    time.sleep(1.1)
    pay(shop, 3)
    wait_until(lambda: READ_ONLY in relay.log())
    wait_until(lambda: get(port, "/healthz") == (503, ""))
    assert {d["status"] for d in deliveries(shop, endpoint)} == {"pending"} and receiver.requests == []
    read_only(False)
    wait_until(lambda: len(receiver.requests) == 3, 15)
    wait_until(lambda: get(port, "/healthz")[0] == 200)


def test_at_the_start_too(shop, start, read_only):
    receiver = start(Receiver)
    endpoint, _ = register(shop, receiver)
    pay(shop)
    read_only(True)
    once = start(Relay, shop, "--once")
    assert once.process.wait(10) == 1 and READ_ONLY in once.log()
    relay = start(Relay, shop)
    wait_until(lambda: READ_ONLY in relay.log())
    assert receiver.requests == [] and [d["status"] for d in deliveries(shop, endpoint)] == ["pending"]
    read_only(False)
    wait_until(lambda: receiver.requests, 15)


def test_what_was_sent_before_is_recorded_after(shop, start, read_only):
    """Once, if its lease lasts long enough."""
    receiver = start(Receiver, lambda request: time.sleep(1.5) or 204)
    endpoint, _ = register(shop, receiver)
    relay = start(Relay, shop, "--lease=1min")
    pay(shop)
    wait_until(lambda: receiver.requests)
    read_only(True)
    wait_until(lambda: re.search("not recorded yet.*takes no writes", relay.log()))
    read_only(False)
    wait_until(lambda: [d["status"] for d in deliveries(shop, endpoint)] == ["delivered"], 15)
    assert len(receiver.requests) == 1


def test_no_session_of_the_relay_holds_a_transaction_open(shop, start):
    """It would prevent the server from removing notifications, and rows."""
    register(shop, start(Receiver))
    start(Relay, shop)
    pay(shop)

    def sessions():
        return shop.sql("SELECT state, xact_start, backend_xmin FROM pg_stat_activity"
                        " WHERE application_name = 'checkout-sessions-relay'")

    wait_until(lambda: len(sessions()) == 3)
    # A look may meet a statement that is under way, but no transaction is there a second later.
    before = sessions()
    assert not [row for row in before if row["state"].startswith("idle in transaction")]
    time.sleep(1)
    started = {row["xact_start"] for row in before} - {None}
    after = sessions()
    assert not [row for row in after if row["state"].startswith("idle in transaction")]
    assert not [row for row in after if row["xact_start"] in started]
