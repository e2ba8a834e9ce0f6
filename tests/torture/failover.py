"""A standby is promoted while clients buy. What a synchronous standby has acknowledged is there; of an asynchronous one
the last moment may be lost, and nothing before it.
"""

import os
import signal
import time

import psycopg2
from conftest import AS_SERVER_USER, wait_until
from conftest import run as run_program
from crashes import BACK_WITHIN, answers, kill_all, stop_at_once
from customers import HALVES, Customers
from harness import DURABLE

PROMOTIONS_OF_A_DATABASE = 8
SETTINGS = [*DURABLE, "wal_retrieve_retry_interval=100ms", "hot_standby_feedback=on"]


def make_standby(primary, standby):
    """Copies the primary to where the standby is to be, in place of what was there."""
    standby.remove()
    standby.log_read = 0
    run_program("install", "-d", "-m", "700", *(["-o", "postgres"] if AS_SERVER_USER else []), standby.dir)
    run_program(
        *AS_SERVER_USER,
        primary.bin / "pg_basebackup",
        "-h",
        primary.dir,
        "-p",
        "54321",
        "-U",
        "postgres",
        "-D",
        standby.data,
        "--checkpoint=fast",
        "--no-sync",
        "--write-recovery-conf",
        cwd="/",
    )
    standby.start(*SETTINGS)
    streams = "SELECT 1 FROM pg_stat_replication WHERE state = 'streaming'"
    wait_until(lambda: primary.database().sql(streams), within=30)


def be_synchronous(server, whether):
    admin = server.database()
    admin.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{'*' if whether else ''}'")
    admin.sql("SELECT pg_reload_conf()")
    if whether:
        wait_until(lambda: admin.sql("SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'"), within=10)


def connect_to(servers, db):
    """Connects to the one that takes writes, as a client with several hosts does."""
    hosts = {"host": ",".join(str(server.dir) for server in servers), "port": ",".join("54321" for _ in servers)}

    def connect():
        connection = psycopg2.connect(
            **hosts,
            dbname=db.name,
            user=db.shop,
            target_session_attrs="read-write",
            connect_timeout=3,
            cursor_factory=psycopg2.extras.RealDictCursor,
        )
        connection.autocommit = True
        return connection

    return connect


def is_idle_and_readable(part, copy):
    """A standby has no worker, shows sessions, and refuses writes as read-only."""
    workers = copy.sql("SELECT backend_type FROM pg_stat_activity WHERE backend_type LIKE 'checkout_sessions%%'")
    part.check(not workers, f"on the standby there is {workers}")
    # What replication removes from under a reader is no fault.
    copy.sql("SET statement_timeout = '10 s'; SELECT * FROM checkout.list_checkout_sessions()", user=copy.shop)
    try:
        copy.create()
        part.violation("the standby took a write")
    except psycopg2.Error as error:
        part.check(error.pgcode == "25006", f"the standby answered {error.pgcode}: {error}")
    part.count("looks at a standby")


def is_a_suffix(part, facts, lost):
    """Of what each client was told, only the last may be lost."""
    by_client = {}
    for kind, fact, client in facts:
        by_client.setdefault(client, []).append((kind, fact) in lost)
    for client, gone in by_client.items():
        first = gone.index(True) if True in gone else len(gone)
        part.check(all(gone[first:]), f"{client} lost something, and kept what came later: {gone[first:]}")


def promote(part, primary, standby, db, number):
    """One failover. Returns the database on the new primary."""
    copy = standby.database(db.name)
    copy.organization_id = db.organization_id
    synchronous = part.random.random() < 0.5
    lagging = not synchronous and part.random.random() < 0.5
    be_synchronous(primary, synchronous)
    customers = Customers(
        part, copy, connect=connect_to((primary, standby), db), seed=number, may_forget=not synchronous
    ).start()
    time.sleep(part.random.uniform(0.3, 1.5))
    is_idle_and_readable(part, copy)
    if lagging:
        receiver = standby.database().value("SELECT pid FROM pg_stat_activity WHERE backend_type = 'walreceiver'")
        os.kill(receiver, signal.SIGSTOP)
        time.sleep(part.random.uniform(0.05, 0.3))
    part.random.choice([kill_all, stop_at_once])(primary, part.random)
    if lagging:
        os.kill(receiver, signal.SIGCONT)
    customers.wait_until_all_are_away()
    with customers.lock:
        told, customers.checked = list(customers.facts), len(customers.facts)
    began = time.monotonic()
    standby.pg_ctl("promote", "--wait")
    part.count("promotions")
    part.count("promotions of a synchronous standby" if synchronous else "promotions of an asynchronous standby")
    now = wait_until(lambda: answers(copy), within=30)
    lost = customers.lost(told)
    if synchronous:
        part.count("acknowledged by two", len(told))
        part.check(not lost, f"a synchronous standby lost {lost}")
    else:
        part.count("acknowledged by one", len(told))
        part.count("lost, as an asynchronous standby may", len(lost))
        # Events whose acknowledgement was lost are delivered and acknowledged again.
        is_a_suffix(part, [fact for fact in told if fact[0] != "delivered"], lost)
    overdue = "SELECT count(*) FROM checkout_data.open_sessions WHERE deadline < %s"
    wait_until(lambda: copy.value(overdue, now) == 0, within=BACK_WITHIN)
    part.longest("seconds from the promotion until the worker had caught up", time.monotonic() - began)
    time.sleep(0.3)
    customers.stop()
    with customers.lock:
        later = customers.facts[customers.checked :]
    part.check(later, "nobody could buy after the promotion")
    part.check(not (gone := customers.lost(later)), f"lost after the promotion: {gone}")
    part.count("acknowledged after promotions", len(later))
    return copy


def run(part):
    primary, standby = part.server("a", *SETTINGS), part.server("b", start=False)
    number = 0
    while part.goes_on():
        db = primary.create_database()
        Customers.prepare(db)
        for _ in range(PROMOTIONS_OF_A_DATABASE):
            make_standby(primary, standby)
            number += 1
            db = promote(part, primary, standby, db, number)
            primary, standby = standby, primary
            if not part.goes_on():
                break
        part.settle(primary)
        halves = db.sql(HALVES)
        part.check(not halves, f"half a transaction: {halves[:5]}")
        primary.drop_databases()
