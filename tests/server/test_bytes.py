"""Postgres checks neither the bytes nor the size of values that a client gives at its start: no function may trust
them.
"""

import re

import psycopg2
import pytest
from support.bad_bytes import SETTING, connected, poison
from support.outcomes import outcome

# Unchecked values of a setting: the beginning of a character, one cut in the middle, and bytes that begin none.
BAD = {"cut": b"\xf0", "cut, and more": b"\xf0abc", "overlong": b"\xc0\x80", "surrogate": b"\xed\xa0\x80", "alone": b"a\xffb"}
# The SQL that turns the setting into an argument of each type.
AS_TYPE = {
    "text": [SETTING],
    "text[]": [f"ARRAY[{SETTING}]", f"ARRAY['a', NULL, {SETTING}]"],
    "jsonb": [f"jsonb_build_object('a', {SETTING})", f"jsonb_build_object({SETTING}, 1)", f"jsonb_build_array({SETTING})"],
}
# These are in SQL, and compare their arguments or return them.
IN_SQL = {"session_funnel", "coupon_performance", "grant_access", "revoke_access"}
# The refusal of a body is an answer with the status 400.
ANSWERED = ("handle_request", "body")
# A report of money is never refused for its labels: what is no text in them is replaced.
KEPT = {("record_refund", "reason"), *(
    ("record_payment", label)
    for label in ("currency_code", "payment_method", "failure_code", "failure_message", "attempt_id"))}


@pytest.mark.parametrize("bad", BAD)
def test_bytes_that_are_no_text_are_refused_in_every_argument(world, bad):
    types, tried, wrong = world.argument_types(), 0, []
    for who, user in world.users.items():
        with connected(world.db, user, BAD[bad]) as connection:
            for call in [call for call in world.calls() if call.who == who]:
                for argument, of_type in types.get(call.function, {}).items():
                    for value in AS_TYPE.get(of_type, []):
                        tried += 1
                        code = outcome(connection, call.sql(**{argument: value}), call.arguments)
                        kept = KEPT | {ANSWERED}
                        as_it_must = "00000" if (call.function, argument) in kept else "22021"
                        fits = call.function in IN_SQL and not code.startswith("XX") or code == as_it_must
                        wrong += [] if fits else [(call.function, argument, value, code)]
    assert tried > 100
    assert not wrong


def test_a_body_of_bytes_that_are_no_text_is_answered(world):
    with connected(world.db, world.db.shop, b"\xf0") as connection, connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT status, body::text FROM checkout.handle_request('lomi', 'POST', '/checkout-sessions',
                body => {SETTING})"""
        )
        status, body = cursor.fetchone()
    assert (status, "body is not valid UTF-8" in body) == (400, True)


# A setting that a client can give, its other settings, and the functions that read it.
SETTINGS = [
    ("web", "request.headers", "", "pre_request"),
    ("web", "request.jwt.claims", "", "pre_request"),
    ("web", "response.headers", """set_config('request.headers', '{"x-trace-id": "t"}', true)""", "pre_request"),
    ("superuser", "checkout_sessions.organization_id", "", "current_organization_id"),
    ("superuser", "checkout_sessions.base_url", "", "create_checkout_session"),
    ("superuser", "checkout_sessions.webhook_allowed_ranges", "", "create_webhook_endpoint"),
    (
        "superuser",
        "checkout_sessions.jwt_organization_claim",
        """set_config('request.jwt.claims', '{"a": 1}', true)""",
        "pre_request",
    ),
]


@pytest.mark.parametrize("who, setting, besides, function", SETTINGS, ids=[name for _, name, *_ in SETTINGS])
def test_bytes_that_are_no_text_are_refused_in_every_setting(world, who, setting, besides, function):
    with connected(world.db, world.users[who], b"\xf0") as connection, connection.cursor() as cursor:
        if who == "superuser":
            tenant = (world.db.organization_id,)
            cursor.execute("SELECT checkout.authenticate(%s)", (world.key,))
            connection.commit()
            cursor.execute("SELECT set_config('checkout_sessions.organization_id', %s, false)", tenant)
            connection.commit()
        if besides:
            cursor.execute(f"SELECT {besides}")
        call = world_call(world, function)
        if setting.startswith("checkout_sessions."):
            # Checked when it is set.
            assert outcome(connection, f"set_config('{setting}', {SETTING}, true)") == "22021"
            assert outcome(connection, call) == "00000"
        else:
            cursor.execute(f"SELECT set_config('{setting}', {SETTING}, true)")
            assert outcome(connection, call) == "22021"


def world_call(world, function):
    (call,) = [call for call in world.calls() if call.function == function]
    return re.sub(r"%\((\w+)\)s", lambda name: f"'{call.arguments[name[1]]}'", call.sql())


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII", "EUC_JP"])
def test_clients_of_another_encoding_are_understood_or_refused(world, encoding):
    with connected(world.db, world.db.shop) as connection:
        connection.set_client_encoding(encoding if encoding != "EUC_JP" else "EUCJP")
        with connection.cursor() as cursor:
            call = b"SELECT (checkout.create_checkout_session(1, 'USD', title => '%s', customer_id => 'c')).title"
            for title in (b"caf\xe9", b"\xf0", b"\xa4\xa2"):
                try:
                    cursor.execute(call.replace(b"%s", title))
                    cursor.fetchall()
                except psycopg2.Error as error:
                    assert error.pgcode in ("22021", "22P05"), (encoding, title)
                except UnicodeDecodeError:
                    pass
                connection.rollback()
    stored = world.db.sql("SELECT title FROM checkout_data.checkout_sessions WHERE title IS NOT NULL")
    assert all(row["title"].isprintable() for row in stored)


def expired(db, bad=False):
    """An expired session; a bad one has a title that cannot be sent."""
    session = db.create()
    db.call("expire_checkout_session", checkout_session_id=session)
    if bad:
        poison(db, "checkout_sessions", "title", f"checkout_session_id = '{session}'")
    return session


DEAD = "SELECT checkout_session_id, last_error FROM checkout.list_dead_webhook_deliveries()"


def test_a_delivery_that_cannot_be_rendered_dies_alone_with_its_reason(world):
    db, relay = world.db, world.users["relay"]
    bad, good = expired(db, bad=True), expired(db)
    claimed = db.sql("SELECT * FROM checkout.claim_webhook_deliveries()", user=relay)
    assert {str(session): any(str(session) in row["body"] for row in claimed) for session in (bad, good)} == {
        str(bad): False,
        str(good): True,
    }
    assert db.sql(DEAD, user=relay) == [{"checkout_session_id": bad, "last_error": "its body or its URL is not valid"}]
    # The same in a dialect.
    db.call("update_webhook_endpoint", webhook_endpoint_id=world.endpoint, body_format="lomi")
    in_format = expired(db, bad=True)
    assert not db.sql("SELECT * FROM checkout.claim_webhook_deliveries()", user=relay)
    reasons = {row["checkout_session_id"]: row["last_error"] for row in db.sql(DEAD, user=relay)}
    assert reasons[in_format] == "its body cannot be written as lomi"


def test_an_event_that_cannot_be_rendered_dies_alone_for_consumers(db):
    if not db.sql("SELECT 1 FROM pg_roles WHERE rolname = 'reader'"):
        db.sql("CREATE ROLE reader LOGIN")
    db.sql("SELECT checkout.grant_access('reader', 'relay')")
    db.sql("SELECT checkout.create_webhook_consumer('all')")
    bad, good = expired(db, bad=True), expired(db)
    claimed = db.sql("SELECT checkout_session_id FROM checkout.claim_webhook_events('all')", user="reader")
    assert [row["checkout_session_id"] for row in claimed] == [good]
    assert db.sql(DEAD, user="reader") == [{"checkout_session_id": bad, "last_error": "its body is not valid UTF-8"}]


def test_stored_bytes_that_are_no_text_are_an_error_to_whom_they_belong(world):
    poison(world.db, "organizations", "base_url", f"organization_id = '{world.db.organization_id}'", "https://pay.example/")
    with connected(world.db, world.db.shop) as connection:
        assert outcome(connection, world_call(world, "create_checkout_session")) == "XX001"
        assert outcome(connection, world_call(world, "get_checkout_session")) == "XX001"
    poison(world.db, "api_keys", "name", f"api_key_id = '{world.key[:20]}'")
    with connected(world.db, "all_web") as connection:
        assert outcome(connection, f"checkout.authenticate('{world.key}')") == "XX001"
        assert outcome(connection, f"checkout.authenticate('{world.other_key}')") == "00000"
    world.db.sql("UPDATE checkout_data.organizations SET base_url = NULL")
    world.db.sql("UPDATE checkout_data.api_keys SET name = NULL")


def test_stored_bytes_that_are_no_text_are_not_the_fault_of_a_request(db):
    """A gateway answers an SQL error with 500, and PostgREST one of this class."""
    session = expired(db, bad=True)
    with connected(db, db.shop) as connection:
        for path in ("/checkout-sessions", f"/checkout-sessions/{session}"):
            assert outcome(connection, f"checkout.handle_request('lomi', 'GET', '{path}')") == "XX001"
