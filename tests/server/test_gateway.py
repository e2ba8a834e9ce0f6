"""The five dialects over the network: the gateway, real HTTP, and its handling of bad requests.

The documents' own examples are in test_gateway_documents.py.
"""

import itertools
import json
import re
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from conftest import ENVIRONMENT, ROOT, wait_until
from support.gateway import CREATE, CREATED, DIALECTS, GET, ORDER, PROGRAM, Gateway, error, session_id, session_of
from support.gateway_world import gateway, other, shop, world  # noqa: F401: fixtures
from support.pooler import poolers

UNKNOWN = "987e6543-e89b-12d3-a456-426614174000"
READERS = list(GET)
ROUTES = [(dialect, "POST", path) for dialect, path in CREATE.items()] + [
    ("kobo", "GET", GET["kobo"]), ("lomi", "GET", "/checkout-sessions"), ("lomi", "GET", GET["lomi"]),
    ("paygate", "GET", "/v1/checkout/sessions"), ("paygate", "GET", GET["paygate"]),
    ("paygate", "POST", GET["paygate"] + "/expire"), ("yuno", "GET", GET["yuno"]),
    ("yuno", "GET", GET["yuno"] + "/payment-methods"),
]
numbers = itertools.count(1)


def unknown_id(dialect):
    return "cs_" + UNKNOWN.replace("-", "") if dialect == "paygate" else UNKNOWN


# -- credentials -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect, method, path", ROUTES)
def test_without_a_good_key_nobody_is_let_in(gateway, shop, dialect, method, path):
    path, body = path.format(unknown_id(dialect)), ORDER[dialect] if method == "POST" else None
    for key in (None, "", "nonsense", "sk_live_wrong", shop.live[:-1], shop.live + "x"):
        answer = gateway.call(dialect, method, path, body, key=key)
        assert (answer.status, answer.text) == (401, error(dialect, 401, "Invalid API key")), key
    assert gateway.call(dialect, method, path, body, Authorization="Basic c2hvcDo=").status == 401


def test_revoked_key_is_a_wrong_key(gateway, shop):
    shop.db.sql("SELECT checkout.revoke_api_key(%s)", shop.test[:20])
    assert gateway.create("lomi", shop.test).text == error("lomi", 401, "Invalid API key")


def test_two_keys_that_differ_are_refused(gateway, shop, other):
    answer = gateway.create("lomi", shop.live, headers={"Authorization": f"Bearer {other.live}"})
    assert answer.status == 401 and shop.count() == other.count() == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_either_header_may_have_the_key(gateway, shop, dialect):
    for number, headers in enumerate([{"x-api-key": shop.live}, {"Authorization": f"bearer {shop.live}"}]):
        answer = gateway.request("POST", f"/{dialect}{CREATE[dialect]}", ORDER[dialect], headers)
        assert answer.status == CREATED[dialect] and shop.count() == number + 1


@pytest.mark.parametrize("dialect, method, path", ROUTES)
def test_publishable_key_may_initialize_a_kobo_session_and_nothing_else(gateway, shop, dialect, method, path):
    session = session_id(dialect, gateway.create(dialect, shop.live).body)
    before = shop.count()
    body = ORDER[dialect] if method == "POST" else None
    answer = gateway.call(dialect, method, path.format(session), body, key=shop.key("publishable", "live"))
    if path == CREATE["kobo"]:
        assert answer.status == 200 and shop.count() == before + 1
    else:
        message = "A publishable API key may not do this"
        assert (answer.status, answer.text) == (403, error(dialect, 403, message))
        assert shop.count() == before


@pytest.mark.parametrize("dialect", READERS)
def test_session_is_found_by_its_own_organization_and_environment_only(gateway, shop, other, dialect):
    session = session_id(dialect, gateway.create(dialect, shop.live).body)
    assert gateway.get(dialect, shop.live, session).status == 200
    what = "Checkout session with ID" if dialect == "lomi" else "checkout session"
    message = f"{what} {session} not found or access denied"
    for key in (other.live, shop.test, other.test):
        answer = gateway.get(dialect, key, session)
        assert (answer.status, answer.text) == (404, error(dialect, 404, message))
    # The same words as for an unknown id.
    answer = gateway.get(dialect, shop.live, unknown_id(dialect))
    assert (answer.status, answer.text) == (404, error(dialect, 404, message.replace(session, unknown_id(dialect))))


def test_lists_have_the_sessions_of_the_key_only(gateway, shop, other):
    session = gateway.create("lomi", shop.live).body["checkout_session_id"]
    for key, sessions in ((shop.live, [session]), (shop.test, []), (other.live, [])):
        rows = gateway.call("lomi", "GET", "/checkout-sessions", key=key).body
        assert [row["checkout_session_id"] for row in rows] == sessions
    page = gateway.call("paygate", "GET", "/v1/checkout/sessions", key=other.live).text
    assert page == '{"object":"list","data":[],"has_more":false,"url":"/v1/checkout/sessions"}'


def test_nobody_expires_the_session_of_another(gateway, shop, other):
    session = gateway.create("paygate", shop.live).body["id"]
    path = f"/v1/checkout/sessions/{session}/expire"
    assert gateway.call("paygate", "POST", path, key=other.live).status == 404
    assert gateway.call("paygate", "POST", path, key=shop.test).status == 404
    assert gateway.get("paygate", shop.live, session).body["status"] == "open"
    assert gateway.call("paygate", "POST", path, key=shop.live).body["status"] == "expired"


def test_parallel_requests_of_two_organizations_never_mix(gateway, shop, other):
    """40 at once, on the pool's ten connections; then one without a key, on each used connection."""
    start = threading.Barrier(40)

    def create(number):
        owner = (shop, other)[number % 2]
        start.wait(20)
        body = gateway.create("lomi", owner.live, title=owner.id).body
        return body["organization_id"] == body["title"] == owner.id, body["checkout_session_id"]

    with ThreadPoolExecutor(40) as threads:
        done = list(threads.map(create, range(40)))
        strangers = list(threads.map(lambda _: gateway.create("lomi", None).status, range(20)))
    assert all(own for own, _ in done) and len({session for _, session in done}) == 40
    assert set(strangers) == {401}
    for owner in (shop, other):
        rows = gateway.call("lomi", "GET", "/checkout-sessions?limit=100", key=owner.live).body
        assert len(rows) == 20 and {row["title"] for row in rows} == {owner.id}


# -- unknown paths, and unreadable requests ----------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", DIALECTS)
def test_unknown_path_is_404_and_a_wrong_method_405(gateway, shop, dialect):
    answer = gateway.call(dialect, "GET", "/nothing?here=1", key=shop.live)
    assert (answer.status, answer.text) == (404, error(dialect, 404, "Cannot GET /nothing"))
    for path in ("", "/", CREATE[dialect] + "/a/b/c"):
        assert gateway.call(dialect, "POST", path, ORDER[dialect], key=shop.live).status == 404
    answer = gateway.call(dialect, "PUT", CREATE[dialect], ORDER[dialect], key=shop.live)
    assert (answer.status, answer.text) == (405, error(dialect, 405, "Method not allowed"))
    assert shop.count() == 0


def test_lomi_has_no_update_and_no_delete(gateway, shop):
    session = gateway.create("lomi", shop.live).body["checkout_session_id"]
    before = gateway.get("lomi", shop.live, session).text
    for method in ("PUT", "PATCH", "DELETE", "PROPFIND"):
        for path, allowed in ((f"/checkout-sessions/{session}", "GET, HEAD, OPTIONS"), ("/checkout-sessions", "POST, GET, HEAD, OPTIONS")):
            answer = gateway.call("lomi", method, path, {"amount": 1}, key=shop.live)
            assert (answer.status, answer.headers["Allow"]) == (405, allowed), method
            assert answer.text == error("lomi", 405, "Method not allowed")
    assert gateway.get("lomi", shop.live, session).text == before


def test_a_page_in_a_browser_creates_a_session(gateway, shop):
    origin = "https://shop.example"
    shop.db.sql("SELECT checkout.update_organization(%s, allowed_origins => %s)", shop.id, [origin])
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    preflight = gateway.call("kobo", "OPTIONS", CREATE["kobo"], **asked)
    assert (preflight.status, preflight.text) == (204, "")
    assert preflight.headers["Access-Control-Allow-Origin"] == "*"
    answer = gateway.call("kobo", "POST", CREATE["kobo"], ORDER["kobo"], key=shop.key("publishable", "live"), Origin=origin)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)


def test_head_is_get_without_a_body(gateway, shop):
    for method, text in (("GET", "[]"), ("HEAD", "")):
        answer = gateway.call("lomi", method, "/checkout-sessions", key=shop.live)
        assert (answer.status, answer.text) == (200, text)


def test_the_id_of_a_request_is_in_its_answer_and_in_the_log(gateway, shop):
    for status, dialect in ((200, "lomi"), (404, "nobody")):
        answer = gateway.call(dialect, "GET", "/checkout-sessions", key=shop.live, X_Request_Id=f"mine-{status}")
        assert answer.status == status and f'"request_id":"mine-{status}"' in gateway.log()
        assert answer.headers["X-Request-Id"] == f"mine-{status}"
    made = gateway.call("lomi", "GET", "/checkout-sessions", key=shop.live).headers["X-Request-Id"]
    assert f'"request_id":"{made}"' in gateway.log()


def test_prefix_that_names_no_dialect_is_404(gateway, shop):
    for path in ("/", "/checkout-sessions", "/stripe/v1/checkout/sessions", "/toString/x", "/LOMI/checkout-sessions"):
        answer = gateway.request("GET", path, headers={"x-api-key": shop.live})
        assert (answer.status, answer.text) == (404, f'{{"message":"Cannot GET {path}"}}')


@pytest.mark.parametrize("dialect", DIALECTS)
def test_body_that_is_no_json_is_400(gateway, shop, dialect):
    bad = ["{", '{"amount": 1,}', "amount=1", "{'amount': 1}", "NaN", '{"a": 1} {}', '{"amount": "\\ud800"}', "{\0}"]
    for body in [*bad, b'{"amount": "\xff"}']:
        answer = gateway.call(dialect, "POST", CREATE[dialect], body, key=shop.live)
        assert (answer.status, answer.text) == (400, error(dialect, 400, "body is not valid JSON")), body
    answer = gateway.call(dialect, "POST", CREATE[dialect], "[" * 100_000 + "]" * 100_000, key=shop.live)
    assert (answer.status, answer.text) == (400, error(dialect, 400, "body is nested too deeply"))
    # JSON of a kind that a database cannot store.
    for wrong in ({"metadata": {"a": "\0"}}, {"metadata": [{"key": "a", "value": "\0"}]}):
        # Flutterwave has no metadata.
        if dialect != "flutterwave" and (dialect == "yuno") == isinstance(wrong["metadata"], list):
            answer = gateway.create(dialect, shop.live, **wrong)
            refused = (400, error(dialect, 400, "metadata must not contain NUL characters"))
            assert (answer.status, answer.text) == refused
    huge = '{"amount": 1e400000}'
    if dialect != "yuno":
        huge = json.dumps(ORDER[dialect]).replace(str(ORDER[dialect]["amount"]), "1e400000", 1)
    answer = gateway.call(dialect, "POST", CREATE[dialect], huge, key=shop.live)
    assert answer.status == 400 and answer.text == error(dialect, 400, re.search(r"[^\"]*amount[^\"]*", answer.text)[0])
    for body in (None, "", "[]", "null", '"text"', "5", "true"):
        answer = gateway.call(dialect, "POST", CREATE[dialect], body, key=shop.live)
        assert (answer.status, answer.text) == (400, error(dialect, 400, "body must be a JSON object")), body
    too_long = gateway.call(dialect, "POST", CREATE[dialect], "", key=shop.live, content_length=str(2**20 + 1))
    assert (too_long.status, too_long.text) == (413, error(dialect, 413, "Request body is too large"))
    no_path = gateway.call(dialect, "GET", CREATE[dialect] + "/%zz", key=shop.live)
    assert (no_path.status, no_path.text) == (400, error(dialect, 400, "The path is not a valid URL component"))
    assert shop.count() == 0


def test_expire_takes_no_body_but_not_a_broken_one(gateway, shop):
    session = gateway.create("paygate", shop.live).body["id"]
    path = f"/v1/checkout/sessions/{session}/expire"
    assert gateway.call("paygate", "POST", path, "{", key=shop.live).status == 400
    assert gateway.get("paygate", shop.live, session).body["status"] == "open"
    assert gateway.call("paygate", "POST", path, key=shop.live).body["status"] == "expired"


def test_body_is_forwarded_as_it_is_written(gateway, shop):
    """Numbers that JavaScript cannot represent come back unchanged, whatever the Content-Type; so do letters."""
    body = """{"amount": 10000.50, "currency_code": "USD", "customer_id": "c", "title": "Crème ☕",
        "metadata": {"n": 9007199254740993}}"""
    for kind in ("application/json", "text/plain", "application/x-www-form-urlencoded"):
        answer = gateway.call("lomi", "POST", "/checkout-sessions", body, key=shop.live, content_type=kind)
        assert answer.status == 201 and answer.headers["content-type"] == "application/json; charset=utf-8"
        assert '"amount":10000.5,' in answer.text and '"title":"Crème ☕"' in answer.text
        assert '"metadata":{"n":9007199254740993}' in answer.text


def test_reference_in_a_path_may_need_to_be_encoded(gateway, shop):
    """A reference is any text; in a URL it is percent-encoded."""
    gateway.create("kobo", shop.live, reference="ORD 45/21 é")
    answer = gateway.call("kobo", "GET", "/v1/checkout/session/verify/ORD%2045%2F21%20%C3%A9", key=shop.live)
    assert answer.status == 200, answer.text
    assert answer.body["data"]["reference"] == "ORD 45/21 é"


def test_query_is_decoded(gateway, shop):
    for customer in ("a+b c/é", "a b c/é", "a"):
        gateway.create("paygate", shop.live, customer=customer)
    page = gateway.call("paygate", "GET", "/v1/checkout/sessions?customer=a%2Bb+c%2F%C3%A9", key=shop.live).body
    assert [session["customer"] for session in page["data"]] == ["a+b c/é"]


# -- headers -----------------------------------------------------------------------------------------------------------


def test_idempotency_key_answers_with_the_same_session(gateway, shop):
    key = f"order-{next(numbers):012}"
    create = lambda **members: gateway.create("flutterwave", shop.live, headers={"X-Idempotency-Key": key}, **members)
    first = create(reference="order-4521")
    again = create(reference="order-4521")
    assert (again.status, again.text) == (first.status, first.text) and first.status == 200
    assert first.headers["Idempotent-Replayed"] is None and again.headers["Idempotent-Replayed"] == "true"
    different = create(reference="order-4522")
    message = "idempotency key was used with a different request"
    assert (different.status, different.text) == (409, error("flutterwave", 409, message))
    assert shop.count() == 1


def test_idempotency_keys_have_12_to_255_characters(gateway, shop):
    send = lambda length: gateway.create("flutterwave", shop.live, headers={"X-Idempotency-Key": "k" * length})
    assert [send(length).status for length in (1, 11, 12, 255, 256)] == [400, 400, 200, 200, 400]
    assert send(11).text == error("flutterwave", 400, "X-Idempotency-Key must have between 12 and 255 characters")
    assert shop.count() == 2


@pytest.mark.parametrize("dialect", DIALECTS)
def test_same_request_many_times_at_once_is_one_session(gateway, shop, dialect):
    with ThreadPoolExecutor(8) as threads:
        create = lambda _: gateway.create(dialect, shop.live, headers={"Idempotency-Key": "order-of-many-clicks"})
        answers = list(threads.map(create, range(8)))
    assert {answer.status for answer in answers} == {CREATED[dialect]} and len({answer.text for answer in answers}) == 1
    assert sorted(answer.headers["Idempotent-Replayed"] or "" for answer in answers) == [""] + ["true"] * 7
    assert shop.count() == 1


def test_trace_id_is_kept_and_comes_back(gateway, shop):
    for dialect in DIALECTS:
        answer = gateway.create(dialect, shop.live, headers={"X-Trace-Id": f"trace-of-{dialect}-1"})
        assert (answer.status, answer.headers["X-Trace-Id"]) == (CREATED[dialect], f"trace-of-{dialect}-1")
    kept = shop.db.sql("SELECT trace_id FROM checkout_data.checkout_sessions WHERE organization_id = %s", shop.id)
    assert {row["trace_id"] for row in kept} == {f"trace-of-{dialect}-1" for dialect in DIALECTS}
    for length, status in ((11, 400), (12, 200), (255, 200), (256, 400)):
        assert gateway.create("flutterwave", shop.live, headers={"X-Trace-Id": "t" * length}).status == status


@pytest.mark.parametrize("dialect", DIALECTS)
def test_scenario_drives_a_session_in_the_test_environment(gateway, shop, dialect):
    ends = {"complete": ("completed", "complete"), "fail": ("failed", "expired"), "expire": ("expired", "expired")}
    for scenario, (in_kobo, in_lomi) in ends.items():
        answer = gateway.create(dialect, shop.test, headers={"X-Scenario-Key": scenario})
        assert answer.status == CREATED[dialect], answer.text
        session = session_id(dialect, answer.body).removeprefix("cs_")
        assert session_of(gateway.get("kobo", shop.test, session).body)["status"] == in_kobo
        assert gateway.get("lomi", shop.test, session).body["status"] == in_lomi
    before = shop.count()
    for status in (400, 429, 503, 599):
        answer = gateway.create(dialect, shop.test, headers={"X-Scenario-Key": f"error:{status}"})
        assert answer.status == status and "Simulated error" in answer.text
        if status == 503:
            assert answer.text == error(dialect, 503, "Simulated error")
    for unknown in ("error:200", "error:", "nonsense", "s" * 1001):
        assert gateway.create(dialect, shop.test, headers={"X-Scenario-Key": unknown}).status == 400
    for scenario in (*ends, "error:503"):
        answer = gateway.create(dialect, shop.live, headers={"X-Scenario-Key": scenario})
        assert answer.status == 400
        assert answer.text == error(dialect, 400, "X-Scenario-Key is for the test environment only")
    assert shop.count() == before


# -- the gateway itself ------------------------------------------------------------------------------------------------


def test_database_may_go_away_and_come_back(gateway, shop):
    assert gateway.create("lomi", shop.live).status == 201
    ended = sessions_of_gateway(shop)
    assert ended and shop.db.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'gateway'")
    wait_until(lambda: not ended & sessions_of_gateway(shop))
    # Nor is a request refused when the gateway finds that the connection with which it looks has ended, too.
    statuses = set()

    def has_looked():
        statuses.add(gateway.create("lomi", shop.live).status)
        return "the connection that looks has ended" in gateway.log()

    wait_until(has_looked)
    assert statuses == {201} and gateway.process.poll() is None


def sessions_of_gateway(shop):
    return {row["pid"] for row in shop.db.sql("SELECT pid FROM pg_stat_activity WHERE usename = 'gateway'")}


def test_unexpected_error_is_500_without_details(world, shop):
    with Gateway(world.db, user="stranger") as gateway:
        for dialect in DIALECTS:
            answer = gateway.create(dialect, shop.live)
            assert (answer.status, answer.text) == (500, error(dialect, 500, "Internal server error"))
        assert '"code":"42501"' in gateway.log() and "permission denied" in gateway.log()
        assert shop.live not in gateway.log()


@pytest.mark.parametrize("dialect", ["paygate", "yuno"])
def test_one_dialect_alone_is_at_its_documented_paths(world, shop, dialect):
    with Gateway(world.db, dialect=dialect) as gateway:
        created = gateway.create(dialect, shop.live)
        assert created.status == CREATED[dialect]
        assert gateway.get(dialect, shop.live, session_id(dialect, created.body)).status == 200
        answer = gateway.call(dialect, "GET", f"/{dialect}{CREATE[dialect]}", key=shop.live)
        assert (answer.status, answer.text) == (404, error(dialect, 404, f"Cannot GET /{dialect}{CREATE[dialect]}"))


def test_gateway_ends_when_it_has_answered(world, shop):
    with Gateway(world.db) as gateway, ThreadPoolExecutor(1) as threads, closing(world.db.connect()) as connection:
        connection.autocommit = False
        with connection.cursor() as cursor:
            cursor.execute("LOCK TABLE checkout_data.checkout_sessions IN EXCLUSIVE MODE")
        answer = threads.submit(gateway.create, "lomi", shop.live)
        waiting = "SELECT 1 FROM pg_stat_activity WHERE usename = 'gateway' AND wait_event_type = 'Lock'"
        wait_until(lambda: world.db.sql(waiting))
        gateway.process.terminate()

        def refuses():
            try:
                return gateway.get("lomi", shop.live, UNKNOWN).status == 503
            except ConnectionError:
                return True

        wait_until(refuses)
        assert gateway.process.poll() is None
        connection.rollback()
        assert answer.result(20).status == 201
        assert gateway.process.wait(20) == 0


def test_gateway_does_not_start_for_an_unknown_dialect(world):
    with Gateway(world.db, dialect="stripe") as gateway:
        assert gateway.process.wait(20) == 2 and "[possible values: kobo, lomi, paygate, flutterwave, yuno]" in gateway.log()


def test_key_in_an_url_is_masked_in_the_log(gateway, shop):
    gateway.request("GET", f"/lomi/checkout-sessions/{shop.live}?api_key={shop.live}")
    wait_until(lambda: f'"route":"/lomi/checkout-sessions/{shop.live[:20]}***"' in gateway.log())
    assert shop.live not in gateway.log()


def test_run_starts_it_and_shows_all_five(world):
    environment = {**ENVIRONMENT, "SERVER": world.server.name}
    done = subprocess.run(["examples/gateway/run", "--exit"], cwd=ROOT, env=environment, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [re.search(rf"\n\$ curl -s \"\$URL/{dialect}/", done.stdout) is not None for dialect in DIALECTS] == [True] * 5
    url = re.search(r"URL='http://127.0.0.1:(\d+)'", done.stdout)
    assert subprocess.run(["curl", "--silent", f"http://127.0.0.1:{url[1]}/"]).returncode == 7, "it has gone"


@pytest.mark.parametrize("ignored", ["extra_float_digits", "options,extra_float_digits"])
def test_a_pooler_behind_it_is_refused(shop, ignored):
    with poolers(shop.db, ("gateway",)) as make:
        url = f"postgresql://gateway@/{shop.db.name}?host={make(ignored=ignored).dir}&port=6432"
        ended = subprocess.run([PROGRAM, "gateway", "--address=127.0.0.1:0"], env={**ENVIRONMENT, "DATABASE_URL": url},
                               capture_output=True, text=True, timeout=30)
    assert ended.returncode == 2 and "the connection leads through a pooler" in ended.stderr
