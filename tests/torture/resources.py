"""What a server lacks: a disk with room, locks, memory, time. Clean errors, nothing lost, and no work by hand afterwards."""

import os
import re
import signal
import subprocess
import time

import psycopg2
from conftest import AS_SERVER_USER, wait_until
from conftest import run as run_program
from crashes import answers, processes, start_again
from customers import Customers
from harness import DURABLE, in_threads

DISK_MB = 200
# The server's own, when its disk is full: it stops rather than lose a transaction.
DISK_FULL = re.compile(r"No space left on device|could not write|PANIC:  could not")
# A process of the server that has no room for the WAL aborts, and takes the server with it.
PANICKED = re.compile(r"PANIC:  could not .*: No space left on device")
PANICKED_FOR_ROOM = re.compile(rf"{DISK_FULL.pattern}|terminated by signal 6: Aborted")
OUT_OF = {"53000", "53100", "53200", "53300", "58030", "57014", "55P03", "58P01"}
PAUSE = 5


def check(part, db, customers):
    customers.stop()
    lost = customers.verify() + customers.verify(everything=True)
    part.check(not lost, f"lost: {lost[:5]}")


def catches_up(part, db, within=30):
    began, now = time.monotonic(), db.value("SELECT clock_timestamp()")
    overdue = "SELECT count(*) FROM checkout_data.open_sessions WHERE deadline < %s"
    wait_until(lambda: db.value(overdue, now) == 0, within=within)
    part.longest("seconds until the worker had caught up", time.monotonic() - began)


def disk_full(part, number):
    """A server on a small disk that fills up while customers buy, and is then given room."""
    server = part.server("disk", start=False)
    run_program("install", "-d", "-m", "700", server.dir)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m,mode=700", "none", server.dir]
    if subprocess.run([str(word) for word in mount], check=False, capture_output=True).returncode != 0:
        part.count("full disks that could not be made, because mount is not allowed")
        return
    try:
        if AS_SERVER_USER:
            run_program("chown", "postgres", server.dir)
        run_program(*AS_SERVER_USER, "cp", "-a", server.bin.parents[4] / "empty", server.data, cwd="/")
        run_program(
            *AS_SERVER_USER, "tee", "-a", server.data / "postgresql.conf", input="include 'server.conf'\n", cwd="/"
        )
        server.log_read = 0
        server.start(*DURABLE, "max_wal_size=48MB", "min_wal_size=32MB", "wal_recycle=on")
        db = server.create_database()
        Customers.prepare(db)
        customers = Customers(part, db, count=4, allowed=OUT_OF, seed=number).start()
        time.sleep(0.5)
        ballast = server.dir / "ballast"
        with open(ballast, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 16))
            except OSError:
                pass  # it is full
        time.sleep(part.random.uniform(1, 3))
        ballast.unlink()
        if not server.running():
            start_again(server)
            part.count("servers that had stopped for want of room")
        wait_until(lambda: answers(db), within=60)
        time.sleep(0.5)
        catches_up(part, db)
        check(part, db, customers)
        panicked = PANICKED.search(server.log()[server.log_read :])
        part.settle(server, allowed=PANICKED_FOR_ROOM if panicked else DISK_FULL)
        part.count("full disks")
    finally:
        if server.running():
            server.stop("immediate")
        run_program("umount", "--lazy", server.dir)


def can_commit(db):
    """Whether a commit needs less than three seconds. In a process of its own, which can be given up."""
    command = [
        db.server.bin / "psql",
        "--no-psqlrc",
        *db.server.at(),
        "--command",
        "SELECT pg_logical_emit_message(true, 'a', 'b')",
        db.name,
    ]
    try:
        return (
            subprocess.run([str(word) for word in command], check=False, capture_output=True, timeout=3).returncode == 0
        )
    except subprocess.TimeoutExpired:
        return False


def waits_for_server(db, pid):
    waits = "SELECT 1 FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'LWLock'"
    return bool(db.server.database().sql(waits, pid))


def stop_the_worker(part, db):
    """Stops it where it neither holds nor waits for a lock of the server's own. Whatever process stands still while it writes
    the server's log, or first in the queue for such a lock, it stops all others.
    """
    for _ in range(50):
        pid = db.keep_worker_busy(1)
        try:
            os.kill(pid, signal.SIGSTOP)
        except ProcessLookupError:
            continue
        if can_commit(db) and not waits_for_server(db, pid):
            return pid
        os.kill(pid, signal.SIGCONT)
        part.count("stops that were given up, because others waited for the worker")
    raise AssertionError("the worker could not be stopped without a lock")


def stopped_worker(part, server, number):
    """The worker stands still in the middle of its work. Who reads and who pays does not notice."""
    db = server.create_database()
    Customers.prepare(db)
    customers = Customers(part, db, count=4, seed=number).start()
    pid = stop_the_worker(part, db)
    try:
        session = db.create("1 second")
        time.sleep(PAUSE)
        status = db.call("get_checkout_session", checkout_session_id=session)[0]["status"]
        part.check(status == "expired", f"a session is {status} because the worker stands still")
        late = db.call(
            "record_payment", checkout_session_id=session, payment_id=f"late-{session}", outcome="succeeded"
        )[0]
        part.check(late["status"] == "rejected", f"a late payment is {late['status']} because the worker stands still")
    finally:
        os.kill(pid, signal.SIGCONT)
    catches_up(part, db)
    check(part, db, customers)
    part.settle(server)
    part.count("workers that stood still")
    server.drop_databases()


def impatient(part, server, number):
    """Callers who wait for locks and statements for a few milliseconds only, on one product."""
    db = server.create_database(uses_catalog=True)
    db.call("create_product", name="Tea", product_id="tea", on_hand=1_000_000)
    db.call("create_price", product_id="tea", currency_code="USD", amount=9)
    db.sql(f"ALTER ROLE {db.shop} IN DATABASE {db.name} SET lock_timeout = '3ms'")
    db.sql(f"ALTER ROLE {db.shop} IN DATABASE {db.name} SET statement_timeout = '40ms'")
    until = time.monotonic() + 4

    def call(chance):
        connection = db.connect(db.shop)
        asked = refused = 0
        sessions = []
        while time.monotonic() < until:
            try:
                with connection.cursor() as cursor:
                    if chance.random() < 0.5 or not sessions:
                        cursor.execute(
                            "SELECT checkout_session_id AS id FROM checkout.create_checkout_session(product_id => 'tea',"
                            " customer_id => 'c')"
                        )
                        sessions.append(cursor.fetchone()["id"])
                    else:
                        session = chance.choice(sessions)
                        cursor.execute(
                            "SELECT * FROM checkout.record_payment(%s, %s, 'succeeded')", (session, f"p-{session}")
                        )
                asked += 1
            except psycopg2.Error as error:
                refused += 1
                if error.pgcode not in {"55P03", "57014", "PT409"}:
                    part.violation(f"an impatient caller got {error.pgcode}: {error}")
                    return
        part.count("impatient calls", asked + refused)
        part.count("of them given up", refused)

    in_threads([lambda n=n: call(part.chance(number, n)) for n in range(8)])
    db.sql("SELECT checkout.run_maintenance()")
    part.settle(server)
    part.count("storms of timeouts")
    server.drop_databases()


def few_locks(part, number):
    """Hardly any locks and little memory, in transactions that need many."""
    server = part.server("locks")
    # It needs more locks than there will be.
    db = server.create_database()
    server.restart(
        "max_locks_per_transaction=10",
        "max_connections=12",
        "work_mem=64kB",
        "max_wal_senders=0",
        "max_pred_locks_per_transaction=10",
        "shared_buffers=1MB",
        "maintenance_work_mem=1MB",
        "autovacuum_max_workers=1",
        "max_worker_processes=3",
    )
    with db.connect(db.shop) as connection:
        for isolation in ("READ COMMITTED", "SERIALIZABLE"):
            with connection.cursor() as cursor:
                try:
                    cursor.execute(f"BEGIN ISOLATION LEVEL {isolation}")
                    for _ in range(40):
                        cursor.execute(
                            "SAVEPOINT s; SELECT checkout.create_checkout_session(10, 'USD', customer_id => 'c1')"
                        )
                        cursor.execute(
                            "SELECT count(*) FROM checkout.checkout_sessions, checkout.payments, checkout.webhook_events"
                        )
                    cursor.execute("COMMIT")
                except psycopg2.Error as error:
                    part.check(error.pgcode in ("53200", "40001"), f"few locks: {error.pgcode} {error}")
                    cursor.execute("ROLLBACK")
    connection.close()
    db.expires_on_time(within=15)
    part.settle(server)
    server.remove()
    part.count("servers with few locks")


def killed_by_the_system(part, server, number):
    """As the kernel does where memory is short: the worker is killed, again and again."""
    db = server.create_database()
    Customers.prepare(db)
    customers = Customers(part, db, count=4, seed=number).start()
    for _ in range(3):
        time.sleep(0.5)
        for pid in processes(server, "backend_type LIKE 'checkout_sessions %'")[:1]:
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda: answers(db), within=60)
    time.sleep(0.5)
    catches_up(part, db)
    check(part, db, customers)
    part.settle(server)
    part.count("kills for want of memory", 3)
    server.drop_databases()


def run(part):
    server = part.server("one", *DURABLE)
    number = 0
    while part.goes_on():
        for fault in (
            lambda n: disk_full(part, n),
            lambda n: stopped_worker(part, server, n),
            lambda n: impatient(part, server, n),
            lambda n: few_locks(part, n),
            lambda n: killed_by_the_system(part, server, n),
        ):
            number += 1
            fault(number)
            if not part.goes_on():
                break
        part.count("rounds")
