"""The worker stores, on time and once, that a session has expired by the clock."""

import threading
from contextlib import closing

import psycopg2
import pytest
from conftest import wait_until
from support.clock import Clock


def lateness(db, session):
    """The number of seconds between the deadline of an expired session and its expiry."""
    (event,) = [e for e in db.events(session) if e["event_type"] == "checkout.session.expired"]
    return (event["created_at"] - db.row(session)["deadline"]).total_seconds()


def test_session_is_expired_within_a_second_of_its_deadline(db):
    session = db.create("1 second")
    db.wait_for(session)
    row = db.call("get_checkout_session", checkout_session_id=session)[0]
    assert 0 <= lateness(db, session) < 1
    assert row["status"] == "expired" and row["updated_at"] == row["expires_at"]
    assert db.event_types(session) == ["expired"]


def test_the_worker_does_not_touch_the_session_s_row(db):
    session = db.create("1 second")
    place = "SELECT ctid, xmin, xmax, * FROM checkout_data.checkout_sessions WHERE checkout_session_id = %s"
    before = db.sql(place, session)
    db.wait_for(session)
    assert db.sql(place, session) == before
    assert db.open_row(session) is None


def test_what_was_swept_stays_expired_if_the_clock_is_set_back(db):
    """Its deadline is an hour away again, as for a server whose clock was an hour ahead."""
    session = db.create("1 second")
    db.wait_for(session)
    later = "UPDATE checkout_data.checkout_sessions SET expires_at = expires_at {} interval '1 hour' WHERE checkout_session_id = %s"
    db.sql(later.format("+"), session)
    (row,) = db.call("expire_checkout_session", checkout_session_id=session)
    assert (row["status"], row["payment_status"]) == ("expired", "unpaid")
    with pytest.raises(psycopg2.Error, match="checkout session is expired") as refused:
        db.call("begin_payment", checkout_session_id=session, payment_id="p1")
    assert refused.value.pgcode == "PT409"
    db.sql(later.format("-"), session)
    assert db.event_types(session) == ["expired"]


def test_pauses_do_not_depend_on_the_clock(new_server):
    """A lock makes the worker wait while the clock is a day ahead. Then the clock is put right."""
    server = new_server()
    server.stop()
    clock = Clock(server)
    clock.start()
    db = server.create_database()
    db.expires_on_time()
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("LOCK TABLE checkout_data.open_sessions IN ACCESS EXCLUSIVE MODE")
        db.wake_worker()
        clock.set(86400)
        wait_until(lambda: db.worker()["next_sweep_at"] > clock.now())
        clock.set(0)
        connection.rollback()
    db.expires_on_time()


def test_late_payment_writes_what_the_clock_had_decided(server):
    """After a failed payment, a reminder, and an expiry by the worker: events 1, 2 and 3."""
    db = server.create_database(expiring_notice="1 second")
    session = db.create("3 seconds")
    db.call("record_payment", checkout_session_id=session, payment_id="p1", outcome="failed")
    wait_until(lambda: db.event_types(session) == ["payment_failed", "expiring"])
    assert db.row(session)["event_count"] == db.open_row(session)["event_count"] == 2
    db.wait_for(session)
    row = db.row(session)
    assert (row["status"], row["event_count"]) == ("open", 2)
    db.call("record_payment", checkout_session_id=session, payment_id="p2", outcome="failed")
    later = db.row(session)
    assert (later["status"], later["payment_status"], later["attempts"], later["event_count"]) == ("expired", "unpaid", 1, 3)
    assert later["updated_at"] == row["deadline"]
    for payment in ("p3", "p4"):
        db.call("record_payment", checkout_session_id=session, payment_id=payment, outcome="succeeded")
    assert db.row(session)["event_count"] == 5
    events = db.events(session)
    assert [event["sequence"] for event in events] == [1, 2, 3, 4, 5]
    assert db.event_types(session) == ["payment_failed", "expiring", "expired", "payment_rejected", "payment_rejected"]


def test_earlier_deadline_wakes_the_worker(db):
    late = db.create("30 minutes")
    wait_until(lambda: db.worker()["next_deadline"] == db.row(late)["deadline"] and db.worker()["state"] == "sleeping")
    early = db.create("1 second")
    db.wait_for(early)
    assert lateness(db, early) < 1
    assert db.stored_status(late) == "open"


def test_session_rolled_back_leaves_nothing(db):
    with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("SELECT checkout.create_checkout_session(10, 'USD', customer_id => 'c1', expires_in => '1 second')")
        connection.rollback()
    db.expires_on_time()
    assert db.value("SELECT count(*) FROM checkout_data.checkout_sessions") == 1
    assert db.value("SELECT count(*) FROM checkout_data.webhook_outbox") == 1


def test_lease_holds_a_session_open_and_its_end_expires_it(db):
    session = db.create("1 second")
    db.call("begin_payment", checkout_session_id=session, payment_id="p1", lease="2 seconds")
    expires_at, deadline = (db.row(session)[name] for name in ("expires_at", "deadline"))
    assert deadline > expires_at
    wait_until(lambda: db.value("SELECT now() > %s::timestamptz + interval '0.3 s'", expires_at))
    assert db.call("get_checkout_session", checkout_session_id=session)[0]["status"] == "open"
    db.wait_for(session)
    assert lateness(db, session) < 1
    row = db.call("get_checkout_session", checkout_session_id=session)[0]
    assert (row["status"], row["payment_status"], row["updated_at"]) == ("expired", "unpaid", deadline)
    db.call("record_payment", checkout_session_id=session, payment_id="p1", outcome="failed")
    row = db.row(session)
    assert (row["payment_status"], row["lease_expires_at"], row["updated_at"]) == ("unpaid", None, deadline)


def test_payment_within_its_lease_completes_a_session_past_its_deadline(db):
    session = db.create("1 second")
    db.call("begin_payment", checkout_session_id=session, payment_id="p1", lease="1 minute")
    wait_until(lambda: db.value("SELECT now() > %s", db.row(session)["expires_at"]))
    (payment,) = db.call("record_payment", checkout_session_id=session, payment_id="p1", outcome="succeeded")
    assert payment["status"] == "succeeded"
    assert db.event_types(session) == ["completed"]


def test_failed_payment_past_the_deadline_gives_its_lease_up(db):
    session = db.create("1 second")
    db.call("begin_payment", checkout_session_id=session, payment_id="p1", lease="10 minutes")
    wait_until(lambda: db.value("SELECT now() > %s", db.row(session)["expires_at"]))
    db.call("record_payment", checkout_session_id=session, payment_id="p1", outcome="failed")
    db.wait_for(session, within=2)
    assert db.event_types(session) == ["payment_failed", "expired"]


def test_reminder_precedes_expiry_where_the_organization_asks(server):
    db = server.create_database(expiring_notice="1 second")
    session = db.create("2 seconds")
    wait_until(lambda: db.event_types(session) == ["expiring"])
    (event,) = db.events(session)
    due_at = db.row(session)["created_at"].timestamp() + 1
    assert 0 <= event["created_at"].timestamp() - due_at < 1
    assert (event["snapshot"]["session"], db.stored_status(session)) == ({"status": "open", "attempts": 0}, "open")
    db.wait_for(session)
    assert db.event_types(session) == ["expiring", "expired"]


def test_old_keys_and_delivered_events_are_purged_and_nothing_else(server):
    server.configure(worker_enabled="off")  # a new database is purged at once, then each ten minutes
    db = server.create_database()
    db.sql("SELECT checkout.create_webhook_consumer('jobs')")
    sessions = {age: db.create("1 second", idempotency_key=age) for age in ("old", "new", "unsent")}
    wait_until(lambda: db.sql("SELECT checkout.expire_due_checkout_sessions()") and db.expired_count() == 3)
    claimed = db.sql("SELECT event_id, lease_token, checkout_session_id FROM checkout.claim_webhook_events('jobs')")
    for event in claimed:
        if event["checkout_session_id"] != sessions["unsent"]:
            db.sql("SELECT checkout.ack_webhook_events('jobs', ARRAY[%s], %s)", event["event_id"], event["lease_token"])
    for age in ("old", "unsent"):
        db.sql(
            """UPDATE checkout_data.checkout_sessions
               SET created_at = created_at - i, updated_at = updated_at - i, expires_at = expires_at - i
               FROM (SELECT interval '40 days') AS ago (i) WHERE checkout_session_id = %s""", sessions[age])
        db.sql(
            """WITH event AS (
                   UPDATE checkout_data.webhook_outbox SET created_at = created_at - interval '31 days' WHERE subject_id = %s)
               UPDATE checkout_data.webhook_deliveries
               SET created_at = created_at - i, delivered_at = delivered_at - i, last_attempt_at = last_attempt_at - i
               FROM (SELECT interval '31 days') AS ago (i) WHERE subject_id = %s""", sessions[age], sessions[age])
    db.sql("UPDATE checkout_data.idempotency_keys SET expires_at = now() WHERE idempotency_key = 'old'")

    server.configure(worker_enabled="on")
    wait_until(lambda: db.event_types(sessions["old"]) == [])
    keys = db.sql("SELECT idempotency_key FROM checkout_data.idempotency_keys ORDER BY 1")
    assert [key["idempotency_key"] for key in keys] == ["new", "unsent"]
    assert [db.event_types(sessions[age]) for age in ("new", "unsent")] == [["expired"], ["expired"]]
    assert db.expired_count() == 3


def test_two_databases_have_a_worker_each(server):
    first, second = server.create_database(), server.create_database()
    pids = {first.keep_worker_busy(seconds=4), second.keep_worker_busy(seconds=4)}
    assert len(pids) == 2
    sessions = [(db, db.create("1 second")) for db in (first, second)]
    for db, session in sessions:
        db.wait_for(session)
        assert lateness(db, session) < 1


def test_extension_created_where_there_was_none_needs_no_restart(server):
    server.database().sql("CREATE DATABASE later")
    later = server.database("later")
    wait_until(lambda: not later.sql("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker'"))
    later.install()
    later.expires_on_time()


def test_locked_row_delays_that_row_only(db):
    locked = db.create("1 second")
    with closing(db.connect()) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("SELECT FROM checkout_data.open_sessions WHERE checkout_session_id = %s FOR UPDATE", [locked])
        other = db.create("1 second")
        db.wait_for(other)
        assert lateness(db, other) < 1
        assert db.stored_status(locked) == "open"
        assert db.worker()["overdue"] == 1
        holder.rollback()
    db.wait_for(locked, within=3)


def latenesses(db, organization_id):
    """How late each of an organization's sessions was expired, in seconds, sorted."""
    return [row["late"].total_seconds() for row in db.sql(
        """SELECT o.created_at - checkout_data.deadline(s) AS late
            FROM checkout_data.webhook_outbox o
            JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = o.subject_id
            WHERE s.organization_id = %s AND o.event_type = 'checkout.session.expired' ORDER BY 1""", organization_id)]


@pytest.mark.parametrize("count", [1, 20_000])
def test_what_one_leaves_locked_does_not_make_others_late(db, count):
    locker = db.organization_id
    db.insert_sessions(count)
    with closing(db.connect()) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("SELECT FROM checkout_data.open_sessions FOR NO KEY UPDATE")
        db.wake_worker()
        other = db.organization_id = db.value("SELECT checkout.create_organization('Other')")
        db.insert_sessions(60, every="50 ms")
        db.wake_worker()
        wait_until(lambda: db.expired_count() == 60, within=10)
        late = latenesses(db, other)
        assert late[len(late) // 2] < 0.1
        holder.rollback()
    wait_until(lambda: db.expired_count() == 60 + count, within=20)
    assert len(latenesses(db, locker)) == count


@pytest.mark.parametrize("table", ["checkout_sessions", "open_sessions"])
def test_a_locked_reminder_does_not_make_others_late(server, table):
    db = server.create_database(expiring_notice="1 hour")
    locked = db.create("2 hours")
    with closing(db.connect()) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("UPDATE checkout_data.open_sessions SET expiring_notice_at = now()")
        holder.commit()
        cursor.execute(f"SELECT FROM checkout_data.{table} FOR NO KEY UPDATE")
        db.wake_worker()
        db.insert_sessions(40, every="50 ms")
        db.wake_worker()
        wait_until(lambda: db.expired_count() == 40, within=10)
        late = latenesses(db, db.organization_id)
        assert late[len(late) // 2] < 0.1
        assert db.event_types(locked) == []
        holder.rollback()
    wait_until(lambda: db.event_types(locked) == ["expiring"])


@pytest.mark.parametrize("hooked", [False, True])
def test_a_row_of_a_session_that_has_ended_stops_nobody(server, hooked):
    """As it is restored from a dump by pg_restore --clean, if DROP EXTENSION was refused."""
    db = server.create_database(expiring_notice="1 second")
    if hooked:
        db.sql(f"CREATE ROLE owner_{db.name}; CREATE SCHEMA shop AUTHORIZATION owner_{db.name}")
        db.sql("SELECT checkout.grant_access(%s, 'secret')", f"owner_{db.name}")
        db.sql(f"SET ROLE owner_{db.name}; CREATE FUNCTION shop.fails(checkout.checkout_session) RETURNS void"
               " LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $$called$$; END'")
        db.sql("SELECT checkout.set_hook(%s, 'expired', 'shop.fails(checkout.checkout_session)')", db.organization_id)
    session = db.create("2 seconds")
    db.sql("CREATE TABLE dumped AS SELECT * FROM checkout_data.open_sessions")
    db.call("record_payment", checkout_session_id=session, payment_id="p1", outcome="succeeded")
    db.sql("INSERT INTO checkout_data.open_sessions SELECT * FROM dumped")
    other = db.create("2 seconds")
    wait_until(lambda: db.event_types(other) == ["expiring", "expired"])
    wait_until(lambda: db.value("SELECT count(*) FROM checkout_data.open_sessions") == 0)
    # Nor where a function does the worker's work.
    db.sql(f"ALTER DATABASE {db.name} SET checkout_sessions.worker_enabled = off")
    wait_until(lambda: db.worker()["pid"] is None, within=15)
    db.sql("INSERT INTO checkout_data.open_sessions SELECT * FROM dumped; SELECT checkout.run_maintenance()")
    assert db.value("SELECT count(*) FROM checkout_data.open_sessions") == 0
    assert db.event_types(session) == ["completed"]
    assert db.worker()["failures"] == 0 and db.stored_status(session) == "complete"
    called = db.sql("SELECT checkout_session_id FROM checkout_data.hook_failures")
    assert called == ([{"checkout_session_id": other}] if hooked else [])


def test_what_one_has_due_does_not_make_others_late(db):
    """Forty thousand sessions with 16 endpoints each make 680,000 rows."""
    for number in range(16):
        db.call("create_webhook_endpoint", url=f"https://shop.example/hooks/{number}")
    other = db.value("SELECT checkout.create_organization('Other')")
    db.insert_sessions(40_000)
    db.wake_worker()
    many, db.organization_id = db.organization_id, other
    db.insert_sessions(60, every="50 ms")
    db.wake_worker()
    wait_until(lambda: len(latenesses(db, other)) == 60, within=20)
    late = latenesses(db, other)
    assert late[len(late) // 2] < 0.5 and late[-1] < 2
    assert len(latenesses(db, many)) < 40_000


def test_a_sweep_by_hand_takes_turns(server):
    server.configure(worker_enabled="off")
    db = server.create_database()
    db.insert_sessions(3000)
    many, db.organization_id = db.organization_id, db.value("SELECT checkout.create_organization('Other')")
    db.insert_sessions(1)
    assert db.value("SELECT checkout.expire_due_checkout_sessions(1000)") == 1000
    assert len(latenesses(db, db.organization_id)) == 1
    assert len(latenesses(db, many)) == 999


def test_long_transaction_elsewhere_does_not_stop_the_sweep(db):
    with closing(db.connect()) as reader, reader.cursor() as cursor:
        reader.set_session(isolation_level="REPEATABLE READ", autocommit=False)
        cursor.execute("SELECT pg_current_xact_id(), count(*) FROM checkout_data.checkout_sessions")
        session = db.create("1 second")
        db.wait_for(session)
        assert lateness(db, session) < 1


def test_many_sessions_due_at_once_are_expired_once_each(db):
    db.insert_sessions(5000)
    callers = [threading.Thread(target=db.sql, args=["SELECT checkout.expire_due_checkout_sessions(500)"]) for _ in range(4)]
    db.wake_worker()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    wait_until(lambda: db.expired_count() == 5000, within=20)
    assert db.value("SELECT count(*) FROM checkout_data.webhook_outbox") == 5000


def test_statistics_tell_autovacuum_what_the_worker_changed(db):
    session = db.create("1 second")
    db.wait_for(session)
    changed = "SELECT n_tup_del FROM pg_stat_user_tables WHERE relname = 'open_sessions'"
    wait_until(lambda: db.value(changed) == 1, within=3)


def test_worker_status_reports_a_sweep(db):
    session = db.create("1 second")
    db.wait_for(session)
    wait_until(lambda: db.worker()["state"] == "sleeping")
    status = db.worker()
    assert status["last_sweep_at"] >= db.row(session)["deadline"]
    assert (status["overdue"], status["failures"], status["last_error"]) == (0, 0, None)


def test_worker_tells_pg_stat_activity_what_it_does(db):
    db.create("1 second")
    worker = "SELECT state, query FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker' AND datname = current_database()"
    (waiting,) = wait_until(lambda: [row for row in db.sql(worker) if row["state"] == "idle"])
    assert waiting["query"] == "waiting for the next deadline"


def test_what_comes_due_one_after_another_is_expired_at_once(db):
    """The worker came a moment ago, and does not take sessions that have become due since then for locked ones."""
    db.insert_sessions(2000, every="0.7 ms")
    db.wake_worker()
    wait_until(lambda: db.expired_count() == 2000)
    late = [row["late"] for row in db.sql(
        "SELECT o.created_at - s.expires_at AS late FROM checkout_data.webhook_outbox o"
        " JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = o.subject_id ORDER BY 1")]
    # The pause before it looks again at locked rows would be a second. For its speed see benches/.
    assert late[len(late) // 2].total_seconds() < 0.5


def test_a_consumer_is_given_the_events_of_all_organizations_in_turns(server):
    """One organization has 20,000 waiting events, another has one. A consumer gets that one soon."""
    server.configure(worker_enabled="off")
    db = server.create_database()
    db.sql("SELECT checkout.create_webhook_consumer('jobs')")
    db.insert_sessions(20_000)
    db.sql("SELECT checkout.expire_due_checkout_sessions(100000)")
    other = db.value("SELECT checkout.create_organization('Other')")
    db.sql(f"ALTER ROLE {db.shop} SET checkout_sessions.organization_id = %s", other)
    session = db.create()
    db.call("expire_checkout_session", checkout_session_id=session)
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        for claims in range(1, 10):
            cursor.execute("SELECT checkout_session_id, lease_token FROM checkout.claim_webhook_events('jobs', 100)")
            events = cursor.fetchall()
            assert len(events) == 100
            assert len({event["lease_token"] for event in events}) == 1
            if session in {event["checkout_session_id"] for event in events}:
                break
    # The first begins anywhere, the second after the organization that filled the first.
    assert claims <= 2
