"""Connections that are cut at any byte. The client asks again with the same keys: one session for a key, one payment."""

import threading
import time
import uuid

import psycopg2
import psycopg2.extras
from conftest import wait_until
from harness import DURABLE, in_threads
from proxy import Proxy

CLIENTS = 12
PURCHASES_OF_A_DATABASE = 3_000
# As many bytes as a purchase sends and gets: so all of it is cut, and not only its beginning.
LONGEST = (800, 800)
ORDERS = """CREATE TABLE public.orders (key text PRIMARY KEY, checkout_session_id uuid NOT NULL);
            CREATE TABLE public.paid (payment_id text NOT NULL)"""
CREATE = """SELECT checkout_session_id FROM checkout.create_checkout_session(10, 'EUR', customer_id => 'c1',
                idempotency_key => %(key)s, metadata => pg_catalog.jsonb_build_object('idempotency_key', %(key)s::text))"""
# Each is one statement, or one transaction: what a client repeats as a whole.
STEPS = {
    "statements": [
        [CREATE],
        ["SELECT status FROM checkout.begin_payment(%(session)s, 'p' || %(key)s)"],
        ["SELECT status FROM checkout.record_payment(%(session)s, 'p' || %(key)s, 'succeeded', 10, 'EUR')"],
        ["SELECT status FROM checkout.record_refund('p' || %(key)s, 'r' || %(key)s, 1)"],
    ],
    "a transaction": [
        [
            "BEGIN",
            CREATE,
            "INSERT INTO public.orders VALUES (%(key)s, %(session)s)",
            "SELECT status FROM checkout.record_payment(%(session)s, 'p' || %(key)s, 'succeeded', 10, 'EUR')",
            "INSERT INTO public.paid VALUES ('p' || %(key)s)",
            "COMMIT",
        ]
    ],
}
# What the shop wrote in the same transaction is there as often as what the extension wrote.
WRONG = """
    SELECT 'not one session for a key' AS what, k.key, (SELECT count(*) FROM checkout_data.checkout_sessions s
        WHERE s.metadata ->> 'idempotency_key' = k.key) AS n
    FROM unnest(%(keys)s) AS k (key)
    WHERE 1 <> (SELECT count(*) FROM checkout_data.checkout_sessions s WHERE s.metadata ->> 'idempotency_key' = k.key)
    UNION ALL
    SELECT 'a purchase is not complete, or not with its one payment', k.key, s.payments
    FROM unnest(%(keys)s) AS k (key), LATERAL (
        SELECT count(*) AS payments, count(*) FILTER (WHERE p.status = 'succeeded' AND s.status = 'complete') AS accepted
        FROM checkout_data.checkout_sessions s
        JOIN checkout_data.payments p USING (organization_id, environment, checkout_session_id)
        WHERE s.metadata ->> 'idempotency_key' = k.key) AS s
    WHERE s.payments <> 1 OR s.accepted <> 1
    UNION ALL
    SELECT 'the order of the shop is not there', o.key, NULL FROM unnest(%(together)s) AS o (key)
    WHERE NOT EXISTS (SELECT FROM public.orders p JOIN checkout_data.checkout_sessions s USING (checkout_session_id)
        WHERE p.key = o.key AND s.metadata ->> 'idempotency_key' = o.key)
    UNION ALL
    SELECT 'paid twice in the books of the shop', payment_id, count(*) FROM public.paid
    GROUP BY payment_id HAVING count(*) <> 1"""


class Client:
    """Makes purchases, each until it has every answer."""

    def __init__(self, part, db, proxy, chance):
        self.part, self.db, self.proxy, self.chance = part, db, proxy, chance
        self.connection = None
        self.keys, self.together = [], []

    def connect(self):
        self.connection = psycopg2.connect(
            host="127.0.0.1",
            port=self.proxy.port,
            dbname=self.db.name,
            user=self.db.shop,
            connect_timeout=5,
            gssencmode="disable",
            sslmode="disable",
        )
        self.connection.autocommit = True

    def leave(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def step(self, statements, known):
        """Asks once. Raises an error if a connection is lost."""
        if self.connection is None:
            self.connect()
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement, known)
                if statement == CREATE:
                    (known["session"],) = cursor.fetchone()

    def purchase(self):
        kind = self.chance.choice(list(STEPS))
        known = {"key": str(uuid.UUID(int=self.chance.getrandbits(128), version=4))}
        for statements in STEPS[kind]:
            while not self.done(statements, known):
                pass
        self.leave()
        self.keys.append(known["key"])
        if kind == "a transaction":
            self.together.append(known["key"])

    def done(self, statements, known):
        """Asks once. Returns whether there was an answer."""
        try:
            self.step(statements, known)
            return True
        except psycopg2.Error as error:
            self.leave()
            if error.pgcode is None:
                self.part.count("requests without an answer")
                return False
            # The transaction whose answer was lost has not ended yet.
            if error.pgcode == "PT409" and "another call is changing the same" in str(error):
                time.sleep(0.05)
                return False
            # It was committed, and with it the order.
            if error.pgcode == "23505" and "orders_pkey" in str(error):
                self.part.count("commits without an answer")
                return True
            raise

    def run(self, purchases):
        while len(self.keys) < purchases and self.part.goes_on():
            self.purchase()


def check(part, db, clients):
    keys = [key for client in clients for key in client.keys]
    together = [key for client in clients for key in client.together]
    with psycopg2.connect(host=str(db.server.dir), port=54321, dbname=db.name, user="postgres") as connection:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
            cursor.execute(WRONG, {"keys": keys, "together": together})
            for row in cursor.fetchall():
                part.violation(str(row))
    connection.close()
    part.count("purchases", len(keys))
    # What the server has not heard of is over when the proxy has left, too.
    holds = (
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = %s"
        " AND state LIKE 'idle in transaction%%'"
    )
    wait_until(lambda: db.value(holds, db.shop) == 0, within=10)


def one_database(part, server, number):
    db = server.create_database()
    db.sql(ORDERS)
    db.sql(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO {db.shop}")
    proxy = Proxy(str(server.dir / ".s.PGSQL.54321"), part.chance(number, "proxy"), LONGEST)
    clients = [Client(part, db, proxy, part.chance(number, n)) for n in range(CLIENTS)]
    counted = dict(proxy.cuts)

    def watch():
        """Counts while they work, so that the part knows when it has reached its goal."""
        for kind, number in proxy.cuts.items():
            part.count("cuts", number - counted[kind])
            part.count(kind, number - counted[kind])
            counted[kind] = number

    def work(client):
        for _ in range(PURCHASES_OF_A_DATABASE // CLIENTS // 50):
            client.run(len(client.keys) + 50)
            with part.watching:
                watch()

    in_threads([lambda client=client: work(client) for client in clients])
    proxy.stop()
    check(part, db, clients)
    part.settle(server)
    server.drop_databases()


def run(part):
    server = part.server("one", *DURABLE)
    part.watching = threading.Lock()
    number = 0
    while part.goes_on():
        number += 1
        one_database(part, server, number)
