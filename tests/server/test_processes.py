"""The launcher and the workers when they are killed, cancelled, reconfigured, or cannot start."""

import os
import signal
import time
from contextlib import closing

import psycopg2
from conftest import AS_SERVER_USER, run, wait_until
from support.outcomes import refusal


def kill(pid, number):
    """Sends a signal to a process of a private server."""
    if AS_SERVER_USER:
        run(*AS_SERVER_USER, "kill", f"-{int(number)}", pid, cwd="/")
    else:
        os.kill(pid, number)


def test_terminated_worker_comes_back(db):
    pid = db.keep_worker_busy()
    assert db.value("SELECT pg_terminate_backend(%s)", pid)
    wait_until(lambda: db.worker()["pid"] not in (None, pid))
    db.expires_on_time()


def test_cancelled_worker_goes_on(db):
    """Within a transaction it tries again. While it waits for the next one, it ends, and the launcher starts another.
    """
    pid = db.keep_worker_busy()
    for _ in range(20):
        db.value("SELECT pg_cancel_backend(%s)", pid)
    db.expires_on_time(within=10)


def test_launcher_comes_back(db):
    launcher = db.worker()["launcher_pid"]
    assert db.value("SELECT pg_terminate_backend(%s)", launcher)
    wait_until(lambda: db.worker()["launcher_pid"] not in (None, launcher))
    db.expires_on_time()


def test_launcher_and_worker_terminated_together_come_back(db):
    worker = db.keep_worker_busy()
    launcher = db.worker()["launcher_pid"]
    db.sql("SELECT pg_terminate_backend(pid) FROM unnest(%s) AS pid", [launcher, worker])
    wait_until(lambda: launcher not in (status := db.worker()).values() and status["pid"] not in (None, worker))
    db.expires_on_time()


def test_killed_worker_loses_nothing(new_server):
    server = new_server()
    db = server.create_database()
    late = db.create("30 minutes")
    pid = db.keep_worker_busy()
    early = db.create("2 seconds")
    kill(pid, signal.SIGKILL)  # the whole server starts anew

    def back():
        try:
            return db.worker()["launcher_pid"]
        except psycopg2.Error:
            return None

    wait_until(lambda: "all server processes terminated; reinitializing" in server.log())
    wait_until(back, within=10)
    db.wait_for(early)
    assert db.stored_status(late) == "open"
    db.expires_on_time()


def test_worker_can_be_disabled_and_enabled_without_a_restart(server, db):
    server.configure(worker_enabled="off")
    wait_until(lambda: db.worker()["state"] == "disabled")
    session = db.overdue_session()
    assert db.call("get_checkout_session", checkout_session_id=session)[0]["status"] == "expired"
    assert db.stored_status(session) == "open"
    server.configure(worker_enabled="on")
    db.wait_for(session, within=2)


def test_worker_at_work_can_be_disabled(server, db):
    db.keep_worker_busy(seconds=4)
    server.configure(worker_enabled="off")
    wait_until(lambda: db.worker()["pid"] is None)
    expired = db.expired_count()
    assert db.worker()["state"] == "disabled"
    server.configure(worker_enabled="on")
    wait_until(lambda: db.expired_count() > expired)


def test_batch_size_changes_without_a_restart(server, db):
    def transactions_for_six_sessions():
        server.configure(worker_enabled="off")
        db.insert_sessions(6)
        db.wake_worker()
        before = db.expired_count()
        server.configure(worker_enabled="on")
        wait_until(lambda: db.expired_count() == before + 6)
        return db.value(
            """SELECT count(DISTINCT xmin::text) FROM (
                SELECT xmin FROM checkout_data.webhook_outbox ORDER BY created_at DESC LIMIT 6) AS newest""")

    assert transactions_for_six_sessions() == 1
    server.configure(worker_batch_size=2)
    assert transactions_for_six_sessions() == 3


def test_without_a_free_slot_status_says_so_and_a_restart_with_one_helps(new_server):
    server = new_server("max_worker_processes=1", "max_logical_replication_workers=0")  # the launcher accepts it
    db = server.create_database()
    session = db.create("1 second")
    wait_until(lambda: db.worker()["state"] == "no worker slot")
    assert {db.worker()["state"] for _ in range(100)} == {"no worker slot"}  # and never "starting" in between
    assert "max_worker_processes" in db.worker()["last_error"]
    server.restart("max_worker_processes=2", "max_logical_replication_workers=0")
    db.wait_for(session)


def test_four_databases_take_turns_with_one_free_slot(new_server):
    server = new_server("max_worker_processes=2", "max_logical_replication_workers=0")
    databases = [server.create_database() for _ in range(4)]
    for db in databases:
        db.insert_sessions(1)
    server.restart()  # so that all of them are due at once
    wait_until(lambda: all(db.expired_count() == 1 for db in databases), within=4)


def test_without_preloading_everything_but_the_worker_works(new_server):
    server = new_server("shared_preload_libraries=")
    db = server.create_database()
    assert db.worker()["state"] == "not preloaded"
    session = db.overdue_session()
    assert db.call("get_checkout_session", checkout_session_id=session)[0]["status"] == "expired"
    assert db.stored_status(session) == "open"
    assert db.worker()["overdue"] == 1
    assert db.value("SELECT checkout.expire_due_checkout_sessions()") == 1
    assert db.event_types(session) == ["expired"]
    paid = db.create()
    assert db.call("record_payment", checkout_session_id=paid, payment_id="p1", outcome="succeeded")[0]["status"] == "succeeded"


def test_without_preloading_a_tenant_cannot_be_set_before_the_library_is_loaded(new_server):
    server = new_server("shared_preload_libraries=")
    db = server.create_database()
    forged = [
        f"SET checkout_sessions.organization_id = '{db.organization_id}'",
        f"SELECT set_config('checkout_sessions.organization_id', '{db.organization_id}', false)",
    ]
    db.sql("CREATE ROLE stranger LOGIN")
    db.sql("SELECT checkout.grant_access('stranger', 'secret')")
    for statement in forged:
        with closing(db.connect("stranger")) as connection, connection.cursor() as cursor:
            cursor.execute(statement)  # the server does not know the setting yet, and lets every role set it
            assert refusal(cursor.execute, "SELECT * FROM checkout.list_checkout_sessions()") == "28000"


def test_preloading_later_expires_what_was_left(new_server):
    server = new_server("shared_preload_libraries=")
    db = server.create_database()
    session = db.overdue_session()
    server.restart("shared_preload_libraries=checkout_sessions")
    db.wait_for(session)


def test_idle_server_does_nothing(new_server):
    server = new_server("autovacuum=off")
    db = server.create_database()
    db.create("1 hour")
    launcher = wait_until(lambda: db.worker()["launcher_pid"])
    wait_until(lambda: db.worker()["state"] == "sleeping")
    admin = server.database()

    def activity():
        switches = run("awk", "/ctxt_switches/ { sum += $2 } END { print sum }", f"/proc/{launcher}/status")
        transactions = admin.value(
            "SELECT sum(xact_commit + xact_rollback) FROM pg_stat_database WHERE datname IS DISTINCT FROM 'postgres'")
        return int(switches), transactions

    admin.sql("SELECT pg_sleep(1.5)")  # the statistics of earlier statements arrive
    switches, transactions = activity()
    admin.sql("SELECT pg_sleep(3)")
    switches_later, transactions_later = activity()
    assert transactions_later == transactions
    assert switches_later - switches <= 2
    assert not admin.sql("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker'")


def test_status_waits_for_nobody_and_says_what_it_knows(db):
    session = db.create("1 second")
    for lock in ("LOCK TABLE checkout_data.open_sessions", "LOCK TABLE checkout_data.webhook_outbox",
                 "LOCK TABLE checkout_data.checkout_sessions", "REINDEX INDEX checkout_data.open_sessions_deadline_idx"):
        with closing(db.connect()) as holder, holder.cursor() as cursor:
            holder.autocommit = False
            cursor.execute(lock)
            with closing(db.connect()) as connection, connection.cursor() as asker:
                asker.execute("SET statement_timeout = '1 s'")
                asker.execute("SELECT * FROM checkout.worker_status()")
                status = asker.fetchone()
            assert status["launcher_pid"]
            assert (status["overdue"] is None) == ("open_sessions" in lock)
            holder.rollback()
    db.wait_for(session)


def test_status_says_why_the_worker_cannot_connect(server, db):
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        wait_until(lambda: db.worker()["state"] == "sleeping")
        db.insert_sessions(1)
        server.database().sql(f"ALTER DATABASE {db.name} ALLOW_CONNECTIONS false")
        cursor.execute("SELECT checkout_data.wake_worker()")

        def status():
            cursor.execute("SELECT * FROM checkout.worker_status()")
            return cursor.fetchone()

        wait_until(lambda: status()["failures"] == 1)
        time.sleep(2)  # in this time it would be tried again
        assert status()["last_error"] == f'database "{db.name}" is not currently accepting connections'
        assert status()["state"] == "failing"
        server.database().sql(f"ALTER DATABASE {db.name} ALLOW_CONNECTIONS true")
        cursor.execute("SELECT checkout_data.wake_worker()")
    wait_until(lambda: db.expired_count() == 1)
