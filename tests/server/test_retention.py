"""Retention: what the worker removes in time, what others do meanwhile, and the bounds that the server sets."""

import threading
import time
from contextlib import closing

import psycopg2
import pytest
from conftest import wait_until

SESSIONS = "SELECT count(*) FROM checkout_data.checkout_sessions"


def age(db, days=45):
    """Lets days pass for all sessions that have ended, and what hangs on them. They are counted."""
    db.sql(f"""
        UPDATE checkout_data.checkout_sessions s SET created_at = created_at - interval '{days} days',
            updated_at = updated_at - interval '{days} days', expires_at = expires_at - interval '{days} days',
            completed_at = completed_at - interval '{days} days'
        WHERE NOT EXISTS (SELECT FROM checkout_data.open_sessions o WHERE o.checkout_session_id = s.checkout_session_id);
        UPDATE checkout_data.payments SET created_at = created_at - interval '{days} days',
            updated_at = updated_at - interval '{days} days';
        UPDATE checkout_data.session_folds SET folded_until = date_bin('1 hour', now() - interval '1 hour', 'epoch'),
            removal_at = 'epoch' WHERE environment = 'live'""")


def paid(db, name):
    session = db.create(title=name)
    db.call("record_payment", checkout_session_id=session, payment_id=name, outcome="succeeded")
    return session


def remove(db):
    db.sql("UPDATE checkout_data.session_folds SET removal_at = 'epoch' WHERE removal_at IS NOT NULL")
    return db.value("SELECT row_count FROM checkout.run_maintenance() WHERE task = 'remove'")


def test_the_worker_removes_in_time_and_pieces(new_server):
    server = new_server("checkout_sessions.worker_enabled=off")
    db = server.create_database(session_retention="40 days")
    for n in range(200):
        session = db.create() if n % 20 else paid(db, f"p{n}")
        if n % 20:
            db.call("expire_checkout_session", checkout_session_id=session)
    age(db)
    paid(db, "recent")
    server.restart("checkout_sessions.worker_enabled=on")
    wait_until(lambda: db.value(SESSIONS) == 1, within=30)
    assert db.value("SELECT count(*) FROM checkout_data.payments") == 1
    assert db.worker()["last_error"] is None
    # It is looked at again within a day.
    assert 0 < db.value("SELECT EXTRACT(epoch FROM min(removal_at) - now())::float FROM checkout_data.session_folds") <= 86_400


def test_a_payment_that_is_being_refunded_keeps_its_session(new_server):
    db = new_server("checkout_sessions.worker_enabled=off").create_database(session_retention="40 days")
    session = paid(db, "p1")
    age(db)
    with closing(db.connect(db.shop)) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("SELECT checkout.record_refund('p1', 're_1', 4)")
        began = time.monotonic()
        assert remove(db) == 0 and time.monotonic() - began < 5
        holder.commit()
    assert remove(db) == 0
    assert db.call("list_refunds", payment_id="p1")[0]["amount"] == 4
    db.sql("UPDATE checkout_data.payments SET updated_at = updated_at - interval '45 days'")
    assert remove(db) == 1
    assert db.sql("SELECT 1 FROM checkout_data.refunds") == []
    with pytest.raises(psycopg2.Error) as error:
        db.call("record_payment", checkout_session_id=session, payment_id="late", outcome="succeeded")
    assert error.value.pgcode == "PT404"


def test_late_reports_and_removals_at_the_same_time_lose_nothing(new_server):
    db = new_server("checkout_sessions.worker_enabled=off").create_database(session_retention="40 days")
    sessions = [paid(db, f"p{n}") for n in range(200)]
    age(db)
    accepted, running = [], []

    def report(mine):
        with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
            for session, n in mine:
                try:
                    cursor.execute("SELECT status FROM checkout.record_payment(%s, %s, 'succeeded', 10, 'USD')", [session, f"late{n}"])
                    accepted.append((session, f"late{n}"))
                except psycopg2.Error as error:
                    assert error.pgcode == "PT404"

    numbered = [(session, n) for n, session in enumerate(sessions)]
    for part in (numbered[::-2], numbered[-2::-2]):
        running.append(threading.Thread(target=report, args=[part]))
        running[-1].start()
    removed = 0
    while any(thread.is_alive() for thread in running):
        removed += remove(db)
    for thread in running:
        thread.join()
    # A payment that was accepted, or rejected, is there, and so is its session.
    kept = db.value("SELECT count(*) FROM checkout_data.payments WHERE payment_id LIKE 'late%%'")
    assert kept == len(accepted) and removed == 200 - len(accepted)
    assert db.value(SESSIONS) == len(accepted)


def test_the_bounds_of_the_server_come_before_what_an_organization_wants(new_server):
    server = new_server("checkout_sessions.worker_enabled=off")
    keeps_all, keeps_long = (server.create_database(**wants) for wants in ({}, {"session_retention": "7 years"}))
    for db in (keeps_all, keeps_long):
        paid(db, "p1")
        age(db)
        assert remove(db) == 0
    server.configure(maximum_session_retention="44 d")
    assert (remove(keeps_all), remove(keeps_long)) == (1, 1)
    server.configure()
    short = server.create_database(session_retention="31 days")
    paid(short, "p1")
    age(short)
    server.configure(minimum_session_retention="60 d")
    assert remove(short) == 0
    server.configure()
    assert remove(short) == 1
