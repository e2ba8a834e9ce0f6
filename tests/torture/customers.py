"""Customers who buy without end, and remember what the database has acknowledged.

Each thing that was acknowledged is a fact, which must hold from then on, whatever is killed. What was asked, and not
answered, is asked again with the same keys, as the documentation tells clients to do.
"""

import collections
import threading
import time
import uuid

import psycopg2
from conftest import wait_until

# The server is away, or going away, or starting.
AWAY = {"57P01", "57P02", "57P03", "08000", "08003", "08006", "08001", "08004", "53300"}
ORDERS = """CREATE TABLE public.orders (key text PRIMARY KEY, checkout_session_id uuid NOT NULL);
            CREATE TABLE public.claims (event_id text PRIMARY KEY);"""
# The order of the shop, in the transaction that creates its session.
ORDER = """INSERT INTO public.orders SELECT %(key)s, s.checkout_session_id
    FROM checkout.create_checkout_session(12.50, 'EUR', customer_id => 'c1', expires_in => %(expires_in)s,
        idempotency_key => %(key)s, metadata => pg_catalog.jsonb_build_object('idempotency_key', %(key)s::text)) AS s
    ON CONFLICT (key) DO UPDATE SET checkout_session_id = EXCLUDED.checkout_session_id
    RETURNING checkout_session_id"""
# Each kind of fact, and which of the given ids do not hold.
LOST = {
    "session": """SELECT id FROM unnest(%s::text[]) AS id WHERE NOT EXISTS (
        SELECT FROM checkout_data.checkout_sessions s WHERE s.checkout_session_id = id::uuid)""",
    "begun": """SELECT id FROM unnest(%s::text[]) AS id WHERE NOT EXISTS (
        SELECT FROM checkout_data.payments p WHERE p.payment_id = id)""",
    "paid": """SELECT id FROM unnest(%s::text[]) AS id WHERE NOT EXISTS (
        SELECT FROM checkout_data.payments p JOIN checkout_data.checkout_sessions s USING (checkout_session_id)
        WHERE p.payment_id = id AND p.status = 'succeeded' AND s.status = 'complete' AND s.payment_id = id)""",
    "rejected": """SELECT id FROM unnest(%s::text[]) AS id WHERE NOT EXISTS (
        SELECT FROM checkout_data.payments p WHERE p.payment_id = id AND p.status = 'rejected')""",
    "failed": """SELECT id FROM unnest(%s::text[]) AS id WHERE NOT EXISTS (
        SELECT FROM checkout_data.payments p WHERE p.payment_id = id AND p.status = 'failed')""",
    "expired": """SELECT id FROM unnest(%s::text[]) AS id WHERE (
        SELECT pg_catalog.count(*) FROM checkout_data.webhook_outbox o
        WHERE o.subject_id = id::uuid AND o.event_type = 'checkout.session.expired') <> 1""",
    "refunded": """SELECT id FROM unnest(%s::text[]) AS id WHERE NOT EXISTS (
        SELECT FROM checkout_data.refunds r WHERE r.refund_id = id AND r.status = 'succeeded')""",
    "delivered": """SELECT id FROM unnest(%s::text[]) AS id WHERE NOT EXISTS (
        SELECT FROM checkout_data.webhook_deliveries d
        WHERE checkout_data.event_id(d.organization_id, d.environment, d.subject_id, d.sequence,
            d.created_at) = id
            AND d.delivered_at IS NOT NULL)""",
}
# An order without its session, or the other way round: half a transaction.
HALVES = """SELECT 'half a transaction' AS what, COALESCE(o.checkout_session_id, s.checkout_session_id) AS id
    FROM public.orders o FULL JOIN checkout_data.checkout_sessions s USING (checkout_session_id)
    WHERE (o.key IS NULL AND s.metadata ? 'idempotency_key') OR s.checkout_session_id IS NULL"""


class Away(Exception):
    """The connection is gone. Whether the last request was done is not known."""


class Client:
    """One connection at a time, which is made anew when it is lost."""

    def __init__(self, connect, allowed=()):
        self.connect, self.allowed = connect, set(allowed)
        self.connection = None

    def ask(self, statement, parameters=None):
        """The first row of the answer. Raises Away if there is none."""
        try:
            if self.connection is None:
                self.connection = self.connect()
            with self.connection.cursor() as cursor:
                cursor.execute(statement, parameters)
                return cursor.fetchall() if cursor.description else []
        except psycopg2.Error as error:
            # What the server says has an SQLSTATE; what the driver says of a lost connection has none.
            if error.pgcode is None or error.pgcode in AWAY:
                self.leave()
            elif error.pgcode not in self.allowed:
                raise
            raise Away(str(error)) from error

    def leave(self):
        try:
            if self.connection is not None:
                self.connection.close()
        except psycopg2.Error:
            pass  # it is gone
        self.connection = None


class Customers:
    """Threads that buy, and one that claims the events of what they buy."""

    def __init__(
        self,
        part,
        db,
        count=8,
        connect=None,
        allowed=(),
        lifetimes=("1 hour", "1 hour", "1 second"),
        seed="",
        may_forget=False,
        any_may_lapse=False,
    ):
        self.part, self.db, self.allowed, self.lifetimes = part, db, allowed, lifetimes
        # After an asynchronous failover the server may not know what it had acknowledged a moment before.
        self.refusals = {"PT409", "PT404"} if may_forget else {"PT409"}
        self.may_forget = may_forget
        # If the clock jumps, so may sessions of an hour.
        self.any_may_lapse = any_may_lapse
        self.connect = connect or (lambda: db.connect(db.shop))
        self.facts, self.checked, self.lock = [], 0, threading.Lock()
        # By thread: how often it found nobody.
        self.away = collections.Counter()
        self.stopped, self.paused = threading.Event(), threading.Event()
        works = [(self.buy, part.chance(seed, n)) for n in range(count)] + [(self.claim, part.chance(seed, "claims"))]
        self.threads = [threading.Thread(target=self.guard, args=work, daemon=True) for work in works]

    @staticmethod
    def prepare(db):
        """The tables of the shop, and the consumer of its events."""
        db.sql(ORDERS)
        db.sql(f"GRANT SELECT, INSERT, UPDATE ON public.orders TO {db.shop}")
        db.call("create_webhook_consumer", name="jobs", event_types=["checkout.session.*"])

    def start(self):
        for thread in self.threads:
            thread.start()
        return self

    def stop(self):
        self.stopped.set()
        for thread in self.threads:
            thread.join(60)
            self.part.check(not thread.is_alive(), "a customer waits without end")

    def wait_until_all_are_away(self):
        """When the server is gone: until each has noticed, and so has noted everything that it was told before."""
        before = dict(self.away)
        names = [thread.name for thread in self.threads]
        wait_until(lambda: all(self.away[name] > before.get(name, 0) for name in names), within=30)

    def guard(self, work, chance):
        try:
            work(chance)
        except Exception as error:  # otherwise it would be lost with the thread
            self.part.violation(f"a customer got {type(error).__name__} {getattr(error, 'pgcode', '')}: {error}")

    def note(self, kind, fact):
        with self.lock:
            self.facts.append((kind, str(fact), threading.current_thread().name))

    def until_answered(self, client, statement, parameters):
        """Asks until there is an answer. Returns no row if the end comes before."""
        while not self.stopped.is_set():
            try:
                return client.ask(statement, parameters)
            except Away:
                self.part.count("requests without an answer")
                self.away[threading.current_thread().name] += 1
                time.sleep(0.02)
        return []

    def report(self, client, kind, session, payment_id, outcome):
        rows = self.until_answered(
            client, "SELECT status FROM checkout.record_payment(%s, %s, %s)", (session, payment_id, outcome)
        )
        for row in rows:
            self.note({"succeeded": "paid"}.get(row["status"], row["status"]), payment_id)
            expected = row["status"] in kind or self.may_forget
            self.part.check(expected, f"{payment_id} is {row['status']}, and not one of {kind}")
            return row["status"]
        return None

    def buy(self, chance):
        client = Client(self.connect, self.allowed)
        while not self.stopped.is_set():
            if self.paused.is_set():
                time.sleep(0.01)
                continue
            key = str(uuid.UUID(int=chance.getrandbits(128), version=4))
            expires_in = chance.choice(self.lifetimes)
            lapses = self.any_may_lapse or expires_in != "1 hour"
            rows = self.until_answered(client, ORDER, {"key": key, "expires_in": expires_in})
            if not rows:
                continue
            session = rows[0]["checkout_session_id"]
            self.note("session", session)
            self.part.count("sessions")
            how = chance.random()
            try:
                if how < 0.15 and (not lapses or self.any_may_lapse):
                    begin = "SELECT payment_id FROM checkout.begin_payment(%s, %s, lease => '10 minutes')"
                    self.until_answered(client, begin, (session, f"p{key}"))
                if how < 0.25 and not lapses:
                    self.report(client, {"failed"}, session, f"f{key}", "failed")
                if how < 0.55:
                    expected = {"succeeded", "rejected"} if lapses else {"succeeded"}
                    if self.report(client, expected, session, f"p{key}", "succeeded") == "succeeded" and how < 0.3:
                        # A second payment of the same session, and its return.
                        self.report(client, {"rejected"}, session, f"q{key}", "succeeded")
                        for row in self.until_answered(
                            client, "SELECT refund_id FROM checkout.record_refund(%s, %s)", (f"q{key}", f"r{key}")
                        ):
                            self.note("refunded", row["refund_id"])
                elif how < 0.75:
                    for row in self.until_answered(
                        client, "SELECT status FROM checkout.expire_checkout_session(%s)", (session,)
                    ):
                        self.part.check(row["status"] == "expired", f"{session} is {row['status']} after its expiry")
                        if not lapses:
                            self.note("expired", session)
            except psycopg2.Error as error:
                # Of a session that may lapse meanwhile, or of a request that was done before it was repeated.
                if error.pgcode not in self.refusals:
                    raise
                self.part.count("refused")
        client.leave()

    def claim(self, chance):
        client = Client(self.connect, self.allowed)
        acknowledged = set()
        while not self.stopped.is_set():
            events = self.until_answered(
                client,
                "SELECT event_id, lease_token FROM checkout.claim_webhook_events('jobs', %s, '2 seconds')",
                (chance.choice([1, 20, 100]),),
            )
            twice = {event["event_id"] for event in events} & acknowledged
            self.part.check(not twice or self.may_forget, f"claimed after it was acknowledged: {twice}")
            if not events:
                time.sleep(0.05)
                continue
            ids = [event["event_id"] for event in events]
            try:
                rows = client.ask(
                    "SELECT checkout.ack_webhook_events('jobs', %s, %s) AS n", (ids, events[0]["lease_token"])
                )
            except Away:
                continue  # they come again when the lease ends
            except psycopg2.Error as error:
                if error.pgcode not in self.refusals:  # the lease has ended
                    raise
                continue
            if rows and rows[0]["n"] == len(ids):
                acknowledged |= set(ids)
                for event in ids:
                    self.note("delivered", event)
        client.leave()

    def lost(self, facts):
        """Those of the facts that do not hold."""
        lost = set()
        for kind, query in LOST.items():
            ids = [fact for of, fact, _ in facts if of == kind]
            if ids:
                lost |= {(kind, row["id"]) for row in self.db.sql(query, ids)}
        return lost

    def verify(self, everything=False):
        """Checks the facts that came since the last time, or all. Returns those that are lost."""
        with self.lock:
            facts = self.facts[0 if everything else self.checked :]
            self.checked = len(self.facts)
        lost = list(self.lost(facts))
        if everything:
            lost += [tuple(row.values()) for row in self.db.sql(HALVES)]
        else:
            self.part.count("acknowledged", len(facts))
        return lost
