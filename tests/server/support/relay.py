"""Relays and receivers for the tests: the real program, and HTTP servers on loopback that keep the requests that they
receive. The fixtures are for the modules that import them.
"""

import json
import signal
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import ENVIRONMENT, TARGET, Database, Server

RELAY = [TARGET / "release/checkout-sessions", "relay"]
ALLOWED = "checkout_sessions.webhook_allowed_ranges=127.0.0.0/8"
# Short, so that the tests are short, too: a lease ends after three seconds.
OPTIONS = {"timeout": "2s", "lease": "3s", "log-format": "json"}


class Request:
    def __init__(self, path, headers, body):
        self.path, self.headers, self.body, self.at = path, headers, body, time.time()

    @property
    def event(self):
        return json.loads(self.body)

    @property
    def id(self):
        return self.headers["webhook-id"]


class Receiver:
    """An HTTP server. `answer(request)` returns a status, or a status and headers and a body."""

    def __init__(self, answer=lambda request: 204, address="127.0.0.1", tls=None):
        self.requests = []
        self.connections = 0
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self):
                receiver.connections += 1
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                names = {name.lower(): value for name, value in self.headers.items()}
                request = Request(self.path, names, body)
                receiver.requests.append(request)
                answer = receiver.answer(request)
                status, headers, body = answer if isinstance(answer, tuple) else (answer, {}, b"")
                if status is None:  # hang up
                    self.close_connection = True
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self.answer = answer
        self.server = ThreadingHTTPServer((address, 0), Handler)
        self.server.daemon_threads = True
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.url = f"{'https' if tls else 'http'}://{address}:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def ids(self):
        return [request.id for request in self.requests]

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Relay:
    """A relay that works for a database."""

    def __init__(self, db, *options, user="relay", inside=()):
        self.log_file = db.server.dir / f"relay-{time.monotonic_ns()}.log"
        environment = {name: value for name, value in ENVIRONMENT.items() if not name.startswith("PG")}
        environment |= {"PGHOST": str(db.server.dir), "PGPORT": "54321", "PGUSER": user, "PGDATABASE": db.name}
        usual = [f"--{name}={value}" for name, value in OPTIONS.items()
                 if not any(option.startswith(f"--{name}=") for option in options)]
        with open(self.log_file, "wb") as log:
            self.process = subprocess.Popen([*inside, *RELAY, *usual, *options], env=environment, cwd="/", stderr=log)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, within=10):
        """Asks it to stop. Returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(within)

    def log(self):
        return self.log_file.read_text()


def prepare(db):
    """Creates a role for relays, and a shop in the test environment: there, endpoints may be on this machine."""
    if not db.sql("SELECT 1 FROM pg_roles WHERE rolname = 'relay'"):
        db.sql("CREATE ROLE relay LOGIN")
    db.sql("SELECT checkout.grant_access('relay', 'relay')")
    db.sql(f"ALTER ROLE {db.shop} SET checkout_sessions.environment = 'test'")
    return db


def register(db, receiver, **arguments):
    """Registers an endpoint of the shop at a receiver. Returns its id and its secret."""
    (endpoint,) = db.call("create_webhook_endpoint", url=receiver.url, **arguments)
    return endpoint["webhook_endpoint_id"], endpoint["secret"]


def pay(db, number=1):
    """Pays new sessions, each of which makes an event. Returns their ids."""
    sessions = [db.create() for _ in range(number)]
    for session in sessions:
        db.call("record_payment", checkout_session_id=session, payment_id=f"pay_{session}", outcome="succeeded")
    return sessions


def deliveries(db, endpoint):
    return db.call("list_webhook_deliveries", webhook_endpoint_id=endpoint, page_size=100)


@pytest.fixture(scope="module")
def relay_server():
    server = Server("py-relay")
    server.remove()
    yield server.start(ALLOWED)
    server.remove()


@pytest.fixture
def shop(relay_server):
    """A shop in a database of its own, on a server whose relays may call this machine."""
    yield prepare(relay_server.create_database())
    relay_server.check()
    relay_server.drop_databases()


@pytest.fixture
def start():
    """Starts relays and receivers, and ends them with the test."""
    started = []

    def start(kind, *arguments, **more):
        started.append(kind(*arguments, **more))
        return started[-1]

    yield start
    for thing in reversed(started):
        thing.kill() if isinstance(thing, Relay) else thing.stop()


def genuine(db, request, secret, scheme="standard"):
    return db.value("SELECT checkout.verify_webhook(%s, %s, %s, %s)",
                    json.dumps(request.headers), request.body.decode(), secret, scheme)


def attempts(db, endpoint):
    (delivery,) = deliveries(db, endpoint)
    return db.call("list_webhook_attempts", event_id=delivery["event_id"], webhook_endpoint_id=endpoint)


def another(shop):
    """Another organization in the same database."""
    other = Database(shop.server, shop.name)
    other.shop = f"other_{shop.shop}"
    other.organization_id = other.value("SELECT checkout.create_organization('Other')")
    other.sql(f"CREATE ROLE {other.shop} LOGIN")
    other.sql("SELECT checkout.grant_access(%s, 'secret')", other.shop)
    other.sql(f"ALTER ROLE {other.shop} SET checkout_sessions.organization_id = %s", other.organization_id)
    other.sql(f"ALTER ROLE {other.shop} SET checkout_sessions.environment = 'test'")
    return other
