"""Sessions and payments are not dropped without a word, whichever statement would drop them; and whatever must work does."""

import subprocess
from contextlib import closing

import psycopg2
import pytest
from conftest import private_server, run
from support.dumps import dump, restore
from support.outcomes import refusal
from test_dump import contents, fill

REFUSED = "has rows and cannot be dropped"


def fault(query, *arguments):
    """The message with which a query is refused."""
    with pytest.raises(psycopg2.Error) as caught:
        query(*arguments)
    assert caught.value.pgcode == "2BP01"
    return str(caught.value)


@pytest.fixture(scope="module")
def quiet_server():
    """Without a worker, whose locks could be in the way of a drop."""
    with private_server("py-drop", "checkout_sessions.worker_enabled=off") as server:
        yield server


@pytest.fixture
def db(quiet_server):
    return quiet_server.create_database()


@pytest.fixture
def filled(db):
    """A database with a session and a payment."""
    db.call("record_payment", checkout_session_id=db.create(), payment_id="paid", outcome="succeeded")
    return db


def counts(db):
    return [db.value(f"SELECT count(*) FROM checkout_data.{table}") for table in ("checkout_sessions", "payments")]


@pytest.mark.parametrize("statements", [
    ["DROP EXTENSION checkout_sessions"],
    ["DROP EXTENSION checkout_sessions CASCADE"],
    ["DROP EXTENSION IF EXISTS checkout_sessions, plpgsql CASCADE"],
    # The functions in PL/pgSQL need it, and the extension has those.
    ["DROP EXTENSION plpgsql CASCADE"],
    ["ALTER EXTENSION checkout_sessions DROP TABLE checkout_data.payments", "DROP TABLE checkout_data.payments CASCADE"],
    ["ALTER EXTENSION checkout_sessions DROP SCHEMA checkout_data", "DROP SCHEMA checkout_data CASCADE"],
    ["ALTER SCHEMA checkout_data RENAME TO hidden", "DROP EXTENSION checkout_sessions /* hidden */"],
    ["ALTER EXTENSION checkout_sessions DROP TABLE checkout_data.checkout_sessions",
     "DROP TABLE checkout_data.checkout_sessions CASCADE"],
], ids=lambda statements: statements[-1])
def test_what_has_sessions_is_not_dropped(filled, statements):
    with closing(filled.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        for statement in statements[:-1]:
            cursor.execute(statement)
        assert REFUSED in fault(cursor.execute, statements[-1])
        connection.rollback()
    assert counts(filled) == [1, 1]


@pytest.mark.parametrize("statement", ["DROP SCHEMA checkout_data CASCADE", "DROP TABLE checkout_data.payments CASCADE",
                                       "DROP OWNED BY checkout_sessions_worker CASCADE"])
def test_what_belongs_to_the_extension_is_not_dropped_alone(filled, statement):
    """The server says so itself."""
    assert "extension checkout_sessions requires it" in fault(filled.sql, statement)
    assert counts(filled) == [1, 1]


def test_what_its_owner_owns_is_not_dropped(filled):
    filled.sql("CREATE ROLE installer SUPERUSER")
    try:
        filled.sql("UPDATE pg_extension SET extowner = 'installer'::regrole WHERE extname = 'checkout_sessions'")
        filled.sql("INSERT INTO pg_shdepend SELECT (SELECT oid FROM pg_database WHERE datname = current_database()),"
                   " 'pg_extension'::regclass, oid, 0, 'pg_authid'::regclass, 'installer'::regrole, 'o'"
                   " FROM pg_extension WHERE extname = 'checkout_sessions'")
        assert REFUSED in fault(filled.sql, "DROP OWNED BY installer")
        assert counts(filled) == [1, 1]
    finally:
        filled.sql("REASSIGN OWNED BY installer TO postgres")
        filled.sql("DROP ROLE installer")


def test_a_session_without_a_payment_is_enough_and_so_is_one_of_this_transaction(db):
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        connection.autocommit = False
        cursor.execute("SELECT set_config('checkout_sessions.organization_id', %s, true)", [db.organization_id])
        cursor.execute("SELECT checkout.create_checkout_session(10, 'USD', customer_id => 'c1')")
        assert REFUSED in fault(cursor.execute, "DROP EXTENSION checkout_sessions")


def test_the_message_says_what_to_do(filled):
    error = subprocess.run(
        [filled.server.bin / "psql", "-X", "-d", f"host={filled.server.dir} port=54321 user=postgres dbname={filled.name}",
         "-c", "DROP EXTENSION checkout_sessions"], capture_output=True, text=True, check=False).stderr
    assert REFUSED in error and "checkout_sessions.allow_drop = on" in error


def test_without_sessions_it_is_dropped(db):
    """Organizations and keys can be made again."""
    db.create_api_key()
    db.sql("DROP EXTENSION checkout_sessions")
    assert db.sql("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'checkout%'") == []


def test_with_the_setting_it_is_dropped(filled):
    with closing(filled.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SET checkout_sessions.allow_drop = on")
        cursor.execute("DROP EXTENSION checkout_sessions")
    assert filled.sql("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'checkout%'") == []
    # Such a session has not opened the way for others.
    filled.sql("CREATE EXTENSION checkout_sessions")
    filled.sql(f"SELECT checkout.create_organization('Shop', organization_id => '{filled.organization_id}')")
    filled.sql("SELECT checkout.grant_access(%s, 'secret')", filled.shop)
    filled.create()
    assert REFUSED in fault(filled.sql, "DROP EXTENSION checkout_sessions")


def test_only_a_superuser_sets_it(filled):
    assert refusal(filled.sql, "SET checkout_sessions.allow_drop = on", user=filled.shop) == "42501"


def test_a_database_is_dropped_and_a_table_of_another_is_not_guarded(filled):
    filled.sql("CREATE SCHEMA other")
    filled.sql("CREATE TABLE other.payments AS SELECT 1 AS payment")
    filled.sql("DROP TABLE other.payments")
    filled.sql("CREATE TEMPORARY TABLE payments AS SELECT 1 AS payment")
    admin = filled.server.database()
    admin.sql(f"DROP DATABASE {filled.name} WITH (FORCE)")
    # Without the extension the names mean nothing.
    plain = admin.server.database("plain")
    admin.sql("CREATE DATABASE plain")
    plain.sql("CREATE SCHEMA checkout_data CREATE TABLE payments (payment integer)")
    plain.sql("INSERT INTO checkout_data.payments VALUES (1)")
    plain.sql("DROP SCHEMA checkout_data CASCADE")


def test_a_restore_that_cleans_loses_nothing_unless_it_is_told_to(filled, tmp_path):
    server = filled.server
    dump(filled, "custom", tmp_path / "dump")
    before = contents(filled)
    clean = [server.bin / "pg_restore", *server.at(), f"--dbname={filled.name}", "--clean", "--if-exists"]
    for options in (["--exit-on-error"], []):
        done = subprocess.run([*clean, *options, tmp_path / "dump"], capture_output=True, text=True, check=False)
        assert done.returncode == 1 and REFUSED in done.stderr
        assert contents(filled) == before
    run(*clean, "--exit-on-error", tmp_path / "dump", env={"PGOPTIONS": "-c checkout_sessions.allow_drop=on"})
    assert contents(filled) == before


def test_where_the_library_is_not_loaded_nothing_holds_it(new_server):
    """What docs/hardening.md says."""
    server = new_server("shared_preload_libraries=")
    db = server.create_database()
    db.create()
    found = "SELECT object, role FROM checkout.security_report() WHERE finding = 'can drop everything'"
    assert db.sql(found) == [{"object": "shared_preload_libraries", "role": "postgres"}]
    db.sql("ALTER DATABASE " + db.name + " SET session_preload_libraries = 'checkout_sessions'")
    assert REFUSED in fault(db.sql, "DROP EXTENSION checkout_sessions")
    assert db.sql(found) == []
    db.sql("ALTER DATABASE " + db.name + " RESET session_preload_libraries")
    db.sql("DROP EXTENSION checkout_sessions")


def installed_with(server, *settings):
    db = server.database(f"noticed_{len(settings)}")
    server.database().sql(f"CREATE DATABASE {db.name}")
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        for setting in settings:
            cursor.execute(f"SET {setting}")
        cursor.execute("CREATE EXTENSION checkout_sessions")
        return "".join(connection.notices)


def test_who_installs_it_learns_that_it_is_not_preloaded(new_server, server, tmp_path):
    notice = installed_with(new := new_server("shared_preload_libraries="))
    assert notice.startswith("NOTICE:") and "checkout_sessions is not preloaded" in notice
    assert "shared_preload_libraries" in notice and "run_maintenance" in notice
    assert installed_with(new, "client_min_messages = warning") == ""
    assert installed_with(server) == ""
    # Not in a restore, which asks for warnings.
    db = server.create_database()
    dump(db, "plain", tmp_path / "dump")
    admin = new.database()
    admin.sql("CREATE DATABASE restored")
    admin.sql(f"CREATE ROLE {db.shop}")
    done = subprocess.run(
        [new.bin / "psql", "-X", "-q", "-d", f"host={new.dir} port=54321 user=postgres dbname=restored",
         "-f", tmp_path / "dump"],
        capture_output=True, text=True, check=False)
    assert done.stderr == ""
