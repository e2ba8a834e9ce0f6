"""The last unit is sold once, whoever crashes, and comes back from every session that ends unpaid.

STOCK_ROUNDS=200 plays as many rounds; the suite plays a few.
"""

import os
import random
import signal
import threading
import time
from contextlib import closing

import psycopg2
import pytest
from conftest import wait_until

ROUNDS = int(os.environ.get("STOCK_ROUNDS", "8"))
UNITS, BUYERS = 100, 16
# What clients are told by a server that starts anew; most are told nothing.
CRASHED = ("57P01", "57P02", "57P03")


def create_product(db, product_id, on_hand, price=10):
    """A product with a price in USD."""
    db.call("create_product", name="Tea", product_id=product_id, on_hand=on_hand)
    db.call("create_price", product_id=product_id, currency_code="USD", amount=price)


class Round:
    """Buyers of one product: some pay at once, some when their deadline passes, and some not at all."""

    def __init__(self, db, product_id, seconds=1.6):
        self.db, self.product_id = db, product_id
        self.until = time.monotonic() + seconds
        self.unexpected, self.refused = [], 0
        threads = [threading.Thread(target=self.buy, args=(random.Random(f"{product_id} {n}"),)) for n in range(BUYERS)]
        for thread in threads:
            thread.start()
        self.threads = threads

    def buy(self, chance):
        while time.monotonic() < self.until:
            try:
                with closing(self.db.connect(self.db.shop)) as connection:
                    connection.autocommit = False
                    while time.monotonic() < self.until:
                        self.try_once(connection, chance)
            except psycopg2.Error as error:
                if error.pgcode and error.pgcode not in CRASHED:
                    self.unexpected.append(error)
                    return
                time.sleep(0.05)

    def try_once(self, connection, chance):
        with connection.cursor() as cursor:
            try:
                cursor.execute(
                    """SELECT checkout_session_id AS id, extract(epoch FROM expires_at - clock_timestamp()) AS left
                       FROM checkout.create_checkout_session(product_id => %s, customer_id => 'c', quantity => %s,
                           expires_in => '1 second')""",
                    (self.product_id, chance.randint(1, 3)),
                )
                session = cursor.fetchone()
                connection.commit()
            except psycopg2.Error as error:
                connection.rollback()
                if error.pgcode != "PT409":
                    raise
                self.refused += 1
                time.sleep(chance.uniform(0, 0.01))
                return
            how = chance.random()
            if how < 0.4:  # leaves, and the units lapse
                return
            if how > 0.7:  # pays so late that the commit may come after the deadline
                time.sleep(max(0, float(session["left"]) - chance.uniform(-0.005, 0.02)))
            cursor.execute(
                "SELECT * FROM checkout.record_payment(%s, %s, 'succeeded')", (session["id"], f"pay {session['id']}"))
            time.sleep(chance.uniform(0, 0.03))
            connection.commit()

    def wait(self):
        for thread in self.threads:
            thread.join()


def crash(server):
    """Kills a backend without warning: the whole server starts anew."""
    try:
        (pid,) = server.database().sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' "
                                       "AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1")[0].values()
        os.kill(pid, signal.SIGKILL)
    except (psycopg2.OperationalError, IndexError, ProcessLookupError):
        pass  # it is starting anew already


def stock(db, product_id):
    return db.sql(
        """SELECT i.on_hand, i.held,
               (SELECT COALESCE(sum(h.quantity), 0) FROM checkout_data.holds h WHERE h.item_id = i.product_id) AS holds,
               (SELECT COALESCE(sum(l.quantity), 0) FROM checkout_data.session_lines l
                JOIN checkout_data.checkout_sessions s USING (organization_id, environment, checkout_session_id)
                WHERE l.product_id = i.product_id AND s.status = 'complete') AS sold,
               (SELECT sum(c.change) FROM checkout_data.inventory_changes c WHERE c.product_id = i.product_id) AS ledger
           FROM checkout_data.inventory i WHERE i.product_id = %s""", product_id)[0]


def everything_ended(db):
    try:
        db.sql("SELECT checkout.run_maintenance()")
    except psycopg2.OperationalError:
        return False  # it is starting anew
    return not db.sql("""SELECT FROM checkout_data.open_sessions UNION ALL
                         SELECT FROM checkout_data.holds WHERE state = 'taken' LIMIT 1""")


def test_sixteen_buyers_of_a_hundred_units(new_server, capsys):
    server = new_server()
    db = server.create_database(uses_catalog=True)
    sold = refused = 0
    for number in range(ROUNDS):
        product_id = f"tea-{number}"
        create_product(db, product_id, UNITS)
        buyers = Round(db, product_id)
        if number % 4 == 3:
            time.sleep(random.uniform(0.2, 1.2))
            crash(server)
        buyers.wait()
        assert not buyers.unexpected
        wait_until(lambda: everything_ended(db), within=20)
        after = stock(db, product_id)
        assert after["sold"] <= UNITS
        assert after["on_hand"] + after["sold"] == UNITS == after["ledger"] + after["sold"]
        sold, refused = sold + after["sold"], refused + buyers.refused
    # A buyer who found too little may have kept others from releasing what had lapsed. The worker removes it.
    wait_until(lambda: everything_ended(db) and not db.sql("SELECT FROM checkout_data.holds"), within=25)
    with capsys.disabled():
        print(f"\n{ROUNDS} rounds: {sold} of {ROUNDS * UNITS} units sold, {refused} buyers refused")
    assert sold > ROUNDS * UNITS * 0.3 and refused > ROUNDS, "the round is too easy"


@pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
@pytest.mark.parametrize("what", ["product_id => 'last'", "product_id => 'many', coupon_code => 'once'",
                                  "product_id => 'many', coupon_code => 'each'"])
def test_the_last_one_under_every_isolation_level(server, isolation, what):
    """A unit, a redemption, or a redemption for this customer: one of eight buyers gets it."""
    db = server.create_database(uses_catalog=True)
    create_product(db, "last", 1)
    create_product(db, "many", 100)
    db.call("create_coupon", code="ONCE", percent_off=10, max_redemptions=1)
    db.call("create_coupon", code="EACH", percent_off=10, max_redemptions_per_customer=1)
    # Its stock is not tracked: nothing but the coupon is in the way of the others.
    db.call("update_product", product_id="many", track_inventory=False)
    outcomes = []

    def buy():
        with closing(db.connect(db.shop)) as connection:
            connection.set_session(isolation_level=isolation, autocommit=False)
            with connection.cursor() as cursor:
                try:
                    cursor.execute("SELECT count(*) FROM checkout.list_products()")  # takes the snapshot
                    together.wait()
                    cursor.execute(f"SELECT checkout.create_checkout_session({what}, customer_id => 'c')")
                    connection.commit()
                    outcomes.append("sold")
                except psycopg2.Error as error:
                    outcomes.append(error.pgcode)

    together = threading.Barrier(8)
    threads = [threading.Thread(target=buy) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("sold") == 1
    assert set(outcomes) - {"sold"} <= {"PT409", "40001"}


def test_nobody_waits_for_a_buyer_longer_than_a_second(server):
    """A buyer has the product's row and does not commit. Other buyers are told to try again; payments and the sweep go on."""
    server.configure(worker_enabled="off")
    db = server.create_database(uses_catalog=True)
    create_product(db, "tea", 10)
    paid, lapsed, chosen = (
        db.create(expires_in, amount=None, currency_code=None, product_id="tea", allow_quantity=True)
        for expires_in in ("1 hour", "1 second", "1 hour"))
    with closing(db.connect(db.shop)) as holder, closing(db.connect(db.shop)) as other:
        holder.autocommit = False
        with holder.cursor() as cursor, other.cursor() as waiting:
            cursor.execute("SELECT checkout.create_checkout_session(product_id => 'tea', customer_id => 'c')")
            for call in ("create_checkout_session(product_id => 'tea', customer_id => 'd')",
                         f"set_quantity('{chosen}', quantity => 2)"):
                with pytest.raises(psycopg2.Error, match="another call is changing the same") as refused:
                    waiting.execute(f"SELECT * FROM checkout.{call}")
                assert refused.value.pgcode == "PT409"
            waiting.execute("SET lock_timeout = '100ms'")
            waiting.execute("SELECT status FROM checkout.record_payment(%s, 'p1', 'succeeded')", (paid,))
            assert waiting.fetchone()["status"] == "succeeded"
            assert db.value("SELECT now() > %s", db.row(lapsed)["expires_at"]), "a second has passed"
            db.sql("SET lock_timeout = '100ms'; SELECT checkout.run_maintenance()")
            assert db.event_types(lapsed) == ["expired"]
            # A setting that is shorter stays so.
            waiting.execute("SHOW lock_timeout")
            assert waiting.fetchone()["lock_timeout"] == "100ms"
        holder.commit()
    assert stock(db, "tea")["holds"] == 3
