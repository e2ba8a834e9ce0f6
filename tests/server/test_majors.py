"""pg_upgrade from Debian's PostgreSQL 15 to a later major version: every row is there, and all goes on."""

import pytest
from conftest import AS_SERVER_USER, ENVIRONMENT, Server, run, wait_until
from support.dumps import all_rows
from test_dump import fill, goes_on

OLD = "15"


def later():
    """The major version of PG_CONFIG, or the next one if that is the old one."""
    version = run(ENVIRONMENT.get("PG_CONFIG", "/usr/lib/postgresql/15/bin/pg_config"), "--version")
    major = version.split()[1].partition(".")[0]
    return "16" if major == OLD else major


def environment_of(major):
    """The environment of the scripts for a major version. The extension is built for it, unless it has been."""
    others = ("CARGO_TARGET_DIR", "MAKEFLAGS", "MAKELEVEL")
    clean = {name: value for name, value in ENVIRONMENT.items() if name not in others}
    run("scripts/majors", "build", major, env=clean)
    target = "target" if major == OLD else f"target/pg{major}"
    return {**clean, "PG_CONFIG": run("scripts/postgres", major), "CARGO_TARGET_DIR": target}


@pytest.fixture
def server_of():
    servers = []

    def make(major, *settings):
        server = Server(f"py-major-{major}", environment_of(major))
        server.remove()
        servers.append(server)
        return server.start(*settings)

    yield make
    try:
        servers[-1].check()
    finally:
        for server in servers:
            server.remove()


def subscribe_with_hook(db):
    """Sells a subscription and refunds a payment. A function of the shop's counts completed sessions."""
    db.sql("""CREATE SCHEMA shop; CREATE TABLE shop.completed (id uuid); GRANT USAGE ON SCHEMA shop TO merchant;
              GRANT ALL ON shop.completed TO merchant;
              CREATE FUNCTION shop.count(s checkout.checkout_session) RETURNS void LANGUAGE sql
                  AS 'INSERT INTO shop.completed VALUES (s.checkout_session_id)';
              ALTER FUNCTION shop.count OWNER TO merchant""")
    db.sql("SELECT checkout.set_hook(%s, 'completed', 'shop.count(checkout.checkout_session)')", db.organization_id)
    db.call("create_product", name="Club", product_id="club")
    db.call("create_price", product_id="club", currency_code="USD", amount=5, price_id="monthly", interval_unit="month")
    db.sql("SELECT checkout.update_organization(%s, uses_catalog => true)", db.organization_id)
    (session,) = db.call("create_checkout_session", price_id="monthly", customer_id="c1")
    pay(db, session["checkout_session_id"], "first month")
    pay(db, db.create(), "returned")
    db.call("record_refund", payment_id="returned", refund_id="r1", amount=3)
    return session["subscription_id"]


def forget_versions_of_attributes(db):
    """PostgreSQL 15.20 notes them as an option of columns. To 16.14 it is unknown, so that pg_upgrade, whose dump has it,
    fails.
    """
    db.sql("""SET allow_system_table_mods = on;
              UPDATE pg_attribute SET attoptions = NULL WHERE attoptions::text LIKE '{pg_attver=%}'""")


def pay(db, session, payment_id):
    db.call("record_payment", checkout_session_id=session, payment_id=payment_id, outcome="succeeded")


def test_cluster_is_upgraded_to_a_later_major_version(server_of):
    old = server_of(OLD, "checkout_sessions.worker_enabled=off")
    db = old.create_database()
    db.sql("CREATE ROLE merchant")
    due = fill(db)
    subscription, key = subscribe_with_hook(db), db.create_api_key()
    before, counted = all_rows(db), db.value("SELECT count(*) FROM shop.completed")
    assert counted == 2
    forget_versions_of_attributes(db)
    old.stop()

    new = server_of(later(), "checkout_sessions.worker_enabled=off")
    # Both have checksums, or none. New clusters have them from 18 on.
    checksums = new.database().value("SHOW data_checksums") == "on"
    new.stop()
    if checksums:
        run(*AS_SERVER_USER, new.bin / "pg_checksums", "--disable", f"--pgdata={new.data}", "--no-sync", cwd="/")
    run(*AS_SERVER_USER, new.bin / "pg_upgrade", "--username=postgres", f"--old-bindir={old.bin}", f"--new-bindir={new.bin}",
        f"--old-datadir={old.data}", f"--new-datadir={new.data}", f"--socketdir={new.dir}", "--no-sync", cwd=new.dir)
    new.start()
    upgraded = new.database(db.name)
    assert all_rows(upgraded) == before
    assert upgraded.sql("SELECT * FROM checkout.verify_restore()") == []

    # It is active, and its worker works at once.
    assert upgraded.worker()["state"] == "disabled"
    goes_on(upgraded, due)
    renewal = upgraded.call("create_checkout_session", subscription_id=subscription)[0]["checkout_session_id"]
    pay(upgraded, renewal, "renewal")
    assert upgraded.call("get_subscription", subscription_id=subscription)[0]["periods_paid"] == 2
    assert upgraded.value("SELECT count(*) FROM shop.completed") == counted + 1
    assert upgraded.call("record_refund", payment_id="returned", refund_id="r2", amount=7)[0]["status"] == "succeeded"
    assert upgraded.sql("SELECT checkout.authenticate(%s)", key)
    wait_until(lambda: upgraded.worker()["state"] == "sleeping")
