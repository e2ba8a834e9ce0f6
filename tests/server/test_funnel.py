"""The funnel of 100,000 random sessions equals a plain count after each fold, whatever comes late, dies or is set back."""

import random
import signal
import threading
import time
from pathlib import Path

import psycopg2
import pytest
from conftest import wait_until
from test_processes import kill

SETUP = Path(__file__).parents[1] / "regress/sql/funnel.sql"
SESSIONS = 100_000
CHECKS = [("hour", None), ("day", None), ("day", "method"), ("week", "currency"), ("month", "product"), ("day", "country")]


@pytest.fixture(scope="module")
def shop(module_server):
    db = module_server.create_database()
    text = SETUP.read_text()
    functions = text[text.index("CREATE FUNCTION testing.plain_funnel"):text.index("SELECT testing.make_history(")]
    db.sql("CREATE SCHEMA testing")
    db.sql(functions)
    db.organization = db.value("SELECT organization_id::text FROM checkout_data.organizations LIMIT 1")
    db.sql("SELECT testing.make_history(%s, %s, '2025-03-03')", db.organization, SESSIONS)
    return db


@pytest.fixture(scope="module")
def module_server():
    from conftest import Server

    server = Server("funnel")
    server.remove()
    server.start("checkout_sessions.worker_enabled=off")
    yield server
    # The sessions were not made by the functions, so the invariants do not hold.
    server.remove()


def differences(db, checks=None):
    zone = random.choice(["UTC", "Asia/Kathmandu", "America/New_York"])
    return sum(db.sql(
        "SELECT set_config('checkout_sessions.organization_id', %s, true), set_config('timezone', %s, true);"
        "SELECT testing.differences(%s, %s, %s, NULL, NULL) AS n", db.organization, zone, db.organization, unit, by)[0]["n"]
        for unit, by in checks or CHECKS)


def counted(db):
    return db.value("SELECT COALESCE(sum(created), 0)::integer FROM checkout_data.session_counts"
                    " WHERE dimension = 'none' AND unit = '1 hour'")


def late_reports(db, count):
    """Of sessions that the clock has ended: money that comes too late, and attempts that have failed."""
    ids = db.sql("SELECT checkout_session_id::text AS id FROM checkout_data.checkout_sessions WHERE status = 'open'"
                 " AND lease_expires_at IS NULL ORDER BY random() LIMIT %s", count)
    for row in ids:
        db.call("record_payment", checkout_session_id=row["id"], payment_id=f"late {row['id']} {random.random()}",
                outcome=random.choice(["succeeded", "failed"]))


def test_it_equals_a_plain_count_after_each_fold(shop):
    assert differences(shop, CHECKS[:1]) == 0 and counted(shop) == 0
    folded = 0
    while done := shop.value("SELECT checkout.fold_sessions(15)"):
        folded += done
        late_reports(shop, 20)
        assert differences(shop, random.sample(CHECKS, 2)) == 0
        shop.sql("SELECT checkout.fold_sessions(5)")
        if folded > 200:
            break
    while shop.value("SELECT checkout.fold_sessions(1000)"):
        pass
    assert counted(shop) == SESSIONS and differences(shop) == 0


def test_killed_between_fold_and_commit(shop, module_server):
    """The whole server starts anew."""
    late_reports(shop, 50)
    connection = shop.connect()
    connection.autocommit = False
    with connection.cursor() as cursor:
        cursor.execute("SELECT checkout.fold_sessions(), pg_backend_pid()")
        hours, pid = cursor.fetchone().values()
    assert hours > 5
    kill(pid, signal.SIGKILL)

    def back():
        try:
            return shop.value("SELECT 1") == 1
        except psycopg2.Error:
            return False

    wait_until(lambda: "all server processes terminated; reinitializing" in module_server.log())
    wait_until(back, within=20)
    assert shop.value("SELECT count(*) FROM checkout_data.uncounted_hours") > 0 and differences(shop) == 0
    assert shop.value("SELECT checkout.fold_sessions()") == hours
    assert counted(shop) == SESSIONS and differences(shop) == 0


def test_late_reports_while_several_count(shop):
    ends = time.monotonic() + 5

    def work(task):
        while time.monotonic() < ends:
            task()

    tasks = [lambda: late_reports(shop, 3), lambda: late_reports(shop, 3), lambda: shop.sql("SELECT checkout.fold_sessions(3)"),
             lambda: shop.sql("SELECT checkout.fold_sessions(3)")]
    threads = [threading.Thread(target=work, args=[task]) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differences(shop) == 0
    while shop.value("SELECT checkout.fold_sessions()"):
        pass
    assert counted(shop) == SESSIONS and differences(shop) == 0
    assert shop.value("SELECT count(*) FROM checkout_data.uncounted_hours") == 0


def test_the_clock_is_put_back(shop):
    """Ten days, after hours were counted: what was counted of the time ahead is not read, and counted again later."""
    shop.sql("UPDATE checkout_data.session_folds SET looked_at = now() + interval '10 days' WHERE environment = 'live'")
    shop.sql("SELECT checkout.fold_sessions()")
    assert shop.value("SELECT bool_and(looked_at <= now()) FROM checkout_data.session_folds") and differences(shop) == 0


def test_the_worker_counts(shop, module_server):
    late_reports(shop, 30)
    assert shop.value("SELECT count(*) FROM checkout_data.uncounted_hours") > 0
    module_server.configure(worker_enabled="on")
    shop.wake_worker()
    wait_until(lambda: shop.value("SELECT count(*) FROM checkout_data.uncounted_hours") == 0, within=30)
    assert counted(shop) == SESSIONS and differences(shop) == 0
    # Then nothing keeps it awake.
    assert shop.value("SELECT count(next_at) FROM checkout_data.session_folds") == 0
