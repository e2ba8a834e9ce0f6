"""A shop that uses one of the dialects: an organization of its own, with real API keys."""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

AUTHORIZED_BY = {"lomi": "x-api-key"}


def read(text):
    """Reads JSON strictly: no member twice, decimals exact."""

    def members(pairs):
        names = [name for name, _ in pairs]
        assert len(set(names)) == len(names), f"a member twice: {names}"
        return dict(pairs)

    return json.loads(text, object_pairs_hook=members, parse_float=Decimal)


@dataclass
class Answer:
    status: int
    headers: dict
    text: str

    @property
    def body(self):
        return read(self.text)


def time(text):
    """Reads a time in the format of all five: in UTC, with a Z. To the second, unless it has more digits."""
    form = "%Y-%m-%dT%H:%M:%S.%fZ" if "." in text else "%Y-%m-%dT%H:%M:%SZ"
    return datetime.strptime(text, form)


def same(one, other):
    """Returns true for equal values of equal JSON types, with their members in the same order: 1 is 1.0 and not true.
    """
    if isinstance(one, dict) and isinstance(other, dict):
        return list(one) == list(other) and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    number = (int, Decimal)
    if isinstance(one, bool) or isinstance(other, bool) or not (isinstance(one, number) and isinstance(other, number)):
        return type(one) is type(other) and one == other
    return one == other


class Market:
    """One database. Its shops share the connections of the administrator and of the senders of requests."""

    def __init__(self, db):
        self.db = db
        db.sql("CREATE ROLE dialect_web LOGIN")
        db.sql("SELECT checkout.grant_access('dialect_web', 'request')")
        self.administrator = db.connect()
        self.requests = db.connect("dialect_web")

    def close(self):
        self.administrator.close()
        self.requests.close()

    def remove(self):
        self.db.sql("DROP OWNED BY dialect_web")
        self.db.server.database().sql(f"DROP DATABASE {self.db.name} WITH (FORCE)")
        self.db.server.database().sql("DROP ROLE dialect_web")

    @staticmethod
    def run(connection, query, *parameters):
        with connection.cursor() as cursor:
            cursor.execute(query, parameters or None)
            return cursor.fetchall() if cursor.description else []

    def admin(self, query, *parameters):
        return self.run(self.administrator, query, *parameters)

    def web(self, query, *parameters):
        return self.run(self.requests, query, *parameters)


class Shop:
    def __init__(self, market, dialect, **organization):
        self.market = market
        self.dialect = dialect
        self.keys = {}
        settings = "".join(f", {name} => %s" for name in organization)
        query = f"SELECT checkout.create_organization('Shop'{settings}) AS id"
        self.organization_id = market.admin(query, *organization.values())[0]["id"]

    def another(self, **organization):
        """Another organization that uses the same dialect."""
        return Shop(self.market, self.dialect, **organization)

    def new_key(self, kind="secret", environment="live", **settings):
        """A row of checkout.api_key, with the key."""
        named = "".join(f", {name} => %s" for name in settings)
        query = f"SELECT * FROM checkout.create_api_key(%s, %s, %s{named})"
        return self.market.admin(query, self.organization_id, kind, environment, *settings.values())[0]

    def key(self, kind="secret", environment="live"):
        if (kind, environment) not in self.keys:
            self.keys[kind, environment] = self.new_key(kind, environment)
        return self.keys[kind, environment]["api_key"]

    def credential(self, key):
        """The header that presents a key, in the form of the dialect's document."""
        name = AUTHORIZED_BY.get(self.dialect, "Authorization")
        return {name: key if name == "x-api-key" else f"Bearer {key}"}

    def send(self, method, path, body=None, query=None, headers=None, key=None, **credential):
        """Sends a request with a secret live key, or with the given key; key=False: without a key."""
        presented = {} if key is False else self.credential(key or self.key(**credential))
        arguments = [json.dumps(value) for value in ({**presented, **(headers or {})}, query or {})]
        arguments.append(None if body is None else body if isinstance(body, str) else json.dumps(body))
        row = self.market.web(
            """SELECT status, headers, body::text AS text
               FROM checkout.handle_request(%s, %s, %s, %s::jsonb, %s::jsonb, %s)""",
            self.dialect, method, path, *arguments,
        )[0]
        return Answer(row["status"], row["headers"], row["text"])

    def accepted(self, *request, **options):
        """Checks that an answer is a success, and returns its body."""
        answer = self.send(*request, **options)
        assert 200 <= answer.status < 300, f"{request}: {answer}"
        return answer.body

    def refused(self, status, message, *request, **options):
        """Checks that the request is refused with this status, and that its message is, or contains, this text."""
        answer = self.send(*request, **options)
        assert answer.status == status, f"{request}: {answer}"
        assert message in answer.text, f"{request}: {answer}"
        return answer.body

    # other changes of a session than by requests

    def pay(self, session, outcome="succeeded", payment_id=None, environment="live"):
        """Sends the provider's report about a payment of a session. Returns our answer to it."""
        reported = """SELECT checkout.authenticate(%s);
            SELECT * FROM checkout.record_payment(%s, %s, %s)"""
        payment_id = payment_id or f"pay_{uuid.uuid4().hex}"
        return self.market.web(reported, self.key(environment=environment), str(session), payment_id, outcome)[0]

    def let_pass(self, session, span):
        """Makes time pass for a session."""
        columns = ("created_at", "updated_at", "expires_at", "completed_at")
        moved = ", ".join(f"{column} = {column} - %s::interval" for column in columns)
        table = "checkout_data.checkout_sessions"
        self.market.admin(
            f"UPDATE {table} SET {moved} WHERE checkout_session_id = %s", *[span] * len(columns), str(session)
        )
        self.market.admin(
            "UPDATE checkout_data.open_sessions SET deadline = deadline - %s::interval WHERE checkout_session_id = %s", span,
            str(session)
        )

    def row(self, session):
        """A session as it is stored."""
        query = "SELECT * FROM checkout_data.checkout_sessions WHERE checkout_session_id = %s"
        return self.market.admin(query, str(session))[0]

    def count(self):
        query = "SELECT count(*) AS count FROM checkout_data.checkout_sessions WHERE organization_id = %s"
        return self.market.admin(query, self.organization_id)[0]["count"]

    def event(self, session, event_type, environment="live"):
        """The body of a session's event in the dialect; None if there is none."""
        rows = self.market.web(
            """SELECT checkout.authenticate(%s);
               SELECT event_id FROM checkout.list_webhook_events(%s, %s)""",
            self.key(environment=environment), str(session), event_type,
        )
        if not rows:
            return None
        query = "SELECT checkout.render_webhook_event(%s, %s) AS body"
        return read(self.market.admin(query, rows[0]["event_id"], self.dialect)[0]["body"])

    def sweep(self):
        """Does the worker's work on due sessions."""
        self.market.admin("SELECT checkout.expire_due_checkout_sessions()")
