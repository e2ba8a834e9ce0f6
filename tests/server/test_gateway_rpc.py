"""The functions and views through the gateway: its answers are PostgREST's, and nobody gets further than there."""

import csv
import io
import json
import urllib.parse
from types import SimpleNamespace

import pytest

from conftest import private_server
from support.gateway import EXAMPLE, Gateway
from support.postgrest import EXAMPLE as POSTGREST
from support.postgrest import JWT_SECRET, PostgREST, token

ORDER = {"amount": 12.34, "currency_code": "USD", "customer_id": "jane"}
UNKNOWN = "018f0000-0000-7000-8000-00000000000a"
BUYERS = [
    "public_checkout_session",
    "open_checkout_session",
    "cancel_checkout_session",
    "restart_checkout_session",
    "simulate_public_payment",
    "set_quantity",
    "set_unit_amount",
    "apply_coupon",
    "remove_coupon",
    "set_billing_address",
    "complete_free_checkout_session",
]


@pytest.fixture(scope="module")
def world():
    """A shop with sessions, and both programs in front of its database."""
    with private_server("py-gateway-rpc", "log_statement=all") as server:
        db = server.create_database()
        assert not db.psql("--tuples-only", f"--file={EXAMPLE / 'setup.sql'}").strip()
        db.psql(f"--file={POSTGREST / 'roles.sql'}")
        organization = db.value("SELECT checkout.create_organization('Shop')::text")
        key = lambda kind: db.value("SELECT api_key FROM checkout.create_api_key(%s, %s, 'live')", organization, kind)
        keys = {"secret": key("secret"), "publishable": key("publishable")}
        db.sql(f"""SET checkout_sessions.organization_id = '{organization}';
            SELECT checkout.create_checkout_session(n, 'USD', customer_id => 'seed-' || n,
                title => CASE n WHEN 1 THEN 'a "b", c' WHEN 2 THEN '(d)' END,
                metadata => jsonb_build_object('order_id', 'A-' || n)) FROM generate_series(1, 25) AS n""")
        with PostgREST(db) as postgrest, Gateway(db) as gateway:
            yield SimpleNamespace(db=db, keys=keys, postgrest=postgrest, gateway=gateway, organization=organization)
            assert '"status":5' not in gateway.log()
            assert not [key for key in keys.values() if key in gateway.log() or key in server.log()]


def of_gateway(world, method, path, body=None, key="secret", **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if key:
        headers["x-api-key"] = world.keys.get(key, key)
    return world.gateway.request(method, path, body, headers)


def both(world, method, path, body=None, key="secret", **headers):
    """The answers of the gateway and of PostgREST, whose views have no prefix."""
    ours = of_gateway(world, method, path, body, key, **headers)
    theirs = world.postgrest.request(
        method, path.removeprefix("/views"), body, key=world.keys.get(key, key), **headers
    )
    return ours, theirs


@pytest.fixture
def session(world):
    answer = of_gateway(world, "POST", "/rpc/create_checkout_session", ORDER)
    assert answer.status == 200, answer.text
    return answer.body


# -- functions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "method, path, body",
    [
        ("POST", "/rpc/list_checkout_sessions", {"page_size": 3}),
        ("POST", "/rpc/list_checkout_sessions", {"statuses": ["complete"]}),
        ("GET", "/rpc/list_checkout_sessions?page_size=2", None),
        ("GET", f"/rpc/session_id?text=cs_{UNKNOWN.replace('-', '')}", None),
        ("POST", "/rpc/session_id", {"text": "nonsense"}),
        ("POST", "/rpc/current_organization_id", {}),
        ("GET", "/rpc/current_environment", None),
        ("POST", "/rpc/get_checkout_session", {"checkout_session_id": UNKNOWN}),
        ("POST", "/rpc/get_checkout_session", {"checkout_session_id": "x"}),
        ("POST", "/rpc/get_checkout_session", {"checkout_session_id": None}),
        ("POST", "/rpc/get_checkout_session", {}),
        ("POST", "/rpc/create_checkout_session", {**ORDER, "amount": -1}),
        ("POST", "/rpc/create_checkout_session", {**ORDER, "amount": "ten"}),
        ("POST", "/rpc/create_checkout_session", {**ORDER, "nonsense": 1}),
        ("POST", "/rpc/nothing", {"a": 1}),
        ("POST", "/rpc/public_checkout_session", {"checkout_session_id": UNKNOWN, "client_secret": "x"}),
        ("POST", "/rpc/get_checkout_session", "{"),
        ("GET", "/rpc/create_checkout_session?amount=1&currency_code=USD&customer_id=c", None),
    ],
)
def test_a_call_is_answered_as_postgrest_does(world, method, path, body):
    ours, theirs = both(world, method, path, body)
    assert ours.status == theirs.status
    if ours.status < 400:
        assert ours.body == theirs.body
    else:
        assert ours.body["code"] == theirs.body["code"] and set(ours.body) == set(theirs.body)
        # What PostgREST asks the database, the gateway knows.
        if ours.body["code"] != "25006" and not ours.body["code"].startswith("PGRST1"):
            assert ours.body["message"] == theirs.body["message"]


def test_an_unknown_key_is_401_and_a_publishable_one_403(world):
    for key, status in (("sk_live_wrong", 401), ("publishable", 403)):
        ours, theirs = both(world, "POST", "/rpc/list_checkout_sessions", {}, key)
        assert (ours.status, ours.body) == (theirs.status, theirs.body) and ours.status == status


def test_a_session_is_created_read_and_opened_by_its_buyer(world, session):
    mine = {"checkout_session_id": session["checkout_session_id"]}
    got = of_gateway(world, "GET", f"/rpc/get_checkout_session?checkout_session_id={mine['checkout_session_id']}")
    assert got.status == 200 and got.body == session
    secret = {**mine, "client_secret": session["client_secret"]}
    seen = of_gateway(world, "POST", "/rpc/public_checkout_session", secret, key=None)
    assert seen.status == 200 and seen.body["amount"] == 12.34 and '"amount":12.34' in seen.text


def test_numbers_stay_as_they_are_written(world):
    order = '{"amount": 12.30, "currency_code": "USD", "customer_id": "c", "metadata": {"n": 9007199254740993.10}}'
    answer = of_gateway(world, "POST", "/rpc/create_checkout_session", order)
    assert answer.status == 200 and "9007199254740993.10" in answer.text


def test_headers_of_a_function_come_back(world):
    create = lambda: of_gateway(
        world,
        "POST",
        "/rpc/create_checkout_session",
        ORDER,
        Idempotency_Key="order-of-headers",
        X_Trace_Id="trace-of-headers",
    )
    first, again = create(), create()
    assert first.headers["X-Trace-Id"] == again.headers["X-Trace-Id"] == "trace-of-headers"
    assert first.headers["Idempotent-Replayed"] is None and again.headers["Idempotent-Replayed"] == "true"
    assert {**first.body, "idempotent_replay": True} == again.body


def test_a_function_without_result_is_204(world, session):
    answer = of_gateway(world, "POST", "/rpc/pre_request", {})
    assert (answer.status, answer.text) == (204, "")


def test_get_changes_nothing(world, session):
    path = f"/rpc/expire_checkout_session?checkout_session_id={session['checkout_session_id']}"
    answer = of_gateway(world, "GET", path)
    assert (answer.status, answer.headers["Allow"]) == (405, "POST, OPTIONS")
    (row,) = of_gateway(
        world, "GET", f"/views/checkout_sessions?checkout_session_id=eq.{session['checkout_session_id']}"
    ).body
    assert row["status"] == "open"


def test_without_a_credential_only_a_buyer_s_functions_are_there(world):
    names = world.db.sql("SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'checkout'::regnamespace")
    presented = {"checkout_session_id": UNKNOWN, "client_secret": "x"}
    for name in [row["proname"] for row in names] + ["nothing"]:
        arguments = presented | ({"scenario": "complete"} if name == "simulate_public_payment" else {})
        answer = of_gateway(world, "POST", f"/rpc/{name}", arguments, key=None)
        if name == "page_policy":
            # It takes no client secret.
            assert answer.status == 404 and answer.body["code"] == "PGRST202", answer.text
            answer = of_gateway(world, "POST", f"/rpc/{name}", {"checkout_session_id": UNKNOWN}, key=None)
            assert (answer.status, answer.body) == (200, {"embedding_origins": []})
        elif name in BUYERS:
            assert (answer.status, answer.body["code"]) == (404, "PT404"), f"{name}: {answer.text}"
        else:
            assert answer.status == 401, f"{name}: {answer.text}"
    views = world.db.sql(
        "SELECT relname FROM pg_class WHERE relnamespace = 'checkout'::regnamespace AND relkind = 'v'"
    )
    for name in [row["relname"] for row in views] + ["nothing"]:
        assert of_gateway(world, "GET", f"/views/{name}", key=None).status == 401


def test_a_key_in_authorization_is_one_too(world):
    answer = of_gateway(
        world, "POST", "/rpc/current_organization_id", {}, key=None, Authorization=f"Bearer {world.keys['secret']}"
    )
    assert (answer.status, answer.body) == (200, world.organization)
    for nonsense in ("Bearer eyJhbGciOiJIUzI1NiJ9.e30.x", "Basic c2hvcDo=", ""):
        answer = of_gateway(world, "POST", "/rpc/list_checkout_sessions", {}, key=None, Authorization=nonsense)
        assert answer.status in (401, 403)


def test_a_token_acts_in_its_role_for_its_organization(world):
    world.db.sql("CREATE ROLE with_tokens LOGIN; GRANT member TO with_tokens")
    world.db.sql(
        "SELECT checkout.grant_access('with_tokens', 'authenticator'), checkout.grant_access('with_tokens', 'request')"
    )
    secret = {"CHECKOUT_SESSIONS_GATEWAY_JWT_SECRET": JWT_SECRET}
    with Gateway(world.db, user="with_tokens", **secret) as gateway:

        def ask(path, **token_claims):
            bearer = token(token_claims.pop("secret", JWT_SECRET), **token_claims)
            body = {} if path.startswith("/rpc") else None
            return gateway.request("POST" if body == {} else "GET", path, body, {"authorization": f"Bearer {bearer}"})

        mine = {"role": "member", "organization_id": world.organization}
        answer = ask("/rpc/current_organization_id", **mine)
        assert (answer.status, answer.body) == (200, world.organization)
        assert len(ask("/views/checkout_sessions?customer_id=like.seed-*", **mine).body) == 25
        for wrong in (
            {"secret": "another secret of at least 32 characters"},
            {"exp": 1000},
            {"exp": "never"},
            {"role": 1},
        ):
            answer = ask("/rpc/current_organization_id", **{**mine, **wrong})
            assert (answer.status, answer.body["code"]) == (401, "PGRST301"), wrong
        for role in ("postgres", "nobody", "member; DROP TABLE x"):
            assert ask("/rpc/current_organization_id", **{**mine, "role": role}).status in (400, 403)
        # The next request on the connection is nobody's.
        assert gateway.request("POST", "/rpc/list_checkout_sessions", {}).status == 401
        anonymous = {"checkout_session_id": UNKNOWN, "client_secret": "x"}
        assert gateway.request("POST", "/rpc/public_checkout_session", anonymous).status == 404
        assert JWT_SECRET not in gateway.log() and "eyJ" not in gateway.log().replace("eyJ***", "")
    with Gateway(world.db, user="with_tokens", CHECKOUT_SESSIONS_GATEWAY_JWT_SECRET="short") as gateway:
        assert gateway.process.wait(20) == 2 and "short" not in gateway.log()


# -- views -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        "select=amount,customer_id&order=amount.desc&limit=5",
        "select=amount&amount=gte.3&amount=lt.6&order=amount",
        "select=amount&amount=not.gt.2&order=amount.asc",
        "select=amount&customer_id=in.(seed-3,%22seed-4%22)&order=amount",
        "select=amount&customer_id=not.in.(seed-3)&customer_id=like.seed-*&order=amount&limit=3&offset=2",
        "select=amount&customer_id=ilike.SEED-2*&order=amount.desc.nullslast",
        "select=amount,title&title=not.is.null&order=title.asc.nullsfirst",
        "select=amount&title=is.null&order=amount&limit=1",
        "select=amount&metadata-%3E%3Eorder_id=eq.A-7",
        "select=amount&customer_id=eq.nobody",
        "select=amount&customer_id=in.()",
        "select=amount&order=metadata-%3E%3Eorder_id&customer_id=like.seed-*",
        "select=amount&status=neq.open",
        "select=amount,nothing",
        "nothing=eq.1",
        "order=nothing",
        "checkout_session_id=eq.x",
        "amount=eq.",
    ],
)
def test_a_view_is_read_as_postgrest_does(world, query):
    ours, theirs = both(world, "GET", f"/views/checkout_sessions?{query}")
    assert ours.status == theirs.status, (ours, theirs)
    if ours.status == 200:
        assert ours.body == theirs.body
        assert ours.headers["Content-Range"] == theirs.headers["Content-Range"]
    else:
        assert ours.body["code"] == theirs.body["code"]


@pytest.mark.parametrize(
    "query", ["limit=20", "limit=0", "offset=20", "limit=5&offset=10&amount=lte.25", "offset=100000"]
)
def test_a_page_says_how_many_there_are(world, query):
    path = f"/views/checkout_sessions?select=amount&order=checkout_session_id&{query}"
    ours, theirs = both(world, "GET", path, Prefer="count=exact")
    assert (ours.status, ours.headers["Content-Range"]) == (theirs.status, theirs.headers["Content-Range"])
    head, _ = both(world, "HEAD", path, Prefer="count=exact")
    assert (head.status, head.text, head.headers["Content-Range"]) == (ours.status, "", ours.headers["Content-Range"])


def test_a_view_as_csv(world):
    path = "/views/checkout_sessions?select=amount,title,metadata&customer_id=like.seed-*&order=amount&limit=3"
    ours = of_gateway(world, "GET", path, Accept="text/csv")
    assert (ours.status, ours.headers["content-type"]) == (200, "text/csv; charset=utf-8")
    assert list(csv.reader(io.StringIO(ours.text))) == [
        ["amount", "title", "metadata"],
        ["1.00", 'a "b", c', '{"order_id": "A-1"}'],
        ["2.00", "(d)", '{"order_id": "A-2"}'],
        ["3.00", "", '{"order_id": "A-3"}'],
    ]


def test_there_is_no_more_than_a_thousand_rows(world):
    answer = of_gateway(world, "GET", "/views/checkout_sessions?limit=1000000000&select=amount")
    assert answer.status == 200 and len(answer.body) <= 1000
    for limit in ("-1", "x", "9" * 30):
        assert of_gateway(world, "GET", f"/views/checkout_sessions?limit={limit}").status == 400


def test_views_are_for_reading(world):
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        answer = of_gateway(world, method, "/views/checkout_sessions", {"amount": 1})
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")


INJECTIONS = [
    'amount"; DROP TABLE checkout_data.checkout_sessions; --',
    "amount) OR true --",
    'amount" = 1 OR "amount',
    "1",
    "amount::text",
    "pg_sleep(5)",
    "current_user",
    "oid",
    "ctid",
    "tableoid",
    "v.amount",
    "sessions",
    "*,amount",
    "(SELECT api_key_id)",
    "metadata->>a' OR true --",
    "metadata->>'a'",
    "metadata->a",
    "metadata#>>{a}",
    '"',
    "\\",
    "\0",
    "é",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_sql_in_a_query_is_nothing_but_a_text(world, text):
    before = world.db.value("SELECT count(*) FROM checkout_data.checkout_sessions")
    quoted = urllib.parse.quote(text)
    for query in (
        f"{quoted}=eq.1",
        f"order={quoted}",
        f"order=amount.{quoted}",
        f"select={quoted}",
        f"amount={quoted}.1",
        f"limit={quoted}",
        f"amount=is.{quoted}",
    ):
        answer = of_gateway(world, "GET", f"/views/checkout_sessions?{query}")
        allowed = (200, 400) if query in ("limit=1", f"{quoted}=eq.1", f"order={quoted}") else (400,)
        assert answer.status in allowed, (query, answer.text)
        assert answer.status == 400 or not answer.body or query == "limit=1" or "metadata-" in query, query
    for operator in ("eq", "like", "in"):
        value = f"({quoted})" if operator == "in" else quoted
        answer = of_gateway(world, "GET", f"/views/checkout_sessions?customer_id={operator}.{value}")
        assert answer.status in (200, 400) and (answer.status == 400 or answer.body == []), answer.text
    for path in (f"/views/{quoted}", f"/rpc/{quoted}"):
        assert of_gateway(world, "GET", path).status == 404
    answer = of_gateway(world, "POST", "/rpc/list_checkout_sessions", {text: 1})
    assert answer.status == 404, answer.text
    assert world.db.value("SELECT count(*) FROM checkout_data.checkout_sessions") == before


def test_a_view_of_another_schema_is_not_there(world):
    for name in ("pg_roles", "pg_catalog.pg_roles", "checkout_data.api_keys", "api_keys", "checkout_sessions/"):
        assert of_gateway(world, "GET", f"/views/{name}").status == 404


def test_a_call_is_logged_without_its_arguments(world):
    answer = of_gateway(world, "GET", "/rpc/list_checkout_sessions?customer_id=secret-word", X_Request_Id="rpc-log-1")
    assert answer.status == 200
    line = world.gateway.log_lines()["rpc-log-1"]
    assert "secret-word" not in json.dumps(line)
    assert (line["function"], line["status"], line["method"]) == ("list_checkout_sessions", 200, "GET")
    assert (line["key"], line["organization"]) == (world.keys["secret"][:20], world.organization)
