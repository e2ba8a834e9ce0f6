"""Private servers for the tests, on Unix sockets in folders of their own; see scripts/server.

With pytest-xdist several processes run the tests, a file each. A server's name has its process's name, and all that a
test starts has a port or a folder of its own. What all processes share is installed by one, while the others wait.

A test takes `db` (a new database with the extension, on a server that all tests share), `server` (that server), or
`new_server` (makes a server that the test may stop, break and configure). After each test, invariants.sql checks every
database that has the extension, and every log is searched for texts that must never be in it.
"""

import fcntl
import functools
import itertools
import os
import re
import subprocess
import time
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest
from support.all_functions import World

ROOT = Path(__file__).resolve().parents[2]
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target")
# Of the process of pytest-xdist.
PROCESS = "".join(f"-{name}" for name in [os.environ.get("PYTEST_XDIST_WORKER")] if name)
INVARIANTS = Path(__file__).with_name("invariants.sql").read_text()
# Postgres is not run as root.
AS_SERVER_USER = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
# No test cuts the machine's power.
SETTINGS = ["fsync=off"]
DROP_EXTENSION = "SET checkout_sessions.allow_drop = on; DROP EXTENSION checkout_sessions"
# From 16 on the server itself answers GRANT pg_database_owner with XX000.
OF_THE_SERVER = r'(?! (ERROR:  role "pg_database_owner" cannot have explicit|STATEMENT:  GRANT pg_database_owner TO))'
NEVER_IN_A_LOG = re.compile(
    rf"PANIC:|panicked|XX000{OF_THE_SERVER}|terminated by signal (?!9)|ERRORDATA_STACK_SIZE|unexpected state"
)
# With RUST_BACKTRACE in a server's environment every error would have a backtrace, whose words look like a panic.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("RUST_")}
numbers = itertools.count(1)
# The files that take longest come first, so that at the end no process is left alone with one of them.
LONGEST = ["test_attacks", "test_growth", "test_dialects", "test_pages_dashboard", "test_contexts", "test_secrecy",
           "test_pages_pay_everywhere", "test_packages", "test_databases", "test_relay", "test_relay_trouble", "test_restore",
           "test_processes", "test_invariants", "test_gateway_limits", "test_gateway_fuzz", "test_stock"]


def pytest_collection_modifyitems(items):
    if PROCESS:
        items.sort(key=lambda item: (LONGEST + [item.path.stem]).index(item.path.stem))


def wait_until(condition, within=5.0):
    """Polls until `condition` returns a true value, and returns that."""
    deadline = time.monotonic() + within
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f"not so within {within} s; the last answer was {result!r}"
        time.sleep(0.03)


def when_there(copy, session):
    """Waits until the standby has a session."""
    wait_until(lambda: copy.sql("SELECT 1 FROM checkout_data.checkout_sessions WHERE checkout_session_id = %s", session))
    return session


def run(*command, **options):
    """Runs a program and returns what it wrote."""
    options = {"cwd": ROOT, "env": ENVIRONMENT, "text": True, "capture_output": True, **options}
    done = subprocess.run([str(word) for word in command], **options)
    assert done.returncode == 0, f"{command}: exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


@contextmanager
def unless_newer(installed, wanted):
    """Whether what is installed is older than the file that says what is wanted. Other processes wait meanwhile."""
    with open(wanted) as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime


def install_packages(folder):
    """Installs the npm packages of a folder's lock file, unless they are there."""
    with unless_newer(folder / "node_modules/.package-lock.json", folder / "package-lock.json") as missing:
        if missing:
            run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", cwd=folder)


def install_python_packages(name, requirements):
    """Installs the Python packages of a file into an environment below the build's folder, unless they are there.
    Returns the folder of its programs.
    """
    home = TARGET / name
    installed = home / "installed"
    with unless_newer(installed, requirements) as missing:
        if missing:
            run("/usr/bin/python3", "-m", "venv", home)
            run(home / "bin/python", "-m", "pip", "install", "--quiet", "--requirement", requirements)
            installed.touch()
    return home / "bin"


def private_copy(environment):
    return Path(run("scripts/private-postgres", env=environment).splitlines()[-1])


@functools.cache
def programs():
    """The folder of Postgres's programs."""
    return private_copy(ENVIRONMENT)


class Server:
    """A server of PG_CONFIG's Postgres, or of the one that another environment of the scripts has."""

    def __init__(self, name, environment=None):
        self.name = name + PROCESS
        self.environment = environment or ENVIRONMENT
        self.bin = programs() if environment is None else private_copy(environment)
        # The copy of Postgres lies beside the servers.
        self.dir = next(p for p in self.bin.parents if p.name == "postgres" and p.parent.name.isdigit()).parent / self.name
        self.data = self.dir / "data"
        self.settings = []
        self.log_read = 0

    def start(self, *settings):
        """Starts it, with the settings of the last start unless others are given."""
        self.settings = list(settings) or self.settings
        run("scripts/server", "start", self.name, *SETTINGS, *self.settings, env=self.environment)
        return self

    def pg_ctl(self, *arguments):
        run(*AS_SERVER_USER, self.bin / "pg_ctl", f"--pgdata={self.data}", "--silent", *arguments, cwd="/")

    def stop(self, mode="fast"):
        """Stops it. Returns the number of seconds that it took."""
        before = time.monotonic()
        self.pg_ctl("stop", f"--mode={mode}", "--timeout=30")
        return time.monotonic() - before

    def restart(self, *settings):
        self.stop()
        return self.start(*settings)

    def remove(self):
        run("scripts/server", "stop", self.name, "--remove", env=self.environment)

    def running(self):
        status = [*AS_SERVER_USER, self.bin / "pg_ctl", f"--pgdata={self.data}", "status"]
        return subprocess.run(status, cwd="/", stdout=subprocess.DEVNULL, check=False).returncode == 0

    def log(self):
        return (self.dir / "log").read_text(errors="replace")

    def database(self, name="postgres"):
        return Database(self, name)

    def at(self):
        """The options with which Postgres's programs find it."""
        return [f"--host={self.dir}", "--port=54321", "--username=postgres"]

    def configure(self, **settings):
        """Sets settings by ALTER SYSTEM and a reload, without a restart. Without arguments, restores those of the
        start.
        """
        admin = self.database()
        for name, value in settings.items():
            admin.sql(f"ALTER SYSTEM SET checkout_sessions.{name} = %s", value)
        if not settings:
            admin.sql("ALTER SYSTEM RESET ALL")
        admin.sql("SELECT pg_reload_conf()")

    def create_database(self, **organization):
        """Creates a database with the extension, an organization and a role that acts for it."""
        db = self.database(f"shop_{next(numbers)}")
        self.database().sql(f"CREATE DATABASE {db.name}")
        db.install(**organization)
        return db

    def databases(self):
        names = self.database().sql("SELECT datname FROM pg_database WHERE datallowconn AND datname !~ '^template'")
        return [self.database(row["datname"]) for row in names]

    def drop_databases(self):
        for db in self.databases():
            if db.name != "postgres":
                self.database().sql(f"DROP DATABASE {db.name} WITH (FORCE)")

    def check(self):
        """Checks that the invariants hold, and that the log has no forbidden text."""
        if not self.running():
            self.start()
        violations = []
        for db in self.databases():
            if db.sql("SELECT 1 FROM pg_extension WHERE extname = 'checkout_sessions'"):
                violations += [(db.name, *row.values()) for row in db.sql(INVARIANTS)]
        log = self.log()
        bad_lines = [line for line in log[self.log_read :].splitlines() if NEVER_IN_A_LOG.search(line)]
        self.log_read = len(log)
        assert not violations, f"invariants: {violations[:20]}"
        assert not bad_lines, f"in the log: {bad_lines[:20]}"


@contextmanager
def private_server(name, *settings):
    """A server for several tests. It is checked and removed at the end."""
    server = Server(name)
    server.remove()
    try:
        yield server.start(*settings)
        server.check()
    finally:
        server.remove()


class Database:
    def __init__(self, server, name):
        self.server = server
        self.name = name
        self.shop = f"role_of_{name}"
        self.web = f"web_of_{name}"

    def connect(self, user="postgres"):
        connection = psycopg2.connect(
            host=str(self.server.dir), port=54321, dbname=self.name, user=user,
            cursor_factory=psycopg2.extras.RealDictCursor,
        )
        connection.autocommit = True
        return connection

    def sql(self, query, *parameters, user="postgres"):
        with closing(self.connect(user)) as connection, connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else None

    def value(self, query, *parameters, user="postgres"):
        (row,) = self.sql(query, *parameters, user=user)
        (value,) = row.values()
        return value

    def psql(self, *arguments, user="postgres", **options):
        """Runs psql up to the first error. Returns its output."""
        uri = f"host={self.server.dir} port=54321 dbname={self.name} user={user}"
        return run(self.server.bin / "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", *arguments, uri, **options)

    def install(self, **organization):
        self.sql("CREATE EXTENSION IF NOT EXISTS checkout_sessions")
        settings = "".join(f", {name} => %s" for name in organization)
        self.organization_id = self.value(f"SELECT checkout.create_organization('Shop'{settings})", *organization.values())
        if not self.sql("SELECT 1 FROM pg_roles WHERE rolname = %s", self.shop):
            self.sql(f"CREATE ROLE {self.shop} LOGIN")
        self.sql("SELECT checkout.grant_access(%s, 'secret')", self.shop)
        self.sql(f"ALTER ROLE {self.shop} SET checkout_sessions.organization_id = %s", self.organization_id)

    def call(self, function, **arguments):
        """Calls a function as the shop, which is an ordinary role. Returns the rows."""
        named = ", ".join(f"{name} => %s" for name in arguments)
        return self.sql(f"SELECT * FROM checkout.{function}({named})", *arguments.values(), user=self.shop)

    def create(self, expires_in="1 hour", **arguments):
        """Creates a checkout session as the shop. Returns its id."""
        arguments = {"amount": 10, "currency_code": "USD", "customer_id": "c1", "expires_in": expires_in, **arguments}
        return self.call("create_checkout_session", **arguments)[0]["checkout_session_id"]

    def create_api_key(self, kind="secret", environment="live", **arguments):
        """Creates an API key of the shop's organization. Returns the key."""
        named = "".join(f", {name} => %s" for name in arguments)
        return self.value(f"SELECT api_key FROM checkout.create_api_key(%s, %s, %s{named})",
                          self.organization_id, kind, environment, *arguments.values())

    def create_web_role(self):
        """Creates a role for clients that have only their API key. Returns its name."""
        self.sql(f"CREATE ROLE {self.web} LOGIN")
        self.sql("SELECT checkout.grant_access(%s, 'request')", self.web)
        return self.web

    def insert_sessions(self, count, every="0 s"):
        """Stores open sessions without the functions: the first is due now, each further one `every` later. The worker
        is not woken.
        """
        self.sql(
            f"""WITH session AS (
                INSERT INTO checkout_data.checkout_sessions (organization_id, environment, checkout_session_id, amount,
                    currency_code, created_at, updated_at, expires_at, max_retry_attempts, customer_id)
                SELECT %s, 'live', gen_random_uuid(), 10, 'USD', hour_ago, hour_ago,
                    clock_timestamp() + (n - 1) * interval '{every}', 3, 'c1'
                FROM generate_series(1, {count}) AS n, (SELECT now() - interval '1 hour') AS at (hour_ago)
                RETURNING *)
            INSERT INTO checkout_data.open_sessions (organization_id, environment, checkout_session_id, deadline)
            SELECT organization_id, environment, checkout_session_id, expires_at FROM session""",
            self.organization_id,
        )

    def wake_worker(self):
        self.sql("SELECT checkout_data.wake_worker()")

    def keep_worker_busy(self, seconds=20):
        """Gives the worker work ten times a second. Returns its pid."""
        self.insert_sessions(seconds * 10, every="100 ms")
        self.wake_worker()
        return wait_until(lambda: self.worker()["pid"])

    def worker(self):
        return self.sql("SELECT * FROM checkout.worker_status()")[0]

    def wait_for_first_look(self):
        """Waits until the worker has looked at the new database and left. It comes to clean up once a minute."""
        wait_until(lambda: (worker := self.worker())["last_sweep_at"] and worker["pid"] is None)

    def row(self, session):
        """A session's row as it is stored, independent of the time, and its deadline."""
        return self.sql("SELECT s.*, checkout_data.deadline(s) AS deadline"
                        " FROM checkout_data.checkout_sessions s WHERE checkout_session_id = %s", session)[0]

    def open_row(self, session):
        """The row that a session has while it has not ended, or None."""
        rows = self.sql("SELECT * FROM checkout_data.open_sessions WHERE checkout_session_id = %s", session)
        return rows[0] if rows else None

    def stored_status(self, session):
        """What the two rows of a session say: of one that the sweep has expired only the second is gone."""
        status = self.row(session)["status"]
        return "expired" if status == "open" and not self.open_row(session) else status

    def events(self, session):
        query = "SELECT * FROM checkout_data.webhook_outbox WHERE subject_id = %s ORDER BY sequence"
        return self.sql(query, session)

    def event_types(self, session):
        return [event["event_type"].rpartition(".")[2] for event in self.events(session)]

    def wait_for(self, session, status="expired", within=5.0):
        wait_until(lambda: self.stored_status(session) == status, within)

    def expired_count(self):
        return self.value(
            "SELECT count(*) FROM checkout_data.checkout_sessions s"
            " LEFT JOIN checkout_data.open_sessions o USING (organization_id, environment, checkout_session_id)"
            " WHERE s.status = 'expired' OR s.status = 'open' AND o.deadline IS NULL")

    def expires_on_time(self, within=5.0):
        """Checks that the worker expires a new session that lives for a second."""
        self.wait_for(self.create("1 second"), within=within)

    def overdue_session(self):
        """Creates a session whose deadline has passed, on a server whose worker is disabled."""
        session = self.create("1 second")
        wait_until(lambda: self.value("SELECT now() > %s", self.row(session)["deadline"]))
        return session


@pytest.fixture(scope="session")
def shared_server():
    with private_server("py-shared") as server:
        yield server


@pytest.fixture
def server(shared_server):
    yield shared_server
    shared_server.configure()
    try:
        shared_server.check()
    finally:
        shared_server.drop_databases()


@pytest.fixture
def db(server):
    return server.create_database()


@pytest.fixture
def world(db):
    """An organization with data for every function."""
    world = World(db)
    assert not world.missing()
    return world


@pytest.fixture
def new_server():
    servers = []

    def make(*settings, start=True):
        server = Server(f"py-{next(numbers)}")
        server.remove()
        servers.append(server)
        return server.start(*settings) if start else server

    yield make
    try:
        for server in servers:
            server.check()
    finally:
        for server in servers:
            server.remove()


@pytest.fixture
def pair(new_server):
    """A primary whose worker is disabled, so that overdue sessions stay; its standby; and a database on both."""
    primary = new_server("checkout_sessions.worker_enabled=off")
    db = primary.create_database()
    return db, standby_of(db, new_server)


def standby_of(db, new_server, *settings):
    """Makes a standby of a database's server. Returns the database there."""
    primary, standby = db.server, new_server(start=False)
    run("install", "-d", "-m", "700", *(["-o", "postgres"] if AS_SERVER_USER else []), standby.dir)
    run(*AS_SERVER_USER, primary.bin / "pg_basebackup", "-h", primary.dir, "-p", "54321", "-U", "postgres",
        "-D", standby.data, "--checkpoint=fast", "--no-sync", "--write-recovery-conf", cwd="/")
    standby.start("wal_retrieve_retry_interval=100ms", *settings)
    wait_until(lambda: "started streaming" in standby.log(), within=10)
    copy = standby.database(db.name)
    copy.organization_id = db.organization_id
    return copy


@pytest.fixture(scope="session")
def minute():
    """Three databases with a due session of which the launcher was not told; and one where a key was used."""
    with private_server("py-minute", "max_prepared_transactions=1") as server:
        source, prepared = server.create_database(), server.create_database()
        wait_until(lambda: source.worker()["state"] == prepared.worker()["state"] == "sleeping")
        with closing(prepared.connect(prepared.shop)) as connection, connection.cursor() as cursor:
            connection.autocommit = False
            cursor.execute(
                "SELECT checkout.create_checkout_session(10, 'USD', customer_id => 'c1', expires_in => '1 second')"
            )
            cursor.execute("PREPARE TRANSACTION 'sale'")
        prepared.sql("COMMIT PREPARED 'sale'")
        used = server.create_database()
        used.sql("SELECT checkout.authenticate(%s)", used.create_api_key())
        source.insert_sessions(1)
        server.database().sql(f"CREATE DATABASE copy TEMPLATE {source.name}")
        copy = server.database("copy")
        copy.shop = source.shop
        yield {"source": source, "prepared": prepared, "copy": copy, "used": used}


@pytest.fixture(scope="session", autouse=True)
def start_of_the_minute(request):
    """If one of the chosen tests waits for the minute, the minute begins before the first test."""
    if any("minute" in item.fixturenames for item in request.session.items):
        request.getfixturevalue("minute")
