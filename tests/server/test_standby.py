"""A standby is idle, readable and correct; and at work once it is promoted."""

from conftest import when_there
from support.outcomes import refusal


def test_reads_on_a_standby_show_what_is_overdue_as_expired(pair):
    db, copy = pair
    assert copy.sql("SELECT * FROM checkout.verify_restore()") == []
    still_open = when_there(copy, db.create("1 hour"))
    overdue = when_there(copy, db.overdue_session())
    assert copy.call("get_checkout_session", checkout_session_id=overdue)[0]["status"] == "expired"
    assert [row["checkout_session_id"] for row in copy.call("list_checkout_sessions", status="open")] == [still_open]
    assert [row["checkout_session_id"] for row in copy.call("list_checkout_sessions", status="expired")] == [overdue]
    assert copy.stored_status(overdue) == "open"
    rows = copy.sql("SELECT checkout_session_id AS id, status FROM checkout.checkout_sessions ORDER BY created_at", user=copy.shop)
    assert {row["id"]: row["status"] for row in rows} == {still_open: "open", overdue: "expired"}
    (row,) = copy.sql("SELECT checkout_session_id AS id FROM checkout.open_checkout_sessions", user=copy.shop)
    assert row["id"] == still_open


def test_writes_on_a_standby_are_refused_as_read_only(pair):
    db, copy = pair
    session = when_there(copy, db.create("1 hour"))
    overdue = when_there(copy, db.overdue_session())
    writes = [
        lambda: copy.create(),
        lambda: copy.create(idempotency_key="k1"),
        lambda: copy.call("expire_checkout_session", checkout_session_id=session),
        lambda: copy.call("begin_payment", checkout_session_id=session, payment_id="p1"),
        lambda: copy.call("record_payment", checkout_session_id=session, payment_id="p1", outcome="succeeded"),
        # What is not there yet, because the standby lags.
        lambda: copy.call("record_refund", payment_id="unknown", refund_id="r1", amount=1),
        lambda: copy.call("apply_payment", payment_id="unknown", checkout_session_id=session),
        lambda: copy.call("set_quantity", checkout_session_id=session, quantity=2),
        lambda: copy.call("apply_coupon", checkout_session_id=session, code="ten"),
        lambda: copy.call("complete_free_checkout_session", checkout_session_id=session),
        lambda: copy.call("create_coupon", code="TEN", percent_off=10),
        lambda: copy.call("recover_checkout_session", checkout_session_id=overdue),
        lambda: copy.sql("SELECT checkout.expire_due_checkout_sessions()"),
        lambda: copy.sql("SELECT checkout.create_webhook_consumer('jobs')"),
        lambda: copy.sql("SELECT checkout.create_organization('Other')"),
        lambda: copy.sql("SELECT checkout.create_api_key(%s, 'secret', 'live')", db.organization_id),
        lambda: copy.sql("SELECT checkout.rotate_client_secrets(%s)", db.organization_id),
        lambda: copy.sql("DELETE FROM checkout_data.activations"),
    ]
    assert [refusal(write) for write in writes] == ["25006"] * len(writes)


def test_promoted_standby_expires_what_is_overdue_and_what_is_new(pair):
    db, copy = pair
    overdue = when_there(copy, db.overdue_session())
    assert copy.worker()["state"] == "standby"
    assert not copy.sql("SELECT 1 FROM pg_stat_activity WHERE backend_type LIKE 'checkout_sessions%%'")
    copy.server.pg_ctl("promote")
    copy.wait_for(overdue)
    assert copy.event_types(overdue) == ["expired"]
    copy.expires_on_time()
    assert db.stored_status(overdue) == "open"
