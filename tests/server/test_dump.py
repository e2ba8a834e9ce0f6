"""A database that was dumped and restored, or upgraded, has every row and works as before."""

import pytest
from conftest import AS_SERVER_USER, run
from support.dumps import dump, restore, restore_roles

TABLES = ["activations", "organizations", "api_keys", "checkout_sessions", "open_sessions", "idempotency_keys", "payments",
          "webhook_outbox", "webhook_endpoints", "webhook_consumers", "webhook_deliveries", "webhook_attempts", "products", "prices",
          "inventory", "inventory_changes", "coupons", "holds", "session_lines", "session_terms", "admin_log"]


def fill(db):
    """Creates sessions in every state, with idempotency keys, payments, API keys, and events that are pending, leased,
    delivered and dead.
    """
    db.sql("SELECT checkout.create_webhook_consumer('jobs')")
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
    claim = "SELECT event_id, lease_token FROM checkout.claim_webhook_events('jobs', batch_size => 1, lease => '1 hour')"
    for answer in ("ack_webhook_events('jobs', ARRAY[%s], %s)", "nack_webhook_event('jobs', %s, %s, retry_after => '0')", None):
        (event,) = db.sql(claim)
        if answer:
            db.sql(f"SELECT checkout.{answer}", event["event_id"], event["lease_token"])
    db.sql("""UPDATE checkout_data.webhook_deliveries SET dead_at = now(), next_attempt_at = NULL, attempts = 10, attempts_ever = 10,
                  last_attempt_at = now()
              WHERE ctid = (SELECT ctid FROM checkout_data.webhook_deliveries WHERE attempts = 0 LIMIT 1)""")
    fill_catalog(db)
    fill_webhooks(db)
    return db.create("1 second")


def fill_catalog(db):
    """Sells one of three mugs with a coupon, and holds another with it for an open session."""
    db.call("create_product", name="Mug", product_id="mug", on_hand=3)
    db.call("create_price", product_id="mug", currency_code="USD", amount=10, price_id="mug")
    db.call("create_coupon", code="TEN", percent_off=10, max_redemptions=2)
    sold, _ = (db.create("1 hour", amount=None, currency_code=None, lines='[{"price_id": "mug"}]', coupon_code="ten") for _ in range(2))
    db.call("record_payment", checkout_session_id=sold, payment_id="sold", outcome="succeeded")


def fill_webhooks(db):
    """Creates in the test environment an endpoint with two secrets and a disabled one; deliveries that are delivered,
    due later, dead, leased and waiting, with their attempts.
    """
    db.sql(f"ALTER ROLE {db.shop} SET checkout_sessions.environment = 'test'")
    try:
        url = "http://localhost:3000/hooks"
        (endpoint,) = db.call("create_webhook_endpoint", url=url, description="Zoë", body_format="lomi")
        (off,) = db.call("create_webhook_endpoint", url=f"{url}/off", signature_scheme="stripe")
        db.call("update_webhook_endpoint", webhook_endpoint_id=off["webhook_endpoint_id"], enabled=False)
        db.call("roll_webhook_secret", webhook_endpoint_id=endpoint["webhook_endpoint_id"])
        for amount in (1, 2, 3, 4, 5):
            session = db.create("1 hour", amount=amount)
            db.call("expire_checkout_session", checkout_session_id=session)
            if amount == 3:
                db.sql("""WITH nine AS (
                              UPDATE checkout_data.webhook_deliveries d SET attempts = 9, attempts_ever = 9
                              WHERE subject_id = %s AND receiver_id = %s RETURNING d.*)
                          INSERT INTO checkout_data.webhook_attempts
                          SELECT organization_id, environment, receiver_id, subject_id, sequence, attempt, now(), 500
                          FROM nine, generate_series(1, 9) AS attempt""", session, endpoint["webhook_endpoint_id"])
    finally:
        db.sql(f"ALTER ROLE {db.shop} RESET checkout_sessions.environment")
    claimed = db.sql("SELECT * FROM checkout.claim_webhook_deliveries(batch_size => 4, lease => '1 hour')")
    for amount, delivery in enumerate(claimed[:3], start=1):
        db.sql("SELECT checkout.record_webhook_attempt(%s, %s, %s, %s, response_body => 'Zoë')", delivery["event_id"],
               delivery["webhook_endpoint_id"], delivery["lease_token"], 204 if amount == 1 else 503)


def contents(db):
    return {
        table: db.value(f"SELECT concat(count(*), ' ', md5(string_agg(t::text, ',' ORDER BY t::text))) FROM checkout_data.{table} t")
        for table in TABLES
    }


def goes_on(db, due):
    """The worker expires due sessions, pending events can be claimed, and the application's role has its rights."""
    db.server.configure(worker_enabled="on")
    db.wait_for(due)
    assert db.event_types(due) == ["expired"]
    pending = db.value("SELECT pending FROM checkout.outbox_status() WHERE webhook_endpoint_id IS NULL")
    assert pending >= 4
    claimed = db.sql("SELECT body::json -> 'data' -> 'object' ->> 'customer_id' AS customer FROM checkout.claim_webhook_events('jobs')")
    assert 0 < len(claimed) <= pending and {event["customer"] for event in claimed} == {"c1"}
    assert db.call("list_checkout_sessions", reference="r1")[0]["customer_name"] == "Zoë"
    assert db.value("SELECT customer_name FROM checkout.checkout_sessions WHERE reference = 'r1'", user=db.shop) == "Zoë"
    assert db.value("SELECT count(*) FROM checkout.security_report() WHERE object LIKE '%%checkout.checkout_sessions%%'") == 0
    webhooks_go_on(db)
    catalog_goes_on(db)
    assert db.create("1 hour", idempotency_key="k2") != db.create("1 hour", idempotency_key="k3")
    db.expires_on_time()


def webhooks_go_on(db):
    """Endpoints sign with their earlier secrets, and each delivery is in its earlier state: the restore has written
    none.
    """
    states = db.sql("""SELECT pending, leased, dead, enabled FROM checkout.outbox_status()
                       WHERE webhook_endpoint_id IS NOT NULL ORDER BY enabled""")
    assert [tuple(row.values()) for row in states] == [(5, 0, 0, False), (2, 1, 1, True)]
    db.sql("UPDATE checkout_data.webhook_deliveries SET next_attempt_at = now() WHERE next_attempt_at IS NOT NULL")
    # A failing endpoint gets one delivery at a time.
    db.sql("UPDATE checkout_data.webhook_endpoints SET failing_since = NULL")
    claimed = db.sql("""
        SELECT c.body, checkout.verify_webhook(c.headers, c.body, p.secret) AS new, checkout.verify_webhook(c.headers, c.body, p.previous_secret) AS old
        FROM checkout.claim_webhook_deliveries() AS c JOIN checkout_data.webhook_endpoints p USING (webhook_endpoint_id)""")
    assert [(row["new"], row["old"]) for row in claimed] == [(True, True)] * 3
    assert db.value("SELECT count(*) FROM checkout_data.webhook_attempts WHERE response_body = 'Zoë'") == 3


def catalog_goes_on(db):
    """What was sold is counted, and what was held is held: one mug is left, and no redemption of the coupon."""
    db.sql("SELECT checkout.run_maintenance()")
    assert list(db.sql("SELECT on_hand, held, available FROM checkout.inventory", user=db.shop)[0].values()) == [2, 1, 1]
    assert list(db.sql("SELECT held, redeemed, available FROM checkout.coupons", user=db.shop)[0].values()) == [1, 1, 0]


@pytest.fixture
def old(new_server):
    """A server whose worker is disabled, so that nothing changes during the copy."""
    return new_server("checkout_sessions.worker_enabled=off")


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_dump_is_restored_into_a_fresh_cluster(old, new_server, tmp_path, form):
    db = old.create_database()
    due = fill(db)
    dump(db, form, tmp_path / "dump")

    new = new_server("checkout_sessions.worker_enabled=off")
    restore_roles(old, new)
    restored = restore(new, db.name, form, tmp_path / "dump")
    assert contents(restored) == contents(db)
    restored.sql("SELECT checkout.activate_database()")
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
