"""Servers that are killed under load: nothing that was acknowledged is lost, nothing happens twice or by half."""

import os
import signal
import time
from pathlib import Path

import psycopg2
from conftest import AS_SERVER_USER, wait_until
from conftest import run as run_program
from customers import Customers
from harness import DURABLE, bury

CRASHES_OF_A_DATABASE = 25
BACK_WITHIN = 15


def postmaster(server):
    return int((server.data / "postmaster.pid").read_text().split()[0])


def children(pid):
    """The processes that a process has started."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(status.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
        except (OSError, ValueError):
            pass  # it has ended
    return found


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
        return True
    except ProcessLookupError:
        return False


def processes(server, where):
    rows = server.database().sql(
        f"SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND {where} ORDER BY pid"
    )
    return [row["pid"] for row in rows]


def stop_at_once(server, chance):
    server.pg_ctl("stop", "--mode=immediate", "--timeout=60")


def kill_postmaster(server, chance):
    pid = postmaster(server)
    kill(pid)
    bury(pid)


def kill_all(server, chance):
    """Without a chance for any process to see that another is gone."""
    parent = postmaster(server)
    for pid in [parent, *children(parent)]:
        kill(pid)
    bury(parent)


def kill_one(where):
    def crash(server, chance):
        pids = processes(server, where)
        if not pids or not kill(chance.choice(pids)):
            raise LookupError

    return crash


CRASHES = {
    "immediate stops": stop_at_once,
    "postmasters": kill_postmaster,
    "whole servers": kill_all,
    "backends": kill_one("backend_type = 'client backend'"),
    "workers": kill_one("backend_type = 'checkout_sessions worker'"),
    "launchers": kill_one("backend_type = 'checkout_sessions launcher'"),
    "helpers": kill_one("backend_type IN ('checkpointer', 'background writer', 'walwriter', 'autovacuum launcher')"),
}


def start_again(server):
    """Starts it as whoever watches a server would: without the settings written anew."""
    command = [
        *AS_SERVER_USER,
        server.bin / "pg_ctl",
        f"--pgdata={server.data}",
        f"--log={server.dir / 'log'}",
        "--silent",
        "--wait",
        "start",
    ]
    deadline = time.monotonic() + 60
    while True:
        try:
            return run_program(*command, cwd="/")
        except AssertionError:
            # The orphans of a killed postmaster need a moment to end.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def answers(db):
    try:
        return db.sql("SELECT clock_timestamp() AS now")[0]["now"]
    except psycopg2.Error:
        return None


def crash(part, server, db, customers):
    """Crashes it once, waits until it is back, and checks what it had acknowledged. Returns false if there was nothing to
    kill.
    """
    name = part.random.choice(list(CRASHES))
    started = db.value("SELECT pg_postmaster_start_time()")
    restarts = server.log().count("all server processes terminated")
    try:
        CRASHES[name](server, part.random)
    except (LookupError, psycopg2.Error):
        return False
    part.count("crashes")
    part.count(name)
    if name in ("immediate stops", "postmasters", "whole servers"):
        start_again(server)
    else:
        wait_until(lambda: server.log().count("all server processes terminated") > restarts, within=30)
    now = wait_until(lambda: answers(db), within=60)
    part.check(now > started, "the clock stands still")
    back = time.monotonic()
    for kind, fact in customers.verify():
        part.violation(f"lost after {name}: {kind} {fact}")
    overdue = "SELECT count(*) FROM checkout_data.open_sessions WHERE deadline < %s"
    try:
        wait_until(lambda: db.value(overdue, now) == 0, within=BACK_WITHIN)
    except AssertionError as fault:
        part.violation(f"the worker does not expire what was due, after {name}: {fault}")
    part.longest("seconds until the worker had caught up", time.monotonic() - back)
    return True


def run_one_database(part, server, number):
    db = server.create_database()
    Customers.prepare(db)
    customers = Customers(part, db, seed=number).start()
    crashed = 0
    while crashed < CRASHES_OF_A_DATABASE and part.goes_on():
        time.sleep(part.random.uniform(0.02, 0.5))
        crashed += crash(part, server, db, customers)
    customers.stop()
    for kind, fact in customers.verify(everything=True):
        part.violation(f"lost at the end: {kind} {fact}")
    wait_until(lambda: db.worker()["launcher_pid"], within=BACK_WITHIN)
    part.settle(server)
    server.drop_databases()


def run(part):
    server = part.server("one", *DURABLE)
    number = 0
    while part.goes_on():
        number += 1
        run_one_database(part, server, number)
