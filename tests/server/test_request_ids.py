"""The id of a request is in its answer, and in the server's log if it ends with an error."""

import re
import uuid

import psycopg2
import pytest
from support.bad_bytes import poison

CREATE = "SELECT * FROM checkout.handle_request('lomi', 'POST', '/checkout-sessions', %s, '{}', %s)"
ORDER = '{"amount": 1, "currency_code": "XOF", "customer_id": "c"}'


def contexts(db, before):
    """The request ids in the CONTEXT of what was logged since."""
    return re.findall(r"CONTEXT:.*checkout_sessions request (\S+)", db.server.log()[before:])


def fail(db, headers="{}"):
    """A request that ends with an SQL error: a standby or a reader may get it."""
    with db.connect(db.shop) as connection, connection.cursor() as cursor:
        cursor.execute("SET default_transaction_read_only = on")
        connection.commit()
        with pytest.raises(psycopg2.Error) as raised:
            cursor.execute(CREATE, (headers, ORDER))
    connection.close()
    return raised.value


def test_a_failed_request_is_found_in_the_log(db):
    before = len(db.server.log())
    error = fail(db, '{"X-Request-Id": "mine-1"}')
    assert error.pgcode == "25006"
    assert error.diag.context.splitlines().count("checkout_sessions request mine-1") == 1
    assert contexts(db, before) == ["mine-1"]


def test_an_error_that_the_extension_raises_is_found_in_the_log(db):
    """The others here are the server's own."""
    session, before = db.create(), len(db.server.log())
    poison(db, "checkout_sessions", "title", f"checkout_session_id = '{session}'")
    with db.connect(db.shop) as connection, connection.cursor() as cursor, pytest.raises(psycopg2.Error) as raised:
        cursor.execute(
            "SELECT checkout.handle_request('lomi', 'GET', %s, %s)",
            (f"/checkout-sessions/{session}", '{"x-request-id": "mine-4"}'),
        )
    connection.close()
    assert (raised.value.pgcode, raised.value.diag.message_primary) == ("XX001", "a stored text is not valid UTF-8")
    assert contexts(db, before) == ["mine-4"]


def test_a_request_without_an_id_gets_one_that_is_in_the_log(db):
    before = len(db.server.log())
    fail(db)
    (made,) = contexts(db, before)
    assert uuid.UUID(made).version == 7


def test_what_comes_after_a_request_does_not_have_its_id(db):
    before = len(db.server.log())
    with db.connect(db.shop) as connection, connection.cursor() as cursor:
        cursor.execute(CREATE, ('{"X-Request-Id": "mine-2"}', ORDER))
        assert cursor.fetchone()["headers"]["X-Request-Id"] == "mine-2"
        cursor.execute("SAVEPOINT s")
        with pytest.raises(psycopg2.Error):
            cursor.execute("SELECT checkout.get_checkout_session(gen_random_uuid())")
        cursor.execute("ROLLBACK TO s")
        # A caller that catches the error of a request goes on without it, too.
        cursor.execute(
            """DO $$ BEGIN
                 SET LOCAL transaction_read_only = on;
                 PERFORM checkout.handle_request('lomi', 'POST', '/checkout-sessions', '{"x-request-id": "mine-3"}', '{}',
                     '{"amount": 1, "currency_code": "XOF", "customer_id": "c"}');
               EXCEPTION WHEN read_only_sql_transaction THEN RAISE LOG 'caught'; END $$"""
        )
    connection.close()
    assert contexts(db, before) == []
