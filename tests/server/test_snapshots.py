"""A revoked credential is refused at once, in every isolation level, whatever the transaction has done before."""

from contextlib import closing, contextmanager

import psycopg2
from support.outcomes import answer

LEVELS = ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]
STATES = {
    "nothing done yet": [],
    "a snapshot": ["SELECT count(*) FROM pg_class"],
    "a snapshot and a transaction id": ["SELECT count(*) FROM pg_class", "SELECT pg_current_xact_id()"],
    "a row of its own": ["SELECT count(*) FROM pg_class", "CREATE TEMP TABLE own AS SELECT 1"],
    "a savepoint": ["SELECT count(*) FROM pg_class", "SAVEPOINT s", "SELECT pg_current_xact_id()"],
}


@contextmanager
def transaction(world, who, level, state):
    """A transaction that has begun, and has run the statements of `state`."""
    with closing(world.db.connect(world.users[who])) as connection, connection.cursor() as cursor:
        cursor.execute(f"BEGIN ISOLATION LEVEL {level}")
        for statement in STATES[state]:
            cursor.execute(statement)
        yield cursor


TRANSACTIONS = [(level, state) for level in LEVELS for state in STATES]


def test_a_revoked_key_is_no_key(world):
    for level, state in TRANSACTIONS:
        key = world.db.create_api_key()
        with transaction(world, "web", level, state) as cursor:
            world.db.sql("SELECT checkout.revoke_api_key(%s)", key[:20])
            assert answer(cursor, "SELECT checkout.authenticate(%s)", key) == "28000", (level, state)


def test_a_rotated_client_secret_opens_nothing(world):
    for level, state in TRANSACTIONS:
        secret = world.db.call("get_checkout_session", checkout_session_id=world.open)[0]["client_secret"]
        with transaction(world, "web", level, state) as cursor:
            world.db.sql("SELECT checkout.rotate_client_secrets(%s)", world.db.organization_id)
            got = answer(cursor, "SELECT checkout.public_checkout_session(%s, %s)", world.open, secret)
            assert got == "PT404", (level, state)


def test_a_rotated_client_secret_opens_nothing_within_a_parallel_query(world):
    world.db.sql("CREATE TABLE public.many AS SELECT n FROM generate_series(1, 100000) AS n; ANALYZE public.many")
    world.db.sql("GRANT SELECT ON public.many TO PUBLIC")
    for level, state in TRANSACTIONS:
        secret = world.db.call("get_checkout_session", checkout_session_id=world.open)[0]["client_secret"]
        with transaction(world, "web", level, state) as cursor:
            for name in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
                cursor.execute(f"SET LOCAL {name} = 0")
            world.db.sql("SELECT checkout.rotate_client_secrets(%s)", world.db.organization_id)
            query = "SELECT s.* FROM (SELECT count(*) FROM public.many) AS m, LATERAL checkout.public_checkout_session(%s, %s) AS s"
            assert answer(cursor, query, world.open, secret) == "PT404", (level, state)


def test_new_settings_hold_at_once_and_old_ones_are_not_kept(world):
    for at, (level, state) in enumerate(TRANSACTIONS):
        with transaction(world, "shop", level, state) as cursor:
            # The backend already has the settings.
            assert answer(cursor, "SELECT checkout.get_checkout_session(%s)", world.open)
            world.db.sql("SELECT checkout.rotate_client_secrets(%s)", world.db.organization_id)
            methods = [f"method_{at}"]
            world.db.sql("SELECT checkout.update_organization(%s, payment_methods => %s)", world.db.organization_id, methods)
            create = "SELECT * FROM checkout.create_checkout_session(1, 'USD', customer_id => 'c')"
            (session,) = answer(cursor, create)
            assert session["payment_methods"] == methods, (level, state)
            cursor.execute("COMMIT")
            secret = "SELECT client_secret FROM checkout.get_checkout_session(%s)"
            assert answer(cursor, secret, session["checkout_session_id"]) == [{"client_secret": session["client_secret"]}]
            public = "SELECT 1 FROM checkout.public_checkout_session(%s, %s)"
            assert world.db.sql(public, session["checkout_session_id"], session["client_secret"], user=world.users["web"])


def test_whoever_was_late_sees_what_has_happened(world):
    """An expiry that another caller made first."""
    for level, state in TRANSACTIONS:
        session = world.db.create()
        with transaction(world, "shop", level, state) as cursor:
            world.db.call("expire_checkout_session", checkout_session_id=session)
            got = answer(cursor, "SELECT status FROM checkout.expire_checkout_session(%s)", session)
            # An earlier snapshot must not change rows that have changed since: the server says so, and the caller tries
            # again.
            old = level != "READ COMMITTED" and state != "nothing done yet"
            assert got == ("40001" if old else [{"status": "expired"}]), (level, state)


def test_a_read_is_of_the_snapshot_of_its_caller(world):
    for level, state in [(level, state) for level, state in TRANSACTIONS if level != LEVELS[0] and STATES[state]]:
        session = world.db.create()
        with transaction(world, "shop", level, state) as cursor:
            world.db.call("expire_checkout_session", checkout_session_id=session)
            read = [
                answer(cursor, "SELECT status FROM checkout.get_checkout_session(%s)", session),
                answer(cursor, "SELECT status FROM checkout.list_checkout_sessions(page_size => 1)"),
            ]
            assert read == [[{"status": "open"}]] * 2, (level, state)


def test_every_function_in_every_kind_of_transaction(world):
    """None fails because of the isolation level, a transaction id, or changes of others."""
    wrong = []
    for level, state in TRANSACTIONS:
        for call in world.calls():
            with transaction(world, call.who, level, state) as cursor:
                cursor.execute("SAVEPOINT before")
                try:
                    cursor.execute(f"SELECT * FROM {call.sql()}", call.arguments)
                except psycopg2.Error as error:
                    wrong.append((call.function, level, state, error.pgcode, str(error)))
    assert not wrong
