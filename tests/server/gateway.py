"""The gateway of examples/gateway before a private server, its requests, and the documents' own examples."""

import http.client
import json
import re
import subprocess
import urllib.parse
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from conftest import ENVIRONMENT, ROOT, install_packages, run, wait_until

EXAMPLE = ROOT / "examples/gateway"
CLIENTS = ROOT / "tests/gateway"
DOCUMENTED = CLIENTS / "documented"
UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
SECONDS = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"

APIS = ["kobo", "lomi", "paygate", "flutterwave", "yuno"]
CREATE = {
    "kobo": "/v1/checkout/session/initialize", "lomi": "/checkout-sessions", "paygate": "/v1/checkout/sessions",
    "flutterwave": "/checkout/sessions", "yuno": "/v1/checkout/sessions",
}
# Flutterwave documents no way to read a session.
GET = {
    "kobo": "/v1/checkout/session/verify/{}", "lomi": "/checkout-sessions/{}", "paygate": "/v1/checkout/sessions/{}",
    "yuno": "/v1/checkout/sessions/{}",
}
# The least that each accepts.
ORDER = {
    "kobo": {"amount": 500000, "email": "ada@example.com"},
    "lomi": {"amount": 10000, "currency_code": "XOF", "customer_email": "john@example.com"},
    "paygate": {"amount": 5000, "success_url": "https://example.com/paid", "cancel_url": "https://example.com/cart"},
    "flutterwave": {"amount": 12.34, "currency": "NGN"},
    "yuno": {"merchant_order_id": "1234", "country": "CO", "amount": {"currency": "COP", "value": 23.5676}},
}
CREATED = {"kobo": 200, "lomi": 201, "paygate": 200, "flutterwave": 200, "yuno": 201}
BASE_URL = "https://pay.example"
YUNO_CODES = {401: "INVALID_CREDENTIALS", 403: "FORBIDDEN", 404: "CHECKOUT_SESSION_NOT_FOUND",
              405: "METHOD_NOT_ALLOWED", 409: "CONFLICT", 500: "INTERNAL_ERROR", 503: "INTERNAL_ERROR"}


def error(api, status, message):
    """The text of an error in the shape of an API."""
    kind = "authentication_error" if status == 401 else "api_error" if status >= 500 else "invalid_request_error"
    return compact({
        "kobo": {"status": False, "message": message, "data": None},
        "lomi": {"statusCode": status, "message": message},
        "paygate": {"error": {"type": kind, "message": message}},
        "flutterwave": {"status": "failed", "message": message, "data": None},
        "yuno": {"code": YUNO_CODES.get(status, "INVALID_REQUEST"), "messages": [message]},
    }[api])


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def session_of(body):
    """The session in an answer; two of the APIs have it in an envelope."""
    return body.get("data", body)


def session_id(api, body):
    """The id that the API gives a session."""
    return session_of(body)[{"lomi": "checkout_session_id", "yuno": "checkout_session"}.get(api, "id")]


class Answer(NamedTuple):
    status: int
    text: str
    headers: http.client.HTTPMessage

    @property
    def body(self):
        return json.loads(self.text)


class Gateway:
    """A gateway of its own process. It serves the API that is given alone, or all below their names."""

    def __init__(self, db, user="gateway", **environment):
        install_packages(EXAMPLE)
        self.alone = environment.get("API")
        url = f"postgresql://{user}@/{db.name}?host={db.server.dir}&port=54321"
        self.log_path = Path(run("mktemp"))
        with self.log_path.open("w") as log:
            self.process = subprocess.Popen(
                ["node", EXAMPLE / "server.js"], stdout=log, stderr=log,
                env={**ENVIRONMENT, "DATABASE_URL": url, "PORT": "0", **environment},
            )
        listening = lambda: re.search(r"Server listening at (http://127.0.0.1:(\d+))", self.log())
        wait_until(lambda: listening() or self.process.poll() is not None, within=20)
        if listening():
            self.url, self.port = listening()[1], int(listening()[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
        self.log_path.unlink()

    def log(self):
        return self.log_path.read_text()

    def stop(self):
        """Asks it to end; its exit status."""
        self.process.terminate()
        return self.process.wait(20)

    def request(self, method, path, body=None, headers=()):
        """One that is no text is sent as JSON."""
        headers = dict(headers)
        if body is not None:
            headers.setdefault("content-type", "application/json")
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body.encode() if isinstance(body, str) else body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(), response.headers)
        finally:
            connection.close()

    def call(self, api, method, path, body=None, *, key=None, **headers):
        """A request to one of the APIs, its key presented as its document has it; X_Trace_Id is X-Trace-Id."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            headers.update({"x-api-key": key} if api == "lomi" else {"Authorization": f"Bearer {key}"})
        return self.request(method, path if self.alone else f"/{api}{path}", body, headers)

    def create(self, api, key, *, headers=(), **members):
        return self.call(api, "POST", CREATE[api], {**ORDER[api], **members}, key=key, **dict(headers))

    def get(self, api, key, session):
        return self.call(api, "GET", GET[api].format(session), key=key)


class Shop:
    """An organization with its keys."""

    def __init__(self, db, **settings):
        self.db = db
        named = "".join(f", {name} => %s" for name in settings)
        self.id = db.value(f"SELECT checkout.create_organization('Shop'{named})::text", *settings.values())
        self.live, self.test = self.key("secret", "live"), self.key("secret", "test")

    def key(self, kind, environment, payment_methods=None):
        query = "SELECT api_key FROM checkout.create_api_key(%s, %s, %s, payment_methods => %s)"
        return self.db.value(query, self.id, kind, environment, payment_methods)

    def sql(self, query, *parameters, environment="live"):
        """As a trusted backend, with secret access, for this organization."""
        with self.db.connect("backend") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('checkout_sessions.organization_id', %s, false),"
                           " set_config('checkout_sessions.environment', %s, false)", (self.id, environment))
            cursor.execute(query, parameters)
            rows = cursor.fetchall()
        connection.close()
        return SimpleNamespace(**rows[0]) if rows else None

    def pay(self, session, outcome="succeeded", payment_id="pay_1", environment="live"):
        """Reports a payment of a session, whose id may be PayGate's."""
        query = "SELECT * FROM checkout.record_payment(%s::uuid, payment_id => %s, outcome => %s)"
        return self.sql(query, session.removeprefix("cs_"), payment_id, outcome, environment=environment)

    def count(self):
        return self.db.value("SELECT count(*) FROM checkout_data.checkout_sessions WHERE organization_id = %s", self.id)


# -- the documents -----------------------------------------------------------------------------------------------------

HOSTS = {
    "lomi": "https://api.lomi.africa", "paygate": "https://api.44.200.142.19.nip.io",
    "flutterwave": "https://developersandbox-api.flutterwave.com",
}
SAMPLES = ["cs_abc123def456", "987e6543-e89b-12d3-a456-426614174000"]


def documented(api, name):
    return json.loads((DOCUMENTED / api / f"{name}.json").read_text())


def curl_lines(api):
    return (DOCUMENTED / api / "curl.sh").read_text().strip().split("\n\n")


def curl(gateway, api, line, key, session="none", **placeholders):
    """Runs a documented curl line, with our host, a real key and a real session in the place of its samples."""
    assert HOSTS[api] in line
    line = line.replace(HOSTS[api], gateway.url if gateway.alone else f"{gateway.url}/{api}")
    for sample in ("your-api-key", "sk_test_...", "<token>"):
        line = line.replace(sample, key)
    for sample in SAMPLES:
        line = line.replace(sample, session)
    for name, value in placeholders.items():
        assert f'"{name}": "<string>"' in line
        line = line.replace(f'"{name}": "<string>"', f'"{name}": "{value}"')
    arguments = 'curl() { command curl --silent --show-error --include --max-time 20 "$@"; }\n'
    # Bytes, for the line ends of headers are part of it.
    done = subprocess.run(["bash", "-c", arguments + line], capture_output=True, check=True)
    head, text = done.stdout.decode().split("\r\n\r\n", 1)
    status, *headers = head.split("\r\n")
    assert "content-type: application/json; charset=utf-8" in [header.lower() for header in headers]
    return Answer(int(status.split()[1]), text, None)


def differences(wanted, given, forms, name="answer"):
    """Where an answer is not what the document has: fields, their order, types and values; of some only the form."""
    if name in forms:
        good = isinstance(given, str) and re.fullmatch(forms[name], given)
        return [] if good else [f"{name}: {given!r} is not of the form {forms[name]}"]
    if isinstance(wanted, dict) and isinstance(given, dict):
        # metadata is the caller's own, and an object's members have no order.
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
    """The little of the library requests that lomi's example in Python uses."""

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
    """The document's shop, started with its handlers; calls it."""
    install_packages(CLIENTS)
    node = ["node", CLIENTS / "shop.js", DOCUMENTED / "paygate/example.js", f"{gateway.url}/paygate", shop.test]
    environment = {**ENVIRONMENT, "FRONTEND_URL": "https://shop.example"}
    with subprocess.Popen(node, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = int(process.stdout.readline())
            yield lambda method, path, body=None: Gateway.request(SimpleNamespace(port=port), method, path, body)
        finally:
            process.terminate()
