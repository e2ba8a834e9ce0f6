"""Shared fixtures of PostgREST's tests: a server, PostgREST in front of it, and two organizations.

PostgREST has two connections to the database, so that every request follows another caller's.
"""

import re
from types import SimpleNamespace

import pytest

from conftest import private_server
from support.postgrest import EXAMPLE, PostgREST

ORDER = {"amount": 12.34, "currency_code": "USD", "customer_id": "jane"}
UNKNOWN = "018f0000-0000-7000-8000-00000000000a"


def seeds(db, number=259):
    """An organization with many sessions, for the views: see clients/postgrest/views.test.js."""
    organization = db.value("SELECT checkout.create_organization('Seeds')::text")
    db.sql(f"""
        SET checkout_sessions.organization_id = '{organization}';
        SELECT checkout.create_webhook_endpoint('https://seeds.example/hooks');
        SELECT checkout.create_checkout_session(n, 'USD', customer_id => 'seed-' || n, title => CASE n WHEN 1 THEN 'a "b", c' END,
            metadata => jsonb_build_object('order_id', 'seed-' || n)) FROM generate_series(1, {number}) AS n;
        SELECT checkout.record_payment(checkout_session_id, 'seed-pay', 'succeeded') FROM checkout.checkout_sessions WHERE amount = 1;
        SELECT checkout.record_refund('seed-pay', 'seed-refund-1', 0.25);
        SELECT checkout.record_refund('seed-pay', 'seed-refund-2', 0.50, 'pending');
        SELECT checkout.expire_checkout_session(checkout_session_id) FROM checkout.checkout_sessions WHERE amount = 2""")
    return organization


@pytest.fixture(scope="module")
def world():
    """A server with two organizations and their keys, and PostgREST with the roles and configuration of the example."""
    with private_server("py-postgrest", "log_statement=all") as server:
        db = server.create_database()
        report = db.psql(f"--file={EXAMPLE / 'roles.sql'}")
        a = db.value("SELECT checkout.create_organization('A', reference_policy => 'unique', allow_restart => true)::text")
        b = db.value("SELECT checkout.create_organization('B')::text")
        key = lambda *arguments: db.value("SELECT api_key FROM checkout.create_api_key(%s, %s, %s)", *arguments)
        keys = {
            "secret": key(a, "secret", "live"), "restricted": key(a, "restricted", "live"),
            "publishable": key(a, "publishable", "live"),
            "test": key(a, "secret", "test"), "other": key(b, "secret", "live"),
            "views": key(seeds(db), "secret", "live"),
            "members": key(db.value("SELECT checkout.create_organization('C', uses_catalog => true)::text"), "secret", "live"),
        }
        with PostgREST(db) as postgrest:
            yield SimpleNamespace(db=db, server=server, report=report, a=a, b=b, keys=keys, postgrest=postgrest)
            failed = re.findall(r'"(\S+ \S+) HTTP/1.1" 5\d\d .*', postgrest.log())
            # For PostgREST, what a view refuses (55000) is a failure of the server.
            failed = [request for request in failed if not re.match(r"(POST|PATCH|DELETE) /(?!rpc/)", request)]
            assert not failed, "PostgREST answered 5xx"


@pytest.fixture
def postgrest(world):
    return world.postgrest


@pytest.fixture
def create(world):
    """Creates a session of organization A. Returns its id."""
    def create(key="secret", **arguments):
        answer = world.postgrest.call("create_checkout_session", **{**ORDER, **arguments}, key=world.keys[key])
        assert answer.status == 200, answer
        return answer.body["checkout_session_id"]

    return create
