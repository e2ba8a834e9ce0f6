"""The clock of a server jumps, forwards and back, while customers buy: what has expired stays so, nothing is told twice."""

import time

from conftest import wait_until
from customers import Customers
from harness import DURABLE
from support.clock import Clock

JUMPS_OF_A_DATABASE = 25
# Up to a day, forwards and back.
JUMPS = [2 * 3600, 86400, 600, 60, 5]
# While the clock is behind a deadline, readers see what was swept as open. No payment can complete it, and no call say so.
SHOWN_AS_OPEN = """SELECT s.checkout_session_id AS id FROM checkout.checkout_sessions s
    WHERE s.status = 'open' AND s.checkout_session_id::text = ANY (%s) ORDER BY 1 LIMIT 3"""


def jump(part, db, clock):
    """Jumps once, and looks at what readers are told, and when the worker is done."""
    by = part.random.choice(JUMPS) * part.random.choice([1, -1]) * part.random.uniform(0.1, 1)
    # Not further from the truth than two days: certificates and the like do not matter here, years do not add anything.
    if abs(clock.ahead + by) > 2 * 86400:
        by = -by
    clock.set(clock.ahead + by)
    part.count("clock jumps")
    part.count("forwards" if by > 0 else "back")
    shown = db.value("SELECT clock_timestamp()")
    part.check(abs((shown - clock.now()).total_seconds()) < 30, f"the server's clock shows {shown}, not {clock.now()}")
    began = time.monotonic()
    if by > 0:
        # What has become due is expired by the worker, which did not see it coming, and looks at its clock each minute.
        alone = part.counts["clock jumps"] % 150 == 1
        if not alone:
            db.wake_worker()
        due = "SELECT count(*) FROM checkout_data.open_sessions WHERE deadline < %s"
        wait_until(lambda: db.value(due, shown) == 0, within=75 if alone else 30)
        how = "by itself" if alone else "when woken"
        part.longest(f"seconds until the worker had caught up, {how}", time.monotonic() - began)


def stored(db):
    """Sessions whose end is stored, and how they ended. No clock may change that."""
    return {
        row["id"]: row["kind"]
        for row in db.sql(
            "SELECT subject_id::text AS id, event_type AS kind FROM checkout_data.webhook_outbox"
            " WHERE event_type IN ('checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed')"
        )
    }


def stays_ended(part, db, session):
    """What the worker has expired under a clock that was ahead: no call undoes it."""
    (row,) = db.call("expire_checkout_session", checkout_session_id=session)
    part.check(row["status"] in ("expired", "failed"), f"{session} is {row['status']}, and was swept")
    (payment,) = db.call(
        "record_payment", checkout_session_id=session, payment_id=f"late-{session}", outcome="succeeded"
    )
    part.check(payment["status"] == "rejected", f"{session} took a payment after its end: {payment['status']}")
    part.count("payments after an end that the clock has taken back")


def run_one_database(part, server, clock, number):
    db = server.create_database(maximum_lifetime="3 days")
    Customers.prepare(db)
    customers = Customers(
        part, db, count=4, lifetimes=("1 hour", "1 second", "90 minutes", "20 hours"), seed=number, any_may_lapse=True
    )
    customers.start()
    ended = {}
    for _ in range(JUMPS_OF_A_DATABASE):
        time.sleep(part.random.uniform(0.05, 0.5))
        jump(part, db, clock)
        now_ended = stored(db)
        for session, kind in ended.items():
            part.check(
                now_ended.get(session) == kind, f"{session} had ended as {kind}, and now as {now_ended.get(session)}"
            )
        for row in db.sql(SHOWN_AS_OPEN, list(ended), user=db.shop):
            stays_ended(part, db, row["id"])
        ended = now_ended
        if not part.goes_on():
            break
    customers.stop()
    lost = customers.verify(everything=True)
    part.check(not lost, f"lost: {lost[:5]}")
    part.count("ends", len(ended))
    # Later than anything that was ever due, so that the invariants hold, which know one clock.
    clock.set(5 * 86400)
    due = "SELECT count(*) FROM checkout_data.open_sessions WHERE deadline < clock_timestamp()"
    wait_until(lambda: db.value(due) == 0, within=60)
    # Where the clock was set back between a claim and its acknowledgement, the second has the earlier time.
    part.settle(server, but={"delivery that ended without an attempt"})
    clock.set(0)
    server.drop_databases()


def run(part):
    server = part.server("one", *DURABLE, "checkout_sessions.outbox_retention=-1")
    server.stop()
    clock = Clock(server)
    clock.start()
    number = 0
    while part.goes_on():
        number += 1
        run_one_database(part, server, clock, number)
