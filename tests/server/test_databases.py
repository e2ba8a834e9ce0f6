"""CREATE, DROP, ALTER and copy a database while the worker is at work on it: neither waits long for the other."""

import threading
import time
from contextlib import closing

import psycopg2
from conftest import DROP_EXTENSION, wait_until

# The possible errors of a caller while its extension is dropped and created again: no such schema, function, table,
# column, organization; a constraint of a dropped table; the cancelled loser of a deadlock.
GONE = {"3F000", "42883", "42P01", "28000", "40P01", "42501"}


class Customers(threading.Thread):
    """Creates sessions that live for a second, ten times a second, and remembers its errors."""

    def __init__(self, db):
        super().__init__()
        self.db = db
        self.created = 0
        self.errors = set()
        self.closing_time = threading.Event()

    def run(self):
        while not self.closing_time.wait(0.1):
            try:
                # Not in FROM: the server would look up the row type while it reads the statement, and fail with an
                # internal error of its own if the type has just been dropped.
                create = "SELECT checkout.create_checkout_session(10, 'USD', customer_id => 'c', expires_in => '1 second') IS NULL"
                self.db.sql(create, user=self.db.shop)
                self.created += 1
            except psycopg2.Error as error:
                self.errors.add((error.pgcode, str(error)))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.closing_time.set()
        self.join()


def seconds_of(statement, db):
    before = time.monotonic()
    db.sql(statement)
    return time.monotonic() - before


def test_extension_is_dropped_and_created_anew_while_sessions_are_due(db):
    with Customers(db) as customers:
        wait_until(lambda: db.expired_count() >= 3)
        for _ in range(2):
            assert seconds_of(DROP_EXTENSION, db) < 5
            assert db.sql("SELECT 1 FROM pg_namespace WHERE nspname ~ '^checkout'") == []
            db.install()
            created = customers.created
            wait_until(lambda: customers.created > created)
            wait_until(lambda: db.expired_count() >= 3)
    assert {error for error in customers.errors if error[0] not in GONE} == set()
    db.expires_on_time()


def test_nothing_is_said_when_the_extension_is_gone(new_server):
    server = new_server()
    db = server.create_database()
    db.keep_worker_busy()
    db.sql(DROP_EXTENSION)
    log = len(server.log())
    time.sleep(2)
    assert server.log()[log:] == ""
    assert not db.sql("SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker'")


def test_drop_of_the_extension_that_is_rolled_back_leaves_the_worker(db):
    db.keep_worker_busy(seconds=5)
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute(DROP_EXTENSION)
        time.sleep(0.5)
        connection.rollback()
    db.expires_on_time()


def test_creation_of_the_extension_that_is_rolled_back_leaves_nothing(server):
    server.database().sql("CREATE DATABASE undecided")
    undecided = server.database("undecided")
    with closing(undecided.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("CREATE EXTENSION checkout_sessions")
        connection.rollback()
    undecided.install()
    undecided.expires_on_time()


def test_table_locked_for_a_while_delays_its_sessions_and_no_more(new_server):
    server = new_server()
    db = server.create_database()
    log = len(server.log())
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        session = db.create("1 second")
        connection.autocommit = False
        cursor.execute("LOCK TABLE checkout_data.checkout_sessions IN SHARE MODE")
        time.sleep(2)
        assert db.stored_status(session) == "open"
        connection.rollback()
    db.wait_for(session, within=3)
    assert server.log()[log:] == ""


def test_worker_is_back_as_soon_as_a_lock_is_that_held_it_up_for_long(db):
    """Being blocked is no failure, after which it would come later each time."""
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        session = db.create("1 second")
        connection.autocommit = False
        cursor.execute("LOCK TABLE checkout_data.webhook_outbox")
        time.sleep(12)
        status = db.worker()
        assert (status["failures"], status["last_error"]) == (0, "canceling statement due to lock timeout")
        connection.rollback()
    db.wait_for(session, within=3.5)


def test_database_is_dropped_while_the_worker_is_at_work(server, db):
    db.keep_worker_busy()
    assert seconds_of(f"DROP DATABASE {db.name}", server.database()) < 6


def test_dropped_database_is_forgotten(new_server):
    server = new_server()
    db = server.create_database()
    db.value("SELECT pg_terminate_backend(%s)", db.keep_worker_busy())  # the next start would be after a second
    server.database().sql(f"DROP DATABASE {db.name} WITH (FORCE)")
    time.sleep(4)
    assert server.log().count("FATAL:  database") <= 1


def test_database_is_dropped_by_force_at_once(server, db):
    db.keep_worker_busy()
    assert seconds_of(f"DROP DATABASE {db.name} WITH (FORCE)", server.database()) < 2


def test_database_is_dropped_by_force_in_the_middle_of_a_long_sweep(server, db):
    db.sql("""
        CREATE FUNCTION public.slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.1); RETURN NEW; END $$;
        CREATE TRIGGER slow BEFORE INSERT ON checkout_data.webhook_outbox FOR EACH ROW EXECUTE FUNCTION public.slow()""")
    db.insert_sessions(100)
    db.wake_worker()
    in_sweep = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker' AND backend_xid IS NOT NULL"
    wait_until(lambda: db.sql(in_sweep))
    assert seconds_of(f"DROP DATABASE {db.name} WITH (FORCE)", server.database()) < 2


def test_database_is_dropped_by_force_while_a_commit_waits_for_a_standby(new_server):
    server = new_server()
    db = server.create_database()
    db.create("1 second")
    server.database().sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'")
    server.database().sql("SELECT pg_reload_conf()")
    waiting = "SELECT 1 FROM pg_stat_activity WHERE backend_type = 'checkout_sessions worker' AND wait_event = 'SyncRep'"
    wait_until(lambda: server.database().sql(waiting))
    with closing(server.database().connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = local")  # this one does not wait for a standby
        cursor.execute("SET lock_timeout = '3 s'")
        cursor.execute(f"DROP DATABASE {db.name} WITH (FORCE)")
    server.configure()


def test_database_dropped_and_made_anew_under_its_name_has_a_worker(server, db):
    db.keep_worker_busy()
    server.database().sql(f"DROP DATABASE {db.name} WITH (FORCE)")
    server.database().sql(f"CREATE DATABASE {db.name}")
    db.install()
    db.expires_on_time()


def test_database_is_renamed_while_the_worker_is_at_work(server, db):
    db.keep_worker_busy()
    assert seconds_of(f"ALTER DATABASE {db.name} RENAME TO {db.name}_new", server.database()) < 6
    db.name += "_new"
    db.expires_on_time(within=10)


def test_database_is_copied_while_the_worker_is_at_work(server, db):
    db.keep_worker_busy()
    assert seconds_of(f"CREATE DATABASE {db.name}_copy TEMPLATE {db.name}", server.database()) < 6
    db.expires_on_time(within=10)


def test_database_that_is_closed_to_connections_fills_no_log(new_server):
    server = new_server()
    db = server.create_database()
    db.keep_worker_busy(seconds=2)
    server.database().sql(f"ALTER DATABASE {db.name} ALLOW_CONNECTIONS false")
    server.database().sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", db.name)
    time.sleep(2)
    assert server.log().count("not currently accepting connections") <= 3
    server.database().sql(f"ALTER DATABASE {db.name} ALLOW_CONNECTIONS true")
    db.expires_on_time(within=10)


def test_a_database_whose_drop_was_interrupted_fills_no_log(new_server):
    server = new_server()
    db = server.create_database()
    db.keep_worker_busy(seconds=2)
    limit = "UPDATE pg_database SET datconnlimit = %s WHERE datname = %s"
    server.database().sql(limit, -2, db.name)
    server.database().sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", db.name)
    time.sleep(4)
    assert server.log().count("cannot connect to invalid database") <= 3
    server.database().sql(limit, -1, db.name)
    db.expires_on_time(within=10)


def test_database_that_is_read_only_by_default_is_not_written_to(server, db):
    """As hosting providers do it when a disk is full. Existing connections do not notice it; nor would the worker."""
    db.keep_worker_busy(seconds=40)
    create = "SELECT checkout.create_checkout_session(10, 'USD', customer_id => 'c1', expires_in => '1 second')"
    with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
        server.database().sql(f"ALTER DATABASE {db.name} SET default_transaction_read_only = on")
        wait_until(lambda: db.worker()["state"] == "read only", within=15)
        expired = db.expired_count()
        cursor.execute(create)
        time.sleep(2.5)
        assert (db.expired_count(), db.worker()["state"]) == (expired, "read only")
        server.database().sql(f"ALTER DATABASE {db.name} RESET default_transaction_read_only")
        cursor.execute(create)  # otherwise it would look after a minute
        wait_until(lambda: db.expired_count() > expired, within=3)
    assert db.worker()["state"] == "working"
