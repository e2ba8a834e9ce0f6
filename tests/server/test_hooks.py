"""Hooks: what a merchant's function does in the worker, to others, and when it is interrupted; and what it cannot do."""

import re
import threading
import time
from contextlib import closing

import psycopg2
import pytest
from attacks.sql import FORBIDDEN
from conftest import ROOT, wait_until
from support.dumps import dump, restore, restore_roles
from support.hooks import TOO_LONG, another_shop, failures, hook, notes
from support.machine import IS_DEBIAN


def test_the_example_of_the_page(server):
    db = server.create_database()
    example, repair = re.findall(r"^```sql\n(.*?)^```$", (ROOT / "docs/hooks.md").read_text(), re.MULTILINE | re.DOTALL)
    db.psql(input=example.replace("0190...", str(db.organization_id)), text=True)
    db.sql("INSERT INTO shop.orders VALUES ('order-1'); INSERT INTO shop.stock VALUES ('tea', 1)")
    for payment_id in ("first", "second"):
        reference = {"reference": "order-1"} if payment_id == "first" else {}
        session = db.create(product_id="tea", **reference)
        db.call("record_payment", checkout_session_id=session, payment_id=payment_id, outcome="succeeded")
    assert db.sql("SELECT state, paid_by, units FROM shop.orders, shop.stock") == [
        {"state": "paid", "paid_by": "first", "units": 0}]
    (failure,) = db.sql(f"SET checkout_sessions.organization_id = '{db.organization_id}'; {repair}")
    assert (failure["checkout_session_id"], failure["sqlstate"]) == (session, "23514")
    db.sql("DROP SCHEMA shop CASCADE; DROP OWNED BY shop_hooks; DROP ROLE shop_hooks")


def test_the_worker_calls_hooks_as_their_owner(db):
    hook(db, "expired", """
        UPDATE shop.notes SET note = format('%s %s %s %s', current_user, s.status,
            checkout.current_organization_id() = s.organization_id, (SELECT count(*) FROM checkout.checkout_sessions));
        PERFORM checkout.create_checkout_session(2, 'USD', customer_id => 'hook');""")
    _, create = another_shop(db)
    create("1 hour")
    session = db.create("1 second")
    db.wait_for(session)
    assert notes(db, session) == [f"owner_{db.name} expired t 1"]
    assert db.event_types(session) == ["expired"] and failures(db, session) == []
    (made,) = db.sql("SELECT created_by, organization_id::text FROM checkout_data.checkout_sessions WHERE customer_id = 'hook'")
    assert made == {"created_by": f"owner_{db.name}", "organization_id": str(db.organization_id)}


def test_what_a_hook_may_not_do(server):
    """By all the attacks of a tenant on functions of others, in a caller's transaction and in the worker."""
    db = server.create_database()
    victim, create = another_shop(db)
    create("1 hour")
    attacks = [f"SELECT {call}".replace("$VICTIM", victim).replace("$ROLE", f"owner_{db.name}") for call in FORBIDDEN] + [
        "SET ROLE postgres", "RESET ROLE", "SET SESSION AUTHORIZATION postgres", "SET LOCAL ROLE checkout_sessions_worker",
        "SELECT set_config('role', 'none', false)", "SELECT set_config('session_authorization', 'postgres', true)",
        f"SET checkout_sessions.organization_id = '{victim}'", "SET checkout_sessions.environment = 'test'",
        "SELECT * FROM checkout_data.checkout_sessions", "DELETE FROM checkout_data.open_sessions", "COPY shop.notes TO PROGRAM 'id'",
        "ALTER SYSTEM SET checkout_sessions.hook_timeout = 0", "CREATE TEMPORARY TABLE pg_class ()", "LISTEN x",
        "SELECT lo_export(1, '/tmp/x')", "SELECT pg_read_file('/etc/passwd')", "ALTER FUNCTION checkout.get_checkout_session OWNER TO CURRENT_USER",
        f"ALTER FUNCTION shop.hook OWNER TO postgres", "SET session_replication_role = replica",
        "CREATE TRIGGER spy AFTER INSERT ON checkout_data.payments EXECUTE FUNCTION shop.hook()",
    ]
    quoted = ", ".join("'" + attack.replace("'", "''") + "'" for attack in attacks)
    body = f"""
        DECLARE attack text; succeeded text[] = '{{}}';
        BEGIN
            FOREACH attack IN ARRAY ARRAY[{quoted}] LOOP
                BEGIN
                    EXECUTE attack;
                    succeeded := succeeded || attack;
                EXCEPTION WHEN OTHERS THEN NULL;
                END;
            END LOOP;
            -- What it may see is its own.
            IF EXISTS (SELECT FROM checkout.checkout_sessions v WHERE v.organization_id <> s.organization_id) THEN
                succeeded := succeeded || 'another tenant'::text;
            END IF;
            UPDATE shop.notes SET note = succeeded::text || current_user WHERE session = s.checkout_session_id;
        END;"""
    hook(db, "expired", body)
    called, swept = db.create(), db.create("1 second")
    db.call("expire_checkout_session", checkout_session_id=called)
    db.wait_for(swept)
    for session in (called, swept):
        assert failures(db, session) == []
        assert notes(db, session) == ["{}" + f"owner_{db.name}"]
    # RESET ALL takes the tenant away, and nothing else is there in its place.
    hook(db, "expired", """
        RESET ALL;
        PERFORM count(*) FROM checkout.checkout_sessions;""")
    session = db.create("1 second")
    db.wait_for(session)
    assert failures(db, session)[0][0] == "28000"


@pytest.mark.parametrize("body", ["LOOP END LOOP;", "PERFORM pg_sleep(60);", "LOCK TABLE shop.notes;"])
def test_a_hook_that_does_not_end_stops_nobody(server, body):
    db = server.create_database()
    server.configure(hook_timeout="500ms")
    other, create = another_shop(db)
    hook(db, "expired", body)
    hook(db, "expired", "NULL;", other, "quick")
    with closing(db.connect()) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("LOCK TABLE shop.notes IN SHARE MODE" if "LOCK" in body else "SELECT 1")
        slow = [db.create("1 second") for _ in range(3)]
        plain = create("1 second")
        if "LOCK" not in body:
            db.wait_for(plain, within=3)
            assert notes(db, plain) == ["expired"]
        for session in slow:
            db.wait_for(session, within=25)
            # The insert waits for the lock.
            assert failures(db, session) == TOO_LONG
            assert db.event_types(session) == ["expired"]
        holder.rollback()
    assert notes(db, slow[0]) == []


def test_organizations_without_hooks_do_not_wait_for_those_with(server):
    db = server.create_database()
    server.configure(hook_timeout="1s")
    _, create = another_shop(db)
    hook(db, "expired", "PERFORM pg_sleep(60);")
    slow = [db.create("1 second") for _ in range(5)]
    plain = [create(f"{milliseconds} milliseconds") for milliseconds in range(1000, 4000, 300)]
    for session in plain:
        db.wait_for(session, within=10)
    lateness = db.sql("SELECT EXTRACT(EPOCH FROM o.created_at - s.expires_at)::float AS late FROM checkout_data.webhook_outbox o"
                      " JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = o.subject_id"
                      " WHERE s.organization_id <> %s", db.organization_id)
    assert len(lateness) == len(plain) and max(row["late"] for row in lateness) < 3
    assert db.value("SELECT count(*) FROM checkout_data.hook_failures") <= len(slow)


def test_an_organization_that_is_being_deleted_stops_no_sweep(server):
    db = server.create_database()
    organization_id, create = another_shop(db)
    hook(db, "expired", "", organization_id)
    session = create("1 second")
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        # The worker passes by while its deadline passes and the organization is ended.
        cursor.execute("BEGIN; SELECT FROM checkout_data.checkout_sessions WHERE checkout_session_id = %s FOR UPDATE",
                       [session])
        time.sleep(1.1)
        assert db.value("SELECT checkout.delete_organization(%s, 'Other')", organization_id) is False
    wait_until(lambda: notes(db, session) == ["expired"])
    ours = db.create(expires_in="1 second")
    wait_until(lambda: db.value("SELECT count(*) FROM checkout_data.webhook_outbox WHERE subject_id = %s"
                                " AND event_type = 'checkout.session.expired'", ours))
    wait_until(lambda: db.value("SELECT checkout.delete_organization(%s, 'Other')", organization_id))


@pytest.mark.parametrize("interrupt", ["pg_cancel_backend", "pg_terminate_backend"])
@pytest.mark.parametrize("function", ["expire_checkout_session", "record_payment"])
def test_an_interrupt_of_somebody_else_is_no_failure(db, interrupt, function):
    for event in ("expired", "completed"):
        hook(db, event, "PERFORM pg_sleep(60);")
    session, answers = db.create(), []

    def call():
        arguments = {"payment_id": "p1", "outcome": "succeeded"} if function == "record_payment" else {}
        try:
            answers.append(db.call(function, checkout_session_id=session, **arguments))
        except psycopg2.Error as error:
            answers.append(error.pgcode)

    thread = threading.Thread(target=call)
    thread.start()
    asleep = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s"
    (backend,) = wait_until(lambda: db.sql(asleep, db.name))
    db.sql(f"SELECT {interrupt}(%s)", backend["pid"])
    thread.join(10)
    assert answers in (["57014"], ["57P01"], [None])
    assert db.stored_status(session) == "open" and failures(db, session) == [] == db.events(session)


def test_a_killed_worker_begins_again(new_server):
    """Nothing of a hook's work is there twice, or without the end of its session."""
    server = new_server()
    db = server.create_database()
    hook(db, "expired", "PERFORM pg_sleep(0.3);")
    sessions = [db.create("1 second") for _ in range(10)]
    for _ in range(3):
        wait_until(lambda: db.sql("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND backend_type LIKE 'checkout%%'"), 15)
        server.pg_ctl("kill", "KILL", str(db.worker()["pid"]))
        wait_until(lambda: not answers(db))
        wait_until(lambda: answers(db), within=20)
    for session in sessions:
        db.wait_for(session, within=60)
        assert notes(db, session) == ["expired"] and db.event_types(session) == ["expired"]


@pytest.mark.skipif(not IS_DEBIAN, reason="this build has no postgres_fdw")
def test_a_cancel_on_another_server_is_a_failure(server):
    db = server.create_database()
    organization_id, create = another_shop(db)
    hook(db, "expired", "")
    hook(db, "completed", "PERFORM x FROM shop.elsewhere;", name="looks")
    hook(db, "expired", "PERFORM x FROM shop.elsewhere;", organization_id, name="looks")
    owner = f"owner_{db.name}"
    db.sql(f"""CREATE EXTENSION postgres_fdw;
        CREATE VIEW slow AS SELECT 1 AS x FROM pg_sleep(30); GRANT SELECT ON slow TO PUBLIC;
        CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '{server.dir}', port '54321',
            dbname '{db.name}', options '-c statement_timeout=100');
        CREATE ROLE remote_{db.name} LOGIN;
        CREATE USER MAPPING FOR {owner} SERVER other OPTIONS (user 'remote_{db.name}', password_required 'false');
        CREATE FOREIGN TABLE shop.elsewhere (x integer) SERVER other OPTIONS (schema_name 'public', table_name 'slow');
        GRANT SELECT ON shop.elsewhere TO {owner}""")
    paid = db.create()
    answer = db.call("record_payment", checkout_session_id=paid, payment_id="p1", outcome="succeeded")[0]
    assert answer["status"] == "succeeded" and db.stored_status(paid) == "complete"
    # In the worker, too, and others do not wait for it.
    theirs, ours = create("1 second"), db.create("1 second")
    wait_until(lambda: notes(db, ours) == ["expired"] and failures(db, theirs), within=10)
    message = "canceling statement due to statement timeout"
    assert failures(db, paid) == failures(db, theirs) == [("57014", message)]
    db.sql(f"DROP SERVER other CASCADE; DROP EXTENSION postgres_fdw; DROP ROLE remote_{db.name}")


def test_a_hook_that_is_cancelled_puts_its_organization_aside(server):
    db = server.create_database()
    _, create = another_shop(db)
    hook(db, "expired", "PERFORM pg_sleep(60);")
    hook(db, "expired", "", db.value("SELECT organization_id FROM checkout.list_organizations() WHERE name = 'Other'"),
         name="notes")
    first, other = db.create("1 second"), create("1 second")
    asleep = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = %s"
    (backend,) = wait_until(lambda: db.sql(asleep, db.name))
    db.sql("SELECT pg_cancel_backend(%s)", backend["pid"])
    wait_until(lambda: notes(db, other) == ["expired"], within=5)
    assert db.stored_status(first) == "open" and failures(db, first) == []


def test_what_a_hook_does_is_in_the_answer(db):
    hook(db, "expired", "PERFORM checkout.recover_checkout_session(s.checkout_session_id);")
    hook(db, "completed", "PERFORM checkout.record_refund(s.payment_id, 'all');", name="refunds")
    db.sql(f"ALTER DATABASE {db.name} SET checkout_sessions.worker_enabled = off")
    session = db.create("1 second")
    time.sleep(1.1)
    # The hook has recovered it by then: there is one session to pay, not two.
    (recovered,) = db.call("recover_checkout_session", checkout_session_id=session)
    again = db.sql("SELECT checkout_session_id FROM checkout_data.checkout_sessions WHERE recovered_from = %s", session)
    assert again == [{"checkout_session_id": recovered["checkout_session_id"]}]
    (paid,) = db.call("record_payment", checkout_session_id=recovered["checkout_session_id"], payment_id="p1",
                      outcome="succeeded")
    assert (paid["refunded_amount"], paid["idempotent_replay"]) == (paid["amount"], False)


def answers(db):
    try:
        return db.value("SELECT 1") == 1
    except psycopg2.Error:
        return False


def test_many_sessions_with_hooks(db):
    """They are swept one by one; the others still in batches."""
    hook(db, "expired", "NULL;")
    db.insert_sessions(2_000)
    before = time.monotonic()
    db.wake_worker()
    wait_until(lambda: db.expired_count() == 2_000, within=60)
    assert db.value("SELECT count(*) FROM shop.notes") == 2_000
    print(f"{2_000 / (time.monotonic() - before):.0f} sessions with hooks a second")


def test_a_refused_call_leaves_nothing(server):
    db = server.create_database(hooks_required=True)
    hook(db, "expired", "RAISE 'no';")
    session = db.create()
    with pytest.raises(psycopg2.Error) as refused:
        db.call("expire_checkout_session", checkout_session_id=session)
    assert (refused.value.pgcode, refused.value.diag.message_detail) == ("PT409", "P0001: no")
    assert db.stored_status(session) == "open" and db.events(session) == [] == failures(db, session)
    # The clock is not refused.
    late = db.create("1 second")
    db.wait_for(late)
    assert failures(db, late) == [("P0001", "no")]


def test_what_a_hook_renews_ends_with_its_subscription(server):
    db = server.create_database(uses_catalog=True)
    db.call("create_product", name="Club", product_id="club")
    db.call("create_price", product_id="club", currency_code="EUR", amount=12, price_id="monthly", interval_unit="month")
    (first,) = db.call("create_checkout_session", price_id="monthly", customer_id="c1")
    subscription = first["subscription_id"]
    db.call("record_payment", checkout_session_id=first["checkout_session_id"], payment_id="p1", outcome="succeeded")
    renew = "PERFORM checkout.create_checkout_session(subscription_id => s.subscription_id, reference => 'again');"
    hook(db, "expired", f"IF s.reference IS NULL THEN {renew} END IF;")
    db.call("create_checkout_session", subscription_id=subscription)
    (canceled,) = db.call("cancel_subscription", subscription_id=subscription, at_period_end=True)
    assert canceled["cancel_at_period_end"]
    ended = db.sql("SELECT reference, status FROM checkout_data.checkout_sessions WHERE status <> 'complete' ORDER BY reference")
    assert [(row["reference"], row["status"]) for row in ended] == [("again", "expired"), (None, "expired")]
    # A hook that renews whatever expires keeps the subscription, and the call says so.
    db.call("resume_subscription", subscription_id=subscription)
    hook(db, "expired", renew)
    db.call("create_checkout_session", subscription_id=subscription)
    with pytest.raises(psycopg2.Error, match="or by a hook") as refused:
        db.call("cancel_subscription", subscription_id=subscription)
    assert refused.value.pgcode == "PT409"


def test_hooks_are_dumped_and_restored(new_server, tmp_path):
    old, new = new_server("checkout_sessions.worker_enabled=off"), new_server()
    db = old.create_database()
    hook(db, "expired", "NULL;")
    hook(db, "completed", "RAISE 'no';", name="broken")
    paid = db.create()
    db.call("record_payment", checkout_session_id=paid, payment_id="p1", outcome="succeeded")
    due = db.create("1 second")
    dump(db, "custom", tmp_path / "dump")
    restore_roles(old, new)
    copy = restore(new, db.name, "custom", tmp_path / "dump")
    assert copy.sql("SELECT * FROM checkout.verify_restore()") == []
    assert copy.sql("SELECT * FROM checkout.list_hooks()") == db.sql("SELECT * FROM checkout.list_hooks()")
    assert failures(copy, paid) == [("P0001", "no")]
    copy.sql("SELECT checkout.activate_database()")
    copy.wait_for(due)
    assert notes(copy, due) == ["expired"]
    copy.sql("DROP FUNCTION shop.hook")
    (problem,) = copy.sql("SELECT * FROM checkout.verify_restore()")
    assert problem == {"problem": "hooks whose function is missing, or must not be called", "row_count": 1}
