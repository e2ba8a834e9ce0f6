"""Hooks and who has led to them: a hook that does not end, and what it sees of its caller."""

from contextlib import closing

import psycopg2
import pytest
from support.hooks import TOO_LONG, another_shop, failures, hook, notes

NEVER_ENDS = """
    LOOP
        BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;
    END LOOP;"""
NOT_CALLED = [("57014", "the hook has ended a connection by catching every cancel: mend it, and call set_hook")]


def test_a_hook_that_swallows_its_timeout_ends_the_worker_once(server):
    db = server.create_database()
    server.configure(hook_timeout="200ms")
    _, create = another_shop(db)
    hook(db, "expired", NEVER_ENDS)
    ended = "terminating background worker \"checkout_sessions worker\" due to administrator command"
    before = server.log().count(ended)
    session, plain = db.create("1 second"), create("1 second")
    db.wait_for(plain)
    later = create("1 second")
    db.wait_for(later, within=15)
    db.wait_for(session, within=40)
    assert failures(db, session) == NOT_CALLED and db.event_types(session) == ["expired"]
    assert server.log().count(ended) == before + 1
    # Mended, and set again, it is called again.
    hook(db, "expired", "NULL;")
    mended = db.create("1 second")
    db.wait_for(mended, within=15)
    assert notes(db, mended) == ["expired"]


def test_a_payment_whose_hook_never_ends_is_recorded_when_it_is_reported_again(server):
    db = server.create_database()
    server.configure(hook_timeout="200ms")
    hook(db, "completed", NEVER_ENDS)
    session = db.create()
    pay = dict(checkout_session_id=session, payment_id="p1", outcome="succeeded")
    with closing(db.connect()) as connection, connection.cursor() as cursor, pytest.raises(psycopg2.Error) as ended:
        cursor.execute("SET checkout_sessions.organization_id = %s; SET statement_timeout = '10s'", [db.organization_id])
        cursor.execute("SELECT checkout.record_payment(%s, 'p1', 'succeeded')", [session])
    assert ended.value.pgcode in ("57P01", None)
    assert db.stored_status(session) == "open"
    assert db.call("record_payment", **pay)[0]["status"] == "succeeded"
    assert failures(db, session) == NOT_CALLED and notes(db, session) == []
    # The hooks of other databases, and other functions, are called.
    hook(db, "completed", "NULL;", name="another")
    other = db.create()
    db.call("record_payment", **{**pay, "checkout_session_id": other, "payment_id": "p2"})
    assert notes(db, other) == ["complete"]


def test_a_hook_that_catches_its_timeout_and_returns_has_failed(server):
    db = server.create_database()
    server.configure(hook_timeout="200ms")
    hook(db, "completed", """
        BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END;
        INSERT INTO shop.notes VALUES (s.checkout_session_id, 'went on');""")
    session = db.create()
    db.call("record_payment", checkout_session_id=session, payment_id="p1", outcome="succeeded")
    assert failures(db, session) == TOO_LONG and notes(db, session) == []


def test_a_hook_sees_nothing_of_who_has_led_to_it(db):
    hook(db, "completed", """
        INSERT INTO shop.notes SELECT s.checkout_session_id, name || ': ' || current_setting(name, true)
        FROM unnest('{request.headers,request.cookies,request.jwt.claims,request.method,request.path}'::text[]) AS name
        WHERE current_setting(name, true) <> '';
        INSERT INTO shop.notes SELECT s.checkout_session_id, current_query() WHERE current_query() <> '';""")
    session, key = db.create(), db.create_api_key()
    headers = '{"x-api-key": "%s"}' % key
    with closing(db.connect(db.create_web_role())) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("SELECT set_config('request.' || name, %s, true) FROM unnest(ARRAY['headers', 'cookies']) AS name",
                       [headers])
        cursor.execute("SELECT checkout.pre_request()")
        cursor.execute("SELECT checkout.record_payment(%s, 'p1', 'succeeded'), %s", [session, key])
        cursor.execute("SELECT current_setting('request.headers') AS headers, current_query() AS query")
        after = cursor.fetchone()
        connection.commit()
    assert notes(db, session) == ["complete"] and failures(db, session) == []
    assert after["headers"] == headers and "current_query" in after["query"]


@pytest.mark.parametrize("touch", ["FETCH c INTO r;", "CLOSE c;", "MOVE c;", "FOR r IN EXECUTE 'FETCH ALL FROM mine' LOOP END LOOP;"])
def test_a_hook_neither_reads_nor_closes_the_cursors_of_who_has_led_to_it(db, touch):
    hook(db, "completed", f"""
        DECLARE c refcursor := 'mine'; r record;
        BEGIN {touch}
        EXCEPTION WHEN OTHERS THEN INSERT INTO shop.notes VALUES (s.checkout_session_id, SQLSTATE); END;
        -- Its own are its own.
        DECLARE own CURSOR FOR SELECT 'own'; t text;
        BEGIN OPEN own; FETCH own INTO t; CLOSE own; INSERT INTO shop.notes VALUES (s.checkout_session_id, t); END;""")
    session = db.create()
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET checkout_sessions.organization_id = %s", [db.organization_id])
        cursor.execute("BEGIN; DECLARE mine CURSOR FOR SELECT generate_series(1, 3) AS n")
        cursor.execute("DECLARE held CURSOR WITH HOLD FOR SELECT generate_series(1, 3) AS n; FETCH mine")
        cursor.execute("SELECT checkout.record_payment(%s, 'p1', 'succeeded')", [session])
        cursor.execute("FETCH ALL FROM mine")
        assert [row["n"] for row in cursor.fetchall()] == [2, 3]
        cursor.execute("COMMIT; FETCH ALL FROM held")
        assert [row["n"] for row in cursor.fetchall()] == [1, 2, 3]
    assert notes(db, session)[0] == "complete" and notes(db, session)[-1] == "own"
    assert notes(db, session)[1] in ("55000", "24000")


def test_a_caller_may_report_payments_in_a_loop_over_a_query(db):
    hook(db, "completed", """
        DECLARE c refcursor := '<unnamed portal 1>'; r record;
        BEGIN FETCH c INTO r; INSERT INTO shop.notes VALUES (s.checkout_session_id, r::text); END;""")
    db.sql("CREATE TABLE queue (id serial, session uuid)")
    for _ in range(6):
        db.sql("INSERT INTO queue (session) VALUES (%s)", db.create())
    db.sql(f"""SET checkout_sessions.organization_id = '{db.organization_id}';
        DO $$ DECLARE r record; BEGIN
            FOR r IN SELECT * FROM queue ORDER BY id LOOP
                PERFORM checkout.record_payment(r.session, 'p' || r.id, 'succeeded');
            END LOOP;
        END $$""")
    assert db.value("SELECT count(*) FROM checkout_data.payments") == 6
    assert db.value("SELECT count(*) FROM shop.notes") == 0
    assert db.value("SELECT count(*) FROM checkout_data.hook_failures") == 6
