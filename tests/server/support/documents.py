"""The documents' own examples of requests and answers, and their senders: curl, and clients in Python and JavaScript.
"""

import json
import re
import subprocess
import urllib.parse
from contextlib import contextmanager
from types import SimpleNamespace

from conftest import ENVIRONMENT, ROOT, install_packages
from support.web_server import Answer, request

CLIENTS = ROOT / "tests/server/clients/dialects"
DOCUMENTED = CLIENTS / "documented"
# The page of a session has its client secret in the fragment.
PAGE = r"[0-9a-f-]{36}#cs_secret_[A-Za-z0-9_-]{66}"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
HOSTS = {
    "lomi": "https://api.lomi.africa", "paygate": "https://api.44.200.142.19.nip.io",
    "flutterwave": "https://developersandbox-api.flutterwave.com",
}
SAMPLES = ["cs_abc123def456", "987e6543-e89b-12d3-a456-426614174000"]


def documented(dialect, name):
    return json.loads((DOCUMENTED / dialect / f"{name}.json").read_text())


def curl_lines(dialect):
    return (DOCUMENTED / dialect / "curl.sh").read_text().strip().split("\n\n")


def curl(gateway, dialect, line, key, session="none", **placeholders):
    """Runs a documented curl line, with our host, a real key and a real session in place of its samples."""
    assert HOSTS[dialect] in line
    line = line.replace(HOSTS[dialect], gateway.url if gateway.alone else f"{gateway.url}/{dialect}")
    for sample in ("your-api-key", "sk_test_...", "<token>"):
        line = line.replace(sample, key)
    for sample in SAMPLES:
        line = line.replace(sample, session)
    for name, value in placeholders.items():
        assert f'"{name}": "<string>"' in line
        line = line.replace(f'"{name}": "<string>"', f'"{name}": "{value}"')
    arguments = 'curl() { command curl --silent --show-error --include --max-time 20 "$@"; }\n'
    # Bytes, because the line ends of headers matter.
    done = subprocess.run(["bash", "-c", arguments + line], capture_output=True, check=True)
    head, text = done.stdout.decode().split("\r\n\r\n", 1)
    status, *headers = head.split("\r\n")
    assert "content-type: application/json; charset=utf-8" in [header.lower() for header in headers]
    return Answer(int(status.split()[1]), text, None)


def differences(wanted, given, forms, name="answer"):
    """The differences of an answer from the documented one: in fields, their order, types and values; of some fields
    only in form.
    """
    if name in forms:
        good = isinstance(given, str) and re.fullmatch(forms[name], given)
        return [] if good else [f"{name}: {given!r} is not of the form {forms[name]}"]
    if isinstance(wanted, dict) and isinstance(given, dict):
        # metadata is the caller's own, and the members of an object have no order.
        same = wanted.keys() == given.keys() if name == "metadata" else list(wanted) == list(given)
        if not same:
            return [f"{name}: {list(given)} instead of {list(wanted)}"]
        return [fault for key in wanted for fault in differences(wanted[key], given[key], forms, key)]
    if isinstance(wanted, list) and isinstance(given, list) and len(wanted) == len(given):
        return [fault for pair in zip(wanted, given) for fault in differences(*pair, forms, name)]
    kind = lambda value: "number" if type(value) in (int, float) else type(value).__name__
    good = kind(wanted) == kind(given) and wanted == given
    return [] if good else [f"{name}: {given!r} instead of {wanted!r}"]


class Requests:
    """The few parts of the library requests that lomi's example in Python uses."""

    def __init__(self, gateway):
        self.gateway = gateway

    def post(self, url, headers, json):
        return self.send("POST", url, headers, json)

    def get(self, url, headers, params=None):
        query = "?" + urllib.parse.urlencode(params) if params else ""
        return self.send("GET", url + query, headers)

    def send(self, method, url, headers, body=None):
        answer = self.gateway.request(method, url.removeprefix(self.gateway.url), body, headers)
        return SimpleNamespace(json=lambda: answer.body)


@contextmanager
def express_shop(gateway, shop):
    """The document's shop, started with its handlers. Returns a function that calls it."""
    install_packages(CLIENTS)
    node = ["node", CLIENTS / "shop.js", DOCUMENTED / "paygate/example.js", f"{gateway.url}/paygate", shop.test]
    environment = {**ENVIRONMENT, "FRONTEND_URL": "https://shop.example"}
    with subprocess.Popen(node, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline())
            yield lambda method, path, body=None: request(port, method, path, body)
        finally:
            process.terminate()
