"""The worker that stays in one database, so that parallel queries cannot take its slot."""

import time

import pytest
from conftest import wait_until

# One for the launcher, and one more.
TWO_SLOTS = ["max_worker_processes=2", "max_logical_replication_workers=0"]


@pytest.fixture
def db(new_server):
    server = new_server(*TWO_SLOTS)
    db = server.create_database()
    server.restart(*TWO_SLOTS, f"checkout_sessions.worker_database={db.name}")
    wait_until(lambda: db.worker()["pid"])
    return db


def seconds_of(statement, db):
    before = time.monotonic()
    db.sql(statement)
    return time.monotonic() - before


def test_it_stays_and_nobody_takes_its_slot(db):
    pid = db.worker()["pid"]
    other = db.server.create_database()
    other.insert_sessions(1)
    other.wake_worker()
    wait_until(lambda: other.worker()["state"] == "no worker slot")
    time.sleep(3)
    db.expires_on_time()
    assert db.worker()["pid"] == pid
    assert db.sql("SELECT pg_terminate_backend(%s)", pid)
    wait_until(lambda: db.worker()["pid"] not in (None, pid))
    db.expires_on_time()
    assert other.worker()["state"] == "no worker slot"


def test_it_makes_way_for_who_renames_or_copies_or_drops_the_database(db):
    admin = db.server.database()
    assert seconds_of(f"CREATE DATABASE copy TEMPLATE {db.name}", admin) < 6
    wait_until(lambda: db.worker()["pid"], within=10)
    db.expires_on_time()
    assert seconds_of(f"ALTER DATABASE {db.name} RENAME TO renamed", admin) < 6
    assert seconds_of(f"ALTER DATABASE renamed RENAME TO {db.name}", admin) < 6
    wait_until(lambda: db.worker()["pid"], within=10)
    db.expires_on_time()
    pid = db.worker()["pid"]
    assert seconds_of(f"DROP DATABASE {db.name}", admin) < 6
    # The server writes that the worker has left, which may be after the command.
    wait_until(lambda: f"(PID {pid}) exited" in db.server.log())
    log = len(db.server.log())
    time.sleep(4)
    assert db.server.log()[log:] == ""


def test_dropped_and_created_extension(db):
    wait_until(lambda: db.worker()["last_sweep_at"])
    db.sql("DROP EXTENSION checkout_sessions")
    db.install()
    db.expires_on_time(within=10)


def test_it_can_be_disabled_and_enabled(db):
    db.server.configure(worker_enabled="off")
    wait_until(lambda: db.worker()["pid"] is None)
    db.server.configure(worker_enabled="on")
    db.expires_on_time(within=10)


def test_a_database_that_does_not_exist_fills_no_log_and_the_others_have_workers(new_server):
    server = new_server("checkout_sessions.worker_database=nowhere")
    db = server.create_database()
    db.expires_on_time()
    time.sleep(2)
    assert "nowhere" not in server.log()
    assert server.log().count("exited with exit code") == 0
