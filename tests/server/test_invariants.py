"""invariants.sql finds each fault that it looks for: a check that cannot fail proves nothing."""

from contextlib import closing

import psycopg2
import pytest
from conftest import INVARIANTS

(SESSIONS, OPEN, PAYMENTS, REFUNDS, EVENTS, KEYS, API_KEYS, ENDPOINTS, CONSUMERS, DELIVERIES, ATTEMPTS, PRODUCTS, PRICES, STOCK,
 STOCK_CHANGES, COUPONS, LINES, TERMS, VISITS, HOLDS, SUBSCRIPTIONS, PERIODS, HOOKS,
 FAILURES, COUNTED, ALERTS, LOG) = (
    f"checkout_data.{table}" for table in (
        "checkout_sessions", "open_sessions", "payments", "refunds", "webhook_outbox", "idempotency_keys", "api_keys",
        "webhook_endpoints", "webhook_consumers", "webhook_deliveries", "webhook_attempts", "products", "prices", "inventory",
        "inventory_changes", "coupons", "session_lines", "session_terms", "session_visits", "holds",
        "subscriptions", "session_periods", "hooks", "hook_failures", "session_folds", "request_alerts", "admin_log"))
NO_PRODUCT = "price, stock or change of stock without a product of its tenant"
NOT_ITS_CHANGES = "stock that is not the sum of its changes"
ENDED = "open session that has ended, or that is no session"
OTHERWISE = "open session that says something else than its session"
OF_ANOTHER_THING = "event that tells of another thing than it is about"
HOW_ITS_SESSION_WAS = "event that does not tell how its session was"
NOT_ITS_SESSIONS = "subscription whose paid sessions do not make it"
NO_RECEIVER = "delivery to no receiver of its tenant, or to that which it is about"
# The fault to find, and the statement that makes it, in the row whose session has the title of the second word, or in
# the API key. "sent" has been delivered to an endpoint, "tried" not yet; "gone" is a disabled endpoint, with an event
# that "other" has; "jobs" is a consumer that has the events of "paid" and "late". "mug" is a product with stock and a
# default price, "TEN" a coupon.
FAULTS = [
    ("complete without exactly one succeeded payment", "free", f"UPDATE {SESSIONS} SET payment_status = 'paid'"),
    ("terms that are not those of their session", "mugs", f"UPDATE {SESSIONS} SET amount = 1"),
    ("terms that are not those of their session", "mugs", f"UPDATE {SESSIONS} SET has_terms = false"),
    ("terms that are not those of their session", "mugs", f"DELETE FROM {TERMS}"),
    ("lines that are not the sums of their session", "mugs", f"UPDATE {LINES} SET discount = discount + 1"),
    ("lines that are not the sums of their session", "mugs", f"DELETE FROM {LINES}"),
    ("visit of no session of its tenant", "free", f"DELETE FROM {SESSIONS}"),
    ("counted hour that lacks sessions", "free", f"WITH f AS (UPDATE {COUNTED} "
     f"SET folded_until = date_bin('1 hour', now() + interval '1 hour', 'epoch')), u AS (DELETE FROM checkout_data.uncounted_hours) UPDATE {SESSIONS} SET title = title"),
    ("visit of no session of its tenant", "free", f"UPDATE {VISITS} SET first_opened_at = first_opened_at - interval '1 day'"),
    (NOT_ITS_SESSIONS, "subscription", f"UPDATE {SUBSCRIPTIONS} SET periods_paid = 3"),
    (NOT_ITS_SESSIONS, "begun by", f"DELETE FROM {PERIODS}"),
    ("complete session without its subscription", "subscription", f"DELETE FROM {SUBSCRIPTIONS}"),
    ("complete session without its subscription", "begun by", f"UPDATE {SESSIONS} SET subscription_id = 'another'"),
    ("period that was paid twice", "renewed by", f"UPDATE {PERIODS} SET period_start = NULL, period_end = NULL"),
    ("open session that renews another subscription than it says", "renews", f"UPDATE {OPEN} SET renews = NULL"),
    ("open session that renews another subscription than it says", "open", f"UPDATE {OPEN} SET renews = gen_random_uuid()"),
    ("events of a subscription do not go from 1 to event_count", "subscription", f"UPDATE {EVENTS} SET sequence = sequence + 10"),
    (OF_ANOTHER_THING, "subscription", f"UPDATE {EVENTS} SET snapshot = NULL"),
    (OF_ANOTHER_THING, "subscription", f"UPDATE {EVENTS} SET subject_type = 'webhook_endpoint'"),
    (OF_ANOTHER_THING, "subscription",
     f"UPDATE {EVENTS} SET snapshot = jsonb_set(snapshot, '{{subscription,subscription_id}}', '\"x\"')"),
    ("alert without its event, or the other way round", "alert", f"UPDATE {ALERTS} SET event_count = 2"),
    ("alert without its event, or the other way round", "alert", f"DELETE FROM {ALERTS}"),
    (OF_ANOTHER_THING, "alert", f"UPDATE {EVENTS} SET subject_type = 'subscription'"),
    (OF_ANOTHER_THING, "alert", f"UPDATE {EVENTS} SET snapshot = NULL"),
    ("failure of a hook of no session of its tenant", "paid", f"UPDATE {FAILURES} SET environment = 'test'"),
    ("entry of the log without who did it", "key", f"UPDATE {LOG} SET role = ''"),
    ("entry of the log without who did it", "key", f"UPDATE {LOG} SET environment = NULL"),
    ("secret in the log", "key", f"UPDATE {LOG} SET changes = '{{\"api_key\": null}}'"),
    ("hook without an organization", "on_completed", f"UPDATE {HOOKS} SET organization_id = gen_random_uuid()"),
    (HOW_ITS_SESSION_WAS, "free", f"UPDATE {EVENTS} SET snapshot = snapshot - 'cancellation' WHERE sequence = 1"),
    ("hold that its session denies", "mugs", f"UPDATE {HOLDS} SET state = 'taken'"),
    ("hold that its session denies", "sold", f"UPDATE {HOLDS} SET state = 'held'"),
    ("open session that has lost a hold", "mugs", f"DELETE FROM {HOLDS}"),
    ("open session that has lost a hold", "mugs", f"UPDATE {HOLDS} SET deadline = deadline + interval '1 second'"),
    ("stock of which more is held than it says", "mugs", f"UPDATE {HOLDS} SET quantity = 3"),
    ("coupon that was redeemed too often", "TEN", f"UPDATE {COUPONS} SET redeemed = 8"),
    ("complete without exactly one succeeded payment", "paid", f"DELETE FROM {PAYMENTS}"),
    ("payment succeeded, and its session does not say so", "paid", f"UPDATE {PAYMENTS} SET amount = 11"),
    ("payment for no session of its tenant", "paid", f"UPDATE {PAYMENTS} SET organization_id = gen_random_uuid()"),
    ("rejected payment without its event", "late", f"DELETE FROM {EVENTS}"),
    ("event tells of a payment of another session", "late", f"UPDATE {EVENTS} SET snapshot = jsonb_set(snapshot, '{{payment,payment_id}}', '\"p-paid\"')"),
    ("complete after the deadline", "paid", f"UPDATE {SESSIONS} SET expires_at = created_at + interval '1 microsecond'"),
    ("expired, and before its time told", "late", f"UPDATE {EVENTS} SET created_at = created_at - interval '1 second'"),
    ("swept before its deadline", "open", f"DELETE FROM {OPEN}"),
    (ENDED, "open", f"UPDATE {SESSIONS} SET status = 'expired'"),
    (ENDED, "open", f"DELETE FROM {SESSIONS}"),
    (OTHERWISE, "open", f"UPDATE {OPEN} SET deadline = deadline + interval '1 second'"),
    (OTHERWISE, "open", f"UPDATE {OPEN} SET event_count = 1"),
    (OTHERWISE, "open", f"UPDATE {OPEN} SET reference = 'order-2'"),
    (OTHERWISE, "open", f"UPDATE {OPEN} SET created_by = 'pk_live_1'"),
    ("processing without a lease", "begun", f"UPDATE {SESSIONS} SET lease_expires_at = NULL"),
    ("lease that no processing payment holds", "begun", f"UPDATE {PAYMENTS} SET status = 'failed'"),
    ("failed with retries left, or open with none and no lease", "open", f"UPDATE {SESSIONS} SET attempts = 4"),
    ("failed with retries left, or open with none and no lease", "open", f"UPDATE {SESSIONS} SET status = 'failed'"),
    ("payment whose sums are not those of its refunds", "refunded", f"UPDATE {PAYMENTS} SET refunded_amount = 1"),
    ("payment whose sums are not those of its refunds", "refunded", f"UPDATE {PAYMENTS} SET amount = 1"),
    ("attempt that is counted twice", "refunded", f"UPDATE {PAYMENTS} SET attempt_ids = '{{a,a}}'"),
    ("refund of no payment", "refunded", f"DELETE FROM {PAYMENTS}"),
    ("refund of no payment", "re_1", f"UPDATE {REFUNDS} SET currency_code = 'EUR'"),
    ("refund that has ended without its event", "refunded", f"DELETE FROM {EVENTS}"),
    ("payment that was applied, and the session that had rejected it does not say so", "rejecting",
     f"DELETE FROM {EVENTS}"),
    (OTHERWISE, "open", f"UPDATE {OPEN} SET fails_at_deadline = true"),
    (HOW_ITS_SESSION_WAS, "refunded", f"UPDATE {EVENTS} SET snapshot = snapshot - 'refund' WHERE sequence = 2"),
    ("final without exactly one event of its kind", "open", f"UPDATE {SESSIONS} SET status = 'expired'"),
    ("final without exactly one event of its kind", "paid", f"DELETE FROM {EVENTS}"),
    ("open with a final event", "tried", f"UPDATE {EVENTS} SET event_type = 'checkout.session.expired' WHERE sequence = 2"),
    ("an event after the final one that changes the session", "late",
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
    (OF_ANOTHER_THING, "sent", f"UPDATE {EVENTS} SET snapshot = snapshot || '{{\"webhook_endpoint\": {{}}}}'"),
    (OF_ANOTHER_THING, "sent", f"UPDATE {EVENTS} SET subject_type = 'webhook_endpoint'"),
    (OF_ANOTHER_THING, "sent", f"UPDATE {EVENTS} SET snapshot = jsonb_set(snapshot, '{{payment,checkout_session_id}}', '\"x\"')"),
    (OF_ANOTHER_THING, "gone", f"UPDATE {EVENTS} SET event_type = 'checkout.session.expired'"),
    (OF_ANOTHER_THING, "gone", f"UPDATE {EVENTS} SET snapshot = NULL"),
    (OF_ANOTHER_THING, "gone", f"UPDATE {EVENTS} SET snapshot = jsonb_set(snapshot, '{{webhook_endpoint,secret}}', '\"x\"')"),
    (OF_ANOTHER_THING, "gone",
     f"UPDATE {EVENTS} SET snapshot = jsonb_set(snapshot, '{{webhook_endpoint,webhook_endpoint_id}}', '\"x\"')"),
    (HOW_ITS_SESSION_WAS, "sent", f"UPDATE {EVENTS} SET snapshot = snapshot - 'session'"),
    (HOW_ITS_SESSION_WAS, "sent", f"UPDATE {EVENTS} SET snapshot = snapshot - 'payment'"),
    (HOW_ITS_SESSION_WAS, "sent", f"UPDATE {EVENTS} SET snapshot = NULL"),
    (HOW_ITS_SESSION_WAS, "sent", f"UPDATE {EVENTS} SET snapshot = jsonb_set(snapshot, '{{session,status}}', '\"open\"')"),
    (HOW_ITS_SESSION_WAS, "sent", f"UPDATE {EVENTS} SET snapshot = jsonb_set(snapshot, '{{session,attempts}}', 'null')"),
    (HOW_ITS_SESSION_WAS, "late", f"UPDATE {EVENTS} SET snapshot = '{{\"session\": {{}}}}'"),
    ("events of an endpoint do not go from 1 to event_count", "gone", f"UPDATE {EVENTS} SET sequence = 2"),
    ("events of an endpoint do not go from 1 to event_count", "gone", f"DELETE FROM {EVENTS}"),
    ("delivery of no event", "sent", f"DELETE FROM {EVENTS}"),
    ("delivery of no event", "sent", f"UPDATE {DELIVERIES} SET created_at = created_at - interval '1 second'"),
    (NO_RECEIVER, "other", f"DELETE FROM {ENDPOINTS}"),
    (NO_RECEIVER, "jobs", f"DELETE FROM {CONSUMERS}"),
    (NO_RECEIVER, "jobs", f"UPDATE {CONSUMERS} SET environment = 'test'"),
    (NO_RECEIVER, "sent", f"UPDATE {DELIVERIES} SET receiver_id = subject_id WHERE last_status_code = 200"),
    ("delivery in no state, or in more than one", "sent", f"UPDATE {DELIVERIES} SET next_attempt_at = now()"),
    ("delivery in no state, or in more than one", "sent", f"UPDATE {DELIVERIES} SET lease_token = gen_random_uuid()"),
    ("delivery that ended without an attempt", "sent", f"UPDATE {DELIVERIES} SET attempts = 0"),
    ("delivery that ended without an attempt", "sent", f"UPDATE {DELIVERIES} SET last_status_code = 500"),
    ("delivery that ended without an attempt", "paid", f"UPDATE {DELIVERIES} SET last_attempt_at = now() + interval '1 hour'"),
    ("delivery that ended without an attempt", "paid", f"UPDATE {DELIVERIES} SET last_attempt_at = NULL"),
    ("delivery that ended without an attempt", "sent", f"UPDATE {DELIVERIES} SET delivered_at = NULL, dead_at = last_attempt_at"),
    ("delivery that is tried more than ten times", "tried", f"UPDATE {DELIVERIES} SET attempts = 10, attempts_ever = 10"),
    ("delivery that is tried more than ten times", "paid", f"UPDATE {DELIVERIES} SET attempts = 11, attempts_ever = 11"),
    ("attempts do not go from 1 to attempts_ever", "tried", f"UPDATE {DELIVERIES} SET attempts_ever = 2"),
    ("attempts do not go from 1 to attempts_ever", "sent", f"DELETE FROM {ATTEMPTS}"),
    ("delivery that went before the one before it", "tried",
     f"UPDATE {DELIVERIES} SET attempts = 1, attempts_ever = 1, delivered_at = now(), next_attempt_at = NULL, lease_token = NULL WHERE sequence = 2"),
    ("endpoint that is disabled without a reason, or for one that it does not have", "gone", f"UPDATE {ENDPOINTS} SET disabled_reason = NULL"),
    ("endpoint that is disabled without a reason, or for one that it does not have", "gone", f"UPDATE {ENDPOINTS} SET failing_since = NULL"),
    ("endpoint or consumer without an organization", "gone", f"UPDATE {ENDPOINTS} SET organization_id = gen_random_uuid()"),
    ("endpoint or consumer without an organization", "jobs", f"UPDATE {CONSUMERS} SET organization_id = gen_random_uuid()"),
    (NO_PRODUCT, "mug", f"DELETE FROM {PRODUCTS}"),
    (NO_PRODUCT, "mug", f"UPDATE {PRICES} SET product_id = 'plate'"),
    (NO_PRODUCT, "mug", f"UPDATE {STOCK} SET environment = 'test'"),
    (NO_PRODUCT, "mug", f"UPDATE {STOCK_CHANGES} SET environment = 'test'"),
    ("product or coupon without an organization", "mug", f"UPDATE {PRODUCTS} SET organization_id = gen_random_uuid()"),
    ("product or coupon without an organization", "TEN", f"UPDATE {COUPONS} SET organization_id = gen_random_uuid()"),
    ("price that is a default and archived", "mug", f"UPDATE {PRICES} SET active = false"),
    (NOT_ITS_CHANGES, "mug", f"UPDATE {STOCK} SET on_hand = on_hand - 1"),
    (NOT_ITS_CHANGES, "mug", f"DELETE FROM {STOCK}"),
    (NOT_ITS_CHANGES, "mug", f"DELETE FROM {STOCK_CHANGES} WHERE change < 0"),
]


def set_broken_hook(db):
    db.sql("CREATE ROLE hook_of_invariants; CREATE FUNCTION on_completed(s checkout.checkout_session) RETURNS void"
           " LANGUAGE plpgsql AS 'BEGIN RAISE ''broken''; END'; ALTER FUNCTION on_completed OWNER TO hook_of_invariants")
    db.sql("SELECT checkout.set_hook(%s, 'completed', 'on_completed(checkout.checkout_session)')", db.organization_id)


@pytest.fixture(scope="module")
def whole(shared_server):
    """A database with sessions of several kinds, all without faults."""
    db = shared_server.create_database(request_failure_threshold=1)
    # It is told that a call was refused. Later, maintenance would count its sessions.
    with pytest.raises(psycopg2.Error):
        db.call("get_subscription", subscription_id=db.organization_id)
    db.sql("SELECT checkout.run_maintenance()")
    sessions = {title: db.create("1 hour", title=title) for title in ("paid", "late", "begun", "refunded", "rejecting", "paid late")}
    consumer = db.call("create_webhook_consumer", name="jobs", event_types=["checkout.session.*"])
    sessions["jobs"] = consumer[0]["webhook_consumer_id"]
    sessions["open"] = db.create("1 hour", title="open", idempotency_key="k1", metadata='{"idempotency_key": "k1"}')
    db.call("begin_payment", checkout_session_id=sessions["begun"], payment_id="p-begun")
    db.call("expire_checkout_session", checkout_session_id=sessions["late"])
    sessions |= {"re_1": "re_1", "alert": db.organization_id}
    db.call("expire_checkout_session", checkout_session_id=sessions["rejecting"])
    set_broken_hook(db)
    sessions["on_completed"] = "on_completed"
    for title in ("paid", "late", "refunded", "rejecting"):
        db.call("record_payment", checkout_session_id=sessions[title], payment_id=f"p-{title}", outcome="succeeded")
    db.call("record_refund", payment_id="p-refunded", refund_id="re_1", amount=5)
    db.call("apply_payment", payment_id="p-rejecting", checkout_session_id=sessions["paid late"])
    for event in db.call("claim_webhook_events", consumer="jobs", batch_size=100):
        ack = {"event_ids": [event["event_id"]], "lease_token": event["lease_token"]}
        assert db.call("ack_webhook_events", consumer="jobs", **ack) == [{"ack_webhook_events": 1}]
    db.call("create_webhook_consumer", name="jobs", event_types=["webhook_endpoint.*"])
    sessions["key"] = db.create_api_key()[:20]
    sessions |= {"mug": "mug", "TEN": "TEN"}
    db.call("create_product", name="Mug", product_id="mug", on_hand=9)
    db.call("adjust_inventory", product_id="mug", change=-1)
    db.call("create_price", product_id="mug", currency_code="USD", amount=12)
    db.call("create_coupon", code="TEN", percent_off=10, max_redemptions=7)
    for title in ("mugs", "sold", "free"):
        lines = '[{"title": "Sample", "amount": 0}]' if title == "free" else '[{"product_id": "mug"}]'
        sessions[title] = db.create(title=title, amount=None, lines=lines, coupon_code=None if title == "free" else "TEN")
    visited = db.call("get_checkout_session", checkout_session_id=sessions["free"])[0]
    db.call("open_checkout_session", checkout_session_id=sessions["free"], client_secret=visited["client_secret"])
    db.call("cancel_checkout_session", checkout_session_id=sessions["free"], client_secret=visited["client_secret"])
    db.call("complete_free_checkout_session", checkout_session_id=sessions["free"])
    db.call("record_payment", checkout_session_id=sessions["sold"], payment_id="p-sold", outcome="succeeded")
    db.call("create_price", product_id="mug", currency_code="USD", amount=9, price_id="monthly", interval_unit="month")
    db.sql("SELECT checkout.update_organization(%s, uses_catalog => true)", db.organization_id)
    begun = db.call("create_checkout_session", price_id="monthly", customer_id="c")[0]
    db.call("record_payment", checkout_session_id=begun["checkout_session_id"], payment_id="p-subscription", outcome="succeeded")
    sessions["begun by"], sessions["subscription"] = begun["checkout_session_id"], begun["subscription_id"]
    for title in ("renewed by", "renews"):
        renewal = db.call("create_checkout_session", subscription_id=sessions["subscription"])[0]
        sessions[title] = renewal["checkout_session_id"]
        if title == "renewed by":
            db.call("record_payment", checkout_session_id=sessions[title], payment_id="p-renewed", outcome="succeeded")
    db.sql("SELECT checkout.update_organization(%s, uses_catalog => false)", db.organization_id)
    db.sql("SELECT checkout.roll_api_key(%s)", sessions["key"])
    for title in ("gone", "other"):
        sessions[title] = db.call("create_webhook_endpoint", url=f"https://shop.example/{title}")[0]["webhook_endpoint_id"]
    for title in ("sent", "tried"):
        sessions[title] = db.create("1 hour", title=title)
    db.call("record_payment", checkout_session_id=sessions["sent"], payment_id="p-sent", outcome="succeeded")
    for attempt in range(2):
        db.call("record_payment", checkout_session_id=sessions["tried"], payment_id=f"p-tried-{attempt}", outcome="failed")
    db.sql(
        "SELECT checkout.record_webhook_attempt(event_id, webhook_endpoint_id, lease_token,"
        " CASE WHEN url LIKE '%%gone' THEN 410 WHEN event_type LIKE '%%completed' THEN 200 END)"
        " FROM checkout.claim_webhook_deliveries()")
    # "tried": the first event is leased, the second waits for it.
    db.sql("UPDATE checkout_data.webhook_deliveries SET attempts = 0, attempts_ever = 0 WHERE subject_id = %s", sessions["tried"])
    db.sql("DELETE FROM checkout_data.webhook_attempts WHERE subject_id = %s", sessions["tried"])
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
        table = next(word for word in statement.split() if word.startswith("checkout_data."))
        named = {REFUNDS: "refund_id", API_KEYS: "api_key_id", ENDPOINTS: "webhook_endpoint_id", CONSUMERS: "webhook_consumer_id",
                 PRODUCTS: "product_id", PRICES: "product_id", STOCK: "product_id", STOCK_CHANGES: "product_id",
                 COUPONS: "code", HOOKS: "function_name", LOG: "subject", ALERTS: "organization_id", SUBSCRIPTIONS: "subscription_id"}.get(
            table, "subject_id" if table in (EVENTS, DELIVERIES, ATTEMPTS) else "checkout_session_id")
        cursor.execute(f"{statement} {where} {named} = %s", [sessions[title]])
        assert cursor.rowcount >= 1
        cursor.execute(INVARIANTS)
        assert fault in {row["what"] for row in cursor.fetchall()}
        connection.rollback()
