"""The PayGate dialect, `Checkout Sessions API`: lists, statuses and events."""

import uuid

from dialects import rows
from dialects.paygate import ATTRIBUTES, PATH, create, request, retrieve, stored
from dialects.shop import same, time

documented = rows.of("paygate")


def page(shop, **query):
    return shop.accepted("GET", PATH, query=query)


def ids(sessions):
    return [session["id"] for session in sessions]


@documented("operation", "GET /v1/checkout/sessions", "returns a list of checkout sessions")
def sessions_are_listed(shop):
    sessions = [create(shop), create(shop, customer="cus_1")]
    create(shop.another())
    answer = page(shop)
    assert list(answer) == ["object", "data", "has_more", "url"]
    assert (answer["object"], answer["has_more"], answer["url"]) == ("list", False, PATH)
    assert same(answer["data"], sessions[::-1])
    assert list(answer["data"][0]) == list(ATTRIBUTES)
    assert same(page(shop.another()), {"object": "list", "data": [], "has_more": False, "url": PATH})


@documented("parameter", "limit", "integer: number of results")
def limit_is_the_number_of_results(shop):
    expected = ids([create(shop) for _ in range(12)][::-1])
    for limit in (1, "2", 11, "12", 100):
        answer = page(shop, limit=limit)
        assert ids(answer["data"]) == expected[: int(limit)]
        assert answer["has_more"] == (int(limit) < 12)
    # No default is documented; this is Stripe's.
    answer = page(shop)
    assert ids(answer["data"]) == expected[:10] and answer["has_more"] is True


@documented("rule", "limit", "1-100")
def limit_is_between_1_and_100(shop):
    create(shop)
    for right in (1, 100):
        assert len(page(shop, limit=right)["data"]) == 1
    for wrong in (0, 101, -1, "1000", "99999999999", "-99999999999", 10**30):
        shop.refused(400, "limit must be between 1 and 100", "GET", PATH, query={"limit": wrong})
    for wrong in ("", "ten", "1.0", "1e2", " 1"):
        shop.refused(400, "limit must be an integer", "GET", PATH, query={"limit": wrong})


@documented("parameter", "starting_after", "string: cursor for pagination")
def cursor_leads_through_all_pages(shop):
    expected = ids([create(shop) for _ in range(5)][::-1])
    found, cursor, pages = [], {}, 0
    while True:
        answer = page(shop, limit=2, **cursor)
        found += ids(answer["data"])
        pages += 1
        if not answer["has_more"]:
            break
        cursor = {"starting_after": found[-1]}
    assert (found, pages) == (expected, 3)
    assert page(shop, starting_after=expected[-1])["data"] == []
    foreign = create(shop.another())["id"]
    # A cursor that is no id, or not of a session of this shop, gets one answer.
    for unknown in (foreign, f"cs_{uuid.uuid4().hex}", "cs_abc123def456", ""):
        answer = shop.send("GET", PATH, query={"starting_after": unknown})
        message = "starting_after does not name a checkout session"
        assert answer.status == 400, unknown
        assert same(answer.body, {"error": {"type": "invalid_request_error", "message": message}})


@documented("parameter", "status", "string: filter by status: open", "open")
@documented("parameter", "status", "string: filter by status: complete", "complete")
@documented("parameter", "status", "string: filter by status: expired", "expired")
def list_is_filtered_by_status(shop, status):
    shop = shop.another(max_retry_attempts=0)
    sessions = {name: [create(shop)] for name in ("open", "complete", "expired")}
    shop.pay(stored(sessions["complete"][0]))
    shop.let_pass(stored(sessions["expired"][0]), "1 day")
    sessions["expired"].insert(0, create(shop))
    shop.pay(stored(sessions["expired"][0]), "failed")
    answer = page(shop, status=status, limit=10)
    assert ids(answer["data"]) == ids(sessions[status])
    assert {session["status"] for session in answer["data"]} == {status}
    for wrong in ("failed", "completed", "", "Open"):
        shop.refused(400, "status must be open, complete or expired", "GET", PATH, query={"status": wrong})


@documented("parameter", "customer", "string: filter by customer", "customer")
@documented("parameter", "payment", "string: filter by payment ID", "payment")
def list_is_filtered(shop, name):
    first, second = create(shop, customer="cus_1"), create(shop, customer="cus_2")
    create(shop)
    shop.pay(stored(first), payment_id="pay_1")
    shop.pay(stored(second), payment_id="pay_2")
    # Another organization may use the same ids.
    other = shop.another()
    foreign = create(other, customer="cus_1")
    other.pay(stored(foreign), payment_id="pay_1")
    value = "cus_{}" if name == "customer" else "pay_{}"
    for session, text in ((first, value.format(1)), (second, value.format(2))):
        assert ids(page(shop, **{name: text})["data"]) == [session["id"]]
    assert page(shop, **{name: value.format(3)})["data"] == []
    again = create(shop, customer="cus_1")
    if name == "customer":
        assert ids(page(shop, customer="cus_1")["data"]) == [again["id"], first["id"]]
        assert ids(page(shop, customer="cus_1", starting_after=again["id"])["data"]) == [first["id"]]
        assert ids(page(shop, customer="cus_1", status="complete")["data"]) == [first["id"]]


@documented("status", "open", "session is active and customer can pay")
@documented("status", "payment_status unpaid", "payment not yet made")
def session_is_open_and_unpaid_at_first(shop):
    session = create(shop)
    assert (session["status"], session["payment_status"]) == ("open", "unpaid")
    query = "SELECT checkout.authenticate(%s); SELECT status FROM checkout.begin_payment(%s, 'pay_1')"
    assert shop.market.web(query, shop.key(), stored(session))[0]["status"] == "processing"
    # A payment that has begun does not exist for the dialect yet.
    assert retrieve(shop, session)["payment_status"] == "unpaid"


@documented("status", "complete", "customer completed payment")
@documented("status", "payment_status paid", "payment successful")
def session_that_is_paid_is_complete(shop):
    session = create(shop)
    shop.pay(stored(session), payment_id="pay_1")
    expected = {**session, "status": "complete", "payment": "pay_1", "payment_status": "paid"}
    assert same(retrieve(shop, session), expected)


@documented("status", "expired", "session expired")
def session_expires_unpaid(shop):
    session = create(shop)
    shop.let_pass(stored(session), "1 day")
    found = retrieve(shop, session)
    assert (found["status"], found["payment_status"], found["payment"]) == ("expired", "unpaid", None)
    # Also if no payment has succeeded: the dialect has no word for that.
    shop = shop.another(max_retry_attempts=0)
    session = create(shop)
    shop.pay(stored(session), "failed")
    assert (retrieve(shop, session)["status"], retrieve(shop, session)["payment_status"]) == ("expired", "unpaid")


@documented("event", "checkout.session.completed", "customer completed payment", "checkout.session.completed")
@documented("event", "checkout.session.expired", "session expired", "checkout.session.expired")
def event_has_a_type_and_the_session(shop, event_type):
    session = create(shop, metadata={"order_id": "1234"}, customer_email="customer@example.com")
    assert shop.event(stored(session), event_type) is None
    if event_type.endswith("completed"):
        shop.pay(stored(session))
    else:
        shop.accepted("POST", f"{PATH}/{session['id']}/expire")
    event = shop.event(stored(session), event_type)
    assert event["type"] == event_type
    assert same(event["data"]["object"], retrieve(shop, session))
    assert time(event["timestamp"]) and event["id"].startswith("evt_")


@documented("event", "checkout.session.expired", "(silent) of a session whose payments have failed, too")
def failed_session_is_told_as_expired(shop):
    shop = shop.another(max_retry_attempts=0)
    session = create(shop)
    shop.pay(stored(session), "failed")
    assert shop.event(stored(session), "checkout.session.expired") is None
    event = shop.event(stored(session), "checkout.session.failed")
    assert event["type"] == "checkout.session.expired"
    assert (event["data"]["object"]["status"], event["data"]["object"]["payment_status"]) == ("expired", "unpaid")
    assert same(event["data"]["object"], retrieve(shop, session))


@documented("rule", "expire", "(silent) an expired session stays as it is")
def expiring_again_changes_nothing(shop):
    session = create(shop)
    first = shop.send("POST", f"{PATH}/{session['id']}/expire")
    again = shop.send("POST", f"{PATH}/{session['id']}/expire")
    assert (again.status, again.text) == (first.status, first.text) == (200, first.text)


@documented("error", "shape", "(silent) Stripe's, as the objects are: error.type and error.message")
def errors_have_stripe_s_shape(shop):
    for asked, status, kind in (
        (("POST", PATH, []), 400, "invalid_request_error"),
        (("POST", PATH, request(amount=0)), 400, "invalid_request_error"),
        (("PUT", PATH), 405, "invalid_request_error"), (("GET", "/v1/nothing"), 404, "invalid_request_error"),
        (("GET", f"{PATH}/cs_1"), 404, "invalid_request_error"),
    ):
        answer = shop.send(*asked)
        assert answer.status == status and list(answer.body) == ["error"]
        assert list(answer.body["error"]) == ["type", "message"] and answer.body["error"]["type"] == kind
