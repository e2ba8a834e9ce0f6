"""A lack of resources on the relay's own machine: no attempt counts, and no endpoint fails."""

import os
import subprocess
import sys

import pytest
from conftest import run, wait_until
from support.relay import RELAY, Receiver, Relay, attempts, deliveries, pay, register
from support.relay import relay_server, shop, start  # noqa: F401

ROOT_IN_NAMESPACE = [] if os.getuid() == 0 else ["--map-root-user"]
PUBLIC = ["https://93.184.216.34/", "https://[2606:2800:220:1::1]/", "https://shop.example.com/"]
RECEIVER = """
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.send_response(204)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def alone(setup=":"):
    """Runs a program in a network of its own, which contains only what `setup` makes."""
    return ["unshare", "--net", *ROOT_IN_NAMESPACE, "sh", "-ec", f'{setup}; exec "$@"', "sh"]


def within(relay, *command):
    user = [] if os.getuid() == 0 else ["--user", "--preserve-credentials"]
    return ["nsenter", f"--target={relay.process.pid}", "--net", *user, *map(str, command)]


@pytest.fixture
def processes():
    started = []
    yield lambda *command: started.append(subprocess.Popen(command))
    for process in started:
        process.kill()
        process.wait()


def failing(shop):
    return {row["url"] for row in shop.sql("SELECT url FROM checkout_data.webhook_endpoints WHERE failing_since IS NOT NULL")}


def test_a_relay_without_a_network_waits_for_it_and_blames_nobody(shop, start, processes):
    here = start(Receiver)  # Not in the relay's network, where one will soon have the same address.
    near, _ = register(shop, here)
    far = [shop.call("create_webhook_endpoint", url=url)[0]["webhook_endpoint_id"] for url in PUBLIC]
    pay(shop)
    relay = start(Relay, shop, "--listen=127.0.0.1:9187", inside=alone())
    wait_until(lambda: relay.log().count("the relay's machine has no network") > 3, 10)
    assert failing(shop) == set()
    assert [attempts(shop, endpoint) for endpoint in [near, *far]] == [[]] * 4

    run(*within(relay, "ip", "link", "set", "lo", "up"))

    def ask(path):
        command = within(relay, "curl", "--silent", "--max-time", "2", "--write-out", "%{http_code}",
                         f"http://127.0.0.1:9187{path}")
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    assert ask("/healthz") == "the relay's machine has no network\n503"
    assert "checkout_sessions_relay_in_trouble 1" in ask("/metrics")
    assert 'attempts_total{outcome="connect"} 0' in ask("/metrics")
    processes(*within(relay, sys.executable, "-c", RECEIVER, here.server.server_port))
    for endpoint in far:
        shop.call("update_webhook_endpoint", webhook_endpoint_id=endpoint, enabled=False)
    wait_until(lambda: deliveries(shop, near)[0]["status"] == "delivered", 20)
    wait_until(lambda: ask("/healthz") == "ok\n200")
    assert failing(shop) == set()
    assert [attempts(shop, endpoint) for endpoint in far] == [[]] * 3


def test_one_pass_without_a_network_ends_and_says_so(shop, start):
    shop.call("create_webhook_endpoint", url=PUBLIC[0])
    pay(shop)
    relay = start(Relay, shop, "--once", inside=alone())
    assert relay.process.wait(10) == 1
    assert "error: nothing can be sent: the relay's machine has no network" in relay.log()


def test_a_receiver_that_alone_cannot_be_reached_fails(shop, start):
    """Although it is the only one: there is a network, which leads elsewhere."""
    (endpoint,) = shop.call("create_webhook_endpoint", url=PUBLIC[0])
    pay(shop)
    ways = ["local 0.0.0.0/0 dev lo", "unreachable 93.184.216.34 table local"]
    start(Relay, shop, inside=alone("; ".join(["ip link set lo up", *(f"ip route add {way}" for way in ways)])))
    (attempt,) = wait_until(lambda: attempts(shop, endpoint["webhook_endpoint_id"]))
    assert attempt["error"] == "host unreachable"
    assert failing(shop) == {PUBLIC[0]}


def test_without_root_certificates_it_says_so_at_the_start(tmp_path):
    none = {"SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": str(tmp_path)}
    done = subprocess.run([*RELAY, "--once"], env=os.environ | none, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 2
    assert "no root certificates" in done.stderr and "ca-certificates" in done.stderr
