"""A primary fails, and its standby is promoted: the programs that know both servers go on, with nobody's help."""

import pytest
from conftest import standby_of, wait_until, when_there
from support.gateway import Gateway
from support.relay import ALLOWED, Receiver, Relay, pay, prepare, register
from support.relay import start  # noqa: F401
from support.trying import Listen, trigger


@pytest.fixture
def cluster(new_server):
    """A shop on a primary and on its standby. The standby is the first in the URL."""
    shop = prepare(new_server(ALLOWED).create_database())
    shop.create_web_role()
    shop.key = shop.create_api_key(environment="test")
    copy = standby_of(shop, new_server, ALLOWED)

    def url(user):
        return f"postgresql://{user}@/{shop.name}?host={copy.server.dir},{shop.server.dir}&port=54321"

    return shop, copy, url


def fail_over(shop, copy):
    shop.server.stop("immediate")
    copy.server.pg_ctl("promote")


def test_the_relay_goes_on_with_the_promoted_standby(cluster, start):  # noqa: F811
    shop, copy, url = cluster
    receiver = start(Receiver)
    register(shop, receiver)
    relay = start(Relay, shop, f"--database-url={url('relay')}")
    (before,) = pay(shop)
    wait_until(lambda: [request.event["data"]["object"]["checkout_session_id"] for request in receiver.requests] == [before])
    when_there(copy, before)
    fail_over(shop, copy)
    (after,) = pay(copy)
    wait_until(lambda: receiver.requests[-1].event["data"]["object"]["checkout_session_id"] == after, within=20)
    # It hears of new deliveries there, too, as before.
    assert relay.log().count("listening for new deliveries") == 2
    assert relay.stop() == 0


def test_the_gateway_goes_on_with_the_promoted_standby(cluster):
    shop, copy, url = cluster
    order = {"amount": 10, "currency_code": "USD", "customer_id": "c1"}
    create = lambda gateway: gateway.request("POST", "/rpc/create_checkout_session", order, {"x-api-key": shop.key})
    with Gateway(shop, DATABASE_URL=url(shop.web)) as gateway:
        before = create(gateway)
        assert before.status == 200, before.text
        when_there(copy, before.body["checkout_session_id"])
        shop.server.stop("immediate")
        # Of the two servers there is only one, which takes no writes.
        wait_until(lambda: create(gateway).status == 503)
        assert create(gateway).headers["retry-after"]
        copy.server.pg_ctl("promote")
        wait_until(lambda: create(gateway).status == 200, within=20)
        assert copy.value("SELECT count(*) FROM checkout_data.checkout_sessions") == 2


def test_listen_and_trigger_go_on_with_the_promoted_standby(cluster, start):  # noqa: F811
    shop, copy, url = cluster
    database = f"--database-url={url(shop.web)}"
    receiver = start(Receiver)
    listen = start(Listen, shop, shop.key, receiver.url, database)
    listen.secret()
    session = shop.create()
    assert trigger(shop, shop.key, session, "complete", database)[0] == 0
    wait_until(lambda: len(receiver.requests) == 1)
    when_there(copy, session)
    wait_until(lambda: copy.value("SELECT pg_last_wal_replay_lsn()") == shop.value("SELECT pg_current_wal_flush_lsn()"))
    fail_over(shop, copy)
    session = copy.create()
    assert trigger(shop, shop.key, session, "complete", database)[0] == 0
    wait_until(lambda: receiver.requests[-1].event["data"]["object"]["checkout_session_id"] == session, within=20)
    assert listen.stop() == 0
