"""What was dumped and restored, or upgraded, has every row and goes on working."""

import pytest
from conftest import AS_SERVER_USER, run

TABLES = ["organizations", "api_keys", "checkout_sessions", "idempotency_keys", "payments", "webhook_outbox"]


def fill(db):
    """A session in every state, with idempotency keys, payments, API keys, and events that are pending, leased, delivered and dead."""
    db.create("1 hour", idempotency_key="k1", reference="r1", metadata='{"a": [1, "two", null]}', customer_name="Zoë")
    db.sql("SELECT checkout.roll_api_key(%s)", db.create_api_key(name="Zoë", payment_methods=["card"])[:20])
    db.sql("SELECT checkout.revoke_api_key(%s)", db.create_api_key("publishable", "test")[:20])
    processing, paid, failed, retried, expired = (db.create("1 hour") for _ in range(5))
    db.call("begin_payment", checkout_session_id=processing, payment_id="processing", lease="10 minutes")
    db.call("record_payment", checkout_session_id=paid, payment_id="paid", outcome="succeeded")
    for attempt in range(4):
        db.call("record_payment", checkout_session_id=failed, payment_id=f"failed{attempt}", outcome="failed")
    db.call("record_payment", checkout_session_id=retried, payment_id="retried", outcome="failed", failure_code="do_not_honor")
    db.call("expire_checkout_session", checkout_session_id=expired)
    db.call("record_payment", checkout_session_id=expired, payment_id="late", outcome="succeeded")
    db.call("recover_checkout_session", checkout_session_id=expired)
    claim = "SELECT event_id, lease_token FROM checkout.claim_webhook_events(batch_size => 1, lease => '1 hour')"
    for answer in ("ack_webhook_events(ARRAY[%s], %s)", "nack_webhook_event(%s, %s, retry_after => '0')", None):
        (event,) = db.sql(claim)
        if answer:
            db.sql(f"SELECT checkout.{answer}", event["event_id"], event["lease_token"])
    db.sql("""UPDATE checkout_data.webhook_outbox SET dead_at = now(), next_attempt_at = NULL
              WHERE ctid = (SELECT ctid FROM checkout_data.webhook_outbox WHERE delivery_attempts = 0 LIMIT 1)""")
    return db.create("1 second")


def contents(db):
    return {
        table: db.value(f"SELECT concat(count(*), ' ', md5(string_agg(t::text, ',' ORDER BY t::text))) FROM checkout_data.{table} t")
        for table in TABLES
    }


def goes_on(db, due):
    """The worker expires what is due, pending events can be claimed, and the application's role has its rights."""
    db.server.configure(worker_enabled="on")
    db.wait_for(due)
    assert db.event_types(due) == ["expired"]
    pending = db.value("SELECT pending FROM checkout.outbox_status()")
    assert pending >= 4
    claimed = db.sql("SELECT body::json -> 'data' -> 'object' ->> 'customer_id' AS customer FROM checkout.claim_webhook_events()")
    assert 0 < len(claimed) <= pending and {event["customer"] for event in claimed} == {"c1"}
    assert db.call("list_checkout_sessions", reference="r1")[0]["customer_name"] == "Zoë"
    assert db.create("1 hour", idempotency_key="k2") != db.create("1 hour", idempotency_key="k3")
    db.expires_on_time()


def connection(server):
    return [f"--host={server.dir}", "--port=54321", "--username=postgres"]


@pytest.fixture
def old(new_server):
    """A server whose worker waits, so that nothing changes while it is copied."""
    return new_server("checkout_sessions.worker_enabled=off")


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_dump_is_restored_into_a_fresh_cluster(old, new_server, tmp_path, form):
    db = old.create_database()
    due = fill(db)
    dump = tmp_path / "dump"
    roles = run(old.bin / "pg_dumpall", *connection(old), "--roles-only")
    run(old.bin / "pg_dump", *connection(old), f"--format={form}", f"--file={dump}", db.name)

    new = new_server("checkout_sessions.worker_enabled=off")
    run(new.bin / "psql", *connection(new), "--dbname=postgres", "--quiet", input=roles)
    new.database().sql(f"CREATE DATABASE {db.name}")
    if form == "plain":
        run(new.bin / "psql", *connection(new), f"--dbname={db.name}", "--set=ON_ERROR_STOP=1", f"--file={dump}")
    else:
        run(new.bin / "pg_restore", *connection(new), f"--dbname={db.name}", "--exit-on-error", dump)
    restored = new.database(db.name)
    assert contents(restored) == contents(db)
    goes_on(restored, due)


def test_cluster_is_upgraded_by_pg_upgrade(old, new_server):
    db = old.create_database()
    due = fill(db)
    before = contents(db)
    old.stop()
    new = new_server("checkout_sessions.worker_enabled=off")
    new.stop()
    run(*AS_SERVER_USER, new.bin / "pg_upgrade", "--username=postgres", f"--old-bindir={old.bin}", f"--new-bindir={new.bin}",
        f"--old-datadir={old.data}", f"--new-datadir={new.data}", f"--socketdir={new.dir}", "--no-sync", cwd=new.dir)
    new.start()
    upgraded = new.database(db.name)
    assert contents(upgraded) == before
    goes_on(upgraded, due)
