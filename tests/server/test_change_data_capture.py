"""Change data capture: the inserts of the outbox contain the whole story, as docs/webhooks.md promises."""

import json
import shutil

import pytest
from conftest import TARGET, wait_until
from support.machine import IS_DEBIAN

STORY = ["checkout.session.payment_failed", "checkout.session.completed", "checkout.session.payment_rejected"]


with_wal2json = pytest.mark.skipif(not IS_DEBIAN, reason="the package wal2json is for Debian's Postgres")


@pytest.fixture
def source(new_server):
    """A server that decodes logically, with the plugin of the package wal2json."""
    server = new_server()
    if IS_DEBIAN:
        (plugin,) = TARGET.glob("postgresql-*-wal2json/usr/lib/postgresql/*/lib/wal2json.so")
        shutil.copy(plugin, server.dir)
    server.restart("wal_level=logical", f"dynamic_library_path=$libdir:{server.dir}")
    db = server.database()
    # Recent minor releases require it.
    if db.sql("SELECT 1 FROM pg_settings WHERE name = 'output_plugin_libraries'"):
        db.sql("ALTER SYSTEM SET output_plugin_libraries = pgoutput, wal2json")
        db.sql("SELECT pg_reload_conf()")
    db.install()
    return db


@with_wal2json
def test_an_erasure_is_no_event(source):
    """A subscriber that reads inserts would get an event a second time, and stop."""
    source.sql("SELECT pg_create_logical_replication_slot('checkout_events', 'wal2json')")
    session = source.create(customer_id="ada")
    source.call("record_payment", checkout_session_id=session, payment_id="p1", outcome="failed", failure_message="Ada")
    source.call("record_payment", checkout_session_id=session, payment_id="p2", outcome="succeeded")
    erased = {row["kind"]: row["row_count"] for row in source.call("erase_customer", customer_id="ada")}
    assert erased["events"] == 1
    inserts = source.sql(
        "SELECT data FROM pg_logical_slot_get_changes('checkout_events', NULL, NULL, 'format-version', '2',"
        " 'actions', 'insert', 'add-tables', 'checkout_data.webhook_outbox', 'include-transaction', 'off')")
    assert len(inserts) == 2
    snapshots = source.sql("SELECT snapshot #>> '{payment,failure_message}' AS message FROM checkout_data.webhook_outbox")
    assert [row["message"] for row in snapshots] == [None, None]


def tell(db):
    """Makes a story, all of which a consumer gets. Returns its session."""
    db.call("create_webhook_consumer", name="jobs")
    session = db.create()
    db.call("record_payment", checkout_session_id=session, payment_id="pay_1", outcome="failed")
    db.call("record_payment", checkout_session_id=session, payment_id="pay_2", outcome="succeeded")
    db.call("record_payment", checkout_session_id=session, payment_id="pay_3", outcome="succeeded")
    for _ in STORY:
        (event,) = db.call("claim_webhook_events", consumer="jobs")
        db.call("ack_webhook_events", consumer="jobs", event_ids=[event["event_id"]], lease_token=event["lease_token"])
    return session


def check(events, session):
    """`events` are the rows that a consumer receives, in no particular order."""
    events.sort(key=lambda event: event["sequence"])
    assert [event["sequence"] for event in events] == [1, 2, 3]
    assert [event["event_type"] for event in events] == STORY
    assert {(event["subject_type"], event["subject_id"]) for event in events} == {("checkout_session", session)}
    snapshots = [event["snapshot"] for event in events]
    assert [snapshot["session"]["status"] for snapshot in snapshots] == ["open", "complete", "complete"]
    assert [snapshot["session"]["attempts"] for snapshot in snapshots] == [1, 1, 1]
    assert [snapshot["payment"]["payment_id"] for snapshot in snapshots] == ["pay_1", "pay_2", "pay_3"]


@with_wal2json
def test_wal2json_has_every_event(source):
    source.sql("SELECT pg_create_logical_replication_slot('checkout_events', 'wal2json')")
    session = tell(source)
    changes = source.sql(
        "SELECT data FROM pg_logical_slot_get_changes('checkout_events', NULL, NULL, 'format-version', '2',"
        " 'actions', 'insert', 'add-tables', 'checkout_data.webhook_outbox', 'include-transaction', 'off')")
    rows = [{column["name"]: column["value"] for column in json.loads(change["data"])["columns"]} for change in changes]
    for row in rows:
        # To wal2json, a value of a domain is a text.
        row |= {"snapshot": json.loads(row["snapshot"]), "sequence": int(row["sequence"])}
    check(rows, session)


@with_wal2json
def test_an_expiry_is_its_event_and_a_delete_among_the_open_sessions(source):
    source.wait_for_first_look()
    source.sql("SELECT pg_create_logical_replication_slot('checkout_changes', 'wal2json')")
    session = source.create("1 second")
    source.wait_for(session)
    changes = [json.loads(row["data"]) for row in source.sql(
        "SELECT data FROM pg_logical_slot_get_changes('checkout_changes', NULL, NULL, 'format-version', '2',"
        " 'include-transaction', 'off')")]
    assert sorted((change["table"], change["action"]) for change in changes) == [
        ("checkout_sessions", "I"), ("open_sessions", "D"), ("open_sessions", "I"), ("webhook_outbox", "I")]


@with_wal2json
def test_events_are_only_inserted_and_removed(source):
    """Whatever becomes of a delivery, its event is not written again."""
    source.sql("SELECT pg_create_logical_replication_slot('checkout_events', 'wal2json')")
    tell(source)
    source.sql("SELECT checkout.redeliver_webhook_events(created_after => now() - interval '1 hour')")
    source.sql("UPDATE checkout_data.webhook_deliveries SET delivered_at = now() - interval '1 year', next_attempt_at = NULL")
    source.sql("UPDATE checkout_data.webhook_outbox SET created_at = now() - interval '1 year'")
    source.sql("UPDATE checkout_data.checkout_sessions SET updated_at = now() - interval '1 year'")
    source.sql("SELECT checkout.run_maintenance()")
    changes = source.sql(
        "SELECT data::json ->> 'action' AS action, count(*) FROM pg_logical_slot_get_changes('checkout_events', NULL,"
        " NULL, 'format-version', '2', 'add-tables', 'checkout_data.webhook_outbox', 'include-transaction', 'off')"
        " GROUP BY 1 ORDER BY 1")
    # The three updates are those of this test.
    assert [(row["action"], row["count"]) for row in changes] == [("D", 3), ("I", 3), ("U", 3)]


def test_a_subscription_has_every_event(source):
    """A database without the extension, by pgoutput, which Debezium reads, too."""
    source.sql("CREATE PUBLICATION checkout_events FOR TABLE checkout_data.webhook_outbox WITH (publish = 'insert')")
    source.sql("CREATE DATABASE warehouse")
    warehouse = source.server.database("warehouse")
    columns = source.sql(
        "SELECT attname AS name, format_type(CASE WHEN typtype = 'd' THEN typbasetype ELSE atttypid END, NULL) AS type"
        " FROM pg_attribute JOIN pg_type ON pg_type.oid = atttypid"
        " WHERE attrelid = 'checkout_data.webhook_outbox'::regclass AND attnum > 0")
    warehouse.sql("CREATE SCHEMA checkout_data")
    warehouse.sql("CREATE TABLE checkout_data.webhook_outbox ("
                  + ", ".join(f"{column['name']} {column['type']}" for column in columns) + ")")
    # In the same cluster, so the slot must be created first.
    source.sql("SELECT pg_create_logical_replication_slot('warehouse', 'pgoutput')")
    warehouse.sql(f"CREATE SUBSCRIPTION warehouse CONNECTION 'host={source.server.dir} port=54321 dbname={source.name}"
                  " user=postgres' PUBLICATION checkout_events WITH (create_slot = false, slot_name = 'warehouse')")
    session = tell(source)
    rows = wait_until(lambda: len(rows := warehouse.sql("SELECT * FROM checkout_data.webhook_outbox")) >= 3 and rows, 20)
    check(rows, session)
    warehouse.sql("DROP SUBSCRIPTION warehouse")
