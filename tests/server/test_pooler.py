"""Many clients on a few connections, behind pgbouncer in transaction mode: none gets another's tenant."""

import random
import threading
from collections import defaultdict
from contextlib import closing

import psycopg2
import pytest
from support.pooler import poolers

CLIENTS, CONNECTIONS, TRANSACTIONS = 64, 8, 60


@pytest.fixture
def pool(db):
    """Makes a pool of so many connections."""
    with poolers(db, ("web", "backend")) as make:
        yield make
    db.sql("DROP OWNED BY web, backend; DROP ROLE web, backend")


@pytest.fixture
def keys(db):
    """The API keys of two organizations in both environments; each has sessions that name their owner."""
    db.sql("CREATE ROLE web LOGIN; CREATE ROLE backend LOGIN")
    db.sql("SELECT checkout.grant_access('web', 'request'), checkout.grant_access('backend', 'secret')")
    db.sql("GRANT SET ON PARAMETER checkout_sessions.organization_id TO backend")
    keys = {}
    for organization in (db.organization_id, db.value("SELECT checkout.create_organization('Other')")):
        for environment in ("live", "test"):
            tenant = f"{organization} {environment}"
            keys[tenant] = db.value(
                "SELECT api_key FROM checkout.create_api_key(%s, 'secret', %s)", organization, environment
            )
            with closing(db.connect("web")) as connection, connection.cursor() as cursor:
                connection.autocommit = False
                cursor.execute("SELECT checkout.authenticate(%s)", [keys[tenant]])
                for _ in range(3):
                    cursor.execute(
                        "SELECT checkout.create_checkout_session(10, 'USD', %s, customer_id => 'c1')", [tenant]
                    )
                connection.commit()
    return keys


class Client(threading.Thread):
    """One of many clients, whose transactions are for one tenant or another, or for none."""

    def __init__(self, pooler, keys, seed):
        super().__init__()
        self.pooler, self.keys, self.random = pooler, keys, random.Random(seed)
        self.wrong, self.count, self.refusals, self.served = [], 0, 0, defaultdict(set)
        self.connection = pooler.connect()

    def run(self):
        try:
            for _ in range(TRANSACTIONS):
                self.random.choices(
                    [self.reads, self.fails, self.leaves, self.rolls_back, self.shows_no_key, self.sets],
                    weights=[5, 2, 1, 2, 4, 2],
                )[0]()
                self.count += 1
        except Exception as error:  # otherwise an exception in a thread is lost
            self.wrong.append(repr(error))
        self.connection.close()

    def do(self, statement, *parameters):
        with self.connection.cursor() as cursor:
            cursor.execute(statement, parameters or None)
            return cursor.fetchall() if cursor.description else None

    def begin(self):
        tenant = self.random.choice(list(self.keys))
        self.do("BEGIN")
        self.do("SELECT checkout.authenticate(%s)", self.keys[tenant])
        return tenant

    def sees_only(self, tenant):
        rows = self.do(
            "SELECT title, concat(organization_id, ' ', environment), pg_backend_pid() FROM"
            " checkout.list_checkout_sessions()"
        )
        if {row[:2] for row in rows} != {(tenant, tenant)} or len(rows) != 3:
            self.wrong.append(f"{tenant} was shown {rows}")
        self.served[rows[0][2]].add(tenant)

    def sees_nothing(self):
        for statement in (
            "SELECT * FROM checkout.list_checkout_sessions()",
            "SELECT checkout.current_organization_id()",
        ):
            try:
                self.wrong.append(f"nobody was shown {self.do(statement)}")
            except psycopg2.Error as refused:
                self.refusals += 1
                if refused.pgcode != "28000":
                    self.wrong.append(f"nobody was answered {refused.pgcode} {refused}")

    def reads(self):
        tenant = self.begin()
        self.sees_only(tenant)
        self.sees_only(tenant)
        self.do(self.random.choice(["COMMIT", "ROLLBACK"]))

    def fails(self):
        """A transaction that ends with an error."""
        self.sees_only(self.begin())
        with pytest.raises(psycopg2.errors.DivisionByZero):
            self.do("SELECT 1/0")
        self.do("ROLLBACK")

    def leaves(self):
        """A client that disconnects within its transaction."""
        self.sees_only(self.begin())
        self.connection.close()
        self.connection = self.pooler.connect()

    def rolls_back(self):
        """Rolls back to before the key was presented: then a key of another tenant may be presented."""
        self.do("BEGIN")
        for _ in range(2):
            tenant = self.random.choice(list(self.keys))
            self.do("SAVEPOINT before")
            self.do("SELECT checkout.authenticate(%s)", self.keys[tenant])
            self.sees_only(tenant)
            self.do("ROLLBACK TO before")
        self.do("COMMIT")

    def shows_no_key(self):
        self.sees_nothing()

    def sets(self):
        """Settings that one client leaves behind on the connection do not affect the next."""
        statement = self.random.choice(
            [
                "SET checkout_sessions.organization_id = '{}'",
                "SELECT set_config('checkout_sessions.organization_id', '{}', false)",
                "SET checkout_sessions.environment = 'test'",
                "SET search_path = pg_temp",
                "RESET ALL",
                'SET request.jwt.claims = \'{{"organization_id": "{}"}}\'',
                'SET request.headers = \'{{"x-api-key": "none"}}\'',
                "DISCARD ALL",
            ]
        )
        try:
            self.do(statement.format(self.random.choice(list(self.keys)).split()[0]))
        except psycopg2.Error as refused:
            if refused.pgcode != "42501":
                self.wrong.append(f"{statement} {refused}")
        self.sees_nothing()


def test_no_tenant_meets_another_on_a_pooled_connection(db, keys, pool):
    pooler = pool(CONNECTIONS)
    clients = [Client(pooler, keys, seed) for seed in range(CLIENTS)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    wrong = [what for client in clients for what in client.wrong]
    assert wrong == []
    assert sum(client.count for client in clients) == CLIENTS * TRANSACTIONS
    assert sum(client.refusals for client in clients) > CLIENTS * TRANSACTIONS / 4
    served = defaultdict(set)
    for client in clients:
        for backend, tenants in client.served.items():
            served[backend] |= tenants
    # When a client disconnects in a transaction, the pooler closes its connection and opens another: more than eight in
    # all.
    assert len(served) >= CONNECTIONS
    assert (
        sum(len(tenants) == len(keys) for tenants in served.values()) >= CONNECTIONS
    ), "connections were shared by all tenants"


def test_tenant_set_for_a_session_does_meet_the_next_client_as_the_readme_warns(db, keys, pool):
    """The test above would see this if authenticate() did not end with the transaction."""
    pooler = pool(1)
    with closing(pooler.connect("backend")) as one, closing(pooler.connect("backend")) as next_one:
        with one.cursor() as cursor:
            cursor.execute("SELECT set_config('checkout_sessions.organization_id', %s, false)", [db.organization_id])
        with next_one.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM checkout.list_checkout_sessions()")
            assert cursor.fetchone() == (3,)
