"""The examples with PostgREST and Supabase's client run, print the promised output, and let no other caller in."""

import re
from pathlib import Path

import pytest

from conftest import ENVIRONMENT, ROOT, Server, run

REQUEST_ROLES = ["web_anon", "member", "anon", "authenticated", "service_role"]
ROLES = dict.fromkeys(REQUEST_ROLES, "request") | {"authenticator": "authenticator"}


@pytest.fixture(scope="module")
def server():
    """The server on which the examples run, instead of the demo's server. They start it themselves."""
    server = Server("py-examples")
    server.remove()
    yield server
    try:
        server.check()
    finally:
        server.remove()


def run_example(server, *command):
    output = run(*command, env={**ENVIRONMENT, "SERVER": server.name})
    assert not left_behind(server), "an example has left a program behind"
    return output


def left_behind(server):
    """The processes that the examples have started and not stopped, except for the server."""
    programs = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:
            continue  # gone, or another user's
        if f"SERVER={server.name}\0".encode() in environment and re.search(rb"examples/(postgrest|supabase)/", command):
            programs.append(command)
    return programs


def test_example_with_postgrest(server):
    output = run_example(server, "examples/postgrest/run", "--exit")
    statuses = re.findall(r"^\(HTTP status (\d+)\)$", output, re.MULTILINE)
    assert statuses == ["403", "403", "401", "401"]
    readme = (ROOT / "examples/postgrest/README.md").read_text()
    answers = re.findall(r"\| `([{\[].*?)` \|", readme)
    assert len(answers) == 5
    for answer in answers:
        assert f"\n{answer}\n" in output
    for message in ("a publishable API key may not call this function", "no organization is set", "invalid API key"):
        assert f'"message":"{message}"' in output and message in readme
    assert output.count("\n$ curl") == 10


def test_example_with_supabase(server):
    lines = run_example(server, "examples/supabase/run").splitlines()
    expected = [
        r"shop: create_checkout_session: 200 \{.*\"client_secret\":\"cs_secret_.*\"status\":\"open\"\}",
        r'buyer: public_checkout_session: 200 {"title":"Coffee","amount":12.34,"status":"open"}',
        r'shop: begin_payment: 200 {"status":"processing"}',
        r'shop: record_payment: 200 {"status":"succeeded","amount":12.34}',
        r'shop: list_checkout_sessions: 200 \[{"status":"complete","amount":12.34,"created_by":"sk_live_\w{12}"}\]',
        r'shop: list_webhook_events: 200 \[{"event_type":"checkout.session.completed","status":"skipped"}\]',
        r'user: create_checkout_session: 200 {"status":"open","amount":5,"created_by":"[0-9a-f-]{36}"}',
        r'user: list_checkout_sessions: 200 \[{"status":"open","amount":5},{"status":"complete","amount":12.34}\]',
        r'shop: checkout_sessions: 200 \[{"status":"complete","amount":12.34,"payments":\[{"status":"succeeded"}\]}\] of 1',
        r'user: checkout_sessions: 206 \[{"status":"open"}\] of 2',
        r'anybody: checkout_sessions: 403 "no organization is set"',
        r'anybody: list_checkout_sessions: 403 "no organization is set"',
        r'anybody: create_checkout_session: 403 "no organization is set"',
        r'user: list_organizations: 403 "permission denied for function list_organizations"',
    ]
    assert len(lines) == len(expected), lines
    for line, pattern in zip(lines, expected):
        assert re.fullmatch(pattern, line), line


def test_examples_have_given_their_roles_no_more_than_the_access_they_name(server):
    db = server.database()
    for role, access in ROLES.items():
        callable_by = lambda schema: {row["name"] for row in db.sql(
            "SELECT proname AS name FROM pg_proc WHERE pronamespace = %s::regnamespace"
            " AND has_function_privilege(%s, oid, 'EXECUTE')", schema, role)}
        accesses = db.sql("SELECT function_name AS name FROM checkout_data.accesses() WHERE access = %s", access)
        assert callable_by("checkout") == {row["name"] for row in accesses}
        # The views call one function with the rights of their reader.
        internal = {f"{access}_access", "reader_organization_id"} if access == "request" else {f"{access}_access"}
        assert callable_by("checkout_data") == internal
        views = db.value("SELECT count(*) FROM pg_class WHERE relnamespace = 'checkout'::regnamespace AND relkind = 'v'"
                         " AND has_table_privilege(%s, oid, 'SELECT')", role)
        all_views = "SELECT count(*) FROM pg_class WHERE relnamespace = 'checkout'::regnamespace AND relkind = 'v'"
        assert views == (db.value(all_views) if access == "request" else 0)
        assert not db.value(
            "SELECT count(*) FROM pg_class WHERE relnamespace = 'checkout_data'::regnamespace AND relkind = 'r'"
            " AND has_table_privilege(%s, oid, 'SELECT, INSERT, UPDATE, DELETE')", role)
        (attributes,) = db.sql("SELECT rolsuper, rolcreaterole, rolcanlogin FROM pg_roles WHERE rolname = %s", role)
        has = [name for name, value in attributes.items() if value]
        assert has == (["rolcanlogin"] if role == "authenticator" else [])
