"""A database that was restored or copied has every row, does nothing until it is activated, and then goes on: what came
due meanwhile is expired, and the endpoints are told.
"""

import time
from contextlib import closing

import pytest
from conftest import run, wait_until
from support.dumps import dump, restore, restore_roles
from support.outcomes import refusal
from support.relay import ALLOWED, Receiver, Relay, genuine, prepare, register
from support.relay import start  # noqa: F401
from test_dump import contents as all_contents, fill

SOON = 3000


@pytest.fixture
def source(new_server):
    """A database whose own worker is disabled, so that nothing changes during the copy. Its sessions come due from now
    on, one every 10 ms.
    """
    server = new_server("wal_level=logical")
    db = server.create_database()
    db.sql(f"ALTER DATABASE {db.name} SET checkout_sessions.worker_enabled = off")
    wait_until(lambda: db.worker()["pid"] is None)  # the next one knows
    fill(db)
    db.call("create_webhook_endpoint", url="https://shop.example/hooks")
    db.insert_sessions(SOON, every="10 ms")
    return db


def due(db):
    return db.value(
        "SELECT count(*) FROM checkout_data.open_sessions WHERE environment = 'live' AND deadline <= clock_timestamp()")


def claims(db):
    return [db.value(f"SELECT count(*) FROM checkout.{claim}")
            for claim in ("claim_webhook_events('jobs')", "claim_webhook_deliveries()")]


def contents(db):
    """What every table contains, without the log of administration: that of a copy goes on."""
    found = all_contents(db)
    del found["admin_log"]
    return found


def logged(db):
    return {row["admin_log_id"] for row in db.sql("SELECT admin_log_id FROM checkout_data.admin_log")}


def is_at_rest(copy, source):
    """The copy has the rows of its source, and neither it nor a call changes them."""
    assert contents(copy) == contents(source) and logged(source) <= logged(copy)
    copy.wake_worker()
    wait_until(lambda: copy.worker()["state"] == "inactive")
    wait_until(lambda: due(copy) > 100, within=10)
    assert claims(copy) == [0, 0]
    assert refusal(copy.sql, "SELECT checkout.expire_due_checkout_sessions()") == "PT409"
    assert refusal(copy.sql, "SELECT checkout.run_maintenance()") == "PT409"
    # Those who read a session see that it is expired.
    assert copy.call("session_funnel")[0]["expired"] > 100
    assert contents(copy) == contents(source)
    assert copy.sql("SELECT * FROM checkout.verify_restore()") == []


def goes_on(copy):
    """Once it is activated, the sessions that came due expire, and each endpoint is told of each."""
    before = due(copy)
    events = copy.value("SELECT count(*) FROM checkout_data.webhook_outbox")
    assert before > 100
    since = copy.value("SELECT checkout.activate_database()")
    assert copy.value("SELECT checkout.activate_database()") == since
    wait_until(lambda: copy.value("SELECT count(*) - %s FROM checkout_data.webhook_outbox", events) >= before, within=10)
    assert copy.value(
        """SELECT count(*) FROM checkout_data.checkout_sessions s
           WHERE s.status = 'open' AND s.environment = 'live' AND s.expires_at BETWEEN now() - interval '10 minutes' AND now()
               AND s.lease_expires_at IS NULL
               AND NOT EXISTS (SELECT FROM checkout_data.open_sessions o WHERE o.checkout_session_id = s.checkout_session_id)
               AND NOT EXISTS (
                   SELECT FROM checkout_data.webhook_outbox o JOIN checkout_data.webhook_deliveries d
                       USING (organization_id, environment, subject_id, sequence)
                   JOIN checkout_data.webhook_endpoints p ON p.webhook_endpoint_id = d.receiver_id
                   WHERE o.subject_id = s.checkout_session_id AND o.event_type = 'checkout.session.expired')""") == 0
    assert claims(copy)[1] > 0
    assert copy.worker()["state"] != "inactive"
    copy.expires_on_time()


@pytest.mark.parametrize(("form", "options"), [
    ("plain", []), ("custom", []), ("custom", ["--jobs=4"]), ("custom", ["--jobs=4", "--data-only"])])
def test_restored_dump(source, new_server, tmp_path, form, options):
    dump(source, form, tmp_path / "dump")
    new = new_server()
    restore_roles(source.server, new)
    installed = "--data-only" in options
    copy = restore(new, source.name, form, tmp_path / "dump", *options, installed=installed)
    if installed:
        copy.sql("SELECT checkout.grant_access(%s, 'secret')", copy.shop)
    is_at_rest(copy, source)
    # A further organization does not activate it.
    copy.sql("SELECT checkout.create_organization('Another')")
    assert copy.worker()["state"] == "inactive"
    goes_on(copy)


def test_worker_looks_in_the_middle_of_a_restore_and_leaves(source, new_server, tmp_path):
    """The transaction that loads the last table is held up, while the sessions that are loaded come due."""
    dump(source, "plain", tmp_path / "schema", "--schema-only")
    dump(source, "custom", tmp_path / "dump")
    new = new_server()
    restore_roles(source.server, new)
    copy = restore(new, source.name, "plain", tmp_path / "schema")
    tables = ["activations", "organizations", "checkout_sessions", "open_sessions"]
    for chosen in (tables, ["webhook_endpoints", "webhook_consumers", "payments", "webhook_outbox", "webhook_deliveries", "webhook_attempts",
                            "idempotency_keys", "api_keys", "products", "prices", "inventory", "inventory_changes", "coupons", "holds",
                            "session_lines", "session_terms", "admin_log"]):
        run(new.bin / "pg_restore", *new.at(), f"--dbname={copy.name}", "--exit-on-error", "--data-only",
            *(f"--table={table}" for table in chosen), tmp_path / "dump")
        copy.wake_worker()
        wait_until(lambda: copy.worker()["state"] == "inactive")
        time.sleep(1)
        # An organization that is created meanwhile starts nothing.
        copy.sql("SELECT checkout.create_organization('Meanwhile')")
        copy.sql("DELETE FROM checkout_data.organizations WHERE name = 'Meanwhile'")
        copy.wake_worker()
    is_at_rest(copy, source)
    goes_on(copy)


def test_logical_subscriber(source, new_server):
    new = new_server()
    restore_roles(source.server, new)
    new.database().sql(f"CREATE DATABASE {source.name}")
    copy = new.database(source.name)
    copy.sql("CREATE EXTENSION checkout_sessions")
    source.sql("CREATE PUBLICATION everything FOR TABLES IN SCHEMA checkout_data")
    copy.sql(f"""CREATE SUBSCRIPTION everything
                 CONNECTION 'host={source.server.dir} port=54321 user=postgres dbname={source.name}' PUBLICATION everything""")
    copy.sql("SELECT checkout.grant_access(%s, 'secret')", copy.shop)
    wait_until(lambda: contents(copy) == contents(source), within=15)
    session = source.create("1 hour")
    wait_until(lambda: copy.sql("SELECT 1 FROM checkout_data.checkout_sessions WHERE checkout_session_id = %s", session))
    is_at_rest(copy, source)
    copy.sql("DROP SUBSCRIPTION everything")
    goes_on(copy)


def test_copy_by_template(source):
    admin = source.server.database()
    wait_until(lambda: not admin.sql("SELECT 1 FROM pg_stat_activity WHERE datname = %s", source.name))
    admin.sql(f"CREATE DATABASE copy TEMPLATE {source.name}")
    copy = source.server.database("copy")
    copy.shop = source.shop
    is_at_rest(copy, source)
    goes_on(copy)
    # The source, whose worker is disabled for this one database, has not changed.
    assert due(source) > 100 and source.worker()["state"] == "disabled"
    source.sql(f"ALTER DATABASE {source.name} RESET checkout_sessions.worker_enabled")
    source.wake_worker()
    wait_until(lambda: due(source) < 100)


def test_damaged_restore_is_noticed(source, new_server, tmp_path):
    dump(source, "custom", tmp_path / "dump")
    items = run(source.server.bin / "pg_restore", "--list", tmp_path / "dump").splitlines()
    (tmp_path / "list").write_text("\n".join(item for item in items if "TABLE DATA checkout_data payments" not in item))
    new = new_server()
    restore_roles(source.server, new)
    copy = restore(new, source.name, "custom", tmp_path / "dump", f"--use-list={tmp_path}/list")
    problems = {row["problem"]: row["row_count"] for row in copy.sql("SELECT * FROM checkout.verify_restore()")}
    assert problems["complete sessions without their payment"] == 2
    assert problems["events without their payment"] > 1
    new.drop_databases()  # the invariants do not hold


def test_relay_of_a_copy_sends_nothing_until_the_copy_is_activated(new_server, start):  # noqa: F811
    server = new_server(ALLOWED)
    db = prepare(server.create_database())
    receiver = start(Receiver)
    _, secret = register(db, receiver)
    db.call("expire_checkout_session", checkout_session_id=db.create())
    wait_until(lambda: not server.database().sql("SELECT 1 FROM pg_stat_activity WHERE datname = %s", db.name))
    server.database().sql(f"CREATE DATABASE staging TEMPLATE {db.name}")
    staging = server.database("staging")
    staging.shop = db.shop
    relay = start(Relay, staging)
    wait_until(lambda: "listening" in relay.log())
    staging.call("expire_checkout_session", checkout_session_id=staging.create())
    time.sleep(3)
    assert receiver.requests == []
    staging.sql("SELECT checkout.activate_database()")
    wait_until(lambda: len(receiver.requests) == 2)
    assert genuine(db, receiver.requests[0], secret)


def test_deliveries_of_a_database_are_paused_and_resumed_while_its_relay_is_connected(new_server, start):  # noqa: F811
    server = new_server(ALLOWED)
    db = prepare(server.create_database())
    receiver = start(Receiver)
    register(db, receiver)
    relay = start(Relay, db)
    wait_until(lambda: "listening" in relay.log())
    db.sql(f"ALTER DATABASE {db.name} SET checkout_sessions.deliveries_enabled = off")
    db.call("expire_checkout_session", checkout_session_id=db.create())
    time.sleep(3)
    assert receiver.requests == []
    db.sql(f"ALTER DATABASE {db.name} RESET checkout_sessions.deliveries_enabled")
    wait_until(lambda: receiver.requests)


@pytest.mark.parametrize("value", ["on", "off"])
def test_a_database_that_says_no_more_whether_it_delivers_does_as_the_server_says(new_server, value):
    server = new_server("checkout_sessions.deliveries_enabled=off")
    db = server.create_database()
    db.sql("SELECT checkout.create_webhook_consumer('jobs')")
    db.call("expire_checkout_session", checkout_session_id=db.create())
    setting = f"ALTER DATABASE {db.name} %s checkout_sessions.deliveries_enabled"
    claim = "SELECT count(*) FROM checkout.claim_webhook_events('jobs', lease => '1 second')"
    db.sql(setting % "SET" + f" = {value}")
    with closing(db.connect()) as connection, connection.cursor() as cursor:

        def claimed():
            cursor.execute(claim)
            return cursor.fetchone()["count"]

        assert (claimed() > 0) == (value == "on")
        db.sql(setting % "RESET")
        time.sleep(1.1)
        assert claimed() == 0, "the server's own value counts"
        db.sql(setting % "SET" + " = on")
        assert claimed() > 0, "at once, for open connections, too"


def test_promoted_physical_copy_is_active_and_its_deliveries_can_be_off_from_the_start(pair):
    """It has every byte of its source, so only a setting can tell it that it is for tests."""
    db, copy = pair
    db.sql("SELECT checkout.create_webhook_consumer('jobs')")
    db.call("expire_checkout_session", checkout_session_id=db.create())
    wait_until(lambda: copy.value("SELECT count(*) FROM checkout_data.webhook_outbox") == 1)
    copy.server.restart("checkout_sessions.deliveries_enabled=off")
    copy.server.pg_ctl("promote")
    wait_until(lambda: not copy.value("SELECT pg_is_in_recovery()"))
    assert claims(copy) == [0, 0]
    wait_until(lambda: copy.worker()["state"] in ("sleeping", "working"))
    copy.expires_on_time()
    copy.server.restart("checkout_sessions.deliveries_enabled=on")
    assert claims(copy)[0] > 0


def test_many_sessions_in_an_inactive_database_start_no_worker_again_and_again(new_server):
    server = new_server("log_min_messages=debug1")
    db = server.create_database()
    db.sql("DELETE FROM checkout_data.activations")
    db.wake_worker()
    wait_until(lambda: db.worker()["state"] == "inactive")
    time.sleep(1)
    started = server.log().count("starting background worker process \"checkout_sessions worker\"")
    for _ in range(20):
        db.create("1 second")
        time.sleep(0.2)
    assert server.log().count("starting background worker process \"checkout_sessions worker\"") - started <= 1
    db.sql("SELECT checkout.activate_database()")
    wait_until(lambda: db.expired_count() == 20)


def test_worker_of_one_database_is_disabled_and_the_others_are_at_work(new_server):
    server = new_server("log_min_messages=debug1")
    off, on = server.create_database(), server.create_database()
    off.keep_worker_busy(seconds=40)
    off.sql(f"ALTER DATABASE {off.name} SET checkout_sessions.worker_enabled = off")
    # A worker at work learns of it within ten seconds.
    wait_until(lambda: off.worker()["pid"] is None and off.worker()["state"] == "disabled", within=15)
    expired = off.expired_count()
    started = server.log().count("starting background worker process \"checkout_sessions worker\"")
    off.create("1 second")
    time.sleep(3)
    assert off.expired_count() == expired
    assert server.log().count("starting background worker process \"checkout_sessions worker\"") == started
    on.expires_on_time()
    # The setting of the server counts for all, and enabling it there enables it for the others alone.
    server.configure(worker_enabled="off")
    wait_until(lambda: on.worker()["state"] == "disabled")
    # Also for a database that says otherwise.
    on.sql(f"ALTER DATABASE {on.name} SET checkout_sessions.worker_enabled = on")
    assert on.worker()["state"] == "disabled"
    server.configure(worker_enabled="on")
    on.expires_on_time()
    assert off.expired_count() == expired
    off.sql(f"ALTER DATABASE {off.name} RESET checkout_sessions.worker_enabled")
    off.wake_worker()
    wait_until(lambda: off.expired_count() > expired)
