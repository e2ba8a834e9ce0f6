"""The gateway in front of a private server, and its requests."""

import json
from types import SimpleNamespace

from conftest import ROOT, TARGET
from support.web_server import WebServer

EXAMPLE = ROOT / "examples/gateway"
PROGRAM = TARGET / "release/checkout-sessions"
DIALECTS = ["kobo", "lomi", "paygate", "flutterwave", "yuno"]
CREATE = {
    "kobo": "/v1/checkout/session/initialize", "lomi": "/checkout-sessions", "paygate": "/v1/checkout/sessions",
    "flutterwave": "/checkout/sessions", "yuno": "/v1/checkout/sessions",
}
# Flutterwave documents no way to read a session.
GET = {
    "kobo": "/v1/checkout/session/verify/{}", "lomi": "/checkout-sessions/{}", "paygate": "/v1/checkout/sessions/{}",
    "yuno": "/v1/checkout/sessions/{}",
}
# The smallest body that each accepts.
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


def error(dialect, status, message):
    """The text of an error in a dialect."""
    kind = "authentication_error" if status == 401 else "api_error" if status >= 500 else "invalid_request_error"
    return compact({
        "kobo": {"status": False, "message": message, "data": None},
        "lomi": {"statusCode": status, "message": message},
        "paygate": {"error": {"type": kind, "message": message}},
        "flutterwave": {"status": "failed", "message": message, "data": None},
        "yuno": {"code": YUNO_CODES.get(status, "INVALID_REQUEST"), "messages": [message]},
    }[dialect])


def compact(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def session_of(body):
    """The session in an answer; two of the dialects put it into an envelope."""
    return body.get("data", body)


def session_id(dialect, body):
    """The dialect's id of a session."""
    return session_of(body)[{"lomi": "checkout_session_id", "yuno": "checkout_session"}.get(dialect, "id")]


class Gateway(WebServer):
    """A gateway in its own process. It serves one given dialect, or all of them below their names."""

    def __init__(self, db, *options, user="gateway", dialect=None, **environment):
        self.alone = dialect
        url = f"postgresql://{user}@/{db.name}?host={db.server.dir}&port=54321"
        command = [PROGRAM, "gateway", "--address=127.0.0.1:0", "--log-format=json", *options]
        if dialect:
            command.append(f"--dialect={dialect}")
        environment = {"DATABASE_URL": url, **environment}
        super().__init__(command, r"http://127.0.0.1:(\d+)", environment)

    def log_lines(self):
        """The lines of its log about requests, by the request's id."""
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return {line["request_id"]: line for line in lines if line["message"] == "request"}

    def call(self, dialect, method, path, body=None, *, key=None, **headers):
        """Sends a request in a dialect, with its key in the documented form; X_Trace_Id is X-Trace-Id."""
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        if key is not None:
            headers.update({"x-api-key": key} if dialect == "lomi" else {"Authorization": f"Bearer {key}"})
        return self.request(method, path if self.alone else f"/{dialect}{path}", body, headers)

    def create(self, dialect, key, *, headers=(), **members):
        return self.call(dialect, "POST", CREATE[dialect], {**ORDER[dialect], **members}, key=key, **dict(headers))

    def get(self, dialect, key, session):
        return self.call(dialect, "GET", GET[dialect].format(session), key=key)


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
        """Runs SQL as a trusted backend, with secret access, for this organization."""
        with self.db.connect("backend") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT set_config('checkout_sessions.organization_id', %s, false),"
                           " set_config('checkout_sessions.environment', %s, false)", (self.id, environment))
            cursor.execute(query, parameters)
            rows = cursor.fetchall()
        connection.close()
        return SimpleNamespace(**rows[0]) if rows else None

    def pay(self, session, outcome="succeeded", payment_id="pay_1", environment="live"):
        """Reports a payment of a session; its id may have PayGate's form."""
        query = "SELECT * FROM checkout.record_payment(%s::uuid, payment_id => %s, outcome => %s)"
        return self.sql(query, session.removeprefix("cs_"), payment_id, outcome, environment=environment)

    def count(self):
        return self.db.value("SELECT count(*) FROM checkout_data.checkout_sessions WHERE organization_id = %s", self.id)
