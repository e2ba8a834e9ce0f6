"""A new version of the extension: upgraded, a database is the same as a new one, and keeps its rows. Meanwhile the library
and the schema are of different versions: all works, or says what to do.
"""

import threading
import time
from contextlib import closing

import psycopg2
import pytest
from conftest import PROCESS, ROOT, wait_until
from support import versions
from support.catalog import catalog, differences
from support.dumps import all_rows as every_row
from support.dumps import dump, restore, restore_roles
from support.versions import EARLIER, NEXT, NOW, UPGRADE, Versions
from test_dump import fill, goes_on

# The scripts of this repository, and the example.
SCRIPTS = [(NOW, NEXT), *(path.stem.split("--")[1:] for path in sorted(ROOT.glob("sql/upgrade/*.sql")))]
# What the example adds to tables, and its table.
NEW_COLUMNS = ["refund_approval", "approved_by"]
NEW_TABLES = {"checkout_data.refund_approvals": "0 "}


def all_rows(db, without=()):
    """Without the log of administration, which goes on."""
    return {table: rows for table, rows in every_row(db, without).items() if table != "checkout_data.admin_log"}


@pytest.fixture
def copy(monkeypatch):
    """A copy of Postgres that knows of other versions."""
    folder = f"/var/tmp/checkout_sessions-versions{PROCESS}"
    versions.remove(folder)
    copy, servers = Versions(folder, monkeypatch), []

    def start(*settings):
        servers.append(copy.server(f"py-versions-{len(servers)}", *settings))
        return servers[-1]

    copy.start = start
    yield copy
    try:
        for server in servers:
            server.check()
    finally:
        for server in servers:
            server.remove()
        monkeypatch.undo()
        versions.remove(folder)


def database(server, name, version=NOW, shop=True):
    server.database().sql(f"CREATE DATABASE {name}")
    db = server.database(name)
    db.sql(f"CREATE EXTENSION checkout_sessions VERSION '{version}'")
    if shop:
        db.install()
    return db


def version(db):
    return db.value("SELECT extversion FROM pg_extension WHERE extname = 'checkout_sessions'")


def update(db, to=NEXT):
    db.sql(f"ALTER EXTENSION checkout_sessions UPDATE TO '{to}'")
    assert version(db) == to


def files(db):
    """The files of the tables."""
    return {table["name"]: table["file"] for table in db.sql(
        "SELECT c.relname AS name, pg_relation_filenode(c.oid) AS file FROM pg_class c"
        " WHERE c.relnamespace = 'checkout_data'::regnamespace AND c.relkind = 'r'")}


def refund(db, refund_id):
    """Pays a session and returns the money. Returns what the call answers."""
    session = db.create()
    db.call("record_payment", checkout_session_id=session, payment_id=f"of {refund_id}", outcome="succeeded")
    return db.call("record_refund", payment_id=f"of {refund_id}", refund_id=refund_id)[0]


def refused(work, *arguments):
    with pytest.raises(psycopg2.Error) as raised:
        work(*arguments)
    return raised.value


def says_what_to_do(error, schema):
    hint = error.diag.message_hint
    return f"the library is of version {NOW}, and the schema of version {schema}" in hint and "ALTER EXTENSION" in hint


# -- the same as new ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first, last", SCRIPTS)
def test_upgraded_database_is_the_same_as_a_new_one(copy, first, last):
    server = copy.start()
    upgraded, fresh = database(server, "upgraded", first, shop=False), database(server, "fresh", last, shop=False)
    before, files_before = catalog(upgraded), files(upgraded)
    update(upgraded, last)
    # A table that is rewritten looks empty to a statement that has begun before.
    assert {table: file for table, file in files_before.items() if files(upgraded)[table] != file} == {}
    after = catalog(upgraded)
    assert differences(after, catalog(fresh)) == []
    # A library that meets the other schema would read arguments that are not there.
    old, new = ({f["symbol"]: f["signature"] for (kind, _), f in of.items() if kind == "function" and f["symbol"]}
                for of in (before, after))
    assert {symbol for symbol in old.keys() & new.keys() if old[symbol] != new[symbol]} == set()
    if last == NEXT:
        # It is an example for every kind of object.
        assert {kind for kind, *_ in differences(before, after)} >= {
            "member", "dumped table", "relation", "index", "column", "constraint", "function", "type", "policy", "trigger",
            "rule", "first rights"}


# What an upgrade script can forget, and where it shows.
FORGOTTEN = {
    "REVOKE ALL ON FUNCTION checkout.list_refund_approvals() FROM PUBLIC": ("function", "acl"),
    "ALTER FUNCTION checkout.list_refund_approvals() OWNER TO checkout_sessions_api": ("function", "proowner"),
    "ALTER TABLE checkout_data.refund_approvals ENABLE ROW LEVEL SECURITY": ("relation", "relrowsecurity"),
    "SELECT pg_catalog.pg_extension_config_dump('checkout_data.refund_approvals'::pg_catalog.regclass, '')":
        ("dumped table", "is there"),
    "COMMENT ON TYPE checkout.refund IS 'One refund of a payment, and who has approved it.'": ("type", "comment"),
    "DROP INDEX checkout_data.refunds_payment_idx": ("index", "is there"),
    "CREATE POLICY every_tenant ON checkout_data.refund_approvals TO checkout_sessions_worker USING (true)"
    " WITH CHECK (true)":
        ("policy", "is there"),
    "GRANT SELECT, INSERT ON checkout_data.refund_approvals TO checkout_sessions_api": ("relation", "acl"),
}


def test_what_an_upgrade_script_forgets_is_found(copy):
    server = copy.start()
    fresh = catalog(database(server, "fresh", NEXT, shop=False))
    for number, (statement, where) in enumerate(FORGOTTEN.items()):
        assert UPGRADE.count(statement + ";") == 1
        copy.put(f"{NOW}--{NEXT}", UPGRADE.replace(statement + ";", ""))
        db = database(server, f"upgraded_{number}", shop=False)
        update(db)
        assert where in {(kind, what) for kind, _, what, *_ in differences(catalog(db), fresh)}, statement


# -- the rows, and who works with them ---------------------------------------------------------------------------------


def test_rows_survive_and_the_library_of_the_version_before_works(copy):
    """Also in a connection that was there before, with its plans."""
    db = database(copy.start("checkout_sessions.worker_enabled=off"), "shop")
    due = fill(db)
    assert refund(db, "before")["status"] == "succeeded"
    with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
        def create():
            cursor.execute("SELECT status FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c')")
            cursor.execute("SELECT count(*) FROM checkout.refunds")
            return cursor.fetchone()["count"]

        assert create() == 1
        before = all_rows(db, NEW_COLUMNS)
        update(db)
        assert all_rows(db, NEW_COLUMNS) == {**before, **NEW_TABLES}
        assert create() == 1
    assert refund(db, "after")["approved_by"] is None
    db.sql("UPDATE checkout_data.refunds SET approved_by = 'Zoë' WHERE refund_id = 'before'")
    # The role got what is new in its access.
    assert [row["approved_by"] for row in db.call("list_refund_approvals")] == ["Zoë"]
    assert db.sql("SELECT * FROM checkout.verify_restore()") == []
    goes_on(db, due)


def hammer(db, until, slowest, errors):
    """Sells and refunds, in one transaction each, and reads the organization last: in another order than the script."""
    with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
        number = 0
        while not until.is_set():
            number, before = number + 1, time.monotonic()
            payment = f"{threading.get_ident()} {number}"
            try:
                cursor.execute("BEGIN")
                cursor.execute("SELECT checkout_session_id FROM checkout.create_checkout_session(10, 'USD',"
                               " customer_id => 'c')")
                session = cursor.fetchone()["checkout_session_id"]
                cursor.execute("SELECT FROM checkout.record_payment(%s, %s, 'succeeded')", [session, payment])
                cursor.execute("SELECT FROM checkout.record_refund(%s, %s)", [payment, payment])
                cursor.execute("SELECT FROM checkout.create_checkout_session(10, 'USD', customer_id => 'c')")
                cursor.execute("COMMIT")
            except psycopg2.Error as error:
                errors.append(error)
                cursor.execute("ROLLBACK")
            slowest[0] = max(slowest[0], time.monotonic() - before)


def test_upgrade_while_the_worker_and_callers_are_at_work(copy):
    db = database(copy.start(), "shop")
    db.keep_worker_busy(seconds=30)
    until, slowest, errors = threading.Event(), [0.0], []
    callers = [threading.Thread(target=hammer, args=[db, until, slowest, errors]) for _ in range(4)]
    for caller in callers:
        caller.start()
    try:
        time.sleep(1)
        before = time.monotonic()
        update(db)
        took = time.monotonic() - before
        expired = db.expired_count()
        wait_until(lambda: db.expired_count() > expired + 5)
        time.sleep(1)
    finally:
        until.set()
        for caller in callers:
            caller.join()
    assert errors == []
    assert took < 10 and slowest[0] < 3
    assert db.worker()["last_error"] is None
    assert db.value("SELECT count(*) FROM checkout_data.refunds") > 20


def test_transaction_that_takes_long_keeps_the_upgrade_waiting_and_nobody_else(copy):
    db = database(copy.start(), "shop")
    with closing(db.connect()) as holder, holder.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM checkout_data.refunds")
        until, slowest, errors = threading.Event(), [0.0], []
        caller = threading.Thread(target=hammer, args=[db, until, slowest, errors])
        caller.start()
        try:
            error = refused(update, db)
        finally:
            until.set()
            caller.join()
    assert error.pgcode == "55P03" and "End the transactions" in error.diag.message_hint
    assert version(db) == NOW
    assert errors == [] and slowest[0] < 2
    update(db)


# -- another library ---------------------------------------------------------------------------------------------------


def test_library_on_a_schema_that_lacks_something_says_what_to_do(copy):
    copy.put(EARLIER, versions.INSTALL + "ALTER TABLE checkout_data.open_sessions RENAME COLUMN deadline TO ends_at;\n")
    copy.put(f"{EARLIER}--{NOW}", "ALTER TABLE checkout_data.open_sessions RENAME COLUMN ends_at TO deadline;\n")
    server = copy.start()
    db = database(server, "shop", EARLIER)
    with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
        create = "SELECT checkout.create_checkout_session(10, 'USD', customer_id => 'c', expires_in => '1 second')"
        error = refused(cursor.execute, create)
        assert error.pgcode == "42703" and says_what_to_do(error, EARLIER)
        # Other errors do not say so.
        assert refused(cursor.execute, "SELECT checkout.get_checkout_session(gen_random_uuid())").diag.message_hint is None
        db.wake_worker()
        wait_until(lambda: server.log().count(f"the schema of version {EARLIER}") == 2)
        update(db, NOW)
        last_error = db.worker()["last_error"]
        assert "does not exist; the library" in last_error and f"the schema of version {EARLIER}" in last_error
        cursor.execute(create)
    wait_until(lambda: db.expired_count() == 1, within=15)


def test_library_on_a_schema_that_has_changed_too_much_says_what_to_do(copy):
    copy.put(f"{NOW}--9.0.0", "ALTER TABLE checkout_data.open_sessions RENAME COLUMN deadline TO ends_at;\n")
    db = database(copy.start("checkout_sessions.worker_enabled=off"), "shop")
    update(db, "9.0.0")
    assert says_what_to_do(refused(db.create), "9.0.0")
    db.sql("ALTER TABLE checkout_data.open_sessions RENAME COLUMN ends_at TO deadline")


def test_upgrade_is_refused_by_a_server_with_the_library_of_before(copy):
    copy.put(f"{NOW}--9.0.0", UPGRADE.replace("'{0,1,0}'", "'{9,0,0}'"))
    db = database(copy.start(), "shop")
    error = refused(update, db, "9.0.0")
    assert error.pgcode == "55000" and f"still of version {NOW}" in str(error)
    assert "Restart the server" in error.diag.message_hint
    assert version(db) == NOW


# -- dumps -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form, first", [("plain", NEXT), ("custom", NOW)])
def test_dump_of_the_version_before_is_restored(copy, tmp_path, form, first):
    """Into the new version, or into its own, which is then upgraded."""
    old = copy.start("checkout_sessions.worker_enabled=off")
    db = database(old, "shop")
    due = fill(db)
    refund(db, "before")
    dump(db, form, tmp_path / "dump")
    new = copy.start("checkout_sessions.worker_enabled=off")
    restore_roles(old, new)
    copy.default(NEXT)
    if first == NEXT:
        restored = restore(new, db.name, form, tmp_path / "dump")
    else:
        restored = restore(new, db.name, form, tmp_path / "dump", version=NOW)
        update(restored)
    assert version(restored) == NEXT and all_rows(restored, NEW_COLUMNS) == {**all_rows(db), **NEW_TABLES}
    assert restored.sql("SELECT * FROM checkout.verify_restore()") == []
    restored.sql("SELECT checkout.activate_database()")
    goes_on(restored, due)
