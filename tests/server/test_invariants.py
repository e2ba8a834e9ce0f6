"""invariants.sql finds each fault that it looks for: a check that cannot fail is none."""

from contextlib import closing

import pytest
from conftest import INVARIANTS

SESSIONS, PAYMENTS, EVENTS, KEYS, API_KEYS = (
    f"checkout_data.{table}" for table in ("checkout_sessions", "payments", "webhook_outbox", "idempotency_keys", "api_keys"))
# What is found, and what is done to the row whose session has the title of the second word, or to the API key.
FAULTS = [
    ("complete without exactly one succeeded payment", "paid", f"DELETE FROM {PAYMENTS}"),
    ("payment succeeded, and its session does not say so", "paid", f"UPDATE {PAYMENTS} SET amount = 11"),
    ("payment for no session of its tenant", "paid", f"UPDATE {PAYMENTS} SET organization_id = gen_random_uuid()"),
    ("rejected payment without its event", "late", f"DELETE FROM {EVENTS}"),
    ("event tells of a payment of another session", "late", f"UPDATE {EVENTS} SET payment_id = 'p-paid'"),
    ("complete after the deadline", "paid", f"UPDATE {SESSIONS} SET expires_at = created_at + interval '1 microsecond'"),
    ("expired, and before its time told", "late", f"UPDATE {EVENTS} SET created_at = created_at - interval '1 second'"),
    ("processing without a lease", "begun", f"UPDATE {SESSIONS} SET lease_expires_at = NULL"),
    ("lease that no processing payment holds", "begun", f"UPDATE {PAYMENTS} SET status = 'failed'"),
    ("failed with retries left, or open with none", "open", f"UPDATE {SESSIONS} SET attempts = 4"),
    ("final without exactly one event of its kind", "open", f"UPDATE {SESSIONS} SET status = 'expired'"),
    ("final without exactly one event of its kind", "paid", f"DELETE FROM {EVENTS}"),
    ("open with a final event", "late", f"UPDATE {SESSIONS} SET status = 'open'"),
    ("an event after the final one, and not of a rejected payment", "late",
     f"UPDATE {EVENTS} SET event_type = 'checkout.session.expiring' WHERE sequence = 2"),
    ("event without a session", "late", f"DELETE FROM {SESSIONS}"),
    ("events do not go from 1 to event_count", "late", f"UPDATE {EVENTS} SET sequence = 3 WHERE sequence = 2"),
    ("events do not go from 1 to event_count", "open", f"UPDATE {SESSIONS} SET event_count = 1"),
    ("idempotency key without a session of its tenant", "open", f"UPDATE {KEYS} SET organization_id = gen_random_uuid()"),
    ("two sessions for one idempotency key", "paid", f"UPDATE {SESSIONS} SET metadata = '{{\"idempotency_key\": \"k1\"}}'"),
    ("idempotency key of a server for a session of a browser, or the other way round", "open",
     f"UPDATE {KEYS} SET created_with = 'publishable'"),
    ("session of a browser under a reference policy", "open",
     f"UPDATE {SESSIONS} SET created_with = 'publishable', reference_policy = 'unique'"),
    ("API key replaced by none of its kind", "key", f"UPDATE {API_KEYS} SET kind = 'publishable'"),
    ("API key replaced by none of its kind", "key", f"UPDATE {API_KEYS} SET replaced_by = api_key_id"),
    ("API key replaced by none of its kind", "key", f"UPDATE {API_KEYS} SET replaced_by = 'sk_live_000000000000'"),
    ("recovered from no expired session of its tenant", "open", f"UPDATE {SESSIONS} SET recovered_from = checkout_session_id"),
    ("session without an organization", "open", f"UPDATE {SESSIONS} SET organization_id = gen_random_uuid()"),
]


@pytest.fixture(scope="module")
def whole(shared_server):
    """A database with sessions of several kinds, none at fault."""
    db = shared_server.create_database()
    sessions = {title: db.create("1 hour", title=title) for title in ("paid", "late", "begun")}
    sessions["open"] = db.create("1 hour", title="open", idempotency_key="k1", metadata='{"idempotency_key": "k1"}')
    db.call("begin_payment", checkout_session_id=sessions["begun"], payment_id="p-begun")
    db.call("expire_checkout_session", checkout_session_id=sessions["late"])
    for title in ("paid", "late"):
        db.call("record_payment", checkout_session_id=sessions[title], payment_id=f"p-{title}", outcome="succeeded")
    sessions["key"] = db.create_api_key()[:20]
    db.sql("SELECT checkout.roll_api_key(%s)", sessions["key"])
    assert db.sql(INVARIANTS) == []
    yield db, sessions
    shared_server.drop_databases()


@pytest.mark.parametrize("fault, title, statement", FAULTS)
def test_fault_is_found(whole, fault, title, statement):
    db, sessions = whole
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("SET LOCAL session_replication_role = replica")  # no foreign keys
        cursor.execute("SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS drop FROM pg_constraint"
                       " WHERE contype = 'c' AND connamespace = 'checkout_data'::regnamespace AND conrelid <> 0")
        for row in cursor.fetchall():
            cursor.execute(row["drop"])
        where = "AND" if "WHERE" in statement else "WHERE"
        named = "api_key_id" if title == "key" else "checkout_session_id"
        cursor.execute(f"{statement} {where} {named} = %s", [sessions[title]])
        assert cursor.rowcount >= 1
        cursor.execute(INVARIANTS)
        assert fault in {row["what"] for row in cursor.fetchall()}
        connection.rollback()
