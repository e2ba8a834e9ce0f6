"""Calls that meet on the same sessions, the same last unit, the same coupon, the same period: one of them wins."""

import time
from contextlib import closing
from pathlib import Path

from conftest import wait_until
from harness import in_threads

CONTENDERS = 8
ACTS = [
    "pay",
    "pay",
    "pay the same",
    "pay the same",
    "begin and pay",
    "begin",
    "fail",
    "expire",
    "cancel",
    "refund",
    "recover",
    "read",
]
SESSIONS, PRODUCTS, SUBSCRIPTIONS = 2_000, 100, 100
# Sessions since the database was made: the checks become slow with their number.
SESSIONS_OF_A_DATABASE = 12_000
# More than one ended the session, or two payments were accepted, or one was told what is not so.
CONTRADICTIONS = """
    WITH told AS (
        SELECT s.id, count(*) FILTER (WHERE a.answer = 'succeeded ') AS paid,
            count(*) FILTER (WHERE a.act = 'expire' AND a.answer = 'expired') AS expired,
            count(*) FILTER (WHERE a.act = 'refund' AND a.answer = 'succeeded') AS refunded
        FROM race.answers a JOIN race.sessions s USING (n) GROUP BY s.id)
    SELECT 'told of more than one payment, or of a payment and an expiry' AS what, t.id FROM told t
    WHERE t.paid > 1 OR t.paid > 0 AND t.expired > 0 OR t.refunded > 1
    UNION ALL
    SELECT 'told of a payment that is not there', t.id 
    FROM told t JOIN checkout_data.checkout_sessions s ON s.checkout_session_id = t.id
    WHERE t.paid > 0 AND s.status <> 'complete'
    UNION ALL
    SELECT 'told of an expiry that is not there', t.id FROM told t
    WHERE t.expired > 0 AND (SELECT count(*) FROM checkout_data.webhook_outbox o
        WHERE o.subject_id = t.id AND o.event_type = 'checkout.session.expired') <> 1
    UNION ALL
    SELECT 'not exactly one end', s.id FROM race.sessions s, LATERAL (
        SELECT count(*) AS ends FROM checkout_data.webhook_outbox o WHERE o.subject_id = s.id
            AND o.event_type IN ('checkout.session.completed', 'checkout.session.expired', 'checkout.session.failed')) AS e
    WHERE ends <> 1
    UNION ALL
    SELECT 'recovered more than once', s.id FROM race.sessions s
    WHERE (SELECT count(*) FROM checkout_data.checkout_sessions r WHERE r.recovered_from = s.id) > 1"""


# Sold more than there was, or counted otherwise than it was sold.
OVERSOLD = """
    SELECT 'units' AS what, i.product_id AS id, i.on_hand, sold.units, told.units AS told FROM checkout_data.inventory i,
        LATERAL (SELECT COALESCE(sum(l.quantity), 0) AS units FROM checkout_data.session_lines l
            JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
            WHERE l.product_id = i.product_id AND s.status = 'complete') AS sold,
        LATERAL (SELECT count(*) AS units FROM race.answers a WHERE a.act = i.product_id AND a.answer = 'succeeded ') AS told
    WHERE i.product_id = ANY (%(products)s)
        AND (i.on_hand < 0 OR i.on_hand + sold.units <> %(units)s OR told.units <> sold.units)"""
OVERUSED = """
    SELECT 'redemptions' AS what, c.code AS id, c.max_redemptions, told.number FROM checkout_data.coupons c,
        LATERAL (SELECT count(*) AS number FROM race.answers a WHERE a.act = c.code AND a.answer = 'succeeded ') AS told
    WHERE c.code = ANY (%(coupons)s) AND told.number > c.max_redemptions"""
RENEWED_TWICE = """
    SELECT 'periods' AS what, u.subscription_id AS id, u.periods_paid, told.number FROM checkout_data.subscriptions u,
        LATERAL (SELECT count(*) AS number FROM race.answers a
            WHERE a.act = u.subscription_id::text AND a.answer = 'succeeded ') AS told
    WHERE u.subscription_id::text = ANY (%(subscriptions)s) AND u.periods_paid <> 1 + told.number
    UNION ALL
    SELECT 'a period twice', p.subscription_id, count(*), NULL FROM checkout_data.session_periods p
    JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
    WHERE p.subscription_id::text = ANY (%(subscriptions)s) AND s.status = 'complete'
    GROUP BY p.subscription_id, p.period_start HAVING count(*) > 1"""


def contend(db, call, *arguments):
    with closing(db.connect(db.shop)) as connection, connection.cursor() as cursor:
        cursor.execute(call, arguments)


def check(part, db, query, allowed, **parameters):
    """That the query finds nothing, and that no contender was answered anything but this."""
    with closing(db.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(query, parameters or None)
        for row in cursor.fetchall():
            part.violation(str(dict(row)))
    for row in db.sql("SELECT act, answer, count(*) AS n FROM race.answers GROUP BY 1, 2"):
        part.check((row["answer"].split() or [""])[0] in allowed, f"{row['n']} times {row['act']}: {row['answer']}")


def sessions(part, db):
    """Sessions that are paid, begun, failed, expired, canceled, recovered and swept at the same moment."""
    db.sql("TRUNCATE race.sessions, race.answers")
    db.sql(
        """INSERT INTO race.sessions
           SELECT n, s.checkout_session_id, s.client_secret FROM generate_series(1, %s) AS n,
               checkout.create_checkout_session(amount => 10, currency_code => 'USD', customer_id => 'c' || n,
                   max_retry_attempts => n %% 2, expires_in => CASE n %% 3 WHEN 0 THEN interval '1 hour'
                       ELSE (1.5 + n * 0.003) * interval '1 second' END) AS s""",
        SESSIONS,
        user=db.shop,
    )
    acts = part.random.sample(ACTS, len(ACTS))
    # Most of them become due while they are fought over.
    time.sleep(part.random.uniform(0, 0.5))
    in_threads(
        [lambda n=n: contend(db, "CALL race.contend(%s, %s)", n, acts) for n in range(CONTENDERS)]
        + [lambda: db.sql("SELECT checkout.run_maintenance()")]
    )
    part.count("races", SESSIONS)
    part.count("calls", SESSIONS * CONTENDERS)
    due = "SELECT count(*) FROM checkout_data.open_sessions WHERE deadline < clock_timestamp() + interval '2 seconds'"
    wait_until(lambda: db.value(due) == 0, within=15)
    db.sql(
        "SELECT checkout.expire_checkout_session(r.id) FROM race.sessions r"
        " WHERE (SELECT status FROM checkout.get_checkout_session(r.id)) = 'open'",
        user=db.shop,
    )
    check(
        part,
        db,
        CONTRADICTIONS,
        {
            "succeeded",
            "rejected",
            "processing",
            "failed",
            "expired",
            "open",
            "complete",
            "recovered",
            "read",
            "PT409",
            "PT404",
        },
    )


def last_units(part, db):
    """One or a few units of each product, for eight buyers."""
    db.sql("TRUNCATE race.answers")
    units = part.random.choice([1, 1, 2, 3])
    products = [f"p{part.random.getrandbits(64):x}" for _ in range(PRODUCTS)]
    db.sql(
        "SELECT checkout.create_product(p, product_id => p, on_hand => %s) FROM unnest(%s) AS p",
        units,
        products,
        user=db.shop,
    )
    db.sql("SELECT checkout.create_price(p, 'USD', 9) FROM unnest(%s) AS p", products, user=db.shop)
    in_threads([lambda n=n: contend(db, "CALL race.buy(%s, %s, false)", n, products) for n in range(CONTENDERS)])
    part.count("races", PRODUCTS)
    part.count("last units", PRODUCTS)
    # What was sold leaves the stock a moment later.
    wait_until(
        lambda: db.sql("SELECT checkout.run_maintenance()")
        and not db.sql("SELECT FROM checkout_data.holds WHERE state = 'taken' LIMIT 1"),
        within=20,
    )
    check(part, db, OVERSOLD, {"succeeded", "given", "PT409"}, products=products, units=units)


def coupons(part, db):
    """Each may be redeemed once or a few times, by eight buyers."""
    db.sql("TRUNCATE race.answers")
    codes = [f"C{part.random.getrandbits(64):X}" for _ in range(PRODUCTS)]
    db.sql(
        "SELECT checkout.create_coupon(c, percent_off => 10, max_redemptions => %s) FROM unnest(%s) AS c",
        part.random.choice([1, 1, 2, 3]),
        codes,
        user=db.shop,
    )
    in_threads([lambda n=n: contend(db, "CALL race.buy(%s, %s, true)", n, codes) for n in range(CONTENDERS)])
    part.count("races", PRODUCTS)
    part.count("coupons", PRODUCTS)
    check(part, db, OVERUSED, {"succeeded", "given", "PT409"}, coupons=codes)


def renewals(part, db):
    """Each subscription is renewed by eight who pay, and perhaps canceled."""
    db.sql("TRUNCATE race.answers")
    begun = db.sql(
        "SELECT s.checkout_session_id AS id, s.subscription_id FROM generate_series(1, %s) AS n,"
        " checkout.create_checkout_session(price_id => 'monthly', customer_id => 's' || n) AS s",
        SUBSCRIPTIONS,
        user=db.shop,
    )
    db.sql(
        "SELECT checkout.record_payment(id, 'first-' || id, 'succeeded') FROM unnest(%s::uuid[]) AS id",
        [row["id"] for row in begun],
        user=db.shop,
    )
    subscriptions = [str(row["subscription_id"]) for row in begun]
    in_threads([lambda n=n: contend(db, "CALL race.renew(%s, %s)", n, subscriptions) for n in range(CONTENDERS)])
    part.count("races", SUBSCRIPTIONS)
    part.count("subscriptions", SUBSCRIPTIONS)
    check(part, db, RENEWED_TWICE, {"succeeded", "rejected", "canceled", "PT409"}, subscriptions=subscriptions)


def make_database(server):
    db = server.create_database(uses_catalog=True, cancel_expires=True)
    db.sql(Path(__file__).with_name("races.sql").read_text())
    db.sql(f"GRANT USAGE ON SCHEMA race TO {db.shop}; GRANT ALL ON ALL TABLES IN SCHEMA race TO {db.shop}")
    db.call("create_product", name="Everything", product_id="everything")
    db.call("create_price", product_id="everything", currency_code="USD", amount=20)
    db.call(
        "create_price",
        product_id="everything",
        currency_code="USD",
        amount=9,
        price_id="monthly",
        interval_unit="month",
    )
    return db


def run(part):
    server = part.server("one", "max_connections=40")
    while part.goes_on():
        db = make_database(server)
        made = 0
        while made < SESSIONS_OF_A_DATABASE and part.goes_on():
            for race, catalog in ((sessions, False), (last_units, True), (coupons, True), (renewals, True)):
                db.sql("SELECT checkout.update_organization(%s, uses_catalog => %s)", db.organization_id, catalog)
                race(part, db)
            made += SESSIONS
        part.settle(server)
        server.drop_databases()
