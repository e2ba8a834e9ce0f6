"""A worker whose statements fail: it reports the error, does not flood the log, reveals nothing, and recovers."""

import time
from contextlib import closing

from conftest import wait_until

REFUSING_TRIGGER = """
    CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the outbox is closed'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON checkout_data.webhook_outbox FOR EACH ROW EXECUTE FUNCTION public.refuse();
"""


def test_failing_sweep_is_reported_and_recovers(new_server):
    server = new_server()
    db = server.create_database()
    db.sql(REFUSING_TRIGGER)
    session = db.create("1 second")
    wait_until(lambda: db.worker()["state"] == "failing")
    status = db.worker()
    assert (status["last_error"], status["overdue"]) == ("the outbox is closed", 1)
    assert status["failures"] >= 1 and status["last_error_at"] is not None and status["lag"] is not None

    time.sleep(2)
    assert server.log().count("the outbox is closed") <= 3
    assert db.call("get_checkout_session", checkout_session_id=session)[0]["status"] == "expired"
    assert db.stored_status(session) == "open"

    db.sql("DROP TRIGGER refuse ON checkout_data.webhook_outbox")
    db.wait_for(session, within=10)
    assert db.event_types(session) == ["expired"]
    wait_until(lambda: db.worker()["failures"] == 0)


def test_failure_in_one_database_does_not_concern_another(server):
    failing, sound = server.create_database(), server.create_database()
    failing.sql(REFUSING_TRIGGER)
    failing.create("1 second")
    wait_until(lambda: failing.worker()["state"] == "failing")
    sound.expires_on_time()


def test_new_session_is_not_forgotten_while_the_worker_backs_off(db):
    db.sql(REFUSING_TRIGGER)
    db.create("1 second")
    wait_until(lambda: db.worker()["failures"] >= 2)
    session = db.create("1 second")
    db.sql("DROP TRIGGER refuse ON checkout_data.webhook_outbox")
    db.wait_for(session, within=10)


# Attempts by a role that may put a trigger on a table that the worker writes.
AMBITIOUS_TRIGGER = """
    CREATE TABLE public.found_out (who text, tried text, answer text);
    GRANT INSERT ON public.found_out TO PUBLIC;
    CREATE ROLE mallory;
    GRANT USAGE ON SCHEMA checkout_data TO mallory;
    GRANT TRIGGER ON checkout_data.webhook_outbox TO mallory;
    GRANT CREATE ON SCHEMA public TO mallory;
    SET ROLE mallory;
    CREATE FUNCTION public.rise() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        attempt text;
    BEGIN
        FOREACH attempt IN ARRAY ARRAY[
            'ALTER ROLE mallory SUPERUSER', 'SET ROLE postgres', 'RESET ROLE', 'SET SESSION AUTHORIZATION postgres',
            'RESET SESSION AUTHORIZATION', 'GRANT pg_read_all_data TO mallory', 'CREATE TABLE public.loot ()',
            'ALTER FUNCTION checkout.worker_status() OWNER TO mallory'] LOOP
            BEGIN
                EXECUTE attempt;
                INSERT INTO public.found_out VALUES (current_user, attempt, 'done');
            EXCEPTION WHEN OTHERS THEN
                INSERT INTO public.found_out VALUES (current_user, attempt, SQLSTATE);
            END;
        END LOOP;
        RETURN NULL;
    END $$;
"""


def test_trigger_that_wants_to_be_superuser_runs_as_the_restricted_role(new_server):
    db = new_server().create_database()
    db.sql(AMBITIOUS_TRIGGER + """
        CREATE TRIGGER rise AFTER INSERT ON checkout_data.webhook_outbox FOR EACH ROW EXECUTE FUNCTION public.rise()""")
    db.wait_for(db.create("1 second"))
    attempts = db.sql("SELECT * FROM public.found_out")
    assert len(attempts) == 8
    assert {attempt["who"] for attempt in attempts} == {"checkout_sessions_worker"}
    assert [attempt for attempt in attempts if attempt["answer"] == "done"] == []
    assert db.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'") is False


def test_deferred_trigger_does_not_run_as_superuser_at_commit(new_server):
    db = new_server().create_database()
    db.sql(AMBITIOUS_TRIGGER + """
        CREATE CONSTRAINT TRIGGER rise AFTER INSERT ON checkout_data.webhook_outbox
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION public.rise()""")
    db.create("1 second")
    wait_until(lambda: db.worker()["failures"] or db.sql("SELECT 1 FROM public.found_out"))
    attempts = db.sql("SELECT * FROM public.found_out")
    assert {attempt["who"] for attempt in attempts} <= {"checkout_sessions_worker"}
    assert db.value("SELECT rolsuper FROM pg_roles WHERE rolname = 'mallory'") is False


def test_defaults_of_the_database_do_not_concern_the_worker(server, db):
    server.database().sql(f"ALTER DATABASE {db.name} SET default_transaction_isolation = 'repeatable read'")
    server.database().sql(f"ALTER DATABASE {db.name} SET search_path = public")
    with closing(db.connect()) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("LOCK TABLE checkout_data.webhook_outbox IN SHARE MODE")
        db.insert_sessions(1)
        db.wake_worker()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker' AND wait_event_type = 'Lock'"
        wait_until(lambda: db.sql(waiting))
        db.sql("UPDATE checkout_data.checkout_sessions SET title = 'changed'")  # a conflict under repeatable read
        holder.rollback()
    wait_until(lambda: db.expired_count() == 1)
    assert db.worker()["last_error"] is None
