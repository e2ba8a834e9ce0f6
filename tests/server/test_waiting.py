"""Which calls wait for which: every function, while another has been called in a transaction that stays open."""

from contextlib import closing

import psycopg2
import pytest

# Each group works on one object of one organization, and its second call waits for the first. No other call waits.
ONE_SESSION = {"begin_payment", "cancel_checkout_session", "expire_checkout_session", "record_payment"}
# A payment is applied to the first session; the second one, which rejected it, has expired.
TWO_SESSIONS = {"apply_payment"}
RECOVERIES = {"recover_checkout_session", "restart_checkout_session"}
# What a buyer changes, and a payment of that session, wait for each other, a buyer no longer than a second.
ONE_SALE = {"apply_coupon", "remove_coupon", "set_billing_address", "set_quantity", "set_unit_amount"}
ONE_EVENT = {"ack_webhook_events", "nack_webhook_event", "redeliver_webhook_events"}
ONE_CONSUMER = {"delete_webhook_consumer"}
ONE_DELIVERY = {"record_webhook_attempt", "record_webhook_attempts", "release_webhook_delivery"}
ONE_ENDPOINT = {"delete_webhook_endpoint", "roll_webhook_secret", "update_webhook_endpoint"}
ONE_KEY = {"revoke_api_key", "roll_api_key"}
ONE_ORGANIZATION = {"rotate_client_secrets", "set_hook", "update_organization"}
ONE_ROLE = {"grant_access", "revoke_access"}
# Which price is the default is known by who has locked the product.
ONE_PRODUCT = {"create_price", "update_price", "update_product"}
ALONE = [{"create_webhook_consumer"}, {"create_webhook_endpoint"}, RECOVERIES, {"record_refund"},
         {"simulate_payment", "simulate_public_payment"}, {"complete_free_checkout_session"}, {"adjust_inventory"},
         {"create_product"}, {"create_coupon"}, {"update_coupon"}, {"delete_organization"}]
ONE_SUBSCRIPTION = {"cancel_subscription", "resume_subscription"}
WAITS = {
    held: group
    for group in [ONE_SESSION, ONE_SALE, ONE_EVENT, ONE_DELIVERY, ONE_CONSUMER, ONE_ENDPOINT, ONE_KEY, ONE_ORGANIZATION, ONE_ROLE,
                  ONE_PRODUCT, ONE_SUBSCRIPTION, *ALONE]
    for held in group
}
for held in ONE_SESSION | RECOVERIES:
    WAITS[held] = WAITS[held] | TWO_SESSIONS
# They count for a tenant for the first time.
WAITS["fold_sessions"] = WAITS["run_maintenance"] = {"fold_sessions", "run_maintenance"}
# Both write that the buyer was there.
VISITS = {"cancel_checkout_session", "open_checkout_session"}
WAITS["open_checkout_session"] = VISITS
WAITS["cancel_checkout_session"] = WAITS["cancel_checkout_session"] | VISITS
WAITS["apply_payment"] = ONE_SESSION | TWO_SESSIONS | RECOVERIES
# A failed attempt is noted at its endpoint.
WAITS["record_webhook_attempt"] = WAITS["record_webhook_attempts"] = ONE_DELIVERY | ONE_ENDPOINT


def waits(world):
    calls, found = world.calls(), {}
    connections = {}
    try:
        for side in ("holds", "waits"):
            for who, user in world.users.items():
                connection = connections[side, who] = world.db.connect(user)
                connection.autocommit = False
                with connection.cursor() as cursor:
                    cursor.execute("SET lock_timeout = '50ms'")
                connection.commit()
        for held in calls:
            holder = connections["holds", held.who]
            with holder.cursor() as cursor:
                cursor.execute(f"SELECT * FROM {held.sql()}", held.arguments)
            for call in calls:
                waiter = connections["waits", call.who]
                with waiter.cursor() as cursor:
                    try:
                        cursor.execute(f"SELECT * FROM {call.sql()}", call.arguments)
                    except psycopg2.Error as error:
                        if error.pgcode != "55P03" and "another call is changing" not in str(error):
                            raise
                        found.setdefault(held.function, set()).add(call.function)
                waiter.rollback()
            holder.rollback()
    finally:
        for connection in connections.values():
            connection.close()
    return found


def test_nobody_waits_but_for_who_works_on_the_same_thing(world):
    assert waits(world) == WAITS


def test_a_dialect_raises_that_a_lock_was_not_had_in_time(db):
    """It is no answer: the whole call is rolled back, and the caller stays the same."""
    session = db.create()
    path = f"/v1/checkout/sessions/cs_{session.replace('-', '')}"
    with closing(db.connect()) as holder, closing(db.connect(db.shop)) as caller, \
            holder.cursor() as holds, caller.cursor() as calls:
        def status(method, path):
            calls.execute("SELECT body ->> 'status' AS status FROM checkout.handle_request('paygate', %s, %s)",
                          [method, path])
            return calls.fetchone()["status"]

        holds.execute("BEGIN")
        holds.execute("SELECT FROM checkout_data.checkout_sessions WHERE checkout_session_id = %s FOR UPDATE", [session])
        calls.execute("SET lock_timeout = '20ms'")
        with pytest.raises(psycopg2.errors.LockNotAvailable):
            status("POST", f"{path}/expire")
        calls.execute("SELECT checkout.current_organization_id() AS organization_id")
        assert calls.fetchone()["organization_id"] == db.organization_id
        assert status("GET", path) == "open"
        holds.execute("ROLLBACK")
        assert status("POST", f"{path}/expire") == "expired"
