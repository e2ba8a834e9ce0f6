"""The launcher and the workers are terminated, cancelled and told to reload while they work, and databases come and go."""

import time

import psycopg2
from conftest import DROP_EXTENSION, wait_until
from crashes import processes
from customers import Customers

SIGNALS_OF_A_DATABASE = 100
BACK_WITHIN = 10
SIGNALS = {
    "terminated workers": ("checkout_sessions worker", "pg_terminate_backend"),
    "terminated launchers": ("checkout_sessions launcher", "pg_terminate_backend"),
    "cancelled workers": ("checkout_sessions worker", "pg_cancel_backend"),
    "cancelled launchers": ("checkout_sessions launcher", "pg_cancel_backend"),
}


def signal_one(part, server, name):
    backend_type, function = SIGNALS[name]
    pids = processes(server, f"backend_type = '{backend_type}'")
    if not pids:
        return
    server.database().sql(f"SELECT {function}(%s)", part.random.choice(pids))
    part.count("signals")
    part.count(name)


def another_database(part, server, number):
    """A database with sessions that are due comes, and goes by force, or is renamed, while the worker is at work."""
    admin, name = server.database(), f"passing_{number}"
    admin.sql(f"CREATE DATABASE {name}")
    passing = server.database(name)
    passing.install()
    passing.insert_sessions(part.random.choice([10, 500]))
    passing.wake_worker()
    time.sleep(part.random.uniform(0, 0.3))
    how = part.random.choice(["dropped by force", "extension dropped", "renamed"])
    if how == "extension dropped":
        passing.sql(DROP_EXTENSION)
    elif how == "renamed":
        # The worker makes way at the latest when it has nothing to do.
        wait_until(lambda: renames(admin, name), within=15)
        name += "_renamed"
    admin.sql(f"DROP DATABASE {name} WITH (FORCE)")
    admin.sql(f"DROP OWNED BY {passing.shop}; DROP ROLE {passing.shop}")
    part.count(f"databases {how}")


def renames(admin, name):
    try:
        admin.sql(f"ALTER DATABASE {name} RENAME TO {name}_renamed")
        return True
    except psycopg2.errors.ObjectInUse:
        return False


def run_one_database(part, server, number):
    db = server.create_database()
    Customers.prepare(db)
    customers = Customers(part, db, count=3, lifetimes=("1 hour", "1 second", "1 second"), seed=number).start()
    for n in range(SIGNALS_OF_A_DATABASE):
        if not part.goes_on():
            break
        what = part.random.random()
        if what < 0.05:
            another_database(part, server, f"{number}_{n}")
        elif what < 0.15:
            server.configure(worker_batch_size=part.random.choice([1, 50, 1000]))
            part.count("signals")
            part.count("reloads")
        else:
            signal_one(part, server, part.random.choice(list(SIGNALS)))
        time.sleep(part.random.choice([0, 0, 0.05, 0.3]))
        if n % 20 == 19:
            # What is due now is expired soon, whoever was stopped.
            began, now = time.monotonic(), db.value("SELECT clock_timestamp()")
            overdue = "SELECT count(*) FROM checkout_data.open_sessions WHERE deadline < %s"
            wait_until(lambda: db.value(overdue, now) == 0, within=BACK_WITHIN)
            part.longest("seconds until the worker had caught up", time.monotonic() - began)
            lost = customers.verify()
            part.check(not lost, f"lost: {lost[:5]}")
    customers.stop()
    lost = customers.verify(everything=True)
    part.check(not lost, f"lost: {lost[:5]}")
    # The status is right when all is calm again.
    wait_until(
        lambda: (status := db.worker())["launcher_pid"] and status["overdue"] == 0 and status["state"] == "sleeping",
        within=15,
    )
    server.configure()
    part.settle(server)
    server.drop_databases()


def run(part):
    server = part.server("one")
    number = 0
    while part.goes_on():
        number += 1
        run_one_database(part, server, number)
