"""What the gateway bounds and survives: rates, sizes, slow clients, a database that goes away, and its own end. What it
says itself has the form of the dialect's errors.
"""

import http.client
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from conftest import private_server, wait_until
from support.gateway import CREATE, DIALECTS, EXAMPLE, ORDER, Gateway, Shop, error
from support.metrics import free_port, get

LIST = "/checkout-sessions"


@pytest.fixture(scope="module")
def own_server():
    with private_server("py-gateway-limits", "log_statement=all") as server:
        yield server


@pytest.fixture
def world(own_server):
    """A database on a server that the test may stop."""
    db = own_server.create_database()
    assert not db.psql("--tuples-only", f"--file={EXAMPLE / 'setup.sql'}").strip()
    yield db
    own_server.check()
    own_server.drop_databases()


@pytest.fixture(scope="module")
def shared():
    with private_server("py-gateway-bounds") as server:
        db = server.create_database()
        db.psql(f"--file={EXAMPLE / 'setup.sql'}")
        yield db


@pytest.fixture
def shop(shared):
    return Shop(shared, base_url="https://pay.example")


def statuses(gateway, shop, number, **headers):
    return [gateway.call("lomi", "GET", LIST, key=shop, **headers).status for _ in range(number)]


# -- rates -------------------------------------------------------------------------------------------------------------


def test_a_key_has_its_rate_and_others_have_their_own(shared, shop):
    with Gateway(shared, "--requests-per-second=3") as gateway:
        assert statuses(gateway, shop.live, 3) == [200] * 3
        refused = gateway.call("lomi", "GET", LIST, key=shop.live)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert refused.text == error("lomi", 429, "Too many requests: try again later")
        by_function = gateway.request("POST", "/rpc/list_checkout_sessions", {}, {"x-api-key": shop.live})
        assert (by_function.status, by_function.body["code"]) == (429, "PT429")
        assert statuses(gateway, shop.test, 3) == [200] * 3
        # Whoever knows only the public part of a key does not use up the key's rate.
        forged = shop.live[:20] + "x" * 49
        assert set(statuses(gateway, forged, 10)) == {401}
        time.sleep(1.1)
        assert gateway.call("lomi", "GET", LIST, key=shop.live).status == 200


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_refusal_has_the_form_of_the_dialect(shared, shop, dialect):
    with Gateway(shared, "--requests-per-second=1", dialect=dialect) as gateway:
        create = lambda **headers: gateway.call(dialect, "POST", CREATE[dialect], ORDER[dialect], key=shop.live, **headers)
        wait_until(lambda: create().status == 429)
        assert create().text == error(dialect, 429, "Too many requests: try again later")
        # A path of the gateway's own is no dialect's.
        assert gateway.request("GET", "/rpc/a/b").text == '{"message":"Cannot GET /rpc/a/b"}'
    with Gateway(shared) as gateway:
        answer = gateway.call(dialect, "POST", CREATE[dialect], ORDER[dialect], key=shop.test, X_Long="x" * 60_000)
        assert (answer.status, answer.text) == (431, error(dialect, 431, "Request headers are too large"))


def test_an_address_has_its_rate_whatever_it_claims(shared, shop):
    with Gateway(shared, "--requests-per-second-address=4") as gateway:
        answers = [statuses(gateway, None, 1, X_Forwarded_For=f"10.0.0.{number}")[0] for number in range(6)]
        assert answers[:4] == [401] * 4 and 429 in answers[4:]
        # Whoever looks after the gateway is not a client.
        assert [gateway.request("GET", "/healthz").status for _ in range(10)] == [200] * 10


def test_behind_a_proxy_the_address_is_the_one_that_the_proxy_saw(shared, shop):
    with Gateway(shared, "--requests-per-second-address=2", "--trusted-proxies=1") as gateway:
        claim = lambda number: statuses(gateway, None, 1, X_Forwarded_For=f"6.6.6.{number}, 10.0.0.1")[0]
        assert [claim(number) for number in range(3)] == [401, 401, 429]
        assert statuses(gateway, None, 2, X_Forwarded_For="10.0.0.2") == [401, 401]


# -- sizes and time ----------------------------------------------------------------------------------------------------


def test_a_body_has_at_most_a_mebibyte(shared, shop):
    with Gateway(shared) as gateway:
        for path, key in (
            ("/lomi/checkout-sessions", shop.live),
            ("/rpc/get_checkout_session", shop.live),
            ("/pay/1", None),
        ):
            answer = gateway.request("POST", path, b"x" * (2**20 + 1), {"x-api-key": key} if key else {})
            assert answer.status == 413, path
        # One that does not say its length is read no further.
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        chunks = iter([b"x" * 2**16] * 17)
        connection.request("POST", "/lomi/checkout-sessions", chunks, {"x-api-key": shop.live}, encode_chunked=True)
        assert connection.getresponse().status == 413
        connection.close()
        at_most = gateway.call("lomi", "POST", CREATE["lomi"], b" " * 2**20, key=shop.live)
        assert at_most.status == 400
        headers = {"x-api-key": shop.live, "X-Long": "x" * 70_000}
        assert gateway.request("GET", "/lomi/checkout-sessions", headers=headers).status == 431


def test_a_request_that_waits_too_long_is_ended_and_its_connection_serves_others(shared, shop):
    options = ("--timeout=1s", "--connections=1")
    with Gateway(shared, *options) as gateway, closing(shared.connect()) as connection:
        connection.autocommit = False
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE checkout_data.checkout_sessions IN EXCLUSIVE MODE")
        before = time.monotonic()
        for path, body in (
            ("/lomi/checkout-sessions", ORDER["lomi"]),
            ("/rpc/create_checkout_session", {"amount": 1, "currency_code": "XOF", "customer_id": "c"}),
        ):
            answer = gateway.request("POST", path, body, {"x-api-key": shop.live})
            assert answer.status == 504, answer.text
            message = "The request took too long, and was cancelled"
            assert answer.body["message"] == message and ("rpc" in path or answer.text == error("lomi", 504, message))
        assert 1.5 < time.monotonic() - before < 6
        connection.rollback()
        assert gateway.create("lomi", shop.live).status == 201
        assert shop.count() == 1


def test_a_body_that_comes_too_slowly_is_refused(shared, shop):
    with Gateway(shared, "--timeout=1s") as gateway, socket.create_connection(("127.0.0.1", gateway.port)) as client:
        client.settimeout(20)
        client.sendall(
            f"POST /lomi/checkout-sessions HTTP/1.1\r\nhost: x\r\nx-api-key: {shop.live}\r\n"
            "content-length: 100\r\n\r\n{".encode()
        )
        refused = client.recv(1000).decode()
        assert refused.startswith("HTTP/1.1 408")
        assert refused.endswith(error("lomi", 408, "The request body came too slowly"))


def test_slow_clients_do_not_keep_others_out(shared, shop):
    """Ten hold their headers back on a gateway for ten: it hangs up, and serves who waits."""
    with Gateway(shared, "--clients=10") as gateway:
        slow = [socket.create_connection(("127.0.0.1", gateway.port)) for _ in range(10)]
        for client in slow:
            client.sendall(b"GET /lomi/checkout-sessions HTTP/1.1\r\nx-slow: ")
        before = time.monotonic()
        assert gateway.call("lomi", "GET", LIST, key=shop.live).status == 200
        assert 5 < time.monotonic() - before < 15
        for client in slow:
            client.close()


# -- the database ------------------------------------------------------------------------------------------------------


def test_while_the_database_is_away_the_answer_is_503_at_once_and_it_comes_back_by_itself(world):
    shop = Shop(world, base_url="https://pay.example")
    with Gateway(world, "--listen=127.0.0.1:0") as gateway:
        assert gateway.create("lomi", shop.live).status == 201
        world.server.stop("immediate")
        wait_until(lambda: gateway.create("lomi", shop.live).status == 503)
        wait_until(lambda: gateway.request("GET", "/healthz").status == 503)
        before = time.monotonic()
        for dialect in DIALECTS:
            refused = gateway.create(dialect, shop.live)
            assert refused.status == 503
            assert refused.text == error(dialect, 503, "The service is not available now: try again")
        for path, key in (
            ("/lomi/checkout-sessions", shop.live),
            ("/rpc/current_environment", shop.live),
            ("/views/checkout_sessions", shop.live),
        ):
            answer = gateway.request("GET", path, headers={"x-api-key": key})
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert "refused" not in answer.text and "socket" not in answer.text
        assert time.monotonic() - before < 1
        world.server.start()
        wait_until(lambda: gateway.create("lomi", shop.live).status == 201, within=15)
        wait_until(lambda: gateway.request("GET", "/healthz").status == 200)
        assert gateway.process.poll() is None


def test_it_starts_without_the_database_and_serves_when_it_is_there(world):
    shop = Shop(world, base_url="https://pay.example")
    world.server.stop()
    with Gateway(world) as gateway:
        assert gateway.create("lomi", shop.live).status == 503
        world.server.start()
        wait_until(lambda: gateway.create("lomi", shop.live).status == 201, within=15)
        answer = gateway.request("POST", "/rpc/current_environment", {}, {"x-api-key": shop.live})
        assert (answer.status, answer.text) == (200, '"live"'), "it knows the functions"


def test_a_function_that_its_role_may_not_execute_is_not_there(world):
    shop = Shop(world, base_url="https://pay.example")
    with Gateway(world) as gateway:
        answer = gateway.request("POST", "/rpc/create_organization", {"name": "Mine"}, {"x-api-key": shop.live})
        assert (answer.status, answer.body["code"]) == (404, "PGRST202"), "its role may not execute it"


# -- the end -----------------------------------------------------------------------------------------------------------


def test_whatever_was_answered_is_stored_when_the_gateway_is_killed(world):
    """Eight clients create without a pause; the gateway is killed by SIGKILL, three times."""
    shop = Shop(world, base_url="https://pay.example")
    answered = []
    for _ in range(3):
        with Gateway(world) as gateway:

            def create(_, gateway=gateway):
                while True:
                    try:
                        answer = gateway.create("lomi", shop.live)
                    except (OSError, http.client.HTTPException):
                        return
                    if answer.status == 201:
                        answered.append(answer.body["checkout_session_id"])

            with ThreadPoolExecutor(8) as threads:
                clients = threads.map(create, range(8))
                before = len(answered)
                wait_until(lambda: len(answered) > before + 100, within=30)
                gateway.process.kill()
                list(clients)
    rows = world.sql("SELECT checkout_session_id::text AS id FROM checkout_data.checkout_sessions")
    assert len(answered) > 300 and set(answered) <= {row["id"] for row in rows}


def test_an_idle_connection_does_not_keep_it_from_stopping(shared, shop):
    with Gateway(shared) as gateway:
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=20)
        connection.request("GET", "/healthz")
        assert connection.getresponse().read() == b"ok\n"
        before = time.monotonic()
        assert gateway.stop() == 0 and time.monotonic() - before < 3
        connection.close()
        assert '"message":"stopped"' in gateway.log()


# -- what it tells -----------------------------------------------------------------------------------------------------


def test_each_request_has_a_line_in_the_log_and_no_secret_is_in_it(world):
    shop = Shop(world, base_url="https://pay.example")
    with Gateway(world) as gateway:
        created = gateway.create("lomi", shop.live, headers={"X-Request-Id": "log-create"}).body
        session = created["checkout_session_id"]
        get = f"/rpc/get_checkout_session?checkout_session_id={session}"
        secret = gateway.request("GET", get, headers={"x-api-key": shop.live}).body["client_secret"]
        opened = {"checkout_session_id": session, "client_secret": secret}
        gateway.request("POST", "/rpc/public_checkout_session", opened, {"x-request-id": "log-open"})
        gateway.request(
            "GET",
            f"/rpc/public_checkout_session?checkout_session_id={session}&client_secret={secret}",
            headers={"x-request-id": "log-get"},
        )
        gateway.request("GET", f"/pay/{session}", headers={"x-request-id": "log-pay"})
        gateway.request("GET", f"/lomi/{secret}/{shop.live}/{shop.test}x", headers={"x-request-id": "log-path"})
        gateway.request("POST", f"/rpc/{shop.live}", "{}", {"x-api-key": shop.live, "x-request-id": "log-function"})
        gateway.request("GET", f"/views/checkout_sessions?{shop.live}=eq.1", headers={"x-api-key": shop.live})
        lines = gateway.log_lines()
        line = lines["log-create"]
        assert {name: line[name] for name in ("method", "route", "key", "organization", "dialect", "status")} == {
            "method": "POST",
            "route": "/lomi/checkout-sessions",
            "key": shop.live[:20],
            "organization": shop.id,
            "dialect": "lomi",
            "status": 201,
        }
        assert isinstance(line["duration_ms"], int)
        assert lines["log-open"]["function"] == "public_checkout_session" and "key" not in lines["log-open"]
        assert lines["log-get"]["route"] == "/rpc/public_checkout_session"
        assert lines["log-pay"]["route"] == f"/pay/{session}"
        for text in (shop.live, shop.test, secret, "john@example.com"):
            assert text not in gateway.log() and (text not in world.server.log() or text == "john@example.com")


def test_a_request_id_is_in_the_database_s_log_too(world):
    shop = Shop(world, base_url="https://pay.example")
    world.sql("ALTER ROLE gateway SET default_transaction_read_only = on")
    with Gateway(world) as gateway:
        answer = gateway.create("lomi", shop.live, headers={"X-Request-Id": "both-logs-1"})
        assert (answer.status, answer.headers["X-Request-Id"]) == (503, "both-logs-1")
        assert re.search(r"CONTEXT:.*both-logs-1", world.server.log())
        assert '"request_id":"both-logs-1"' in gateway.log()
    world.sql("ALTER ROLE gateway RESET default_transaction_read_only")


def test_metrics_count_what_was_answered(shared, shop):
    port = free_port()
    with Gateway(shared, f"--listen=127.0.0.1:{port}", "--requests-per-second=1") as gateway:
        assert statuses(gateway, shop.live, 2) == [200, 429]
        _, text = get(port, "/metrics")
        assert 'checkout_sessions_gateway_requests_total{target="lomi",status="200"} 1' in text
        assert "checkout_sessions_gateway_limited_total 1" in text
        assert get(port, "/healthz")[1] == "ok\n" == gateway.request("GET", "/healthz").text
        # Metrics are for the operator's network.
        assert gateway.request("GET", "/metrics").status == 404
