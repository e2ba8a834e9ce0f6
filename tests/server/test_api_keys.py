"""API keys: where they work, when they end, when they were last used, and what a copy of the database reveals of them.
"""

from contextlib import closing

import pytest
from conftest import wait_until, when_there
from support.dumps import dump, restore
from support.outcomes import refusal

LIST = "SELECT count(*) AS count FROM checkout.list_checkout_sessions()"
REVOKED = "SELECT checkout.revoke_api_key(%s)"


@pytest.fixture
def web(db):
    return db.create_web_role()


def in_transaction(db, key, *statements, begin="BEGIN"):
    """Presents a key and runs statements in one transaction. Returns the rows of the last one."""
    with closing(db.connect(db.web)) as connection, connection.cursor() as cursor:
        cursor.execute(begin)
        cursor.execute("SELECT environment, kind, api_key_id FROM checkout.authenticate(%s)", [key])
        for statement in statements:
            cursor.execute(statement)
        rows = cursor.fetchall()
        cursor.execute("COMMIT")
        return rows


def last_used(db, key):
    return db.value("SELECT last_used_at FROM checkout.list_api_keys() WHERE api_key_id = %s", key[:20])


# when they were last used ----------------------------------------------------------------------------------------


def test_worker_writes_down_when_a_key_was_last_used(db, web):
    key, unused = db.create_api_key(), db.create_api_key()
    db.wait_for_first_look()
    before = db.value("SELECT clock_timestamp()")
    in_transaction(db, key)
    assert last_used(db, key) is None, "not where the key is used: that would be a write in each request"
    # The worker would come within a minute; a due session makes it come now.
    db.create("1 second")
    wait_until(lambda: last_used(db, key))
    assert before < last_used(db, key) < db.value("SELECT clock_timestamp()")
    assert last_used(db, unused) is None


def test_use_in_a_transaction_that_is_rolled_back_or_cannot_write_counts(db, web):
    rolled_back, read_only = db.create_api_key(), db.create_api_key()
    with closing(db.connect(web)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT checkout.authenticate(%s)", [rolled_back])
        cursor.execute("ROLLBACK")
    assert in_transaction(db, read_only, LIST, begin="BEGIN READ ONLY") == [{"count": 0}]
    db.sql("SELECT checkout.run_maintenance()")
    assert last_used(db, rolled_back) and last_used(db, read_only)


def test_a_refused_key_was_not_used(db, web):
    mistyped, revoked = db.create_api_key(), db.create_api_key()
    db.sql(REVOKED, revoked[:20])
    for key in (mistyped[:40] + "0" + mistyped[41:], revoked):
        assert refusal(in_transaction, db, key) == "28000"
    db.sql("SELECT checkout.run_maintenance()")
    assert last_used(db, mistyped) is last_used(db, revoked) is None


def test_last_use_goes_forward_and_each_database_has_its_own(server, db, web):
    other = server.create_database()
    other.create_web_role()
    key, others_key = db.create_api_key(), other.create_api_key()
    other.wait_for_first_look()
    for database, used_key in ((db, key), (other, others_key)):
        in_transaction(database, used_key)
    db.sql("SELECT checkout.run_maintenance()")
    first = last_used(db, key)
    assert first and last_used(other, others_key) is None
    in_transaction(db, key)
    for database in (db, other):
        database.sql("SELECT checkout.run_maintenance()")
    assert last_used(db, key) > first
    assert last_used(other, others_key)


# where they work -------------------------------------------------------------------------------------------------


def test_key_works_in_a_transaction_that_cannot_write(db, web):
    key = db.create_api_key()
    session = db.call("get_checkout_session", checkout_session_id=db.create())[0]
    rows = in_transaction(
        db, key, "SELECT checkout_session_id FROM checkout.list_checkout_sessions()", begin="BEGIN READ ONLY"
    )
    assert [row["checkout_session_id"] for row in rows] == [session["checkout_session_id"]]
    with closing(db.connect(web)) as connection, connection.cursor() as cursor:
        cursor.execute("BEGIN READ ONLY")
        cursor.execute("SELECT set_config('request.headers', %s, true)", [f'{{"x-api-key": "{key}"}}'])
        cursor.execute("SELECT checkout.pre_request()")
        cursor.execute(LIST)
        assert cursor.fetchone()["count"] == 1
        cursor.execute(
            "SELECT status FROM checkout.public_checkout_session(%s, %s)",
            [session["checkout_session_id"], session["client_secret"]],
        )
        assert cursor.fetchone()["status"] == "open"


def test_key_works_on_a_standby_until_it_is_revoked(pair):
    db, copy = pair
    web = db.create_web_role()
    key, publishable = db.create_api_key(), db.create_api_key("publishable")
    session = when_there(copy, db.create())
    assert in_transaction(copy, key, LIST) == [{"count": 1}]
    (stored,) = in_transaction(copy, key, f"SELECT client_secret FROM checkout.get_checkout_session('{session}')")
    public = "SELECT status FROM checkout.public_checkout_session(%s, %s)"
    assert copy.value(public, session, stored["client_secret"], user=web) == "open"
    create = "SELECT checkout.create_checkout_session(10, 'USD', customer_id => 'c1')"
    assert refusal(in_transaction, copy, publishable, create) == "25006"
    # A use cannot be written down there.
    assert last_used(copy, key) is None
    db.sql(REVOKED, key[:20])
    wait_until(
        lambda: copy.value("SELECT status FROM checkout.list_api_keys() WHERE api_key_id = %s", key[:20]) == "revoked"
    )
    assert refusal(in_transaction, copy, key) == "28000"
    assert in_transaction(copy, publishable, "SELECT checkout.current_environment() AS environment") == [
        {"environment": "live"}
    ]


def test_key_works_without_the_library_preloaded(new_server):
    db = new_server("shared_preload_libraries=").create_database()
    web = db.create_web_role()
    key = db.create_api_key("secret", "test")
    assert in_transaction(db, key) == [{"environment": "test", "kind": "secret", "api_key_id": key[:20]}]
    assert in_transaction(db, key, LIST) == [{"count": 0}]
    assert refusal(in_transaction, db, key[:-1] + "?") == "28000"
    assert refusal(db.sql, LIST, user=web) == "28000"
    # There is no memory to note a use in, and no worker to write it down.
    db.sql("SELECT checkout.run_maintenance()")
    assert last_used(db, key) is None


# when they stop --------------------------------------------------------------------------------------------------


def test_revoked_key_is_refused_by_the_next_statement_of_every_connection(db, web):
    key = db.create_api_key()
    beginnings = ["", "BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ", "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY"]
    connections = [db.connect(web) for _ in beginnings]
    cursors = [connection.cursor() for connection in connections]
    for cursor, begin in zip(cursors, beginnings):
        # A plan, and a snapshot from before the change.
        cursor.execute("PREPARE presented AS SELECT environment FROM checkout.authenticate($1)")
        if begin:
            cursor.execute(begin)
        cursor.execute("EXECUTE presented(%s)", [key])
        assert cursor.fetchone()["environment"] == "live"
    db.sql(REVOKED, key[:20])
    assert [refusal(cursor.execute, "EXECUTE presented(%s)", [key]) for cursor in cursors] == ["28000"] * len(beginnings)
    for connection in connections:
        connection.close()


def test_rolled_key_works_beside_its_successor_for_the_overlap(db, web):
    key = db.create_api_key(payment_methods=["card"])
    successor = db.value("SELECT api_key FROM checkout.roll_api_key(%s, overlap => '1 second')", key[:20])
    assert in_transaction(db, successor) == [{"environment": "live", "kind": "secret", "api_key_id": successor[:20]}]
    assert in_transaction(db, key)
    wait_until(
        lambda: db.value("SELECT status FROM checkout.list_api_keys() WHERE api_key_id = %s", key[:20]) == "expired"
    )
    assert refusal(in_transaction, db, key) == "28000"
    assert in_transaction(db, successor)


# copies of the database ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["plain", "custom"])
def test_keys_accesses_and_client_secrets_are_restored_into_another_database(server, db, web, tmp_path, form):
    secret, publishable = db.create_api_key(), db.create_api_key("publishable", "test")
    revoked = db.create_api_key()
    db.sql(REVOKED, revoked[:20])
    hook, nobody = f"hook_of_{db.name}", f"nobody_of_{db.name}"
    db.sql(f"CREATE ROLE {hook} LOGIN; CREATE ROLE {nobody} LOGIN")
    for change in ("grant_access(%s, 'relay')", "grant_access(%s, 'admin')", "revoke_access(%s, 'admin')"):
        db.sql(f"SELECT checkout.{change}", hook)
    session = db.call("get_checkout_session", checkout_session_id=db.create())[0]
    dump(db, form, tmp_path / "dump")
    restored = restore(server, "restored", form, tmp_path / "dump")
    restored.web = db.web
    keys = "SELECT * FROM checkout_data.api_keys ORDER BY api_key_id"
    assert [{**row, "digest": bytes(row["digest"])} for row in restored.sql(keys)] == [
        {**row, "digest": bytes(row["digest"])} for row in db.sql(keys)
    ]

    assert in_transaction(restored, secret, LIST) == [{"count": 1}]
    assert in_transaction(restored, publishable)[0]["kind"] == "publishable"
    assert refusal(in_transaction, restored, revoked) == "28000"
    public = "SELECT status FROM checkout.public_checkout_session(%s, %s)"
    assert restored.value(public, session["checkout_session_id"], session["client_secret"], user=web) == "open"
    # Roles keep their rights, and get no others.
    assert restored.sql("SELECT * FROM checkout.list_webhook_consumers()", user=hook) == []
    for role, statement in [
        (hook, "SELECT checkout.list_organizations()"),
        (hook, LIST),
        (nobody, LIST),
        (web, "SELECT * FROM checkout_data.api_keys"),
        (web, "SELECT checkout.list_api_keys()"),
    ]:
        assert refusal(restored.sql, statement, user=role) == "42501"
    assert (
        restored.sql("SELECT * FROM checkout.security_report()")
        == db.sql("SELECT * FROM checkout.security_report()")
        == []
    )


def test_client_secrets_end_in_every_connection_when_they_are_rotated(db, web):
    session = db.call("get_checkout_session", checkout_session_id=db.create())[0]
    public = "SELECT status FROM checkout.public_checkout_session(%s, %s)"
    with closing(db.connect(web)) as connection, connection.cursor() as cursor:
        cursor.execute(public, [session["checkout_session_id"], session["client_secret"]])
        assert cursor.fetchone()["status"] == "open"
        db.sql("SELECT checkout.rotate_client_secrets(%s)", db.organization_id)
        assert refusal(cursor.execute, public, [session["checkout_session_id"], session["client_secret"]]) == "PT404"
    fresh = db.call("get_checkout_session", checkout_session_id=session["checkout_session_id"])[0]["client_secret"]
    assert db.value(public, session["checkout_session_id"], fresh, user=web) == "open"
