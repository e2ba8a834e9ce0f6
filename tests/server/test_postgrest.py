"""A real PostgREST in front of a server of ours: with its own client (clients/postgrest), and as raw HTTP."""

import csv
import io
import json
import re
import uuid
from types import SimpleNamespace

import pytest

from support.postgrest import client_tests, run_client_tests, token
from support.postgrest_world import ORDER, UNKNOWN, create, postgrest, world  # noqa: F401: fixtures
from support.web_server import request


def granted_functions(world, access="request"):
    """Those that are called by name. Others return what belongs to a row of a view, and are used by select=."""
    query = """SELECT function_name FROM checkout_data.accesses() JOIN pg_proc p ON p.proname = function_name
        WHERE access = %s AND p.pronamespace = 'checkout'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_class c WHERE c.reltype = ANY (p.proargtypes))"""
    return {row["function_name"] for row in world.db.sql(query, access)}


def views(world):
    query = """SELECT relname, obj_description(oid, 'pg_class') AS comment FROM pg_class
        WHERE relnamespace = 'checkout'::regnamespace AND relkind = 'v'"""
    return {row["relname"]: row["comment"] for row in world.db.sql(query)}


# -- with PostgREST's own client ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def client_results(world):
    before = len(world.postgrest.log())
    organizations = {"a": world.a, "b": world.b}
    results, output = run_client_tests(url=world.postgrest.url, keys=world.keys, organizations=organizations)
    return SimpleNamespace(results=results, output=output, log=world.postgrest.log()[before:])


@pytest.mark.parametrize("name", client_tests())
def test_client(client_results, name):
    passed, details = client_results.results.get(name, (False, f"did not run\n{client_results.output}"))
    assert passed, details


def test_client_has_called_every_function_of_request_access(world, client_results):
    called = set(re.findall(r'"POST /rpc/(\w+)\S* HTTP/1.1" 20\d', client_results.log))
    assert granted_functions(world) <= called


def test_client_has_called_every_stable_function_by_get(world, client_results):
    stable = world.db.sql(
        "SELECT proname FROM pg_proc WHERE pronamespace = 'checkout'::regnamespace AND provolatile = 's'")
    expected = {row["proname"] for row in stable} & granted_functions(world)
    assert len(expected) == 24
    called = set(re.findall(r'"GET /rpc/(\w+)\S* HTTP/1.1" 20\d', client_results.log))
    assert expected <= called


# -- errors ------------------------------------------------------------------------------------------------------------

ERRORS = [
    # the caller, function, arguments, HTTP status, code, message
    ("secret", "create_checkout_session", {**ORDER, "amount": None}, 400, "22004",
        'argument "amount" must not be null'),
    ("secret", "create_checkout_session", {**ORDER, "amount": -1}, 400, "22023", "amount"),
    ("secret", "create_checkout_session", {**ORDER, "amount": "ten"}, 400, "22P02", "numeric"),
    ("secret", "create_checkout_session", {**ORDER, "amount": 1e30}, 400, "22003", "amount"),
    ("secret", "create_checkout_session", {**ORDER, "metadata": [1]}, 400, "22023", "metadata"),
    ("secret", "create_checkout_session", {**ORDER, "customer_id": None}, 400, "22023",
        "customer_id or customer_email must be given"),
    ("secret", "get_checkout_session", {"checkout_session_id": "x"}, 400, "22P02", "uuid"),
    ("secret", "get_checkout_session", {"checkout_session_id": None}, 400, "22004", "checkout_session_id"),
    ("secret", "list_checkout_sessions", {"page_size": 0}, 400, "22023", "page_size"),
    ("secret", "get_checkout_session", {"checkout_session_id": UNKNOWN}, 404, "PT404",
        f"checkout session {UNKNOWN} not found or access denied"),
    ("secret", "list_checkout_sessions", {"starting_after": UNKNOWN}, 404, "PT404", "starting_after"),
    ("secret", "redeliver_webhook_events", {"webhook_endpoint_id": UNKNOWN}, 404, "PT404",
        f"webhook endpoint {UNKNOWN} not found or access denied"),
    ("secret", "redeliver_webhook_events", {}, 400, "22023", "event_ids"),
    ("publishable", "redeliver_webhook_events", {"created_after": "2026-01-01"}, 403, "PT403", "publishable"),
    ("anybody", "public_checkout_session", {"checkout_session_id": UNKNOWN, "client_secret": "x"}, 404, "PT404",
        "not found"),
    ("anybody", "create_checkout_session", ORDER, 403, "28000", "no organization is set"),
    ("publishable", "list_checkout_sessions", {}, 403, "PT403", "publishable"),
    ("member", "create_organization", {"name": "Mine"}, 403, "42501", "permission denied"),
    # For PostgREST a request without a token is anonymous, and its 42501 becomes 401.
    ("secret", "create_organization", {"name": "Mine"}, 401, "42501", "permission denied"),
    ("anybody", "create_organization", {"name": "Mine"}, 401, "42501", "permission denied"),
    # PostgREST's own error: no function takes these arguments.
    ("secret", "get_checkout_session", {}, 404, "PGRST202", "get_checkout_session"),
    ("secret", "create_checkout_session", {**ORDER, "nonsense": 1}, 404, "PGRST202", "nonsense"),
    # Another of its own: it takes every bearer for a token.
    ("bearer", "create_checkout_session", ORDER, 401, "PGRST301", "JWSError"),
]


@pytest.mark.parametrize("who, function, arguments, status, code, message", ERRORS)
def test_error_has_its_status(world, postgrest, who, function, arguments, status, code, message):
    presented = {"key": world.keys.get(who)}
    if who == "member":
        presented["token"] = token(role="member", organization_id=world.a)
    if who == "bearer":
        presented["token"] = world.keys["secret"]
    answer = postgrest.request("POST", f"/rpc/{function}", arguments, **presented)
    assert (answer.status, answer.code) == (status, code), answer
    assert message in answer.body["message"]
    assert answer.headers["content-type"].startswith("application/json")


def test_wrong_state_is_a_conflict(world, postgrest, create):
    session = create()
    mine = {"key": world.keys["secret"], "checkout_session_id": session}
    assert postgrest.call("recover_checkout_session", **mine)[:2] == (409, "PT409")
    assert postgrest.call("begin_payment", **mine, payment_id="one " + session).status == 200
    busy = postgrest.call("begin_payment", **mine, payment_id="two " + session)
    assert busy[:2] == (409, "PT409") and busy.body["details"].startswith("Its lease ends at ")
    assert postgrest.call("expire_checkout_session", **mine)[:2] == (409, "PT409")
    assert postgrest.call("record_payment", **mine, payment_id="one " + session, outcome="succeeded").status == 200
    assert postgrest.call("expire_checkout_session", **mine)[:2] == (409, "PT409")


def test_reference_that_is_taken_is_a_conflict(world, postgrest, create):
    create(reference="order 7")
    again = postgrest.call("create_checkout_session", **ORDER, reference="order 7", key=world.keys["secret"])
    assert again[:2] == (409, "23505")


@pytest.mark.parametrize("function", ["create_checkout_session", "expire_checkout_session", "record_payment"])
def test_get_changes_nothing(world, postgrest, create, function):
    payment = f"checkout_session_id={create()}"
    arguments = {
        "create_checkout_session": "amount=1&currency_code=USD&customer_id=c",
        "expire_checkout_session": payment, "record_payment": payment + "&payment_id=p&outcome=failed",
    }
    answer = postgrest.request("GET", f"/rpc/{function}?{arguments[function]}", key=world.keys["secret"])
    assert answer[:2] == (405, "25006")


def test_message_cannot_add_a_header(world, postgrest, create):
    """PostgREST copies the message of a PTxyz error into the status line."""
    payment = {"payment_id": "p\r\nSet-Cookie: session=mallory", "outcome": "failed", "key": world.keys["secret"]}
    postgrest.call("record_payment", checkout_session_id=create(), **payment)
    answer = postgrest.call("record_payment", checkout_session_id=create(), **payment)
    assert answer.status in (400, 409)
    assert answer.headers["set-cookie"] is None
    assert answer.headers["content-type"].startswith("application/json")


# -- exports -----------------------------------------------------------------------------------------------------------

EXPORTED = 10_000
# What breaks the columns of a careless writer of CSV. The description of session 7.
AWKWARD = 'Tea, "green"\nin leaves'


@pytest.fixture(scope="module")
def export(world):
    """An organization with many sessions. Returns what gets a path as CSV, with its secret key."""
    organization = world.db.value("SELECT checkout.create_organization('Exports')::text")
    key = world.db.value("SELECT api_key FROM checkout.create_api_key(%s, 'secret', 'live')", organization)
    world.db.sql(rf"""
        SET checkout_sessions.organization_id = '{organization}';
        SELECT count(*) FROM generate_series(1, {EXPORTED}) AS n, checkout.create_checkout_session(
            amount => n, currency_code => 'USD', customer_id => 'c-' || n,
            title => CASE n WHEN 8 THEN 'C:\new' END, description => CASE n WHEN 7 THEN E'Tea, "green"\nin leaves' END,
            metadata => jsonb_build_object('order_id', 'export-' || n))""")

    def get(path):
        answer = request(world.postgrest.port, "GET", path, headers={"x-api-key": key, "accept": "text/csv"})
        assert answer.status == 200, answer
        assert answer.headers["content-type"].startswith("text/csv")
        return list(csv.reader(io.StringIO(answer.text, newline="")))

    return get


def test_all_sessions_are_exported_as_csv(world, export):
    columns = world.db.sql("""SELECT attname FROM pg_attribute
        WHERE attrelid = 'checkout.checkout_sessions'::regclass AND attnum > 0 ORDER BY attnum""")
    header, *rows = export("/checkout_sessions?order=amount")
    assert header == [column["attname"] for column in columns]
    assert len(rows) == EXPORTED
    sessions = [dict(zip(header, row, strict=True)) for row in rows]
    assert [session["customer_id"] for session in sessions] == [f"c-{n}" for n in range(1, EXPORTED + 1)]
    assert {session["status"] for session in sessions} == {"open"}
    assert [session["description"] for session in sessions[5:8]] == ["", AWKWARD, ""]
    assert json.loads(sessions[-1]["metadata"]) == {"order_id": f"export-{EXPORTED}"}


def test_csv_has_the_columns_in_the_order_of_select(export):
    header, *rows = export("/checkout_sessions?select=status,order_id:metadata->>order_id,description,amount&order=amount")
    assert header == ["status", "order_id", "description", "amount"]
    assert len(rows) == EXPORTED
    assert rows[6] == ["open", "export-7", AWKWARD, "7.00"]


def test_csv_of_postgrest_is_as_the_document_warns(export):
    """docs/querying.md says so; if a later PostgREST does better, it has to say that."""
    path = "/checkout_sessions?select=title&amount=eq."
    assert export(path + "8") == [["title"], [r"C:\\new"]]
    assert export(path + "0") == [[]]
    header, row = export("/rpc/list_checkout_sessions?select=status,amount&page_size=1")
    assert [header, row] == [["amount", "status"], ["open", f"{EXPORTED}.00"]]


# -- headers, and the description of the functions ---------------------------------------------------------------------


@pytest.mark.parametrize("header", ["idempotency_key", "x_idempotency_key"])
def test_replay_says_so_in_a_header(world, postgrest, header):
    presented = {"key": world.keys["secret"], header: str(uuid.uuid4())}
    presented["x_trace_id"] = "trace"
    first, again, other = (
        postgrest.request("POST", "/rpc/create_checkout_session", {**ORDER, "amount": amount}, **presented)
        for amount in (1, 1, 2)
    )
    assert (first.status, first.headers["idempotent-replayed"]) == (200, None)
    assert (again.status, again.headers["idempotent-replayed"]) == (200, "true")
    assert again.headers["x-trace-id"] == "trace"
    assert again.body["checkout_session_id"] == first.body["checkout_session_id"]
    assert other[:2] == (409, "PT409")


def test_trace_id_comes_back(world, postgrest):
    path = "/rpc/list_checkout_sessions?page_size=1"
    for trace_id in ("t-1", 'quo"te \\', "<b>", "x" * 255):
        answer = postgrest.request("GET", path, key=world.keys["secret"], x_trace_id=trace_id)
        assert (answer.status, answer.headers["x-trace-id"]) == (200, trace_id)
    for trace_id in ("x" * 256, ""):
        answer = postgrest.request("GET", path, key=world.keys["secret"], x_trace_id=trace_id)
        assert (answer.status, answer.headers["x-trace-id"]) == (200, None)


def test_openapi_shows_what_the_role_may_call_in_our_words(world, postgrest):
    comments = world.db.sql("SELECT proname, obj_description(oid, 'pg_proc') AS comment FROM pg_proc"
                            " WHERE pronamespace = 'checkout'::regnamespace")
    comments = {row["proname"]: row["comment"] for row in comments}
    for presented in ({}, {"key": world.keys["secret"]}, {"token": token(role="member", organization_id=world.a)}):
        page = postgrest.request("GET", "/", **presented)
        assert page.status == 200
        functions = {path: methods for path, methods in page.body["paths"].items() if path != "/"}
        shown = {path: functions.pop("/" + path) for path in views(world)}
        assert set(functions) == {f"/rpc/{name}" for name in granted_functions(world)}
        functions = {path.removeprefix("/rpc/"): methods for path, methods in functions.items()}
        # The views are read, and say what they show.
        for name, methods in shown.items():
            assert set(methods) == {"get"}
            said = methods["get"]
            assert "\n\n".join(filter(None, (said["summary"], said.get("description")))) == views(world)[name]
        session = page.body["definitions"]["checkout_sessions"]["properties"]
        assert session["status"]["description"].startswith("open, complete, failed or expired.")
        assert session["amount"]["type"] == "number" and "client_secret" not in session
        # Of the functions for operators only those that act for an organization, too.
        assert set(functions) & (granted_functions(world, "admin") | granted_functions(world, "relay")) == {
            "create_webhook_consumer", "list_webhook_consumers", "delete_webhook_consumer",
            "claim_webhook_events", "ack_webhook_events", "nack_webhook_event", "redeliver_webhook_events"}
        for name, methods in functions.items():
            said = methods["post"]
            assert "\n\n".join(filter(None, (said["summary"], said.get("description")))) == comments[name]
            assert 20 < len(said["summary"]) < 500 and said["summary"].endswith(".")
    (body, *_) = functions["create_checkout_session"]["post"]["parameters"]
    parameters = body["schema"]["properties"]
    assert (parameters["amount"]["type"], parameters["quantity"]["format"]) == ("number", "integer")


# -- traces on the connections -----------------------------------------------------------------------------------------


def test_security_report_finds_nothing_in_the_roles_of_the_example(world):
    assert world.report.endswith("(0 rows)")


def test_no_api_key_and_no_client_secret_is_in_a_log(world, postgrest, create):
    session = postgrest.call("create_checkout_session", **ORDER, key=world.keys["secret"]).body
    postgrest.call("public_checkout_session", checkout_session_id=UNKNOWN, client_secret=session["client_secret"])
    postgrest.call("authenticate", api_key=world.keys["test"])
    postgrest.call("get_checkout_session", checkout_session_id=session["client_secret"], key=world.keys["secret"])
    log = world.server.log()
    assert log.count("sk_live_") > 10 and log.count("cs_secret_") > 2
    for secret in (*world.keys.values(), session["client_secret"]):
        assert secret not in log and secret not in postgrest.log()


def test_no_token_is_in_the_log_of_the_server(world, postgrest):
    jane = token(role="member", organization_id=world.a, sub="jane in the log")
    assert postgrest.call("list_checkout_sessions", token=jane).status == 200
    log = world.server.log()
    assert "jane in the log" in log
    assert jane.rpartition(".")[2] not in log
