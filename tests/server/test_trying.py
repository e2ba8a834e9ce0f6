"""A developer tries payments: `trigger` plays a scenario, `listen` forwards the events, and localhost gets webhooks."""

import re
import signal

import pytest
from conftest import private_server, wait_until
from support.relay import Receiver, Relay, another, attempts, genuine, prepare, register
from support.trying import Listen, trigger

UNKNOWN = "018f0000-0000-7000-8000-00000000000a"


@pytest.fixture(scope="module")
def plain_server():
    """Without the setting that allows private addresses."""
    with private_server("py-trying") as server:
        yield server


@pytest.fixture
def shop(plain_server):
    """A shop in the test environment, in a database of its own, with an API key."""
    db = prepare(plain_server.create_database())
    db.create_web_role()
    db.key = db.create_api_key(environment="test")
    yield db
    plain_server.check()
    plain_server.drop_databases()


@pytest.fixture
def start():
    started = []

    def start(kind, *arguments, **more):
        started.append(kind(*arguments, **more))
        return started[-1]

    yield start
    for thing in reversed(started):
        thing.kill() if isinstance(thing, Relay) else thing.stop()


def consumers(db):
    return [consumer["name"] for consumer in db.call("list_webhook_consumers")]


def types(receiver):
    return [request.event["type"].rpartition(".")[2] for request in receiver.requests]


# -- trigger -----------------------------------------------------------------------------------------------------------


def test_trigger_plays_a_scenario(shop):
    session = shop.create()
    slow = f"Trigger succeeded! Checkout session {session} is open, processing\n"
    assert trigger(shop, shop.key, session, "slow") == (0, slow)
    status, said = trigger(shop, shop.key, session, "slow")
    assert (status, said) == (0, f"Trigger succeeded! Checkout session {session} is complete, paid\n")
    assert trigger(shop, shop.key, session, "fail") == (1, "error: checkout session is complete\n")
    assert shop.event_types(session) == ["completed"]


def test_trigger_says_what_is_wrong_and_never_the_key(shop):
    session = shop.create()
    live, browser = shop.create_api_key(), shop.create_api_key("publishable", "test")
    for key, target, scenario, status, words in (
        (shop.key, session, "paid", 1, 'argument "scenario" must be complete, fail, decline:<code>'),
        (shop.key, UNKNOWN, "complete", 1, f"checkout session {UNKNOWN} not found or access denied"),
        (shop.key, "x", "complete", 2, "invalid value 'x' for '<SESSION>'"),
        (live, session, "complete", 1, "payments are simulated in the test environment only"),
        (browser, session, "complete", 1, "a publishable API key may not call this function"),
        (shop.key[:-1] + "-", session, "complete", 1, "invalid API key"),
        (None, session, "complete", 2, "--api-key"),
    ):
        ended, said = trigger(shop, key, target, scenario)
        assert ended == status and words in said, said
        assert key is None or key[20:] not in said
    assert shop.events(session) == []
    assert "sk_test" not in trigger(shop, shop.key, session, "complete", "--help")[1].replace("sk_test_...", "")


# -- listen ------------------------------------------------------------------------------------------------------------


def test_listen_forwards_the_events_of_the_test_environment(shop, start):
    receiver = start(Receiver, lambda request: 200)
    earlier = shop.create()
    trigger(shop, shop.key, earlier, "complete")
    listen = start(Listen, shop, shop.key, receiver.url)
    secret = listen.secret()
    session = shop.create()
    trigger(shop, shop.key, session, "twice")
    shop.sql(f"ALTER ROLE {shop.shop} SET checkout_sessions.environment = 'live'")
    shop.call("expire_checkout_session", checkout_session_id=shop.create())
    shop.sql(f"ALTER ROLE {shop.shop} SET checkout_sessions.environment = 'test'")
    trigger(shop, shop.key, session, "refund")
    wait_until(lambda: len(receiver.requests) == 3)
    assert types(receiver) == ["completed", "payment_rejected", "refunded"]
    for request in receiver.requests:
        assert request.event["data"]["object"]["checkout_session_id"] == session
        assert genuine(shop, request, secret)
        assert request.headers["user-agent"].startswith("checkout-sessions-listen/")
    wait_until(lambda: listen.said().count("<--") == 3)
    lines = [re.sub(r"^\S+Z ", "", line) for line in listen.said().splitlines()[1:]]
    assert lines == [line for request in receiver.requests for line in (
        f"--> {request.event['type']} [{request.id}]", f"<-- [200] POST {receiver.url} [{request.id}]")]
    assert listen.said().count("whsec_") == 1 and shop.key[20:] not in listen.said()
    assert len(consumers(shop)) == 1
    assert listen.stop(signal.SIGINT) == 0
    assert consumers(shop) == []


def test_listen_forwards_what_it_is_asked_for_as_stripe_signs_it(shop, start):
    receiver = start(Receiver)
    options = ["--events", "checkout.session.expired,checkout.session.refunded", "--signature-scheme", "stripe"]
    listen = start(Listen, shop, shop.key, receiver.url.removeprefix("http://"), *options)
    secret = listen.secret()
    trigger(shop, shop.key, shop.create(), "refund")
    trigger(shop, shop.key, shop.create(), "expire")
    wait_until(lambda: len(receiver.requests) == 2)
    assert types(receiver) == ["refunded", "expired"]
    assert all(genuine(shop, request, secret, "stripe") for request in receiver.requests)


def test_listen_takes_the_place_of_one_that_was_killed(shop, start):
    receiver = start(Receiver)
    killed = start(Listen, shop, shop.key, receiver.url)
    secret = killed.secret()
    killed.stop(signal.SIGKILL)
    assert len(consumers(shop)) == 1
    trigger(shop, shop.key, shop.create(), "complete")
    again = start(Listen, shop, shop.key, receiver.url)
    # The server that gets the events need not be told another.
    assert again.secret() == secret
    assert len(consumers(shop)) == 1
    trigger(shop, shop.key, shop.create(), "expire")
    wait_until(lambda: receiver.requests)
    # What happened while nobody listened is not forwarded.
    assert types(receiver) == ["expired"] and genuine(shop, receiver.requests[0], secret)
    # The same command in another window: the first one ends, and leaves the consumer alone.
    third = start(Listen, shop, shop.key, receiver.url)
    third.secret()
    assert again.process.wait(5) == 1 and "has the command been started again?" in again.said()
    # For another server it is another command.
    other = start(Receiver)
    assert start(Listen, shop, shop.key, other.url).secret() != secret
    trigger(shop, shop.key, shop.create(), "complete")
    wait_until(lambda: types(receiver) == ["expired", "completed"] and types(other) == ["completed"])
    assert third.stop() == 0
    assert len(consumers(shop)) == 1
    rolled = shop.value("SELECT api_key FROM checkout.roll_api_key(%s)", shop.key[:20])
    assert start(Listen, shop, rolled, receiver.url).secret() != secret


def test_listen_tries_again_until_the_server_answers_well(shop, start):
    receiver = start(Receiver, lambda request: 500 if len(receiver.requests) == 1 else 204)
    listen = start(Listen, shop, shop.key, receiver.url)
    gone = start(Listen, shop, shop.key, "127.0.0.1:1")
    listen.secret(), gone.secret()
    trigger(shop, shop.key, shop.create(), "complete")
    wait_until(lambda: "[204] POST" in listen.said(), 10)
    assert "[500] POST" in listen.said() and ", again in 5 seconds" in listen.said()
    assert len(set(receiver.ids())) == 1 and len(receiver.requests) == 2
    assert re.search(r"<-- \[ERROR\] POST http://127.0.0.1:1/ \[evt_[\w-]+\]: Connection refused.*, again in 5 seconds", gone.said())
    assert gone.stop() == listen.stop() == 0
    assert consumers(shop) == []


def test_listen_outlives_the_database_and_ends_with_the_key(shop, start):
    receiver = start(Receiver)
    listen = start(Listen, shop, shop.key, receiver.url)
    listen.secret()
    shop.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'checkout-sessions-listen'")
    trigger(shop, shop.key, shop.create(), "complete")
    wait_until(lambda: receiver.requests)
    shop.sql("SELECT checkout.revoke_api_key(%s)", shop.key[:20])
    assert listen.process.wait(10) == 1
    assert "error: invalid API key" in listen.said()


def test_listen_is_for_the_test_environment(shop, start):
    for key, status, words in (
        (shop.create_api_key(), 2, "the API key is of the live environment"),
        (shop.create_api_key("publishable", "test"), 1, "a publishable API key may not call this function"),
    ):
        listen = start(Listen, shop, key, "localhost:3000")
        assert listen.process.wait(10) == status
        assert words in listen.said() and key[20:] not in listen.said()
    assert consumers(shop) == []


# -- webhooks to localhost ---------------------------------------------------------------------------------------------


def test_an_endpoint_on_localhost_gets_the_events_of_the_test_environment(shop, start):
    receiver = start(Receiver)
    _, secret = register(shop, receiver)
    shop.call("create_webhook_endpoint", url=receiver.url.replace("127.0.0.1", "localhost"))
    start(Relay, shop)
    trigger(shop, shop.key, shop.create(), "complete")
    wait_until(lambda: len(receiver.requests) == 2)
    assert sum(bool(genuine(shop, request, secret)) for request in receiver.requests) == 1


def test_private_addresses_other_than_loopback_are_refused(shop, start):
    start(Relay, shop)
    endpoint = shop.call("create_webhook_endpoint", url="https://shop.example/")[0]["webhook_endpoint_id"]
    # As if it had been registered while the setting allowed it.
    shop.sql("UPDATE checkout_data.webhook_endpoints SET url = 'https://10.0.0.1/'")
    trigger(shop, shop.key, shop.create(), "complete")
    (attempt,) = wait_until(lambda: attempts(shop, endpoint))
    assert attempt["error"] == "the URL's host has an address that webhooks must not go to"


@pytest.mark.parametrize("why", ["none", "ranges", "another organization", "live"])
def test_localhost_is_out_of_reach_for_strangers(shop, start, why):
    """Of several organizations, one could reach what others run on the relay's machine."""
    receiver = start(Receiver)
    endpoint, _ = register(shop, receiver)
    if why == "another organization":
        another(shop)
    elif why == "live":
        shop.sql("UPDATE checkout_data.webhook_endpoints SET environment = 'live'")
        shop.sql(f"ALTER ROLE {shop.shop} SET checkout_sessions.environment = 'live'")
    else:
        ranges = {"none": "none", "ranges": "10.0.0.0/8"}[why]
        shop.sql(f"ALTER DATABASE {shop.name} SET checkout_sessions.webhook_allowed_ranges = '{ranges}'")
    start(Relay, shop)
    shop.call("expire_checkout_session", checkout_session_id=shop.create())
    (attempt,) = wait_until(lambda: attempts(shop, endpoint))
    assert attempt["error"] == "the URL's host has an address that webhooks must not go to"
    assert receiver.connections == 0


def test_the_live_environment_names_the_setting(shop):
    shop.sql(f"ALTER ROLE {shop.shop} SET checkout_sessions.environment = 'live'")
    for url in ("http://localhost:3000/hooks", "https://127.0.0.1/hooks"):
        with pytest.raises(Exception, match="checkout_sessions.webhook_allowed_ranges") as refused:
            shop.call("create_webhook_endpoint", url=url)
        assert refused.value.pgcode == "22023"
