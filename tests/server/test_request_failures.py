"""Refused calls: they are counted although they roll back, and many of them are an event."""

import json
import threading
from contextlib import closing

import psycopg2
import pytest
from conftest import wait_until
from support.dumps import dump, restore


def refuse(db, function, user=None, **arguments):
    """Calls a function that refuses. Returns the SQLSTATE."""
    named = ", ".join(f"{name} => %s" for name in arguments)
    with pytest.raises(psycopg2.Error) as error:
        db.sql(f"SELECT * FROM checkout.{function}({named})", *arguments.values(), user=user or db.shop)
    return error.value.pgcode


def failures(db):
    """The counts that the shop sees, by function and SQLSTATE, with the last message."""
    rows = db.sql("SELECT function_name, sqlstate, sum(failure_count)::integer AS n,"
                  " (array_agg(last_message ORDER BY last_failed_at DESC))[1] AS message"
                  " FROM checkout.request_failures GROUP BY 1, 2", user=db.shop)
    return {(row["function_name"], row["sqlstate"]): (row["n"], row["message"]) for row in rows}


def total(db):
    return db.value("SELECT COALESCE(sum(failure_count), 0)::integer FROM checkout_data.request_failures")


def flush(db):
    db.sql("SELECT checkout.run_maintenance()")


def alerts(db):
    return [event["snapshot"]["organization"] for event in db.sql(
        "SELECT snapshot FROM checkout_data.webhook_outbox WHERE event_type = 'requests.failing' ORDER BY sequence")]


def test_a_merchant_sees_what_is_refused_and_why(server):
    db = server.create_database()
    session = db.create()
    for amount in (-1, -2):
        assert refuse(db, "create_checkout_session", amount=amount, currency_code="USD", customer_id="c") == "22023"
    assert refuse(db, "get_checkout_session", checkout_session_id="00000000-0000-7000-8000-000000000000") == "PT404"
    db.call("expire_checkout_session", checkout_session_id=session)
    assert refuse(db, "begin_payment", checkout_session_id=session, payment_id="p1") == "PT409"
    # The worker writes the counts.
    wait_until(lambda: total(db) == 4, within=20)
    assert failures(db) == {
        ("create_checkout_session", "22023"): (2, 'argument "amount" must not be negative'),
        ("get_checkout_session", "PT404"): (1, "checkout session … not found or access denied"),
        ("begin_payment", "PT409"): (1, "checkout session is expired"),
    }


def test_each_way_to_be_refused_is_counted_for_its_organization(server):
    db = server.create_database()
    session = db.create()
    # A request in a dialect is answered, and not raised.
    answer = db.call("handle_request", api="lomi", method="POST", path="/checkout-sessions", headers="{}",
                     body=json.dumps({"amount": "Ada", "currency_code": "XOF"}))[0]
    assert answer["status"] == 400
    assert db.call("handle_request", api="lomi", method="GET", path="/checkout-sessions/nobody")[0]["status"] in (400, 404)
    # A buyer has proved with the session's secret whose buyer he is. Without, nobody knows.
    secret = db.call("get_checkout_session", checkout_session_id=session)[0]["client_secret"]
    web = db.create_web_role()
    assert refuse(db, "set_quantity", web, checkout_session_id=session, client_secret=secret, quantity=2) == "PT409"
    assert refuse(db, "set_quantity", web, checkout_session_id=session, client_secret="x", quantity=2) == "PT404"
    assert refuse(db, "authenticate", web, api_key="sk_live_no") == "28000"
    # Postgres refuses: of what it says only that is kept that cannot be about a value.
    with closing(db.connect()) as holder, holder.cursor() as cursor:
        holder.autocommit = False
        cursor.execute("SELECT FROM checkout_data.checkout_sessions WHERE checkout_session_id = %s FOR UPDATE", [session])
        with closing(db.connect(db.shop)) as waiter, waiter.cursor() as second, pytest.raises(psycopg2.errors.QueryCanceled):
            second.execute("SET statement_timeout = '100ms'")
            second.execute("SELECT checkout.begin_payment(%s, 'p1')", [session])
    # In a block that goes on.
    db.sql("DO $$ BEGIN PERFORM checkout.get_subscription(gen_random_uuid()); EXCEPTION WHEN OTHERS THEN NULL; END $$", user=db.shop)
    # What is written in SQL is no exception.
    assert refuse(db, "session_funnel", bucket="decade") == "22023"
    assert refuse(db, "coupon_performance", created_after="2026-02-01", created_before="2026-01-01") == "22023"
    key = db.create_api_key("publishable")
    headers = json.dumps({"apikey": key, "x-api-key": key})
    for function in ("session_funnel", "coupon_performance"):
        with closing(db.connect(web)) as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN; SELECT set_config('request.headers', %s, true), checkout.pre_request()", [headers])
            with pytest.raises(psycopg2.Error) as refused:
                cursor.execute(f"SELECT checkout.{function}()")
            assert refused.value.pgcode == "PT403"
    flush(db)
    counted = failures(db)
    assert {key: n for key, (n, _) in counted.items()} == {
        ("handle_request", "22023"): 1, ("handle_request", "PT404"): 1, ("set_quantity", "PT409"): 1,
        ("begin_payment", "57014"): 1, ("get_subscription", "PT404"): 1,
        ("session_funnel", "22023"): 1, ("coupon_performance", "22023"): 1,
        ("session_funnel", "PT403"): 1, ("coupon_performance", "PT403"): 1}
    assert counted["begin_payment", "57014"][1] == "canceling statement due to statement timeout"
    assert not any("Ada" in (message or "") or "nobody" in (message or "") for _, message in counted.values())


def test_many_refused_calls_are_one_event(server):
    db = server.create_database(request_failure_threshold=5)
    db.call("create_webhook_consumer", name="jobs")
    for n in range(4):
        refuse(db, "create_checkout_session", amount=-1, currency_code="USD", customer_id="c")
    flush(db)
    assert alerts(db) == []
    refuse(db, "begin_payment", checkout_session_id="00000000-0000-7000-8000-000000000000", payment_id="p1")
    flush(db)
    (told,) = alerts(db)
    assert (told["failure_count"], told["threshold"], told["environment"]) == (5, 5, "live")
    assert [(one["function_name"], one["sqlstate"], one["failure_count"]) for one in told["failures"]] == [
        ("create_checkout_session", "22023", 4), ("begin_payment", "PT404", 1)]
    (event,) = db.call("claim_webhook_events", consumer="jobs")
    body = json.loads(event["body"])
    assert (event["event_type"], event["subject_type"]) == ("requests.failing", "organization")
    assert body["type"] == "requests.failing" and body["data"]["object"]["failure_count"] == 5
    # It goes on: no second event within the hour.
    for n in range(6):
        refuse(db, "create_checkout_session", amount=-1, currency_code="USD", customer_id="c")
    flush(db)
    assert len(alerts(db)) == 1
    db.sql("UPDATE checkout_data.request_alerts SET alerted_at = alerted_at - interval '1 hour'")
    refuse(db, "create_checkout_session", amount=-1, currency_code="USD", customer_id="c")
    flush(db)
    assert [told["failure_count"] for told in alerts(db)] == [5, 12]
    # A minute whose last refused call was 5 minutes ago counts no more, whenever it began.
    for ago, told in [(290, 3), (301, 3), (3600, 3)]:
        db.sql("UPDATE checkout_data.request_alerts SET alerted_at = alerted_at - interval '1 hour'")
        db.sql("DELETE FROM checkout_data.request_failures")
        for n in range(4):
            refuse(db, "create_checkout_session", amount=-1, currency_code="USD", customer_id="c")
        flush(db)
        db.sql("UPDATE checkout_data.request_failures SET"
               " minute = date_bin('1 minute', now() - make_interval(secs => %s), '2000-01-01 00:00:00+00'),"
               " last_failed_at = now() - make_interval(secs => %s)", ago, ago)
        refuse(db, "create_checkout_session", amount=-1, currency_code="USD", customer_id="c")
        flush(db)
        assert len(alerts(db)) == told
    db.sql("SELECT checkout.update_organization(%s, request_failure_threshold => 0)", db.organization_id)
    assert db.value("SELECT request_failure_threshold FROM checkout.list_organizations()") is None


def test_nothing_is_lost_or_counted_twice_by_many_at_once(server):
    db = server.create_database()
    threads, each = 8, 400

    def hammer(function, argument):
        with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
            for _ in range(each):
                with pytest.raises(psycopg2.Error):
                    cursor.execute(f"SELECT checkout.{function}({argument})")

    calls = [("get_checkout_session", "gen_random_uuid()"), ("create_checkout_session", "-1, 'USD'")] * (threads // 2)
    running = [threading.Thread(target=hammer, args=call) for call in calls]
    for thread in running:
        thread.start()
    while any(thread.is_alive() for thread in running):
        flush(db)
    for thread in running:
        thread.join()
    flush(db)
    assert total(db) == threads * each
    assert {n for n, _ in failures(db).values()} == {threads * each // 2}


def test_a_kind_of_failure_costs_a_row_a_minute_and_goes_after_a_week(server):
    db = server.create_database()
    refuse(db, "get_checkout_session", checkout_session_id="00000000-0000-7000-8000-000000000000")
    flush(db)
    db.sql("UPDATE checkout_data.request_failures SET minute = minute - interval '7 days', last_failed_at = last_failed_at")
    flush(db)
    assert total(db) == 0


def test_without_preloading_the_view_says_that_nothing_is_counted(new_server):
    db = new_server("shared_preload_libraries=").create_database()
    refuse(db, "get_checkout_session", checkout_session_id="00000000-0000-7000-8000-000000000000")
    (row,) = db.sql("SELECT * FROM checkout.request_failures", user=db.shop)
    assert row["last_message"] == "Nothing is counted: checkout_sessions is not in shared_preload_libraries."
    assert row["failure_count"] is None and row["organization_id"] == db.organization_id


def test_counts_and_alerts_are_dumped(server, tmp_path):
    db = server.create_database(request_failure_threshold=1)
    refuse(db, "get_checkout_session", checkout_session_id="00000000-0000-7000-8000-000000000000")
    flush(db)
    dump(db, "custom", tmp_path / "dump")
    copy = restore(server, f"copy_of_{db.name}", "custom", tmp_path / "dump")
    assert total(copy) == 1 and len(alerts(copy)) == 1
