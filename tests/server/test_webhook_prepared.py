"""Transactions that write webhook events and are prepared: the server refuses one that notifies, so that has to be off."""

from contextlib import closing

import pytest


@pytest.fixture
def db(new_server):
    return new_server("max_prepared_transactions=5", "checkout_sessions.worker_enabled=off").create_database()


def test_a_transaction_that_notifies_cannot_be_prepared_and_one_that_does_not_can(db):
    db.call("create_webhook_endpoint", url="https://shop.example/hooks")
    session = db.create()
    expire = "SELECT checkout.expire_checkout_session(%s)"
    count = "SELECT count(*) FROM checkout_data.webhook_deliveries"
    with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute(expire, [session])
        with pytest.raises(Exception, match="cannot PREPARE a transaction that has executed LISTEN, UNLISTEN, or NOTIFY"):
            cursor.execute("PREPARE TRANSACTION 'told'")
        cursor.execute("ROLLBACK")
        cursor.execute("SET checkout_sessions.webhook_notify = off")
        cursor.execute("BEGIN")
        cursor.execute(expire, [session])
        cursor.execute("PREPARE TRANSACTION 'untold'")
    assert db.value(count) == 0
    db.server.restart("max_prepared_transactions=5", "checkout_sessions.worker_enabled=off")
    assert db.value(count) == 0
    db.sql("COMMIT PREPARED 'untold'")
    assert db.value(count) == 1
    assert len(db.sql("SELECT * FROM checkout.claim_webhook_deliveries()")) == 1


def test_off_for_the_server_nobody_is_told(new_server):
    db = new_server("checkout_sessions.webhook_notify=off", "checkout_sessions.worker_enabled=off").create_database()
    db.call("create_webhook_endpoint", url="https://shop.example/hooks")
    session = db.create()
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("LISTEN checkout_sessions_webhooks")
        db.call("expire_checkout_session", checkout_session_id=session)
        cursor.execute("SELECT 1")
        connection.poll()
        assert connection.notifies == []
        cursor.execute("NOTIFY checkout_sessions_webhooks")
        connection.poll()
        assert [one.channel for one in connection.notifies] == ["checkout_sessions_webhooks"]
